"""The room that turns a repository into curated rows. Its one door is `index_repository`."""

from clean_room_agent.indexing.build import index_repository

__all__ = ["index_repository"]
