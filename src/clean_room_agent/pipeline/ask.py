"""Answer a question: curate the room, ask one model once, check each citation, log the answer.

Takes: a `TaskRoom`, a question, the tree it is about. Gives: `Answered`, whose claims all have a
citation that was read again. Does not know: how an answer is printed.

Without a model it makes no claim: it gives the best curated places. An `Answer` row is appended
whatever happens; a claim that cites nothing valid is in it with the reason, and is no fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from clean_room_agent.errors import CraError
from clean_room_agent.execute.answer import (
    LINES_TEMPLATE,
    SaidAnswer,
    SaidClaim,
    answer_prompt,
    answer_schema,
    shown_files,
)
from clean_room_agent.llm.answers import REPAIR_TOKENS, Typed, ask_typed
from clean_room_agent.llm.client import Call, ModelClient
from clean_room_agent.pipeline.citations import CheckedCitation, CitationChecker
from clean_room_agent.pipeline.nothing_shown import why_nothing
from clean_room_agent.pipeline.package import BuiltPackage, build_package
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.records.answers import Answer, Citation, Claim
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.code import CommitId
from clean_room_agent.records.context import ContextPackage, Decision, FragmentKind
from clean_room_agent.records.log import EventLevel
from clean_room_agent.records.task import Mode, Task, TaskId
from clean_room_agent.redaction import for_prompt
from clean_room_agent.repo.git import Repository
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.resolve import resolve_mentions
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.raw import new_id

EARLIER_QUESTIONS = 3
MOST_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """A statement of the model and the lines behind it, each read again."""

    text: str
    citations: tuple[CheckedCitation, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A curated place of the package: where it is, and the decision that let it in."""

    cited: CheckedCitation
    symbol: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a question. `fault` says why there is no usable answer; "" = there is one.

    `detail` is what was wrong with the last answer in full.
    """

    task: Task
    built: BuiltPackage
    answer: Answer
    claims: tuple[CheckedClaim, ...]
    refused: tuple[Claim, ...]
    places: tuple[Place, ...]
    has_model: bool
    fault: str
    detail: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of which tree. `pinned`: the commit alone counts, not the working tree."""

    text: str
    commit: CommitId | None
    pinned: bool = False


def answer_question(room: TaskRoom, question: Question) -> Answered:
    """Run the ask pipeline for one question.

    `room.repository` is the tree that is read; for a pinned question it is that commit's.
    Raises: CraError where curation or the call fails; an answer without claims is logged first.
    """
    text = for_prompt(question.text)
    task = Task(TaskId(new_id("t")), room.run_id, Mode.ASK, text, question.commit or "")
    room.raw.append_task(task)
    built = build_package(room, task)
    shown = shown_files(built.package)
    checker = CitationChecker(
        room.repository,
        question.commit,
        shown,
        worktree=None if question.pinned else room.repository,
        limit_bytes=room.config.index.max_file_bytes,
    )
    asked = _Asked(room, task, built, checker)
    detail = ""
    if room.models is None or not shown:
        answer = asked.log(None, ())
        fault = "" if shown else why_nothing(built.package, task.task_id)
        claims: tuple[CheckedClaim, ...] = ()
    else:
        answer, claims, fault, detail = asked.ask(room.models)
    return Answered(
        task=task,
        built=built,
        answer=answer,
        claims=claims,
        refused=tuple(claim for claim in answer.claims if claim.refused),
        places=_best_places(built.package, checker),
        has_model=room.models is not None,
        fault=fault,
        detail=detail,
    )


