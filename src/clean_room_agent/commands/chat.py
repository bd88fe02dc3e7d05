"""`cra chat`: questions one after the other; each is curated and answered by itself.

Takes: lines of a terminal or of piped stdin. Gives: printed answers, with `--json` one document a
line. Does not know: how an answer is made.

There is no transcript: an answer never enters a later prompt. Of earlier turns only the person's
own last questions do, and only behind a question that names nothing by itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace

from clean_room_agent.commands.ask import answer_document, outcome, print_answer
from clean_room_agent.commands.context import decision_document
from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, OpenRun, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.reasons import reasons
from clean_room_agent.commands.task_room import open_room
from clean_room_agent.errors import (
    EXIT_INTERRUPTED,
    BudgetError,
    CraError,
    ModelCallError,
    UsageError,
)
from clean_room_agent.llm.client import Usage
from clean_room_agent.pipeline.ask import Answered, Question, answer_question, follow_up
from clean_room_agent.pipeline.stages import asked_stages
from clean_room_agent.records.context import Verdict
from clean_room_agent.records.spelling import one_line
from clean_room_agent.records.task import Mode

PROMPT = "? "
DECISIONS_SHOWN = 20
HELP = """\
A question on one line; end a line with \\ to go on on the next.
/why     what was shown for the last question, and what not, with reasons
/tokens  what the model calls of this chat cost
/help    this text
/quit    leave; so does the end of the input, and Ctrl-C twice
Ctrl-C ends an answer, not the chat."""


@dataclass(slots=True)
class _Chat:
    """What a chat knows between two turns."""

    invocation: Invocation
    run: OpenRun
    earlier: list[str] = field(default_factory=list)
    last: Answered | None = None
    failed: CraError | None = None
    usage: Usage = field(default_factory=Usage)
    turns: int = 0

    @property
    def output(self) -> Output:
        return self.invocation.output


def chat(invocation: Invocation) -> int:
    """Answer until the input ends; return the exit code.

    On a terminal a fault of the model is told and the chat goes on. Piped, the exit code is that
    of the last question, so that a script notices.
    """
    invocation.require_room()
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        _edit_lines()
        invocation.output.note("ask a question; /help lists what else there is")
    with recorded_run(invocation, "chat", []) as run:
        state = _Chat(invocation, run)
        code = _loop(state, is_terminal=is_terminal)
        if not is_terminal and state.failed is not None and not code:
            code = state.failed.exit_code
        run.exit_code = code
        run.status = "interrupted" if code == EXIT_INTERRUPTED else "completed"
        run.summary = {"turns": state.turns, "tokens": state.usage.tokens}
    return code


def _loop(state: _Chat, *, is_terminal: bool) -> int:
    """Read and answer; 0 at the end of the input, 130 after the second Ctrl-C in a row."""
    interrupted = False
    while True:
        try:
            text = _read(is_terminal=is_terminal)
            if text is None or text.strip() == "/quit":
                return 0
            interrupted = False
            if text.strip():
                _take(state, text.strip())
        except KeyboardInterrupt:
            state.output.end_progress()
            if interrupted:
                return EXIT_INTERRUPTED
            interrupted = True
            state.output.note("interrupted; Ctrl-C once more leaves the chat")


def _read(*, is_terminal: bool) -> str | None:
    """Return the next question, its continued lines joined; None at the end of the input."""
    lines: list[str] = []
    while True:
        line = _line(PROMPT if not lines else "  ") if is_terminal else sys.stdin.readline()
        if not line:
            return "\n".join(lines) if lines else None
        line = line.rstrip("\r\n")
        lines.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            return "\n".join(lines)


def _line(prompt: str) -> str:
    """Return a line of a terminal with its end, "" at the end of the input."""
    if not sys.stdout.isatty():
        # The prompt belongs to the person, not to a file that takes the answers.
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return sys.stdin.readline()
    try:
        return input(prompt) + "\n"
    except EOFError:
        sys.stdout.write("\n")
        return ""


def _edit_lines() -> None:
    """Let a terminal's user edit lines and go back to earlier ones, where Python can."""
    import importlib.util

    if importlib.util.find_spec("readline") is not None:
        import readline  # noqa: F401 - importing it is what makes `input` editable


