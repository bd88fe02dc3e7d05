"""How a solve is told: on the terminal, and as JSON content.

Takes: a `SolveResult`, what the models cost. Gives: printed lines, documents.
Does not know: how any of it was computed.
"""

from __future__ import annotations

from collections.abc import Mapping

from clean_room_agent.commands.output import Output
from clean_room_agent.pipeline.doors import Generated
from clean_room_agent.pipeline.limits import IN_WORDS, Ending
from clean_room_agent.pipeline.search import EXHAUSTED
from clean_room_agent.pipeline.solve import SolveResult
from clean_room_agent.pipeline.templates import NAME as TEMPLATES
from clean_room_agent.records.attempt import TestOutcome
from clean_room_agent.records.log import Patch
from clean_room_agent.records.spelling import counted
from clean_room_agent.records.task import Task

TARGETS_SHOWN = 5


def stopped_of(result: SolveResult) -> str:
    """Say why each generator ended; with one generator, its reason alone."""
    if len(result.generated) == 1:
        return result.generated[0].stopped
    return "; ".join(f"{g.generator}: {g.stopped}" for g in result.generated)


def result_document(result: SolveResult) -> dict[str, object]:
    """Return the result as JSON content, beside the summary."""
    validation, patch = result.validation, result.patch
    after = validation.run if validation else None
    selection = result.selection
    return {
        "patch": _diff(patch) if patch else "",
        "summary": patch.score.get("summary", "") if patch else "",
        "worktree": str(result.worktree) if result.worktree else None,
        "before": {"passed": len(result.before.passed), "failed": list(result.before.failed)},
        "after": {"passed": len(after.passed), "failed": list(after.failed)} if after else None,
        "fail_to_pass": list(result.targets.fail_to_pass),
        "verdict": validation.verdict if validation else None,
        "reason": validation.reason if validation else _verdict_of_search(result).strip(),
        "failures": {
            r.test_id: essence(r.detail)
            for r in result.before.results
            if r.test_id in result.targets.fail_to_pass
        },
        "runner_up": _runner_up(result),
        "flags": list(validation.flags) if validation else [],
        "generators": [_generated_document(generated) for generated in result.generated],
        "selector": selection.selector if selection else "",
        "selected_because": selection.reason if selection else "",
    }


def _generated_document(generated: Generated) -> dict[str, object]:
    return {
        "generator": generated.generator,
        "stopped": generated.stopped,
        "tried": generated.tried,
        "plausible": len(generated.plausible),
        "attempts": generated.attempts,
        "turns": generated.turns,
        "seconds": round(generated.seconds, 3),
    }


def print_result(
    output: Output, task: Task, result: SolveResult, spent: Mapping[str, object]
) -> None:
    """Print what was found, what it cost, and what to do next."""
    if result.solved and result.patch:
        _print_solution(output, result, result.patch)
    else:
        output.heading("not solved")
        _print_failure(output, result)
    for generated in result.generated:
        output.line(f"tried ({generated.generator}): {_told(generated)}")
    output.line(f"time:  {result.seconds:.1f} s in all")
    if spent["calls"]:
        output.line(
            f"models: {spent['calls']} calls, {spent['prompt_tokens']:,} tokens in, "
            f"{spent['output_tokens']:,} out, {spent['model_seconds']:.1f} s"
        )
    if result.validation:
        for flag in result.validation.flags:
            output.line(f"flag: {flag}")
    if result.solved:
        output.line(f"look: {result.worktree}")
        output.line(f"next: cra apply {task.task_id}    (your tree is untouched so far)")
    output.line(f"why:  cra trace {task.task_id}; cra why PATH --task {task.task_id}")


def _told(generated: Generated) -> str:
    end = f"{len(generated.plausible)} plausible, stopped: {generated.stopped}"
    if generated.generator == TEMPLATES:
        rate = generated.tried / generated.seconds if generated.seconds else 0.0
        many = f"{generated.tried:,} candidates in {generated.seconds:.1f} s ({rate:,.0f}/s)"
        return f"{many}, {end}"
    many = f"{counted(generated.attempts, 'attempt')}, {counted(generated.turns, 'turn')}"
    return f"{many} in {generated.seconds:.1f} s, {end}"


