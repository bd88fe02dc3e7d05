"""Calls of models as `cra trace` tells them: who was asked what, each byte's origin, what came.

Takes: the log and a request's id. Gives: `TracedCall`, printed or as JSON content.
Does not know: tasks, or how a call was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.commands.output import Output
from clean_room_agent.records.calls import LoggedReply, LoggedRequest, ReplyStatus
from clean_room_agent.records.context import Decision, FragmentKind
from clean_room_agent.records.log import LoggedFragment, LoggedRun
from clean_room_agent.records.spelling import one_line
from clean_room_agent.store.audit_source import FROM_A_BLOB
from clean_room_agent.store.raw_reader import RawReader

JUDGED_SHOWN = 12
DIGEST_SHOWN = len("sha256:") + 12
# The frames of `prompts.framing`: they follow from the content that they enclose.
FRAMING = "framing/1"


@dataclass(frozen=True, slots=True)
class Piece:
    """A fragment with its half-open byte range in the prompt, and where its bytes come from."""

    fragment: LoggedFragment
    start: int
    end: int
    source: str
    origin: str


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A call whole. `judged` are the decisions on the candidates it was asked about."""

    request: LoggedRequest
    pieces: tuple[Piece, ...]
    replies: tuple[LoggedReply, ...]
    judged: tuple[Decision, ...]

    @property
    def answer(self) -> LoggedReply | None:
        """The last try: the answer, or the fault that ended the call."""
        return self.replies[-1] if self.replies else None


def read_calls(reader: RawReader, requests: Sequence[LoggedRequest]) -> tuple[TracedCall, ...]:
    """Read calls whole; the decisions of each package once."""
    packages: dict[str, dict[int, Decision]] = {}
    calls = []
    for request in requests:
        package_id = request.package_id
        if package_id not in packages:
            packages[package_id] = _decisions(reader, request)
        decisions = packages[package_id]
        fragments = reader.read_prompt_fragments(request.request_id)
        calls.append(
            TracedCall(
                request,
                _pieces(reader, request, fragments, decisions),
                reader.read_replies(request.request_id),
                _judged([f for f, _ in fragments], decisions),
            )
        )
    return tuple(calls)


def _decisions(reader: RawReader, request: LoggedRequest) -> dict[int, Decision]:
    if request.task_id is None or not request.package_id:
        return {}
    found = reader.read_decisions(request.task_id, package_id=request.package_id)
    return {logged.position: logged.decision for logged in found}


def _pieces(
    reader: RawReader,
    request: LoggedRequest,
    fragments: Sequence[tuple[LoggedFragment, str]],
    decisions: Mapping[int, Decision],
) -> tuple[Piece, ...]:
    pieces, start = [], 0
    for fragment, source in fragments:
        end = start + len(reader.read_blob(fragment.content_sha256))
        origin = _origin(request, fragment, source, decisions)
        pieces.append(Piece(fragment, start, end, source, origin))
        start = end
    return tuple(pieces)


def _origin(
    request: LoggedRequest,
    fragment: LoggedFragment,
    source: str,
    decisions: Mapping[int, Decision],
) -> str:
    """Name the row that these bytes follow from; "" where there is none (`cra verify` says so)."""
    kind = fragment.kind
    if kind in FROM_A_BLOB:
        known = fragment.decision is not None and fragment.decision in decisions
        return f"decision:{request.package_id}/{fragment.decision}" if known else ""
    if kind is FragmentKind.CANDIDATE:
        found = [number for number, d in decisions.items() if _is_about(d, fragment)]
        return f"decision:{request.package_id}/{found[0]}" if found else ""
    if source:
        return source
    if kind is FragmentKind.TASK:
        return f"task:{request.task_id}"
    if fragment.template:
        return f"template:{fragment.template}"
    return f"template:{FRAMING}" if kind is FragmentKind.FRAMING else ""


