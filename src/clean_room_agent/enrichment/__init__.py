"""From an indexed file to a model's description of it, in raw; into curated only by promotion."""

from clean_room_agent.enrichment.describe import (
    Described,
    describe,
    describing_tokens,
    least_tokens,
)
from clean_room_agent.enrichment.promote import choose_promotions, promoted_about
from clean_room_agent.enrichment.queue import Waiting, read_queue
from clean_room_agent.enrichment.room import build_room

__all__ = [
    "Described",
    "Waiting",
    "build_room",
    "choose_promotions",
    "describe",
    "describing_tokens",
    "least_tokens",
    "promoted_about",
    "read_queue",
]
