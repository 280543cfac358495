"""Contrasts between areas: all pairs, and each area against the rest; t tests, Holm, Benjamini-Hochberg and max-t."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.hypothesis_tests import t_and_p, without_error
from satisfaction.estimation.intervals import t_interval
from satisfaction.estimation.multiplicity import (
    DRAWS,
    FRAGILE,
    SEED,
    Simultaneous,
    benjamini_hochberg,
    check_simultaneous,
    holm,
    max_t_p,
)
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.language import N_, _
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import Tally, resolve, tally
from satisfaction.sampling.variance import Array

ADJUSTMENTS = {
    "p": _("unadjusted").both,
    "p_holm": "Holm (FWER)",
    "p_bh": "Benjamini-Hochberg (FDR)",
    "p_maxt": "max-t (FWER)",
}
NULLS = {
    "pairs": _("two areas have equal population values").both,
    "rest": _("an area and all others together have equal population values").both,
}


CONVENTIONS = {
    "test": _("two-sided t; covariance of the whole sample design").both,
    "df": N_("Satterthwaite over the areas; areas that share PSUs: PSUs - strata of their union"),
    "not_tested": N_("areas whose se is 0 or whose df is below 1"),
}


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Differences between areas in one measure, each tested against 0. K rows.

    Attributes
    ----------
    table : DataFrame (K, ...)
        Areas, difference in the measure's unit, se, df, t, p, p_holm, p_bh, ci_low, ci_high (unadjusted); p is nan
        where a pair is not tested, and the adjustments count the tested ones. Where asked: p_maxt, its Monte-Carlo
        standard error maxt_error, and maxt_fragile (other draws could move it across 1 - level).
    conventions : dict
        measure, null, test, df, not_tested, level, selection, calibration; and simultaneous, draws, seed, within where
        asked.
    """

    table: pd.DataFrame
    conventions: dict[str, Any]

    def __post_init__(self) -> None:
        table = without_error(self.table, self.conventions["selection"])
        object.__setattr__(self, "table", table)

    def __repr__(self) -> str:
        test = self.conventions["test"]
        return f"Comparisons({len(self.table):,} differences: {test})"

    @property
    def summary(self) -> pd.DataFrame:
        """Return how many of the tested differences are significant at 1 - level, by adjustment."""
        columns = [column for column in ADJUSTMENTS if column in self.table]
        p = self.table[columns]
        significant = p <= 1 - self.conventions["level"]
        table = pd.DataFrame({"adjustment": [ADJUSTMENTS[column] for column in columns]})
        table["differ"] = significant.sum().to_numpy()
        table["tested"] = p.notna().sum().to_numpy()
        return table.assign(share=table["differ"] / table["tested"])