def _is_about(decision: Decision, fragment: LoggedFragment) -> bool:
    candidate, span = decision.candidate, decision.candidate.span
    place = (span.start_byte, span.end_byte) if span else (None, None)
    asked = (fragment.path, fragment.symbol, fragment.blob_id)
    told = (candidate.path, candidate.symbol, candidate.blob_id)
    return asked == told and place == (fragment.start_byte, fragment.end_byte)


def _judged(
    fragments: Sequence[LoggedFragment], decisions: Mapping[int, Decision]
) -> tuple[Decision, ...]:
    asked = [f for f in fragments if f.kind is FragmentKind.CANDIDATE]
    return tuple(d for d in decisions.values() if any(_is_about(d, f) for f in asked))


def mixed_digests(calls: Sequence[TracedCall]) -> dict[str, list[str]]:
    """Return each model that answered under more than one digest, with them in order."""
    seen: dict[str, list[str]] = {}
    for call in calls:
        for logged in call.replies:
            known = seen.setdefault(_asked_model(call.request), [])
            if logged.reply.digest and logged.reply.digest not in known:
                known.append(logged.reply.digest)
    return {model: digests for model, digests in seen.items() if len(digests) > 1}


def _asked_model(request: LoggedRequest) -> str:
    adapter = request.choice["adapter"]
    return f"{request.choice['model']}" + (f" + {adapter}" if adapter else "")


def print_calls(output: Output, calls: Sequence[TracedCall]) -> None:
    """Print one line a call, with its failed tries and what its batch decided."""
    if not calls:
        return
    output.heading(f"calls of models: {len(calls)}")
    for call in calls:
        _print_line(output, call)
    print_mixed(output, mixed_digests(calls))


def print_mixed(output: Output, mixed: Mapping[str, Sequence[str]]) -> None:
    """Flag a run in which one name stood for several models."""
    for model, digests in mixed.items():
        output.line(f"  FLAG: {model} changed while it was asked: {', '.join(digests)}")


def _print_line(output: Output, call: TracedCall) -> None:
    request = call.request
    output.line(f"  {request.request_id} {request.stage} ({request.role}): {_model(call)}")
    output.line(f"      {_cost(call)}")
    for logged in call.replies:
        if logged.reply.status is not ReplyStatus.OK:
            output.line(f"      try {logged.reply.try_number} {logged.reply.status}: "
                        f"{one_line(logged.reply.error)}")  # fmt: skip
    if call.judged:
        kept = sum(d.verdict == "included" for d in call.judged)
        output.line(f"      asked about {len(call.judged)} candidates, {kept} included")


def _model(call: TracedCall) -> str:
    answer = call.answer
    digest = answer.reply.digest if answer is not None else ""
    return _asked_model(call.request) + (f" [{digest[:DIGEST_SHOWN]}]" if digest else "")


def _cost(call: TracedCall) -> str:
    request, answer = call.request, call.answer
    parts = [f"{request.tokens:,} tokens by {request.counter}"]
    if answer is None:
        return f"{parts[0]}; never answered"
    reply = answer.reply
    if reply.prompt_tokens is not None:
        parts.append(f"{reply.prompt_tokens:,} by the server")
    if reply.output_tokens is not None:
        parts.append(f"{reply.output_tokens:,} out")
    if reply.seconds_to_first_token is not None:
        parts.append(f"first token after {reply.seconds_to_first_token:.2f} s")
    return ", ".join([*parts, f"{reply.seconds:.2f} s in all"])


