"""The doors through which text from outside comes in: a task, and what its tests said.

Takes: text as it arrived. Gives: the text as a prompt may hold it. Does not know: prompts.

What passes here is logged and sent as it leaves here, so the log and the prompt hold the same
bytes. The marks carry no digits of a hash: they may leave the machine, where no salt protects
them. Code never passes here: it is shown as it is or not at all.
"""

from __future__ import annotations

from dataclasses import replace

from clean_room_agent.records.attempt import TestResult, TestRun
from clean_room_agent.redaction.controls import control_spans
from clean_room_agent.redaction.marks import spans_of


def for_prompt(text: str) -> str:
    """Return text without secrets, its control tokens spelled so that no server reads them."""
    data = text.encode("utf-8", "surrogatepass")
    clean = data_for_prompt(data)
    return clean.decode("utf-8", "surrogatepass") if clean is not data else text


def run_for_prompt(run: TestRun) -> TestRun:
    """Return a test run whose texts are clean; the ids of tests stay, they name what is run."""
    return replace(
        run,
        results=tuple(_result(result) for result in run.results),
        output_head=data_for_prompt(run.output_head),
        output_tail=data_for_prompt(run.output_tail),
        reason=for_prompt(run.reason),
    )


def _result(result: TestResult) -> TestResult:
    detail = for_prompt(result.detail)
    return result if detail is result.detail else replace(result, detail=detail)


def data_for_prompt(data: bytes) -> bytes:
    """As `for_prompt`, for bytes such as output or a diff that is shown, not applied."""
    while found := spans_of(data):
        parts, at = [], 0
        for hit in found:
            parts += [data[at : hit.start], f"[secret:{hit.kind}]".encode()]
            at = hit.end
        data = b"".join([*parts, data[at:]])
    tokens = control_spans(data)
    if not tokens:
        return data
    parts, at = [], 0
    for token in tokens:
        name = "".join(ch for ch in token.kind if ch.isalnum() or ch == "_")
        parts += [data[at : token.start], f"[control:{name}]".encode()]
        at = token.end
    return b"".join([*parts, data[at:]])
