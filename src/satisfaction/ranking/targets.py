"""The targets that areas have been set: met, not met or not decidable, each for its own area.

Is an area's measure below a declared value? One-sided tests, and consequences that are established or merely possible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.declarations.rules import RankingRules, Target, Threshold
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.result import Estimates
from satisfaction.ranking.borrowed_errors import Floored
from satisfaction.ranking.membership import (
    Membership,
    decide,
    over_the_table,
    top_membership,
    untested,
)
from satisfaction.ranking.pairs import TIE, Floats
from satisfaction.ranking.probability import NODES, Posterior, one_more
from satisfaction.ranking.rank import VERDICT, Ranking
from satisfaction.ranking.rise import new_rank_tests, rank_claims
from satisfaction.ranking.within import Rankings

COLUMNS = (
    "code", "target", "since", "before", "parent", "of", "rank", "marginal_low", "marginal_high", "verdict", "p_met",
    "p_not_met", "probability",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """A target as a claim about a rank now: `goal` or better, among all areas or those of `parent`."""

    code: str
    target: Target
    goal: int
    parent: str = ""
    since: str = ""
    before: float = math.nan


def target_verdicts(survey: Survey, ranking: Ranking, rankings: Rankings) -> pd.DataFrame:
    """Test every declared target, in the order of rules.yaml.

    A rise of m since the published rank r is the rank r - m or better now: the earlier rank is a number, the new one
    uncertain; tested as `Ranking.target("rise", m, base="published")` does, probabilities exact instead of simulated. A goal
    that every area reaches, because fewer are ranked now, is not decidable.

    Returns
    -------
    DataFrame
        code; target (the record); since, before (earlier wave and published rank, of a rise); parent (code of the larger area,
        of `first_in`); of, rank, marginal_low, marginal_high (in the ranking that decides); verdict ("met", "not met", "not
        decidable", "not ranked"); p_met, p_not_met (one-sided, one area named beforehand); probability (under the model).
    """
    level, rows = survey.area_levels()[0], []
    for claim in _claims(survey):
        field = rankings.within.get((level, claim.parent)) if claim.parent else ranking
        rows.append(_standing(claim, field) | _test(claim, field))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def probability_of(known: Posterior, unit: int, places: int) -> float:
    """P(rank <= places) of one unit: `bayes.few_ahead` for a single row, at the cost of one row."""
    sd = np.maximum(known.sd, TIE)
    at, few = known.mean[unit] + sd[unit] * NODES, np.zeros((places, len(NODES)))
    few[0] = 1.0
    for other in np.delete(np.arange(len(sd)), unit):
        few = one_more(few, special.ndtr((known.mean[other] - at) / sd[other]))
    weight = np.exp(-(NODES**2) / 2)
    return float(few.sum(axis=0) @ weight / weight.sum())


def _claims(survey: Survey) -> Iterator[Claim]:
    for code, targets in survey.rules.targets.items():
        for target in targets:
            if target.rise is not None:
                since = target.since or survey.earlier_waves()[-1]
                before = survey.published_rank(code, since)
                assert before is not None
                yield Claim(
                    code, target, math.floor(before - target.rise), since=since, before=before
                )
            elif target.first_in is not None:
                yield Claim(
                    code,
                    target,
                    1,
                    "" if target.first_in == survey.whole() else survey.parents()[code],
                )
            elif target.top is not None:
                yield Claim(code, target, target.top)


def _standing(claim: Claim, field: Ranking | None) -> dict[str, Any]:
    """Return the area's rank with its set, in the ranking that decides."""
    about = {name: getattr(claim, name) for name in ("code", "target", "since", "before", "parent")}
    if field is None:
        return about | {"of": 0}
    row = field.table.set_index("unit").loc[claim.code]
    return (
        about
        | {"of": field.summary["p"]}
        | {name: row[name] for name in ("rank", "marginal_low", "marginal_high")}
    )


def _test(claim: Claim, field: Ranking | None) -> dict[str, Any]:
    if field is None or claim.code in field.summary["not_ranked"]:
        return {"verdict": "not ranked"}
    if claim.goal >= field.summary["p"] or field.summary["selection"] != "probability":
        return {"verdict": "not decidable"}
    tests = _membership(claim, field)
    unit = [
        name for name, there in zip(field.units.names, field.units.ranked, strict=True) if there
    ].index(claim.code)
    return {
        "verdict": decide(tests, 1 - field.summary["level"], words=VERDICT, provable=True)[unit],
        "p_met": tests.p_in[unit],
        "p_not_met": tests.p_out[unit],
        "probability": probability_of(field.posterior, unit, claim.goal) if claim.goal > 0 else 0.0,
    }


def _membership(claim: Claim, field: Ranking) -> Membership:
    """Test "rank <= goal"; a goal read off an earlier wave needs the claims that hold for all goals at once."""
    if claim.target.rise is None:
        return top_membership(field.pairs, claim.goal, field.options.membership)
    return Membership(
        *new_rank_tests(rank_claims(field.pairs), np.full(field.summary["p"], claim.goal))
    )


STATUS = ("established", "excluded", "possible")
BOUND = "没有抽样变异：由置信限判断，p 值为上界 no variance shown: judged by the limits, p-values are bounds"
NO_ERROR = "没有抽样误差的估计，不判断 no estimate of the error: nothing decided"
TOO_FEW = "有效样本不足，不判断 too few answers: nothing decided"


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
        One-sided t tests with the estimate's df. Where the se is 0 or the df under 1, the limits decide.
    limits : (p,), (p,)
        Confidence limits whose tails hold `tail` each; where they do not contain the value, the p-value is at most `tail`.
    value : float

    Returns
    -------
    Membership
        p_in: small where it lies below; p_out: small where it does not. 1 where nothing can be said.
    """
    low, high = limits
    tested, bounded = (se > 0) & (df >= 1), (se == 0) & (low < high)
    t = np.divide(estimate - value, se, out=np.zeros_like(estimate), where=tested)
    p_below = np.where(tested, special.stdtr(np.where(tested, df, 1.0), t), 1.0)
    p_not_below = np.where(tested, special.stdtr(np.where(tested, df, 1.0), -t), 1.0)
    return Membership(
        np.where(bounded & (high < value), tail, p_below),
        np.where(bounded & (low >= value), tail, p_not_below),
    )


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
        The table of the measure with status ("established" below, "excluded", "possible"), p_below, p_not_below, with a
        multiplicity other than one also p_below_adjusted and p_not_below_adjusted, which then decide; and `note`.
    """
    one = estimates.of(threshold.measure)
    table = one.table.rename(columns={one.by[0]: "code"}) if one.by else one.table
    number = {
        name: table[name].to_numpy(float) for name in ("estimate", "se", "df", "ci_low", "ci_high")
    }
    enough = (table["n"] >= rules.minimum_n).to_numpy()
    lent = floor or Floored(one)
    tests = below_tests(
        number["estimate"],
        np.where(enough, lent.estimates.table["se"].to_numpy(float), np.nan),
        lent.estimates.table["df"].to_numpy(float),
        limits=(number["ci_low"], number["ci_high"]),
        tail=(1 - one.level) / 2,
        value=threshold.below,
    )
    provable = one.design.selection == "probability"
    if not provable:
        tests = untested(len(table))
    found: dict[str, Any] = {"p_below": tests.p_in, "p_not_below": tests.p_out}
    if rules.multiplicity != "one":
        tests = over_the_table(tests, rules.multiplicity)
        found |= {"p_below_adjusted": tests.p_in, "p_not_below_adjusted": tests.p_out}
    status = decide(tests, 1 - rules.level, words=STATUS, provable=provable)
    return table.assign(
        code=table["code"].astype(str),
        status=status,
        **found,
        note=np.where(
            _withheld(table),
            table["note"],
            _notes(number, enough, lent.said, table["code"].astype(str)),
        ),
    )


def _withheld(table: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Tell which areas have answers but no published estimate."""
    return np.asarray(table["estimate"].isna() & (table["n"] > 0))


def _notes(
    number: dict[str, Floats],
    enough: np.ndarray[Any, Any],
    lent: Mapping[str, str],
    codes: pd.Series,
) -> list[str]:
    """Say where no t test could be made, or not with the area's own error, and why."""
    shown = (number["se"] > 0) & (number["df"] >= 1)
    bounded = (number["se"] == 0) & (number["ci_low"] < number["ci_high"])
    why = np.select([~enough, shown, bounded], [TOO_FEW, "", BOUND], NO_ERROR)
    return [str(note) or lent.get(code, "") for note, code in zip(why, codes, strict=True)]
