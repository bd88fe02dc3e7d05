"""HTTPS obeys the same clock, and trusts only certificates that the machine trusts."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from clean_room_agent.llm.transports.ollama import OllamaTransport
from clean_room_agent.records.calls import ReplyStatus
from tests.llm.transports.wiring import QUICK, ask_for, call, fail
from tests.support.model_server import Answer, Fault, ModelServer, Trouble


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody has signed, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    command += " -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return both


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_server_with_a_trusted_certificate_answers(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("cert.pem")))
    text = "a long answer " * 20_000
    with ModelServer("ollama", [Answer(text, piece_characters=9_999)], tls=tls) as server:
        assert call(OllamaTransport(server.base_url), ask_for("x" * 300_000)).text == text


def test_a_server_with_an_unknown_certificate_is_refused(tls: ssl.SSLContext) -> None:
    with ModelServer("ollama", [Answer("x")], tls=tls) as server:
        error = fail(OllamaTransport(server.base_url), ask_for()).error
        assert error.status is ReplyStatus.CONNECT
        assert "certificate" in error.message
        assert server.calls == []


def test_a_hanging_stream_ends_within_its_timeout(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("cert.pem")))
    hang = Answer("one two three four", fault=Fault(Trouble.HANG, after=2))
    with ModelServer("ollama", [hang], tls=tls) as server:
        error = fail(OllamaTransport(server.base_url), ask_for(timeouts=QUICK)).error
    assert error.status is ReplyStatus.IDLE
    assert error.received == "one two three fo"


def test_a_server_that_never_finishes_its_greeting_is_no_connection() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(1)
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        failure = fail(OllamaTransport(url), ask_for(timeouts=QUICK))
    assert failure.error.status is ReplyStatus.CONNECT
    assert failure.seconds < QUICK.total
