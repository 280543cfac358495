"""Means, proportions and totals by domain, with their full covariance under the sample design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from ..design import SurveyDesign, named
from ..errors import EstimatesError, one_of
from ..measures import Measure
from ..tally import Tally, resolve, tally
from ..variance import domain_df, linearized_means, linearized_totals, simple_variance, sum_by_domain
from .intervals import korn_graubard_interval, logit_interval, satterthwaite, t_interval
from .sample import Contributions, Sample, lay_out

__all__ = [
    "Contributions",
    "Estimates",
    "Sample",
    "estimate",
    "korn_graubard_interval",
    "lay_out",
    "logit_interval",
    "satterthwaite",
    "t_interval",
]

Array = np.ndarray[Any, Any]
Statistic = Literal["mean", "proportion", "total"]
COLUMNS = ("measure", "estimate", "se", "df", "ci_low", "ci_high", "cv", "deff", "n", "note")
BOUNDARY = "Korn-Graubard"
NOISE = 1e-13  # of the estimate
INTERVALS = {"mean": "t; logit for rates", "proportion": "logit", "total": "t"}


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates of Q = domains x measures quantities.

    Attributes
    ----------
    table : DataFrame (Q, ...)
        Domain columns, then measure, estimate, se, df, ci_low, ci_high, cv, deff, n, note; domain-major.
    cov : (Q, Q) float
        In the order of the table.
    by : tuple of str
        Domain columns.
    conventions : dict
        What produced the numbers: statistic, variance, interval, df, deff, level, selection, calibration, exact.
    design : SurveyDesign
    """

    table: pd.DataFrame
    cov: Array
    by: tuple[str, ...]
    conventions: dict[str, Any]
    design: SurveyDesign

    @property
    def level(self) -> float:
        """Return the confidence level of the limits."""
        return float(self.conventions["level"])

    def of(self, measure: str) -> Estimates:
        """Return the estimates of one measure, with their covariance.

        Raises
        ------
        EstimatesError
            E111 when there is no such measure.
        """
        at = np.flatnonzero(self.table["measure"] == measure)
        if not len(at):
            raise EstimatesError(
                "E111",
                f"没有指标 '{measure}' 的估计。",
                f"There is no estimate of '{measure}'.",
                where="measure",
                available=self.table["measure"].unique(),
                got=measure,
                hint=("改为已有的指标。", "Use a measure that was estimated."),
            )
        return Estimates(
            self.table.iloc[at].reset_index(drop=True), self.cov[np.ix_(at, at)], self.by, self.conventions, self.design
        )

    def contrast(self, combinations: Mapping[str, Mapping[Any, float]]) -> Estimates:
        """Estimate linear combinations of the rows.

        Parameters
        ----------
        combinations : mapping
            Name of the result -> {row: coefficient}. A row is (domain value, ..., measure), or its number.

        Returns
        -------
        Estimates
            One row a combination; df by Satterthwaite from the domains' own df.
        """
        rows = {key: i for i, key in enumerate(self.table[[*self.by, "measure"]].itertuples(index=False, name=None))}
        matrix = np.zeros((len(combinations), len(self.table)))
        for i, terms in enumerate(combinations.values()):
            for key, coefficient in terms.items():
                if key not in rows and key not in range(len(self.table)):
                    raise EstimatesError(
                        "E112",
                        f"没有估计行 {key!r}。",
                        f"There is no row {key!r}.",
                        where="contrast",
                        available=rows,
                        got=str(key),
                        hint=("行写作 (域, ..., 指标)。", "A row is (domain, ..., measure)."),
                    )
                matrix[i, rows.get(key, key)] = coefficient
        return self.combined(sp.csr_array(matrix), pd.DataFrame({"measure": list(combinations)}), by=())

    def combined(self, matrix: sp.csr_array, keys: pd.DataFrame, *, by: tuple[str, ...]) -> Estimates:
        """Return matrix @ estimates, with covariance; `keys` (K rows) names the results by domain and measure."""
        estimate = matrix @ self.table["estimate"].to_numpy(float)
        cov = np.asarray(matrix @ (matrix @ self.cov).T).T
        se = np.sqrt(np.maximum(np.diag(cov), 0))
        df = satterthwaite(matrix, self.cov, blocks=self._blocks(), df=self.table["df"].to_numpy(float))
        n = [
            int(self.table["n"].to_numpy()[matrix.indices[a:b]].min())
            for a, b in zip(matrix.indptr, matrix.indptr[1:], strict=False)
        ]
        low, high = t_interval(estimate, se, df, level=self.level)
        deff = np.full(len(estimate), np.nan)
        table = _table(keys, (estimate, se, df, low, high, deff, np.array(n)), np.full(len(estimate), ""))
        return Estimates(table, cov, by, self.conventions | {"interval": "t", "df": "Satterthwaite"}, self.design)

    def _blocks(self) -> Array:
        """Number the domains: (Q,) int."""
        return self.table.groupby(list(self.by)).ngroup().to_numpy() if self.by else np.zeros(len(self.table), dtype=int)


