"""Simple `python -m unittest` arguments, said as pytest arguments.

Takes: the words after `unittest`, the root of the checkout. Gives: pytest arguments.
Does not know: interpreters. Refuses what it cannot say exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clean_room_agent.errors import UsageError

_SAME = {"-v": "-v", "--verbose": "-v", "-q": "-q", "--quiet": "-q", "-f": "-x", "--failfast": "-x"}
_FREE = frozenset({"-b", "--buffer", "--locals"})
_DISCOVER = {
    "-s": "start",
    "--start-directory": "start",
    "-p": "pattern",
    "--pattern": "pattern",
    "-t": "top",
    "--top-level-directory": "top",
}


def translate_unittest(words: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return pytest arguments that select the same tests.

    Raises:
        UsageError: an argument has no plain equivalent.
    """
    rest = list(words)
    if rest and rest[0] == "discover":
        return _discover(rest[1:])
    arguments: list[str] = []
    names = 0
    while rest:
        word = rest.pop(0)
        if word in _SAME:
            arguments.append(_SAME[word])
        elif word == "-k" and rest:
            arguments += ["-k", rest.pop(0)]
        elif word.startswith("-") and word not in _FREE:
            raise _refused(word)
        elif not word.startswith("-"):
            arguments.append(_dotted(word, root))
            names += 1
    if names == 0:
        arguments += ["-o", "python_files=test*.py"]
    return tuple(arguments)


def _discover(rest: list[str]) -> tuple[str, ...]:
    settings = {"start": ".", "pattern": "test*.py"}
    arguments: list[str] = []
    positions = ["start", "pattern", "top"]
    while rest:
        word = rest.pop(0)
        if word in _DISCOVER and rest:
            settings[_DISCOVER[word]] = rest.pop(0)
        elif word in _SAME:
            arguments.append(_SAME[word])
        elif word.startswith("-") and word not in _FREE:
            raise _refused(word)
        elif not word.startswith("-") and positions:
            settings[positions.pop(0)] = word
    return (*arguments, "-o", f"python_files={settings['pattern']}", settings["start"])


def _dotted(word: str, root: Path) -> str:
    """`tests.test_a.TestB.test_c` as `tests/test_a.py::TestB::test_c`."""
    if (root / word).exists():
        return word
    parts = word.split(".")
    for length in range(len(parts), 0, -1):
        path = root.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file():
            file = "/".join(parts[:length]) + ".py"
            return "::".join([file, *parts[length:]])
        if path.is_dir() and length == len(parts):
            return "/".join(parts)
    raise _refused(word)


def _refused(word: str) -> UsageError:
    return UsageError(
        f"`python -m unittest ... {word}` cannot be said in pytest's words",
        hint="pytest runs unittest suites: give `python -m pytest PATH`",
    )
