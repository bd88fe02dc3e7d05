"""Run the retrieval at the base commit of a localisation task, and write down every signal.

Takes: tasks, clones of their repositories. Gives: one `Row` for each task. Does not know: weights
or scores; those are added up later from the rows, as often as one likes.

One work tree for each repository goes from base commit to base commit by date, and the index
follows it incrementally, so that each row also tests the incremental index. The index reads the
history from the commit that is checked out, so nothing newer than the base commit is in it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clean_room_agent.indexing import index_repository
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.code import BlobId, Symbol, SymbolKind
from clean_room_agent.records.context import Candidate
from clean_room_agent.repo.git import open_repository
from clean_room_agent.retrieval import retrieve
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.judge import RankedJudge
from clean_room_agent.retrieval.precision import Ask, ChosenFile, propose_units
from clean_room_agent.retrieval.resolve import resolve_mentions
from clean_room_agent.retrieval.roles import role_of
from clean_room_agent.retrieval.scope import Proposed, propose_files
from clean_room_agent.retrieval.scope.text import make_queries
from clean_room_agent.retrieval.sources import ReadSource, Sources
from clean_room_agent.retrieval.weights import SCOPE_FILES
from clean_room_agent.store.curated_reader import CuratedReader

BUDGET_TOKENS = 16_000
# Where a repository is too large to be had from its owner, it lies under another name.
OTHER_OWNERS = {
    "django/django": "swe-bench/django__django",
    "scikit-learn/scikit-learn": "swe-bench/scikit-learn__scikit-learn",
    "matplotlib/matplotlib": "swe-bench/matplotlib__matplotlib",
}

# What a list of functions may name: no constants, no headers.
_SCORED = frozenset(
    {
        SymbolKind.FUNCTION,
        SymbolKind.METHOD,
        SymbolKind.CLASS,
        SymbolKind.STRUCT,
        SymbolKind.TRAIT,
        SymbolKind.INTERFACE,
        SymbolKind.ENUM,
    }
)

Task = dict[str, Any]
Row = dict[str, Any]


def read_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def find_mirror(mirrors: Path, repo: str) -> Path:
    """The clone of a repository: owner+name/repo, owner+name, or owner__name."""
    for name in (repo, OTHER_OWNERS.get(repo, repo)):
        for path in (
            mirrors / name.replace("/", "+") / "repo",
            mirrors / name.replace("/", "+"),
            mirrors / name.replace("/", "__"),
        ):
            if path.exists():
                return path
    raise FileNotFoundError(f"{repo} is not in {mirrors}")


class BlobReader:
    """Contents by blob id, from one running `git cat-file --batch`."""

    def __init__(self, repository: Path) -> None:
        words = [_git(), "-C", str(repository), "cat-file", "--batch"]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, _path: str, blob_id: BlobId) -> bytes:
        sent, read = self._process.stdin, self._process.stdout
        if sent is None or read is None:
            raise RuntimeError("git cat-file has no pipes")
        sent.write(f"{blob_id}\n".encode("ascii"))
        sent.flush()
        head = read.readline().split()
        if len(head) != 3:
            raise FileNotFoundError(f"blob {blob_id}: {b' '.join(head).decode()}")
        data = read.read(int(head[2]))
        read.read(1)
        return data

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


@dataclass(frozen=True, slots=True)
class Step:
    """How the index followed the tree to one base commit."""

    checkout_s: float
    index_s: float
    files: int
    parsed: int
    commits: int


class MovingTree:
    """A clone of its own, moved from commit to commit; hooks and line-end changes are off."""

    def __init__(self, mirror: Path, tree: Path) -> None:
        self.tree = tree
        self._mirror = mirror
        if not (tree / ".git").exists():
            words = ["clone", "--quiet", "--shared", "--no-checkout", str(mirror), str(tree)]
            subprocess.run([_git(), *words], check=True)
            # A stored copy may lack some large blobs: declared, so that none is asked for.
            words = ["-C", str(tree), "config", "remote.origin.promisor", "true"]
            subprocess.run([_git(), *words], check=True)
            info = tree / ".git" / "info"
            info.mkdir(exist_ok=True)
            (info / "attributes").write_text("* -text -eol -ident -filter\n", encoding="ascii")

    def move(self, commit: str) -> Step:
        start = time.perf_counter()
        self._leave_out_missing(commit)
        words = ["-c", "core.hooksPath=/dev/null", "-c", "core.sparseCheckout=true"]
        words += ["checkout", "--quiet", "--force", "--detach", commit]
        self._read(*words)
        between = time.perf_counter()
        report = index_repository(open_repository(self.tree), repo_path=self.tree)
        end = time.perf_counter()
        return Step(
            round(between - start, 3),
            round(end - between, 3),
            report.files,
            report.parsed_blobs,
            report.new_commits,
        )

    def _leave_out_missing(self, commit: str) -> None:
        """Keep paths out of the tree whose blob the stored copy does not have."""
        listed = self._read("ls-tree", "-r", "-z", commit).split(b"\0")
        blobs = {line.split(b"\t", 1)[1]: line.split()[2] for line in listed if b" blob " in line}
        asked = b"\n".join(blobs.values()) + b"\n"
        told = _read("-C", str(self._mirror), "cat-file", "--batch-check", given=asked)
        gone = {line.split()[0] for line in told.splitlines() if line.endswith(b" missing")}
        left_out = [b"!/" + path for path, blob in sorted(blobs.items()) if blob in gone]
        patterns = self.tree / ".git" / "info" / "sparse-checkout"
        patterns.write_bytes(b"\n".join([b"/*", *left_out]) + b"\n")

    def _read(self, *words: str) -> bytes:
        return _read("-C", str(self.tree), *words)


def measure_tasks(
    tasks: Iterable[Task], mirror: Path, work: Path, keep: Path | None
) -> Iterator[Row]:
    """One row for each task of one repository, by date of the base commit."""
    ordered = sorted(tasks, key=lambda task: (task["base_date"], task["task_id"]))
    tree = MovingTree(mirror, work / str(ordered[0]["repo"]).replace("/", "__"))
    read_blob = BlobReader(tree.tree)
    for task in ordered:
        step = tree.move(task["base_commit"])
        row = measure(task, tree.tree, read_blob)
        row |= {"checkout_s": step.checkout_s, "index_s": step.index_s, "parsed": step.parsed}
        row |= {"indexed_files": step.files, "commits": step.commits}
        if keep is not None:
            pack_index(tree.tree, keep / f"{task['task_id']}.zst")
        yield row
    read_blob.close()


def measure_kept(tasks: Iterable[Task], work: Path, keep: Path) -> Iterator[Row]:
    """The same from indexes that an earlier run kept, with the retrieval of today."""
    for task in tasks:
        clone = work / str(task["repo"]).replace("/", "__")
        read_blob = BlobReader(clone)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            unpack_index(keep / f"{task['task_id']}.zst", Path(directory))
            yield measure(task, Path(directory), read_blob)
        read_blob.close()


def pack_index(tree: Path, to: Path) -> None:
    """Keep a copy of the index; needs the command zstd."""
    words = ["zstd", "-1", "-q", "-f", str(tree / ".clean_room" / "curated.sqlite"), "-o", str(to)]
    subprocess.run(words, check=True)


def unpack_index(packed: Path, tree: Path) -> None:
    (tree / ".clean_room").mkdir(mode=0o700)
    to = tree / ".clean_room" / "curated.sqlite"
    subprocess.run(["zstd", "-d", "-q", str(packed), "-o", str(to)], check=True)
    to.chmod(0o600)


def measure(task: Task, tree: Path, read_source: ReadSource) -> Row:
    """Every source file and item with its signals, and the seconds of one whole retrieval."""
    start = time.perf_counter()
    with CuratedReader(tree) as reader:
        retrieve(
            task["query"],
            reader=reader,
            read_source=read_source,
            budget_tokens=BUDGET_TOKENS,
            judge=RankedJudge(),
            counter=UpperBoundCounter(),
        )
        seconds = time.perf_counter() - start
        return {
            "task_id": task["task_id"],
            "seconds": round(seconds, 3),
            **rank(task["query"], reader, read_source),
        }


def rank(query: str, reader: CuratedReader, read_source: ReadSource) -> Row:
    """The file and the item stage as they are, each file cut into items however small it is."""
    resolution = resolve_mentions(parse_task(query), reader)
    proposed = propose_files(resolution, reader, {})
    sources = [c for c in proposed.candidates if not role_of(proposed.files[c.path])]
    best = max((candidate.score for candidate in sources), default=1.0)
    first = proposed.candidates[:SCOPE_FILES]
    chosen = [ChosenFile(proposed.files[c.path], max(0.0, c.score / best)) for c in first]
    queries = make_queries(resolution.mentions)
    ask = Ask(queries.items, queries.items_title, resolution.marks, {}, whole_file_tokens=0)
    choices = propose_units(chosen, ask, reader, Sources(read_source), lambda _unit: 1)
    plain = {candidate.path for candidate in sources}
    return {
        "files": [{"path": c.path, "signals": _signals(c)} for c in sources],
        "items": _items([c for c in choices.candidates if c.path in plain], proposed, reader),
    }


def _items(candidates: list[Candidate], proposed: Proposed, reader: CuratedReader) -> list[Row]:
    """The items with what is defined inside each: a small class is one item."""
    known: dict[str, list[Symbol]] = {}
    items = []
    for candidate in candidates:
        path = candidate.path
        if path not in known:
            rows = reader.read_definitions(proposed.files[path].file_pk)
            known[path] = [row.symbol for row in rows if row.symbol.kind in _SCORED]
        items.append(_item(candidate, known[path]))
    return items


def _signals(candidate: Candidate) -> dict[str, float]:
    return {s.name: s.value for s in candidate.signals if not s.name.startswith("role.")}


def _item(candidate: Candidate, symbols: list[Symbol]) -> Row:
    span = candidate.span
    if span is None:
        raise ValueError(f"an item without a span: {candidate.path}")
    inside = [s for s in symbols if span.start_byte <= s.span.start_byte < span.end_byte]
    callables = [s for s in inside if s.kind in _SCORED and s.qualified_name != candidate.symbol]
    kinds = [s.kind.value for s in symbols if s.qualified_name == candidate.symbol]
    return {
        "path": candidate.path,
        "symbol": candidate.symbol if kinds else "",
        "kind": kinds[0] if kinds else "",
        "inside": [s.qualified_name for s in callables],
        "start": span.start_line,
        "end": span.end_line,
        "tokens": (span.end_byte - span.start_byte + 3) // 4,
        "signals": _signals(candidate),
    }


def _read(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run([_git(), *words], input=given, capture_output=True, check=True).stdout


def _git() -> str:
    return shutil.which("git") or "git"
