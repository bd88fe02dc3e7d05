"""Which model server may be called, and at which addresses.

Takes: the configured URL and the hosts a person has listed. Gives: an `Endpoint`, or ConfigError.
Does not know: HTTP, models, or who sent the prompt.

The policy is checked twice: on the URL when a transport is made, and on the resolved addresses
each time a socket is opened, so a name that changes its address later gains nothing. It does not
guard against what a listed host does with a prompt.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from clean_room_agent.errors import ConfigError
from clean_room_agent.network import admit

_PLAIN_URL = re.compile(r"[!-\[\]-~]+")  # printable ASCII, no blank and no backslash
_PORTS = {"http": 80, "https": 443}
Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that may be called; `listed` hosts may lie outside this machine."""

    base_url: str
    host: str
    port: int
    listed: bool


def remote_hint(host: str) -> str:
    """Name both keys that a host outside this machine needs, as lines to add."""
    return (
        "prompts hold your source code; to send it there, in this repository's "
        ".clean_room/config.toml under [models]:\n"
        f'allowed_hosts = ["{host}"]\n'
        f'consent = ["{host}"]'
    )


def check_endpoint(base_url: str, allowed_hosts: tuple[str, ...]) -> Endpoint:
    """Accept a server on this machine, or on a host that the configuration lists.

    Raises: ConfigError, which never repeats a user name or password of the URL.
    """
    parts = _split(base_url)
    host = (parts.hostname or "").lower()
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise ConfigError("the port of the model server is not a number up to 65535") from None
    listed = host in {name.lower().strip("[]") for name in allowed_hosts}
    if not listed and not _is_this_machine(host, port):
        raise ConfigError(
            f"the model server {host} is not on this machine",
            where=f"{parts.scheme}://{host}:{port}",
            hint=remote_hint(host),
        )
    return Endpoint(base_url.rstrip("/"), host, port, listed)


def addresses(endpoint: Endpoint) -> list[Address]:
    """Resolve the host; for a host that is not listed every address must be this machine's.

    Raises: OSError when the name is unknown, ConfigError when it points elsewhere.
    """
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    result: list[Address] = []
    for family, _, _, _, address in found:
        if not endpoint.listed and not _is_loopback(str(address[0])):
            raise ConfigError(f"{endpoint.host} resolves to {address[0]}, not to this machine")
        if family == socket.AF_INET:
            result.append((socket.AF_INET, (str(address[0]), int(address[1]))))
        elif family == socket.AF_INET6 and len(address) == 4:
            result.append((socket.AF_INET6, (str(address[0]), int(address[1]), *address[2:4])))
    admit(endpoint.host, [address[0] for _, address in result])
    return result


def needs_resolver(endpoint: Endpoint) -> bool:
    """Tell whether finding the address may ask a name server, which can hang."""
    return endpoint.host != "localhost" and _literal(endpoint.host) is None


def _split(base_url: str) -> SplitResult:
    """Take a URL apart, refusing whatever two parsers could read in two ways."""
    hint = "write it like http://127.0.0.1:11434"
    if not _PLAIN_URL.fullmatch(base_url):
        raise ConfigError("the URL of the model server is empty or has odd characters", hint=hint)
    try:
        parts = urlsplit(base_url)
    except ValueError:
        raise ConfigError("the URL of the model server cannot be read", hint=hint) from None
    if parts.scheme not in _PORTS:
        raise ConfigError("the URL of the model server must be http or https", hint=hint)
    if "@" in parts.netloc:
        raise ConfigError(
            "the URL of the model server holds a user name or password",
            hint="put the key in an environment variable and name it in models.api_key_variable",
        )
    if not parts.hostname or parts.query or parts.fragment or "%" in parts.netloc:
        raise ConfigError("the URL of the model server needs a host and no query", hint=hint)
    return parts


def _is_this_machine(host: str, port: int) -> bool:
    if host != "localhost":
        return _is_loopback(host)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(_is_loopback(str(address[0])) for *_, address in found)


def _is_loopback(text: str) -> bool:
    literal = _literal(text)
    return literal is not None and literal.is_loopback


def _literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
