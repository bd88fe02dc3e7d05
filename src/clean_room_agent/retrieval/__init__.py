"""From a task to the room: what a model should see, and why each candidate is in or out."""

from clean_room_agent.retrieval.assembly import render
from clean_room_agent.retrieval.retrieve import retrieve
from clean_room_agent.retrieval.search import search

__all__ = ["render", "retrieve", "search"]