def show_call(output: Output, call: TracedCall, run: LoggedRun) -> None:
    """Print one call whole: each fragment with its bytes' range and origin, every try."""
    request = call.request
    output.heading(f"call {request.request_id}: {request.stage} ({request.role})")
    sampling = request.choice["sampling"]
    terms = sampling.items() if isinstance(sampling, Mapping) else ()
    asked = ", ".join(f"{name} {value}" for name, value in terms)
    output.line(f"  {_model(call)} by {request.choice['backend']}, {asked}")
    output.line(f"  {_cost(call)}")
    output.line(f"  run {run.run.run_id} ({run.run.verb}), task {request.task_id or '(none)'}, "
                f"package {request.package_id or '(none)'}")  # fmt: skip
    output.line(f"  prompt sha256 {request.prompt_sha256}")
    _show_pieces(output, call)
    for decision in call.judged[:JUDGED_SHOWN]:
        name = decision.candidate.symbol or decision.candidate.path
        output.line(f"  {decision.verdict} {one_line(name)}: {one_line(decision.reason)}")
    if len(call.judged) > JUDGED_SHOWN:
        output.line(f"  and {len(call.judged) - JUDGED_SHOWN} more candidates; see --json")
    for logged in call.replies:
        reply = logged.reply
        said = one_line(reply.error) if reply.error else f"{len(reply.text):,} characters"
        ended = f" ({reply.finish_reason})" if reply.finish_reason else ""
        output.line(f"  try {reply.try_number} {reply.status}{ended}: {said}")
    output.line(f"more: cra trace {request.request_id} --prompt; --answer")


def _show_pieces(output: Output, call: TracedCall) -> None:
    for piece in call.pieces:
        fragment = piece.fragment
        output.line(f"  bytes {piece.start:,}-{piece.end:,} {fragment.kind}, "
                    f"{fragment.tokens} tokens, from {piece.origin or 'NOTHING'}")  # fmt: skip
        if fragment.path:
            output.line(f"      {_place(fragment)}")


def _place(fragment: LoggedFragment) -> str:
    name = f"::{fragment.symbol}" if fragment.symbol else ""
    if fragment.start_byte is None:
        return f"{one_line(fragment.path)}{name}"
    return (
        f"{one_line(fragment.path)}{name} lines {fragment.start_line}-{fragment.end_line}, "
        f"bytes {fragment.start_byte:,}-{fragment.end_byte:,} of blob {str(fragment.blob_id)[:12]}"
    )


def call_document(call: TracedCall) -> dict[str, object]:
    """Return a call as JSON content."""
    request = call.request
    return {
        "request_id": request.request_id,
        "run_id": request.run_id,
        "task_id": request.task_id,
        "package_id": request.package_id,
        "stage": request.stage,
        "role": request.role,
        "choice": dict(request.choice),
        "prompt_sha256": request.prompt_sha256,
        "schema_sha256": request.schema_sha256,
        "prompt_bytes": call.pieces[-1].end if call.pieces else 0,
        "tokens": request.tokens,
        "counter": request.counter,
        "at": request.at,
        "fragments": [_piece_document(piece) for piece in call.pieces],
        "replies": [_reply_document(logged) for logged in call.replies],
        "judged": [
            {
                "path": d.candidate.path,
                "symbol": d.candidate.symbol,
                "stage": d.stage,
                "verdict": d.verdict,
                "reason": d.reason,
            }
            for d in call.judged
        ],
    }


def _piece_document(piece: Piece) -> dict[str, object]:
    return {
        **fragment_document(piece.fragment),
        "prompt_start": piece.start,
        "prompt_end": piece.end,
        "source": piece.source,
        "origin": piece.origin,
    }


def fragment_document(fragment: LoggedFragment) -> dict[str, object]:
    """Return a fragment as JSON content; `start_byte` and `end_byte` count in its git blob."""
    return {
        "position": fragment.position,
        "kind": fragment.kind,
        "template": fragment.template,
        "path": fragment.path,
        "symbol": fragment.symbol,
        "blob_id": fragment.blob_id,
        "start_byte": fragment.start_byte,
        "end_byte": fragment.end_byte,
        "detail": fragment.detail,
        "decision": fragment.decision,
        "tokens": fragment.tokens,
        "sha256": fragment.content_sha256,
    }


def _reply_document(logged: LoggedReply) -> dict[str, object]:
    reply = logged.reply
    return {
        "try": reply.try_number,
        "status": reply.status,
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "model": reply.model,
        "digest": reply.digest,
        "prompt_tokens": reply.prompt_tokens,
        "output_tokens": reply.output_tokens,
        "first_token_seconds": reply.seconds_to_first_token,
        "seconds": reply.seconds,
        "error": reply.error,
        "at": reply.at,
    }
