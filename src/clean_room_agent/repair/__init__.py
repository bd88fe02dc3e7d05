"""From a spectrum and sources to ordered patch candidates: the `templates` generator.

Takes: bytes of source files and a `Spectrum`. Gives: `PatchCandidate`s, and a ranking of those
that passed. Does not know: how tests run, where files live, or any model.
"""

from clean_room_agent.repair.localisation import suspiciousness
from clean_room_agent.repair.pairs import propose_pairs
from clean_room_agent.repair.proposal import propose
from clean_room_agent.repair.ranking import Evidence, RankedPatch, rank_plausible

__all__ = [
    "Evidence",
    "RankedPatch",
    "propose",
    "propose_pairs",
    "rank_plausible",
    "suspiciousness",
]
