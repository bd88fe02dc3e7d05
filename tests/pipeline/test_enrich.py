"""A description is read by nobody before it is promoted, and by every judge of files after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clean_room_agent.indexing import index_repository
from clean_room_agent.llm.answers import REPAIR_TOKENS
from clean_room_agent.llm.client import TEMPLATE_TOKENS
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import WireRequest
from clean_room_agent.pipeline.ask import Question, answer_question
from clean_room_agent.pipeline.enrich import EnrichReport, enrich, promote
from clean_room_agent.records.answers import Promotion
from clean_room_agent.repo.git import open_repository
from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.promoted import read_promoted
from clean_room_agent.store.raw import new_id
from clean_room_agent.store.raw_reader import RawReader
from tests.pipeline.asking import Say, claims, open_test_room
from tests.support.git import GitRepo

WORD = "quuxotic"
ANSWER_TOKENS = 512  # as `open_test_room` configures
QUESTION = "how does `share` split money?"


def say(request: WireRequest) -> str:
    if "claims" in str(request.schema):
        return claims()
    return json.dumps({"purpose": f"Splits {WORD} sums.", "concepts": [], "relations": ["r"]})


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    made = GitRepo(tmp_path / "repo")
    made.commit(
        {
            "money.py": "def share(total, people):\n    return total // people\n",
            "bank.py": "from money import share\n\n\ndef pay():\n    return share(10, 3)\n",
        }
    )
    return made


def babble(_request: WireRequest) -> str:
    return "It is about money."


def describe(repo: GitRepo, *overrides: str, model: Say = say) -> EnrichReport:
    report = EnrichReport()
    with open_test_room(repo.root, model, *overrides) as room:
        assert room.models is not None
        enrich(room, room.models, report)
    return report


def promote_all(repo: GitRepo, *paths: str) -> int:
    with open_test_room(repo.root, None) as room:
        return len(promote(room, paths)[0])


def told(repo: GitRepo) -> list[str]:
    """The prompts of one question that hold the word; all four stages ask."""
    with open_test_room(repo.root, say) as room:
        answer_question(room, Question(QUESTION, room.repository.head))
        assert room.models is not None
        transport = room.models.room.transport
        assert isinstance(transport, ScriptedTransport)
        prompts = [request.prompt for request in transport.requests]
    assert len(prompts) >= 4
    return [prompt for prompt in prompts if WORD in prompt]


def test_only_what_was_promoted_is_told_to_a_judge(repo: GitRepo) -> None:
    assert len(describe(repo).described) == 2
    assert told(repo) == []
    assert promote_all(repo, "money.py") == 1
    prompts = told(repo)
    # The control: the word is there now, once, for the one file that was named.
    assert prompts and all(prompt.count(WORD) == 1 for prompt in prompts)
    assert not any("Answer the question" in prompt for prompt in prompts)


def test_another_content_has_no_description(repo: GitRepo) -> None:
    describe(repo)
    assert promote_all(repo) == 2
    before = (repo.root / "money.py").read_text()
    (repo.root / "bank.py").unlink()
    (repo.root / "money.py").write_text(before + "\n\nMORE = 1\n")
    assert told(repo) == []
    (repo.root / "money.py").write_text(before)
    assert told(repo)


def test_a_second_promotion_changes_nothing(repo: GitRepo) -> None:
    describe(repo)
    assert (promote_all(repo), promote_all(repo)) == (2, 0)
    with RawReader(repo.root) as reader:
        promotions = reader.read_promotions()
    assert [p.rule for p in promotions] == ["manual: all"] * 2
    assert len(read_promoted(repo.root)) == 2


@pytest.mark.parametrize("how", ["a new database", "a full rebuild"])
def test_an_index_made_anew_has_what_was_promoted(repo: GitRepo, how: str) -> None:
    describe(repo)
    promote_all(repo)
    if how == "a new database":
        for suffix in ("", "-wal", "-shm"):
            path = database_path(Role.CURATED, repo.root)
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    full = how == "a full rebuild"
    index_repository(open_repository(repo.root), repo_path=repo.root, full=full)
    assert described_paths(repo) == {"money.py", "bank.py"}


def test_a_promotion_that_never_reached_the_index_is_finished_by_the_next(repo: GitRepo) -> None:
    """The state that a kill leaves between the row in raw and the copy."""
    found = describe(repo).described
    with open_test_room(repo.root, None) as room:
        room.raw.append_promotion(
            Promotion(new_id("m"), found[0].enrichment_id, room.run_id, "manual: money.py")
        )
        assert described_paths(repo) == set()
        index_repository(room.repository, repo_path=repo.root)
    assert described_paths(repo) == {found[0].path}


def test_the_budget_stops_it_before_it_is_passed_and_the_next_run_goes_on(repo: GitRepo) -> None:
    """The worst that the first file can take is known, and is no more than one file's budget."""
    worst = describe(repo, "enrich.tokens=1").next_tokens
    first = describe(repo, f"enrich.tokens={worst}")
    assert [one.path for one in first.described] == ["money.py"]
    assert first.remaining == 1 and 0 < first.tokens <= worst
    rest = describe(repo)
    assert [one.path for one in rest.described] == ["bank.py"] and rest.remaining == 0


