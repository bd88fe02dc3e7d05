"""`cra models`: what is configured, whether it is reachable, and what is really served.

Takes: the configuration and the server. Gives: printed rows; exit code 0 when every model can be
used as configured, 4 when a server is away, 3 when a model or its window is not what is configured.
Does not know: prompts; nothing is generated.
"""

from __future__ import annotations

import os
from contextlib import closing

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.errors import ConfigError, ModelCallError
from clean_room_agent.llm.opening import open_backend
from clean_room_agent.llm.router import LINES_TO_ADD, MODEL_LINES, Router, lines_hint
from clean_room_agent.llm.survey import Surveyed, survey
from clean_room_agent.records.calls import CallStage, ReplyStatus, Role

_AWAY = (ReplyStatus.CONNECT, ReplyStatus.FIRST_TOKEN, ReplyStatus.IDLE, ReplyStatus.TOTAL)
DIGEST_SHOWN = 12


def models(invocation: Invocation) -> int:
    """Print every configured model and return the exit code."""
    router = Router(invocation.settings.config)
    output = invocation.output
    if router.is_model_free:
        output.line('models.backend = "none": model-free; judges are ranked cuts')
        output.line("to use models, put lines such as these into .clean_room/config.toml:")
        for line in LINES_TO_ADD.strip().splitlines():
            output.line(f"  {line}")
        output.document({"backend": "none", "models": []})
        return 0
    with closing(open_backend(router, os.environ)) as transport:
        found = survey(router, transport)
    missing = router.roles_without_model()
    output.line(f"{router.config.models.backend} at {router.base_url() or 'this process'}")
    output.table(
        ("role", "model", "adapter", "window", "served", "digest", "tokens", "state"),
        [*map(_row, found), *((role, "(none)", *["-"] * 5, "no model set") for role in missing)],
    )
    for entry in found:
        output.line(f"{entry.choice.role} {entry.choice.adapter}".strip() + " asks for "
                    + ", ".join(entry.stages))  # fmt: skip
        if entry.problem:
            output.line(f"  problem: {entry.problem}")
    for role, stages in missing.items():
        output.line(f"{role} asks for {', '.join(stages)}")
        output.line(f"  problem: {_unset(role)}")
        for line in lines_hint(MODEL_LINES[role]).splitlines():
            output.line(f"  {line}")
    output.document(
        {
            "backend": router.config.models.backend,
            "base_url": router.base_url(),
            "models": [*map(_document, found), *(_lacking(*item) for item in missing.items())],
        }
    )
    return _exit_code(found) or (ConfigError.exit_code if missing else 0)


def _exit_code(found: tuple[Surveyed, ...]) -> int:
    broken = [entry for entry in found if not entry.usable]
    if not broken:
        return 0
    is_away = any(entry.status in _AWAY for entry in broken)
    return ModelCallError.exit_code if is_away else ConfigError.exit_code


def _unset(role: Role) -> str:
    return f"[{role}] names no model"


def _lacking(role: Role, stages: tuple[CallStage, ...]) -> dict[str, object]:
    """What is told of a role without a model; the other keys would have no value."""
    return {
        "role": role,
        "model": "",
        "stages": list(stages),
        "reachable": False,
        "usable": False,
        "problem": _unset(role),
    }


def _row(entry: Surveyed) -> tuple[object, ...]:
    choice, served = entry.choice, entry.served
    window = served.context_tokens if served else None
    return (
        choice.role,
        choice.model,
        choice.adapter or "-",
        f"{choice.context_tokens:,}",
        f"{window:,}" if window is not None else "not told",
        (served.digest if served else "")[:DIGEST_SHOWN] or "not told",
        counting(entry),
        "ready" if entry.usable else str(entry.status if not served else "not as configured"),
    )


def counting(entry: Surveyed) -> str:
    """Say how tokens of this model are counted."""
    if entry.choice.tokenizer:
        return "exact (tokenizer.json)"
    return "exact (server)" if entry.counts_tokens else "learned bound"


def _document(entry: Surveyed) -> dict[str, object]:
    choice, served = entry.choice, entry.served
    return {
        "role": choice.role,
        "model": choice.model,
        "adapter": choice.adapter,
        "stages": list(entry.stages),
        "context_tokens": choice.context_tokens,
        "served_context_tokens": served.context_tokens if served else None,
        "digest": served.digest if served else "",
        "adapters": list(served.adapters) if served else [],
        "detail": served.detail if served else "",
        "token_counts": counting(entry),
        "edit_format": choice.edit_format,
        "temperature": choice.sampling.temperature,
        "reachable": served is not None,
        "usable": entry.usable,
        "problem": entry.problem,
    }