def _print_solution(output: Output, result: SolveResult, patch: Patch) -> None:
    output.heading(
        f"solved by {patch.score.get('generator', '')}: {patch.score.get('summary', '')}"
    )
    output.diff(_diff(patch))
    output.line(diffstat(_diff(patch)))
    assert result.validation is not None
    after = result.validation.run
    output.line(
        f"tests before: {len(result.before.passed)} passed, {len(result.before.failed)} failed"
    )
    failed = f"{len(after.failed)} failed"
    if after.failed:
        failed += f" that were not asked for, the first: {after.failed[0]}"
    output.line(f"tests after:  {len(after.passed)} passed, {failed}   (fresh tree)")
    _print_others(output, result)


def _print_failure(output: Output, result: SolveResult) -> None:
    details = {r.test_id: r.detail for r in result.before.results}
    for test_id in result.targets.fail_to_pass[:TARGETS_SHOWN]:
        output.line(f"  still failing: {test_id}")
        if said := essence(details.get(test_id, "")):
            output.line(f"    {said}")
    validation = result.validation
    if validation is None:
        output.line(_verdict_of_search(result))
        return
    output.line(f"  the best patch was refused: {validation.verdict}: {validation.reason}")
    broken = [t for t, o in validation.pass_to_pass.items() if o is not TestOutcome.PASSED]
    for test_id in sorted(broken)[:TARGETS_SHOWN]:
        output.line(f"  it breaks: {test_id}")


def _verdict_of_search(result: SolveResult) -> str:
    """Say what was not found, for each generator, and what would give it more room."""
    return "\n".join(_verdict_of(result, generated) for generated in result.generated)


def _verdict_of(result: SolveResult, generated: Generated) -> str:
    if generated.stopped.startswith(IN_WORDS[Ending.EMPTY_ROOM]):
        return f"  the model was not asked for an edit: {generated.stopped}"
    if generated.generator != TEMPLATES:
        advice = "; raise the limits of [attempts]" if generated.is_cut else ""
        return f"  the model's edits did not make these tests pass: {generated.stopped}{advice}"
    if generated.stopped == EXHAUSTED:
        return "  no edit of the catalogue makes these tests pass"
    several = len(result.targets.fail_to_pass) > 1
    advice = "raise --seconds" + (", or name one failing test with --fix" if several else "")
    return f"  {generated.stopped} before every candidate was tried: {advice}"


def _runner_up(result: SolveResult) -> str:
    others = _others(result)
    return _diff(others[0]) if others else ""


def _print_others(output: Output, result: SolveResult) -> None:
    """Say that other patches pass as well: then the tests do not decide between them."""
    others = _others(result)
    if others:
        output.line(
            f"the tests leave a choice: {len(others)} further patches pass in the trial; "
            f"next best: {others[0].score.get('summary', '')}"
        )
    if result.selection and result.selection.selector != "tests":
        output.line(f"chosen by {result.selection.selector}: {result.selection.reason}")


def _others(result: SolveResult) -> list[Patch]:
    return [p for p in result.ranked if result.patch and p.patch_id != result.patch.patch_id]


def _diff(patch: Patch) -> str:
    return patch.diff.decode("utf-8", "surrogateescape")


def essence(detail: str) -> str:
    """Return the line of a failure text that says what went wrong."""
    lines = [line.rstrip() for line in detail.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or lines or [""])[-1 if not marked else 0][:200]


def diffstat(patch: str) -> str:
    """Return "1 file, +1 -1" for a unified diff."""
    lines = patch.splitlines()
    files = sum(line.startswith("diff --git ") for line in lines)
    plus = sum(line.startswith("+") and not line.startswith("+++ ") for line in lines)
    minus = sum(line.startswith("-") and not line.startswith("--- ") for line in lines)
    return f"{files} file{'s' if files != 1 else ''}, +{plus} -{minus}"