def _take(state: _Chat, text: str) -> None:
    if not text.startswith("/"):
        _turn(state, text)
    elif text == "/help":
        state.output.line(HELP)
    elif text == "/tokens":
        _print_tokens(state)
    elif text == "/why":
        _print_why(state)
    else:
        state.output.note(f"no such command: {text.split()[0]}; /help lists them")


def _turn(state: _Chat, text: str) -> None:
    """Answer one question; a fault is told, and the chat goes on."""
    # Opened anew: files, commits and calls of this turn know nothing of the turns before.
    turn = replace(state.invocation)
    state.failed = None
    try:
        stages = asked_stages(Mode.ASK, turn.settings.config)
        with open_room(turn, state.run, stages) as room:
            refresh_index(turn)
            try:
                asked = follow_up(text, state.earlier, room.repository)
                answered = answer_question(room, Question(asked, room.repository.head))
            finally:
                if room.models is not None:
                    _add(state.usage, room.models.usage)
    except (ModelCallError, BudgetError, UsageError) as error:
        state.failed, state.last = error, None
        _tell(state, error)
    else:
        state.last = answered
        state.output.end_progress()
        print_answer(state.output, answered)
        _, code = outcome(answered)
        state.output.document({**answer_document(answered), "exit_code": code})
    finally:
        state.turns += 1
        state.earlier.append(text)


def _tell(state: _Chat, error: CraError) -> None:
    parts = {"message": error.message, "where": error.where, "hint": error.hint}
    told = [f"{name}: {text}" for name, text in parts.items() if text and name != "message"]
    state.output.line("\n  ".join([f"not answered: {error.message}", *told]))
    state.output.document({"error": {"code": error.code, **parts}})


def _add(total: Usage, more: Usage) -> None:
    total.calls += more.calls
    total.prompt_tokens += more.prompt_tokens
    total.output_tokens += more.output_tokens
    total.seconds += more.seconds
    for stage, calls in more.by_stage.items():
        total.by_stage[stage] = total.by_stage.get(stage, 0) + calls


def _print_tokens(state: _Chat) -> None:
    usage = state.usage
    stages = ", ".join(f"{stage} {calls}" for stage, calls in sorted(usage.by_stage.items()))
    state.output.line(
        f"{usage.calls} calls, {usage.prompt_tokens:,} prompt tokens, "
        f"{usage.output_tokens:,} output tokens, {usage.seconds:.1f} s"
        + (f" ({stages})" if stages else "")
    )
    state.output.document(
        {
            "usage": {
                "calls": usage.calls,
                "prompt_tokens": usage.prompt_tokens,
                "output_tokens": usage.output_tokens,
                "seconds": round(usage.seconds, 3),
                "by_stage": dict(usage.by_stage),
            }
        }
    )


def _print_why(state: _Chat) -> None:
    if state.last is None:
        state.output.note("there is no answered question yet")
        return
    decisions = state.last.built.package.decisions
    ordered = sorted(decisions, key=lambda d: (d.verdict is Verdict.EXCLUDED, -d.candidate.score))
    for decision in ordered[:DECISIONS_SHOWN]:
        subject = decision.candidate
        name = f"::{subject.symbol}" if subject.symbol else ""
        state.output.line(f"{decision.stage} {decision.verdict} {one_line(subject.path)}{name}")
        state.output.line(f"        {decision.reason}; {reasons(decision)}")
    left = len(ordered) - DECISIONS_SHOWN
    if left > 0:
        task_id = state.last.task.task_id
        state.output.line(f"and {left} more by score: cra trace {task_id} --json")
    state.output.document(
        {
            "task_id": state.last.task.task_id,
            "decisions": [decision_document(decision) for decision in ordered],
        }
    )
