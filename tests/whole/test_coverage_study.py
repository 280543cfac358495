"""The ranks' study judges the product, so it is judged here: its design, its truths, its errors, its peer and its verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.ranking.test_ranking_reference import reference

from coverage_study import csranks, limits, rank_errors, rank_power, rank_scoring, rank_truths
from satisfaction import SurveyDesign, estimate
from satisfaction.ranking import membership
from satisfaction.ranking.pairs import others

SHAPE = pd.DataFrame({"county": np.repeat(np.arange(24), 2), "take": [6, 19] * 24})
DESIGN = rank_truths.shipped_design(SHAPE)


def sample(truth: rank_errors.Truth, seed: int):
    later, _ = rank_errors.sampled(DESIGN, np.random.default_rng(seed))
    return rank_errors.observed(truth.score, later, DESIGN.df)


# ---- what is drawn


def test_a_drawn_sample_is_estimated_as_the_product_estimates_it():
    normal = np.random.default_rng(1).standard_normal(len(DESIGN.county))
    error, se = DESIGN.estimated(normal)
    answers = pd.DataFrame(
        {
            "county": DESIGN.county,
            "stratum": DESIGN.stratum,
            "psu": np.arange(len(normal)),
            "w": 1.0,
        }
    )
    answers["index"] = DESIGN.sd[DESIGN.county] * normal
    found = estimate(
        SurveyDesign(answers, strata="stratum", psu="psu", base_weight="w"), "index", by="county"
    ).table
    np.testing.assert_allclose(error, found["estimate"], rtol=1e-10)
    np.testing.assert_allclose(se, found["se"], rtol=1e-10)
    np.testing.assert_array_equal(DESIGN.df, found["df"])


def test_ties_give_a_county_several_true_ranks():
    low, high = rank_truths.true_ranks(np.array([9.0, 7.0, 7.0, 7.0, 1.0]))
    assert low.tolist() == [1, 2, 2, 2, 5]
    assert high.tolist() == [1, 4, 4, 4, 5]
    truth = rank_errors.Truth(np.zeros(5), low, high)
    assert truth.in_list(2, "bottom").tolist() == [False, False, False, False, True]
    assert truth.out_of_list(2, "bottom").tolist() == [True, False, False, False, False]
    assert truth.in_list(2, "top").tolist() == [True, False, False, False, False]


def test_the_least_favourable_truths_leave_as_many_undecided_as_they_say():
    found = {name: rank_errors.Truth.of(now) for name, (_, now) in rank_truths.truths(88).items()}
    undecided = {
        name: (~t.in_list(10, "bottom") & ~t.out_of_list(10, "bottom")).sum()
        for name, t in found.items()
    }
    assert undecided["21, 56, 11 tied"] == 11
    assert undecided["79, 9 tied"] == 79
    assert undecided["fully tied"] == 88
    assert undecided["clusters of 11"] == 11
    assert undecided["well spread"] == undecided["near-tied at the cut"] == 0


def test_counties_rise_by_the_places_they_are_said_to():
    was, now = (rank_errors.Truth.of(score) for score in rank_truths.truths(88)["well spread"])
    assert sorted(set(was.low - now.low)) == [-84, 4]


# ---- what counts as an error


def test_exact_scores_lead_no_method_into_error():
    for was, now in rank_truths.truths(24).values():
        truths = rank_errors.Truth.of(was), rank_errors.Truth.of(now)
        nearly_exact = np.zeros(24), np.full(24, 1e-6)
        before, after = (rank_errors.observed(one.score, nearly_exact, DESIGN.df) for one in truths)
        found = rank_errors.set_errors(after, truths[1]) | rank_errors.membership_errors(
            after, truths[1]
        )
        found |= rank_errors.rise_errors(before, after, *truths)
        assert not any(errors.any() for errors in found.values())


def test_scores_far_from_the_truth_are_seen_as_errors():
    truth = rank_errors.Truth.of(np.arange(24.0))
    turned = rank_errors.observed(-truth.score, (np.zeros(24), np.full(24, 1e-6)), DESIGN.df)
    found = rank_errors.set_errors(turned, truth) | rank_errors.membership_errors(turned, truth)
    assert all(errors.any() for errors in found.values())


def test_sparing_integrals_changes_no_decision_of_dunnetts_form():
    truth = rank_errors.Truth.of(rank_truths.truths(24)["clusters of 11"][1])
    pairs = sample(truth, 3)
    q = others(pairs.p_better.T)
    everyone = np.ones(24, dtype=bool)
    kernel = membership.at_least_dunnett(6, q, pairs) <= rank_errors.ALPHA
    assert 0 < kernel.sum() < 24
    np.testing.assert_array_equal(rank_errors.proven_by_dunnett(6, q, pairs, everyone), kernel)
    np.testing.assert_array_equal(
        rank_errors.proven_by_dunnett(6, q, pairs, everyone & (np.arange(24) < 9)),
        kernel & (np.arange(24) < 9),
    )


# ---- the peer


def test_the_peer_agrees_with_csranks_of_many_draws(monkeypatch):
    monkeypatch.setattr(csranks, "DRAWS", 20_000)
    case = reference("csranks_pisa2018_math_95")
    score, se = (np.array(case["inputs"][name]) for name in ("x", "se"))
    wanted = {
        (one["cstype"], one["stepdown"], one["simul"]): one for one in case["results_R100000"]
    }
    random = np.random.default_rng(1)
    low, high = csranks.simultaneous_sets(score, se, alpha=0.05, random=random)
    both = wanted["two-sided", True, True]
    assert (np.abs(low - both["L"]) > 0).sum() + (np.abs(high - both["U"]) > 0).sum() <= 2
    for unit in (0, 12, 30):
        found = csranks.marginal_set(score, se, unit, alpha=0.05, random=random)
        one = wanted["two-sided", True, False]
        assert np.abs(np.array(found) - (one["L"][unit], one["U"][unit])).max() <= 1
        for step in (True, False):
            best = csranks.marginal_low(score, se, unit, alpha=0.05, random=random, step_down=step)
            assert abs(best - wanted["lower", step, False]["L"][unit]) <= 1


# ---- the verdicts


@pytest.mark.parametrize(
    ("wrong", "samples", "verdict"),
    [
        (60, 1_000, "ok"),
        (70, 1_000, "ok within noise"),
        (120, 1_000, "FAILS"),
        (2, 8, "ok within noise"),
        (245, 4_000, "FAILS"),
    ],
)
def test_a_bar_is_missed_only_beyond_noise(wrong, samples, verdict):
    one = rank_scoring.Counted()
    for k in range(samples):
        one.add(np.array([k < wrong, False]))
    assert one.worst() == wrong / samples
    assert one.verdict() == verdict


def test_probabilities_that_do_not_come_true_fail():
    bins = np.zeros((2, rank_power.BINS, 3))
    bins[:, 3] = 10_000, 3_500, 3_900
    bins[:, 7] = 10_000, 7_500, 7_550
    table = rank_scoring.calibration_table(bins)
    assert table["verdict"].tolist() == ["FAILS", "ok", *["for information"] * 2]
    np.testing.assert_allclose(rank_scoring.weighted_deviation(table), 2.25)


def test_ratio_and_its_error_come_from_the_same_samples():
    own, peer = np.array([2, 4, 2, 4]), np.array([1, 2, 1, 2])
    assert rank_scoring.ratio_of(own, peer) == pytest.approx((2.0, 0.0))
    assert rank_scoring.ratio_of(own, np.zeros(4)) == (np.inf, np.inf)


# ---- limits in hard places


def test_limits_of_a_rate_that_is_far_from_1_hold_and_so_do_those_of_its_change():
    found = limits.changes_of_rates(0.6, 0.6, psus=25, counties=400)
    assert found["single rate"] == pytest.approx(0.95, abs=0.033)  # three standard errors of 400
    assert found["change"] == pytest.approx(0.95, abs=0.033)
    assert found["rejected"] == pytest.approx(0.05, abs=0.033)


def test_areas_of_a_line_without_spread_keep_their_limits():
    found = limits.small_areas(20, 0.0, df=None, surveys=20)
    assert found["direct"] > 0.93
