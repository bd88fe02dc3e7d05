"""Who decides what is shown of a task, and how its reader counts.

Takes: nothing. Gives: `Judges`. Does not know: any implementation.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.retrieval.judge import Judge
from clean_room_agent.retrieval.leads import Leads


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges, who reads the task beside the parser, how the reader counts, and its budget."""

    judge: Judge
    leads: Leads
    counter: TokenCounter
    budget_tokens: int