def estimate(
    design: SurveyDesign,
    measures: str | Measure | Sequence[str | Measure],
    *,
    statistic: Statistic = "mean",
    by: str | Sequence[str] | None = None,
    variance: Literal["linearized"] = "linearized",
    level: float = 0.95,
    domains: Sequence[Any] | None = None,
    counted: Tally | None = None,
) -> Estimates:
    """Estimate measures by domain.

    Parameters
    ----------
    design : SurveyDesign
        Domains never filter it: PSUs without a member of a domain count in n_h.
    measures : str, Measure, or a sequence of them
        Declared measures or numeric columns. Null is not valid and makes the domain smaller.
    statistic : {"mean", "proportion", "total"}
        Proportions and the questionnaire's rates have logit intervals, the rest t intervals, with the domain's df (PSUs
        minus strata).
    by : column or list of columns, optional
    level : float
        Confidence level of the intervals.
    domains : sequence, optional
        Values of the one column `by` that get a row also where no respondent has them (estimate nan, n 0).
    counted : Tally, optional
        A tally of the same design and measures whose keys hold `by`; saves the pass over the respondents.

    Raises
    ------
    EstimatesError
        E101 unknown name, E102 no number, E103 a proportion of something outside 0-1, E104 a level that is none.

    Notes
    -----
    Where a share is 0 or 1, or the se is 0, the limits are Korn and Graubard's with n_eff = n / deff of all domains
    together, and `note` says so; the se stays 0 and must not be used for ranks as it is.
    """
    _check_options(statistic, variance, level)
    names = [measures] if isinstance(measures, str | Measure) else list(measures)
    chosen, columns = [resolve(design, m) for m in names], named(by)
    counted = counted or tally(design, chosen, by=columns)
    keys, domain = _domains(counted.keys, columns, domains)
    counted, domain = counted.only(domain >= 0), np.maximum(domain, 0)
    sample = lay_out(design, counted)
    weight = sample.weight
    value, size, z = _linearize(statistic, domain, weight, counted, len(keys))
    cov = _without_rounding(sample.covariance(z), value.ravel())
    se = np.sqrt(np.maximum(np.diag(cov), 0)).reshape(value.shape)
    df = domain_df(domain, counted.valid, sample.clusters, domains=len(keys))
    n = sum_by_domain(domain, counted.valid, len(keys))
    deff = _design_effect(statistic, design, counted, domain, weight, se, size, n)
    shares = np.array([statistic == "proportion" or (statistic == "mean" and m.kind == "rate") for m in chosen])
    low, high = _limits(shares, value, se, df, level)
    note = np.full(value.shape, "", dtype=object)
    if statistic != "total":
        low, high, note = _at_boundary(design, chosen, statistic, (value, se, df, low, high, n), level, whole=not columns)
    rows = keys.loc[keys.index.repeat(len(chosen))].reset_index(drop=True)
    rows = rows.assign(measure=[m.name for m in chosen] * len(keys))[[*columns, "measure"]]
    table = _table(rows, [a.ravel() for a in (value, se, df, low, high, deff, n)], note.ravel())
    return Estimates(table, cov, columns, _conventions(design, counted, statistic, variance, level), design)


def _without_rounding(cov: Array, value: Array) -> Array:
    """Return the covariance with an exact 0 where a variance is nothing but rounding, lest a rank be built on it."""
    noise = np.sqrt(np.maximum(np.diag(cov), 0)) <= NOISE * np.abs(value)
    return np.where(noise[:, None] | noise, 0.0, cov) if noise.any() else cov


def _check_options(statistic: str, variance: str, level: float) -> None:
    one_of(statistic, get_args(Statistic), argument="statistic", error=EstimatesError, code="E100")
    one_of(variance, ("linearized",), argument="variance", error=EstimatesError, code="E100")
    if not 0 < level < 1:
        raise EstimatesError(
            "E104",
            f"置信水平 {level} 须在 0 与 1 之间。",
            f"A confidence level of {level} is not between 0 and 1.",
            where="level",
            hint=("例如写 0.95。", "Write 0.95, for instance."),
        )


