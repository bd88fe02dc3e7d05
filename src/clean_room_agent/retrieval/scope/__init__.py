"""The first stage: which files. Takes a `Resolution`, gives candidates. Shows nothing itself."""

from clean_room_agent.retrieval.scope.prefilter import Proposed, propose_files

__all__ = ["Proposed", "propose_files"]
