"""What tests say: results, spectra, trials of candidates, and the graded answer.

Takes: a `TestCommand`, a tree, an `Isolation`. Gives: `TestRun`, `Spectrum`, `Trial`, `Validation`.
Does not know: the sandbox (`isolation.py` says what it needs of one), or where edits come from.
"""

from clean_room_agent.validation.grade import grade
from clean_room_agent.validation.runs import run_tests
from clean_room_agent.validation.trace import trace_tests
from clean_room_agent.validation.warm import WarmRunner

__all__ = ["WarmRunner", "grade", "run_tests", "trace_tests"]
