"""A model behind every judge of a package, which is counted as the model that reads it counts.

Takes: a client, the budget, the stage that will read the package. Gives: `Judges`.
Does not know: retrieval's stages. Loaded only where the configuration has models.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.config.schema import BudgetConfig
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.pipeline.judges import Judges
from clean_room_agent.records.calls import CallStage
from clean_room_agent.retrieval.leads import Leads
from clean_room_agent.retrieval.listing import Listings
from clean_room_agent.retrieval.model_analysis import ModelAnalyst
from clean_room_agent.retrieval.model_judge import Limits, ModelJudge
from clean_room_agent.retrieval.prompting import JudgedTask

# What a reader's prompt adds to the package: its instruction, a plan, feedback of an attempt.
RESERVE_TOKENS = 3_000
RESERVE_SHARE = 0.25  # of a small window, where that is less


@dataclass(frozen=True, slots=True)
class ModelDesk:
    """The models of a task, and who will read its package."""

    models: ModelClient
    budget: BudgetConfig
    reader: CallStage

    def judges(self, task: JudgedTask, listings: Listings, observation: str) -> Judges:
        """Return model judges whose package leaves the reader room for its own words."""
        limits = Limits(self.budget.judged_files, self.budget.judged_items)
        prompt_tokens = self.models.prompt_tokens(self.reader)
        return Judges(
            judge=ModelJudge(self.models, task, listings.line, limits),
            leads=Leads(observation, ModelAnalyst(self.models, task)),
            counter=self.models.counter(self.reader),
            budget_tokens=package_tokens(self.budget.context_tokens, prompt_tokens),
        )


def package_tokens(config_tokens: int, prompt_tokens: int) -> int:
    """Tokens of a package whose reader has a prompt of `prompt_tokens`, its own words set aside."""
    reserve = min(RESERVE_TOKENS, int(max(0, prompt_tokens) * RESERVE_SHARE))
    return min(config_tokens, prompt_tokens - reserve)
