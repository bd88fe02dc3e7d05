"""The network guard: only this machine, and what was listed, whichever library asks.

Each check runs in a process of its own, since a guard once installed can never be taken out.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from clean_room_agent.network import is_loopback

# TEST-NET-1: an address that reaches nobody, wherever this runs.
OUTSIDE = "192.0.2.1"
PRELUDE = """\
import socket, sys, threading, asyncio
from clean_room_agent.errors import CraError
from clean_room_agent import network

def said(act):
    try:
        act()
    except CraError as error:
        return "refused " + error.message
    except OSError as error:
        return "tried"
    return "through"

def connect(host, port=9, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as one:
        one.settimeout(0.05)
        one.connect((host, port))

def send(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", (host, 9))

def sendmsg(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendmsg([b"x"], [], 0, (host, 9))

def local():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        connect("127.0.0.1", server.getsockname()[1])
"""


def run(body: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + body], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


ACTS = {
    "connect": f"connect({OUTSIDE!r})",
    "connect ipv6": "connect('2001:db8::1', family=socket.AF_INET6)",
    "datagram": f"send({OUTSIDE!r})",
    "message": f"sendmsg({OUTSIDE!r})",
    "connected datagram": f"connect({OUTSIDE!r}, kind=socket.SOCK_DGRAM)",
    "library": "__import__('httpx').get('http://192.0.2.1:9/', timeout=0.05)",
    "urllib": "__import__('urllib.request').request.urlopen('http://192.0.2.1:9/', timeout=0.05)",
    "create_connection": f"socket.create_connection(({OUTSIDE!r}, 9), 0.05)",
    "mapped": "connect('::ffff:192.0.2.1', family=socket.AF_INET6)",
    "resolver": "socket.getaddrinfo('nobody.invalid', 80)",
    "old resolver": "socket.gethostbyname('nobody.invalid')",
    "reverse": f"socket.gethostbyaddr({OUTSIDE!r})",
}


@pytest.mark.reliability(92)
def test_every_way_out_is_a_hard_error_and_loopback_is_not() -> None:
    lines = "".join(f"print(said(lambda: {act}))\n" for act in ACTS.values())
    found = run(f"network.guard_network()\n{lines}print(said(local))\n")
    assert [line.split()[0] for line in found] == ["refused"] * len(ACTS) + ["through"]
    assert OUTSIDE in found[0]


@pytest.mark.reliability(92)
def test_without_the_guard_the_same_acts_go_out() -> None:
    """Negative control. Only acts that need no name server: those would leave this machine."""
    names = ("datagram", "message", "connected datagram", "connect")
    lines = "".join(f"print(said(lambda: {ACTS[name]}))\n" for name in names)
    assert {line.split()[0] for line in run(lines)} <= {"tried", "through"}


@pytest.mark.reliability(92)
def test_the_guard_holds_in_threads_and_cannot_be_taken_out() -> None:
    found = run(
        "network.guard_network()\nnetwork.guard_network()\n"
        "kept = []\n"
        f"one = threading.Thread(target=lambda: kept.append(said(lambda: connect({OUTSIDE!r}))))\n"
        "one.start(); one.join()\n"
        "del sys.modules['clean_room_agent.network']\n"
        f"kept.append(said(lambda: send({OUTSIDE!r})))\n"
        "print(*[word.split()[0] for word in kept])\n"
    )
    assert found == ["refused refused"]


@pytest.mark.reliability(92)
@pytest.mark.reliability(90)
def test_a_listed_host_passes_with_what_it_resolved_to_and_no_other() -> None:
    found = run(
        "network.guard_network()\n"
        "network.allow_hosts(['Model.Example'])\n"
        f"print(said(lambda: connect({OUTSIDE!r})))\n"
        f"network.admit('other.example', [{OUTSIDE!r}])\n"
        f"print(said(lambda: connect({OUTSIDE!r})))\n"
        f"network.admit('model.example', [{OUTSIDE!r}])\n"
        f"print(said(lambda: send({OUTSIDE!r})))\n"
        "print(said(lambda: send('192.0.2.2')))\n"
        "network.allow_hosts([])\n"
        f"print(said(lambda: send({OUTSIDE!r})))\n"
    )
    first, second, third, fourth, last = (line.split()[0] for line in found)
    assert (first, second, fourth, last) == ("refused",) * 4
    assert third in ("tried", "through")


def test_what_is_loopback() -> None:
    inside = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::1%lo")
    outside = ("0.0.0.0", "::", "128.0.0.1", "::ffff:8.8.8.8", "127.0.0.1.example", "", "localhost")
    assert all(map(is_loopback, inside))
    assert not any(map(is_loopback, outside))


def test_the_guard_costs_a_start_next_to_nothing() -> None:
    found = run(
        "import time\nstart = time.perf_counter()\nnetwork.guard_network()\n"
        "print(time.perf_counter() - start)\n"
    )
    assert float(found[0]) < 0.001


def test_installing_it_loads_neither_sockets_nor_addresses() -> None:
    code = (
        "import sys\nfrom clean_room_agent.network import guard_network\nguard_network()\n"
        "print(sorted({'socket', 'ipaddress', 'ssl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
