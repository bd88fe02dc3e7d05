"""Open the models of a run from its configuration.

Takes: the configuration, the log, the environment for the key's value. Gives: `ModelClient`.
Does not know: verbs or stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from clean_room_agent.config import Config
from clean_room_agent.config.consent import consented_hosts
from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.llm.count_keeper import CountKeeper
from clean_room_agent.llm.counters import Observation
from clean_room_agent.llm.rooms import CountOverride, ModelRoom, ReadCounts
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.transports import open_transport
from clean_room_agent.llm.wire import Transport
from clean_room_agent.network import allow_hosts
from clean_room_agent.records.task import RunId
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader


def open_models(
    config: Config,
    raw: RawLog,
    run_id: RunId,
    environment: Mapping[str, str],
    *,
    transport: Callable[[Router], Transport] | None = None,
    recorded_counter: CountOverride | None = None,
) -> ModelClient | None:
    """Return the client of a run; None in the declared model-free mode.

    `transport` opens something else than the configured backend, and `recorded_counter` gives the
    counters of a logged run: both for running it again.

    Raises:
        ConfigError: an address, a key or an extra is missing.
    """
    router = Router(config)
    if router.is_model_free:
        return None
    opened = transport(router) if transport else open_backend(router, environment)
    kept = CountKeeper(opened, raw, run_id)
    room = ModelRoom(router, kept, read_counts_of(raw.repo_path), recorded_counter)
    return ModelClient(room, raw, run_id)


def open_backend(router: Router, environment: Mapping[str, str]) -> Transport:
    """Open the configured transport. Raises: ConfigError."""
    models = router.config.models
    hosts = consented_hosts(models, router.base_url())
    allow_hosts(hosts)
    return open_transport(
        models.backend,
        router.base_url(),
        api_key=_key(models.api_key_variable, environment),
        allowed_hosts=hosts,
    )


def read_counts_of(repo_path: Path) -> ReadCounts:
    """Return a reader of what servers counted for a model before."""

    def read(model: str) -> tuple[Observation, ...]:
        with closing(RawReader(repo_path)) as reader:
            return reader.read_token_counts(model)

    return read


def _key(variable: str, environment: Mapping[str, str]) -> str:
    if not variable:
        return ""
    if variable not in environment:
        raise ConfigError(
            f"the environment variable {variable} is not set",
            where="models.api_key_variable",
            hint=f"export {variable}=..., or remove the setting",
        )
    return environment[variable]