def follow_up(question: str, earlier: Sequence[str], repository: Repository) -> str:
    """Return a chat's question as the task text of its turn.

    A question that names something of the index stands alone. One that does not ("and who calls
    it?") is followed by the person's own last questions, newest first, each line after a `> `.
    """
    with closing(CuratedReader(repository.root)) as reader:
        if resolve_mentions(parse_task(question), reader).analysis.targets:
            return question
    lines = [
        f"> {line}" for text in reversed(earlier[-EARLIER_QUESTIONS:]) for line in text.splitlines()
    ]
    return "\n".join([question, "", *lines]) if lines else question


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question with its package: asks, checks and logs."""

    room: TaskRoom
    task: Task
    built: BuiltPackage
    checker: CitationChecker

    def ask(self, models: ModelClient) -> tuple[Answer, tuple[CheckedClaim, ...], str, str]:
        """Return the logged answer, the claims that hold, why there is none, and that in full."""
        self.room.progress("asking", 0, 0, "")
        examined = _Examined(self.checker)
        try:
            typed = ask_typed(models, self._call(models), SaidAnswer, examined)
        except CraError:
            self.log(None, ())
            raise
        answer = self.log(typed, examined.claims)
        for warning in typed.warnings:
            data = {"answer_id": answer.answer_id, "warning": warning}
            self.room.event("ask.unusable", data, self.task.task_id, EventLevel.WARNING)
        fault, detail = ("", "") if examined.claims else (typed.told, typed.problem)
        return answer, tuple(examined.held), fault, detail

    def log(self, typed: Typed[SaidAnswer] | None, claims: Sequence[Claim]) -> Answer:
        """Append the answer, refused claims and all."""
        answer = Answer(
            answer_id=new_id("a"),
            task_id=self.task.task_id,
            package_id=self.built.package_id,
            request_id=typed.request_id if typed else "",
            commit_id=self.task.base_commit,
            claims=tuple(claims),
        )
        self.room.raw.append_answer(answer)
        return answer

    def _call(self, models: ModelClient) -> Call:
        stage = CallStage.ASK
        prompt = answer_prompt(
            self.built.package,
            self.built.package_id,
            models.counter(stage),
            budget_tokens=models.prompt_tokens(stage) - REPAIR_TOKENS,
        )
        if not any(fragment.template == LINES_TEMPLATE for fragment in prompt.fragments):
            self.room.event("ask.no_list_of_lines", {}, self.task.task_id, EventLevel.WARNING)
        schema = answer_schema(shown_files(self.built.package))
        return Call(stage, prompt, schema, self.task.task_id)


class _Examined:
    """The checks of one answer, as `ask_typed` calls them; keeps what the last one found."""

    def __init__(self, checker: CitationChecker) -> None:
        self._checker = checker
        self.held: list[CheckedClaim] = []
        self.refused: list[Claim] = []

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is logged: the claims that hold, with what holds of them, then what was refused."""
        held = (Claim(c.text, tuple(one.citation for one in c.citations)) for c in self.held)
        return (*held, *self.refused)

    def __call__(self, answer: SaidAnswer) -> str | None:
        """Return what to tell the model where not one claim holds; no claims at all are honest."""
        self.held, self.refused = [], []
        for said in answer.claims:
            self._examine(said)
        if self.refused and not self.held:
            return f"no claim has a citation that holds: {self.refused[0].refused}"
        return None

    def _examine(self, said: SaidClaim) -> None:
        """Sort a claim's citations; those that do not hold are a refused claim of their own."""
        held: list[CheckedCitation] = []
        wrong: list[Citation] = []
        reasons: list[str] = []
        for one in said.citations:
            citation = Citation(one.path, one.start_line, one.end_line)
            checked = self._checker.check(citation)
            if isinstance(checked, CheckedCitation):
                held.append(checked)
                continue
            wrong.append(citation)
            where = f"{one.path}:{one.start_line}-{one.end_line}"
            reasons.append(f"{where}: {checked}"[:MOST_REASON_CHARACTERS])
        if not said.text.strip():
            reasons, held = ["it says nothing"], []
        elif not said.citations:
            reasons = ["it cites nothing"]
        if reasons:
            self.refused.append(Claim(said.text, tuple(wrong), "; ".join(reasons)))
        if held:
            self.held.append(CheckedClaim(said.text, tuple(held)))


def _best_places(package: ContextPackage, checker: CitationChecker) -> tuple[Place, ...]:
    """Return what the package shows, best score first, each read again like a citation."""
    places = []
    decisions = package.decisions
    for fragment in package.fragments:
        is_code = fragment.kind is FragmentKind.CODE and fragment.span is not None
        if not is_code or fragment.decision is None or fragment.span is None:
            continue
        citation = Citation(fragment.path, fragment.span.start_line, fragment.span.end_line)
        checked = checker.check(citation)
        if isinstance(checked, CheckedCitation):
            places.append(Place(checked, fragment.symbol, decisions[fragment.decision]))
    return tuple(sorted(places, key=lambda p: (-p.decision.candidate.score, p.decision.rank)))
