"""`cra search`: ranked chunks of the index for a query, by the functions that fill the room.

Takes: a query and filters. Gives: printed chunks with path, lines, chunk id and score.
Does not know: how a chunk is scored. No model is asked and nothing is decided for a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.commands.code_lines import ALL_LINES, first_lines, print_lines
from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.reasons import reasons_of
from clean_room_agent.errors import UsageError
from clean_room_agent.pipeline.embedding import open_meaning
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.spelling import one_line
from clean_room_agent.retrieval.search import SearchFilter, SearchHit
from clean_room_agent.retrieval.search import search as search_index
from clean_room_agent.store.curated_reader import CuratedReader

FILTERS = "path=PREFIX, language=NAME, tests=no"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What the command line asks."""

    query: str
    top_k: int
    filters: tuple[str, ...]
    show_text: bool
    max_lines: int = ALL_LINES


def search(invocation: Invocation, request: SearchRequest) -> None:
    """Refresh the index, search, print; the run is logged with the chunks it returned.

    Raises:
        UsageError: a filter is unknown or malformed, or the query is empty.
    """
    invocation.require_room()
    filters = read_filters(request.filters)
    if not request.query.strip():
        raise UsageError("the query is empty", hint='cra search "where are totals rounded"')
    refresh_index(invocation)
    limit = invocation.settings.config.index.max_file_bytes

    def read_source(path: str, _blob_id: BlobId) -> bytes:
        return invocation.repository.read_file(path, limit_bytes=limit)

    words = [request.query, "--top-k", str(request.top_k), *request.filters]
    with recorded_run(invocation, "search", words) as run, CuratedReader(invocation.root) as reader:
        _require_language(filters.language, reader)
        hits = search_index(
            request.query,
            reader=reader,
            read_source=read_source,
            top_k=request.top_k,
            filters=filters,
            meaning=open_meaning(reader, invocation.root, invocation.settings.config.embed),
        )
        run.summary = {"chunks": [hit.chunk_id for hit in hits]}
    _print(invocation, hits, request)
    invocation.output.document(
        {
            "run_id": run.run_id,
            "query": request.query,
            "hits": [_document(hit, request.max_lines) for hit in hits],
        }
    )


def read_filters(words: tuple[str, ...]) -> SearchFilter:
    """Read `key=value` filters. Raises: UsageError."""
    given: dict[str, str] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if key not in ("path", "language", "tests") or not separator:
            raise UsageError(f"--filter {word!r} is not known", hint=FILTERS)
        if key in given:
            raise UsageError(f"--filter {key}=... is given twice", hint=f"each once: {FILTERS}")
        given[key] = value
    tests = given.get("tests", "yes")
    if tests not in ("yes", "no"):
        raise UsageError(f"--filter tests is yes or no, not {tests!r}", hint=FILTERS)
    return SearchFilter(given.get("path", ""), given.get("language", ""), tests == "yes")


def _require_language(name: str, reader: CuratedReader) -> None:
    languages = {file.language for file in reader.read_all_files() if file.language}
    if name and name not in languages:
        hint = f"its languages: {', '.join(sorted(languages)) or 'none'}"
        raise UsageError(f"no file of the index is in the language {name!r}", hint=hint)


def _print(invocation: Invocation, hits: list[SearchHit], request: SearchRequest) -> None:
    output = invocation.output
    for hit in hits:
        name = f" {hit.symbol}" if hit.symbol else ""
        place = f"{one_line(hit.path)}:{hit.start_line}-{hit.end_line}"
        output.line(f"{hit.score:7.2f}  {place}{name}")
        output.line(f"         {reasons_of(hit.candidate)}")
        if request.show_text:
            print_lines(output, hit.text, hit.start_line, request.max_lines)
    if not hits:
        output.line("nothing in the index answers; see cra why PATH, cra index")


def _document(hit: SearchHit, max_lines: int) -> dict[str, object]:
    text, cut = first_lines(hit.text, max_lines)
    return {
        "path": hit.path,
        "symbol": hit.symbol,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "chunk_id": hit.chunk_id,
        "score": round(hit.score, 6),
        "text": text,
        "lines_not_shown": cut,
        "signals": {s.name: round(s.contribution, 6) for s in hit.candidate.signals},
    }
