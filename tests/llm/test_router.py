"""The configuration alone decides which model a stage asks."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.router import Router
from clean_room_agent.records.calls import CallStage, Role
from tests.llm.support import model_config


def test_each_stage_has_its_role_model_adapter_and_sampling(tmp_path: Path) -> None:
    router = Router(
        model_config(
            tmp_path,
            'stages.select="coding"',
            'adapters.scope="scope-lora"',
            "temperatures.scope=0.7",
            "reasoning.seed=5",
        )
    )
    scope = router.choose(CallStage.SCOPE, seed_offset=2)
    assert (scope.role, scope.model, scope.adapter) == (Role.REASONING, "thinker", "scope-lora")
    assert (scope.sampling.temperature, scope.sampling.seed) == (0.7, 7)
    assert router.choose(CallStage.SELECT).model == "coder"
    assert router.choose(CallStage.IMPLEMENT).sampling.temperature == 0.2
    assert router.choose(CallStage.PRECISION).sampling.temperature == 0.0


@pytest.mark.parametrize(
    ("override", "place"),
    [('models.backend="none"', r"\[models\]"), ('coding.model=""', r"\[coding\]")],
)
def test_a_missing_model_names_the_lines_to_add(tmp_path: Path, override: str, place: str) -> None:
    router = Router(model_config(tmp_path, override))
    with pytest.raises(ConfigError, match=place) as raised:
        router.choose(CallStage.IMPLEMENT)
    hint = raised.value.hint
    assert '[coding]\nmodel = "qwen2.5-coder:3b"' in hint
    # What is set already is not told to be set.
    assert ("backend" in hint) == ("backend" in override)
    tomllib.loads(hint.split("\n", 1)[1])


def test_a_backend_without_a_known_address_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs an address"):
        Router(model_config(tmp_path, 'models.base_url=""')).choose(CallStage.SCOPE)
    ollama = model_config(tmp_path, 'models.base_url=""', 'models.backend="ollama"')
    assert Router(ollama).choose(CallStage.SCOPE).base_url == "http://127.0.0.1:11434"
