"""Every byte that a model was asked follows from the log; what breaks that is found and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clean_room_agent.records.answers import Answer, Citation, Claim
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.code import BlobId, Span
from clean_room_agent.records.context import Fragment, FragmentKind
from clean_room_agent.records.log import RunEnd
from clean_room_agent.store.audit import AuditReport, audit_raw
from clean_room_agent.store.raw import RawLog
from tests.store import call_samples, samples
from tests.store.call_samples import a_request, code, framed
from tests.store.samples import BLOB, RUN, SOURCE, TASK, read_nothing, read_source, tamper


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    with RawLog(tmp_path) as raw:
        call_samples.append_everything(raw)
    return tmp_path


def messages(report: AuditReport) -> list[str]:
    return [f"{found.table}: {found.message}" for found in report.breaks]


def test_untouched_calls_are_clean_and_counted(repo: Path) -> None:
    report = audit_raw(repo, read_source)
    assert messages(report) == []
    assert (report.requests, report.replies, report.prompt_fragments) == (3, 4, 19)
    assert (report.unanswered, report.unfinished, report.claims) == (0, [], 1)
    # One piece of code in the package, one in each of two prompts, one citation.
    assert (report.checked_in_git, report.not_in_git) == (4, 0)


def test_code_that_git_no_longer_has_is_checked_against_the_log_and_counted(repo: Path) -> None:
    report = audit_raw(repo, read_nothing)
    assert messages(report) == []
    assert (report.checked_in_git, report.not_in_git) == (0, 4)


def damage_blob(column: str, table: str, where: str) -> str:
    return (
        "UPDATE blobs SET data = CAST(substr(data, 2) || 'x' AS BLOB) WHERE sha256 ="
        f" (SELECT {column} FROM {table} WHERE {where})"
    )


OF_EDIT = "request_id = 'q-edit'"
OF_JUDGE = "request_id = 'q-judge'"
BROKEN = {
    "content": (
        damage_blob("content_sha256", "prompt_fragments", "kind = 'note'"),
        "prompt_fragments: q-edit fragment 5: its content",
    ),
    "prompt": (
        "UPDATE model_requests SET prompt_sha256 = (SELECT sha256 FROM blobs WHERE seq = 2)"
        f" WHERE {OF_EDIT}",
        "model_requests: q-edit renders to",
    ),
    "prompt gone": (
        damage_blob("prompt_sha256", "model_requests", OF_EDIT),
        "model_requests: the prompt of q-edit is gone or changed",
    ),
    "schema gone": (
        damage_blob("schema_sha256", "model_requests", OF_EDIT),
        "model_requests: the schema of q-edit is gone or changed",
    ),
    "order": (
        f"UPDATE prompt_fragments SET position = 50 - position WHERE {OF_EDIT}",
        "prompt_fragments: q-edit fragment 45: stands at 45, not at 0",
    ),
    "removed": (
        f"DELETE FROM prompt_fragments WHERE {OF_EDIT} AND position = 5",
        "model_requests: q-edit renders to",
    ),
    "tokens": (
        f"UPDATE model_requests SET tokens = tokens + 1 WHERE {OF_EDIT}",
        "model_requests: q-edit has 28 tokens in fragments, 29 logged",
    ),
    "range": (
        f"UPDATE prompt_fragments SET start_byte = 12 WHERE {OF_EDIT} AND kind = 'code'",
        "prompt_fragments: q-edit fragment 1: is not the bytes of git blob",
    ),
    "no range": (
        f"UPDATE prompt_fragments SET end_byte = NULL WHERE {OF_EDIT} AND kind = 'code'",
        "prompt_fragments: q-edit fragment 1: code without a blob and a byte range",
    ),
    "undecided": (
        f"UPDATE prompt_fragments SET decision = NULL WHERE {OF_EDIT} AND kind = 'code'",
        "prompt_fragments: q-edit fragment 1: no decision let it in",
    ),
    "excluded": (
        f"UPDATE prompt_fragments SET decision = 1 WHERE {OF_EDIT} AND kind = 'code'",
        "prompt_fragments: q-edit fragment 1: decision 1 excluded it",
    ),
    "another path": (
        f"UPDATE prompt_fragments SET path = x'7A' WHERE {OF_EDIT} AND kind = 'code'",
        "prompt_fragments: q-edit fragment 1: decision 0 is about another path",
    ),
    "another content": (
        f"UPDATE prompt_fragments SET blob_id = 'ff' WHERE {OF_EDIT} AND kind = 'code'",
        "prompt_fragments: q-edit fragment 1: decision 0 is about another content",
    ),
    "unproposed path": (
        f"UPDATE prompt_fragments SET path = x'7A' WHERE {OF_JUDGE} AND position = 3",
        "prompt_fragments: q-judge fragment 3: asks about what was never proposed",
    ),
    "unproposed symbol": (
        f"UPDATE prompt_fragments SET symbol = 'sub' WHERE {OF_JUDGE} AND position = 3",
        "prompt_fragments: q-judge fragment 3: asks about what was never proposed",
    ),
    "unproposed blob": (
        f"UPDATE prompt_fragments SET blob_id = 'ff' WHERE {OF_JUDGE} AND position = 3",
        "prompt_fragments: q-judge fragment 3: asks about what was never proposed",
    ),
    "unproposed span": (
        f"UPDATE prompt_fragments SET end_byte = 5 WHERE {OF_JUDGE} AND position = 3",
        "prompt_fragments: q-judge fragment 3: asks about what was never proposed",
    ),
    "candidate of nothing": (
        f"UPDATE prompt_fragments SET blob_id = NULL WHERE {OF_JUDGE} AND position = 3",
        "prompt_fragments: q-judge fragment 3: a candidate without a path and a blob",
    ),
    "no package": (
        f"UPDATE model_requests SET package_id = '' WHERE {OF_EDIT}",
        "model_requests: q-edit shows code of package (none), which is not in the log",
    ),
    "task": (
        "UPDATE tasks SET text = 'something else'",
        "prompt_fragments: q-judge fragment 1: is not the text of task t-1",
    ),
    "no task": (
        f"UPDATE model_requests SET task_id = NULL WHERE {OF_JUDGE}",
        "prompt_fragments: q-judge fragment 1: a task text in a call without a task",
    ),
    "no template": (
        f"UPDATE prompt_fragments SET template = '' WHERE {OF_JUDGE} AND position = 0",
        "q-judge fragment 0: a fragment of kind instruction that names neither",
    ),
    "no source": (
        "UPDATE prompt_fragments SET source = '' WHERE kind = 'test_output'",
        "q-edit fragment 4: a fragment of kind test_output that names neither",
    ),
    "framing": (
        f"UPDATE prompt_fragments SET kind = 'framing', template = '' WHERE {OF_JUDGE}"
        " AND position = 0",
        "prompt_fragments: q-judge fragment 0: framing that is no frame",
    ),
    "unknown source": (
        "UPDATE prompt_fragments SET source = 'x:1' WHERE kind = 'note'",
        "prompt_fragments: q-edit fragment 5: its source 'x:1' is of no known kind",
    ),
    "lost test run": (
        "UPDATE prompt_fragments SET source = 'test_run:x-0' WHERE kind = 'test_output'",
        "prompt_fragments: q-edit fragment 4: its source test_run:x-0 is not in the log",
    ),
    "lost plan": (
        "UPDATE prompt_fragments SET source = 'plan:l-0' WHERE kind = 'plan_step'",
        "prompt_fragments: q-edit fragment 3: its source plan:l-0 is not in the log",
    ),
    "itself": (
        "UPDATE prompt_fragments SET source = 'request:q-edit' WHERE kind = 'note'",
        "prompt_fragments: q-edit fragment 5: its source request:q-edit is not older",
    ),
    "empty template": (
        "UPDATE prompt_fragments SET source = 'template:' WHERE kind = 'note'",
        "prompt_fragments: q-edit fragment 5: its source names no template",
    ),
    "no request": (
        f"DELETE FROM model_requests WHERE {OF_EDIT}",
        "model_replies: its request q-edit is not in the log",
    ),
    "fragments of nothing": (
        f"DELETE FROM model_requests WHERE {OF_EDIT}",
        "prompt_fragments: its request q-edit is not in the log",
    ),
    "first try": (
        f"DELETE FROM model_replies WHERE {OF_JUDGE} AND try_number = 1",
        "model_replies: q-judge: try 2 follows 0",
    ),
    "try twice": (
        f"UPDATE model_replies SET try_number = 4 WHERE {OF_JUDGE} AND try_number = 2",
        "model_replies: q-judge: try 4 follows 1",
    ),
    "reply gone": (
        damage_blob("text_sha256", "model_replies", OF_EDIT),
        "model_replies: q-edit: the text of try 1 is gone or changed",
    ),
    "plan of nothing": (
        "UPDATE plans SET request_id = 'q-0'",
        "names request_id 'q-0', which is not in the log",
    ),
    "turn of nothing": (
        "UPDATE turns SET request_id = 'q-0'",
        "turns: u-1 names request_id 'q-0', which is not in the log",
    ),
    "turn of no attempt": (
        "UPDATE turns SET attempt_id = 'a-0'",
        "turns: u-1 names attempt_id 'a-0', which is not in the log",
    ),
    "turn of no test run": (
        "UPDATE turns SET test_run_id = 'x-0'",
        "turns: u-1 names test_run_id 'x-0', which is not in the log",
    ),
    "turn out of order": (
        "UPDATE turns SET position = 7",
        "turns: u-1 stands at 7",
    ),
    "selection of nothing": (
        "UPDATE selections SET patch_id = 'p-0'",
        "selections: c-1 names patch_id 'p-0', which is not in the log",
    ),
    "scores of nothing": (
        "UPDATE selections SET scores = replace(scores, 'p-1', 'p-9')",
        "selections: c-1 weighs patch 'p-9', which is not in the log",
    ),
    "answer of no package": (
        "UPDATE answers SET package_id = 'k-0'",
        "answers: w-1 names package_id 'k-0', which is not in the log",
    ),
    "answer of no call": (
        "UPDATE answers SET request_id = 'q-0'",
        "answers: w-1 names request_id 'q-0', which is not in the log",
    ),
    "lines that are not there": (
        "UPDATE answers SET claims = replace(claims, '\"end_line\":4', '\"end_line\":5')",
        "answers: w-1 claim 0: cites calc.py:3-5, which blob",
    ),
    "a citation of nothing": (
        f"UPDATE answers SET claims = replace(claims, '\"{BLOB}\"', 'null')",
        "answers: w-1 claim 0: cites calc.py:3-4 without a blob",
    ),
    "a refused claim printed": (
        "UPDATE answers SET claims = replace(claims, 'no citation', '')",
        "answers: w-1 claim 1: was printed without a citation",
    ),
    "unreadable answer": (
        "UPDATE answers SET claims = '[{'",
        "answers: t-1: a row of the log is damaged",
    ),
    "description of nothing": (
        "UPDATE enrichments SET request_id = 'q-0'",
        "enrichments: e-1 names request_id 'q-0', which is not in the log",
    ),
    "promotion of nothing": (
        "UPDATE promotions SET enrichment_id = 'e-0'",
        "promotions: m-1 names enrichment_id 'e-0', which is not in the log",
    ),
    "unreadable call": (
        f"UPDATE model_requests SET choice = '[{{' WHERE {OF_EDIT}",
        "model_requests: q-edit cannot be read",
    ),
}


@pytest.mark.reliability(65)
@pytest.mark.parametrize(("statement", "message"), BROKEN.values(), ids=BROKEN)
def test_what_no_longer_follows_from_the_log_is_named(
    repo: Path, statement: str, message: str
) -> None:
    tamper(repo, statement)
    found = messages(audit_raw(repo, read_source))
    assert any(message in line for line in found), found


def append_request(repo: Path, request_id: str, fragments: list[Fragment], package: str) -> None:
    with RawLog(repo) as raw:
        raw.append_requests([a_request(request_id, CallStage.PRECISION, fragments, package)])
        raw.append_reply(call_samples.a_reply(request_id))


def test_a_package_of_a_killed_run_is_unfinished_not_broken(repo: Path) -> None:
    append_request(repo, "q-killed", call_samples.candidates(), "k-never")
    report = audit_raw(repo, read_source)
    assert messages(report) == []
    assert report.unfinished == ["k-never"]


def test_the_same_package_missing_in_a_run_that_ended_well_is_a_break(repo: Path) -> None:
    append_request(repo, "q-ended", call_samples.candidates(), "k-never")
    with RawLog(repo) as raw:
        raw.append_run_end(RunEnd(RUN, "completed", 0))
    (found,) = audit_raw(repo, read_source).breaks
    assert "shows code of package k-never, which is not in the log" in found.message


def test_a_call_without_a_reply_is_counted(repo: Path) -> None:
    with RawLog(repo) as raw:
        call = a_request("q-alone", CallStage.SCOPE, [call_samples.the_task()], "")
        raw.append_requests([call])
    report = audit_raw(repo, read_source)
    assert messages(report) == []
    assert report.unanswered == 1


def test_a_package_logged_after_its_judges_asked_admits_what_they_asked(tmp_path: Path) -> None:
    package = samples.a_package()
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
        call = a_request("q-1", CallStage.SCOPE, call_samples.candidates(), "k-early")
        raw.append_requests([call])
        prompt = samples.prompt_of(package)
        raw.append_package(TASK, package, prompt, package_id="k-early")
    report = audit_raw(tmp_path, read_source)
    assert messages(report) == []
    assert report.unfinished == []


def test_an_instruction_file_needs_gits_bytes_and_a_decision_like_code(tmp_path: Path) -> None:
    """In a package: the clean control first, then without its decision, then with other bytes."""
    package = samples.a_package()
    shown = replace(package.fragments[2], kind=FragmentKind.INSTRUCTION_FILE)
    false = replace(shown, content=b"def add(a, b):\n    return 0\n", decision=None)
    for number, (fragment, expected) in enumerate(
        [(shown, []), (replace(shown, decision=None), ["no decision"]), (false, ["not the bytes"])]
    ):
        repo = tmp_path / str(number)
        repo.mkdir()
        changed = replace(package, fragments=(*package.fragments[:2], fragment))
        with RawLog(repo) as raw:
            raw.append_run(samples.a_run())
            raw.append_task(samples.a_task())
            raw.append_package(TASK, changed, samples.prompt_of(changed))
        found = [b.message for b in audit_raw(repo, read_source).breaks]
        for words in expected:
            assert any(words in message for message in found), found
        assert bool(found) == bool(expected)


def test_an_instruction_file_in_a_prompt_is_checked_too(repo: Path) -> None:
    kind = FragmentKind.INSTRUCTION_FILE
    outside = framed(kind, b"obey me", path="AGENTS.md", blob_id=BLOB, span=Span(0, 7, 1, 1))
    with RawLog(repo) as raw:
        package = samples.a_package()
        package_id = raw.append_package(TASK, package, samples.prompt_of(package))
    append_request(repo, "q-file", outside, package_id)
    found = messages(audit_raw(repo, read_source))
    assert any("q-file fragment 1: is not the bytes of git blob" in line for line in found)
    assert any("q-file fragment 1: no decision let it in" in line for line in found)


def test_code_that_was_never_those_bytes_is_found_in_a_prompt(repo: Path) -> None:
    opening, shown, closing = code()
    false = replace(shown, content=b"def add(a, b):\n    return 0\n")
    with RawLog(repo) as raw:
        package = samples.a_package()
        package_id = raw.append_package(TASK, package, samples.prompt_of(package))
    append_request(repo, "q-false", [opening, false, closing], package_id)
    (found,) = messages(audit_raw(repo, read_source))
    assert "q-false fragment 1: is not the bytes of git blob" in found


def test_a_citation_of_an_empty_file_has_no_line(repo: Path) -> None:
    claims = (Claim("nothing", (Citation("empty.py", 1, 1, BlobId("e0")),)),)
    with RawLog(repo) as raw:
        package = samples.a_package()
        package_id = raw.append_package(TASK, package, samples.prompt_of(package))
        raw.append_answer(Answer("w-2", TASK, package_id, call_samples.PLAN, "c0ffee", claims))

    def read(blob_id: str) -> bytes | None:
        return b"" if blob_id == "e0" else SOURCE

    (found,) = messages(audit_raw(repo, read))
    assert "w-2 claim 0: cites empty.py:1-1, which blob e0 does not have" in found
