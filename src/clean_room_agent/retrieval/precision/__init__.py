"""The second stage: which items inside the chosen files. Gives candidates, shows nothing."""

from clean_room_agent.retrieval.precision.prefilter import Ask, Choices, ChosenFile, propose_units

__all__ = ["Ask", "Choices", "ChosenFile", "propose_units"]
