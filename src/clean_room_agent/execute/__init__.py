"""Edits as data: checked, planned and applied strictly, all or nothing, and undone."""

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
