"""Each numbered fault or attack case that this version promises is shown by a test that runs."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[1]
PROMISED = {
    *range(1, 8), 10, *range(17, 40), *range(45, 50), *range(60, 66),
    *range(75, 79), *range(81, 92), *range(96, 100),
}  # fmt: skip


def test_every_promised_case_is_shown_by_a_test_and_none_is_skipped() -> None:
    shown: dict[int, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not _is_skipped(node):
                for case in _cases(node):
                    shown[case].append(f"{path.name}::{node.name}")
    for case in sorted(PROMISED):
        print(f"case {case:3}: {len(shown[case])} tests, first {shown[case][:1]}")
    assert sorted(PROMISED - set(shown)) == []


def test_control_a_skipped_test_shows_nothing() -> None:
    source = "@mark.reliability(1)\n@pytest.mark.{}\ndef test_it():\n    assert True\n"
    skipped = {
        word: _is_skipped(_only_function(source.format(word)))
        for word in ("skip", "skip('no')", "xfail(strict=True)", "slow")
    }
    assert skipped == {"skip": True, "skip('no')": True, "xfail(strict=True)": True, "slow": False}
    assert _cases(_only_function(source.format("slow"))) == [1]


def _only_function(source: str) -> ast.FunctionDef:
    (found,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    return found


def _is_skipped(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a test never runs, on any machine."""
    named = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return any(ast.unparse(name).endswith(("mark.skip", "mark.xfail")) for name in named)


def _cases(node: ast.FunctionDef | ast.ClassDef) -> list[int]:
    found = []
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("reliability"):
            found += [
                k.value.value for k in decorator.keywords if isinstance(k.value, ast.Constant)
            ]
            found += [a.value for a in decorator.args if isinstance(a, ast.Constant)]
    return [int(case) for case in found if isinstance(case, int)]
