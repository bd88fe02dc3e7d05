"""`cra index`: the repository into the curated store; the report into raw.

Takes: an open repository. Gives: printed totals. Does not know: how a file is parsed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from clean_room_agent.commands.invocation import Invocation, OpenRun, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.records.code import IndexReport
from clean_room_agent.records.spelling import counted

if TYPE_CHECKING:
    from clean_room_agent.pipeline.embedding import EmbedReport

MAX_SKIPPED_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What one refresh of the index did; `embedded` is None where [embed] is off."""

    report: IndexReport
    embedded: EmbedReport | None

    def document(self, run_id: str | None) -> dict[str, object]:
        """Return it as JSON content; `run_id` is None where nothing was logged."""
        content: dict[str, object] = {"run_id": run_id, **asdict(self.report)}
        if self.embedded is not None:
            content["embedded"] = asdict(self.embedded)
        return content


def index(invocation: Invocation, *, full: bool) -> None:
    """Index and print what was done."""
    invocation.require_room()
    with recorded_run(invocation, "index", ["--full"] if full else []) as run:
        refreshed = refresh(invocation, full=full)
        log_refresh(run, refreshed)
    print_refresh(invocation.output, refreshed)
    invocation.output.document(refreshed.document(run.run_id))


def log_refresh(run: OpenRun, refreshed: Refreshed) -> None:
    """Log what a refresh did as that of a run of `cra index`."""
    report = refreshed.report
    run.raw.append_index_run(run.run_id, report)
    run.summary = {"files": report.files, "parsed": report.parsed_blobs}
    if refreshed.embedded is not None:
        run.summary["embedded"] = asdict(refreshed.embedded)


def refresh_index(invocation: Invocation) -> None:
    """Bring the index up to date for a verb that reads it. Raises: as `refresh`."""
    refresh(invocation, full=False)


def refresh(invocation: Invocation, *, full: bool) -> Refreshed:
    """Bring the index up to date with the working tree; cheap when nothing changed.

    Where [embed] is on, new code is embedded too.
    Raises: ConfigError, before anything is done, where [embed] is on and cannot work.
    """
    from clean_room_agent.indexing import index_repository

    _require_embedding(invocation)

    def progress(phase: str, done: int, total: int) -> None:
        invocation.output.progress(phase, done, total)

    report = index_repository(
        invocation.repository,
        repo_path=invocation.root,
        full=full,
        progress=progress,
        kept_blobs=invocation.settings.config.index.kept_blobs,
    )
    embedded = _embed_new(invocation, progress) if report.files else None
    invocation.output.end_progress()
    return Refreshed(report, embedded)


def _require_embedding(invocation: Invocation) -> None:
    config = invocation.settings.config.embed
    if config.enabled:
        from clean_room_agent.llm.embedding import require_embedding

        require_embedding(config)


def _embed_new(
    invocation: Invocation, progress: Callable[[str, int, int], None]
) -> EmbedReport | None:
    """Embed what the index has new; None where [embed] is off."""
    config = invocation.settings.config.embed
    if not config.enabled:
        return None
    from clean_room_agent.pipeline.embedding import embed_new

    return embed_new(invocation.repository, invocation.root, config, progress)


def print_refresh(output: Output, refreshed: Refreshed) -> None:
    """Print what the index holds now and what this run did, for a person."""
    report, embedded = refreshed.report, refreshed.embedded
    output.line(
        f"{counted(report.files, 'file')}, {counted(report.symbols, 'symbol')}, "
        f"{counted(report.references, 'reference')}, {counted(report.edges, 'edge')}, "
        f"{counted(report.commits, 'commit')}"
    )
    output.line(
        f"this run: parsed {report.parsed_blobs:,}, reused {report.reused_blobs:,}, "
        f"removed {report.removed_files:,}, new commits {report.new_commits:,}, "
        f"{report.seconds:.2f} s"
    )
    if embedded is not None:
        output.line(
            f"embedded {embedded.blobs:,} files, {embedded.chunks:,} chunks, "
            f"{embedded.seconds:.2f} s; in all {embedded.stored_blobs:,} files, "
            f"{embedded.stored_chunks:,} chunks"
        )
    for status, count in sorted(report.not_parsed.items()):
        output.line(f"not parsed ({status}): {count:,}")
    if report.skipped:
        output.line(f"skipped: {len(report.skipped):,}")
        by_path = sorted(report.skipped, key=lambda s: s.path)
        for skipped in by_path[:MAX_SKIPPED_SHOWN]:
            output.line(f"  {skipped.path}: {skipped.reason}")
        if len(by_path) > MAX_SKIPPED_SHOWN:
            output.line(f"  and {len(by_path) - MAX_SKIPPED_SHOWN:,} more, by path; see --json")
