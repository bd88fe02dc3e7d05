"""Which model a stage asks: the configuration's answer, and nothing else.

Takes: the sections of the configuration that name models. Gives: a `ModelChoice` for each stage.
Does not know: whether a server is reachable, or what a stage does.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.config import Config
from clean_room_agent.config.schema import GREEDY, RoleConfig
from clean_room_agent.errors import ConfigError
from clean_room_agent.records.calls import CallStage, EditFormat, ModelChoice, Role, Sampling

OLLAMA_URL = "http://127.0.0.1:11434"
MODEL_FREE = "none"
IN_PROCESS = ("gguf", "hf")
BACKEND_LINES = """\
[models]
backend = "ollama"
"""
MODEL_LINES = {
    Role.CODING: """\
[coding]
model = "qwen2.5-coder:3b"
""",
    Role.REASONING: """\
[reasoning]
model = "qwen3:4b"
""",
}
LINES_TO_ADD = BACKEND_LINES + "".join(MODEL_LINES.values())


@dataclass(frozen=True, slots=True)
class Router:
    """Answers from one configuration."""

    config: Config

    @property
    def is_model_free(self) -> bool:
        return self.config.models.backend == MODEL_FREE

    def choose(self, stage: CallStage, *, seed_offset: int = 0) -> ModelChoice:
        """Return the model of `stage`; attempt N asks with `seed_offset` N.

        Raises:
            ConfigError: no model is configured for the role; the lines to add are named.
        """
        models = self.config.models
        role = Role(getattr(self.config.stages, stage.value))
        settings = self._settings(role)
        if self.is_model_free or not settings.model:
            raise missing_model(stage, role, model_free=self.is_model_free)
        own: float = getattr(self.config.temperatures, stage.value)
        return ModelChoice(
            stage=stage,
            role=role,
            backend=models.backend,
            base_url=self.base_url(),
            model=settings.model,
            adapter=getattr(self.config.adapters, stage.value),
            tokenizer=settings.tokenizer,
            context_tokens=models.context_tokens,
            sampling=Sampling(
                temperature=settings.temperature if own < GREEDY else own,
                top_p=settings.top_p,
                seed=settings.seed + seed_offset,
                max_output_tokens=settings.max_output_tokens,
            ),
            edit_format=EditFormat(settings.edit_format),
            think=settings.think,
        )

    def roles_without_model(self) -> dict[Role, tuple[CallStage, ...]]:
        """Return each role that names no model, with the stages that would ask it."""
        found: dict[Role, tuple[CallStage, ...]] = {}
        for stage in CallStage:
            role = Role(getattr(self.config.stages, stage.value))
            if not self._settings(role).model:
                found[role] = (*found.get(role, ()), stage)
        return found

    def base_url(self) -> str:
        """Return where the backend is served; "" for one in process.

        Raises:
            ConfigError: the backend needs an address and none is set.
        """
        models = self.config.models
        if models.base_url or models.backend in (*IN_PROCESS, MODEL_FREE):
            return models.base_url
        if models.backend == "ollama":
            return OLLAMA_URL
        raise ConfigError(
            f'models.backend = "{models.backend}" needs an address',
            where="[models]",
            hint='add the line: base_url = "http://127.0.0.1:8000"',
        )

    def _settings(self, role: Role) -> RoleConfig:
        return self.config.coding if role is Role.CODING else self.config.reasoning


def missing_model(stage: CallStage, role: Role, *, model_free: bool) -> ConfigError:
    """Build the error that names the lines to add: only those that are not there."""
    lines = LINES_TO_ADD if model_free else MODEL_LINES[role]
    why = 'models.backend is "none"' if model_free else f"[{role}] names no model"
    return ConfigError(
        f"the stage {stage} needs a model, and {why}",
        where=f"[{'models' if model_free else role}]",
        hint=lines_hint(lines),
    )


def lines_hint(lines: str) -> str:
    """Return a hint of several lines; the names of models are examples."""
    return (
        "for example, in .clean_room/config.toml under sections that it has already:\n"
        f"{lines.rstrip()}"
    )
