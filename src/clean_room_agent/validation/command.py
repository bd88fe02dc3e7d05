"""From the words a person typed to an interpreter and pytest arguments, before any edit.

Takes: the text of a test command, the root of the checkout, the caller's PATH.
Gives: `TestCommand`. Does not know: the sandbox, or whether pytest is installed (the run says).

Rule for bare names: `pytest` and `python` are looked up on PATH. When what is found there is not
part of a virtual environment and `<root>/.venv/bin/python` exists, that environment is used.
Nothing that is tracked by the repository, or that lies in it outside a virtual environment, is
ever run as the interpreter (reliability case 44).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.errors import UsageError
from clean_room_agent.records.task import TestCommand
from clean_room_agent.validation.unittest_words import translate_unittest

_FORMS = (
    "`pytest [ARGS]`, `python -m pytest [ARGS]`, `python -m unittest [ARGS]`, each also with a path"
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PYTHON = re.compile(r"(python|pypy)(\d+(\.\d+)*)?t?(\.exe)?")
_SHELL_WORDS = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"})
_IGNORED_FLAGS = frozenset({"-B", "-u", "-s"})
_TRAMPOLINE = re.compile(rb"^'''exec' \"?([^\"\n]+?)\"? \"\$0\"")
_PYENV_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where programs may be found, and where they may not."""

    root: Path
    path_env: str
    tracked: Container[str]

    def find(self, word: str) -> Path:
        """Return the program `word` names; a word with a slash is relative to the root."""
        if "/" in word:
            return self._admit(self.root / word, word)
        for entry in self.path_env.split(os.pathsep):
            directory = Path(entry)
            if entry and directory.is_absolute() and _is_program(directory / word):
                return self._admit(directory / word, word)
        raise UsageError(
            f"the test command starts with {word!r}, which is not on PATH",
            hint="activate the environment that has pytest, or name its python by path",
        )

    def _admit(self, program: Path, word: str) -> Path:
        if not _is_program(program):
            raise UsageError(f"the test command starts with {word!r}: no such program")
        absolute = Path(os.path.abspath(program))  # noqa: PTH100 - keeps a venv's symlink
        for path in (absolute, absolute.resolve()):
            if not path.is_relative_to(self.root):
                continue
            inside = path.relative_to(self.root).as_posix()
            # A submodule is tracked as one entry: everything below it is the repository's too.
            above = [part.as_posix() for part in Path(inside).parents]
            tracked = any(place in self.tracked for place in (inside, *above))
            if tracked or not _in_environment(path):
                raise UsageError(
                    f"{inside} belongs to the repository, so an edit could change it",
                    hint="use an interpreter outside the repository or in an untracked .venv",
                )
        return absolute


def resolve_test_command(
    text: str, *, root: Path, path_env: str, tracked: Container[str] = ()
) -> TestCommand:
    """Resolve `text` against `path_env` now, so that no later edit can change what is run.

    `tracked` are the repository-relative paths that git tracks.

    Raises:
        UsageError: empty, not a pytest or unittest command, or its program cannot be used.
    """
    words = _split(text)
    place = _Place(root.resolve(), path_env, tracked)
    name = Path(words[0]).name
    if name in ("pytest", "py.test"):
        return TestCommand(words, _of_script(words[0], place), words[1:])
    if not _PYTHON.fullmatch(name):
        raise _not_understood(words[0])
    module, arguments = _module_of(words)
    interpreter = _interpreter(words[0], place)
    if module == "unittest":
        arguments = translate_unittest(arguments, place.root)
    return TestCommand(words, interpreter, arguments)


def _split(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"the test command cannot be split into words: {error}") from error
    if not words:
        raise UsageError("the test command is empty", hint=f"understood: {_FORMS}")
    if _ASSIGNMENT.match(words[0]):
        raise UsageError(
            f"the test command starts with a variable ({words[0].split('=')[0]}=...)",
            hint="give the command alone; tests run in an environment of their own",
        )
    if _SHELL_WORDS.intersection(words):
        raise UsageError(
            "the test command uses shell operators; it is run without a shell",
            hint=f"give one command: {_FORMS}",
        )
    return words


def _not_understood(word: str) -> UsageError:
    return UsageError(
        f"{word!r} is not a test command that can be read", hint=f"understood: {_FORMS}"
    )


def _module_of(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    rest = list(words[1:])
    while rest and rest[0] in _IGNORED_FLAGS:
        rest.pop(0)
    if len(rest) >= 2 and rest[0] == "-m" and rest[1] in ("pytest", "py.test", "unittest"):
        return rest[1], tuple(rest[2:])
    raise _not_understood(" ".join(words[:3]))


def _interpreter(word: str, place: _Place) -> Path:
    """The interpreter a `python` word names, by the rule for bare names."""
    try:
        found = place.find(word)
    except UsageError:
        if "/" in word or not _own_venv(place.root):
            raise
        return _own_venv_python(place)
    if "/" not in word and not _in_environment(found) and _own_venv(place.root):
        return _own_venv_python(place)
    return _through_shim(found, place.root)


def _of_script(word: str, place: _Place) -> Path:
    """The interpreter in the first lines of a `pytest` script, by the rule for bare names."""
    try:
        script = place.find(word)
    except UsageError:
        if "/" in word or not _own_venv(place.root):
            raise
        return _own_venv_python(place)
    if "/" not in word and not _in_environment(script) and _own_venv(place.root):
        return _own_venv_python(place)
    if script.parent.name == "shims":
        return _through_shim(script.with_name("python"), place.root)
    head = script.read_bytes()[:4096].split(b"\n")
    return place.find(_shebang_word(script, head))


def _shebang_word(script: Path, head: Sequence[bytes]) -> str:
    trampoline = _TRAMPOLINE.match(head[1]) if len(head) > 1 else None
    if trampoline:
        return os.fsdecode(trampoline[1])
    words = os.fsdecode(head[0][2:]).split() if head[0].startswith(b"#!") else []
    if words and Path(words[0]).name == "env":
        words = words[1:]
    if not words or not _PYTHON.fullmatch(Path(words[0]).name):
        raise UsageError(
            f"{script} does not say which python it runs under",
            hint="name the interpreter: `path/to/python -m pytest`",
        )
    return words[0]


def _through_shim(program: Path, root: Path) -> Path:
    """Return the python behind a pyenv shim, read from its version files; else `program`."""
    pyenv = program.parent.parent
    if program.parent.name != "shims" or not (pyenv / "versions").is_dir():
        return program
    for source in (root / ".python-version", pyenv / "version"):
        wanted = source.read_text("utf-8").split()[:1] if source.is_file() else []
        if wanted and _PYENV_VERSION.fullmatch(wanted[0]):
            exact = pyenv / "versions" / wanted[0]
            others = sorted((pyenv / "versions").glob(wanted[0] + ".*"), key=_version_key)
            for home in (exact, *reversed(others)):
                if _is_program(home / "bin" / "python"):
                    return home / "bin" / "python"
    raise UsageError(
        f"{program} is a pyenv shim and its version could not be read",
        hint="name the interpreter: `$(pyenv which python) -m pytest`",
    )


def _version_key(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", path.name))


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _in_environment(program: Path) -> bool:
    return (program.parent.parent / "pyvenv.cfg").is_file()


def _own_venv(root: Path) -> bool:
    python = root / ".venv" / "bin" / "python"
    return _is_program(python) and _in_environment(python)


def _own_venv_python(place: _Place) -> Path:
    return place.find(".venv/bin/python")
