"""The first-run story with a model server: what `cra init` writes and what is said to do next.

Takes: a repository's settings, perhaps an Ollama on this machine. Gives: model names for the
template, and the commands that are left to do. Does not know: how they are printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from clean_room_agent.llm.router import OLLAMA_URL
from clean_room_agent.llm.wire import TransportError

CODING_MODEL = "qwen2.5-coder:3b"
REASONING_MODEL = "qwen3:4b"
# What a served name must hold to be taken for a role, best first.
CODING_WORDS = ("qwen2.5-coder", "qwen3-coder", "coder", "codellama", "starcoder", "code")
REASONING_WORDS = ("qwen3", "qwen2.5", "llama", "gemma", "mistral", "phi")
SOLVE = 'cra solve "what is wrong" --test "pytest -q"'


@dataclass(frozen=True, slots=True)
class FoundServer:
    """What the Ollama of this machine holds; `reachable` is False where none answers."""

    reachable: bool
    installed: tuple[str, ...] = ()


def find_ollama(base_url: str = OLLAMA_URL) -> FoundServer:
    """Ask the local Ollama what it holds; its absence is an answer."""
    from clean_room_agent.llm.transports.ollama import OllamaTransport

    with closing(OllamaTransport(base_url)) as transport:
        try:
            return FoundServer(True, transport.installed())
        except TransportError:
            return FoundServer(False)


def choose_models(installed: Sequence[str]) -> tuple[str, str]:
    """Return (coding, reasoning): what is installed and fits, else the models we suggest."""
    coding = _first(installed, CODING_WORDS) or CODING_MODEL
    others = [name for name in installed if name != coding and "coder" not in name]
    return coding, _first(others, REASONING_WORDS) or REASONING_MODEL


def _first(installed: Sequence[str], words: Sequence[str]) -> str:
    return next((name for word in words for name in sorted(installed) if word in name), "")


def next_commands(found: FoundServer, models: Sequence[str]) -> list[str]:
    """Return what is left to do before and including the first solve, one command a line."""
    missing = [name for name in dict.fromkeys(models) if name not in found.installed]
    pulls = " && ".join(f"ollama pull {name}" for name in missing)
    start = [] if found.reachable else ["ollama serve"]
    return [*start, *([pulls] if pulls else []), SOLVE]
