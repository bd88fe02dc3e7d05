"""Small functions with planted bugs, and an in-process way to repair them.

Each `Program` is right as written; each of its `bugs` is a textual change that breaks it. The
expected answers come from the right version, so no expectation is written by hand.
"""

from __future__ import annotations

import copy
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from clean_room_agent.records.attempt import PatchCandidate, Spectrum

PATH = "src/planted.py"


@dataclass(frozen=True)
class Program:
    name: str
    source: str
    calls: tuple[tuple[object, ...], ...]
    bugs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Planted:
    program: Program
    old: str
    new: str

    @property
    def label(self) -> str:
        return f"{self.program.name}: {self.old!r} -> {self.new!r}"

    @property
    def broken(self) -> bytes:
        assert self.program.source.count(self.old) == 1, self.label
        return self.program.source.replace(self.old, self.new).encode()


PROGRAMS = (
    Program(
        "moving_average",
        '''def moving_average(values, width):
    """Means of every window of the given width."""
    if width <= 0:
        raise ValueError("width")
    means = []
    for start in range(len(values) - width + 1):
        window = values[start:start + width]
        means.append(sum(window) / width)
    return means
''',
        (([1, 2, 3, 4], 2), ([1, 2], 3), ([5], 1), ([1, 2, 3], 0), ([2, 4, 9], 3)),
        (
            ("width <= 0", "width < 0"),
            ("width + 1)", "width)"),
            ("start + width]", "width]"),
            ("/ width", "// width"),
            ("sum(window)", "max(window)"),
            (
                "        means.append(sum(window) / width)\n    return",
                "        means.append(sum(window) / width)\n        return",
            ),
        ),
    ),
    Program(
        "run_length",
        """def run_length(text):
    runs = []
    previous = None
    count = 0
    for char in text:
        if char == previous:
            count += 1
        else:
            if previous is not None:
                runs.append((previous, count))
            previous = char
            count = 1
    if previous is not None:
        runs.append((previous, count))
    return runs
""",
        (("aabccc",), ("",), ("x",), ("abab",)),
        (
            ("            count = 1\n", "            count = 0\n"),
            ("            previous = char\n", ""),
            ("char == previous", "char != previous"),
            ("count += 1", "count -= 1"),
            (
                "    if previous is not None:\n        runs.append((previous, count))\n    return",
                "    return",
            ),
        ),
    ),
    Program(
        "merge_intervals",
        """def merge_intervals(intervals):
    merged = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
""",
        (
            ([(1, 3), (2, 5), (8, 9)],),
            ([],),
            ([(5, 6), (1, 5)],),
            ([(1, 9), (2, 3)],),
            ([(1, 2), (3, 4)],),
        ),
        (
            ("start <= merged", "start < merged"),
            ("sorted(intervals)", "intervals"),
            ("max(merged[-1][1], end)", "end"),
            ("merged and start", "start"),
            ("(merged[-1][0], max", "(start, max"),
        ),
    ),
    Program(
        "caesar",
        """def caesar(text, shift):
    result = ""
    for char in text:
        if char.isalpha():
            base = ord("A") if char.isupper() else ord("a")
            result += chr((ord(char) - base + shift) % 26 + base)
        else:
            result += char
    return result
""",
        (("Hello, z!", 3), ("", 5), ("xyz ABC", -3), ("a1b", 27)),
        (
            ("% 26", "% 25"),
            ("char.isupper()", "char.islower()"),
            ("            result += char\n", "            result += text\n"),
            ("+ shift", "- shift"),
            ("char.isalpha()", "char.isdigit()"),
        ),
    ),
    Program(
        "flatten_keys",
        """def flatten_keys(tree, prefix=""):
    flat = {}
    for key, value in tree.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            flat.update(flatten_keys(value, name))
        else:
            flat[name] = value
    return flat
""",
        (({"a": {"b": 1, "c": {"d": 2}}, "e": 3},), ({},), ({"x": {"y": {}}},)),
        (
            ("flatten_keys(value, name)", "flatten_keys(value, prefix)"),
            ("flat.update(flatten_keys(value, name))", "flat = flatten_keys(value, name)"),
            ("flat[name] = value", "flat[key] = value"),
            ("{prefix}.{key}", "{key}.{prefix}"),
        ),
    ),
    Program(
        "binary_search",
        """def binary_search(items, wanted):
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == wanted:
            return middle
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1
""",
        (([1, 3, 5, 7], 7), ([1, 3, 5, 7], 1), ([], 1), ([2], 2), ([1, 3], 2), ([1, 3, 5], 9)),
        (
            ("low <= high", "low < high"),
            ("low = middle + 1", "low = middle"),
            ("return -1", "return None"),
            ("len(items) - 1", "len(items)"),
            ("< wanted", "> wanted"),
        ),
    ),
    Program(
        "account",
        """class Account:
    def __init__(self, balance=0):
        self.balance = balance
        self.history = []

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("amount")
        self.balance += amount
        self.history.append(("in", amount))

    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError("funds")
        self.balance -= amount
        self.history.append(("out", amount))


def account(start, moves):
    book = Account(start)
    for kind, amount in moves:
        if kind == "in":
            book.deposit(amount)
        else:
            book.withdraw(amount)
    return book.balance, book.history
""",
        (
            (10, [("in", 5), ("out", 15)]),
            (0, [("out", 1)]),
            (3, [("in", 0)]),
            (7, []),
            (7, [("out", 2), ("out", 2)]),
        ),
        (
            ("amount > self.balance", "amount >= self.balance"),
            ("self.balance -= amount", "self.balance = amount"),
            ('("out", amount)', '("in", amount)'),
            ("amount <= 0", "amount < 0"),
            ("        self.balance += amount\n", ""),
            ("book.withdraw(amount)", "book.deposit(amount)"),
        ),
    ),
    Program(
        "transpose",
        """def transpose(rows):
    if not rows:
        return []
    return [[row[column] for row in rows] for column in range(len(rows[0]))]
""",
        (([[1, 2], [3, 4], [5, 6]],), ([],), ([[1]],)),
        (
            ("    if not rows:\n        return []\n", ""),
            ("range(len(rows[0]))", "range(len(rows))"),
            ("row[column]", "row[0]"),
            ("return []", "return None"),
        ),
    ),
    Program(
        "word_counts",
        """def word_counts(text, minimum=1):
    counts = {}
    for word in text.lower().split():
        word = word.strip(".,!")
        if word:
            counts[word] = counts.get(word, 0) + 1
    chosen = [(word, n) for word, n in counts.items() if n >= minimum]
    return sorted(chosen, key=lambda item: (-item[1], item[0]))
""",
        (("The cat. the dog, the !",), ("", 2), ("b a b a c", 2)),
        (
            ("text.lower().split()", "text.split()"),
            ("counts.get(word, 0)", "counts.get(word, 1)"),
            ("n >= minimum", "n > minimum"),
            ("(-item[1], item[0])", "(item[1], item[0])"),
            (
                "        if word:\n            counts[word] = counts.get(word, 0) + 1\n",
                "        counts[word] = counts.get(word, 0) + 1\n",
            ),
            ("minimum=1", "minimum=2"),
        ),
    ),
    Program(
        "clamp_all",
        """def clamp(value, low, high):
    return max(low, min(value, high))


def clamp_all(values, low, high):
    clamped = [clamp(value, low, high) for value in values if value is not None]
    return clamped, sum(clamped) / len(clamped) if clamped else 0.0
""",
        (([1, 5, 9], 2, 6), ([None, 3], 0, 9), ([], 0, 1), ([None], 1, 2)),
        (
            ("min(value, high)", "min(value, low)"),
            ("max(low,", "min(low,"),
            ("clamp(value, low, high) for", "clamp(low, value, high) for"),
            (" if value is not None]", "]"),
            (" if clamped else 0.0", ""),
        ),
    ),
)
PLANTED = tuple(Planted(p, old, new) for p in PROGRAMS for old, new in p.bugs)


