"""The demo repository is built the same everywhere, and exactly one test fails in it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from eval_suites.loader import run_git, run_tests

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
FAILING = "tests/test_manifest.py::test_parcel_of_exactly_two_kilos_costs_the_two_kilo_price"
FAULT = ("parcelquote/tariffs.py", "if grams < band.up_to_grams:", "if grams <= band.up_to_grams:")


def load_build() -> ModuleType:
    """``examples/demo/build.py`` as a module."""
    spec = importlib.util.spec_from_file_location("demo_build", DEMO / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo repository, built once."""
    folder = tmp_path_factory.mktemp("demo") / "parcelquote"
    load_build().build(folder)
    return folder


def test_history_is_long_and_has_several_authors(repository: Path) -> None:
    assert len(run_git(repository, "rev-list", "HEAD").split()) == 12
    assert len(set(run_git(repository, "log", "--format=%an").splitlines())) == 3
    months = {line[:7] for line in run_git(repository, "log", "--format=%as").splitlines()}
    assert len(months) == 6


def test_tree_is_clean(repository: Path) -> None:
    assert run_git(repository, "status", "--porcelain") == ""


def test_exactly_the_intended_test_fails(repository: Path) -> None:
    results = run_tests(repository)
    assert [name for name, passed in results.items() if not passed] == [FAILING]
    assert len(results) >= 40


def test_one_character_mends_it(repository: Path, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    run_git(tmp_path, "clone", "-q", str(repository), str(mended))
    name, wrong, right = FAULT
    source = (mended / name).read_text(encoding="utf-8")
    assert source.count(wrong) == 1
    (mended / name).write_text(source.replace(wrong, right), encoding="utf-8")
    assert all(run_tests(mended).values())


def test_tests_pass_before_the_last_commit(repository: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    run_git(tmp_path, "clone", "-q", str(repository), str(earlier))
    for commit in run_git(earlier, "rev-list", "--reverse", "HEAD~1").split()[::5]:
        run_git(earlier, "checkout", "-q", commit)
        assert all(run_tests(earlier).values())


def test_fault_is_two_imports_from_the_failing_test(repository: Path) -> None:
    package = repository / "parcelquote"
    manifest = (package / "manifest.py").read_text(encoding="utf-8")
    quotes = (package / "quotes.py").read_text(encoding="utf-8")
    assert "from parcelquote.quotes import" in manifest
    assert "from parcelquote.tariffs import" in quotes


def test_module_and_its_tests_change_together(repository: Path) -> None:
    touched = run_git(repository, "log", "--format=", "--name-only", "-1", "HEAD~4").split()
    assert {"parcelquote/tariffs.py", "parcelquote/quotes.py", "tests/test_tariffs.py"} <= set(
        touched
    )


def test_every_step_is_used() -> None:
    used = {step.folder.name for step in load_build().read_steps()}
    assert used == {path.name for path in (DEMO / "steps").iterdir()}


def test_same_commit_ids_in_two_builds(repository: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO / "build.py"), str(tmp_path / "again")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run_git(repository, "rev-parse", "HEAD").strip() in done.stdout


def test_full_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not empty"):
        load_build().build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
