"""Normalisations, aggregations and Sobol indices against COINr's figures, and by brute force."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import ROOT
from satisfaction.comparison.stability import saltelli_points, sobol_indices
from satisfaction.composite.normalising import (
    aggregated,
    goalposts,
    minmax,
    normalised,
    percentile_rank,
    share_of_best,
    slopes,
    standardised,
)

COINR = json.loads(
    (ROOT / "tests" / "golden" / "ranks" / "coinr_bits.json").read_text(encoding="utf-8")
)
EXACT = 1e-10


def distance_to(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """1 at a reference value, 0 at the lowest: 1 - (reference - x) / (reference - min)."""
    return np.asarray(1 - (reference - x) / (reference - x.min(axis=0)))


def copeland(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pairs won minus pairs lost, (p, k) -> (p,); a pair is won with more than half of the weight, ties count half."""
    share = weights / weights.sum()
    difference = x[:, None, :] - x[None, :, :]
    won = ((difference > 0) * share).sum(axis=-1)
    tied = ((difference == 0) * share).sum(axis=-1)
    margin = won + 0.5 * tied - 0.5
    return np.asarray(np.where(np.abs(margin) < 1e-12, 0, np.sign(margin)).sum(axis=1))


SCALE = {
    "minmax_0_100": minmax,
    "scaled_0_100": lambda x: normalised(x, "none"),  # from 0-100 to 0-100
    "zscore": standardised,
    "dist2max": lambda x: minmax(x) / 100,
    "dist2ref_3": lambda x: distance_to(x, x[2]),
    "fracmax": lambda x: share_of_best(x) / 100,
    "prank": lambda x: percentile_rank(x) / 100,
    "rank": lambda x: percentile_rank(x) / 100 * (len(x) - 1) + 1,
    "borda": lambda x: percentile_rank(x) / 100 * (len(x) - 1),
    "goalposts": lambda x: goalposts(x, 10, 60) / 100,
}


@pytest.mark.parametrize("method", [name for name in COINR["normalise"] if name != "x"])
def test_normalisations_equal_coinr(method):
    x = np.array(COINR["normalise"]["x"])
    assert SCALE[method](x) == pytest.approx(COINR["normalise"][method], rel=EXACT, abs=EXACT)


@pytest.mark.parametrize(("name", "way"), [("amean", "arithmetic"), ("gmean", "geometric")])
def test_means_equal_coinr(name, way):
    told = COINR["aggregate"]
    assert aggregated(np.array(told["x"]), np.array(told["w"]), way) == pytest.approx(
        told[name], rel=EXACT
    )


def test_copeland_equals_coinr():
    told = COINR["copeland"]
    x = np.array([[row[name] for name in ("V1", "V2", "V3")] for row in told["X"]], dtype=float)
    assert copeland(x, np.array(told["w"])).tolist() == told["scores"]


def test_sobol_indices_are_those_of_coinr_with_centred_outputs():
    """COINr leaves the outputs uncentred and divides their variance by one less."""
    told = COINR["sobol"]
    y, d = np.array(told["y"]), told["d"]
    (first, total), _ = sobol_indices(y[:, None], d)
    a, b, *mixed = y.reshape(d + 2, -1)
    both = np.concatenate([a, b])
    uncentred = both.mean() * (np.array(mixed) - a).mean(axis=1) / both.var()
    larger = len(both) / (len(both) - 1)
    expected = np.array(told["Si"]) * larger - uncentred
    assert first[0] == pytest.approx(expected, rel=EXACT, abs=EXACT)
    assert total[0] == pytest.approx(np.array(told["STi"]) * larger, rel=EXACT, abs=EXACT)


def test_sobol_indices_of_a_sum_and_a_product():
    """Y = u1 + 2 u2 + u1 u3: indices by hand (variances of uniform inputs)."""
    points = saltelli_points(2**13, 3, seed=4)
    y = points[:, 0] + 2 * points[:, 1] + points[:, 0] * points[:, 2]
    indices, errors = sobol_indices(y[:, None], 3)
    # E[y | u1] = 1.5 u1 + const, E[y | u2] = 2 u2, E[y | u3] = 0.5 u3; the interaction has variance 1 / 144
    parts = np.array([2.25, 4, 0.25]) / 12
    whole = parts.sum() + 1 / 144
    first, total = parts / whole, (parts + np.array([1, 0, 1]) / 144) / whole
    assert np.all(np.abs(indices[0, 0] - first) < 4 * errors[0, 0] + 1e-3)
    assert np.all(np.abs(indices[1, 0] - total) < 4 * errors[1, 0] + 1e-3)


def test_outputs_that_do_not_vary_have_no_indices():
    points = saltelli_points(64, 2, seed=1)
    indices, errors = sobol_indices(np.ones((len(points), 1)), 2)
    assert np.isnan(indices).all()
    assert np.isnan(errors).all()


def test_slopes_are_derivatives():
    rng = np.random.default_rng(6)
    x, weights, step = rng.uniform(20, 90, (5, 3)), np.array([0.5, 0.3, 0.2]), 1e-6
    for aggregation in ("arithmetic", "geometric"):
        for k in range(3):
            shift = np.eye(3)[k] * step
            slope = (
                aggregated(x + shift, weights, aggregation)
                - aggregated(x - shift, weights, aggregation)
            ) / (2 * step)
            assert slopes(x, weights, aggregation)[:, k] == pytest.approx(slope, rel=1e-6)


def test_equal_units_stay_equal():
    same = np.full(4, 3.0)
    assert minmax(same).tolist() == [50] * 4
    assert standardised(same).tolist() == [0] * 4
    assert percentile_rank(same).tolist() == [0] * 4
