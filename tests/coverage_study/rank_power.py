"""How much can be established, beside the peer; and does P(last ten) = 30 % come true in 30 % of cases?"""

from __future__ import annotations

from typing import Any

import numpy as np

from satisfaction.ranking import membership as lists
from satisfaction.ranking import probability as bayes
from satisfaction.ranking import sets
from satisfaction.ranking.pairs import Pairs, others

from . import csranks
from .rank_errors import ALPHA, BOTTOM, Truth, observed, proven_by_dunnett, sampled
from .rank_truths import LEVEL, SPREAD, Design

Array = np.ndarray[Any, Any]
OURS, LIKE = "membership test, Simes (default)", "marginal set inside the last ten, Simes"
PROJECTION, ONE_SIDED = "csranks, one-sided, single step", "csranks, one-sided, step-down"
SET = "csranks, marginal set (its default: two-sided, step-down)"
BINS = 10
PRIORS = (SPREAD, SPREAD / 2)  # sd of the true scores


def established(pairs: Pairs, asked: Array, random: np.random.Generator) -> dict[str, Array]:
    """Which of some counties, (k,) int, each method places in the last ten: (k,) bool each."""
    first, is_asked = len(pairs.se) - BOTTOM + 1, np.isin(np.arange(len(pairs.se)), asked)
    low = {
        name: peer_low(pairs, asked, random, step_down=step)
        for name, step in ((PROJECTION, False), (ONE_SIDED, True))
    }
    both = [
        csranks.marginal_set(pairs.score, pairs.se, int(unit), alpha=ALPHA, random=random)[0]
        for unit in asked
    ]
    dunnett = proven_by_dunnett(first - 1, others(pairs.p_better.T), pairs, is_asked)
    return {
        OURS: lists.bottom_membership(pairs, BOTTOM).p_in[asked] <= ALPHA,
        "membership test, Dunnett": dunnett[asked],
        "membership test, Bonferroni": lists.bottom_membership(pairs, BOTTOM, "bonferroni").p_in[
            asked
        ]
        <= ALPHA,
        LIKE: sets.simes_sets(pairs, ALPHA).low[asked] >= first,
        **{name: found >= first for name, found in low.items()},
        SET: np.array(both) >= first,
    }


def peer_low(pairs: Pairs, asked: Array, random: np.random.Generator, *, step_down: bool) -> Array:
    """The peer's best ranks of some counties, (k,)."""
    how = {"alpha": ALPHA, "random": random, "step_down": step_down}
    return np.array(
        [csranks.marginal_low(pairs.score, pairs.se, int(unit), **how) for unit in asked]
    )  # type: ignore[arg-type]


def power(
    design: Design, spread: Truth, tied: Truth, random: np.random.Generator
) -> dict[str, dict[str, Array]]:
    """Decide on the truly last ten, se estimated and known, and on the counties tied across the cut, se estimated.

    How many can be established depends on the se of those who are last: in every sample others are.
    """
    spread, ((error, se), _) = Truth.of(random.permutation(spread.score)), sampled(design, random)
    known = np.full_like(design.df, np.inf)
    last = np.flatnonzero(spread.in_list(BOTTOM, "bottom"))
    wrong = np.flatnonzero(~tied.in_list(BOTTOM, "bottom") & ~tied.out_of_list(BOTTOM, "bottom"))
    return {
        "estimated": established(observed(spread.score, (error, se), design.df), last, random),
        "known": established(
            observed(spread.score, (error, design.true_se()), known), last, random
        ),
        "false": established(observed(tied.score, (error, se), design.df), wrong, random),
    }


def calibration(design: Design, random: np.random.Generator) -> Array:
    """Compare P(last ten) with the truth drawn from the model: (priors, BINS, 3) = predictions, their sum, how many held."""
    found = np.zeros((len(PRIORS), BINS, 3))
    for one, sd in zip(found, PRIORS, strict=True):
        score = random.normal(LEVEL, sd, len(design.df))
        sample, _ = sampled(design, random)
        pairs = observed(score, sample, design.df)
        predicted = bayes.fit(pairs.score, pairs.se).probability_bottom(BOTTOM)
        held = Truth.of(score).in_list(BOTTOM, "bottom")
        at = np.minimum((predicted * BINS).astype(int), BINS - 1)
        one[:] = np.stack(
            [
                np.bincount(at, weights, BINS)
                for weights in (np.ones_like(predicted), predicted, held)
            ],
            axis=1,
        )
    return found
