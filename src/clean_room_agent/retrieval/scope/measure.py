"""The shape of a signal before it is weighed: a raw value for each file, with its evidence.

Takes: raw values. Gives: `Signal`s as a share of the largest source file. Does not know: meanings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from clean_room_agent.records.context import Signal
from clean_room_agent.records.spelling import one_line


@dataclass(frozen=True, slots=True)
class Measure:
    """One signal over all files: raw values by file key, and how to word the evidence of one.

    Every value is positive; a file that is absent has no such signal.
    """

    name: str
    values: Mapping[int, float]
    explain: Callable[[int], str]
    full: float = 0.0  # the value that counts as 1; where 0, the largest of a source file

    def scale(self, sources: Set[int]) -> float:
        """The largest value of a source file, or of any file where no source file has one.

        A test that repeats the task's words does not make every source file look unlike it.
        """
        if self.full > 0.0:
            return self.full
        own = (value for key, value in self.values.items() if key in sources)
        return max(own, default=0.0) or max(self.values.values(), default=1.0)

    def signal(self, key: int, scale: float, weight: float) -> Signal:
        """The signal of one file, as a share of the scale and at most 1."""
        value = round(min(1.0, self.values[key] / scale), 6)
        return Signal(self.name, value, weight, one_line(self.explain(key)))


def noted(
    name: str, values: Mapping[int, float], notes: Mapping[int, str], full: float = 0.0
) -> Measure:
    """A measure whose evidence was written down while it was taken; zeros are no signal."""
    positive = {key: value for key, value in values.items() if value > 0.0}
    return Measure(name, positive, lambda key: notes.get(key, ""), full)
