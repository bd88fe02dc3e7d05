"""From a package to what a model makes of it; edits as data, applied all or nothing, and undone.

Takes: packages and base bytes; replacements. Gives: proposals, plans, answers, tests, judgments
(each in its module); planned, applied and undone edits (below).
Does not know: where a package, a tree or a test run comes from.
"""

from clean_room_agent.execute.apply import apply_plan, invert, recover
from clean_room_agent.execute.edits import (
    EditPlan,
    FileEdit,
    SearchReplace,
    plan_edits,
    resolve_block,
)

__all__ = [
    "EditPlan",
    "FileEdit",
    "SearchReplace",
    "apply_plan",
    "invert",
    "plan_edits",
    "recover",
    "resolve_block",
]