def test_a_file_without_room_in_the_budget_is_passed_over_for_a_smaller_later_one(
    repo: GitRepo,
) -> None:
    body = "".join(f"    print({number})\n" for number in range(200))
    repo.commit({"money.py": f"def share(total, people):\n{body}    return total // people\n"})
    worst = describe(repo, "enrich.tokens=1").next_tokens
    report = describe(repo, f"enrich.tokens={worst - 1}")
    assert [one.path for one in report.described] == ["bank.py"]
    ((path, reason),) = report.passed_over
    assert path == "money.py" and f"{worst:,} tokens" in reason
    assert report.next_tokens == worst


def test_an_unusable_form_is_told_without_the_fields_of_the_schema(repo: GitRepo) -> None:
    report = describe(repo, model=lambda request: '{"purpose": 1}')
    assert len(report.unusable) == 2
    for path, reason in report.unusable:
        assert "was not in the form asked for (twice): cra trace q-" in reason
        # The control: the log and --json have it in full.
        assert "Field required" not in reason and "Field required" in report.details[path]


def test_what_is_too_large_is_left_out_with_a_logged_reason(repo: GitRepo) -> None:
    report = describe(repo, "budget.context_tokens=40")
    assert not report.described and len(report.skipped) == 2
    with RawReader(repo.root) as reader:
        events = reader.read_events(kind="enrich.skipped")
        assert reader.read_requests() == ()
    assert {str(e.data["path"]) for e in events} == {"money.py", "bank.py"}
    assert all("nothing is cut" in str(e.data["reason"]) for e in events)


@pytest.mark.reliability(85)
def test_a_file_that_fills_the_window_leaves_room_for_the_one_repair(repo: GitRepo) -> None:
    describe(repo, model=babble)
    largest = max(shown_tokens(repo))
    window = largest + ANSWER_TOKENS + TEMPLATE_TOKENS + REPAIR_TOKENS
    report = describe(repo, f"models.context_tokens={window}", model=babble)
    assert len(report.unusable) == 2 and not report.skipped
    assert max(shown_tokens(repo)[2:]) == largest
    with RawReader(repo.root) as reader:
        assert len(reader.read_requests()) == 8
    # The control: one token less, and the file is not shown whole any more.
    describe(repo, f"models.context_tokens={window - 1}", model=babble)
    assert max(shown_tokens(repo)[4:]) < largest


def shown_tokens(repo: GitRepo) -> list[int]:
    """The tokens of every package, oldest first."""
    with RawReader(repo.root) as reader:
        tasks = [logged.task.task_id for logged in reversed(reader.read_tasks())]
        return [package.tokens for task in tasks for package in reader.read_packages(task)]


def test_a_file_that_changed_since_the_index_is_not_sent(repo: GitRepo) -> None:
    report = EnrichReport()
    with open_test_room(repo.root, say) as room:
        (repo.root / "money.py").write_text("SECRET = 1\n")
        assert room.models is not None
        enrich(room, room.models, report)
    assert [path for path, _ in report.skipped] == ["money.py"]
    assert [one.path for one in report.described] == ["bank.py"]


def described_paths(repo: GitRepo) -> set[str]:
    with CuratedReader(repo.root) as reader:
        files = reader.read_all_files()
        found = reader.read_descriptions(file.blob_id for file in files)
    return {file.path for file in files if file.blob_id in found}
