"""From a model's text to the bytes of a file, or a reason why not.

Takes: text of an answer, the base bytes of a file. Gives: bytes in the file's own line ends, and
the faults of a text or of a whole change. Does not know: answers' forms, prompts.

The rules, each stated to the model where it can act on it:
- A file is edited only as UTF-8 text; its byte-order mark is never part of an edit.
- A file that uses one kind of line end keeps it: the answer's line ends are written as that kind.
  In a file of mixed line ends nothing is converted.
- Text that leaves parts out ("...", "rest of the code") is never taken for the whole.
- A change that empties a file, removes more than a stated share of one, or adds a file over a
  stated size is refused (reliability case 29).
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from clean_room_agent.errors import EditError
from clean_room_agent.execute.edits import replace_ranges
from clean_room_agent.records.attempt import Replacement

BOM = codecs.BOM_UTF8
MAX_REMOVED_SHARE = 0.5
# A file of a few lines may shrink by any share, as long as something is left of it.
SMALL_BYTES = 2_000
MAX_NEW_FILE_BYTES = 64 * 1024
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)", re.MULTILINE)
_PART = (
    r"(?:code|functions?|methods?|class(?:es)?|implementation|file|logic|body|module|program"
    r"|script|imports?|definitions?|tests?|content)"
)
_HERE = (
    r"(?: (?:is |are |remains? |stays? |goes |go )?"
    r"(?:here|unchanged|the same|omitted|as before|as is|above|below|continues|follows))?\W*$"
)
# A comment that stands for code: "# ...", "// rest of the class", "# existing code here".
_LEFT_OUT = re.compile(
    r"\s*(?:#+|//+|/\*+|\*|--|<!--|;+|%)\s*"
    r"(?:(?:\.{3}|\u2026)"
    rf"|[\[(<]?(?:the )?(?:rest|remainder) of (?:(?:the|this|your|my) )?(?:\w+ ){{0,2}}"
    rf"{_PART}{_HERE}"
    rf"|[\[(<]?(?:the )?(?:remaining|existing|previous|original|unchanged|other) (?:\w+ )?"
    rf"{_PART}{_HERE}"
    r"|[\[(<]?(?:your )?(?:code|implementation|logic) (?:here|goes here|unchanged|omitted"
    r"|as before|stays the same)\W*$)",
    re.IGNORECASE,
)
_BARE_DOTS = frozenset({"...", "\u2026", "[...]", "(...)"})


def refuse_encoding(path: str, base: bytes, new_text: str) -> str:
    """Return why text cannot be written into this file, or ""."""
    try:
        base.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"{path} is not UTF-8 (byte {error.start}), so it is not edited"
    if b"\0" in base:
        return f"{path} holds zero bytes, so it is not edited as text"
    if "\0" in new_text:
        return f"the new text for {path} holds a zero character"
    declared = _CODING.search(b"\n".join(base.split(b"\n", 2)[:2]))
    if declared and not new_text.isascii() and not _is_utf8(declared[1]):
        name = declared[1].decode("ascii")
        return f"{path} declares the encoding {name}; write the new text in ASCII"
    return ""


def _is_utf8(name: bytes) -> bool:
    return name.lower().replace(b"_", b"-").startswith((b"utf-8", b"utf8"))


def line_end_of(base: bytes) -> bytes | None:
    """Return the one line end that a file uses, or None where it has none or several."""
    crlf = base.count(b"\r\n")
    counts = {
        b"\r\n": crlf,
        b"\n": base.count(b"\n") - crlf,
        b"\r": base.count(b"\r") - crlf,
    }
    used = [line_end for line_end, count in counts.items() if count]
    return used[0] if len(used) == 1 else None


def to_file_bytes(text: str, base: bytes) -> bytes:
    """Return an answer's text as bytes for this file: its line ends, no byte-order mark."""
    data = text.encode("utf-8").removeprefix(BOM)
    line_end = line_end_of(base)
    if line_end is None:
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", line_end)


def find_left_out(new_text: str, old_text: str) -> str:
    """Return the first line that stands for code left out, or "".

    A line that the old text holds too is code of the file. A bare `...` that is the body of
    something (the line above ends with a colon or a docstring) is Python.
    """
    known = {line.strip() for line in old_text.splitlines()}
    above = ""
    for line in new_text.splitlines():
        bare = line.strip()
        if bare not in known:
            body = above.endswith((":", '"""', "'''"))
            if _LEFT_OUT.match(line) or (bare in _BARE_DOTS and not body):
                return bare[:100]
        above = bare or above
    return ""


def check_change(files: Mapping[str, bytes], replacements: Sequence[Replacement]) -> list[str]:
    """Return what is wrong with a whole change: overlaps, and what passes the size limits."""
    by_path: dict[str, list[Replacement]] = defaultdict(list)
    for replacement in replacements:
        by_path[replacement.path].append(replacement)
    problems = []
    for path, edits in by_path.items():
        base = files.get(path)
        try:
            after = replace_ranges(base, edits)
        except EditError as error:
            problems.append(f"{path}: {error.message}")
            continue
        problems += _check_size(path, base, after)
    return problems


def _check_size(path: str, base: bytes | None, after: bytes) -> list[str]:
    if base is None:
        if len(after) > MAX_NEW_FILE_BYTES:
            return [f"{path}: a new file may have {MAX_NEW_FILE_BYTES:,} bytes, not {len(after):,}"]
        return []
    removed = len(base) - len(after)
    if base.strip() and not after.strip():
        return [f"{path}: the edit empties the file"]
    if len(base) > SMALL_BYTES and removed > MAX_REMOVED_SHARE * len(base):
        return [
            f"{path}: the edit removes {removed:,} of {len(base):,} bytes, more than "
            f"{MAX_REMOVED_SHARE:.0%} of the file"
        ]
    return []
