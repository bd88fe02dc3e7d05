"""An item with a secret never reaches a judge, and its exclusion is a decision with a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from clean_room_agent.records.code import BlobId, Span
from clean_room_agent.records.context import Candidate, Decision, Signal, SubjectKind, Verdict
from clean_room_agent.repo.syntax import parse_blob
from clean_room_agent.retrieval.judge import Item, Opinion, Priority, StageBudget, judge_all
from clean_room_agent.retrieval.sources import Sources, git_blob_id
from clean_room_agent.retrieval.withheld import NAME, Withholding
from tests.support.canaries import Canary, canaries

ALL = canaries()
ONE = b"def one():\n    return 1\n\n\n"


class IncludesAll:
    """A judge that would show everything, and remembers what it was asked."""

    name = "all"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, stage: str, candidates: Sequence[Candidate], budget: StageBudget) -> Opinion:
        self.asked += [candidate.symbol for candidate in candidates]
        return Opinion(
            tuple(
                Decision(candidate, stage, self.name, rank, Verdict.INCLUDED, "all")
                for rank, candidate in enumerate(candidates, start=1)
            )
        )

    def prioritise(self, items: Sequence[Item], budget_tokens: int) -> Priority:
        return Priority(tuple(range(len(items))))


def candidates_of(data: bytes) -> list[Candidate]:
    blob = git_blob_id(data, BlobId("0" * 40))
    cut = len(ONE)
    spans = {"one": Span(0, cut, 1, 4), "two": Span(cut, len(data), 5, data.count(b"\n") + 1)}
    signal = Signal("text", 1.0, 1.0)
    return [Candidate(SubjectKind.SYMBOL, "a.py", symbol, span, blob, 9, (signal,))
            for symbol, span in spans.items()]  # fmt: skip


@pytest.mark.reliability(91)
@pytest.mark.parametrize("canary", ALL, ids=lambda c: f"{c.kind}:{c.line[:10]!r}")
def test_the_item_is_excluded_and_its_neighbour_judged(canary: Canary) -> None:
    data = ONE + b'def two():\n    """\n' + canary.line.encode() + b'\n    """\n'
    judge = IncludesAll()
    budget = StageBudget(100, 10)
    withholding = Withholding(judge, Sources(lambda _path, _blob: data))
    judged = judge_all(withholding, "precision", candidates_of(data), budget)
    assert judge.asked == ["one"]
    assert judged.warnings == ()
    one, two = judged.decisions
    assert (one.candidate.symbol, one.verdict, one.judge) == ("one", Verdict.INCLUDED, "all")
    assert (two.candidate.symbol, two.verdict, two.judge) == ("two", Verdict.EXCLUDED, NAME)
    assert (one.rank, two.rank) == (1, 2)
    assert two.reason.startswith("holds what looks like a secret: ")
    assert canary.secret not in two.reason
    # Negative control: the judge alone would have shown it.
    bare = judge_all(IncludesAll(), "precision", candidates_of(data), budget)
    assert {d.verdict for d in bare.decisions} == {Verdict.INCLUDED}


@pytest.mark.reliability(91)
@pytest.mark.parametrize("language", ["python", "javascript", None])
def test_no_row_of_the_index_holds_a_secret_and_every_span_fits(language: str | None) -> None:
    lines = [f"name_{n} = {c.line!r}" for n, c in enumerate(ALL) if "\n" not in c.line]
    data = "\n".join([*lines, "def last(key): return key"]).encode()
    parsed = parse_blob(BlobId(hashlib.sha1(data).hexdigest()), data, language)
    held = repr(parsed)
    for canary in ALL:
        assert canary.secret not in held
        assert canary.secret.lower() not in held
    for symbol in parsed.symbols:
        named = data[symbol.span.start_byte : symbol.span.end_byte]
        assert symbol.name.encode() in named
    # Negative control: what stands beside the secrets is found as before.
    assert "last" in held
