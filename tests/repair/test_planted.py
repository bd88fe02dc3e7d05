"""The catalogue repairs planted bugs of every large family, in process."""

from __future__ import annotations

import signal

import pytest

from clean_room_agent.repair import propose
from clean_room_agent.repair.source import compiles
from tests.repair.planted import PATH, PLANTED, Planted, on_alarm, patched, repair, spectrum_of

_FAST = (
    "moving_average: 'width + 1)'",
    "moving_average: '/ width'",
    "moving_average: 'sum(window)'",
    "run_length: '            previous = char",
    "merge_intervals: 'start <= merged'",
    "merge_intervals: 'merged and start'",
    "caesar: 'char.isupper()'",
    "flatten_keys: 'flatten_keys(value, name)'",
    "binary_search: 'return -1'",
    "account: 'self.balance -= amount'",
    "transpose: 'row[column]'",
    "word_counts: 'counts.get(word, 0)'",
    "word_counts: 'minimum=1'",
    "clamp_all: 'clamp(value, low, high) for'",
    "clamp_all: ' if value is not None]'",
)
_CHOSEN = [p for p in PLANTED if p.label.startswith(_FAST)]


@pytest.fixture(autouse=True)
def _alarm():
    previous = signal.signal(signal.SIGVTALRM, on_alarm)
    yield
    signal.signal(signal.SIGVTALRM, previous)


def test_the_check_set_is_as_large_as_it_says() -> None:
    assert len(PLANTED) >= 50
    assert len(_CHOSEN) == len(_FAST)


@pytest.mark.parametrize("planted", _CHOSEN, ids=lambda p: p.label)
def test_a_planted_bug_is_repaired(planted: Planted) -> None:
    spectrum = spectrum_of(planted)
    assert spectrum.failing
    found, tried = repair(planted, propose({PATH: planted.broken}, spectrum), 4_000)
    assert found is not None, f"none of {tried} candidates"


@pytest.mark.parametrize("planted", PLANTED[::6], ids=lambda p: p.label)
def test_every_candidate_is_a_program_and_differs_from_the_others(planted: Planted) -> None:
    spectrum = spectrum_of(planted)
    forms = set()
    for candidate in propose({PATH: planted.broken}, spectrum, max_candidates=1_500):
        after = patched(planted.broken, candidate)
        assert compiles(after), candidate.summary
        assert after != planted.broken
        assert candidate.normal_form not in forms
        forms.add(candidate.normal_form)
