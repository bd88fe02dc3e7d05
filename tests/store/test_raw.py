"""The raw log takes records and gives the same records back, in the order of their append."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from clean_room_agent.errors import StoreError, UsageError
from clean_room_agent.records.code import IndexReport, SkippedFile
from clean_room_agent.records.context import SubjectKind, Verdict
from clean_room_agent.records.log import (
    Application,
    ApplicationAction,
    ApplicationPhase,
    Attempt,
    ChangedFile,
    Event,
    EventLevel,
    RunEnd,
    WorktreeAction,
    WorktreeEvent,
)
from clean_room_agent.store.raw import RawLog, new_id
from clean_room_agent.store.raw_reader import RawReader
from tests.store import samples
from tests.store.samples import RUN, TASK


def test_a_run_is_read_back_with_its_end(tmp_path: Path) -> None:
    run = replace(samples.a_run(), started_at="2026-11-20T00:00:00.000Z")
    end = RunEnd(RUN, "ok", 0, {"files": 3}, "2026-11-20T00:00:01.000Z")
    with RawLog(tmp_path) as raw:
        raw.append_run(run)
        raw.append_run_end(end)
    with RawReader(tmp_path) as reader:
        (found,) = reader.read_runs()
    assert (found.run, found.end) == (run, end)


def test_a_run_without_an_end_is_unfinished(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run("r-1"))
        raw.append_run(samples.a_run("r-2"))
        raw.append_run_end(RunEnd(RUN, "ok", 0))
    with RawReader(tmp_path) as reader:
        assert [found.run.run_id for found in reader.read_unfinished_runs()] == ["r-2"]


def test_a_task_is_read_back_whole(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
    with RawReader(tmp_path) as reader:
        assert reader.read_task("last").task == samples.a_task()


def test_a_package_is_read_back_with_every_decision(tmp_path: Path) -> None:
    package = samples.a_package()
    with RawLog(tmp_path) as raw:
        package_id = samples.append_everything(raw)
    with RawReader(tmp_path) as reader:
        assert reader.read_package(TASK).package_id == package_id
        assert reader.read_analysis(package_id) == package.analysis
        assert reader.read_stages(package_id) == package.stages
        decisions = reader.read_decisions(TASK)
        fragments = reader.read_fragments(package_id)
        contents = [reader.read_blob(fragment.content_sha256) for fragment in fragments]
    assert tuple(found.decision for found in decisions) == package.decisions
    assert contents == [fragment.content for fragment in package.fragments]


def test_decisions_are_narrowed_to_a_path(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        samples.append_everything(raw)
    with RawReader(tmp_path) as reader:
        (found,) = reader.read_decisions(TASK, "other.py")
    assert found.decision.verdict is Verdict.EXCLUDED


def test_an_attempt_is_read_back_down_to_its_grading(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        samples.append_everything(raw)
    with RawReader(tmp_path) as reader:
        (attempt,) = reader.read_attempts(TASK)
        trials = reader.read_trials("a-1")
        (patch,) = reader.read_patches(task_id=TASK)
        (test_run,) = reader.read_test_runs(TASK)
        (validation,) = reader.read_validations("p-1")
    assert replace(attempt, at="") == Attempt(
        "a-1", TASK, "templates", {"seconds": 60}, {"lines": 4}
    )
    assert [found.position for found in trials] == [0, 1, 2]
    assert trials[1].trial == samples.a_trial(samples.a_candidate(1))
    assert patch == samples.a_patch()
    assert test_run.run == samples.a_test_run()
    assert validation.test_run_id == test_run.test_run_id
    assert validation.fail_to_pass == samples.a_validation().fail_to_pass


def test_later_trials_of_an_attempt_count_on(tmp_path: Path) -> None:
    more = samples.a_candidate(7)
    with RawLog(tmp_path) as raw:
        samples.append_everything(raw)
        raw.append_trials("a-1", [(more, samples.a_trial(more))])
    with RawReader(tmp_path) as reader:
        assert [found.position for found in reader.read_trials("a-1")] == [0, 1, 2, 3]


def test_a_trial_of_another_candidate_is_refused_and_nothing_of_its_batch_stays(
    tmp_path: Path,
) -> None:
    first, second = samples.a_candidate(8), samples.a_candidate(9)
    with RawLog(tmp_path) as raw:
        samples.append_everything(raw)
        with pytest.raises(StoreError, match="not of its candidate"):
            raw.append_trials(
                "a-1", [(first, samples.a_trial(first)), (first, samples.a_trial(second))]
            )
    with RawReader(tmp_path) as reader:
        assert len(reader.read_trials("a-1")) == 3


def test_events_index_runs_and_worktrees_are_read_back(tmp_path: Path) -> None:
    event = Event(RUN, "retrieval.not_judged", {"n": 2}, EventLevel.WARNING, TASK, "2026")
    report = IndexReport(
        1, 2, 3, 4, 5, 1, 0, 0, 5, (SkippedFile("a\udcff", "fifo"),), {"c": 1}, 0.5, "abc"
    )
    worktree = WorktreeEvent(TASK, "/tmp/w\udcff", WorktreeAction.CREATED, "linked", "2026")
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_event(event)
        raw.append_index_run(RUN, report)
        raw.append_worktree(worktree)
    with RawReader(tmp_path) as reader:
        assert reader.read_events(task_id=TASK) == (event,)
        assert reader.read_events(kind="another") == ()
        assert reader.read_index_runs()[0].report["skipped"] == [
            {"path": "a\udcff", "reason": "fifo"}
        ]
        assert reader.read_worktrees() == (worktree,)


@pytest.mark.reliability(case=62)
def test_an_intent_without_outcome_is_an_open_application(tmp_path: Path) -> None:
    before, after = b"old\n", b"new\n"
    digests = [hashlib.sha256(data).hexdigest() for data in (before, after)]
    intent = Application(
        "u-1",
        RUN,
        "p-1",
        ApplicationAction.APPLY,
        ApplicationPhase.INTENT,
        (ChangedFile("calc.py", digests[0], digests[1]), ChangedFile("new", None, digests[1])),
        "2026",
    )
    with RawLog(tmp_path) as raw:
        samples.append_everything(raw)
        raw.append_application(intent, [before, after])
        with RawReader(tmp_path) as reader:
            assert reader.read_open_applications() == (intent,)
            assert reader.read_blob(digests[0]) == before
        raw.append_application(replace(intent, phase=ApplicationPhase.DONE))
        with pytest.raises(StoreError, match="already has this row"):
            raw.append_application(intent)
    with RawReader(tmp_path) as reader:
        assert reader.read_open_applications() == ()
        assert len(reader.read_applications(patch_id="p-1")) == 2


@pytest.mark.reliability(case=75)
def test_a_path_that_is_not_utf8_makes_the_round_trip(tmp_path: Path) -> None:
    path = b"src/caf\xe9\n.py".decode("utf-8", "surrogateescape")
    with RawLog(tmp_path) as raw:
        package_id = samples.append_everything(raw, path)
    with RawReader(tmp_path) as reader:
        (found,) = reader.read_decisions(TASK, path)
        assert found.decision == samples.a_package(path).decisions[0]
        assert reader.read_fragments(package_id)[2].path == path
        assert reader.read_trials("a-1")[0].path == path
        assert reader.read_patches()[0] == samples.a_patch(path)
        assert reader.read_analysis(package_id).paths == (path,)


def test_text_with_lone_surrogates_and_nul_can_be_logged(tmp_path: Path) -> None:
    task = replace(samples.a_task(), text="see \udce9 and \0 there")
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(task)
    with RawReader(tmp_path) as reader:
        assert reader.read_task("last").task.text == "see \\udce9 and \0 there"


def test_a_batch_is_one_transaction(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        with pytest.raises(RuntimeError), raw.batch():
            raw.append_run(samples.a_run())
            raise RuntimeError
        with raw.batch():
            raw.append_run(samples.a_run("r-2"))
            raw.append_task(samples.a_task(run_id="r-2"))
    with RawReader(tmp_path) as reader:
        assert [found.run.run_id for found in reader.read_runs()] == ["r-2"]


def test_a_row_that_refers_to_nothing_is_refused(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw, pytest.raises(StoreError, match="FOREIGN KEY"):
        raw.append_task(samples.a_task())


def test_a_unique_beginning_names_a_task_and_an_ambiguous_one_lists_the_choices(
    tmp_path: Path,
) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        for task_id in ("t-20261120-aa", "t-20261120-ab", "t-20261121-ba"):
            raw.append_task(samples.a_task(task_id))
    with RawReader(tmp_path) as reader:
        assert reader.resolve_task("t-20261121") == "t-20261121-ba"
        assert reader.resolve_task("last") == "t-20261121-ba"
        with pytest.raises(UsageError, match="t-20261120-aa, t-20261120-ab"):
            reader.read_task("t-20261120")
        with pytest.raises(UsageError, match="did you mean t-20261121-ba"):
            reader.read_task("t-20261121-bb")


def test_the_words_of_an_id_are_no_pattern(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
    with RawReader(tmp_path) as reader, pytest.raises(UsageError):
        reader.read_task("%")


@pytest.mark.reliability(case=71)
def test_ids_of_one_process_never_collide_and_sort_by_creation() -> None:
    ids = [new_id("r") for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)


@pytest.mark.reliability(case=71)
def test_order_is_that_of_appending_even_when_the_clock_goes_back(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(replace(samples.a_run("r-1"), started_at="2038-01-20T00:00:00.000Z"))
        raw.append_run(replace(samples.a_run("r-2"), started_at="1999-01-01T00:00:00.000Z"))
    with RawReader(tmp_path) as reader:
        assert [found.run.run_id for found in reader.read_runs()] == ["r-2", "r-1"]


def test_decisions_keep_their_kind_and_signals(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        samples.append_everything(raw)
    with RawReader(tmp_path) as reader:
        candidate = reader.read_decisions(TASK)[0].decision.candidate
    assert candidate.kind is SubjectKind.SYMBOL
    assert [signal.contribution for signal in candidate.signals] == [2.5, 0.25]
