"""Where does one sample lead the ranks' methods into error? Each function returns (section, method) -> errors, (m,) 0 or 1.

A county tied with others has several true ranks: 1 + those strictly better ... p - those strictly worse. A rank set is
right if it holds all of them, "established" if all of them lie in the list, "excluded" if none does. This is what every
method here claims ("at least so many others are strictly better", "... strictly worse"); it is stricter than the rank
1 + (strictly better) of Mogstad, Romano, Shaikh and Wilhelm (2024), which is one of the true ranks.

Errors are per county (m = p) where a statement is for one county named beforehand, one number (m = 1) where it is for the
table as a whole; a false discovery proportion is a number between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from satisfaction.estimation.multiplicity import normal_scores
from satisfaction.ranking import critical_values as dunnett
from satisfaction.ranking import critical_values as maxt
from satisfaction.ranking import membership as lists
from satisfaction.ranking import probability as bayes
from satisfaction.ranking import rise_bounds, sets
from satisfaction.ranking.pairs import Pairs, compare_units, competition_rank, others

from . import csranks
from .rank_truths import ROSE, Design, true_ranks, two_waves

Array = np.ndarray[Any, Any]
Errors = dict[tuple[str, str], Array]
ALPHA, BOTTOM, TOP = 0.05, 10, 20
MAXT_DRAWS = 1_000  # many samples make up for few draws: the noise of a critical value averages out
JOINT, NAMED, IN, OUT, TABLE, MODEL, PEER = "joint", "named", "in", "out", "table", "model", "peer"


@dataclass(frozen=True, slots=True)
class Truth:
    """True scores and best and worst true ranks of p counties, (p,) each."""

    score: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, score: Array) -> Truth:
        return cls(score, *true_ranks(score))

    def in_list(self, places: int, side: lists.Side) -> Array:
        """Counties all of whose true ranks are in the list, (p,) bool."""
        return self.high <= places if side == "top" else self.low > len(self.low) - places

    def out_of_list(self, places: int, side: lists.Side) -> Array:
        """Counties none of whose true ranks is in the list, (p,) bool."""
        return self.low > places if side == "top" else self.high <= len(self.low) - places


def sampled(
    design: Design, random: np.random.Generator
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Errors of the estimates and estimated se, (p,) each, of the later and of the earlier wave."""
    before, after = two_waves(design, random)
    return design.estimated(after), design.estimated(before)


def observed(score: Array, sample: tuple[Array, Array], df: Array) -> Pairs:
    """Pairs of counties with these true scores in a sample."""
    error, se = sample
    return compare_units(score + error, cov=np.diag(se**2), df=df)


def missed(low: Array, high: Array, truth: Truth) -> Array:
    """Counties whose set does not hold all their true ranks."""
    return (low > truth.low) | (high < truth.high)


def whole(errors: Array) -> Array:
    """Whether there is any error in the table, (1,)."""
    return errors.any(keepdims=True)


def set_errors(pairs: Pairs, truth: Truth) -> Errors:
    """Rank sets without simulation, and the lists that follow from the default simultaneous sets."""
    errors: Errors = {}
    for name in ("tukey", "holm", "joint-ci"):
        found = sets.SIMULTANEOUS[name](pairs, ALPHA)
        errors[JOINT, name] = whole(missed(found.low, found.high, truth))
        if name == "tukey":
            errors |= list_errors(found, truth)
    for name in ("simes", "holm"):
        found = sets.MARGINAL[name](pairs, ALPHA)
        errors[NAMED, name] = missed(found.low, found.high, truth)
    return errors


def list_errors(found: sets.RankSets, truth: Truth) -> Errors:
    """Inner sets with a county that does not belong, outer sets without one that may."""
    errors: Errors = {}
    for side, places in (("bottom", BOTTOM), ("top", TOP)):
        both = lists.list_sets(found.low, found.high, side=side, places=places)  # type: ignore[arg-type]
        errors[TABLE, f"inner list ({side} {places})"] = whole(
            both.inner & ~truth.in_list(places, side)
        )  # type: ignore[arg-type]
        errors[TABLE, f"outer list ({side} {places})"] = whole(
            ~both.outer & ~truth.out_of_list(places, side)
        )  # type: ignore[arg-type]
    return errors


def claim_errors(tests: lists.Membership, name: str, belongs: Array, not_belongs: Array) -> Errors:
    """Counties proven in, or out, that are not."""
    return {
        (IN, name): (tests.p_in <= ALPHA) & ~belongs,
        (OUT, name): (tests.p_out <= ALPHA) & ~not_belongs,
    }


def membership_errors(pairs: Pairs, truth: Truth) -> Errors:
    """Belonging to the last ten and to the top 20, for a named county and over the table; the list as a whole."""
    belongs, not_belongs = truth.in_list(BOTTOM, "bottom"), truth.out_of_list(BOTTOM, "bottom")
    simes, bonferroni = (
        lists.bottom_membership(pairs, BOTTOM, form) for form in ("simes", "bonferroni")
    )
    errors = claim_errors(simes, "simes", belongs, not_belongs)
    errors |= claim_errors(bonferroni, "bonferroni", belongs, not_belongs)
    top = lists.top_membership(pairs, TOP)
    errors |= claim_errors(
        top, f"top {TOP} (simes)", truth.in_list(TOP, "top"), truth.out_of_list(TOP, "top")
    )
    for family in ("holm", "bh"):
        adjusted = lists.over_the_table(simes, family)  # type: ignore[arg-type]
        for side, p_value, true in (
            ("in", adjusted.p_in, belongs),
            ("out", adjusted.p_out, not_belongs),
        ):
            named = p_value <= ALPHA
            share = (named & ~true).sum() / max(named.sum(), 1)
            errors[TABLE, f"{family} over the table ({side})"] = np.array(
                [share if family == "bh" else share > 0]
            )
    inside = np.argsort(pairs.score, kind="stable")[:BOTTOM]
    is_right = truth.score[inside].max() < np.delete(truth.score, inside).min()
    errors[TABLE, "the list as a whole"] = np.array(
        [lists.verify_list(pairs, BOTTOM) <= ALPHA and not is_right]
    )
    return errors


