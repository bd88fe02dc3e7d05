"""Build a prompt of this room: the package unchanged, what happened since, the instruction last.

Takes: `Material`, what the stage adds, a client for its counter and its room. Gives: `Built`.
Does not know: what a stage asks for, or how its answer is read.

Order: the package's fragments as they are (so all stages share that prefix), failing tests of
the base, plan, tries, notes, what the stage adds, its instruction. Everything that came from the
repository, a test or a model stands in a frame, as data.

Where the prompt passes its room, whole items are left out and a note says which (rules 1 and 6).
Kept first, each where it still fits: the plan; the newest try; the first failing test; notes, the
newest first; what failed in the newest try; the other failing tests in their order; the try
before that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from clean_room_agent.execute.material import FAILURE_TEXT, Feedback, Material, plain_failure
from clean_room_agent.llm.answers import REPAIR_TOKENS
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.prompts.framing import make_frame
from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.answers import Plan
from clean_room_agent.records.calls import CallStage, Prompt
from clean_room_agent.records.context import Fragment, FragmentKind
from clean_room_agent.redaction import data_for_prompt, for_prompt

LEFT_OUT_TEMPLATE = "left-out/1"
TRIES_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Instruction:
    """A stage's fixed text; `template` names it and its version, and changes with it."""

    template: str
    text: str


@dataclass(frozen=True, slots=True)
class Built:
    """A prompt, and one warning where something was left out of it."""

    prompt: Prompt
    warnings: tuple[str, ...]


class _Keep(IntEnum):
    """What is kept first where not all fits."""

    PLAN = 1
    NEWEST_TRY = 2
    FIRST_FAILING = 3
    NOTE = 4
    NEWEST_DETAIL = 5
    FAILING = 6
    OLDER_TRY = 7


@dataclass(frozen=True, slots=True)
class _Item:
    """Fragments that are shown together or not at all; `needs` is the item they belong to."""

    name: str
    keep: tuple[int, int]
    fragments: tuple[Fragment, ...]
    needs: tuple[int, int] | None = None

    @property
    def tokens(self) -> int:
        return sum(fragment.tokens for fragment in self.fragments)


@dataclass(frozen=True, slots=True)
class Shaper:
    """Makes counted fragments for the prompts of one stage."""

    counter: TokenCounter

    def plain(self, kind: FragmentKind, content: bytes, template: str = "") -> Fragment:
        """A fragment of our own words."""
        return Fragment(kind, content, self.counter.count(content), template=template)

    def framed(
        self, label: str, fields: dict[str, str | int], data: Fragment
    ) -> tuple[Fragment, ...]:
        """Data between the two lines that nothing inside it can imitate."""
        return self.framed_parts(label, fields, [data])

    def framed_parts(
        self, label: str, fields: dict[str, str | int], parts: Sequence[Fragment]
    ) -> tuple[Fragment, ...]:
        """Several pieces of data within one frame; ids of tests are somebody else's words too."""
        clean = {k: for_prompt(v) if isinstance(v, str) else v for k, v in fields.items()}
        frame = make_frame(label, clean, b"".join(part.content for part in parts))
        opening = self.plain(FragmentKind.FRAMING, frame.opening)
        return (opening, *parts, self.plain(FragmentKind.FRAMING, frame.closing))

    def data(
        self, kind: FragmentKind, content: str | bytes, source: str, template: str
    ) -> Fragment:
        """Somebody else's words; half characters are spelled out.

        `source` names the row of the log they follow from, `template` how they were written down.
        """
        raw = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
        return replace(self.plain(kind, data_for_prompt(raw), template), source=source)


def shaper_of(client: ModelClient, stage: CallStage) -> Shaper:
    """Return the maker of fragments that counts as the stage's model does."""
    return Shaper(client.counter(stage))


def build_prompt(
    client: ModelClient,
    stage: CallStage,
    material: Material,
    instruction: Instruction,
    added: Sequence[Fragment] = (),
) -> Built:
    """Build the prompt of one call; `added` is the stage's own data and never left out.

    Too large without any optional item, it is refused by the client before it is sent.
    """
    shaper = shaper_of(client, stage)
    package = _recounted(material, shaper.counter)
    last = shaper.plain(
        FragmentKind.INSTRUCTION, instruction.text.encode("utf-8"), instruction.template
    )
    fixed = sum(fragment.tokens for fragment in (*package, *added, last))
    items = list(_items(material, shaper))
    kept, note = _fit(items, client.prompt_tokens(stage) - fixed - REPAIR_TOKENS, shaper)
    middle = [fragment for item in kept for fragment in item.fragments]
    fragments = (*package, *middle, *((note,) if note else ()), *added, last)
    warnings = (note.content.decode("ascii").strip(),) if note else ()
    return Built(Prompt(fragments, material.package_id), warnings)


