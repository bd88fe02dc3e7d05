"""Lay out the prompts of judging stages: what they share first, what varies last, in batches.

Takes: a client for counters and room, the task, lines of data. Gives: `Call`s, each within the
room of its model. Does not know: what a line says, or what an answer means.

Every prompt is: opening and task (shared by all stages), the stage's instruction (shared by its
batches), then one frame of lines. A line's bytes do not depend on its place, so each is counted
once. Room is kept for the note of a repair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.errors import BudgetError
from clean_room_agent.llm.answers import REPAIR_TOKENS
from clean_room_agent.llm.client import Call, ModelClient
from clean_room_agent.prompts.framing import make_frame
from clean_room_agent.prompts.judging import JUDGING
from clean_room_agent.prompts.opening import framing, instruct, open_prompt
from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.calls import CallStage, Prompt
from clean_room_agent.records.context import Candidate, Fragment, FragmentKind
from clean_room_agent.records.task import TaskId

LINES_TEMPLATE = "candidate-lines/1"  # the ids before lines, and the request after them
FRAME_BYTES = 1_000_000  # a frame is counted as if it held this much
LINE_ID = b"c999 "  # each line is counted with an id this long
SEAM_TOKENS = 16


@dataclass(frozen=True, slots=True)
class JudgedTask:
    """The task that every prompt opens with, and what its calls are logged under."""

    text: str
    task_id: TaskId | None
    package_id: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of data as a fragment, with its tokens and those of its id."""

    fragment: Fragment
    cost: int


@dataclass(frozen=True, slots=True)
class Desk:
    """The prompts of one stage of one task."""

    client: ModelClient
    task: JudgedTask
    stage: CallStage
    template: str

    @property
    def counter(self) -> TokenCounter:
        return self.client.counter(self.stage)

    def head(self) -> tuple[Fragment, ...]:
        """What every call of the stage begins with."""
        counter = self.counter
        instruction = instruct(self.template, JUDGING[self.template], counter)
        return (*open_prompt(self.task.text, counter), instruction)

    def line(self, candidate: Candidate, content: bytes) -> Line:
        """Return a line about a candidate."""
        counter = self.counter
        fragment = Fragment(
            FragmentKind.CANDIDATE,
            content,
            counter.count(content),
            path=candidate.path,
            symbol=candidate.symbol,
            blob_id=candidate.blob_id,
            span=candidate.span,
        )
        return Line(fragment, fragment.tokens + counter.count(LINE_ID))

    def room(self, head: Sequence[Fragment], tail: bytes) -> int:
        """Tokens left for lines between `head` and a last line like `tail`.

        Raises:
            BudgetError: the task leaves no room in the model's window.
        """
        counter = self.counter
        frame = make_frame("candidates", {}, b"\n" * FRAME_BYTES)
        around = sum(counter.count(part) for part in (frame.opening, frame.closing, tail))
        fixed = sum(fragment.tokens for fragment in head) + around + SEAM_TOKENS + REPAIR_TOKENS
        left = self.client.prompt_tokens(self.stage) - fixed
        if left <= 0:
            raise BudgetError(
                f"the task leaves no room to judge in: {-left:,} tokens too many",
                where=f"stage {self.stage}",
                hint="shorten the task, or serve a larger window and raise models.context_tokens",
            )
        return left

    def call(
        self,
        head: Sequence[Fragment],
        lines: Sequence[tuple[str, Line]],
        tail: bytes,
        schema: Mapping[str, object],
    ) -> Call:
        """Return the call that shows `lines` under their ids."""
        counter = self.counter
        held = b"".join(f"{key} ".encode("ascii") + line.fragment.content for key, line in lines)
        frame = make_frame("candidates", {}, held)
        parts = [*head, framing(frame.opening, counter)]
        for key, line in lines:
            named = framing(f"{key} ".encode("ascii"), counter, template=LINES_TEMPLATE)
            parts += [named, line.fragment]
        parts.append(framing(frame.closing, counter))
        parts.append(framing(tail, counter, template=LINES_TEMPLATE))
        prompt = Prompt(tuple(parts), self.task.package_id)
        return Call(self.stage, prompt, schema, self.task.task_id)

    def plain_call(self, schema: Mapping[str, object]) -> Call:
        """Return the call of a stage that shows nothing but the task."""
        return Call(
            self.stage, Prompt(self.head(), self.task.package_id), schema, self.task.task_id
        )


def pack(lines: Sequence[Line], room: int, most: int) -> tuple[list[list[int]], list[int]]:
    """Put lines into batches in their order, each within `room` tokens and `most` lines.

    Gives batches of places, and the places of lines that fit in no batch.
    """
    batches: list[list[int]] = []
    too_large: list[int] = []
    left = 0
    for place, line in enumerate(lines):
        if line.cost > room:
            too_large.append(place)
            continue
        if not batches or line.cost > left or len(batches[-1]) >= most:
            batches.append([])
            left = room
        batches[-1].append(place)
        left -= line.cost
    return batches, too_large
