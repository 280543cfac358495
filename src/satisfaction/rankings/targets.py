"""The targets that areas have been set: met, not met or not decidable, each for its own area."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..ranking import VERDICT, Ranking
from ..ranking.bayes import NODES, Posterior, one_more
from ..ranking.membership import Membership, decide, top_membership
from ..ranking.pairs import TIE
from ..ranking.rise import new_rank_tests, rank_claims
from ..survey import Survey, Target
from .within import Rankings

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
                yield Claim(code, target, math.floor(before - target.rise), since=since, before=before)
            elif target.first_in is not None:
                yield Claim(code, target, 1, "" if target.first_in == survey.whole() else survey.parents()[code])
            elif target.top is not None:
                yield Claim(code, target, target.top)


def _standing(claim: Claim, field: Ranking | None) -> dict[str, Any]:
    """Return the area's rank with its set, in the ranking that decides."""
    about = {name: getattr(claim, name) for name in ("code", "target", "since", "before", "parent")}
    if field is None:
        return about | {"of": 0}
    row = field.table.set_index("unit").loc[claim.code]
    return about | {"of": field.summary["p"]} | {name: row[name] for name in ("rank", "marginal_low", "marginal_high")}


def _test(claim: Claim, field: Ranking | None) -> dict[str, Any]:
    if field is None or claim.code in field.summary["not_ranked"]:
        return {"verdict": "not ranked"}
    if claim.goal >= field.summary["p"] or field.summary["selection"] != "probability":
        return {"verdict": "not decidable"}
    tests = _membership(claim, field)
    unit = [name for name, there in zip(field.units.names, field.units.ranked, strict=True) if there].index(claim.code)
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
    return Membership(*new_rank_tests(rank_claims(field.pairs), np.full(field.summary["p"], claim.goal)))
