"""Measure how much of each judging prompt a server's prefix cache already holds.

    python benchmarks/prefix_share.py [--repo PATH] [--count N | --tasks FILE] [--budget TOKENS]

Runs judged retrieval for N commit subjects of a repository (this one by default), or for the texts
of FILE, separated by lines of `---`, in a throw-away clone, with a scripted model that includes
every second candidate. For each stage it prints the
bytes sent and the bytes that a prompt shares with the one before it, once as the program orders a
prompt (task and instruction first, candidates last) and once in the naive order (candidates first),
both made from the same calls of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.config import load_config
from clean_room_agent.indexing import index_repository
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.llm.rooms import ModelRoom
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import WireRequest
from clean_room_agent.prompts.framing import split_frames
from clean_room_agent.prompts.judging import JUDGING
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.log import Run
from clean_room_agent.records.task import Mode, RunId, Task, TaskId
from clean_room_agent.repo.git import open_repository
from clean_room_agent.retrieval import retrieve
from clean_room_agent.retrieval.leads import Leads
from clean_room_agent.retrieval.listing import Listings
from clean_room_agent.retrieval.model_analysis import ModelAnalyst
from clean_room_agent.retrieval.model_judge import Limits, ModelJudge
from clean_room_agent.retrieval.prompting import JudgedTask
from clean_room_agent.retrieval.sources import Sources
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.raw import RawLog

RUN = RunId("r-prefix-share")
STAGES = {text.decode("ascii"): template.partition("/")[0] for template, text in JUDGING.items()}
MIN_SUBJECT_WORDS = 4


@dataclass(frozen=True)
class Sent:
    """One prompt as sent and as the naive order would have it."""

    stage: str
    ours: bytes
    naive: bytes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repo", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--tasks", type=Path)
    parser.add_argument("--budget", type=int, default=8_000)
    parser.add_argument("--window", type=int, default=32_768)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        git = shutil.which("git") or "git"
        words = ["clone", "--quiet", "--shared", str(options.repo.resolve()), str(tree)]
        subprocess.run([git, *words], check=True)
        index_repository(open_repository(tree), repo_path=tree, full=True)
        sent = run(tree, options)
    report(sent)
    return 0


def run(tree: Path, options: argparse.Namespace) -> list[Sent]:
    """Judge each task and keep every prompt in the order of sending."""
    words = ('models.backend="openai"', 'models.base_url="http://127.0.0.1:1"',
             'coding.model="scripted"', 'reasoning.model="scripted"',
             f"models.context_tokens={options.window}")  # fmt: skip
    config = load_config(tree, overrides=words, environment={}).config
    transport = ScriptedTransport(answer)
    with RawLog(tree) as raw, CuratedReader(tree) as reader:
        raw.append_run(Run(RUN, "benchmark", (), {}, "0", os.getpid()))
        client = ModelClient(ModelRoom(Router(config), transport, lambda _model: ()), raw, RUN)
        for number, text in enumerate(read_tasks(options, reader)):
            raw.append_task(Task(TaskId(f"t-{number}"), RUN, Mode.CONTEXT, text, ""))
            task = JudgedTask(text, TaskId(f"t-{number}"), f"k-{number}")
            judge_one(task, tree, reader, client, options.budget)
    return [in_both_orders(request.prompt) for request in transport.requests]


def read_tasks(options: argparse.Namespace, reader: CuratedReader) -> list[str]:
    if options.tasks:
        parts = options.tasks.read_text(encoding="utf-8").split("\n---\n")
        return [part for part in parts if part.strip()]
    subjects = [c.subject for c in reader.read_recent_commits(limit=20 * options.count)]
    usable = [text for text in subjects if len(text.split()) >= MIN_SUBJECT_WORDS]
    return usable[: options.count]


def judge_one(
    task: JudgedTask, tree: Path, reader: CuratedReader, client: ModelClient, budget: int
) -> None:
    def read_source(path: str, _blob_id: BlobId) -> bytes:
        return (tree / path).read_bytes()

    listings = Listings(reader, Sources(read_source))
    retrieve(
        task.text,
        reader=reader,
        read_source=read_source,
        budget_tokens=budget,
        judge=ModelJudge(client, task, listings.line, Limits(40, 80)),
        counter=client.counter(CallStage.IMPLEMENT),
        leads=Leads(analyst=ModelAnalyst(client, task)),
    )


def answer(request: WireRequest) -> str:
    """Include every second candidate; order items as they come; name nothing."""
    stage = stage_of(request.prompt)
    ids = shown_ids(request.prompt)
    if stage == "analysis":
        return json.dumps({"identifiers": [], "paths": [], "search": []})
    if stage == "reprioritise":
        return json.dumps({"order": ids})
    verdicts = [("include", "exclude")[place % 2] for place in range(len(ids))]
    said = zip(ids, verdicts, strict=True)
    return json.dumps({key: {"reason": "scripted", "verdict": verdict} for key, verdict in said})


def shown_ids(prompt: str) -> list[str]:
    frames = [data for label, data in split_frames(prompt.encode()) if label == "candidates"]
    return [line.split(b" ", 1)[0].decode() for frame in frames for line in frame.splitlines()]


def stage_of(prompt: str) -> str:
    return next(stage for text, stage in STAGES.items() if text in prompt)


def in_both_orders(prompt: str) -> Sent:
    """The same bytes with what varies first: candidates, stage instruction, task, opening."""
    stage = stage_of(prompt)
    text = next(text for text, name in STAGES.items() if name == stage)
    opening, _, lines = prompt.partition(text)
    return Sent(stage, prompt.encode(), (lines + text + opening).encode())


def shared_bytes(prompts: Sequence[bytes]) -> list[int]:
    """For each prompt, how many first bytes equal those of the prompt before it."""
    return [shared_start(a, b) for a, b in zip([b"", *prompts], prompts, strict=False)]


def shared_start(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def report(sent: Sequence[Sent]) -> None:
    """Print calls, bytes, and both shares, for each stage and in all."""
    ours = shared_bytes([one.ours for one in sent])
    naive = shared_bytes([one.naive for one in sent])
    print(f"{'stage':>14} {'calls':>6} {'bytes':>10} {'shared':>7} {'naive':>7}")
    for stage in (*dict.fromkeys(one.stage for one in sent), "all"):
        places = [p for p, one in enumerate(sent) if stage in (one.stage, "all")]
        size = sum(len(sent[place].ours) for place in places)
        shares = [sum(found[place] for place in places) / size for found in (ours, naive)]
        print(f"{stage:>14} {len(places):6} {size:10,} {shares[0]:7.1%} {shares[1]:7.1%}")


if __name__ == "__main__":
    sys.exit(main())
