"""A task room with a scripted model, over a real repository, index and log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clean_room_agent.config import load_config
from clean_room_agent.indexing import index_repository
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.llm.rooms import ModelRoom
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import WireRequest
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.records.log import Run
from clean_room_agent.records.task import RunId
from clean_room_agent.repo.git import open_repository
from clean_room_agent.store.raw import RawLog, new_id

Say = Callable[[WireRequest], str]
MODEL = (
    'models.backend="ollama"',
    'coding.model="tiny"',
    'reasoning.model="tiny"',
    "reasoning.max_output_tokens=512",
)


def judging(say: Say) -> Say:
    """Answer the judges with yes, and every other call as `say` does."""

    def answer(request: WireRequest) -> str:
        properties = (request.schema or {}).get("properties", {})
        assert isinstance(properties, dict)
        if "claims" in properties or "purpose" in properties:
            return say(request)
        if "identifiers" in properties:
            return json.dumps({"identifiers": [], "paths": [], "search": []})
        if "order" in properties:
            raise AssertionError("nothing here passes the budget")
        return json.dumps({key: {"reason": "yes", "verdict": "include"} for key in properties})

    return answer


def claims(*said: tuple[str, Sequence[tuple[str, int, int]]]) -> str:
    """Write an answer as a model would."""
    found: list[dict[str, Any]] = [
        {
            "text": text,
            "citations": [{"path": p, "start_line": a, "end_line": b} for p, a, b in cited],
        }
        for text, cited in said
    ]
    return json.dumps({"claims": found})


@contextmanager
def open_test_room(
    root: Path,
    say: Say | None,
    *overrides: str,
    notes: list[str] | None = None,
    judges_agree: bool = True,
) -> Iterator[TaskRoom]:
    """Index `root` and open its room; `say` None is the model-free mode.

    Unless `judges_agree`, every call is answered by `say`.
    """
    chosen = MODEL if say is not None else ('models.backend="none"',)
    config = load_config(root, overrides=(*chosen, *overrides), environment={}).config
    repository = open_repository(root)
    index_repository(repository, repo_path=root)
    run_id = RunId(new_id("r"))
    with RawLog(root) as raw:
        raw.append_run(Run(run_id, "ask", (), {}, "0", 1))
        models = None
        if say is not None:
            hears = judging(say) if judges_agree else say
            room = ModelRoom(Router(config), ScriptedTransport(hears), lambda model: ())
            models = ModelClient(room, raw, run_id)
        yield TaskRoom(
            repository,
            raw,
            run_id,
            config,
            lambda phase, done, total, detail: None,
            (notes if notes is not None else []).append,
            models,
        )