def _design_effect(
    statistic: Statistic, design: SurveyDesign, counted: Tally, domain: Array, weight: Array, se: Array, size: Array, n: Array
) -> Array:
    """Variance over that of a simple random sample of the same size; nan where that is 0. (D, M)."""
    sums = sum_by_domain(domain, weight[:, None] * counted.sums(), len(size))
    squares = sum_by_domain(domain, weight[:, None] * counted.sums_of_squares(), len(size))
    with np.errstate(divide="ignore", invalid="ignore"):
        simple = simple_variance(sums / size, size, squares, n=n, population=size, replacement=design.base_weight is None)
        scale = size**2 if statistic == "total" else 1.0
        return np.where(simple > 0, se**2 / (simple * scale), np.nan)


def _domains(keys: pd.DataFrame, columns: tuple[str, ...], listed: Sequence[Any] | None) -> tuple[pd.DataFrame, Array]:
    """List the domains in sorted order and the domain of every tally row, -1 where a key is missing."""
    if not columns:
        return pd.DataFrame(index=[0]), np.zeros(len(keys), dtype=int)
    found = keys[list(columns)].dropna()
    if listed is not None:
        found = pd.concat([found, pd.DataFrame({columns[0]: list(listed)})])
    domains = found.drop_duplicates().sort_values(list(columns), ignore_index=True)
    at = keys[list(columns)].merge(domains.assign(_domain=domains.index), on=list(columns), how="left")["_domain"]
    return domains, at.fillna(-1).to_numpy(int)


def _linearize(
    statistic: Statistic, domain: Array, weight: Array, counted: Tally, domains: int
) -> tuple[Array, Array, sp.csr_array]:
    valid, sums = counted.valid.astype(float), counted.sums()
    value, size, z = linearized_means(domain, weight, valid=valid, total=sums, domains=domains)
    if statistic == "total":
        value, z = linearized_totals(domain, weight, sums, domains=domains)
    return value, size, z


def _limits(shares: Array, value: Array, se: Array, df: Array, level: float) -> tuple[Array, Array]:
    """Return logit limits for the measures that are shares, t limits for the others."""
    outside = value[:, shares][(value[:, shares] < -1e-12) | (value[:, shares] > 1 + 1e-12)]
    if outside.size:
        raise EstimatesError(
            "E103",
            f"不是 0-1 的比例（例如 {outside[0]:g}）。",
            f"This is no share of 0-1 (for instance {outside[0]:g}).",
            where="statistic='proportion'",
            available=get_args(Statistic),
            hint=('改用 statistic="mean"。', 'Use statistic="mean".'),
        )
    plain, logit = t_interval(value, se, df, level=level), logit_interval(value, se, df, level=level)
    return np.where(shares, logit[0], plain[0]), np.where(shares, logit[1], plain[1])


def _at_boundary(
    design: SurveyDesign, measures: list[Measure], statistic: Statistic, parts: tuple[Array, ...], level: float, *, whole: bool
) -> tuple[Array, Array, Array]:
    """Replace the limits of bounded measures whose se is 0 by Korn and Graubard's."""
    value, se, df, low, high, n = parts
    top = np.array([1.0 if statistic == "proportion" or m.kind == "rate" else 100.0 for m in measures])
    bounded = np.array([statistic == "proportion" or m.kind != "column" for m in measures])
    at = (n > 0) & bounded & (se <= 1e-12 * top)
    note = np.where(at, BOUNDARY, "").astype(object)
    if not at.any():
        return low, high, note
    deff = np.ones(len(measures))
    if not whole:
        overall = estimate(design, measures, statistic=statistic, level=level).table["deff"].to_numpy(float)
        deff = np.where(np.isfinite(overall), np.maximum(overall, 1.0), 1.0)
    share = np.clip(np.nan_to_num(value / top), 0, 1)
    limits = korn_graubard_interval(share, n / deff, n=n, df=df, level=level)
    return np.where(at, limits[0] * top, low), np.where(at, limits[1] * top, high), note


def _table(keys: pd.DataFrame, parts: Sequence[Array], note: Array) -> pd.DataFrame:
    value, se, df, low, high, deff, n = parts
    with np.errstate(divide="ignore", invalid="ignore"):
        cv = se / np.abs(value)
    return keys.assign(estimate=value, se=se, df=df, ci_low=low, ci_high=high, cv=cv, deff=deff, n=n, note=note)[
        [*(c for c in keys if c != "measure"), *COLUMNS]
    ]


def _conventions(design: SurveyDesign, counted: Tally, statistic: Statistic, variance: str, level: float) -> dict[str, Any]:
    return {
        "statistic": statistic,
        "variance": variance,
        "interval": INTERVALS[statistic],
        "level": level,
        "df": "domain: PSUs - strata",
        "deff": f"against simple random sampling {'with' if design.base_weight is None else 'without'} replacement",
        "lonely_psu": design.lonely_psu,
        "selection": design.selection,
        "calibration": design.weighting.name if design.weighting else "none",
        "fpc": " + ".join(design.fpc) or "none",
        "engine_exact": counted.exact,
    }
