"""A model behind the judges: it says yes or no to what was proposed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from clean_room_agent.errors import ModelCallError
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import TransportError, WireRequest
from clean_room_agent.records.calls import ReplyStatus
from clean_room_agent.records.context import FragmentKind, Verdict
from clean_room_agent.retrieval.model_judge import Limits
from tests.retrieval.judged import (
    CutTransport,
    Model,
    judged,
    many_files,
    shown_lines,
    verdicts,
)
from tests.retrieval.sample import FILES, build_sample
from tests.support.curated import CuratedRepo, build_curated

TASK = "Unary minus loses its operand in `parse_unary`\n\nSee src/pkg/parser.py."


@pytest.fixture
def repo(tmp_path: Path) -> CuratedRepo:
    return build_sample(tmp_path)


def only(name: str) -> Callable[[Mapping[str, Any]], str]:
    """Include the parser and of its items the one of this name."""

    def decide(line: Mapping[str, Any]) -> str:
        wanted = line.get("symbol", name) == name and line["path"] == "src/pkg/parser.py"
        return "include" if wanted else "exclude"

    return decide


def test_what_the_model_includes_is_shown_and_nothing_else(repo: CuratedRepo) -> None:
    model = Model(only("ExpressionParser.parse_unary"))
    with judged(repo, model, TASK) as done:
        assert done.code == [("src/pkg/parser.py", "ExpressionParser.parse_unary")]
        stages = {stage.name: stage for stage in done.package.stages}
        assert stages["scope"].judge == stages["precision"].judge == "model/thinker"
        assert stages["instructions"].judge == "ranked/1"
    (shown,) = [d for d in stages["precision"].decisions if d.verdict is Verdict.INCLUDED]
    assert shown.reason == f"rank {shown.rank}: model: as told"
    assert shown.detail == "symbol"
    assert all(d.reason.split(": ")[1] in ("model",) for d in stages["scope"].decisions)


def test_a_listing_is_built_from_the_parse(repo: CuratedRepo) -> None:
    model = Model()
    with judged(repo, model, TASK, describe=lambda c: f"about {c.path}"):
        pass
    files = {line["path"]: line for prompt in model.of("scope") for line in shown_lines(prompt)}
    parser = files["src/pkg/parser.py"]
    assert parser["kind"] == "file"
    assert parser["defines"][:2] == ["ExpressionParser", "ExpressionParser.parse_unary"]
    assert parser["more_defined"] > 0
    assert parser["about"] == "about src/pkg/parser.py"
    assert any(told.startswith("mention.path +") for told in parser["found_by"])
    items = [line for prompt in model.of("precision") for line in shown_lines(prompt)]
    (unary,) = [i for i in items if i.get("symbol") == "ExpressionParser.parse_unary"]
    assert unary["kind"] == "method"
    assert unary["doc"] == '"""Parse a minus sign and its operand."""'
    assert unary["tokens"] > 0


def test_a_long_description_is_shortened_visibly(repo: CuratedRepo) -> None:
    model = Model()
    with judged(repo, model, TASK, describe=lambda c: "" if c.symbol else "line\n" * 100):
        pass
    files = [line for prompt in model.of("scope") for line in shown_lines(prompt)]
    assert all(line["about"].endswith("[+100 characters]") for line in files)
    items = [line for prompt in model.of("precision") for line in shown_lines(prompt)]
    assert all("about" not in line for line in items if line.get("symbol"))


def test_only_the_best_are_asked_about_and_the_rest_says_so(repo: CuratedRepo) -> None:
    model = Model()
    with judged(repo, model, TASK, limits=Limits(2, 3)) as done:
        scope, precision = done.package.stages[1:3]
    assert sum(len(shown_lines(prompt)) for prompt in model.of("scope")) == 2
    assert sum(len(shown_lines(prompt)) for prompt in model.of("precision")) == 3
    assert {d.verdict for d in scope.decisions[2:]} == {Verdict.EXCLUDED}
    assert "beyond the first 2 by score (bounded calls): not asked" in scope.decisions[2].reason
    scores = [decision.candidate.score for decision in precision.decisions]
    assert scores == sorted(scores, reverse=True)


# --- answers that are wrong (reliability case 86) ----------------------------------------------


def rewritten(change: Callable[[str], str]) -> Callable[[WireRequest], str]:
    """A model that includes everything, its verdicts changed by `change`."""

    def script(request: WireRequest) -> str:
        said = verdicts(shown_lines(request.prompt), lambda _line: "include")
        return change(said)

    return script


def each_verdict(change: Callable[[dict[str, Any]], object]) -> Callable[[str], str]:
    return lambda said: json.dumps({k: change(v) for k, v in json.loads(said).items()})


BROKEN = {
    "malformed": lambda said: said[:-2],
    "empty": lambda _said: "",
    "prose": lambda said: f"Sure! Here is my answer: {said}",
    "an open think block": lambda said: f"<think>{said}",
    "thought in the answer's place": lambda _said: '{"thinking": "all of them", "answer": true}',
    "a list": lambda said: f"[{said}]",
    "no id of ours": lambda said: said.replace('"c', '"d'),
    "verdicts as strings": each_verdict(lambda _one: "include"),
    "an unknown verdict": each_verdict(lambda one: {**one, "verdict": "Include!"}),
    "a number for a reason": each_verdict(lambda one: {**one, "reason": 1}),
    "extra keys": each_verdict(lambda one: {**one, "detail": "full"}),
    "null": each_verdict(lambda one: {**one, "verdict": None}),
    "two documents": lambda said: said + said,
}
WELL_FORMED = {
    "as asked": lambda said: said,
    "after thinking": lambda said: f"<think>c1? yes.</think>\n{said}",
    "in one fence": lambda said: f"```json\n{said}\n```",
}


@pytest.mark.reliability(86)
@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_an_unusable_answer_is_asked_for_once_more_and_then_denies(
    repo: CuratedRepo, change: Callable[[str], str]
) -> None:
    transport = ScriptedTransport(rewritten(change))
    with judged(repo, transport, TASK) as done:
        assert done.code == []
        scope = done.package.stages[1]
    assert {d.verdict for d in scope.decisions} == {Verdict.EXCLUDED}
    assert "no usable answer of the model: excluded by default" in scope.decisions[0].reason
    assert sum("unusable answer" in warning for warning in scope.warnings) == 2
    assert "candidates without a verdict; excluded by default" in scope.warnings[-1]
    first, second = transport.requests
    assert second.prompt.startswith(first.prompt)
    assert "An earlier answer could not be used" in second.prompt[len(first.prompt) :]


@pytest.mark.reliability(86)
@pytest.mark.parametrize("change", WELL_FORMED.values(), ids=WELL_FORMED.keys())
def test_the_same_answers_well_formed_are_accepted(
    repo: CuratedRepo, change: Callable[[str], str]
) -> None:
    transport = ScriptedTransport(rewritten(change))
    with judged(repo, transport, TASK) as done:
        assert ("src/pkg/parser.py", "ExpressionParser.parse_unary") in done.code
        assert done.warnings["scope"] == ()


@pytest.mark.reliability(86)
@pytest.mark.reliability(27)
def test_an_answer_cut_at_the_output_limit_denies_though_it_parses(repo: CuratedRepo) -> None:
    with judged(repo, CutTransport(Model()), TASK) as done:
        assert done.code == []
    with judged(build_sample(_sibling(repo)), ScriptedTransport(Model()), TASK) as done:
        assert done.code != []


def _sibling(repo: CuratedRepo) -> Path:
    folder = repo.root / "other"
    folder.mkdir()
    return folder


@pytest.mark.reliability(86)
def test_an_answer_repaired_once_counts(repo: CuratedRepo) -> None:
    tried: list[str] = []

    def script(request: WireRequest) -> str:
        tried.append(request.prompt)
        said = verdicts(shown_lines(request.prompt), lambda _line: "include")
        return said if "could not be used" in request.prompt else said[:-1]

    with judged(repo, script, TASK) as done:
        assert done.code != []
        assert sum("unusable answer" in w for w in done.warnings["scope"]) == 1
        assert not any("without a verdict" in w for w in done.warnings["scope"])


@pytest.mark.reliability(86)
def test_a_missing_id_costs_its_candidate_only_and_an_unknown_id_gives_nothing(
    repo: CuratedRepo,
) -> None:
    def change(said: str) -> str:
        answers = json.loads(said)
        if "c2" in answers:
            del answers["c2"]
        evil = "../../etc\n/passwd"
        return json.dumps(answers | {"c999": answers["c1"], evil: answers["c1"], "c0": 3})

    transport = ScriptedTransport(rewritten(change))
    with judged(repo, transport, TASK) as done:
        scope = done.package.stages[1]
    second, others = scope.decisions[1], scope.decisions[:1] + scope.decisions[2:]
    assert second.verdict is Verdict.EXCLUDED
    assert "the model's answer lacks it: excluded by default" in second.reason
    assert {d.verdict for d in others} == {Verdict.INCLUDED}
    refused = [warning for warning in scope.warnings if "never asked; refused" in warning]
    assert [w.split('"')[1] for w in refused] == ["c999", "../../etc\\n/passwd", "c0"]
    assert any("no verdict on" in warning for warning in scope.warnings)
    assert not any("could not be used" in request.prompt for request in transport.requests)
    assert all(warning.isprintable() for warning in scope.warnings)


@pytest.mark.reliability(86)
def test_many_unknown_ids_are_counted_not_listed(repo: CuratedRepo) -> None:
    def change(said: str) -> str:
        answers = json.loads(said)
        return json.dumps(answers | {f"x{n}": answers["c1"] for n in range(500)})

    with judged(repo, rewritten(change), TASK) as done:
        refused = [w for w in done.warnings["scope"] if "refused" in w]
    assert len(refused) == 6
    assert "495 unknown ids beyond the first 5" in refused[-1]


def test_a_long_reason_is_shortened_visibly_and_stays_one_line(repo: CuratedRepo) -> None:
    change = each_verdict(lambda one: {**one, "reason": "why\n" + "x" * 500})
    with judged(repo, rewritten(change), TASK) as done:
        reason = done.package.stages[1].decisions[0].reason
    assert reason.isprintable()
    assert reason.startswith("rank 1: model: why\\nxxx")
    assert reason.endswith("[+385 characters]")


def test_a_schema_asks_for_each_id_and_no_other(repo: CuratedRepo) -> None:
    transport = ScriptedTransport(Model())
    with judged(repo, transport, TASK):
        pass
    for request in transport.requests:
        assert request.schema is not None
        ids = [line["id"] for line in shown_lines(request.prompt)]
        assert request.schema["required"] == ids
        assert request.schema["additionalProperties"] is False
        (one,) = {json.dumps(p) for p in request.schema["properties"].values()}  # type: ignore[attr-defined]
        assert list(json.loads(one)["properties"]) == ["reason", "verdict"]


def test_a_server_that_fails_ends_the_stage_with_its_error(repo: CuratedRepo) -> None:
    def script(_request: WireRequest) -> str:
        raise TransportError(ReplyStatus.REFUSED, "no")

    with pytest.raises(ModelCallError, match="refused"), judged(repo, script, TASK):
        pass


# --- over-selecting ----------------------------------------------------------------------------


def test_rule_1_over_budget_the_model_orders_and_whole_items_leave_from_the_end(
    repo: CuratedRepo,
) -> None:
    last: list[str] = []

    def order(lines: list[dict[str, Any]]) -> list[str]:
        last[:] = [line["symbol"] for line in lines if line.get("symbol", "").startswith("E")]
        return [line["id"] for line in reversed(lines)]

    model = Model(order=order)
    task = "The filler of the parser and lexer: `filler_1` and `other_2` lose a value, unary minus"
    with judged(repo, model, task, budget_tokens=900) as done:
        precision, assembly = done.package.stages[2], done.package.stages[4]
        asked = shown_lines(model.of("reprioritise")[0])
    assert done.package.tokens <= 900
    assert assembly.judge == "model/thinker"
    gone = [d for d in precision.decisions if "dropped whole at assembly" in d.reason]
    assert gone
    assert all("the model ranks it last" in d.reason for d in gone)
    places = [(line["path"], line.get("symbol", "")) for line in asked]
    left = len(places) - len(gone)
    assert {(d.candidate.path, d.candidate.symbol) for d in gone} == set(places[: len(gone)])
    assert set(done.code) == set(places[len(places) - left :])
    for fragment in done.package.fragments:
        if fragment.kind is FragmentKind.CODE and fragment.span is not None:
            whole = FILES[fragment.path].encode()
            assert fragment.content == whole[fragment.span.start_byte : fragment.span.end_byte]


@pytest.mark.reliability(86)
@pytest.mark.parametrize(
    ("order", "said"),
    [
        (["i1", "i1"], "names an id twice"),
        (["i999"], "names an id that was not asked about"),
        ([], "the order is empty"),
    ],
    ids=["twice", "unknown", "empty"],
)
def test_an_order_that_cannot_be_used_leaves_it_to_the_scores(
    repo: CuratedRepo, order: list[str], said: str
) -> None:
    model = Model(order=lambda _lines: order)
    with judged(repo, model, TASK + " minus filler other value", budget_tokens=700) as done:
        precision, assembly = done.package.stages[2], done.package.stages[4]
    assert assembly.judge == "none"
    assert any(said in warning for warning in assembly.warnings)
    assert "no usable order of importance: by score" in assembly.warnings
    kept = [d.candidate.score for d in precision.decisions if d.verdict is Verdict.INCLUDED]
    gone = [d for d in precision.decisions if "its score is the lowest" in d.reason]
    assert gone
    assert min(kept) >= max(d.candidate.score for d in gone)
    assert len(model.of("reprioritise")) == 2  # one repair and no more


def test_items_that_an_order_leaves_out_follow_by_score(repo: CuratedRepo) -> None:
    model = Model(order=lambda lines: [lines[-1]["id"]])
    with judged(repo, model, TASK + " minus filler other value", budget_tokens=700) as done:
        first = shown_lines(model.of("reprioritise")[0])[-1]
        assert (first["path"], first.get("symbol", "")) in done.code
        assert any("leaves out follow by score" in w for w in done.warnings["assembly"])


def test_a_guess_stays_small_whatever_the_model_includes(tmp_path: Path) -> None:
    body = "    # please fix the bug\n" + "".join(f"    value_{n} = {n}\n" for n in range(90))
    repo = build_curated(tmp_path, {f"m{n}.py": f"def f{n}():\n{body}" for n in range(20)})
    with judged(repo, Model(), "please fix the bug", budget_tokens=60_000) as done:
        assert any("what is shown is a guess" in w for w in done.warnings["precision"])
        assert len(done.code) <= 12
        assert sum(f.tokens for f in done.package.fragments) < 6_500
        assert any("dropped whole" in w for w in done.warnings["assembly"])


def test_a_room_that_fits_asks_for_no_order(repo: CuratedRepo) -> None:
    model = Model(only("ExpressionParser.parse_unary"))
    with judged(repo, model, TASK):
        assert model.of("reprioritise") == []


def test_rule_6_a_model_cannot_let_in_more_files_than_the_stage_may(tmp_path: Path) -> None:
    repo = build_curated(tmp_path, many_files(30))
    with judged(repo, Model(), "needle return def") as done:
        scope = done.package.stages[1]
    included = [d.rank for d in scope.decisions if d.verdict is Verdict.INCLUDED]
    assert included == list(range(1, 21))
    assert "the limit of 20 items is reached; model: as told" in scope.decisions[20].reason
