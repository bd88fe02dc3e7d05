"""What speaks for code beside the task: a failed run's output, and names that a model gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.context import ContextPackage, Signal
from clean_room_agent.retrieval import render, retrieve
from clean_room_agent.retrieval.judge import RankedJudge
from clean_room_agent.retrieval.leads import Leads
from clean_room_agent.retrieval.weights import SCOPE_WEIGHTS, SYMBOL_WEIGHTS
from clean_room_agent.store.curated_reader import CuratedReader
from tests.retrieval.judged import Model, judged
from tests.retrieval.sample import build_sample
from tests.support.curated import CuratedRepo, build_curated

TASK = "Something is lost at the end of a line"
OUTPUT = """\
Traceback (most recent call last):
  File "/sandbox/tree/tests/test_parser.py", line 2, in test_unary_minus
    assert unary('minus operand')
  File "/sandbox/tree/src/pkg/unrelated.py", line 2, in zebra
    return 0
  File "/usr/lib/python3/harness/not_here.py", line 9, in run
ValueError: SECRET_CANARY in no_such_function()
FAILED tests/test_parser.py::test_unary_minus
"""


@pytest.fixture
def repo(tmp_path: Path) -> CuratedRepo:
    return build_sample(tmp_path)


def with_observation(repo: CuratedRepo, observation: str, task: str = TASK) -> ContextPackage:
    with CuratedReader(repo.root) as reader:
        return retrieve(
            task,
            reader=reader,
            read_source=repo.read_source,
            budget_tokens=4_000,
            judge=RankedJudge(),
            counter=UpperBoundCounter(),
            leads=Leads(observation),
        )


def signals(package: ContextPackage, stage: int, path: str, symbol: str = "") -> dict[str, Signal]:
    for decision in package.stages[stage].decisions:
        if (decision.candidate.path, decision.candidate.symbol) == (path, symbol):
            return {signal.name: signal for signal in decision.candidate.signals}
    return {}


def test_what_a_failed_run_names_leads_to_code_and_is_marked_as_observed(
    repo: CuratedRepo,
) -> None:
    without, after = with_observation(repo, ""), with_observation(repo, OUTPUT)
    assert signals(without, 1, "src/pkg/unrelated.py") == {}
    frame = signals(after, 1, "src/pkg/unrelated.py")["mention.traceback"]
    assert frame.evidence == "observed /sandbox/tree/src/pkg/unrelated.py:2"
    test = signals(after, 1, "src/pkg/parser.py")["mention.test"]
    assert test.evidence == "tested by observed tests/test_parser.py::test_unary_minus"
    assert any(f.path == "src/pkg/unrelated.py" for f in after.fragments)


def test_an_observation_is_never_shown_and_its_unknown_names_are_logged(
    repo: CuratedRepo,
) -> None:
    package = with_observation(repo, OUTPUT)
    assert b"SECRET_CANARY" not in render(package)
    assert b"Traceback" not in render(package)
    (said,) = [w for w in package.stages[0].warnings if w.startswith("observed but not in")]
    assert "not_here.py:9" in said
    assert "no_such_function" in package.analysis.unknown
    assert package.task_text == TASK


def test_the_same_frame_in_the_task_says_the_user_wrote_it(repo: CuratedRepo) -> None:
    package = with_observation(repo, "", task=f"{TASK}\n\n{OUTPUT}")
    frame = signals(package, 1, "src/pkg/unrelated.py")["mention.traceback"]
    assert frame.evidence == "/sandbox/tree/src/pkg/unrelated.py:2"


def test_a_long_observation_is_read_in_bounded_time(repo: CuratedRepo) -> None:
    noise = "".join(f'  File "/x/gone_{n}.py", line {n}, in f_{n}\n' for n in range(3_000))
    package = with_observation(repo, OUTPUT + noise)
    assert len(package.analysis.traceback_frames) == 80
    assert signals(package, 1, "src/pkg/unrelated.py")


# --- names that a model gives ------------------------------------------------------------------


def named(**lists: list[str]) -> dict[str, list[str]]:
    return {"identifiers": [], "paths": [], "search": [], **lists}


def run(repo: CuratedRepo, analysis: Any, task: str = TASK) -> tuple[ContextPackage, Model]:
    model = Model(analysis=analysis)
    with judged(repo, model, task, analyse=True) as done:
        return done.package, model


def test_a_name_of_the_model_that_is_in_the_index_becomes_a_weak_signal(repo: CuratedRepo) -> None:
    package, model = run(repo, named(identifiers=["zebra", "ExpressionParser.parse_atom()"]))
    assert len(model.of("analysis")) == 1
    assert package.stages[0].judge == "model/thinker"
    found = signals(package, 1, "src/pkg/unrelated.py")
    assert found["mention.suggested"].evidence == "zebra"
    assert "mention.symbol" not in found
    item = signals(package, 2, "src/pkg/parser.py", "ExpressionParser.parse_atom")
    assert item["mention.suggested"].evidence == "ExpressionParser.parse_atom"
    assert "zebra" in package.analysis.identifiers
    assert "src/pkg/unrelated.py::zebra" in package.analysis.targets


def test_a_model_weighs_less_than_what_the_user_wrote(repo: CuratedRepo) -> None:
    own = [value for name, value in SCOPE_WEIGHTS.items() if name.startswith("mention.")]
    assert SCOPE_WEIGHTS["mention.suggested"] == min(own)
    assert own.count(min(own)) == 1
    items = [value for name, value in SYMBOL_WEIGHTS.items() if name.startswith("mention.")]
    assert SYMBOL_WEIGHTS["mention.suggested"] == min(items)
    package, _ = run(repo, named(identifiers=["show"]), task="`zebra` is lost")
    ranks = {d.candidate.path: d.rank for d in package.stages[1].decisions}
    assert ranks["src/pkg/unrelated.py"] < ranks["src/pkg/printer.py"]


def test_what_the_task_names_is_not_suggested_once_more(repo: CuratedRepo) -> None:
    package, _ = run(repo, named(identifiers=["zebra"]), task="`zebra` is lost")
    found = signals(package, 1, "src/pkg/unrelated.py")
    assert "mention.symbol" in found
    assert "mention.suggested" not in found


def test_names_that_are_not_in_the_index_are_logged_and_never_invented(repo: CuratedRepo) -> None:
    wrong = named(identifiers=["made_up", "rm -rf /"], paths=["../../etc/passwd", "src/no.py"])
    package, _ = run(repo, wrong)
    (said,) = [w for w in package.stages[0].warnings if w.startswith("the model named, not in")]
    assert {"made_up", "../../etc/passwd", "src/no.py"} <= set(package.analysis.unknown)
    assert "made_up" in said
    assert 'the model named "rm -rf /": no name; ignored' in package.stages[0].warnings
    paths = {d.candidate.path for d in package.decisions}
    assert paths <= set(repo.files)


def test_words_that_a_model_would_search_for_propose_files_and_items(repo: CuratedRepo) -> None:
    without, _ = run(build_sample(_folder(repo)), named())
    package, _ = run(repo, named(search=["tokenize", "findall"]))
    assert "text.suggested" in signals(package, 1, "src/pkg/lexer.py")
    assert "text.suggested" in signals(package, 2, "src/pkg/lexer.py", "tokenize")
    assert "text.suggested" not in signals(without, 1, "src/pkg/lexer.py")
    assert signals(without, 2, "src/pkg/lexer.py", "tokenize") == {}


def _folder(repo: CuratedRepo) -> Path:
    folder = repo.root / "other"
    folder.mkdir()
    return folder


def test_a_suggestion_alone_leaves_the_room_a_guess(tmp_path: Path) -> None:
    repo = build_curated(tmp_path, {"a.py": "def zebra():\n    return 0\n"})
    package, _ = run(repo, named(identifiers=["zebra"]), task="it does not work")
    assert any("what is shown is a guess" in w for w in package.stages[2].warnings)
    assert package.analysis.targets == ("a.py::zebra",)


@pytest.mark.reliability(86)
@pytest.mark.parametrize(
    "answer",
    ["", "[]", "zebra", '{"identifiers": ["zebra"]}', '{"identifiers": "zebra", "paths": []}',
     '{"identifiers": ["zebra"], "paths": [], "search": [], "files_to_show": ["/etc/passwd"]}'],
    ids=["empty", "list", "prose", "missing", "type", "extra"],
)  # fmt: skip
def test_an_unusable_analysis_leaves_the_words_of_the_task_alone(
    repo: CuratedRepo, answer: str
) -> None:
    package, model = run(repo, answer)
    assert len(model.of("analysis")) == 2
    said = package.stages[0].warnings
    assert said[-1] == "no usable analysis of the model: the task's own words alone"
    assert signals(package, 1, "src/pkg/unrelated.py") == {}
    good, _ = run(build_sample(_folder(repo)), named(identifiers=["zebra"]))
    assert signals(good, 1, "src/pkg/unrelated.py") != {}


def test_more_names_than_may_be_are_cut_in_their_order_and_counted(repo: CuratedRepo) -> None:
    many = [f"made_up_{n}" for n in range(40)]
    package, _ = run(repo, named(identifiers=[*many, "zebra"]))
    assert signals(package, 1, "src/pkg/unrelated.py") == {}
    assert any("29 names of the model beyond the first 12" in w for w in package.stages[0].warnings)
