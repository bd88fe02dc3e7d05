"""Small records for the tests of the store."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from clean_room_agent.records.attempt import (
    PatchCandidate,
    Replacement,
    RunStatus,
    TestOutcome,
    TestResult,
    TestRun,
    Trial,
    TrialOutcome,
    Validation,
    ValidationVerdict,
)
from clean_room_agent.records.code import BlobId, Span
from clean_room_agent.records.context import (
    Candidate,
    ContextPackage,
    Decision,
    Detail,
    Fragment,
    FragmentKind,
    Signal,
    StageRecord,
    SubjectKind,
    TaskAnalysis,
    Verdict,
)
from clean_room_agent.records.log import Attempt, Patch, Run
from clean_room_agent.records.task import Mode, RunId, Task, TaskId, TestCommand
from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.raw import RawLog

RUN = RunId("r-1")
TASK = TaskId("t-1")
SOURCE = b"import os\n\ndef add(a, b):\n    return a - b\n"
SPAN = Span(11, len(SOURCE), 3, 4)
BLOB = BlobId(hashlib.sha1(b"blob %d\0" % len(SOURCE) + SOURCE).hexdigest())


def a_run(run_id: str = RUN) -> Run:
    return Run(RunId(run_id), "context", ("fix add",), {"models.backend": "none"}, "0.1.0", 1)


def a_task(task_id: str = TASK, run_id: str = RUN) -> Task:
    command = TestCommand(("pytest", "-q"), Path("/usr/bin/python3"), ("-q",))
    return Task(TaskId(task_id), RunId(run_id), Mode.SOLVE, "add subtracts", "c0ffee", command)


def a_decision(path: str, verdict: Verdict, rank: int = 1) -> Decision:
    candidate = Candidate(
        kind=SubjectKind.SYMBOL,
        path=path,
        symbol="add",
        span=SPAN,
        blob_id=BLOB,
        tokens=12,
        signals=(Signal("name", 1.0, 2.5, "add"), Signal("text", 0.25, 1.0, "")),
    )
    detail = Detail.SYMBOL if verdict is Verdict.INCLUDED else None
    return Decision(candidate, "precision", "ranked", rank, verdict, "named in the task", detail)


def a_package(path: str = "calc.py") -> ContextPackage:
    analysis = TaskAnalysis(
        query="add subtracts",
        title="add subtracts",
        paths=(path,),
        identifiers=("add",),
        traceback_frames=((path, 4, "add"),),
        test_ids=(),
        error_lines=(),
        targets=("add",),
        unknown=("nothing",),
    )
    decisions = (
        a_decision(path, Verdict.INCLUDED, 1),
        a_decision("other.py", Verdict.EXCLUDED, 2),
    )
    stage = StageRecord("precision", "ranked", decisions, ("one was not judged",), 0.25)
    fragments = (
        Fragment(FragmentKind.TASK, b"add subtracts\n", 3),
        Fragment(FragmentKind.FRAMING, b"=== calc.py\n", 4, template="file/1"),
        Fragment(
            FragmentKind.CODE,
            SOURCE[SPAN.start_byte : SPAN.end_byte],
            12,
            path=path,
            symbol="add",
            blob_id=BLOB,
            span=SPAN,
            detail=Detail.SYMBOL,
            decision=0,
        ),
    )
    return ContextPackage("add subtracts", analysis, (stage,), fragments, 100, "upper-bound/1")


def prompt_of(package: ContextPackage) -> bytes:
    return b"".join(fragment.content for fragment in package.fragments)


def a_replacement(path: str = "calc.py") -> Replacement:
    return Replacement(path, 11, 20, b"def add(a, b):", hashlib.sha256(SOURCE).hexdigest())


def a_candidate(number: int = 0, path: str = "calc.py") -> PatchCandidate:
    return PatchCandidate(
        replacements=(a_replacement(path),),
        template="swap-operator",
        summary="- to +",
        line=4,
        suspiciousness=0.75,
        prior=0.5,
        normal_form=f"form {number}",
    )


def a_trial(candidate: PatchCandidate) -> Trial:
    return Trial(candidate.candidate_id, TrialOutcome.FAILED, 0.01, "t::a", "assert 1 == 2")


def a_test_run() -> TestRun:
    results = (TestResult("tests/test_calc.py::test_add", TestOutcome.FAILED, 0.1, "assert 0"),)
    return TestRun(RunStatus.COMPLETED, 1, results, 0.5, b"head\xff", b"tail", 9, "one failed")


def an_attempt() -> Attempt:
    return Attempt("a-1", TASK, "templates", {"seconds": 60}, {"lines": 4})


def a_patch(path: str = "calc.py") -> Patch:
    candidate = a_candidate(path=path)
    return Patch(
        patch_id="p-1",
        attempt_id="a-1",
        candidate_id=candidate.candidate_id,
        rank=1,
        diff=b"--- a/calc.py\n+++ b/calc.py\n",
        replacements=candidate.replacements,
        score={"suspiciousness": 0.75},
    )


def a_validation() -> Validation:
    fixed = {"tests/test_calc.py::test_add": TestOutcome.PASSED}
    return Validation(
        ValidationVerdict.SOLVED, "all expected passed", fixed, {}, ("canary",), a_test_run()
    )


def append_everything(raw: RawLog, path: str = "calc.py") -> str:
    """Log one whole task and return the package's id."""
    raw.append_run(a_run())
    raw.append_task(a_task())
    package = a_package(path)
    package_id = raw.append_package(TASK, package, prompt_of(package))
    raw.append_attempt(an_attempt())
    candidates = [a_candidate(number, path) for number in range(3)]
    raw.append_trials("a-1", [(candidate, a_trial(candidate)) for candidate in candidates])
    raw.append_patch(a_patch(path))
    test_run_id = raw.append_test_run(TASK, "grade", "bubblewrap", a_test_run())
    raw.append_validation("p-1", test_run_id, a_validation())
    return package_id


@contextmanager
def raw_by_hand(repo_path: Path) -> Iterator[sqlite3.Connection]:
    """Open raw as somebody else would: plain SQLite, without our settings."""
    path = database_path(Role.RAW, repo_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def tamper(repo_path: Path, *statements: str) -> None:
    """Edit the log behind its back: drop the triggers, edit, put the triggers back."""
    with raw_by_hand(repo_path) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        connection.execute("BEGIN")
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("COMMIT")


def read_nothing(blob_id: str) -> bytes | None:
    return None


def read_source(blob_id: str) -> bytes | None:
    return SOURCE if blob_id == BLOB else None
