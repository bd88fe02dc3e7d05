"""Build the prompt from decisions: typed fragments under the token budget, framing counted.

Takes: the task text, decided items with their units, a counter, a budget. Gives: fragments, and
decisions with those flipped that did not fit. Does not know: why an item was chosen.

Order: instruction, task, the project's instruction files, then files by their best item, items in
file order. An item is whole or absent (rule 1); every frame is counted (rule 5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clean_room_agent.errors import BudgetError
from clean_room_agent.prompts.framing import Frame, file_header, make_frame
from clean_room_agent.prompts.opening import framing, open_prompt
from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.context import (
    ContextPackage,
    Decision,
    Detail,
    Fragment,
    FragmentKind,
    Verdict,
)
from clean_room_agent.retrieval.precision.units import Unit


@dataclass(frozen=True, slots=True)
class Chosen:
    """An included decision, its place in the package's flat list, and the unit behind it."""

    decision: Decision
    index: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Assembled:
    """Fragments in order, and the places of the decisions that did not fit, with the reason."""

    fragments: tuple[Fragment, ...]
    dropped: dict[int, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a package opens with, the tokens of the whole room, and how they are counted."""

    fixed: tuple[Fragment, ...]
    budget_tokens: int
    counter: TokenCounter

    @property
    def left(self) -> int:
        return self.budget_tokens - sum(fragment.tokens for fragment in self.fixed)

    def add(self, fragments: Sequence[Fragment]) -> Layout:
        """The layout with more fragments before the code."""
        return replace(self, fixed=(*self.fixed, *fragments))

    def narrow(self, tokens: int) -> Layout:
        """The layout with at most `tokens` left for items and the headers of their files."""
        return replace(self, budget_tokens=self.budget_tokens - max(0, self.left - tokens))


def code_frame(unit: Unit) -> Frame:
    """The frame of one item; its cost is part of the item's cost."""
    fields: dict[str, str | int] = {}
    if unit.detail is not Detail.FULL:
        fields["at"] = unit.span.start_line
    if "." in unit.name:  # a plain name is read in the definition itself
        fields["in"] = unit.name.rpartition(".")[0]
    if unit.detail is Detail.SIGNATURE:
        fields["part"] = "outline"
    return make_frame("code", fields, unit.content)


def unit_cost(unit: Unit, counter: TokenCounter) -> int:
    """Tokens of an item with its frame."""
    frame = code_frame(unit)
    parts = (frame.opening, unit.content, frame.closing)
    return sum(counter.count(part) for part in parts)


def open_layout(task_text: str, budget_tokens: int, counter: TokenCounter) -> Layout:
    """Begin a package with instruction and task.

    Raises: `BudgetError` where they alone pass the budget.
    """
    layout = Layout(tuple(open_prompt(task_text, counter)), budget_tokens, counter)
    if budget_tokens <= 0:
        raise BudgetError(
            "the window leaves no room for a prompt",
            where="context assembly",
            hint="raise models.context_tokens or budget.context_tokens",
        )
    if layout.left < 0:
        raise BudgetError(
            f"the task alone takes {budget_tokens - layout.left:,} of {budget_tokens:,} tokens",
            where="context assembly",
            hint="shorten the task or raise the budget",
        )
    return layout


def items_cost(chosen: Sequence[Chosen], counter: TokenCounter) -> int:
    """Tokens of items with their frames and the header of each file."""
    paths = {item.unit.file.path for item in chosen}
    items = sum(unit_cost(item.unit, counter) for item in chosen)
    return items + sum(counter.count(file_header(path)) for path in paths)


def assemble(
    layout: Layout, chosen: Sequence[Chosen], importance: Sequence[int] | None = None
) -> Assembled:
    """Build the fragments; where they pass the budget, leave out whole items.

    `importance` holds places in `chosen`, the most important first; without it the lowest score
    leaves first.
    """
    kept, dropped = _fit(layout, chosen, importance)
    parts = (part for group in _groups(kept, layout.counter) for part in group)
    return Assembled((*layout.fixed, *parts), dropped)


def _fit(
    layout: Layout, chosen: Sequence[Chosen], importance: Sequence[int] | None
) -> tuple[list[Chosen], dict[int, str]]:
    """Leave out whole items, the least important first, until the rest fits with its framing."""
    counter = layout.counter
    costs = {item.index: unit_cost(item.unit, counter) for item in chosen}
    sharing = Counter(item.unit.file.path for item in chosen)
    total = items_cost(chosen, counter)
    dropped: dict[int, str] = {}
    why = "its score is the lowest" if importance is None else "the model ranks it last"
    for item in _leaving(chosen, importance):
        if total <= layout.left:
            break
        dropped[item.index] = (
            f"rank {item.decision.rank}: dropped whole at assembly: {total:,} tokens with framing"
            f" pass the {layout.left:,} left, and {why}"
        )
        path = item.unit.file.path
        sharing[path] -= 1
        total -= costs[item.index]
        total -= 0 if sharing[path] else counter.count(file_header(path))
    return [item for item in chosen if item.index not in dropped], dropped


def _leaving(chosen: Sequence[Chosen], importance: Sequence[int] | None) -> list[Chosen]:
    """The items in the order in which they leave."""
    if importance is not None:
        return [chosen[place] for place in reversed(importance)]
    return sorted(chosen, key=lambda c: (c.decision.candidate.score, -c.decision.rank))


def _groups(chosen: Sequence[Chosen], counter: TokenCounter) -> list[list[Fragment]]:
    """One list of fragments per file, the file with the best item first."""
    by_path: dict[str, list[Chosen]] = {}
    for item in sorted(chosen, key=lambda c: c.decision.rank):
        by_path.setdefault(item.unit.file.path, []).append(item)
    groups = []
    for path, items in by_path.items():
        group = [framing(file_header(path), counter, path)]
        for item in sorted(items, key=lambda c: c.unit.span.start_byte):
            group += _code_fragments(item, counter)
        groups.append(group)
    return groups


def _code_fragments(item: Chosen, counter: TokenCounter) -> list[Fragment]:
    unit = item.unit
    frame = code_frame(unit)
    code = Fragment(
        kind=FragmentKind.CODE,
        content=unit.content,
        tokens=counter.count(unit.content),
        path=unit.file.path,
        symbol=unit.name,
        blob_id=unit.file.blob_id,
        span=unit.span,
        detail=unit.detail,
        decision=item.index,
    )
    path = unit.file.path
    opening, closing = (
        framing(frame.opening, counter, path),
        framing(frame.closing, counter, path),
    )
    return [opening, code, closing]


def flip(decision: Decision, reason: str) -> Decision:
    """The decision as an exclusion."""
    return replace(decision, verdict=Verdict.EXCLUDED, reason=reason, detail=None)


def render(package: ContextPackage) -> bytes:
    """The bytes of a package: its fragments' contents, one after the other, nothing between."""
    return b"".join(fragment.content for fragment in package.fragments)


def check_budget(package: ContextPackage) -> None:
    """Refuse a package over its budget before it is sent (rule 3).

    Raises: `BudgetError`.
    """
    if package.tokens > package.budget_tokens:
        raise BudgetError(
            f"{package.tokens:,} tokens do not fit in {package.budget_tokens:,}",
            where="context package",
            hint="raise the budget",
        )
