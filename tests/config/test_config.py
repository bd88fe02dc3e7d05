"""Configuration fails early, names the line to change, and records each value's origin."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from clean_room_agent.config import load_config, project_config_path, render_template
from clean_room_agent.config.schema import FieldClass, all_fields
from clean_room_agent.errors import ConfigError

REQUIRED = {"models.backend": "none"}


def write(root: Path, text: str) -> Path:
    path = project_config_path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_every_field_is_classified_and_documented() -> None:
    for key, entry in all_fields().items():
        assert isinstance(entry.metadata.get("class"), FieldClass), key
        assert entry.metadata.get("doc"), key


def test_the_template_is_valid_and_changes_no_default(tmp_path: Path) -> None:
    text = render_template(REQUIRED)
    assert set(tomllib.loads(text)) == {key.split(".")[0] for key in all_fields()}
    write(tmp_path, text)
    loaded = load_config(tmp_path, overrides=(), environment={})
    changed = {key for key, origin in loaded.origins.items() if origin != "built-in"}
    assert changed == set(REQUIRED)


def test_every_optional_field_stands_in_the_template_with_a_valid_default(tmp_path: Path) -> None:
    text = render_template(REQUIRED)
    uncommented = "\n".join(
        line[2:]
        if line.startswith("# ") and " = " in line and ":" not in line.split("=")[0]
        else line
        for line in text.splitlines()
    )
    write(tmp_path, uncommented)
    loaded = load_config(tmp_path, overrides=(), environment={})
    assert set(loaded.origins.values()) == {str(project_config_path(tmp_path))}


def test_precedence_is_flag_then_environment_then_project_then_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("[solve]\nseconds = 1\nmax_candidates = 11\n", "utf-8")
    write(tmp_path, '[models]\nbackend = "none"\n[solve]\nseconds = 2\n')
    environment = {"CRA_HOME": str(home)}
    loaded = load_config(tmp_path, overrides=(), environment=environment)
    assert (loaded.config.solve.seconds, loaded.config.solve.max_candidates) == (2.0, 11)
    environment["CRA_SOLVE_SECONDS"] = "3"
    loaded = load_config(tmp_path, overrides=(), environment=environment)
    assert loaded.config.solve.seconds == 3.0
    assert loaded.origins["solve.seconds"] == "environment CRA_SOLVE_SECONDS"
    loaded = load_config(tmp_path, overrides=["solve.seconds=4"], environment=environment)
    assert loaded.config.solve.seconds == 4.0
    assert loaded.origins["solve.seconds"] == "-c"


BAD = {
    "unknown key": ("[solve]\nsecond = 1\n", "did you mean solve.seconds"),
    "wrong type": ('[solve]\nseconds = "long"\n', "must be of type float"),
    "boolean": ("[solve]\nmax_candidates = true\n", "must be of type int"),
    "negative": ("[solve]\nseconds = -1\n", "above 0"),
    "not allowed": ('[sandbox]\nbackend = "chroot"\n', "one of auto"),
    "no section": ("seconds = 1\n", "must stand in a"),
    "not TOML": ("[solve\n", "not valid TOML"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_a_wrong_file_is_refused_with_its_path(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(tmp_path, overrides=["models.backend=none"], environment={})
    assert caught.value.exit_code == 3
    assert caught.value.where == str(path)


def test_a_missing_models_section_names_the_lines_to_add(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cra init --offline.*\[models\]"):
        load_config(tmp_path, overrides=(), environment={})


def test_unknown_environment_variables_and_malformed_overrides_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CRA_SOLVE_SECONDS"):
        load_config(tmp_path, overrides=(), environment={"CRA_SOLVE_SECOND": "1"})
    for key, hint in (
        ("model.backend", "did you mean models.backend?"),
        ("index.watch_poll", "did you mean index.watch_poll_seconds?"),
        ("search.bogus", "see `cra config show`"),  # not the enrich.tokens of another section
    ):
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path, overrides=[f"{key}=1"], environment={})
        assert caught.value.hint == hint, key
    with pytest.raises(ConfigError, match=r"section\.key=value"):
        load_config(tmp_path, overrides=["solve.seconds"], environment={})


def test_the_example_in_the_repository_is_what_init_writes() -> None:
    example = Path(__file__).parents[2] / ".clean_room.example" / "config.toml"
    assert example.read_text("utf-8") == render_template(REQUIRED)
