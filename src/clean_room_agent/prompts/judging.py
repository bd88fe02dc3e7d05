"""The fixed texts by which models judge: what a task names, which files, which items, what first.

Takes: nothing. Gives: one instruction for each judged stage, by template id.
Does not know: tasks, candidates, answers, or what a verdict does.

Each text is followed by what varies, so that the calls of one stage share all before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ANALYSIS_TEMPLATE = "analysis/1"
FILES_TEMPLATE = "judge-files/1"
ITEMS_TEMPLATE = "judge-items/1"
PRIORITY_TEMPLATE = "reprioritise/1"

_ANALYSIS = b"""\
Name what a programmer would look for in the repository to do the task.
`identifiers`: names of functions, classes or variables that the task is about, as in code.
`paths`: file names or paths. `search`: single words that the right code or its comments hold.
Name only what follows from the task, the surest first, at most 12 of each; an empty list is fine.
Answer with one JSON object and nothing else, in this form:
{"identifiers": ["parse_unary"], "paths": ["parser.py"], "search": ["operand"]}
"""
_VERDICTS = b"""\
Answer with one JSON object and nothing else. Its keys are the ids, each with a reason of at most
fifteen words and then the verdict, "include" or "exclude":
{"c1": {"reason": "...", "verdict": "include"}, "c2": {"reason": "...", "verdict": "exclude"}}
"""
_FILES = b"""\
Decide for each candidate file whether code in it must be read or changed to do the task.
A candidate is one line: its id, then what the file is, what it defines and why a search found it.
Include a file that holds the cause, that must change, or without which the change cannot be
written; exclude every other one. What you exclude is not shown later.
"""
_ITEMS = b"""\
Decide for each candidate item whether it must be read or changed to do the task.
A candidate is one line: its id, then the function, class or file, its signature and documentation,
and why a search found it. Include an item that holds the cause, that must change, or that the
change must agree with; exclude every other one. What you exclude is not shown later.
"""
_PRIORITY = b"""\
The chosen items do not fit in the room together. Put them in order of importance for the task,
the most important first. Items are left out whole from the end of your order until the rest fits,
so a large item must be worth its tokens. An item is one line: its id, then what it is.
Answer with one JSON object and nothing else, every id once:
{"order": ["i2", "i1", "i3"]}
"""

JUDGING: Mapping[str, bytes] = MappingProxyType(
    {
        ANALYSIS_TEMPLATE: _ANALYSIS,
        FILES_TEMPLATE: _FILES + _VERDICTS,
        ITEMS_TEMPLATE: _ITEMS + _VERDICTS,
        PRIORITY_TEMPLATE: _PRIORITY,
    }
)
