"""One field of a schedule: its range, its names, and the values it allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


class FieldError(ValueError):
    """A field of a schedule cannot be read."""


@dataclass(frozen=True)
class FieldSpec:
    """What one field may hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = field(default=())

    def number(self, text: str) -> int:
        """The value of a number or a three-letter name."""
        upper = text.upper()
        if upper in self.names:
            return self.names.index(upper) + self.low
        if not text.isdigit():
            raise FieldError(f"{self.name}: not a value: {text!r}")
        value = int(text)
        if not self.low <= value <= self.high:
            raise FieldError(f"{self.name}: {value} is outside {self.low}-{self.high}")
        return value


MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

MINUTE = FieldSpec("minute", 0, 59)
HOUR = FieldSpec("hour", 0, 23)
DAY = FieldSpec("day", 1, 31)
MONTH = FieldSpec("month", 1, 12, MONTHS)
WEEKDAY = FieldSpec("weekday", 0, 7, WEEKDAYS)


def expand_part(spec: FieldSpec, part: str) -> Iterator[int]:
    """The values of one comma-separated part: ``*``, ``5``, ``1-4``, any with ``/step``."""
    body, slash, step_text = part.partition("/")
    if slash and not step_text.isdigit():
        raise FieldError(f"{spec.name}: bad step in {part!r}")
    step = int(step_text) if slash else 1
    if step == 0:
        raise FieldError(f"{spec.name}: step of zero")
    if body == "*":
        first, last = spec.low, spec.high
    elif "-" in body:
        first_text, _, last_text = body.partition("-")
        first, last = spec.number(first_text), spec.number(last_text)
    else:
        first = spec.number(body)
        last = spec.high if slash else first
    if first > last:
        raise FieldError(f"{spec.name}: {part!r} runs backwards")
    yield from range(first, last + 1, step)


def parse_field(spec: FieldSpec, text: str) -> frozenset[int]:
    """All values that a field allows."""
    values: set[int] = set()
    for part in text.split(","):
        values.update(expand_part(spec, part))
    if spec is WEEKDAY:
        values = {value % 7 for value in values}
    return frozenset(values)
