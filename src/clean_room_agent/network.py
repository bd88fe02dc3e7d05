"""Where this process may connect to: this machine, and what a person listed and consented to.

Takes: hosts, once the configuration is read. Gives: a guard that makes every other connection a
hard error, whichever library asks for it.
Does not know: why somebody wants to connect, or what is sent.

The guard is an audit hook of the interpreter: once installed nothing can take it out, and every
socket that Python code opens passes it, also those of a library's own making. It does not see
sockets of native code (llama.cpp, torch), nor of children: tests run in a sandbox that has no
network at all. A name is let through to the resolver only if it is listed; an address only if it
is loopback, or `admit` said that a listed name resolved to it. A name handed to `socket.connect`
itself is looked up before the hook is asked; the libraries in use resolve first, and are asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from clean_room_agent.errors import ConfigError

_TO_ADDRESS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_TO_NAME = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_INTERNET = ("AF_INET", "AF_INET6")
_WITHIN = ("AF_UNIX", "AF_NETLINK", "AF_ALG")
_LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


class _Policy:
    """One per process, like the hook: what is let through besides loopback."""

    installed = False
    hosts: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()


def guard_network() -> None:
    """Install the guard, once; from now on only loopback can be reached."""
    if not _Policy.installed:
        _Policy.installed = True
        sys.addaudithook(_watch)


def allow_hosts(hosts: Iterable[str]) -> None:
    """Let listed hosts through, in place of those before; the configuration alone decides this."""
    _Policy.hosts = frozenset(host.lower().strip("[]") for host in hosts)
    _Policy.addresses = frozenset()


def admit(host: str, addresses: Iterable[str]) -> None:
    """Say what a listed host resolved to. For any other host this changes nothing."""
    if host.lower().strip("[]") in _Policy.hosts:
        _Policy.addresses |= frozenset(addresses)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's, also an IPv4 one written as IPv6."""
    import ipaddress  # 2 ms at each start otherwise, and most verbs open no socket

    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in _TO_ADDRESS:
        handle, target = arguments
        _check_address(getattr(handle, "family", None), target)
    elif event in _TO_NAME:
        _check_name(arguments[0])


def _check_address(family: object, target: object) -> None:
    """Refuse an address outside; sockets that cannot leave the machine pass."""
    name = str(getattr(family, "name", family))
    if name in _WITHIN or target is None:
        return
    host = str(target[0]).lower() if name in _INTERNET and isinstance(target, tuple) else name
    if host in _LOCAL_NAMES or is_loopback(host):
        return
    if host not in _Policy.hosts and host not in _Policy.addresses:
        raise _refusal(host)


def _check_name(name: object) -> None:
    """Refuse to resolve what is not listed: a look-up by itself already tells somebody."""
    if name is None:
        return
    host = (name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)).lower()
    if host in _LOCAL_NAMES or is_loopback(host):
        return
    if host not in _Policy.hosts and host not in _Policy.addresses:
        raise _refusal(host)


def _refusal(host: str) -> ConfigError:
    return ConfigError(
        f"a connection to {host} was refused: it is not on this machine",
        where="network guard",
        hint=f'to allow it, add "{host}" to models.allowed_hosts and to models.consent of this '
        "repository's .clean_room/config.toml",
    )
