"""A backend is chosen because it was seen to enforce, and refused by name where it does not."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from clean_room_agent.errors import SandboxError
from clean_room_agent.sandbox import interpreter_paths, select_backend
from tests.sandbox.conftest import Box

ROOT = Path(__file__).parents[2]
WITHOUT_NAMESPACES = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
CHOOSE = """
import sys
from clean_room_agent.errors import CraError
from clean_room_agent.sandbox import select_backend
try:
    print("chosen", select_backend(sys.argv[1]).name)
except CraError as error:
    print(error.exit_code, error)
"""


def _choose(name: str, *prefix: str) -> str:
    done = subprocess.run(
        [*prefix, sys.executable, "-c", CHOOSE, name],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.reliability(case=31)
def test_this_machine_has_a_backend_that_enforces() -> None:
    """Fails, and does not skip, where nothing enforces: then no other case here is shown."""
    matrix = select_backend("auto").matrix()
    assert matrix["no network"] == matrix["process limit"] == "yes"


@pytest.mark.reliability(case=31)
@pytest.mark.parametrize("name", ["auto", "namespaces"])
def test_without_user_namespaces_the_refusal_names_them(name: str) -> None:
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", WITHOUT_NAMESPACES, "sh"]
    refusal = _choose(name, *words)
    assert refusal.startswith("7 no sandbox can be enforced here"), refusal
    assert "user, mount, PID and network namespaces" in refusal
    assert "user.max_user_namespaces" in refusal
    assert _choose(name).startswith("chosen")  # the control: only the namespaces were missing


@pytest.mark.reliability(case=31)
def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(SandboxError, match="unknown sandbox backend 'none'") as raised:
        select_backend("none")
    assert raised.value.exit_code == 7


@pytest.mark.reliability(case=31)
def test_the_matrix_is_the_same_for_each_user(box: Box) -> None:
    source = (
        "import json; from clean_room_agent.sandbox import select_backend;"
        f"print(json.dumps(dict(select_backend({box.backend!r}).matrix())))"
    )
    folder = box.folder / "src" if box.prefix else ROOT / "src"
    done = subprocess.run(
        [*box.prefix, box.python, "-c", source], env={"PYTHONPATH": str(folder)},
        capture_output=True, text=True, cwd="/", timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = '"overlay"' if box.backend == "namespaces" else '"copy"'
    assert f'"workspace": {made}' in done.stdout and '"no"' not in done.stdout


def test_interpreter_paths_cover_links_and_leave_the_workspace_out(tmp_path: Path) -> None:
    python = Path(sys.executable)
    paths = interpreter_paths(python, workspace_target=ROOT)
    assert ROOT / "src" not in paths
    if not sys.prefix.startswith("/usr"):
        assert Path(sys.prefix) in paths


def test_an_interpreter_that_does_not_start_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(SandboxError, match="does not start"):
        interpreter_paths(broken)


@pytest.mark.reliability(case=46)
def test_asking_an_interpreter_runs_nothing_of_an_editable_install(tmp_path: Path) -> None:
    source, mark = tmp_path / "repository" / "src", tmp_path / "mark"
    source.mkdir(parents=True)
    (source / "sitecustomize.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    environment = tmp_path / "venv"
    venv.create(environment, symlinks=True, with_pip=False)
    python = environment / "bin" / "python"
    site = next((environment / "lib").glob("python3*/site-packages"))
    (site / "editable.pth").write_text(f"{source}\nimport os; os.environ['X'] = 'x'\n")
    finder = f"MAPPING: dict[str, str] = {{'pkg': {str(tmp_path)!r}}}\n"
    (site / "__editable___pkg_finder.py").write_text(finder)
    # Without the guard, even an isolated interpreter runs it.
    subprocess.run([str(python), "-I", "-c", "pass"], check=True)
    assert mark.exists()
    mark.unlink()
    paths = interpreter_paths(python)
    assert not mark.exists()
    assert {environment, source, tmp_path} <= set(paths)
    outside = interpreter_paths(python, workspace_target=tmp_path / "repository")
    assert source not in outside
