"""Properties of the personalised PageRank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.retrieval.scope.graph import page_rank

nodes = st.integers(0, 6)
graphs = st.dictionaries(nodes, st.dictionaries(nodes, st.floats(0.1, 5), max_size=5), max_size=7)
seed_sets = st.dictionaries(nodes, st.floats(0.1, 5), min_size=1, max_size=3)


@given(graphs, seed_sets)
def test_ranks_are_a_distribution(
    links: dict[int, dict[int, float]], seeds: dict[int, float]
) -> None:
    ranks = page_rank(links, seeds)
    assert sum(ranks.values()) == pytest.approx(1.0)
    assert all(rank >= 0.0 for rank in ranks.values())


@given(graphs, seed_sets)
def test_only_what_a_seed_reaches_has_a_rank(
    links: dict[int, dict[int, float]], seeds: dict[int, float]
) -> None:
    reached = set(seeds)
    for _ in range(8):
        reached |= {target for node in reached for target in links.get(node, {})}
    assert set(page_rank(links, seeds)) <= reached


def test_a_stronger_link_gives_a_higher_rank() -> None:
    ranks = page_rank({1: {2: 3.0, 3: 1.0}}, {1: 1.0})
    assert ranks[1] > ranks[2] > ranks[3]


def test_without_seeds_there_are_no_ranks() -> None:
    assert page_rank({1: {2: 1.0}}, {}) == {}
