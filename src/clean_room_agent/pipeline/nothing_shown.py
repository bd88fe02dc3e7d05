"""Why a package shows no code: nothing was found, nothing was asked about, or nothing was let in.

Takes: a `ContextPackage` and its task. Gives: one sentence. Does not know: who asks, or models.
"""

from __future__ import annotations

import re
from collections import Counter

from clean_room_agent.records.context import ContextPackage, Decision, Verdict
from clean_room_agent.records.spelling import one_line
from clean_room_agent.retrieval.model_judge import NOT_ASKED

STAGES = ("scope", "precision")
REASON_SHOWN = 160
_RANK = re.compile(r"\Arank \d+: ")


def why_nothing(package: ContextPackage, task_id: str) -> str:
    """Say why no code of the repository is in the package; the reasons are its own decisions'."""
    judged: list[Decision] = []
    for stage in package.stages:
        if stage.name in STAGES and stage.decisions:
            # What was not even let in by its file was judged with the file.
            judged = [d for d in stage.decisions if d.candidate.score > 0.0]
            if all(d.verdict is Verdict.EXCLUDED for d in judged):
                break
    if not judged:
        return "nothing in the index speaks for it"
    reasons = Counter(_reason(decision) for decision in judged)
    most = one_line(reasons.most_common(1)[0][0])[:REASON_SHOWN]
    many = "1 candidate" if len(judged) == 1 else f"{len(judged):,} candidates"
    if any(d.verdict is Verdict.INCLUDED for d in judged):
        return f"what was let in of {many} is no code; cra trace {task_id}"
    path = one_line(judged[0].candidate.path)
    more = f"the reasons: cra why {path} --task {task_id}"
    if all(NOT_ASKED in decision.reason for decision in judged):
        return f"of {many} none was asked about ({most}); {more}"
    often = "" if len(reasons) == len(judged) > 1 else f" ({most})"
    return f"of {many} none was let in{often}; {more}"


def _reason(decision: Decision) -> str:
    return _RANK.sub("", decision.reason, count=1)
