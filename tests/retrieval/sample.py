"""One small repository for the tests of this room."""

from __future__ import annotations

from pathlib import Path

from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.code import EdgeKind
from clean_room_agent.records.context import ContextPackage
from clean_room_agent.retrieval import retrieve
from clean_room_agent.retrieval.judge import Judge, RankedJudge
from clean_room_agent.store.curated_reader import CuratedReader
from tests.support.curated import Commit, CuratedRepo, Edge, build_curated

_FILLER = "".join(f"def filler_{n}(value):\n    return value + {n}\n\n\n" for n in range(60))

PARSER = f'''"""Parse expressions."""

import re

from pkg.lexer import tokenize


class ExpressionParser:
    """Turns tokens into a tree."""

    depth_limit = 10

    def parse_unary(self, tokens):
        """Parse a minus sign and its operand."""
        if tokens[0] == "-":
            return ("neg", self.parse_unary(tokens[1:]))
        return self.parse_atom(tokens)

    def parse_atom(self, tokens):
        return tokens[0]

    def padding(self):
        # {"x" * 1500}
        return None


{_FILLER}'''

LEXER = f'''"""Cut text into tokens."""

import re


def tokenize(text):
    """Give the tokens of a text."""
    return re.findall(r"\\\\w+|-", text)


{_FILLER.replace("filler", "other")}'''

FILES = {
    "src/pkg/parser.py": PARSER,
    "src/pkg/lexer.py": LEXER,
    "src/pkg/printer.py": "def show(tree):\n    return str(tree)\n",
    "src/pkg/unrelated.py": "def zebra():\n    return 0\n",
    "src/vendor/parser.py": "def parse_unary():\n    return None\n",
    "tests/test_parser.py": "def test_unary_minus():\n    assert unary('minus operand')\n",
    "docs/parser.md": "The parser reads a unary minus.\n",
}

COMMITS = [
    Commit("Add lexer", ["src/pkg/lexer.py"], time=1_500_000_000),
    Commit("Fix double negation of operands", ["src/pkg/parser.py", "tests/test_parser.py"]),
    Commit("Parser work", ["src/pkg/parser.py", "tests/test_parser.py"]),
    Commit("Reformat double negation everywhere", [f"old/{n}.py" for n in range(60)]),
    Commit("Merge double negation", ["src/pkg/printer.py"], is_merge=True),
    Commit("Print and parse together", ["src/pkg/printer.py", "src/pkg/parser.py"]),
]

EDGES = [
    Edge(EdgeKind.IMPORT, "src/pkg/parser.py", "src/pkg/lexer.py"),
    Edge(EdgeKind.TEST, "tests/test_parser.py", "src/pkg/parser.py", confidence=0.9),
    Edge(
        EdgeKind.CALL,
        "src/pkg/parser.py",
        "src/pkg/parser.py",
        "ExpressionParser.parse_unary",
        "ExpressionParser.parse_atom",
    ),
]


def build_sample(root: Path) -> CuratedRepo:
    return build_curated(root, FILES, commits=COMMITS, edges=EDGES)


def retrieve_sample(
    repo: CuratedRepo,
    task: str,
    *,
    budget_tokens: int = 4_000,
    judge: Judge | None = None,
    suspicious: dict[str, dict[int, float]] | None = None,
) -> ContextPackage:
    with CuratedReader(repo.root) as reader:
        return retrieve(
            task,
            reader=reader,
            read_source=repo.read_source,
            budget_tokens=budget_tokens,
            judge=judge or RankedJudge(),
            counter=UpperBoundCounter(),
            suspicious=suspicious,
        )