class _TookTooLong(BaseException):
    pass


def on_alarm(signum: int, frame: FrameType | None) -> None:
    raise _TookTooLong


def _run(function: Callable[..., object], arguments: tuple[object, ...]) -> tuple[str, object]:
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.1)
    try:
        return "value", function(*copy.deepcopy(arguments))
    except _TookTooLong:
        return "late", None
    except Exception as error:  # noqa: BLE001  broken code may raise anything
        return "error", type(error).__name__
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _load(data: bytes, name: str) -> Callable[..., object] | None:
    namespace: dict[str, object] = {"__name__": "planted"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(data, PATH, "exec", dont_inherit=True)
    exec(code, namespace)
    function = namespace.get(name)
    return function if callable(function) else None


def _answers(data: bytes, program: Program) -> Iterator[tuple[str, object]]:
    try:
        function = _load(data, program.name)
    except (AttributeError, NameError, TypeError, ValueError):
        function = None
    for arguments in program.calls:
        yield ("missing", None) if function is None else _run(function, arguments)


def _covered(data: bytes, program: Program, arguments: tuple[object, ...]) -> set[int]:
    function = _load(data, program.name)
    lines: set[int] = set()
    assert function is not None

    def local(frame: FrameType, event: str, arg: object) -> object:
        if event == "line":
            lines.add(frame.f_lineno)
        return local

    def trace(frame: FrameType, event: str, arg: object) -> object:
        return local if frame.f_code.co_filename == PATH else None

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        _run(function, arguments)
    finally:
        sys.settrace(before)
    return lines


def spectrum_of(planted: Planted) -> Spectrum:
    right = list(_answers(planted.program.source.encode(), planted.program))
    wrong = list(_answers(planted.broken, planted.program))
    names = [f"call{n}" for n in range(len(right))]
    lines: dict[int, set[str]] = {}
    for name, arguments in zip(names, planted.program.calls, strict=True):
        for number in _covered(planted.broken, planted.program, arguments):
            lines.setdefault(number, set()).add(name)
    failing = tuple(n for n, a, b in zip(names, right, wrong, strict=True) if a != b)
    passing = tuple(n for n in names if n not in failing)
    return Spectrum(failing, passing, {PATH: {k: frozenset(v) for k, v in lines.items()}})


def patched(data: bytes, candidate: PatchCandidate) -> bytes:
    for edit in sorted(candidate.replacements, key=lambda r: -r.start_byte):
        data = data[: edit.start_byte] + edit.new_bytes + data[edit.end_byte :]
    return data


def repair(
    planted: Planted, candidates: Iterator[PatchCandidate], limit: int
) -> tuple[PatchCandidate | None, int]:
    """The first candidate that answers every call as the right program does, and how many ran."""
    program = planted.program
    previous = signal.signal(signal.SIGVTALRM, on_alarm)
    tried = 0
    try:
        right = list(_answers(program.source.encode(), program))
        for candidate in candidates:
            if tried >= limit:
                break
            tried += 1
            answers = _answers(patched(planted.broken, candidate), program)
            if all(a == b for a, b in zip(right, answers, strict=True)):
                return candidate, tried
    finally:
        signal.signal(signal.SIGVTALRM, previous)
    return None, tried
