"""Ranks of scores that are drawn: points that a mark decides, where the true rate lies at the mark.

Six areas score index + 4 points if the rate reaches the mark; index and rate have known errors that may go together. How often
does a method prove an order that is not true, or leave a true rank out of its set? Beside the method of `ranking.drawn` stand
the two that look right and are not: max-t with the draws' own spread, and the share of draws on the wrong side.

usage: python -m tests.coverage_study.drawn [--samples 2000] [--waves 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.ranking.drawn import (
    SPENT,
    JointDraws,
    compare_drawn,
    joint_limits,
    marginal_drawn_sets,
    simultaneous_drawn_sets,
)

Array = np.ndarray[Any, Any]
AREAS = 6
MARK = 0.7
POINTS = 4.0
INDEX_SE = 1.0
RATE_SE = 0.03
ALPHA = 0.05
DRAWS = 2_000


@dataclass(frozen=True)
class Truth:
    """True indices and rates of the areas, and how their errors go together."""

    name: str
    index: Array
    rate: Array
    correlation: float

    @property
    def score(self) -> Array:
        return scores_of(self.index, self.rate)


JUST_BELOW = MARK - 1e-6
TRUTHS = (
    Truth("all level, rates just below the mark", np.full(AREAS, 60.0), np.full(AREAS, JUST_BELOW), 0.0),
    Truth("the same, errors go together", np.full(AREAS, 60.0), np.full(AREAS, JUST_BELOW), 0.7),
    Truth("one at the mark, the others far below", np.full(AREAS, 60.0), np.array([JUST_BELOW, *[0.3] * 5]), 0.0),
    Truth("indices apart, rates at the mark", 60 + 1.5 * np.arange(AREAS), np.array([MARK, JUST_BELOW] * 3), 0.3),
    Truth("far from the mark", 60 + 3.0 * np.arange(AREAS), np.array([0.9, 0.4] * 3), 0.3),
)  # fmt: skip


def scores_of(index: Array, rate: Array) -> Array:
    """Scores of areas: the index, and the points where the rate reaches the mark."""
    return np.asarray(index + POINTS * (rate >= MARK))


def sample(truth: Truth, random: np.random.Generator, waves: int = 1) -> tuple[Array, JointDraws]:
    """Draw estimates of one of so many waves, and draws around them as `drawn_together` makes them."""
    cov = np.array([[INDEX_SE**2, 0], [0, RATE_SE**2]])
    cov[0, 1] = cov[1, 0] = truth.correlation * INDEX_SE * RATE_SE
    root = np.linalg.cholesky(cov).T
    index, rate = np.stack([truth.index, truth.rate]) + (random.normal(size=(AREAS, 2)) @ root).T
    noise = random.normal(size=(DRAWS, AREAS, 2)) @ root
    spent = SPENT * ALPHA / waves
    half = joint_limits(noise[..., 1], spent)
    drawn = scores_of(index + noise[..., 0], rate + noise[..., 1])
    draws = JointDraws(
        drawn, noise[..., 0], scores_of(index, rate - half), scores_of(index, rate + half), spent, 1
    )
    return scores_of(index, rate), draws


def naive_spread(draws: JointDraws) -> Array:
    """Return the spread of the differences of whole scores drawn, points included."""
    variance = np.diag(draws.cov)
    return np.asarray(np.sqrt(np.maximum(variance[:, None] + variance - 2 * draws.cov, 1e-12)))


def wrong(truth: Truth, samples: int, seed: int, *, waves: int) -> Iterator[dict[str, Any]]:
    """Say of every sample what each method gets wrong about the mean of so many waves, each of the same truth."""
    random = np.random.default_rng(seed)
    true = truth.score
    better = (true[:, None] > true + 1e-9).sum(axis=0)
    worse = (true[:, None] < true - 1e-9).sum(axis=0)
    not_better = true[:, None] <= true + 1e-9
    np.fill_diagonal(not_better, val=False)
    for _number in range(samples):
        several = [sample(truth, random, waves) for _wave in range(waves)]
        score = np.mean([score for score, _draws in several], axis=0)
        draws = JointDraws.mean([draws for _score, draws in several])
        spread = naive_spread(draws)
        compared = compare_drawn(score, draws).drawn
        assert compared is not None
        joint = simultaneous_drawn_sets(compared, ALPHA)
        named = marginal_drawn_sets(compared, ALPHA)
        deviations = draws.scores - draws.scores.mean(axis=0)
        largest = np.abs(deviations[:, :, None] - deviations[:, None, :]) / spread
        critical = np.quantile(largest.max(axis=(1, 2)), 1 - ALPHA)
        behind = np.mean(draws.scores[:, 0] <= draws.scores[:, 1])
        outside = (joint.low > better + 1) | (joint.high < AREAS - worse)
        yield {
            "truth": truth.name,
            "joint sets": outside.any(),
            "set of the first area": named.low[0] > better[0] + 1
            or named.high[0] < AREAS - worse[0],
            "decided pairs": (joint.low - 1).sum() / (AREAS * (AREAS - 1) / 2),
            "naive max-t": (not_better & (score[:, None] - score > critical * spread)).any(),
            "naive share, first above second": bool(not_better[0, 1]) and behind <= ALPHA,
        }


def study(samples: int, seed: int = 1, waves: int = 1) -> pd.DataFrame:
    """Return how often each method is wrong, one row a truth."""
    rows = []
    for number, truth in enumerate(TRUTHS):
        rows += wrong(truth, samples, seed + number, waves=waves)
    return pd.DataFrame(rows).groupby("truth", sort=False).mean()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--waves", type=int, default=1)
    asked = parser.parse_args()
    print(study(asked.samples, waves=asked.waves).round(4).T.to_string())
