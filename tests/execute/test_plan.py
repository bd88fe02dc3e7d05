"""Plans: a target that does not exist refuses the whole plan, after one repair."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.execute.plan import Planned, propose_plan, validate_plan
from clean_room_agent.records.answers import Plan, PlanStep, StepAction
from tests.execute.support import material_of, room

KNOWN = frozenset({"calc.py", "pkg/shop.py", ".github/workflows/ci.yml"})
SYMBOLS = {"calc.py": frozenset({"add", "sub"}), "pkg/shop.py": frozenset({"Shop.size"})}
MODIFY, ADD, REMOVE = StepAction.MODIFY, StepAction.ADD, StepAction.REMOVE


def symbols_of(path: str) -> frozenset[str]:
    return SYMBOLS.get(path, frozenset())


def step(
    action: str = "modify", path: str = "calc.py", symbol: str = "add", intent: str = "it adds"
) -> dict[str, str]:
    return {"action": action, "path": path, "symbol": symbol, "intent": intent}


def answer(*steps: dict[str, str]) -> dict[str, object]:
    return {"summary": "add subtracts", "steps": list(steps)}


def propose(root: Path, *answers: object) -> tuple[Planned, int]:
    with room(root, material_of(), *answers) as opened:
        found = propose_plan(
            opened.client, opened.material, known_paths=KNOWN, symbols_of=symbols_of
        )
        return found, len(opened.prompts)


def test_a_plan_whose_targets_exist_is_returned_as_it_was_written(tmp_path: Path) -> None:
    found, calls = propose(
        tmp_path, answer(step(), step("modify", symbol=""), step("add", "pkg/new.py", ""))
    )
    assert found.plan == Plan(
        "add subtracts",
        (
            PlanStep(MODIFY, "calc.py", "add", "it adds"),
            PlanStep(MODIFY, "calc.py", "", "it adds"),
            PlanStep(ADD, "pkg/new.py", "", "it adds"),
        ),
    )
    assert (found.problem, found.warnings, calls) == ("", (), 1)


REFUSED = {
    "no-such-file": (step(path="nowhere.py"), 'no file "nowhere.py"'),
    "no-such-symbol": (step(symbol="multiply"), 'no symbol "multiply" in "calc.py"'),
    "a-method-by-its-short-name": (step(path="pkg/shop.py", symbol="size"), "no symbol"),
    "remove-no-such-file": (step("remove", "nowhere.py", ""), "no file"),
    "add-what-exists": (step("add", "calc.py", ""), "exists, so it is modified"),
    "add-a-symbol": (step("add", "new.py", "f"), "has no symbol yet"),
    "escaping": (step("add", "../evil.py", ""), "leaves the tree"),
    "absolute": (step("add", "/etc/cron.d/x", ""), "relative"),
    "git": (step("add", ".git/hooks/pre-commit", ""), "never edited"),
    "workflow": (step(path=".github/workflows/ci.yml", symbol=""), "permission"),
    "no-intent": (step(intent=" "), "no intent"),
}


@pytest.mark.reliability(17)
@pytest.mark.reliability(86)
@pytest.mark.parametrize(("bad", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_plan_with_one_impossible_step_is_refused_whole_after_one_repair(
    tmp_path: Path, bad: dict[str, str], told: str
) -> None:
    good = step(symbol="sub")
    found, calls = propose(tmp_path / "a", answer(good, bad))
    assert found.plan is None
    assert f"step 2: {told}"[:7] in found.problem
    assert told in found.problem
    assert calls == 2
    repaired, _ = propose(tmp_path / "b", answer(good, bad), answer(good))
    assert repaired.plan is not None
    assert len(repaired.warnings) == 1


MALFORMED = {
    "no-json": "First, I would look at add.",
    "empty": "",
    "unknown-action": answer(step("delete")),
    "extra-key": {**answer(step()), "command": "rm -rf /"},
    "no-steps": answer(),
    "too-many": answer(*[step("add", f"n{n}.py", "") for n in range(21)]),
    "twice": answer(step(), step("remove")),
    "wrong-type": {"summary": 1, "steps": []},
}


@pytest.mark.reliability(86)
@pytest.mark.parametrize("bad", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_plan_is_refused(tmp_path: Path, bad: object) -> None:
    found, calls = propose(tmp_path, bad)
    assert (found.plan, calls) == (None, 2)
    assert found.warnings[-1].endswith(f": unusable answer: {found.problem}")


def test_every_fault_of_a_plan_is_told() -> None:
    steps = (PlanStep(REMOVE, "gone.py", "", "x"), PlanStep(MODIFY, "calc.py", "mul", "x"))
    said = validate_plan(Plan("", steps), KNOWN, symbols_of)
    assert said == (
        'step 1: there is no file "gone.py"; step 2: there is no symbol "mul" in "calc.py"'
    )


def test_a_name_of_a_line_break_is_spelled_out_in_what_is_told() -> None:
    said = validate_plan(Plan("", (PlanStep(MODIFY, "a\nb", "", "x"),)), frozenset(), symbols_of)
    assert "\n" not in said
    assert "a\\nb" in said
