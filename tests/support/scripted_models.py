"""Models that answer from a script, stage by stage: one that knows the fix, and bad ones.

Takes: the files before and after the fix. Gives: callables for `ModelServer`. The stage is told
from the schema that the request carries, as a model would tell it from the prompt.
Does not know: the code under test.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.model_server import Answer

_LISTED = re.compile(r"^(c\d+) (\{.*\})$", re.MULTILINE)
_PIECE = re.compile(r'^(s\d+): ("[^"]*"), line \d+(?:, ("[^"]*"))?$', re.MULTILINE)
_ITEM = re.compile(r"^(i\d+) ", re.MULTILINE)
Reply = Callable[[dict[str, Any]], Answer]


def schema_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a request in any dialect, {} without one."""
    if isinstance(request.get("format"), dict):
        return dict(request["format"])
    wrapped = request.get("response_format") or {}
    found = wrapped.get("json_schema", {}).get("schema") or wrapped.get("schema") or {}
    return dict(found)


def prompt_of(request: Mapping[str, Any]) -> str:
    """Return the one user message."""
    return str(request["messages"][-1]["content"])


def stage_of(request: Mapping[str, Any]) -> str:
    """Tell the stage from what the answer must look like."""
    names = set(schema_of(request).get("properties", {}))
    for wanted, stage in _STAGES:
        if wanted <= names:
            return stage
    return "judge" if names and all(re.fullmatch(r"c\d+", name) for name in names) else "unknown"


_STAGES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"identifiers", "paths", "search"}), "analysis"),
    (frozenset({"order"}), "reprioritise"),
    (frozenset({"steps"}), "plan"),
    (frozenset({"edits"}), "implement"),
    (frozenset({"claims"}), "ask"),
    (frozenset({"purpose"}), "enrich"),
    (frozenset({"diagnosis", "next"}), "reflect"),
)


@dataclass(frozen=True)
class Competent:
    """Knows the fix: shows what it touches, plans it, and writes it as unique blocks."""

    before: Mapping[str, str]
    after: Mapping[str, str]

    @property
    def changed(self) -> tuple[str, ...]:
        return tuple(p for p in self.after if self.after[p] != self.before.get(p))

    def __call__(self, request: dict[str, Any]) -> Answer:
        stage = stage_of(request)
        answer = getattr(self, f"_{stage}", self._other)(request)
        return Answer(json.dumps(answer))

    def _judge(self, request: dict[str, Any]) -> dict[str, object]:
        listed = dict(_LISTED.findall(prompt_of(request)))
        names = schema_of(request)["properties"]
        return {name: self._verdict(json.loads(listed.get(name, "{}"))) for name in names}

    def _verdict(self, candidate: Mapping[str, Any]) -> dict[str, str]:
        touched = candidate.get("path") in self.changed
        reason = "the fix is here" if touched else "not needed for the fix"
        return {"reason": reason, "verdict": "include" if touched else "exclude"}

    def _analysis(self, _request: dict[str, Any]) -> dict[str, object]:
        return {"identifiers": [], "paths": list(self.changed), "search": []}

    def _reprioritise(self, request: dict[str, Any]) -> dict[str, object]:
        return {"order": _ITEM.findall(prompt_of(request))}

    def _plan(self, _request: dict[str, Any]) -> dict[str, object]:
        steps = [
            {"action": "modify", "path": path, "symbol": "", "intent": "mend it"}
            for path in self.changed
        ]
        return {"summary": "mend what the tests show", "steps": steps}

    def _reflect(self, _request: dict[str, Any]) -> dict[str, object]:
        return {"diagnosis": "the edit does not do it", "next": "write the whole fix"}

    def _implement(self, request: dict[str, Any]) -> dict[str, object]:
        if "SymbolEdit" in schema_of(request).get("$defs", {}):
            return self._symbols(request)
        block = schema_of(request).get("$defs", {}).get("Block", {})
        shown = block.get("properties", {}).get("path", {}).get("enum", [])
        edits = [
            {"path": path, "search": old, "replace": new}
            for path in self.changed
            if path in shown
            for old, new in unique_blocks(self.before[path], self.after[path])
        ]
        return {"edits": edits, "new_files": [], "summary": "mend what the tests show"}

    def _symbols(self, request: dict[str, Any]) -> dict[str, object]:
        """New text of each listed piece that the fix changes, the smallest pieces only."""
        edits = []
        for key, path, symbol in _PIECE.findall(prompt_of(request)):
            where, name = json.loads(path), json.loads(symbol or '""')
            old = piece_of(self.before.get(where, ""), name)
            new = piece_of(self.after.get(where, ""), name)
            if old and new and old != new:
                edits.append((len(old), {"symbol": key, "code": new}))
        smallest = [edit for _, edit in sorted(edits, key=lambda e: e[0])]
        return {"edits": smallest, "summary": "mend what the tests show"}

    def _other(self, request: dict[str, Any]) -> dict[str, object]:
        raise AssertionError(f"no script for {sorted(schema_of(request).get('properties', {}))}")


def piece_of(text: str, qualified: str) -> str:
    """Return the source of a definition with its decorators, the whole text for no name."""
    if not qualified:
        return text
    body: list[ast.stmt] = ast.parse(text).body
    node: ast.AST | None = None
    for name in qualified.split("."):
        found = [n for n in body if getattr(n, "name", None) == name]
        if not found:
            return ""
        node = found[0]
        body = getattr(node, "body", [])
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return "".join(text.splitlines(keepends=True)[start - 1 : node.end_lineno])


def unique_blocks(before: str, after: str) -> list[tuple[str, str]]:
    """Return (search, replace) pairs whose search text stands in `before` exactly once each."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        start, end = _widen(before, old, a, b)
        lead, trail = old[start:a], old[b:end]
        found.append(("".join(old[start:end]), "".join([*lead, *new[c:d], *trail])))
    return found


def _widen(text: str, lines: list[str], start: int, end: int) -> tuple[int, int]:
    while text.count("".join(lines[start:end])) != 1 or start == end:
        start, end = max(0, start - 1), min(len(lines), end + 1)
    return start, end


def constant(text: str) -> Reply:
    """A model that always says the same."""
    return lambda _request: Answer(text)
