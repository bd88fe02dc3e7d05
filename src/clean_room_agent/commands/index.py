"""`cra index`: the repository into the curated store; the report into raw.

Takes: an open repository. Gives: printed totals. Does not know: how a file is parsed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.records.code import IndexReport

if TYPE_CHECKING:
    from clean_room_agent.pipeline.embedding import EmbedReport

MAX_SKIPPED_SHOWN = 10


def index(invocation: Invocation, *, full: bool) -> None:
    """Index and print what was done."""
    invocation.require_room()
    with recorded_run(invocation, "index", ["--full"] if full else []) as run:
        report, embedded = _refresh(invocation, full=full)
        run.raw.append_index_run(run.run_id, report)
        run.summary = {"files": report.files, "parsed": report.parsed_blobs}
        if embedded is not None:
            run.summary["embedded"] = asdict(embedded)
    print_report(invocation.output, report, embedded)
    document = {"run_id": run.run_id, **asdict(report)}
    if embedded is not None:
        document["embedded"] = asdict(embedded)
    invocation.output.document(document)


def refresh_index(invocation: Invocation, *, full: bool = False) -> IndexReport:
    """Bring the index up to date with the working tree; cheap when nothing changed.

    Where [embed] is on, new code is embedded too.
    Raises: ConfigError, before anything is done, where [embed] is on and cannot work.
    """
    return _refresh(invocation, full=full)[0]


def _refresh(invocation: Invocation, *, full: bool) -> tuple[IndexReport, EmbedReport | None]:
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
    return report, embedded


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


def print_report(output: Output, report: IndexReport, embedded: EmbedReport | None = None) -> None:
    """Print what the index holds now and what this run did, for a person."""
    output.line(
        f"{report.files:,} files, {report.symbols:,} symbols, {report.references:,} references, "
        f"{report.edges:,} edges, {report.commits:,} commits"
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
