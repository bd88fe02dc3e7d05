"""Walk from the best files along imports, calls and inheritance.

Takes: seeds with weights, the reader's edges. Gives: a measure. Does not know: words or history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clean_room_agent.records.code import EdgeKind
from clean_room_agent.retrieval.scope.measure import Measure, noted
from clean_room_agent.retrieval.scope.pool import FilePool
from clean_room_agent.retrieval.weights import SEED_EDGES
from clean_room_agent.store.curated_reader import CuratedReader

_DAMPING = 0.85
_ROUNDS = 20
_BACKWARD = 0.5  # a file that uses a seed is likelier than one that a seed uses only by chance
_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.CALL, EdgeKind.INHERIT})

Links = Mapping[int, Mapping[int, float]]


def page_rank(links: Links, seeds: Mapping[int, float]) -> dict[int, float]:
    """Personalised PageRank: the share of a random walk that restarts at the seeds.

    The ranks of all nodes reached sum to 1; a node without a link out restarts.
    """
    total = sum(seeds.values())
    if total <= 0.0:
        return {}
    start = {node: weight / total for node, weight in seeds.items()}
    sums = {node: sum(targets.values()) for node, targets in links.items()}
    rank = dict(start)
    for _ in range(_ROUNDS):
        following: dict[int, float] = {}
        moved = 0.0
        for node, value in rank.items():
            if sums.get(node, 0.0) <= 0.0:
                continue
            share = _DAMPING * value / sums[node]
            moved += _DAMPING * value
            for target, weight in links[node].items():
                following[target] = following.get(target, 0.0) + share * weight
        for node, weight in start.items():
            following[node] = following.get(node, 0.0) + (1.0 - moved) * weight
        rank = following
    return rank


def read_links(seeds: Iterable[int], reader: CuratedReader) -> dict[int, dict[int, float]]:
    """The neighbourhood of the seeds: the strongest edges out of and into them."""
    links: dict[int, dict[int, float]] = {}
    nodes = list(seeds)
    edges = reader.read_edges_from(nodes, limit=SEED_EDGES)
    edges += reader.read_edges_to(nodes, limit=SEED_EDGES)
    for edge in edges:
        if edge.kind not in _KINDS or edge.source_file == edge.target_file:
            continue
        for one, other, factor in (
            (edge.source_file, edge.target_file, 1.0),
            (edge.target_file, edge.source_file, _BACKWARD),
        ):
            targets = links.setdefault(one, {})
            targets[other] = max(targets.get(other, 0.0), factor * edge.confidence)
    return links


def measure_graph(seeds: Mapping[int, float], reader: CuratedReader, pool: FilePool) -> Measure:
    """PageRank around the seeds, over a neighbourhood of one step."""
    links = read_links(seeds, reader)
    ranks = page_rank(links, seeds)
    pool.add_keys(ranks)
    notes = {}
    for key in ranks:
        near = sorted(other for other in links.get(key, ()) if other in seeds)
        best = max(near, key=lambda other: seeds[other], default=None)
        notes[key] = "a seed" if best is None else f"linked with {pool.files[best].path}"
    return noted("graph.pagerank", ranks, notes)