def rise_errors(before: Pairs, after: Pairs, was: Truth, now: Truth) -> Errors:
    """Rises: "met" for one place more than counties truly rose, "not met" for just as many."""
    claims = rise_bounds.rank_claims(before), rise_bounds.rank_claims(after)
    published = competition_rank(before)
    errors: Errors = {}
    for section, places in ((IN, ROSE + 1), (OUT, ROSE)):
        at, goal = 0 if section == IN else 1, published - places
        estimated = rise_bounds.change_tests(*claims, places)[at] <= ALPHA
        number = rise_bounds.new_rank_tests(claims[1], goal)[at] <= ALPHA
        rose, rose_since = (was.low - now.high >= places, now.high <= goal)
        stayed, stayed_since = (was.high - now.low < places, now.low > goal)
        true, true_since = (rose, rose_since) if section == IN else (stayed, stayed_since)
        errors[section, "rise, base estimated"] = estimated & ~true
        errors[section, "rise, base published"] = number & ~true_since
    return errors


def maxt_errors(pairs: Pairs, truth: Truth, *, seed: int) -> Errors:
    """Simultaneous max-t; the single step is the first step of the step-down."""
    found = sets.maxt_sets(pairs, ALPHA, draws=MAXT_DRAWS, seed=seed)
    assert found.simulation
    single = sets.sets_from(maxt.compared(pairs, ALPHA).statistic > found.simulation.steps[0])
    names = {"maxt, step-down": found, "maxt, single step": single}
    return {(JOINT, name): whole(missed(one.low, one.high, truth)) for name, one in names.items()}


def watched(design: Design) -> Array:
    """Four counties that stand for all where a method is slow: the smallest to the largest true se."""
    return np.argsort(design.true_se())[np.linspace(0, len(design.df) - 1, 4).astype(int)]


def watched_critical(pairs: Pairs, units: Array) -> Array:
    """Critical values of marginal max-t, (p,), nan but for these units; they do not depend on the scores."""
    critical = np.full(len(pairs.se), np.nan)
    critical[units] = [dunnett.critical_value(pairs, int(unit), ALPHA, sides=2) for unit in units]
    return critical


def marginal_maxt_errors(pairs: Pairs, truth: Truth, critical: Array) -> Errors:
    """Marginal max-t sets of the counties with a critical value."""
    found = sets.marginal_sets(normal_scores(pairs.t, pairs.pair_df), critical)
    return {(NAMED, "maxt (4 counties)"): missed(found.low, found.high, truth)[~np.isnan(critical)]}


def dunnett_errors(pairs: Pairs, truth: Truth) -> Errors:
    """Membership in Dunnett's form, of the counties it could be wrong about."""
    worse, better = others(pairs.p_better.T), others(pairs.p_better)
    wrong_in, wrong_out = ~truth.in_list(BOTTOM, "bottom"), ~truth.out_of_list(BOTTOM, "bottom")
    return {
        (IN, "dunnett"): proven_by_dunnett(len(pairs.se) - BOTTOM, worse, pairs, wrong_in),
        (OUT, "dunnett"): proven_by_dunnett(BOTTOM, better, pairs, wrong_out),
    }


def proven_by_dunnett(count: int, p_values: Array, pairs: Pairs, asked: Array) -> Array:
    """Counties asked about, (p,) bool, that Dunnett's form proves.

    Its p-value lies between the count-th smallest of a row and p - count times that; rows decided by this are given
    p-values of 1 or 0, which spares their integrals and changes no decision.
    """
    reached = np.partition(p_values, count - 1, axis=1)[:, count - 1]
    settled = np.where((reached > ALPHA) | ~asked, 1.0, 0.0)
    is_open = asked & (reached <= ALPHA) & ((len(pairs.se) - count) * reached > ALPHA)
    spared = np.where(is_open[:, None], p_values, settled[:, None])
    return np.asarray(lists.at_least_dunnett(count, spared, pairs) <= ALPHA)


def probability_errors(pairs: Pairs, truth: Truth) -> Errors:
    """Naming a county at a probability of 95 %, which guarantees nothing for a given truth."""
    probability = bayes.fit(pairs.score, pairs.se).probability_bottom(BOTTOM)
    return {
        (MODEL, "P(last ten) >= 95 %"): (probability >= 1 - ALPHA)
        & ~truth.in_list(BOTTOM, "bottom"),
        (MODEL, "P(last ten) <= 5 %"): (probability <= ALPHA)
        & ~truth.out_of_list(BOTTOM, "bottom"),
    }


def peer_errors(pairs: Pairs, truth: Truth, random: np.random.Generator) -> Errors:
    """The peer's simultaneous sets, which take the se as known."""
    found = csranks.simultaneous_sets(pairs.score, pairs.se, alpha=ALPHA, random=random)
    return {(PEER, "csranks, simultaneous"): whole(missed(*found, truth))}
