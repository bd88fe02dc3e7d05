"""Small calls of models for the tests of the log: a judge, a plan, an edit, an answer."""

from __future__ import annotations

from clean_room_agent.prompts.framing import make_frame
from clean_room_agent.records.answers import (
    Answer,
    Citation,
    Claim,
    Description,
    Enrichment,
    Plan,
    PlanStep,
    Promotion,
    Selection,
    StepAction,
    Turn,
    TurnOutcome,
)
from clean_room_agent.records.calls import (
    CallStage,
    EditFormat,
    ModelChoice,
    ModelReply,
    ModelRequest,
    Prompt,
    ReplyStatus,
    Role,
    Sampling,
)
from clean_room_agent.records.context import Detail, Fragment, FragmentKind
from clean_room_agent.store.raw import RawLog
from tests.store import samples
from tests.store.samples import BLOB, RUN, SOURCE, SPAN, TASK

JUDGE, PLAN, EDIT, LAST = "q-judge", "q-plan", "q-edit", "q-last"


def a_choice(stage: CallStage, seed: int = 1) -> ModelChoice:
    role = Role.CODING if stage is CallStage.IMPLEMENT else Role.REASONING
    return ModelChoice(
        stage=stage,
        role=role,
        backend="ollama",
        base_url="http://127.0.0.1:11434",
        model=f"{role}:1b",
        adapter="",
        tokenizer="",
        context_tokens=8192,
        sampling=Sampling(0.0, 0.95, seed, 512),
        edit_format=EditFormat.BLOCKS,
    )


def framed(kind: FragmentKind, content: bytes, **fields: object) -> list[Fragment]:
    """Return a fragment between the two halves of its frame."""
    frame = make_frame("code", {}, content)
    return [
        Fragment(FragmentKind.FRAMING, frame.opening, 5),
        Fragment(kind, content, 12, **fields),  # type: ignore[arg-type]
        Fragment(FragmentKind.FRAMING, frame.closing, 2),
    ]


def instruction() -> Fragment:
    return Fragment(FragmentKind.INSTRUCTION, b"Judge these.\n", 4, template="scope/1")


def the_task() -> Fragment:
    return Fragment(FragmentKind.TASK, b"add subtracts", 3)


def candidates() -> list[Fragment]:
    """The two candidates of the sample package."""
    return [
        fragment
        for path in ("calc.py", "other.py")
        for fragment in framed(
            FragmentKind.CANDIDATE,
            f"{path} add\n".encode(),
            path=path,
            symbol="add",
            blob_id=BLOB,
            span=SPAN,
        )
    ]


def code() -> list[Fragment]:
    """The code that the sample package shows."""
    return framed(
        FragmentKind.CODE,
        SOURCE[SPAN.start_byte : SPAN.end_byte],
        path="calc.py",
        symbol="add",
        blob_id=BLOB,
        span=SPAN,
        detail=Detail.SYMBOL,
        decision=0,
    )


def a_request(
    request_id: str, stage: CallStage, fragments: list[Fragment], package_id: str, *, seed: int = 1
) -> ModelRequest:
    return ModelRequest(
        request_id=request_id,
        run_id=RUN,
        task_id=TASK,
        choice=a_choice(stage, seed),
        prompt=Prompt(tuple(fragments), package_id),
        schema={"type": "object"},
        tokens=sum(fragment.tokens for fragment in fragments),
        counter="calibrated:1.000",
    )


def a_reply(
    request_id: str,
    number: int = 1,
    status: ReplyStatus = ReplyStatus.OK,
    *,
    text: str = '{"ok": true}',
    model: str = "reasoning:1b",
    digest: str = "sha256:one",
) -> ModelReply:
    is_ok = status is ReplyStatus.OK
    return ModelReply(
        request_id=request_id,
        try_number=number,
        status=status,
        text=text if is_ok else "",
        finish_reason="stop" if is_ok else "",
        model=model if is_ok else "",
        digest=digest if is_ok else "",
        prompt_tokens=40 if is_ok else None,
        output_tokens=7 if is_ok else None,
        seconds_to_first_token=0.25 if is_ok else None,
        seconds=0.5,
        error="" if is_ok else "the server closed the connection",
    )


def append_calls(raw: RawLog, package_id: str, test_run_id: str) -> None:
    """Log the calls of the sample task, which is logged already, and what was made of them."""
    raw.append_requests(
        [
            a_request(
                JUDGE,
                CallStage.SCOPE,
                [instruction(), the_task(), *candidates()],
                package_id,
            ),
            a_request(PLAN, CallStage.PLAN, [instruction(), the_task(), *code()], package_id),
        ]
    )
    raw.append_reply(a_reply(JUDGE, 1, ReplyStatus.CLOSED))
    raw.append_reply(a_reply(JUDGE, 2))
    raw.append_reply(a_reply(PLAN))
    step = PlanStep(StepAction.MODIFY, "calc.py", "add", "add instead of subtracting")
    plan_id = raw.append_plan(TASK, PLAN, Plan("make it add", (step,)))
    told = [
        Fragment(FragmentKind.PLAN_STEP, b"make it add\n", 3, source=f"plan:{plan_id}"),
        Fragment(FragmentKind.TEST_OUTPUT, b"assert 0\n", 3, source=f"test_run:{test_run_id}"),
        Fragment(FragmentKind.NOTE, b"be short\n", 3, template="n/1", source=f"request:{JUDGE}"),
    ]
    raw.append_requests([a_request(EDIT, CallStage.IMPLEMENT, [*code(), *told], package_id)])
    raw.append_reply(a_reply(EDIT, model="coding:1b", digest="sha256:two"))
    raw.append_turn(
        Turn(
            turn_id="u-1",
            attempt_id="a-1",
            position=0,
            request_id=EDIT,
            action="edit calc.py",
            outcome=TurnOutcome.SOLVED,
            observation="all pass",
            replacements=(samples.a_replacement(),),
            test_run_id=test_run_id,
        )
    )
    scores = ({"patch_id": "p-1", "passed": 4},)
    raw.append_selection(Selection("c-1", TASK, "tests/1", "p-1", "passes most", scores, EDIT))
    _append_words(raw, package_id)


def _append_words(raw: RawLog, package_id: str) -> None:
    claims = (
        Claim("add subtracts", (Citation("calc.py", 3, 4, BLOB),)),
        Claim("it is fast", (), refused="no citation"),
    )
    raw.append_answer(Answer("w-1", TASK, package_id, PLAN, "c0ffee", claims))
    description = Description("adds", ("sum",), ())
    enrichment = Enrichment("e-1", RUN, PLAN, "calc.py", BLOB, "reasoning:1b", description)
    raw.append_enrichment(enrichment)
    raw.append_promotion(Promotion("m-1", "e-1", RUN, "all"))


def append_everything(raw: RawLog) -> str:
    """Log one whole task with its calls; return the package's id."""
    package_id = samples.append_everything(raw)
    test_run_id = raw.append_test_run(TASK, "baseline", "bubblewrap", samples.a_test_run())
    append_calls(raw, package_id, test_run_id)
    return package_id
