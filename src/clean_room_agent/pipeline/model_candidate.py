"""A model's change as a candidate, beside those of the templates.

Takes: a change, the model's summary, the spectrum. Gives: `PatchCandidate`.
Does not know: models, or how candidates are ranked.
"""

from __future__ import annotations

from clean_room_agent.pipeline.changes import Change, first_line, narrowed, normal_form
from clean_room_agent.pipeline.stages import MODEL_GENERATOR
from clean_room_agent.records.attempt import PatchCandidate, Replacement, Spectrum
from clean_room_agent.repair import suspiciousness

# As the likeliest templates: which of the two is right more often has not been measured yet.
MODEL_PRIOR = 0.9
# Of the worst line of the file where the edit is on no traced line, as templates share it.
UNTRACED_SHARE = 0.3
UNTRACED_FILE = 0.1
MAX_SUMMARY = 200


def make_candidate(change: Change, summary: str, spectrum: Spectrum) -> PatchCandidate:
    """Return the change as a candidate: narrow edits, its place, how suspicious that place is."""
    replacements = narrowed(change)
    scores = suspiciousness(spectrum)
    lines = {r.path: _lines(r, change) for r in replacements}
    first = replacements[0]
    said = " ".join(summary.split())[:MAX_SUMMARY] or "an edit of the model"
    return PatchCandidate(
        replacements=replacements,
        template=MODEL_GENERATOR,
        summary=f"{first.path}:{lines[first.path][0]}: {said}",
        line=lines[first.path][0],
        suspiciousness=max(_suspicion(scores.get(r.path, {}), lines[r.path]) for r in replacements),
        prior=MODEL_PRIOR,
        normal_form=normal_form(change),
    )


def _lines(replacement: Replacement, change: Change) -> tuple[int, int]:
    """Return the first and last line of the base that an edit touches."""
    before = change.before.get(replacement.path, b"")
    first = first_line(replacement, before)
    touched = before[replacement.start_byte : replacement.end_byte].count(b"\n")
    return first, max(first, first + touched - 1)


def _suspicion(scores: dict[int, float], lines: tuple[int, int]) -> float:
    touched = [score for line, score in scores.items() if lines[0] <= line <= lines[1]]
    if touched:
        return max(touched)
    return UNTRACED_SHARE * max(scores.values()) if scores else UNTRACED_FILE
