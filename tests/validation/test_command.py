from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clean_room_agent.errors import UsageError
from clean_room_agent.validation.command import resolve_test_command


def program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or "#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "repo").mkdir()
    return tmp_path / "repo"


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    python = program(tmp_path / "tools" / "bin" / "python3")
    program(python.with_name("python"))
    program(python.with_name("pytest"), f"#!{python}\nimport sys\n")
    return python.parent


def resolve(text: str, root: Path, bin_dir: Path, **named):
    return resolve_test_command(text, root=root, path_env=str(bin_dir), **named)


@pytest.mark.parametrize(
    ("text", "interpreter", "arguments"),
    [
        ("pytest", "python3", ()),
        ("pytest -q tests/test_a.py", "python3", ("-q", "tests/test_a.py")),
        ("python -m pytest -k 'a b'", "python", ("-k", "a b")),
        ("python3 -B -m pytest", "python3", ()),
    ],
)
def test_common_forms_are_resolved(root, bin_dir, text, interpreter, arguments) -> None:
    command = resolve(text, root, bin_dir)
    assert command.interpreter == bin_dir / interpreter
    assert command.arguments == arguments


def test_an_absolute_path_is_taken_as_it_is(root, bin_dir) -> None:
    command = resolve(f"{bin_dir}/python -m pytest", root, Path("/nowhere"))
    assert command.interpreter == bin_dir / "python"


def test_env_shebang_and_long_path_trampoline_are_read(root, bin_dir) -> None:
    program(bin_dir / "py.test", "#!/usr/bin/env python3\n")
    assert resolve("py.test", root, bin_dir).interpreter == bin_dir / "python3"
    text = f"#!/bin/sh\n'''exec' {bin_dir}/python \"$0\" \"$@\"\n' '''\n"
    program(bin_dir / "pytest", text)
    assert resolve("pytest", root, bin_dir).interpreter == bin_dir / "python"


def make_venv(path: Path) -> Path:
    program(path / "bin" / "python")
    (path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return path / "bin" / "python"


def test_the_own_venv_is_preferred_for_bare_names_unless_another_is_active(root, bin_dir) -> None:
    own = make_venv(root / ".venv")
    assert resolve("pytest", root, bin_dir).interpreter == own
    assert resolve("python -m pytest", root, bin_dir).interpreter == own
    assert resolve("pytest", root, Path("/nowhere")).interpreter == own
    (bin_dir.parent / "pyvenv.cfg").write_text("")
    assert resolve("python -m pytest", root, bin_dir).interpreter == bin_dir / "python"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("'unbalanced", "cannot be split"),
        ("A=1 pytest", "variable"),
        ("pytest && true", "shell operators"),
        ("make test", "not a test command"),
        ("tox", "not a test command"),
        ("python tests/run.py", "not a test command"),
        ("python -c pass", "not a test command"),
        ("missing/python -m pytest", "no such program"),
        ("python3.99 -m pytest", "not on PATH"),
    ],
)
def test_what_cannot_be_understood_says_so(root, bin_dir, text, message) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(text, root, bin_dir)


@pytest.mark.reliability(case=44)
def test_a_program_of_the_repository_is_never_the_interpreter(root, bin_dir) -> None:
    planted = program(root / "bin" / "python")
    with pytest.raises(UsageError, match="belongs to the repository"):
        resolve("bin/python -m pytest", root, bin_dir)
    program(root / "bin" / "pytest", f"#!{root}/bin/python\n")
    with pytest.raises(UsageError, match="belongs to the repository"):
        resolve("pytest", root, planted.parent)
    link = root / "python"
    link.symlink_to(bin_dir / "python")
    with pytest.raises(UsageError, match="belongs to the repository"):
        resolve("./python -m pytest", root, bin_dir)


@pytest.mark.reliability(case=44)
def test_a_tracked_venv_is_refused_and_an_untracked_one_is_not(root, bin_dir) -> None:
    own = make_venv(root / ".venv")
    assert resolve("pytest", root, bin_dir).interpreter == own
    with pytest.raises(UsageError, match="belongs to the repository"):
        resolve("pytest", root, bin_dir, tracked={".venv/bin/python"})


@pytest.mark.reliability(case=44)
def test_relative_and_empty_path_entries_are_not_searched(root, bin_dir, monkeypatch) -> None:
    program(root / "python")
    monkeypatch.chdir(root)
    path = os.pathsep.join(["", ".", str(bin_dir)])
    command = resolve_test_command("python -m pytest", root=root, path_env=path)
    assert command.interpreter == bin_dir / "python"


def test_a_pyenv_shim_is_read_through(root, tmp_path) -> None:
    shims = tmp_path / "pyenv" / "shims"
    program(shims / "python")
    program(shims / "pytest")
    newest = program(tmp_path / "pyenv" / "versions" / "3.11.10" / "bin" / "python")
    program(tmp_path / "pyenv" / "versions" / "3.11.9" / "bin" / "python")
    (root / ".python-version").write_text("3.11\n")
    assert resolve("pytest", root, shims).interpreter == newest
    assert resolve("python -m pytest", root, shims).interpreter == newest
    (root / ".python-version").write_text("../../evil\n")
    with pytest.raises(UsageError, match="shim"):
        resolve("pytest", root, shims)


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("", ("-o", "python_files=test*.py")),
        ("-v tests.test_a", ("-v", "tests/test_a.py")),
        ("tests.test_a.TestA.test_x", ("tests/test_a.py::TestA::test_x",)),
        ("tests/test_a.py", ("tests/test_a.py",)),
        ("discover -s tests -p '*_t.py'", ("-o", "python_files=*_t.py", "tests")),
        ("discover tests", ("-o", "python_files=test*.py", "tests")),
    ],
)
def test_simple_unittest_commands_are_translated(root, bin_dir, words, arguments) -> None:
    program(root / "tests" / "test_a.py")
    command = resolve(f"python -m unittest {words}", root, bin_dir)
    assert command.arguments == arguments


def test_what_unittest_alone_can_do_is_refused(root, bin_dir) -> None:
    for words in ("--durations 3", "nowhere.at.all"):
        with pytest.raises(UsageError, match="pytest's words"):
            resolve(f"python -m unittest {words}", root, bin_dir)


def test_the_running_interpreter_resolves(root) -> None:
    command = resolve_test_command(f"{sys.executable} -m pytest", root=root, path_env="")
    assert command.interpreter == Path(sys.executable)
