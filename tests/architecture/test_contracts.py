"""The architecture checks itself: import contracts, sizes, documented verbs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "clean_room_agent"
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
VERBS = [
    *(
        "init",
        "index",
        "models",
        "enrich",
        "search",
        "symbol",
        "context",
        "ask",
        "chat",
        "plan",
        "solve",
        "resume",
    ),
    *("apply", "undo", "runs", "trace", "why", "replay", "verify", "mcp", "doctor", "gc", "help"),
]


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_files_stay_under_the_limit() -> None:
    long = {p.name: n for p in SOURCE.rglob("*.py") if (n := _lines(p)) > MAX_FILE_LINES}
    assert not long


def test_functions_stay_under_the_limit() -> None:
    long = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                # Options of a verb are declarations, one line each: cli is exempt.
                if length > MAX_FUNCTION_LINES and path.parent.name != "cli":
                    long.append(f"{path.name}:{node.lineno} {node.name} ({length})")
    assert not long


def test_every_module_says_what_it_is() -> None:
    """A package says it in a sentence, a module in four parts: purpose, takes, gives, limits."""
    silent = []
    for path in SOURCE.rglob("*.py"):
        said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        parts = () if path.name.startswith("__") else ("takes", "gives", "does not know")
        plain = " ".join(said.split()).lower()
        if not said or any(part not in plain for part in parts):
            silent.append(str(path.relative_to(SOURCE)))
    assert not silent


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples_and_stands_in_the_planning_documents(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clean_room_agent", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Examples:" in done.stdout
    assert f"`cra {verb}" in (ROOT / "planning" / "cli-and-config.md").read_text("utf-8")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["mcp", "--help"]])
def test_help_loads_no_room_and_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom clean_room_agent import cli\n"
        f"sys.argv = ['cra', *{arguments!r}]\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'sqlite3', 'tree_sitter', 'torch', 'mcp', 'pydantic', 'clean_room_agent.repo', "
        "'clean_room_agent.store', 'clean_room_agent.sandbox'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# What only a verb that changes code needs, and what only a model does.
GENERATING = tuple(f"clean_room_agent.{r}" for r in ("execute", "repair", "validation", "sandbox"))
ASKING = ("pydantic", "clean_room_agent.llm.client")


def _loaded_with(verb: str) -> set[str]:
    """Of those modules the ones that are loaded with the module of a verb."""
    code = (
        f"import sys\nimport clean_room_agent.commands.{verb}\n"
        f"print(*(name for name in {GENERATING + ASKING!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("verb", ["context", "why", "runs"])
def test_a_verb_that_only_curates_loads_nothing_that_generates_or_asks(verb: str) -> None:
    assert _loaded_with(verb) == set()


def test_the_verb_that_generates_does_load_all_of_it() -> None:
    assert _loaded_with("solve") == {*GENERATING, *ASKING}


def _lines(path: Path) -> int:
    return path.read_text("utf-8").count("\n")
