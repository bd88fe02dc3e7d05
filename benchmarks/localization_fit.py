"""Learn the weights of a plain sum of signals from ranked lists, never on a task's own repository.

Takes: rows of signals, gold sets. Gives: weights, and scores held out by repository. Does not
know: how a signal is measured. Needs numpy and scipy, which the package itself does not.

The loss is list-wise: the share of the gold candidates in a softmax over all candidates of a task.
Tasks of one repository weigh n ** -0.4 together, so that a large repository does not decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

PENALTY = 0.1
REPOSITORY_POWER = -0.4
TEMPERATURE = 6.0  # scores are sums of values up to 1; the softmax needs a wider range

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """The candidates of one task: values by signal, and which candidates are gold."""

    task_id: str
    repo: str
    values: Matrix
    gold: NDArray[np.bool_]
    missed: int  # gold that is no candidate


def make_case(
    task_id: str,
    repo: str,
    names: Sequence[str],
    candidates: Sequence[tuple[str, Mapping[str, float]]],
    gold: Sequence[str],
) -> Case:
    values = np.zeros((len(candidates), len(names)))
    place = {name: index for index, name in enumerate(names)}
    for row, (_, signals) in enumerate(candidates):
        for name, value in signals.items():
            if name in place:
                values[row, place[name]] = value
    wanted = set(gold)
    marks = np.array([key in wanted for key, _ in candidates], dtype=bool)
    return Case(task_id, repo, values, marks, len(wanted) - int(marks.sum()))


def fit(
    cases: Sequence[Case],
    start: Matrix,
    *,
    free: NDArray[np.bool_],
    penalty: float = PENALTY,
    least: Matrix | None = None,
) -> Matrix:
    """Weights that put gold first; those not `free` keep their start; `least` is the lowest
    value of each, 0 where it is not given."""
    stack = _stack(cases)
    places = np.flatnonzero(free)
    fixed = start.copy()
    fixed[places] = 0.0
    base = stack.values @ fixed
    columns = np.ascontiguousarray(stack.values[:, places])

    def loss(x: Matrix) -> tuple[float, Matrix]:
        logits = TEMPERATURE * (base + columns @ x)
        logits -= np.repeat(np.maximum.reduceat(logits, stack.starts), stack.sizes)
        share = np.exp(logits)
        share /= np.repeat(np.add.reduceat(share, stack.starts), stack.sizes)
        total = -float(stack.target @ np.log(share + 1e-12)) + penalty * float(x @ x)
        slope = TEMPERATURE * (columns.T @ (share * stack.weight - stack.target))
        return total, slope + 2.0 * penalty * x

    floor = np.zeros_like(start) if least is None else least
    bounds = [(floor[i], None) for i in places]
    begin = np.maximum(start, floor)[places]
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds)
    full = start.copy()
    full[places] = found.x
    return full


@dataclass(frozen=True, slots=True)
class _Stack:
    """All cases that teach something, one below the other."""

    values: Matrix
    target: Matrix  # the weight of a case, shared among its gold
    weight: Matrix  # the weight of its case, for each candidate
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]


def _stack(cases: Sequence[Case]) -> _Stack:
    usable = [case for case in cases if case.gold.any() and not case.gold.all()]
    counts = Counter(case.repo for case in usable)
    weights = np.array([counts[case.repo] ** REPOSITORY_POWER for case in usable])
    weights /= weights.sum()
    sizes = np.array([len(case.gold) for case in usable])
    return _Stack(
        np.concatenate([case.values for case in usable]),
        np.concatenate(
            [w * case.gold / case.gold.sum() for w, case in zip(weights, usable, strict=True)]
        ),
        np.repeat(weights, sizes),
        np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        sizes,
    )


def hold_out(
    cases: Sequence[Case],
    start: Matrix,
    *,
    free: NDArray[np.bool_],
    penalty: float = PENALTY,
    least: Matrix | None = None,
) -> dict[str, Matrix]:
    """For each repository, weights learned on all the others."""
    return {
        repo: fit(
            [case for case in cases if case.repo != repo],
            start,
            free=free,
            penalty=penalty,
            least=least,
        )
        for repo in sorted({case.repo for case in cases})
    }


def ranks(case: Case, weights: Matrix) -> list[int]:
    """Places of the gold candidates, from 1; gold that is no candidate is missing."""
    scores = case.values @ weights
    order = np.argsort(-np.round(scores, 9), kind="stable")
    return [int(place) + 1 for place, index in enumerate(order) if case.gold[index]]
