"""The ways to reach a model, opened by name.

Takes: the backend's name, a URL, a key, the listed hosts. Gives: a `Transport`.
Does not know: which model is asked for what, or where the key came from.

Each way is imported when it is opened, so a command that calls no model loads no client.
"""

from __future__ import annotations

from clean_room_agent.config.extras import install_hint
from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.wire import Transport

_OVER_HTTP = ("ollama", "openai", "vllm", "llamacpp")
_IN_PROCESS = ("gguf", "hf")
# What an extra installs, by the module whose absence shows that it is missing.
_EXTRAS = {
    "xllamacpp": "llamacpp",
    "torch": "train",
    "transformers": "train",
    "peft": "train",
    "llguidance": "train",
}


def open_transport(
    backend: str, base_url: str, *, api_key: str = "", allowed_hosts: tuple[str, ...] = ()
) -> Transport:
    """Open a backend; `base_url` says nothing to one in this process.

    Raises: ConfigError for an unknown backend, an address that is missing or may not be called, a
    key that no header can carry, or a missing extra.
    """
    if backend in _OVER_HTTP:
        return _open_http(backend, base_url, api_key, allowed_hosts)
    if backend in _IN_PROCESS:
        return _open_in_process(backend)
    known = ", ".join(_OVER_HTTP + _IN_PROCESS)
    raise ConfigError(
        f'no model backend is called "{backend}"', where="models.backend", hint=f"one of {known}"
    )


def _open_http(
    backend: str, base_url: str, api_key: str, allowed_hosts: tuple[str, ...]
) -> Transport:
    if backend == "ollama":
        from clean_room_agent.llm.transports.ollama import OllamaTransport

        return OllamaTransport(base_url, api_key=api_key, allowed_hosts=allowed_hosts)
    if backend == "vllm":
        from clean_room_agent.llm.transports.vllm import VllmTransport

        return VllmTransport(base_url, api_key=api_key, allowed_hosts=allowed_hosts)
    if backend == "llamacpp":
        from clean_room_agent.llm.transports.llamacpp import LlamaCppTransport

        return LlamaCppTransport(base_url, api_key=api_key, allowed_hosts=allowed_hosts)
    from clean_room_agent.llm.transports.openai import OpenAITransport

    return OpenAITransport(base_url, api_key=api_key, allowed_hosts=allowed_hosts)


def _open_in_process(backend: str) -> Transport:
    try:
        if backend == "gguf":
            from clean_room_agent.llm.transports.gguf import GgufTransport

            return GgufTransport()
        from clean_room_agent.llm.transports.hf import HfTransport

        return HfTransport()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ConfigError(
            f'backend "{backend}" needs {error.name}, which is not installed',
            where="models.backend",
            hint=install_hint(extra),
        ) from error
