"""Which hosts outside this machine may be sent this repository's code.

Takes: the models section and the server's URL. Gives: the hosts to let through.
Does not know: sockets, or who sends what.

Two keys must name a host. `models.allowed_hosts` says that a person trusts the server, and may
stand in the user's own file. `models.consent` says that *this* repository may go there, and is
taken from the repository's own `.clean_room/config.toml` alone: neither the user's file, nor the
environment, nor `-c` can consent for a repository, and a `.clean_room` that git tracks is refused.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from clean_room_agent.config.schema import ModelsConfig
from clean_room_agent.errors import ConfigError


def consented_hosts(models: ModelsConfig, base_url: str) -> tuple[str, ...]:
    """Return the hosts that are both listed and consented to.

    Raises:
        ConfigError: the server's host is listed, but this repository has not consented to it.
    """
    consent = {_plain(host) for host in models.consent}
    hosts = tuple(host for host in map(_plain, models.allowed_hosts) if host in consent)
    host = _host_of(base_url)
    if host in map(_plain, models.allowed_hosts) and host not in hosts:
        raise ConfigError(
            f"the model server {host} is listed, but this repository has not consented to it",
            where="models.consent",
            hint=f'prompts hold your source code; to send it there add consent = ["{host}"] under '
            "[models] in .clean_room/config.toml; `cra context TASK --prompt` shows what a prompt "
            "holds",
        )
    return hosts


def _plain(host: str) -> str:
    return host.lower().strip("[]")


def _host_of(base_url: str) -> str:
    """Return the host of a URL; "" for one that cannot be read, which is refused later by name."""
    try:
        return (urlsplit(base_url).hostname or "").lower()
    except ValueError:
        return ""