def _recounted(material: Material, counter: TokenCounter) -> tuple[Fragment, ...]:
    """The package's fragments; counted again where another model's counter had counted them."""
    if material.package.counter == counter.name:
        return material.package.fragments
    return tuple(
        replace(fragment, tokens=counter.count(fragment.content))
        for fragment in material.package.fragments
    )


def _items(material: Material, shaper: Shaper) -> Iterator[_Item]:
    """Every optional item, in the order in which it is shown."""
    yield from _failing_items(material, shaper)
    if material.plan is not None:
        fragments = _plan_fragments(material.plan, material.plan_source, shaper)
        yield _Item("plan", (_Keep.PLAN, 0), fragments)
    tries = material.feedback[-TRIES_SHOWN:]
    for age, feedback in zip(range(len(tries) - 1, -1, -1), tries, strict=True):
        yield from _try_items(feedback, age, shaper)
    newest_first = len(material.notes)
    for position, (text, source) in enumerate(material.notes):
        note = shaper.data(FragmentKind.NOTE, text, source, "note/1")
        keep = (_Keep.NOTE, newest_first - position)
        yield _Item("note", keep, shaper.framed("note", {}, note))


def _failing_items(material: Material, shaper: Shaper) -> Iterator[_Item]:
    for position, (test_id, text) in enumerate(material.failing):
        keep = (_Keep.FAILING if position else _Keep.FIRST_FAILING, position)
        fragments = _failure("failing-test", test_id, text, material.failing_source, shaper)
        yield _Item("failing test", keep, fragments)


def _failure(
    label: str, test_id: str, text: str, source: str, shaper: Shaper
) -> tuple[Fragment, ...]:
    output = shaper.data(FragmentKind.TEST_OUTPUT, plain_failure(text), source, FAILURE_TEXT)
    return shaper.framed(label, {"id": test_id}, output)


def _plan_fragments(plan: Plan, source: str, shaper: Shaper) -> tuple[Fragment, ...]:
    lines = [f"{plan.summary}\n"]
    for number, step in enumerate(plan.steps, 1):
        target = json.dumps(step.path) + (f" {json.dumps(step.symbol)}" if step.symbol else "")
        lines.append(f"{number}. {step.action} {target}: {step.intent}\n")
    parts = [shaper.data(FragmentKind.PLAN_STEP, line, source, "plan-step/1") for line in lines]
    return shaper.framed_parts("plan", {}, parts)


def _try_items(feedback: Feedback, age: int, shaper: Shaper) -> Iterator[_Item]:
    """One earlier turn: what was tried with what came of it, then each failure."""
    fragments: list[Fragment] = []
    if feedback.diff:
        edit = shaper.data(FragmentKind.EDIT, feedback.diff, feedback.source, "tried-edit/1")
        fragments += shaper.framed("tried-edit", {}, edit)
    said = plain_failure(feedback.observation)
    result = shaper.data(FragmentKind.TEST_OUTPUT, said, feedback.source, FAILURE_TEXT)
    fragments += shaper.framed("result", {"outcome": feedback.outcome}, result)
    head = (_Keep.OLDER_TRY if age else _Keep.NEWEST_TRY, 0)
    yield _Item("try", head, tuple(fragments))
    for position, (test_id, text) in enumerate(feedback.details, 1):
        keep = (_Keep.OLDER_TRY if age else _Keep.NEWEST_DETAIL, position)
        failure = _failure("still-failing", test_id, text, feedback.source, shaper)
        yield _Item("failure of a try", keep, failure, needs=head)


def _fit(items: Sequence[_Item], room: int, shaper: Shaper) -> tuple[list[_Item], Fragment | None]:
    """Keep whole items in their stated order while they fit; the rest is named in a note."""
    if sum(item.tokens for item in items) <= room:
        return list(items), None
    left = room - _left_out_note(items, shaper).tokens
    kept: set[tuple[int, int]] = set()
    for item in sorted(items, key=lambda item: item.keep):
        if item.tokens <= left and (item.needs is None or item.needs in kept):
            left -= item.tokens
            kept.add(item.keep)
    missing = [item for item in items if item.keep not in kept]
    return [item for item in items if item.keep in kept], _left_out_note(missing, shaper)


def _left_out_note(items: Iterable[_Item], shaper: Shaper) -> Fragment:
    counts = Counter(item.name for item in items)
    said = ", ".join(f"{name} x{count}" for name, count in counts.items())
    content = f"Left out whole, for want of room: {said}.\n".encode("ascii")
    return shaper.plain(FragmentKind.NOTE, content, LEFT_OUT_TEMPLATE)
