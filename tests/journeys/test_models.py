"""The first-run story with a model server: init, models, doctor, each over a real wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.journey import Journey, new_journey
from tests.support.model_server import ModelServer

TWO = {"qwen2.5-coder:3b": 32_768, "qwen3:4b": 40_960}


def settings(server: ModelServer, *words: str) -> list[str]:
    chosen = (
        'models.backend="ollama"',
        f'models.base_url="{server.base_url}"',
        'coding.model="qwen2.5-coder:3b"',
        'reasoning.model="qwen3:4b"',
        *words,
    )
    return [part for word in chosen for part in ("-c", word)]


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    return made


def test_every_configured_model_is_listed_with_what_is_served(journey: Journey) -> None:
    with ModelServer("ollama", models=TWO) as server:
        found = journey.ok("models", *settings(server))
        server.violations.clear()
    coding, reasoning = sorted(found["models"], key=lambda m: m["role"])
    assert (coding["model"], reasoning["model"]) == tuple(TWO)
    assert reasoning["served_context_tokens"] == 40_960
    assert coding["digest"] == "sha256:qwen2.5-coder:3b"
    assert "implement" in coding["stages"] and "scope" in reasoning["stages"]
    assert coding["token_counts"] == "learned bound"


def test_a_missing_model_is_said_with_the_command_that_fetches_it(journey: Journey) -> None:
    with ModelServer("ollama", models={"qwen2.5-coder:3b": 32_768}) as server:
        done = journey.cra("models", *settings(server))
        checked = journey.cra("doctor", *settings(server))
    assert done.code == 3
    assert "ollama pull qwen3:4b" in done.stdout
    assert checked.code == 1
    assert "ollama pull qwen3:4b" in checked.stdout
    assert 'cra solve "what is wrong"' in checked.stdout


def test_a_window_smaller_than_configured_is_said(journey: Journey) -> None:
    with ModelServer("ollama", models={**TWO, "qwen3:4b": 4096}) as server:
        done = journey.cra("models", *settings(server))
    assert done.code == 3
    assert "4,096" in done.stdout


def test_an_absent_server_has_its_own_exit_code(journey: Journey) -> None:
    with ModelServer("ollama", models=TWO) as server:
        words = settings(server, "models.connect_seconds=1")
    done = journey.cra("models", *words)
    assert done.code == 4
    assert journey.cra("doctor", *words).code == 1


def test_model_free_mode_says_which_lines_to_add(journey: Journey) -> None:
    done = journey.cra("models")
    assert done.code == 0
    assert 'backend = "ollama"' in done.stdout


def test_init_without_offline_writes_an_ollama_room_and_says_what_is_left(
    tmp_path: Path,
) -> None:
    journey = new_journey(tmp_path)
    first = journey.ok("init")
    assert first["created"] and first["backend"] == "ollama"
    assert first["models"]["coding"] and first["models"]["reasoning"]
    assert first["next"][-1].startswith("cra solve")
    assert len(first["next"]) <= 3
    again = journey.cra("init")
    assert (again.code, journey.ok("init")["created"]) == (0, False)
    assert "next:" in again.stdout


def test_a_solve_without_its_server_ends_with_the_model_code_and_touches_nothing(
    tmp_path: Path,
) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init")
    before = journey.state()
    with ModelServer("ollama", models=TWO) as server:
        address = server.base_url
    words = ["-c", f'models.base_url="{address}"', "-c", "models.retries=0"]
    done = journey.cra("context", "share loses a cent", *words)
    assert done.code == 4, done.stderr
    assert "cra doctor" in done.stderr
    assert journey.state() == before