def all_pairs(
    estimates: Estimates,
    *,
    simultaneous: Simultaneous | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Comparisons:
    """Compare every area with every other.

    Parameters
    ----------
    estimates : Estimates
        One measure by one domain column (`estimates["county"].of("index")`).
    simultaneous : {"single-step", "step-down"}, optional
        Adds max-t p-values: like Holm's they control the chance of a single wrong pair, but they use how the pairs hang
        together and are smaller. Step-down finds at least what single-step finds.
    draws, seed : int
        Of the simulation behind it.

    Raises
    ------
    EstimatesError
        E121 when they are not that, or there are fewer than two areas; E124, E125 for an unknown method or too few draws.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> pairs = sat.all_pairs(sat.estimate(design, "score", by="county"))
    >>> pairs.table[["area", "other", "difference", "se", "p_holm"]].round(3)
      area other  difference     se  p_holm
    0    A     B        15.0  9.129   0.219
    """
    if simultaneous is not None:
        check_simultaneous(simultaneous, draws)
    table = estimates.table
    areas = len(table)
    if len(estimates.by) != 1 or len(set(table["measure"])) != 1 or areas < 2:
        raise _not_comparable(estimates)
    name = table[estimates.by[0]].to_numpy()
    value = table["estimate"].to_numpy(float)
    cov = estimates.cov
    variance = np.diag(cov)
    first, second = np.triu_indices(areas, 1)
    pair_variance = variance[first] + variance[second] - 2 * cov[first, second]
    pair_df = estimates.satterthwaite(pair_differences(areas))
    testable = estimates.testable
    names = pd.DataFrame({"area": name[first], "other": name[second]})
    pairs = tested(
        names,
        difference=value[first] - value[second],
        se=np.sqrt(np.maximum(pair_variance, 0)),
        df=pair_df,
        usable=testable[first] & testable[second],
        level=estimates.level,
    )
    conventions = _declared(estimates, NULLS["pairs"])
    if simultaneous is None:
        return Comparisons(pairs, conventions)
    if estimates.conventions["selection"] != "probability":
        unknown = pairs.assign(p_maxt=np.nan, maxt_error=np.nan, maxt_fragile=False)
        return Comparisons(unknown, conventions)
    t = pairs["t"].to_numpy(float)
    together = max_t_p(t, pair_df, first=first, second=second, cov=cov, draws=draws, seed=seed)
    p, error = together.chosen(simultaneous)
    fragile = together.fragile(simultaneous, level=estimates.level)
    conventions |= {
        "simultaneous": f"max-t, {simultaneous}, Gaussian copula; p at least 1 / (draws + 1)",
        "draws": draws,
        "seed": seed,
        "fragile": f"p within {FRAGILE:g} Monte-Carlo standard errors of 1 - level",
        "fragile_pairs": int(fragile.sum()),
    }
    return Comparisons(pairs.assign(p_maxt=p, maxt_error=error, maxt_fragile=fragile), conventions)


def against_rest(
    design: SampleDesign,
    measure: str | Measure,
    *,
    by: str,
    within: str | None = None,
    level: float = 0.95,
) -> Comparisons:
    """Compare the mean of every area with the mean of all other areas together, with the joint covariance.

    An area is part of the whole, so it is compared with the rest, not with the whole. Both means are functions of the
    areas' totals; their difference is linearized in these (exactly what estimating the two domains together gives; under
    replicate weights that came with the data, to first order).

    Parameters
    ----------
    design : SampleDesign
    measure : str or Measure
        One value per respondent: a rate, a score, an index of level person, or a numeric column.
    by : str
        The column of areas.
    within : str, optional
        A column of larger areas (prefectures): the rest is then what is left of an area's own one. An area alone in it
        has no rest and is not tested.

    Returns
    -------
    Comparisons
        `table` holds estimate and rest beside the difference, and the larger area where `within` is given.

    Raises
    ------
    EstimatesError
        E101 for an unknown column, E121 for fewer than two areas, E122 when an area lies in several larger ones or in none.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> rest = sat.against_rest(design, "score", by="county")
    >>> rest.table[["area", "estimate", "rest", "difference", "se"]].round(3)
      area  estimate  rest  difference     se
    0    A      70.0  55.0        15.0  9.129
    1    B      55.0  70.0       -15.0  9.129
    """
    chosen = resolve(design, measure)
    name = f"_size__{chosen.name}"
    valid = nw.col(chosen.valid_column)
    stage = {f"_valid__{name}": valid, f"_score__{name}": valid}
    stages = (*chosen.stages, stage)
    size = replace(chosen, name=name, kind="score", unit=1, stages=stages)
    columns = [by] if within is None else [by, within]
    counted = tally(design, [chosen, size], by=columns)
    both = [chosen, size]
    totals = estimate(design, both, statistic="total", by=by, level=level, counted=counted)
    means = estimate(design, both, by=by, level=level, counted=counted).of(chosen.name)
    areas = means.table[by]
    if len(areas) < 2:
        raise _not_comparable(totals)
    keys = pd.DataFrame({"area": areas})
    conventions = _declared(totals, NULLS["rest"])
    larger = None
    if within is not None:
        larger = _larger_areas(counted, list(areas), by, within=within)
        keys["within"] = larger
        null = _(
            "an area and all others of its {within} have equal population values", within=within
        )
        conventions |= {"null": null.both, "within": within}
    total, count = totals.table["estimate"].to_numpy(float).reshape(-1, 2).T
    mean, rest, slope = mean_and_rest(total, count, group=larger)
    compared = np.isfinite(mean) & np.isfinite(rest)
    slope = slope[compared]
    difference_se = np.full(len(mean), np.nan)
    difference_df = np.full(len(mean), np.nan)
    variance = np.einsum("kq,kq->k", slope @ totals.cov, slope)
    difference_se[compared] = np.sqrt(np.maximum(variance, 0))
    difference_df[compared] = totals.satterthwaite(sp.csr_array(slope))
    table = tested(
        keys.assign(estimate=mean, rest=rest),
        difference=mean - rest,
        se=difference_se,
        df=difference_df,
        usable=means.testable & compared,
        level=level,
    )
    return Comparisons(table, conventions)


def _larger_areas(counted: Tally, areas: list[Any], by: str, *, within: str) -> Array:
    """Return the larger area that each area lies in; refuse one in none or in several (E122)."""
    members = counted.keys.loc[counted.inside, [by, within]]
    pairs = members.dropna(subset=[by]).drop_duplicates()
    unclear = pairs.loc[pairs[by].duplicated(keep=False) | pairs[within].isna(), by]
    if len(unclear):
        area = unclear.iloc[0]
        raise EstimatesError(
            "E122",
            _("Area {area!r} has no '{within}', or more than one.", area=area, within=within),
            where="within",
            available=pairs.loc[pairs[by] == area, within].tolist(),
            hint=_("Let every area lie in exactly one larger area."),
        )
    return np.asarray(pairs.set_index(by)[within].loc[areas])


def pair_differences(units: int) -> sp.csr_array:
    """Coefficients of all differences, earlier minus later: (units (units - 1) / 2, units) sparse."""
    first, second = np.triu_indices(units, 1)
    identity = sp.eye_array(units, format="csr")
    return identity[first] - identity[second]


def mean_and_rest(
    total: Array, count: Array, *, group: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return the means of each area and of all others together, and the derivatives of their difference.

    Parameters
    ----------
    total, count : (A,)
        Weighted sum of a measure and weighted number of valid values.
    group : (A,), optional
        Larger area of each; the others are then those of the same group. None: all areas are one group.

    Returns
    -------
    mean, rest : (A,)
        rest is nan where there are no others (or none with a valid value).
    slope : (A, 2A)
        Of mean - rest, by (total, count) of area 1, area 2, ...; 0 where rest is nan.
    """
    areas = len(total)
    if group is None:
        group = np.zeros(areas, dtype=int)
        group_total = total.sum()
        group_count = count.sum()
    else:
        number = np.unique(group, return_inverse=True)[1]
        group_total = np.bincount(number, total)[number]
        group_count = np.bincount(number, count)[number]
    itself = np.eye(areas)
    same_group = group[:, None] == group
    beside = same_group - itself
    with np.errstate(divide="ignore", invalid="ignore"):
        others = group_count - count
        mean = total / count
        rest = (group_total - total) / others
        inside = itself / count[:, None]
        outside = beside / others[:, None]
        by_total = inside - outside
        by_count = rest[:, None] * outside
        by_count -= mean[:, None] * inside
    slope = np.stack([by_total, by_count], axis=2).reshape(areas, -1)
    slope[others == 0] = 0.0  # nothing to compare with
    return mean, rest, slope


def tested(
    keys: pd.DataFrame, *, difference: Array, se: Array, df: Array, usable: Array, level: float
) -> pd.DataFrame:
    """Add tests and limits to differences, their se and df: (K,) each."""
    se = np.where(np.isnan(difference), np.nan, se)
    testable = usable & (se > 0) & (df > 0)
    t, p = t_and_p(difference, se, df, testable=testable)
    low, high = t_interval(difference, se, df, level=level)
    tests = keys.assign(difference=difference, se=se, df=df, t=t, p=p)
    adjusted = {"p_holm": holm(p), "p_bh": benjamini_hochberg(p)}
    return tests.assign(**adjusted, ci_low=low, ci_high=high)


def _declared(estimates: Estimates, null: str) -> dict[str, Any]:
    conventions = {"measure": estimates.table["measure"].iloc[0], "null": null, **CONVENTIONS}
    for name in ("level", "selection", "calibration"):
        conventions[name] = estimates.conventions[name]
    return conventions


def _not_comparable(estimates: Estimates) -> EstimatesError:
    return EstimatesError(
        "E121",
        _("Comparisons need one measure by one column of two or more areas."),
        where="comparisons",
        available=estimates.table["measure"].unique(),
        hint=_("Choose one measure with .of(measure)."),
    )
