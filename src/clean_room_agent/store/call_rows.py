"""How calls of models become rows, and rows records again. Row and record in one place.

Takes: an `Appender` and records; rows in the order of the SELECT beside it. Gives: rows; records.
Does not know: who calls, or what an answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from clean_room_agent.records.calls import (
    CallStage,
    LoggedReply,
    LoggedRequest,
    ModelReply,
    ModelRequest,
    ReplyStatus,
    Role,
    Sampling,
)
from clean_room_agent.records.context import Fragment
from clean_room_agent.records.log import LoggedFragment
from clean_room_agent.records.task import RunId, TaskId
from clean_room_agent.store.append import Appender
from clean_room_agent.store.package_rows import fragment_of, fragment_row
from clean_room_agent.store.values import json_text, mapping_from_json, now_text, text

REQUESTS = (
    "SELECT seq, request_id, run_id, task_id, stage, role, package_id, choice, prompt_sha256,"
    " schema_sha256, tokens, counter, at FROM model_requests"
)
REPLIES = (
    "SELECT seq, request_id, try_number, status, text_sha256, finish_reason, model, digest,"
    " prompt_tokens, output_tokens, first_token_seconds, seconds, error, at FROM model_replies"
)
# The same columns in the same order as a package's fragments, then `source`.
PROMPT_FRAGMENTS = (
    "SELECT seq, request_id, position, kind, template, path, symbol, blob_id, start_byte,"
    " end_byte, start_line, end_line, detail, decision, tokens, content_sha256, source"
    " FROM prompt_fragments"
)


def append_request(appender: Appender, request: ModelRequest) -> None:
    """Insert a request with every fragment of its prompt."""
    schema = json_text(request.schema).encode() if request.schema is not None else b""
    appender.insert(
        "model_requests",
        {
            "request_id": request.request_id,
            "run_id": request.run_id,
            "task_id": request.task_id,
            "stage": request.choice.stage,
            "role": request.choice.role,
            "package_id": request.prompt.package_id,
            "choice": json_text(request.choice),
            "prompt_sha256": appender.put_prompt(request.prompt.data),
            "schema_sha256": appender.put_blob(schema) if schema else "",
            "tokens": request.tokens,
            "counter": text(request.counter),
            "at": request.at or now_text(),
        },
    )
    for position, fragment in enumerate(request.prompt.fragments):
        _insert_fragment(appender, request.request_id, position, fragment)


def _insert_fragment(
    appender: Appender, request_id: str, position: int, fragment: Fragment
) -> None:
    sha256 = appender.put_prompt(fragment.content)
    appender.insert(
        "prompt_fragments",
        {
            "request_id": request_id,
            **fragment_row(position, fragment),
            "source": text(fragment.source),
            "content_sha256": sha256,
        },
    )


def append_reply(appender: Appender, reply: ModelReply) -> None:
    """Insert one try of a call."""
    appender.insert(
        "model_replies",
        {
            "request_id": reply.request_id,
            "try_number": reply.try_number,
            "status": reply.status,
            "text_sha256": appender.put_blob(text(reply.text).encode()),
            "finish_reason": text(reply.finish_reason),
            "model": text(reply.model),
            "digest": text(reply.digest),
            "prompt_tokens": reply.prompt_tokens,
            "output_tokens": reply.output_tokens,
            "first_token_seconds": reply.seconds_to_first_token,
            "seconds": reply.seconds,
            "error": text(reply.error),
            "at": reply.at or now_text(),
        },
    )


def request_of(row: Sequence[Any]) -> LoggedRequest:
    """Rebuild a request, without its prompt, from a row of `REQUESTS`."""
    seq, request_id, run_id, task_id, stage, role, package_id, choice, *rest = row
    prompt_sha256, schema_sha256, tokens, counter, at = rest
    return LoggedRequest(
        seq=seq,
        request_id=request_id,
        run_id=RunId(run_id),
        task_id=TaskId(task_id) if task_id is not None else None,
        stage=CallStage(stage),
        role=Role(role),
        package_id=package_id,
        choice=_choice_of(choice),
        prompt_sha256=prompt_sha256,
        schema_sha256=schema_sha256,
        tokens=tokens,
        counter=counter,
        at=at,
    )


def _choice_of(column: str) -> Mapping[str, object]:
    """Parse a choice of a model; every reader may rely on these of its fields.

    Raises: TypeError: one is missing.
    """
    choice = mapping_from_json(column)
    sampling = choice.get("sampling")
    sampled = isinstance(sampling, dict) and {f.name for f in fields(Sampling)} <= set(sampling)
    if not sampled or not {"backend", "base_url", "model", "adapter"} <= set(choice):
        raise TypeError("a request names no whole choice of a model")
    return choice


def reply_of(read_blob: Callable[[str], bytes], row: Sequence[Any]) -> LoggedReply:
    """Rebuild one try of a call from a row of `REPLIES`."""
    seq, request_id, try_number, status, text_sha256, finish_reason, model, digest, *rest = row
    prompt_tokens, output_tokens, first_token_seconds, seconds, error, at = rest
    reply = ModelReply(
        request_id=request_id,
        try_number=try_number,
        status=ReplyStatus(status),
        text=read_blob(text_sha256).decode("utf-8"),
        finish_reason=finish_reason,
        model=model,
        digest=digest,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        seconds_to_first_token=first_token_seconds,
        seconds=seconds,
        error=error,
        at=at,
    )
    return LoggedReply(seq, reply)


def prompt_fragment_of(row: Sequence[Any]) -> tuple[LoggedFragment, str]:
    """Rebuild a fragment of a prompt (its `package_id` is the request's id) and its source."""
    *columns, source = row
    return fragment_of(columns), str(source)
