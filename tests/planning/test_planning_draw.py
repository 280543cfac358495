"""Draws: probabilities met over thousands of draws, joint probabilities exact, rotation as declared, seeds, faulty frames."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfaction.foundation.errors import DesignError
from satisfaction.planning.draw import (
    METHODS,
    Array,
    draw_sample,
    draw_stratum,
    inclusion_probabilities,
)

DRAWS = 10_000  # as many as the declared probabilities are shown over


def within_noise(found, expected, draws=DRAWS, limit=4.5):
    error = np.sqrt(np.maximum(expected * (1 - expected), 1e-9) / draws)
    return np.abs(found - expected) <= limit * error + 1e-12


@pytest.fixture(scope="module")
def pi():
    return inclusion_probabilities(np.array([3, 9, 4, 1, 7, 2, 5, 6.0]), 3)


@pytest.mark.parametrize("method", METHODS)
def test_inclusion_probabilities_are_met(method, pi):
    rng, counts = np.random.default_rng(1), np.zeros(len(pi))
    for _ in range(DRAWS):
        taken = METHODS[method](pi, rng)
        assert len(taken) == len(set(taken.tolist())) == 3
        counts[taken] += 1
    assert within_noise(counts / DRAWS, pi).all()


def joint_systematic(pi: Array) -> Array:
    """Joint inclusion probabilities of systematic selection in the order given, (N, N); pi on the diagonal.

    Exact: between two neighbouring breakpoints every start takes the same units.
    """
    ends = np.cumsum(pi)
    breaks = np.unique(np.concatenate([[0.0, 1.0], np.mod(ends, 1.0)]))
    joint = np.zeros((len(pi), len(pi)))
    n = round(float(pi.sum()))
    ends[-1] = n
    for low, high in pairwise(breaks):
        taken = np.searchsorted(ends, (low + high) / 2 + np.arange(n), side="right")
        joint[np.ix_(taken, taken)] += high - low
    return joint


def joint_sampford(pi: Array) -> Array:
    """Joint inclusion probabilities of Sampford's design, (N, N); pi on the diagonal. All pi lie between 0 and 1.

    A sample s has probability proportional to sum over s of (1 - pi) times the product over s of pi / (1 - pi); sums over
    samples are elementary symmetric functions of the odds.
    """
    n = round(float(pi.sum()))
    units = len(pi)
    odds = pi / (1 - pi)
    scaled = odds / odds.mean()  # powers cancel in the ratio below
    without = np.array([_symmetric(np.delete(scaled, k), n) for k in range(units)])
    total = float((pi / odds.mean() * without[:, n - 1]).sum())
    joint = np.diag(pi).astype(float)
    for i in range(units):
        for j in range(i + 1, units):
            rest = np.delete(np.arange(units), [i, j])
            few = _symmetric(scaled[rest], n)
            both = (2 - pi[i] - pi[j]) * few[n - 2]
            if n > 2:
                further = pi[rest] / odds.mean() * _without_each(scaled[rest], few, n - 3)
                both += float(further.sum())
            joint[i, j] = scaled[i] * scaled[j] * both / total
            joint[j, i] = joint[i, j]
    return joint


def _symmetric(values: Array, most: int) -> Array:
    """Elementary symmetric functions e_0 ... e_most of some values, (most + 1,)."""
    found = np.zeros(most + 1)
    found[0] = 1.0
    for value in values:
        found[1:] = found[1:] + value * found[:-1]
    return found


def _without_each(values: Array, whole: Array, order: int) -> Array:
    """e_order of the values without each one of them, (m,), from e of all of them."""
    found = np.ones(len(values))
    for k in range(1, order + 1):
        found = whole[k] - values * found
    return found


@pytest.mark.parametrize(
    ("method", "exact"), [("systematic", joint_systematic), ("sampford", joint_sampford)]
)
def test_joint_probabilities_are_met(method, exact, pi):
    rng, counts = np.random.default_rng(2), np.zeros((len(pi), len(pi)))
    for _ in range(DRAWS):
        taken = METHODS[method](pi, rng)
        counts[np.ix_(taken, taken)] += 1
    joint = exact(pi)
    assert within_noise(counts / DRAWS, joint).all()
    assert np.diag(joint) == pytest.approx(pi)
    assert joint.sum(axis=1) == pytest.approx(
        3 * pi
    )  # sum over j of pi_ij = (n - 1) pi_i, and pi_i itself


@given(st.lists(st.integers(1, 40), min_size=5, max_size=8), st.integers(2, 4))
def test_joint_probabilities_of_sampford_by_all_samples(sizes, n):
    pi = inclusion_probabilities(np.array(sizes, float), n)
    if pi.max() > 0.999:
        return
    odds, joint, total = pi / (1 - pi), np.zeros((len(pi), len(pi))), 0.0
    for sample in combinations(range(len(pi)), n):
        weight = (1 - pi[list(sample)]).sum() * np.prod(odds[list(sample)])
        joint[np.ix_(sample, sample)] += weight
        total += weight
    assert joint_sampford(pi) == pytest.approx(joint / total, rel=1e-9)


def test_units_too_large_are_taken_for_certain():
    pi = inclusion_probabilities(np.array([100, 50, 1, 1, 1, 1.0]), 3)
    assert pi[:2].tolist() == [1, 1]
    assert pi[2:] == pytest.approx([0.25] * 4)
    assert inclusion_probabilities(np.array([5.0, 5, 0]), 2).tolist() == [1, 1, 0]


def frame(strata=3, units=40, seed=3):
    rng = np.random.default_rng(seed)
    rows = [
        (f"{s}", f"{s}-{u:02d}", int(rng.integers(300, 900)))
        for s in range(strata)
        for u in range(units)
    ]
    return pd.DataFrame(rows, columns=["county", "village", "people"])


ASKED = {"psu": "village", "strata": ["county"], "size": "people", "seed": 7}


def test_waves_share_what_is_declared_and_reserves_are_apart():
    drawn = draw_sample(frame(), take=8, waves=3, overlap=0.25, reserve=2, **ASKED)
    for county in "012":
        own = drawn.table[drawn.table["county"] == county]
        waves = [set(own.loc[own["wave"] == wave, "village"]) for wave in (0, 1, 2, 3)]
        assert [len(wave) for wave in waves] == [2, 8, 8, 8]
        assert len(waves[1] & waves[2]) == len(waves[2] & waves[3]) == 2
        assert not waves[1] & waves[3]
        assert not waves[0] & (waves[1] | waves[2] | waves[3])
    main = drawn.table[drawn.table["role"] == "main"]
    sums = (main["people"] / main["probability"]).groupby([main["wave"], main["county"]]).mean()
    assert sums.to_numpy() == pytest.approx(
        np.repeat([frame().groupby("county")["people"].sum() / 8], 3, axis=0).ravel()
    )


@pytest.mark.parametrize("method", METHODS)
def test_every_wave_meets_its_probabilities(method):
    size = np.random.default_rng(5).integers(20, 90, 14).astype(float)
    counts, draws = np.zeros((3, 14)), 2000
    rng = np.random.default_rng(6)
    for _ in range(draws):
        drawn = draw_stratum(
            size, 4, method=method, waves=2, overlap=0.5, reserve=1, rng=rng, where="x"
        )
        np.add.at(counts, (drawn["wave"].to_numpy(), drawn["unit"].to_numpy()), 1)
    expected = 4 * size / size.sum()
    assert within_noise(counts[1] / draws, expected, draws).all()
    assert within_noise(counts[2] / draws, expected, draws).all()
    assert within_noise(counts[0] / draws, expected / 4, draws).all()  # one reserve


def test_a_seed_gives_the_same_sample_and_strata_do_not_depend_on_one_another():
    one, two = (draw_sample(frame(), take=5, **ASKED).table for _ in range(2))
    assert one.equals(two)
    assert not one.equals(draw_sample(frame(), take=5, **(ASKED | {"seed": 8})).table)
    changed = frame()
    changed.loc[changed["county"] == "2", "people"] += 5
    again = draw_sample(changed, take=5, **ASKED).table
    assert again[again["county"] == "0"].equals(one[one["county"] == "0"])


def test_numbers_to_take_may_differ_by_stratum():
    drawn = draw_sample(frame(), take={("0",): 3, ("1",): 5, ("2",): 0}, **ASKED)
    assert drawn.wave(1)["county"].value_counts().to_dict() == {"1": 5, "0": 3}


@pytest.mark.parametrize(
    ("change", "asked", "code"),
    [
        (lambda f: f.drop(columns="people"), {}, "D121"), (lambda f: f.assign(village="x"), {}, "D122"), (lambda f: f.assign(people=0), {}, "D123"),
        (lambda f: f.assign(people="many"), {}, "D123"), (lambda f: f.assign(county=None), {}, "D121"), (lambda f: f, {"take": 41}, "D124"),
        (lambda f: f, {"take": 15, "waves": 4}, "D124"), (lambda f: f, {"method": "random"}, "D125"), (lambda f: f, {"overlap": 2}, "D125"),
    ],
)  # fmt: skip
def test_faulty_frames_and_wishes_are_refused(change, asked, code):
    with pytest.raises(DesignError, match=code):
        draw_sample(change(frame()), **({"take": 5} | ASKED | asked))
