"""The shadow git directory: rebuilt when anything in it is not ours, safe for many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clean_room_agent.repo.git import open_repository
from clean_room_agent.repo.shadow import environment
from tests.support.git import GitRepo, snapshot


def plant_hook(shadow: Path) -> None:
    (shadow / "hooks").mkdir()


def plant_config(shadow: Path) -> None:
    with (shadow / "config").open("a") as config:
        config.write("[core]\n\tfsmonitor = evil\n")


def plant_info(shadow: Path) -> None:
    (shadow / "objects" / "info" / "http-alternates").write_text("https://example.invalid\n")


def plant_ref(shadow: Path) -> None:
    (shadow / "refs" / "replace").mkdir()


def plant_link(shadow: Path) -> None:
    real = shadow.with_name("real.git")
    shadow.rename(real)
    shadow.symlink_to(real)


def plant_file(shadow: Path) -> None:
    shadow.rename(shadow.with_name("gone.git"))
    shadow.write_text("gitdir: /elsewhere\n")


@pytest.mark.reliability(case=11)
@pytest.mark.parametrize(
    "plant", [plant_hook, plant_config, plant_info, plant_ref, plant_link, plant_file]
)
def test_anything_foreign_in_it_leads_to_a_fresh_one(repo: GitRepo, tmp_path: Path, plant) -> None:
    place = tmp_path / "state" / "shadow.git"
    repository = open_repository(repo.root, shadow=place)
    repository.list_paths()
    good = snapshot(place)

    plant(place)
    assert len(repository.list_paths()) == 2
    assert not place.is_symlink()
    assert snapshot(place) == good
    assert not [other for other in place.parent.iterdir() if other.name.startswith("shadow.git.")]


def test_it_is_private_and_untouched_by_use(repo: GitRepo, tmp_path: Path) -> None:
    place = tmp_path / "state" / "shadow.git"
    repository = open_repository(repo.root, shadow=place)
    repository.list_paths()
    before = snapshot(place)
    assert place.stat().st_mode & 0o777 == 0o700
    assert place.parent.stat().st_mode & 0o777 == 0o700
    list(repository.history())
    repository.diff({"a": b"1"}, {"a": b"2"})
    assert snapshot(place) == before


def test_many_at_once_all_find_a_good_one(repo: GitRepo, tmp_path: Path) -> None:
    def use(number: int) -> int:
        place = tmp_path / f"state-{number // 8}" / "shadow.git"
        return len(open_repository(repo.root, shadow=place).list_paths())

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(64))) == {2}


@pytest.mark.reliability(case=10)
def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_TRACE", "GIT_EXEC_PATH", "LD_PRELOAD", "PAGER", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "/evil")
    assert "/evil" not in environment().values()
    assert not {"HOME", "XDG_CONFIG_HOME", "LD_PRELOAD", "GIT_EXEC_PATH"} & environment().keys()


def test_the_users_repository_is_not_written_by_reading(repo: GitRepo, tmp_path: Path) -> None:
    before = snapshot(repo.root)
    repository = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    assert repository.head is not None
    repository.list_paths()
    list(repository.history())
    repository.dirty_paths(repository.head)
    assert snapshot(repo.root) == before
