"""A real client over a scripted transport and a real log, for tests of what stands around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.config import Config, load_config
from clean_room_agent.llm.client import Call, ModelClient
from clean_room_agent.llm.rooms import ModelRoom
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import Transport
from clean_room_agent.records.calls import CallStage, Prompt
from clean_room_agent.records.context import Fragment, FragmentKind
from clean_room_agent.records.log import Run
from clean_room_agent.records.task import RunId
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader

RUN = RunId("r-1")
MODELS = ('models.backend="openai"', 'models.base_url="http://127.0.0.1:1"')
NAMES = ('coding.model="coder"', 'reasoning.model="thinker"')


def model_config(root: Path, *overrides: str) -> Config:
    """Return a configuration with two models, changed by `overrides`."""
    words = (*MODELS, *NAMES, *overrides)
    return load_config(root, overrides=words, environment={}).config


@dataclass(frozen=True)
class OpenClient:
    """A client with the log behind it."""

    client: ModelClient
    raw: RawLog
    root: Path

    def read(self) -> RawReader:
        return RawReader(self.root)


@contextmanager
def open_client(
    root: Path,
    transport: Transport | Callable[..., str],
    *overrides: str,
    counts: Mapping[str, tuple[tuple[int, str, int], ...]] | None = None,
) -> Iterator[OpenClient]:
    """Open a client in `root` over a transport, or a script that answers."""
    way = transport if not callable(transport) else ScriptedTransport(transport)
    known = dict(counts or {})
    root.mkdir(exist_ok=True)
    with RawLog(root) as raw:
        raw.append_run(Run(RUN, "test", (), {}, "0", 1))
        router = Router(model_config(root, *overrides))
        room = ModelRoom(router, way, lambda model: known.get(model, ()))
        client = ModelClient(room, raw, RUN)
        try:
            yield OpenClient(client, raw, root)
        finally:
            client.close()


def text_prompt(text: str, tokens: int | None = None) -> Prompt:
    """Return a prompt of one instruction."""
    data = text.encode()
    counted = len(data) if tokens is None else tokens
    return Prompt((Fragment(FragmentKind.INSTRUCTION, data, counted, template="test/1"),))


def text_call(text: str, stage: CallStage = CallStage.SCOPE) -> Call:
    """Return a call of one instruction."""
    return Call(stage, text_prompt(text))
