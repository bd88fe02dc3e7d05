"""`cra search` ranks chunks whose text is exactly what stands at their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.journey import Journey, new_journey


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    return made


def test_each_hit_names_lines_that_read_back_byte_for_byte(journey: Journey) -> None:
    found = journey.ok("search", "split a total so that no cent is lost", "--top-k", "3")
    assert 1 <= len(found["hits"]) <= 3
    assert found["hits"][0]["path"] == "money.py"
    assert found["hits"] == sorted(found["hits"], key=lambda hit: -hit["score"])
    for hit in found["hits"]:
        lines = (journey.root / hit["path"]).read_text("utf-8").splitlines(keepends=True)
        assert (
            "".join(lines[hit["start_line"] - 1 : hit["end_line"]]).strip() == hit["text"].strip()
        )
        assert hit["chunk_id"] and hit["signals"]


def test_filters_narrow_and_wrong_ones_are_refused(journey: Journey) -> None:
    everything = journey.ok("search", "share total")
    without = journey.ok("search", "share total", "--filter", "tests=no")
    assert any(hit["path"] == "test_money.py" for hit in everything["hits"])
    assert all(hit["path"] != "test_money.py" for hit in without["hits"])
    assert journey.ok("search", "share", "--filter", "path=docs/")["hits"] == []
    for wrong in ("colour=red", "tests=maybe", "path"):
        done = journey.cra("search", "share", "--filter", wrong)
        assert done.code == 2
        assert "path=PREFIX" in done.stderr
    unknown = journey.cra("search", "share", "--filter", "language=klingon")
    assert unknown.code == 2
    assert "its languages: markdown, python" in unknown.stderr
    twice = journey.cra("search", "share", "--filter", "path=a", "--filter", "path=b")
    assert twice.code == 2
    assert "--filter path=... is given twice" in twice.stderr


def test_a_search_is_a_logged_run_and_prints_text_on_demand(journey: Journey) -> None:
    done = journey.cra("search", "share", "--text")
    assert done.code == 0
    assert "     4 | def share(total: int, people: int) -> list[int]:" in done.stdout
    assert journey.ok("runs", "--verb", "search")["runs"]
    assert journey.cra("search", "zzzqqq").code == 0
    assert journey.cra("search", " ").code == 2
