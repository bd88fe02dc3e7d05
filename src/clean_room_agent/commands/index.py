"""`cra index`: the repository into the curated store; the report into raw.

Takes: an open repository. Gives: printed totals. Does not know: how a file is parsed.
"""

from __future__ import annotations

from dataclasses import asdict

from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.records.code import IndexReport

MAX_SKIPPED_SHOWN = 10


def index(invocation: Invocation, *, full: bool) -> None:
    """Index and print what was done."""
    invocation.require_room()
    with recorded_run(invocation, "index", ["--full"] if full else []) as run:
        report = refresh_index(invocation, full=full)
        run.raw.append_index_run(run.run_id, report)
        run.summary = {"files": report.files, "parsed": report.parsed_blobs}
    print_report(invocation.output, report)
    invocation.output.document({"run_id": run.run_id, **asdict(report)})


def refresh_index(invocation: Invocation, *, full: bool = False) -> IndexReport:
    """Bring the index up to date with the working tree; cheap when nothing changed."""
    from clean_room_agent.indexing import index_repository

    def progress(phase: str, done: int, total: int) -> None:
        invocation.output.progress(phase, done, total)

    report = index_repository(
        invocation.repository,
        repo_path=invocation.root,
        full=full,
        progress=progress,
        kept_blobs=invocation.settings.config.index.kept_blobs,
    )
    invocation.output.end_progress()
    return report


def print_report(output: Output, report: IndexReport) -> None:
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
    for status, count in sorted(report.not_parsed.items()):
        output.line(f"not parsed ({status}): {count:,}")
    if report.skipped:
        output.line(f"skipped: {len(report.skipped):,}")
        by_path = sorted(report.skipped, key=lambda s: s.path)
        for skipped in by_path[:MAX_SKIPPED_SHOWN]:
            output.line(f"  {skipped.path}: {skipped.reason}")
        if len(by_path) > MAX_SKIPPED_SHOWN:
            output.line(f"  and {len(by_path) - MAX_SKIPPED_SHOWN:,} more, by path; see --json")
