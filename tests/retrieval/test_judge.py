"""The ranked judge, and default-deny around any judge."""

from collections.abc import Sequence
from dataclasses import replace

from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import Candidate, Decision, Signal, SubjectKind, Verdict
from clean_room_agent.retrieval.judge import (
    Item,
    Opinion,
    Priority,
    RankedJudge,
    StageBudget,
    judge_all,
)


def candidate(path: str, score: float, tokens: int = 0) -> Candidate:
    signals = (Signal("s", score, 1.0),)
    return Candidate(SubjectKind.FILE, path, "", None, BlobId("0"), tokens, signals)


class Silent:
    """A judge that decides only what its table says."""

    name = "silent"

    def __init__(self, *paths: str) -> None:
        self.paths = paths

    def judge(self, stage: str, candidates: Sequence[Candidate], budget: StageBudget) -> Opinion:
        return Opinion(
            tuple(
                Decision(candidate(path, 1.0), stage, self.name, rank, Verdict.INCLUDED, "said so")
                for rank, path in enumerate(self.paths, start=1)
            )
        )

    def prioritise(self, items: Sequence[Item], budget_tokens: int) -> Priority:
        return Priority(None)


def verdicts(decisions: Sequence[Decision]) -> dict[str, str]:
    return {decision.candidate.path: decision.verdict.value for decision in decisions}


def test_rule_2_a_candidate_without_a_decision_is_excluded_with_a_warning() -> None:
    judged = judge_all(
        Silent("a"), "scope", [candidate("a", 1.0), candidate("b", 2.0)], StageBudget(9, 9)
    )
    assert verdicts(judged.decisions) == {"a": "included", "b": "excluded"}
    assert judged.warnings == ("no decision on b; excluded by default",)


def test_rule_2_a_decision_on_something_never_proposed_shows_nothing() -> None:
    judged = judge_all(Silent("a", "evil"), "scope", [candidate("a", 1.0)], StageBudget(9, 9))
    assert verdicts(judged.decisions) == {"a": "included"}
    assert "evil was never a candidate" in judged.warnings[0]


def test_of_two_decisions_on_one_candidate_the_first_counts() -> None:
    judged = judge_all(Silent("a", "a"), "scope", [candidate("a", 1.0)], StageBudget(9, 9))
    assert len(judged.decisions) == 1
    assert "decided twice" in judged.warnings[0]


def test_rule_1_an_item_that_does_not_fit_is_left_out_whole_and_the_next_is_tried() -> None:
    candidates = [
        candidate("big", 3.0, 70),
        candidate("huge", 2.0, 50),
        candidate("small", 1.0, 30),
    ]
    decisions = RankedJudge().judge("precision", candidates, StageBudget(100, 10)).decisions
    assert verdicts(decisions) == {"big": "included", "huge": "excluded", "small": "included"}
    assert decisions[1].reason == "rank 2: 50 tokens do not fit in the 30 left"


def test_a_score_below_the_floor_is_excluded_and_the_reason_says_so() -> None:
    decisions = (
        RankedJudge()
        .judge("scope", [candidate("a", 1.0), candidate("b", 0.02)], StageBudget(1, 9, floor=0.05))
        .decisions
    )
    assert (
        decisions[1].reason == "rank 2: score 0.02 is below the floor 0.05 (0.05 of the best, 1.00)"
    )


def test_what_the_task_points_at_passes_below_the_floor() -> None:
    named = replace(candidate("n", 0.0), signals=(Signal("mention.symbol", 0.6, 0.5),))
    vague = replace(candidate("v", 0.0), signals=(Signal("mention.symbol", 0.2, 0.5),))
    budget = StageBudget(1, 9, floor=0.5, pointed=frozenset({"mention.symbol"}))
    decisions = (
        RankedJudge().judge("precision", [candidate("a", 1.0), named, vague], budget).decisions
    )
    assert verdicts(decisions) == {"a": "included", "n": "included", "v": "excluded"}


def test_a_warning_on_a_path_with_a_line_break_stays_one_line() -> None:
    judged = judge_all(Silent(), "scope", [candidate("a\nb\x1b[2J", 1.0)], StageBudget(9, 9))
    assert judged.warnings == ("no decision on a\\nb\\x1b[2J; excluded by default",)


def test_the_first_few_pass_a_lower_floor() -> None:
    candidates = [candidate(path, score) for path, score in (("a", 1.0), ("b", 0.6), ("c", 0.6))]
    budget = StageBudget(1, 9, floor=0.7, few=2, few_floor=0.5)
    decisions = RankedJudge().judge("precision", candidates, budget).decisions
    assert verdicts(decisions) == {"a": "included", "b": "included", "c": "excluded"}


def test_the_item_limit_is_a_reason() -> None:
    decisions = (
        RankedJudge()
        .judge("scope", [candidate("a", 1.0), candidate("b", 0.9)], StageBudget(1, 1))
        .decisions
    )
    assert decisions[1].reason == "rank 2: the limit of 1 items is reached"


def test_nothing_is_shown_for_a_score_of_zero() -> None:
    decisions = RankedJudge().judge("scope", [candidate("a", 0.0)], StageBudget(9, 9)).decisions
    assert verdicts(decisions) == {"a": "excluded"}


def test_equal_scores_are_ordered_by_path_whatever_their_input_order() -> None:
    ones = [candidate(path, 1.0) for path in "cab"]
    for given in (ones, ones[::-1]):
        decisions = RankedJudge().judge("scope", given, StageBudget(9, 9)).decisions
        assert [decision.candidate.path for decision in decisions] == ["a", "b", "c"]


def test_a_dear_item_waits_for_cheaper_ones_that_say_nearly_as_much() -> None:
    large, small = candidate("large", 1.0, tokens=90), candidate("small", 0.9, tokens=20)
    plain = StageBudget(tokens=100, items=9)
    by_score = RankedJudge().judge("precision", [large, small], plain).decisions
    filled = RankedJudge().judge("precision", [large, small], replace(plain, dearness=0.2))
    assert [d.verdict for d in by_score] == [Verdict.INCLUDED, Verdict.EXCLUDED]
    assert [(d.rank, d.candidate.path, d.verdict) for d in filled.decisions] == [
        (1, "large", Verdict.EXCLUDED),
        (2, "small", Verdict.INCLUDED),
    ]
