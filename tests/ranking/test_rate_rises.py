"""Rises of rates: the likelihood of covariances, moments on the scale of rates, and what two waves of a rate state."""

from __future__ import annotations

import numpy as np
import pytest
from tests.estimation.test_comparisons_waves import design, wave

import satisfaction as sat
from coverage_study import rate_rises as study
from satisfaction.ranking import probability as bayes
from satisfaction.ranking.change import OF_RATES
from satisfaction.ranking.rate_rises import (
    RATE_WAVES,
    _log_likelihood,
    _mean_product,
    _mean_rate,
    likely_covariances,
    rate_rises,
)
from satisfaction.ranking.waves import waves_from_arrays

P = 40


def scores(change: float, *, noise: float = 0.3, seed: int = 1):
    """True values of spread 1 and their estimates in two waves."""
    rng = np.random.default_rng(seed)
    true = rng.standard_normal((P, 1)) + np.column_stack(
        [np.zeros(P), change * rng.standard_normal(P)]
    )
    x = true + noise * rng.standard_normal((P, 2))
    return x, np.broadcast_to(noise**2 * np.eye(2), (P, 2, 2))


def test_the_likelihood_of_many_covariances_is_that_of_each():
    x, noise = scores(0.2)
    rng = np.random.default_rng(2)
    halves = rng.normal(0.5, 0.4, (30, 3))
    between = np.array([bayes.square(half) @ bayes.square(half) for half in halves])
    singly = [-bayes.deviance(half, x, noise)[0] for half in halves]
    assert _log_likelihood(between, x, noise) == pytest.approx(singly, rel=1e-10)


def test_means_on_the_scale_of_rates_are_those_of_the_integrals():
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()
    mean = np.array([[1.2, 1.35], [0.4, 0.9]])
    cov = np.array([[[0.02, 0.01], [0.01, 0.03]], [[0.05, -0.02], [-0.02, 0.01]]])
    first, second = _mean_rate(mean, cov), _mean_product(mean, cov)
    for unit in range(2):
        half = np.linalg.cholesky(cov[unit])
        u, v = np.meshgrid(node, node, indexing="ij")
        points = mean[unit] + np.stack([u, v], axis=-1) @ half.T
        rates = np.sin(points) ** 2
        mass = weight[:, None] * weight
        for a in range(2):
            assert first[unit, a] == pytest.approx((mass * rates[..., a]).sum(), rel=1e-11)
            for b in range(2):
                expected = (mass * rates[..., a] * rates[..., b]).sum()
                assert second[unit, a, b] == pytest.approx(expected, rel=1e-11)


def test_covariances_are_chosen_where_they_are_likely():
    """With small errors the spread of the estimates itself comes back."""
    x, noise = scores(0.5, noise=0.02, seed=3)
    chosen = likely_covariances(x, noise, 400)
    sample = np.cov(x.T)
    centre = np.sqrt(chosen[:, 0, 0]).mean()
    assert centre == pytest.approx(np.sqrt(sample[0, 0]), rel=0.1)
    correlation = chosen[:, 0, 1] / np.sqrt(chosen[:, 0, 0] * chosen[:, 1, 1])
    expected = sample[0, 1] / np.sqrt(sample[0, 0] * sample[1, 1])
    assert correlation.mean() == pytest.approx(expected, abs=0.05)


def counties(change: float, seed: int):
    rng = np.random.default_rng(seed)
    before = study.true_rates("logit-normal 98 %", rng)
    logit = np.log(before / (1 - before)) + change * rng.standard_normal(study.COUNTIES)
    after = 1 / (1 + np.exp(-logit))
    of_before = study.sampled(before, "few PSUs", rng)
    return study.two_waves(of_before, study.sampled(after, "few PSUs", rng))


def test_no_estimated_change_is_no_certainty_that_nobody_rose():
    """Where the plugged-in covariance leaves no change at all, every stated rise was 0; it no longer is."""
    stated = []
    plugged = []
    for seed in range(1, 7):
        waves = counties(0.1, seed)
        drawn = rate_rises(waves, 1.0, draws=1_000).ranks
        stated.append(np.mean(drawn[:, :, 0] - drawn[:, :, 1] >= 5, axis=0))
        known = waves.posterior(1.0)
        old = bayes.rank_draws(known.mean, known.cov, draws=1_000)
        plugged.append(np.mean(old[:, :, 0] - old[:, :, 1] >= 5, axis=0))
    none = [chance.max() == 0 for chance in plugged]
    assert any(none)
    assert all(np.median(chance) > 0.05 for chance in stated)


def test_a_better_rate_is_a_smaller_one_where_that_is_declared():
    waves = counties(0.4, 1)
    up = rate_rises(waves, 1.0, draws=4_000)
    down = rate_rises(waves, -1.0, draws=4_000)
    assert down.expected_rise == pytest.approx(-up.expected_rise, abs=2.0)
    assert down.model.mean == pytest.approx(-up.model.mean, rel=1e-9)
    assert down.model.cov == pytest.approx(up.model.cov, rel=1e-9)
    assert (up.model.mean > 0).all()
    assert (up.model.mean < 1).all()


def test_shared_error_is_no_change():
    """Errors that the waves share leave less room for a rise."""
    waves = counties(0.4, 2)
    variance = np.sqrt(np.diag(waves.before.cov) * np.diag(waves.after.cov))
    cov = np.block(
        [
            [waves.after.cov, np.diag(0.9 * variance)],
            [np.diag(0.9 * variance), waves.before.cov],
        ]
    )
    shared = waves_from_arrays(
        waves.after.estimate, waves.before.estimate, se=None, cov=cov,
        df=np.stack([waves.after.df, waves.before.df]), names=None, ranked=None, selection="probability",
    )  # fmt: skip
    apart = rate_rises(waves, 1.0, draws=1_000).model
    together = rate_rises(shared, 1.0, draws=1_000).model
    moved = np.array([-1.0, 1.0])
    assert np.median(moved @ together.cov @ moved) < np.median(moved @ apart.cov @ moved)


def test_the_study_counts_every_county_once():
    counts = study.province(study.Case("normal 97 %", 0.4, "few PSUs"), 1)
    everyone = counts[study.RATES]
    unflagged = counts[study.UNFLAGGED]
    assert everyone[:, 0].sum() == study.COUNTIES
    assert (unflagged <= everyone).all()
    for by_bin in counts.values():
        assert (by_bin[:, 2] <= by_bin[:, 0]).all()


def test_estimates_of_a_rate_have_the_model_of_rates_and_say_so():
    estimated = []
    for seed in (1, 2):
        rows = wave(seed)
        rows["yes"] = (rows["y"] > -0.5).astype(int)
        estimated.append(sat.estimate(design(rows), "yes", statistic="proportion", by="county"))
    later, earlier = estimated
    moved = sat.rank_change(later, earlier, comparable=True, places=1, draws=1_000)
    assert moved.summary["probabilities"].startswith(RATE_WAVES)
    assert OF_RATES in moved.summary["notes"]
    assert moved.table["shrunk_change"].abs().max() < 1
    later_ranks = sat.rank(later, bottom=1, marginal="holm")
    earlier_ranks = sat.rank(earlier, bottom=1, marginal="holm")
    target = later_ranks.target("rise", 1, since=earlier_ranks, base="estimated", comparable=True)
    assert target.summary["probabilities"] == RATE_WAVES
    assert target.table["probability"].between(0, 1).all()
