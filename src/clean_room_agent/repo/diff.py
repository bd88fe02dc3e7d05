"""Writes the unified diff between two sets of files, by git itself, from objects of its own.

Takes: two maps of path -> bytes. Gives: a patch with a/ and b/ prefixes that `git apply` takes.
Does not know: the working tree; no attribute, filter or driver of the repository plays a part.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from clean_room_agent.errors import EditError
from clean_room_agent.repo.shadow import Shadow

_FILE_MODE = "100644"


def make_diff(
    shadow: Shadow,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    *,
    modes_before: Mapping[str, str],
    modes_after: Mapping[str, str],
) -> bytes:
    """Return the patch from `before` to `after`; empty when they are the same.

    A path in only one of them was deleted or is new. Modes are git's (`100755`); a path without
    one is a plain file. Binary contents become a binary patch.
    """
    changed = {
        path
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
        or modes_before.get(path, _FILE_MODE) != modes_after.get(path, _FILE_MODE)
    }
    if not changed:
        return b""
    with tempfile.TemporaryDirectory(prefix="cra-diff-") as scratch:
        objects = _Objects(Path(scratch), shadow.object_format)
        trees = [
            objects.write_tree({path: side[path] for path in changed if path in side}, modes)
            for side, modes in ((before, modes_before), (after, modes_after))
        ]
        made = shadow.run(
            "diff-tree",
            "-p",
            "--binary",
            "--full-index",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            *trees,
            "--",
            extra={"GIT_OBJECT_DIRECTORY": scratch},
        )
    return made.check("making a diff")


class _Objects:
    """A private directory of loose objects, written without git and without locks."""

    def __init__(self, place: Path, object_format: str) -> None:
        self._place = place
        self._format = object_format

    def write_tree(self, files: Mapping[str, bytes], modes: Mapping[str, str]) -> str:
        nested: dict[bytes, dict[str, str]] = {}
        entries: list[tuple[bytes, bytes, bytes]] = []
        for path, data in files.items():
            head, slash, rest = path.partition("/")
            _check_part(head, path)
            if slash:
                nested.setdefault(os.fsencode(head), {})[rest] = path
                continue
            object_id = self._write(b"blob", data)
            mode = modes.get(path, _FILE_MODE).encode("ascii")
            entries.append((os.fsencode(head), mode, bytes.fromhex(object_id)))
        for name, inner in nested.items():
            tree = self.write_tree(
                {rest: files[path] for rest, path in inner.items()},
                {rest: modes[path] for rest, path in inner.items() if path in modes},
            )
            entries.append((name, b"40000", bytes.fromhex(tree)))
        # Git sorts a directory as if its name ended in a slash.
        entries.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == b"40000" else b""))
        body = b"".join(mode + b" " + name + b"\0" + digest for name, mode, digest in entries)
        return self._write(b"tree", body)

    def _write(self, kind: bytes, data: bytes) -> str:
        whole = kind + b" %d\0" % len(data) + data
        object_id = hashlib.new(self._format, whole, usedforsecurity=False).hexdigest()
        place = self._place / object_id[:2]
        place.mkdir(exist_ok=True)
        (place / object_id[2:]).write_bytes(zlib.compress(whole, 1))
        return object_id


def _check_part(part: str, path: str) -> None:
    if part in ("", ".", "..") or part.casefold() == ".git" or "\0" in part:
        raise EditError("this path cannot be part of a patch", where=path)
