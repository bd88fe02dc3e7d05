"""The room of one task, built and logged before anything looks at it.

Takes: a `TaskRoom`, a `Task`, the suspicious lines where a failing test is known. Gives:
`BuiltPackage`. Does not know: the stages' workings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import ContextPackage
from clean_room_agent.records.task import Task
from clean_room_agent.retrieval import render, retrieve
from clean_room_agent.retrieval.judge import RankedJudge
from clean_room_agent.store.curated_reader import CuratedReader


@dataclass(frozen=True, slots=True)
class BuiltPackage:
    """A logged package and the exact bytes it renders to."""

    package_id: str
    package: ContextPackage
    prompt: bytes


def build_package(
    room: TaskRoom,
    task: Task,
    *,
    failing: Mapping[str, Mapping[int, float]] | None = None,
) -> BuiltPackage:
    """Run the retrieval stages for `task` and append the package to raw.

    Raises:
        CraError: there is no index, or a file changed since it was indexed.
    """
    room.progress("curating the context", 0, 0, "")
    limit = room.config.index.max_file_bytes

    def read_source(path: str, _blob_id: BlobId) -> bytes:
        return room.repository.read_file(path, limit_bytes=limit)

    with CuratedReader(room.root) as reader:
        package = retrieve(
            task.text,
            reader=reader,
            read_source=read_source,
            budget_tokens=room.config.budget.context_tokens,
            judge=RankedJudge(),
            counter=UpperBoundCounter(),
            suspicious=failing,
        )
    prompt = render(package)
    package_id = room.raw.append_package(task.task_id, package, prompt)
    return BuiltPackage(package_id, package, prompt)
