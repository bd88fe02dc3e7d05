"""Ask a model for one edit and turn its answer into replacements, all or none.

Takes: a client, `Material`. Gives: a `Proposal`. Does not know: trees on disk, tests, what
becomes of the edit. The model's `edit_format` in the configuration decides the form.

An answer in the wrong form, or one that names a file that is not shown, is asked for once more.
One whose form is right but whose text does not fit the files is a problem, told to the next turn.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.execute import blocks, symbols
from clean_room_agent.execute.blocks import BlocksAnswer, Resolved
from clean_room_agent.execute.material import Material
from clean_room_agent.execute.prompt import build_prompt, shaper_of
from clean_room_agent.execute.symbols import SymbolsAnswer
from clean_room_agent.llm.answers import Typed, ask_typed
from clean_room_agent.llm.client import Call, ModelClient
from clean_room_agent.records.attempt import Replacement
from clean_room_agent.records.calls import CallStage, EditFormat

_STAGE = CallStage.IMPLEMENT


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model proposed, relative to `Material.files`.

    `problem` says why the answer could not be used ("" if it could); `no_change` is True where it
    only asks for what is there already, which is no failure. With either, nothing is replaced.
    """

    replacements: tuple[Replacement, ...]
    request_id: str
    problem: str
    no_change: bool
    summary: str
    warnings: tuple[str, ...]


def propose_edit(client: ModelClient, material: Material, *, seed_offset: int) -> Proposal:
    """Ask for one complete edit.

    Raises: as `ModelClient.ask_many`.
    """
    if client.choice(_STAGE).edit_format is EditFormat.BLOCKS:
        return _propose_blocks(client, material, seed_offset)
    return _propose_symbols(client, material, seed_offset)


def _propose_blocks(client: ModelClient, material: Material, seed_offset: int) -> Proposal:
    built = build_prompt(client, _STAGE, material, blocks.INSTRUCTION)
    paths = material.paths
    schema = blocks.blocks_schema(paths)
    call = Call(_STAGE, built.prompt, schema, material.task_id, seed_offset)
    typed = ask_typed(client, call, BlocksAnswer, lambda a: blocks.check_blocks(a, paths))
    if typed.value is None:
        return _unusable(typed, built.warnings)
    resolved = blocks.resolve_blocks(typed.value, material.files)
    warnings = (*built.warnings, *typed.warnings)
    return _proposal(resolved, typed.request_id, typed.value.summary, warnings)


def _propose_symbols(client: ModelClient, material: Material, seed_offset: int) -> Proposal:
    pieces = symbols.pieces_of(material)
    if not pieces:
        problem = "the package shows no code, so there is no symbol to replace; nothing was asked"
        return Proposal((), "", problem, False, "", ())
    listing = symbols.list_pieces(pieces, material.package_id, shaper_of(client, _STAGE))
    built = build_prompt(client, _STAGE, material, symbols.INSTRUCTION, listing)
    ids = tuple(pieces)
    call = Call(_STAGE, built.prompt, symbols.symbols_schema(ids), material.task_id, seed_offset)
    typed = ask_typed(client, call, SymbolsAnswer, lambda a: symbols.check_symbols(a, ids))
    if typed.value is None:
        return _unusable(typed, built.warnings)
    resolved = symbols.resolve_symbols(typed.value, pieces, material.files)
    warnings = (*built.warnings, *typed.warnings)
    return _proposal(resolved, typed.request_id, typed.value.summary, warnings)


def _proposal(
    resolved: Resolved, request_id: str, summary: str, warnings: tuple[str, ...]
) -> Proposal:
    return Proposal(
        replacements=resolved.replacements,
        request_id=request_id,
        problem="; ".join(resolved.problems),
        no_change=not resolved.replacements and not resolved.problems,
        summary=summary,
        warnings=(*warnings, *resolved.warnings),
    )


def _unusable(
    typed: Typed[BlocksAnswer] | Typed[SymbolsAnswer], warnings: tuple[str, ...]
) -> Proposal:
    """The answer and its repair were no answer; the next turn is told the last reason."""
    told = (*warnings, *typed.warnings)
    return Proposal((), typed.request_id, typed.problem, False, "", told)
