"""The targets that areas have been set: met, not met or not decidable, each for its own area.

Is an area's measure below a declared value? One-sided tests, and consequences that are established
or merely possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.declarations.rules import RankingRules, Target, Threshold
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.intervals import quotient
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.language import _
from satisfaction.ranking.area_rankings import Rankings, has_enough
from satisfaction.ranking.borrowed_errors import Floored
from satisfaction.ranking.membership import (
    Membership,
    decide,
    over_the_table,
    top_membership,
    untested,
)
from satisfaction.ranking.pairs import TIE, Floats
from satisfaction.ranking.probability import Posterior, few_ahead_each
from satisfaction.ranking.rank import STATUS, VERDICT, Ranking
from satisfaction.ranking.rates import RANGE
from satisfaction.ranking.rise_bounds import new_rank_tests, rank_claims

COLUMNS = (
    "code",
    "target",
    "since",
    "before",
    "parent",
    "of",
    "rank",
    "marginal_low",
    "marginal_high",
    "verdict",
    "p_met",
    "p_not_met",
    "probability",
)
RANGE_MET = ("probability_met_low", "probability_met_high", "model_dependent")
MET = dict(zip(RANGE, RANGE_MET, strict=True))
BOUND = _("no variance shown: judged by the limits, p-values are bounds").both
NO_ERROR = _("no estimate of the error: nothing decided").both
TOO_FEW = _("too few answers: nothing decided").both


@dataclass(frozen=True, slots=True)
class Claim:
    """A target as a claim about a rank now: `goal` or better, in all areas or those of `parent`."""

    code: str
    target: Target
    goal: int
    parent: str = ""
    since: str = ""
    before: float = math.nan


def target_verdicts(survey: Survey, ranking: Ranking, rankings: Rankings) -> pd.DataFrame:
    """Test every declared target, in the order of rules.yaml.

    A rise of m since the published rank r is the rank r - m or better now: the earlier rank is a
    number, the new one uncertain; tested as `Ranking.target("rise", m, base="published")` does,
    probabilities exact instead of simulated. A goal that every area reaches, because fewer are
    ranked now, is not decidable.

    Returns
    -------
    DataFrame
        code; target (the record); since, before (earlier wave and published rank, of a rise);
        parent (code of the larger area, of `first_in`); of, rank, marginal_low, marginal_high (in
        the ranking that decides); verdict ("met", "not met", "not decidable", "not ranked"); p_met,
        p_not_met (one-sided, one area named beforehand); probability (under the model); of rates
        also `RANGE_MET`: over the priors that are compared.
    """
    level_of = survey.levels()
    rows = []
    for claim in _claims(survey):
        field: Ranking | None = ranking
        if claim.parent:
            level = level_of[claim.code]
            field = rankings.within.get((level, claim.parent))
        row = {
            "code": claim.code,
            "target": claim.target,
            "since": claim.since,
            "before": claim.before,
            "parent": claim.parent,
            "of": field.summary.p if field else 0,
        }
        if field is not None:
            of_area = field.table.set_index("unit").loc[claim.code]
            row |= of_area[["rank", "marginal_low", "marginal_high"]].to_dict()
        rows.append(row | _test(claim, field))
    columns = list(COLUMNS)
    if ranking.options.compares_priors:
        columns += RANGE_MET
    return pd.DataFrame(rows, columns=columns)


def _claims(survey: Survey) -> Iterator[Claim]:
    """Yield the targets as claims; those of a larger area concern the ranking of its level in the whole."""
    ranked = set(survey.ranked_areas())
    for code, targets in survey.rules.targets.items():
        above = ""
        if code not in ranked:
            above = survey.parents()[code]
        for target in targets:
            if target.rise is not None:
                since = target.since or survey.earlier_waves()[-1]
                before = survey.published_rank(code, since)
                assert before is not None
                goal = math.floor(before - target.rise)
                yield Claim(code, target, goal, above, since=since, before=before)
            elif target.first_in is not None:
                everywhere = target.first_in == survey.whole()
                parent = above if everywhere else survey.parents()[code]
                yield Claim(code, target, 1, parent)
            elif target.top is not None:
                yield Claim(code, target, target.top, above)


def _test(claim: Claim, field: Ranking | None) -> dict[str, Any]:
    """Test a claim in the ranking that decides; a goal read off an earlier wave needs the claims
    that hold for all goals.
    """
    if field is None or claim.code in field.summary.not_ranked:
        return {"verdict": "not ranked"}
    p = field.summary.p
    goal = claim.goal
    if goal >= p or not field.summary.proven:
        return {"verdict": "not decidable"}
    if claim.target.rise is None:
        tests = top_membership(field.pairs, goal, field.options.membership)
    else:
        claims = rank_claims(field.pairs)
        tests = Membership(*new_rank_tests(claims, np.full(p, goal)))
    unit = field.units.ranked_names.index(claim.code)
    probability = 0.0
    if goal > 0 and not isinstance(field.model, Posterior):
        probability = float(field.model.probability_top(goal)[unit])
    elif goal > 0:
        known = field.posterior
        sd = np.maximum(known.sd, TIE)[:, None]
        only = np.array([unit])
        probability = float(few_ahead_each(known.mean, sd, goal, units=only)[0])
    compared = {}
    for name, values in field.range_of_top(np.full(p, goal)).items():
        compared[MET[name]] = values[unit]
    alpha = 1 - field.summary.level
    provable = not field.options.taken_as_exact
    verdicts = decide(tests, alpha, words=VERDICT, provable=provable)
    return {
        "verdict": verdicts[unit],
        "p_met": tests.p_in[unit],
        "p_not_met": tests.p_out[unit],
        "probability": probability,
        **compared,
    }


# ---- thresholds


def below_tests(
    estimate: Floats,
    se: Floats,
    df: Floats,
    *,
    limits: tuple[Floats, Floats],
    tail: float,
    value: float,
) -> Membership:
    """Test whether (p,) quantities lie below a value, each for one named beforehand.

    Parameters
    ----------
    estimate, se, df : (p,)
        One-sided t tests with the estimate's df. Where the se is 0 or the df under 1, the limits
        decide.
    limits : (p,), (p,)
        Confidence limits whose tails hold `tail` each; where they do not contain the value, the
        p-value is at most `tail`.
    value : float

    Returns
    -------
    Membership
        p_in: small where it lies below; p_out: small where it does not. 1 where nothing can be
        said.
    """
    low, high = limits
    tested = (se > 0) & (df >= 1)
    bounded = (se == 0) & (low < high)
    t = quotient(estimate - value, se, where=tested, otherwise=0.0)
    freedom = np.where(tested, df, 1.0)
    p_below = np.where(tested, special.stdtr(freedom, t), 1.0)
    p_not_below = np.where(tested, special.stdtr(freedom, -t), 1.0)
    lies_below = bounded & (high < value)
    lies_above = bounded & (low >= value)
    p_in = np.where(lies_below, tail, p_below)
    p_out = np.where(lies_above, tail, p_not_below)
    return Membership(p_in, p_out)


def threshold_verdicts(
    estimates: Estimates, threshold: Threshold, rules: RankingRules, *, floor: Floored | None = None
) -> pd.DataFrame:
    """Test a threshold in every area.

    Parameters
    ----------
    estimates : Estimates
        By area; the threshold's measure among them.
    threshold : Threshold
    rules : RankingRules
        level, multiplicity and minimum_n (an area under it keeps its row, and nothing is decided).
    floor : Floored, optional
        The measure's estimates with the errors that tests rest on; their own unless given.

    Returns
    -------
    DataFrame
        The table of the measure with status ("established" below, "excluded", "possible"), p_below,
        p_not_below, with a multiplicity other than one also p_below_adjusted and
        p_not_below_adjusted, which then decide; and `note`.
    """
    measure = estimates.of(threshold.measure)
    floor = floor or Floored(measure)
    table = measure.table
    if measure.by:
        table = table.rename(columns={measure.by[0]: "code"})
    table = table.assign(code=table["code"].astype(str))
    estimate = table["estimate"].to_numpy(float)
    low = table["ci_low"].to_numpy(float)
    high = table["ci_high"].to_numpy(float)
    enough = has_enough(table, rules)
    lent = floor.estimates.table
    lent_se = np.where(enough, lent["se"].to_numpy(float), np.nan)
    lent_df = lent["df"].to_numpy(float)
    tail = (1 - measure.level) / 2
    tests = below_tests(
        estimate, lent_se, lent_df, limits=(low, high), tail=tail, value=threshold.below
    )
    if measure.drawn is not None:
        tests = measure.drawn.below_tests(threshold.below, tested=enough)
    provable = measure.conventions["selection"] == "probability"
    provable = provable and not measure.conventions.get("taken_as_exact")
    if measure.conventions["selection"] != "probability":
        tests = untested(len(table))
    p_values = {"p_below": tests.p_in, "p_not_below": tests.p_out}
    if rules.multiplicity != "one":
        tests = over_the_table(tests, rules.multiplicity)
        p_values["p_below_adjusted"] = tests.p_in
        p_values["p_not_below_adjusted"] = tests.p_out
    status = decide(tests, 1 - rules.level, words=STATUS, provable=provable)
    # why no t test could be made, or not with the area's own error
    se = table["se"].to_numpy(float)
    shown = (se > 0) & (table["df"].to_numpy(float) >= 1)
    bounded = (se == 0) & (low < high)
    why = np.select([~enough, shown, bounded], [TOO_FEW, "", BOUND], NO_ERROR)
    borrowed = [floor.said.get(code, "") for code in table["code"]]
    note = np.where(why == "", borrowed, why)
    withheld = table["estimate"].isna() & (table["n"] > 0)
    note = np.where(withheld, table["note"], note)
    return table.assign(status=status, **p_values, note=note)
