"""A server that judges with yes and says what a test wants to every other call."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.support.model_server import Answer, ModelServer

Say = Callable[[str], Answer]


def prompt_of(body: dict[str, Any]) -> str:
    text: str = body["messages"][-1]["content"]
    return text


def properties_of(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["format"]["properties"]
    return found


def serve(say: Say) -> ModelServer:
    """`say` gets the prompt of each call that is no judgment."""

    def answer(body: dict[str, Any]) -> Answer:
        properties = properties_of(body)
        if "claims" in properties or "purpose" in properties:
            return say(prompt_of(body))
        if "identifiers" in properties:
            return Answer('{"identifiers": [], "paths": [], "search": []}')
        yes = {key: {"reason": "yes", "verdict": "include"} for key in properties}
        return Answer(json.dumps(yes))

    return ModelServer("ollama", answer, models={"tiny": 32768})


def settings(server: ModelServer, *more: str) -> list[str]:
    words = (
        'models.backend="ollama"',
        f'models.base_url="{server.base_url}"',
        'coding.model="tiny"',
        'reasoning.model="tiny"',
        "reasoning.max_output_tokens=512",
        "models.retries=0",
        *more,
    )
    return [part for word in words for part in ("-c", word)]


def asked(server: ModelServer, name: str) -> list[str]:
    """The prompts of the calls whose answer has a field of this name."""
    return [prompt_of(body) for body in server.chats if name in properties_of(body)]


def claim(text: str, *cited: tuple[str, int, int]) -> dict[str, Any]:
    return {
        "text": text,
        "citations": [{"path": p, "start_line": a, "end_line": b} for p, a, b in cited],
    }


def claims(*said: dict[str, Any]) -> Answer:
    return Answer(json.dumps({"claims": list(said)}))


def description(purpose: str, concepts: Sequence[str] = ()) -> Answer:
    return Answer(
        json.dumps({"purpose": purpose, "concepts": list(concepts), "relations": ["used by all"]})
    )
