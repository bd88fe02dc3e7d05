"""Prompts hold source code: they go to this machine, or to hosts that a person has listed."""

from __future__ import annotations

import httpx
import pytest

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.endpoint import Endpoint
from clean_room_agent.llm.transports.http import HttpClient, Watch, check_endpoint
from clean_room_agent.llm.transports.ollama import OllamaTransport
from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus
from tests.llm.transports.wiring import PATIENT, ask_for, call, fail
from tests.support.model_server import Answer, Fault, ModelServer, Trouble, redirect


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434",
        "http://127.9.8.7",
        "http://[::1]:8080/",
        "http://localhost:1234",
        "HTTP://LOCALHOST:1234",
        "https://localhost",
    ],
)
def test_a_server_on_this_machine_needs_no_listing(url: str) -> None:
    assert check_endpoint(url, ()).listed is False


OUTSIDE = [
    "http://example.com",
    "http://10.0.0.5:11434",
    "http://192.168.1.2",
    "http://0.0.0.0:11434",
    "http://[::]:80",
    "http://[fe80::1]:80",
    "http://[::ffff:10.0.0.1]:80",
    "http://127.0.0.1.example.com",
    "http://localhost.example.com",
    "http://2130706433",
    "http://0x7f.1",
]


@pytest.mark.reliability(90)
@pytest.mark.parametrize("url", OUTSIDE)
def test_any_other_host_is_refused_unless_it_is_listed(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_endpoint(url, ("other.example",))
    assert "allowed_hosts" in str(caught.value)
    host = httpx.URL(url).host
    assert check_endpoint(url, (host.upper(),)).listed is True


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:11434",
        "file:///etc/passwd",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://[::1",
        "http://127.0.0.1\\@example.com",
        "http://127.0.0.1 .example.com",
        "http://127.0.0.1\n.example.com",
        "http://127.0.0.1/?q=1",
        "http://127.0.0.1/#x",
        "http://[fe80::1%25eth0]",
    ],
)
def test_a_url_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        check_endpoint(url, ("example.com", "127.0.0.1", "fe80::1%25eth0"))


@pytest.mark.reliability(95)
@pytest.mark.parametrize("host", ["127.0.0.1", "example.com"])
def test_a_password_in_the_url_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_endpoint(f"http://user:hunter2@{host}", (host,))
    assert "hunter2" not in str(caught.value) + repr(caught.value)


@pytest.mark.reliability(90)
def test_a_name_that_starts_to_point_elsewhere_is_refused_when_the_socket_opens() -> None:
    """0.0.0.0 reaches this machine, but is no loopback address: it stands for any other one."""
    with ModelServer("ollama") as server:
        port = int(server.base_url.rpartition(":")[2])
        url = f"http://0.0.0.0:{port}"
        moved = HttpClient(Endpoint(url, "0.0.0.0", port, listed=False))
        with pytest.raises(TransportError) as caught:
            moved.ask("/api/tags", Watch(PATIENT))
        assert caught.value.status is ReplyStatus.REFUSED
        assert server.calls == []
        listed = HttpClient(Endpoint(url, "0.0.0.0", port, listed=True))
        listed.ask("/api/tags", Watch(PATIENT))
        assert server.calls == [("GET", "/api/tags")]  # without the guard the request arrives


@pytest.mark.reliability(90)
def test_a_redirect_is_not_followed() -> None:
    with ModelServer("ollama", [Answer("stolen")] * 2) as thief:
        away = Answer(fault=redirect(f"{thief.base_url}/api/chat"))
        moved = Answer(
            fault=Fault(
                Trouble.STATUS, code=307, headers={"Location": f"{thief.base_url}/api/chat"}
            )
        )
        with ModelServer("ollama", [away, moved, moved]) as server:
            transport = OllamaTransport(server.base_url)
            for _ in range(2):
                failure = fail(transport, ask_for("secret source"))
                assert failure.error.status is ReplyStatus.REFUSED
                assert "redirects" in failure.error.message
            assert thief.calls == []
            plain = httpx.post(
                f"{server.base_url}/api/chat", json=server.chats[0], follow_redirects=True
            )
            assert plain.status_code == 200
            assert thief.chats[0]["messages"][0]["content"] == "secret source"


@pytest.mark.reliability(90)
def test_a_proxy_of_the_environment_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer("ollama", [Answer("hello")]) as server, ModelServer("ollama") as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base_url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert call(OllamaTransport(server.base_url), ask_for()).text == "hello"
        assert proxy.calls == []
        httpx.get(f"{server.base_url}/api/tags")
        assert len(proxy.calls) == 1  # a client that trusts the environment goes there
