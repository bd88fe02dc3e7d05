"""Writing a pick down, reading it back, and comparing two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verpick.version import Version, parse_version


@dataclass(frozen=True)
class Change:
    """What happened to one package between two picks."""

    name: str
    before: Version | None
    after: Version | None

    @property
    def kind(self) -> str:
        """One of added, removed, upgraded, downgraded."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "upgraded" if self.after > self.before else "downgraded"

    @property
    def is_breaking(self) -> bool:
        """Whether callers may have to change."""
        if self.before is None or self.after is None:
            return self.after is None
        if self.before.major != self.after.major:
            return True
        return self.before.major == 0 and self.before.minor != self.after.minor


def write_lock(picked: Mapping[str, Version]) -> str:
    """One ``name==version`` line for each package, in name order."""
    return "".join(f"{name}=={picked[name]}\n" for name in sorted(picked))


def read_lock(text: str) -> dict[str, Version]:
    """Read what was written; comments and blank lines are skipped."""
    picked: dict[str, Version] = {}
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        if content:
            name, _, version = content.partition("==")
            picked[name.strip()] = parse_version(version)
    return picked


def compare(before: Mapping[str, Version], after: Mapping[str, Version]) -> list[Change]:
    """The differences between two picks, in name order."""
    names = sorted(before.keys() | after.keys())
    changes = [Change(name, before.get(name), after.get(name)) for name in names]
    return [change for change in changes if change.before != change.after]
