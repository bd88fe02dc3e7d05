"""Make a repository of several varied copies of another one: the same work at another size.

Takes: a git checkout, how many copies, a directory. Gives: a new repository there, committed.
Does not know: what is measured on it.

The first copy is the tree as it is, at the same paths. Every further copy lies in a directory of
its own, and a half of the words that its names are made of (another half in each copy) is
replaced by invented ones, in names, prose, paths and commit subjects alike: hardly a blob is
shared, and a word of a task stands in about half of the copies. The newest commits of the source
are repeated for every copy.
"""

from __future__ import annotations

import builtins
import functools
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.repo.languages import LANGUAGES

COMMITS = 1000
MIN_WORD = 4
MAX_VARIED_BYTES = 1_000_000
_DEFINED = re.compile(
    rb"\b(?:def|class|func|fn|function|type|struct|interface|enum|module)\s+([A-Za-z]\w+)"
)
_WORD = re.compile(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SYLLABLES = tuple(c + v for c in "bdfgklmnprstvz" for v in "aeiou")
_IDENTITY = b"Benchmark <benchmark@example.org>"


@dataclass(frozen=True, slots=True)
class _Source:
    """What the copies are made from: live files, the words to vary, and commits, oldest first.

    The words of `roots`, the directories at the top, are replaced in every copy: each imports
    its own packages.
    """

    files: dict[str, bytes]
    words: frozenset[bytes]
    roots: frozenset[bytes]
    commits: list[tuple[int, bytes, list[tuple[bytes, bytes]]]]


def git(*arguments: str, cwd: Path) -> bytes:
    """Run git and return what it prints."""
    words = [shutil.which("git") or "git", *arguments]
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True).stdout


def grow(source: Path, copies: int, target: Path) -> None:
    """Write a repository with the source's tree `copies` times."""
    target.mkdir(parents=True)
    git("init", "--quiet", cwd=target)
    read = _read(source)
    with subprocess.Popen(
        [shutil.which("git") or "git", "fast-import", "--quiet", "--force"],
        cwd=target,
        stdin=subprocess.PIPE,
    ) as importer:
        assert importer.stdin is not None
        for part in _stream(read, copies):
            importer.stdin.write(part)
    if importer.returncode:
        raise SystemExit("git fast-import failed; see above")
    git("reset", "--quiet", "--hard", "refs/heads/grown", cwd=target)
    git("repack", "-adq", cwd=target)


def _read(source: Path) -> _Source:
    listed = git("ls-files", "-z", cwd=source).split(b"\0")
    paths = [os.fsdecode(raw) for raw in listed if raw]
    files = {
        path: (source / path).read_bytes()
        for path in paths
        if (source / path).is_file() and not (source / path).is_symlink()
    }
    kept = {word.encode().lower() for word in dir(builtins)}
    kept.update(word.lower() for language in LANGUAGES for word in language.keywords)
    words = {
        word.lower()
        for data in files.values()
        for name in _DEFINED.findall(data)
        for word in _WORD.findall(name)
        if len(word) >= MIN_WORD
    }
    roots = {
        word.lower()
        for path in files
        if "/" in path
        for word in _WORD.findall(os.fsencode(path.split("/")[0]))
        if len(word) >= MIN_WORD
    }
    commits = list(_read_commits(source))
    return _Source(files, frozenset(words - kept), frozenset(roots - kept), commits)


def _read_commits(source: Path) -> Iterator[tuple[int, bytes, list[tuple[bytes, bytes]]]]:
    log = git(
        "log", "--no-merges", "--no-renames", "--name-status", "-z", "--reverse",
        f"--max-count={COMMITS}", "--format=%x01%at%x02%s%x02", cwd=source,
    )  # fmt: skip
    for record in log.split(b"\1")[1:]:
        time, subject, rest = record.split(b"\2", 2)
        fields = [field for field in rest.replace(b"\n", b"").split(b"\0") if field]
        yield int(time), subject, list(zip(fields[::2], fields[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class _Copy:
    """One copy: how words and paths look in it."""

    number: int
    source: _Source

    def vary(self, data: bytes) -> bytes:
        if self.number == 0:
            return data
        replace = functools.cache(self._replace)
        return _WORD.sub(lambda match: replace(match[0]), data)

    def place(self, path: bytes) -> bytes:
        stem, dot, suffix = path.rpartition(b".")
        if self.number == 0 or not stem:
            return path if self.number == 0 else self._home + self.vary(path)
        return self._home + self.vary(stem) + dot + suffix

    @property
    def _home(self) -> bytes:
        return _invent(b"home", self.number) + b"/"

    def _replace(self, word: bytes) -> bytes:
        lower = word.lower()
        chosen = lower in self.source.words and zlib.crc32(lower, self.number) % 2
        if not chosen and lower not in self.source.roots:
            return word
        made = _invent(lower, self.number)
        if word.isupper():
            return made.upper()
        return made.capitalize() if word[:1].isupper() else made


def _invent(word: bytes, number: int) -> bytes:
    """A word of three syllables, the same for the same word and copy."""
    value = zlib.crc32(word, number * 7919 + 1)
    parts = []
    for _ in range(3):
        value, place = divmod(value, len(_SYLLABLES))
        parts.append(_SYLLABLES[place])
    return "".join(parts).encode()


def _stream(source: _Source, copies: int) -> Iterator[bytes]:
    """The repository in the form that `git fast-import` reads."""
    made = [_Copy(number, source) for number in range(copies)]
    place = 0
    for time, subject, changes in source.commits:
        for copy in made:
            place += 1
            yield _commit(time, copy.vary(subject))
            for status, path in changes:
                if status == b"D":
                    yield b'D "' + _quote(copy.place(path)) + b'"\n'
                else:
                    yield _file(copy.place(path), b"%d\n" % place)
    yield _commit(source.commits[-1][0] if source.commits else 0, b"The tree as it is measured")
    yield b"deleteall\n"
    for copy in made:
        for name, data in source.files.items():
            if copy.number and (b"\0" in data or len(data) > MAX_VARIED_BYTES):
                continue  # pictures and archives would be the same blob
            yield _file(copy.place(os.fsencode(name)), copy.vary(data))


def _commit(time: int, subject: bytes) -> bytes:
    return (
        b"commit refs/heads/grown\ncommitter %s %d +0000\ndata %d\n%s\n"
        % (_IDENTITY, time, len(subject), subject)
    )  # fmt: skip


def _file(path: bytes, data: bytes) -> bytes:
    return b'M 100644 inline "%s"\ndata %d\n%s\n' % (_quote(path), len(data), data)


def _quote(path: bytes) -> bytes:
    return path.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
