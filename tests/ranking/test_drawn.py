"""Ranks of drawn scores: against max-t where nothing is a step, at a mark where other methods fail, and their parts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tests.coverage_study.drawn import study

from satisfaction.ranking.drawn import (
    DrawnModel,
    JointDraws,
    compare_drawn,
    drawn_reach,
    joint_limits,
    list_probability,
    marginal_drawn_sets,
    simultaneous_drawn_sets,
)
from satisfaction.ranking.membership import bottom_membership
from satisfaction.ranking.pairs import compare_units
from satisfaction.ranking.sets import maxt_sets

SCORE = np.array([60.0, 64.0, 65.0, 70.0, 78.0])
SE = np.array([1.0, 1.5, 1.0, 2.0, 1.0])
DRAWS = 40_000


def without_steps(spent=0.0, low=0.0, high=0.0):
    errors = np.random.default_rng(1).normal(size=(DRAWS, 5)) * SE
    return JointDraws(SCORE + errors, errors, SCORE - low, SCORE + high, spent, 1)


@pytest.fixture(scope="module")
def plain():
    return compare_drawn(SCORE, without_steps())


def test_without_steps_p_values_and_sets_are_those_of_the_standard_errors(plain):
    known = compare_units(SCORE, cov=np.diag(SE**2), df=np.full(5, np.inf))
    error = np.sqrt(known.p_better * (1 - known.p_better) / DRAWS)
    off = ~np.eye(5, dtype=bool)
    assert (np.abs(plain.p_better - known.p_better) < 4 * error + 2 / DRAWS)[off].all()
    sets = simultaneous_drawn_sets(plain.drawn, 0.05)
    reference = maxt_sets(known, 0.05, step_down=False)
    assert sets.critical[0] == pytest.approx(reference.critical[0], abs=0.05)
    assert (sets.better == reference.better).all()


def test_the_set_of_one_named_unit_is_no_wider_than_that_of_the_whole_table(plain):
    joint = simultaneous_drawn_sets(plain.drawn, 0.05)
    named = marginal_drawn_sets(plain.drawn, 0.05)
    assert (named.low >= joint.low).all()
    assert (named.high <= joint.high).all()
    assert named.critical[1] < joint.critical[1]


def test_points_that_are_not_ruled_out_widen_sets_and_p_values(plain):
    wide = compare_drawn(SCORE, without_steps(spent=0.01, low=4.0, high=4.0))
    shifted = stats.norm.sf((SCORE[4] - SCORE[0] - 8) / np.hypot(SE[4], SE[0]))
    assert wide.p_better[4, 0] == pytest.approx(shifted, abs=2e-3 * 3)
    narrow = simultaneous_drawn_sets(plain.drawn, 0.05)
    wider = simultaneous_drawn_sets(wide.drawn, 0.05)
    assert (wider.low <= narrow.low).all()
    assert (wider.high >= narrow.high).all()
    assert (wider.better <= narrow.better).all()
    assert wider.better.sum() < narrow.better.sum()
    assert (bottom_membership(wide, 1).p_in >= bottom_membership(plain, 1).p_in + 0.01 - 1e-12)[
        :1
    ].all()


def test_differences_from_a_chosen_unit_reach_as_far_as_its_sets(plain):
    wide = compare_drawn(SCORE, without_steps(spent=0.01, low=1.0, high=2.0))
    for pairs, shift in ((plain, 0.0), (wide, 3.0)):
        sets = simultaneous_drawn_sets(pairs.drawn, 0.05)
        half = drawn_reach(pairs, 4, 0.05, table=True)
        spread = np.hypot(SE, SE[4])
        expected = shift + sets.critical[0] * spread
        assert half[:4] == pytest.approx(expected[:4], rel=0.02)
        behind = SCORE[4] - SCORE > half
        assert (behind == sets.better[4])[:4].all()
        assert (drawn_reach(pairs, 4, 0.05, table=False) <= half + 1e-9)[:4].all()


def test_below_a_value_is_tested_at_the_most_points_and_not_below_at_the_fewest():
    draws = without_steps(spent=0.01, low=2.0, high=3.0)
    tests = draws.below_tests(66.0, tested=np.array([True] * 4 + [False]))
    below = stats.norm.cdf((SCORE + 3 - 66) / SE) + 0.01
    not_below = stats.norm.sf((SCORE - 2 - 66) / SE) + 0.01
    assert tests.p_in[:4] == pytest.approx(np.minimum(below, 1)[:4], abs=0.01)
    assert tests.p_out[:4] == pytest.approx(np.minimum(not_below, 1)[:4], abs=0.01)
    assert (tests.p_in[4], tests.p_out[4]) == (1.0, 1.0)


def test_joint_limits_hold_all_errors_at_once():
    errors = np.random.default_rng(2).normal(size=(DRAWS, 40)) * np.linspace(1, 5, 40)
    half = joint_limits(errors, 0.01)
    held = (np.abs(errors) <= half).all(axis=1).mean()
    assert held == pytest.approx(0.99, abs=2e-4)
    assert half / errors.std(axis=0) == pytest.approx(stats.norm.isf(0.005 / 40), abs=0.15)


def test_shares_of_draws_add_up_and_turn_with_the_scores():
    scores = np.random.default_rng(3).integers(0, 4, size=(500, 6)).astype(float)
    model = DrawnModel(scores)
    assert model.probability_bottom(2).sum() == pytest.approx(2)
    assert model.probability_top(2) == pytest.approx(list_probability(-scores, 2))
    assert model.expected_rank().sum() == pytest.approx(21)
    better = model.better()
    assert better + better.T == pytest.approx(np.ones((6, 6)))
    assert model.expected_rank() == pytest.approx(0.5 + (1 - better).sum(axis=1))
    turned = without_steps(low=1.0, high=2.0).turned(-1.0)
    assert turned.low.tolist() == (-SCORE - 2).tolist()
    assert turned.of(np.array([4, 0])).high.tolist() == [-77.0, -59.0]


def test_true_ranks_lie_in_their_sets_although_rates_lie_at_the_mark():
    """Where the true rate lies at the mark, sets hold; the draws' own spread and bare shares of draws do not."""
    rates = study(samples=120, seed=5)
    assert (rates["joint sets"] <= 0.05).all()
    assert (rates["set of the first area"] <= 0.06).all()
    assert rates["naive max-t"].max() > 0.12
    assert rates["naive share, first above second"].max() > 0.12
    assert rates.loc["far from the mark", "decided pairs"] > 0.6


def test_true_ranks_of_a_mean_of_waves_lie_in_their_sets_although_rates_lie_at_the_mark():
    """Three waves share the error that rules out marks; the draws' own spread does not hold here either."""
    rates = study(samples=60, seed=5, waves=3)
    assert (rates["joint sets"] <= 0.05).all()
    assert (rates["set of the first area"] <= 0.06).all()
    assert rates["naive max-t"].max() > 0.12
    assert rates.loc["far from the mark", "decided pairs"] > 0.7  # more than of one wave


def test_a_mean_of_waves_averages_all_that_is_drawn():
    first = without_steps(spent=0.005, low=1.0, high=2.0)
    other = without_steps(spent=0.005)
    mean = JointDraws.mean([first, other.turned(-1.0)])
    assert np.abs(mean.scores).max() < 1e-12
    assert (mean.spent, mean.number) == (0.01, DRAWS)
    assert mean.low.tolist() == [-0.5] * 5
    assert mean.high.tolist() == [1.0] * 5
    low, high = other.limits(0.95)
    assert high - low == pytest.approx(2 * stats.norm.isf(0.025) * SE, rel=0.03)
