"""A host outside this machine needs two words: it is listed, and this repository consents."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.config import load_config
from clean_room_agent.config.consent import consented_hosts
from clean_room_agent.errors import ConfigError
from tests.support.canaries import canaries

URL = "http://gpu.internal:8000/v1"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'[models]\nbackend = "openai"\nbase_url = "{URL}"\n{text}\n')


def hosts(root: Path, home: Path, *overrides: str, **environment: str) -> tuple[str, ...]:
    found = load_config(
        root, overrides=overrides, environment={"CRA_HOME": str(home), **environment}
    )
    return consented_hosts(found.config.models, found.config.models.base_url)


@pytest.mark.reliability(92)
def test_listed_and_consented_is_let_through(tmp_path: Path) -> None:
    write(tmp_path / "home" / "config.toml", 'allowed_hosts = ["GPU.internal", "other.internal"]')
    write(tmp_path / "repo" / ".clean_room" / "config.toml", 'consent = ["gpu.internal"]')
    assert hosts(tmp_path / "repo", tmp_path / "home") == ("gpu.internal",)


@pytest.mark.reliability(92)
def test_a_listed_host_alone_is_refused_and_the_line_to_add_is_named(tmp_path: Path) -> None:
    write(tmp_path / "home" / "config.toml", 'allowed_hosts = ["gpu.internal"]')
    with pytest.raises(ConfigError, match=r'not consented .* add consent = \["gpu.internal"\]'):
        hosts(tmp_path / "repo", tmp_path / "home")


@pytest.mark.reliability(92)
def test_consent_alone_lists_nothing(tmp_path: Path) -> None:
    write(tmp_path / "repo" / ".clean_room" / "config.toml", 'consent = ["gpu.internal"]')
    assert hosts(tmp_path / "repo", tmp_path / "home") == ()


@pytest.mark.reliability(92)
@pytest.mark.parametrize("way", ["user", "environment", "-c"])
def test_nobody_else_consents_for_a_repository(way: str, tmp_path: Path) -> None:
    line = 'consent = ["gpu.internal"]'
    write(tmp_path / "repo" / ".clean_room" / "config.toml", 'allowed_hosts = ["gpu.internal"]')
    if way == "user":
        write(tmp_path / "home" / "config.toml", line)
    environment = {"CRA_MODELS_CONSENT": '["gpu.internal"]'} if way == "environment" else {}
    overrides = ['models.consent=["gpu.internal"]'] if way == "-c" else []
    with pytest.raises(ConfigError, match="decided for one repository"):
        hosts(tmp_path / "repo", tmp_path / "home", *overrides, **environment)


@pytest.mark.reliability(95)
@pytest.mark.parametrize(
    "line",
    [f"api_key_variable = '{c.secret}'" for c in canaries() if "token" in c.kind]
    + ["api_key_variable = 'sk-short'", "api_key_variable = 'two words'"]
    + [f"base_url = 'http://bob:{canaries()[-1].secret}@127.0.0.1:1/'"]
    + [f"allowed_hosts = ['{canaries()[1].secret}']"],
    ids=range(12),
)
def test_a_key_in_a_setting_is_refused_and_never_repeated(line: str, tmp_path: Path) -> None:
    place = tmp_path / ".clean_room" / "config.toml"
    place.parent.mkdir()
    place.write_text(f'[models]\nbackend = "none"\n{line}\n')
    with pytest.raises(ConfigError, match="environment variable") as caught:
        load_config(tmp_path, overrides=(), environment={})
    value = line.split("'")[1]
    assert value not in str(caught.value)


@pytest.mark.reliability(95)
def test_the_name_of_a_variable_is_no_secret(tmp_path: Path) -> None:
    place = tmp_path / ".clean_room" / "config.toml"
    place.parent.mkdir()
    place.write_text('[models]\nbackend = "none"\napi_key_variable = "OPENAI_API_KEY"\n')
    found = load_config(tmp_path, overrides=(), environment={})
    assert found.config.models.api_key_variable == "OPENAI_API_KEY"
