"""Why a question had no code to stand on is said as it is."""

from __future__ import annotations

import json
from pathlib import Path

from clean_room_agent.llm.wire import WireRequest
from clean_room_agent.pipeline.ask import Answered, Question, answer_question
from tests.pipeline import asking
from tests.support.git import GitRepo

FILES = {
    "money.py": "def share(total, people):\n    return total // people\n",
    "bank.py": "from money import share\n\n\ndef pay():\n    return share(10, 3)\n",
}


def answer(tmp_path: Path, question: str, say: asking.Say | None) -> Answered:
    repo = GitRepo(tmp_path / "repo")
    repo.commit(FILES)
    with asking.open_test_room(repo.root, say, judges_agree=False) as room:
        return answer_question(room, Question(question, room.repository.head))


def refuse(request: WireRequest) -> str:
    properties = (request.schema or {}).get("properties", {})
    assert isinstance(properties, dict)
    return json.dumps({key: {"reason": "no", "verdict": "exclude"} for key in properties})


def test_a_judge_that_lets_nothing_in_is_not_said_to_have_found_nothing(tmp_path: Path) -> None:
    found = answer(tmp_path, "how does `share` split?", refuse)
    assert found.has_model and not found.places
    assert "none was let in (model: no)" in found.fault
    assert f"cra why money.py --task {found.task.task_id}" in found.fault


def test_a_judge_without_a_usable_answer_is_named_as_the_reason(tmp_path: Path) -> None:
    found = answer(tmp_path, "how does `share` split?", lambda request: "?")
    assert "no usable answer of the model" in found.fault


def test_nothing_found_is_said_only_where_nothing_was(tmp_path: Path) -> None:
    found = answer(tmp_path, "zzyzx qwfpg", None)
    assert found.fault == "nothing in the index speaks for it"
    assert not any("is a guess" in w for s in found.built.package.stages for w in s.warnings)
