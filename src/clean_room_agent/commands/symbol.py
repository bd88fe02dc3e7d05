"""`cra symbol`: the definitions of a name with their text, and what calls them.

Takes: a name or an indexed path. Gives: printed definitions, or the outline of a file.
Does not know: how a name is found. No model is asked and nothing is decided for a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.commands.code_lines import ALL_LINES, first_lines, print_lines
from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.why import normal_path
from clean_room_agent.errors import UsageError
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.spelling import counted, one_line
from clean_room_agent.retrieval.lookup import (
    Definition,
    Found,
    Limits,
    Place,
    Relations,
    look_up,
    near_names,
    near_paths,
)
from clean_room_agent.store.curated_reader import CuratedReader

PLACES_SHOWN = 10
_TOLD = (
    ("callers", "called by"),
    ("callees", "calls"),
    ("bases", "inherits from"),
    ("subclasses", "inherited by"),
)


@dataclass(frozen=True, slots=True)
class SymbolRequest:
    """What is asked: a name, how many definitions with text, and how many lines of each."""

    name: str
    definitions: int = 3
    max_lines: int = ALL_LINES


def symbol(invocation: Invocation, request: SymbolRequest) -> None:
    """Refresh the index, look the name up, print; the run is logged with the chunks it showed.

    Raises:
        UsageError: the name is empty, or nothing in the index bears it.
    """
    invocation.require_room()
    if not request.name.strip():
        raise UsageError("the name is empty", hint="cra symbol Ledger.add")
    refresh_index(invocation)
    limit = invocation.settings.config.index.max_file_bytes

    def read_source(path: str, _blob_id: BlobId) -> bytes:
        return invocation.repository.read_file(path, limit_bytes=limit)

    words = [request.name, "--definitions", str(request.definitions)]
    with recorded_run(invocation, "symbol", words) as run, CuratedReader(invocation.root) as reader:
        subject = _subject(invocation, request.name.strip())
        found = look_up(
            subject,
            reader=reader,
            read_source=read_source,
            limits=Limits(request.definitions, PLACES_SHOWN),
        )
        if not found.definitions and not found.outline:
            raise _unknown(request.name, subject, reader)
        run.summary = {"chunks": [d.chunk_id for d in found.definitions if not d.withheld]}
    _print(invocation.output, found, request)
    invocation.output.document({"run_id": run.run_id, **_document(found, request)})


def _unknown(name: str, subject: str, reader: CuratedReader) -> UsageError:
    path, _, inside = subject.partition("::")
    if reader.read_file(path) is not None:
        message = f"{path} defines no {inside}" if inside else f"{path} defines no names"
        outline = f"cra symbol {path} lists what it defines"
        hint = outline if inside else f"cra search WORDS --filter path={path}"
        return UsageError(message, hint=hint)
    if any(file.path.startswith(f"{subject}/") for file in reader.read_all_files()):
        hint = f"cra symbol {subject}/FILE"
        return UsageError(f"{subject} is a directory; ask for a file", hint=hint)
    near = near_paths(path, reader) or near_names(name, reader)
    spelled = f"spelled much like it: {', '.join(map(one_line, near))}; " if near else ""
    hint = f'{spelled}cra search "{one_line(name)}" looks everywhere'
    return UsageError(f"nothing in the index is called {name!r}", hint=hint)


def _subject(invocation: Invocation, name: str) -> str:
    """The name with its path, if it has one, as the index spells it."""
    path, separator, inside = name.partition("::")
    if not separator and "/" not in path and "." not in path:
        return name
    return f"{normal_path(invocation, path)}{separator}{inside}"


def _print(output: Output, found: Found, request: SymbolRequest) -> None:
    if not found.is_exact:
        output.line(f"nothing bears this whole name: {request.name}; its last part is:")
    for definition in found.definitions:
        place = definition.place
        output.heading(f"{_where(place)} {place.kind} {place.name}")
        for name, words in _TOLD:
            _print_relations(output, words, getattr(definition, name))
        if definition.withheld:
            output.line(f"  not shown: {definition.withheld}")
        else:
            print_lines(output, definition.text, place.start_line, request.max_lines)
            _print_members(output, definition, request.max_lines)
    if found.others:
        output.line("the same name also stands here:")
    for place in found.others:
        output.line(f"  {_where(place)} {place.kind} {place.name}")
    if found.outline:
        output.heading(one_line(found.outline[0].path))
    for place in found.outline:
        output.line(f"  {place.start_line}-{place.end_line} {place.kind} {place.name}")


def _print_relations(output: Output, words: str, relations: Relations) -> None:
    if not relations.total and not relations.guessed:
        return
    least = "at least " if relations.is_least else ""
    guessed = f"; by its name alone also {relations.guessed:,}" if relations.guessed else ""
    output.line(f"  {words} {least}{relations.total:,}{guessed}" + ":" * bool(relations.places))
    for place in relations.places:
        output.line(f"    {_where(place)} {place.name or 'at module level'}")
    if (left := relations.total - len(relations.places)) > 0:
        output.line(f"    and {left:,} more")


def _print_members(output: Output, definition: Definition, max_lines: int) -> None:
    """Where the text was not shown to its end, say what else stands inside."""
    _, left = first_lines(definition.text, max_lines)
    last = definition.place.end_line - left
    later = [member for member in definition.members if left and member.end_line > last]
    if later:
        output.line(f"  {counted(len(later), 'member')} in what is not shown:")
    for member in later:
        output.line(f"    {_where(member)} {member.kind} {member.name}")


def _where(place: Place) -> str:
    return f"{one_line(place.path)}:{place.start_line}-{place.end_line}"


def _document(found: Found, request: SymbolRequest) -> dict[str, object]:
    return {
        "name": request.name,
        "exact": found.is_exact,
        "definitions": [_definition_document(d, request.max_lines) for d in found.definitions],
        "others": [_place_document(place) for place in found.others],
        "outline": [_place_document(place) for place in found.outline],
    }


def _definition_document(definition: Definition, max_lines: int) -> dict[str, object]:
    text, left = first_lines(definition.text, max_lines)
    return {
        **_place_document(definition.place),
        "signature": definition.signature,
        "chunk_id": definition.chunk_id,
        "withheld": definition.withheld,
        "text": text,
        "lines_not_shown": left,
        "members": [_place_document(member) for member in definition.members],
        **{name: _relations_document(getattr(definition, name)) for name, _ in _TOLD},
    }


def _relations_document(relations: Relations) -> dict[str, object]:
    return {
        "total": relations.total,
        "guessed": relations.guessed,
        "at_least": relations.is_least,
        "places": [_place_document(place) for place in relations.places],
    }


def _place_document(place: Place) -> dict[str, object]:
    return {
        "path": place.path,
        "name": place.name,
        "kind": place.kind,
        "start_line": place.start_line,
        "end_line": place.end_line,
    }
