"""What a design-based test returns; joint Wald tests of several linear combinations of estimates.

Columns and measures as keys of a tally: what a test groups, ranks or regresses on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd
from scipy import special

from satisfaction.estimation.intervals import (
    fixed,
    quotient,
    standard_errors,
    summed_df,
    t_interval,
)
from satisfaction.estimation.result import Estimates
from satisfaction.estimation.sample import Sample, lay_out
from satisfaction.foundation.conventions import conventions_table, in_words
from satisfaction.foundation.engines import fetch
from satisfaction.foundation.errors import EstimatesError, one_of
from satisfaction.foundation.language import N_, Text, _
from satisfaction.foundation.pages import card
from satisfaction.sampling.conditions import require_columns
from satisfaction.sampling.design import SampleDesign, level_tuples
from satisfaction.sampling.measures import Measure, add_columns
from satisfaction.sampling.tally import tally
from satisfaction.sampling.variance import Array

Variable = str | Measure
WaldStatistic = Literal["F", "adjusted_F", "chisq"]
Contrasts = Mapping[str, Mapping[Any, float]]
ERROR = (
    "se", "se_random", "df", "ddf", "wald", "pearson", "statistic", "t", "p", "p_holm", "p_bh", "p_maxt", "maxt_error", "maxt_fragile",
    "ci_low", "ci_high", "correlation", "cv", "deff", "deff_wr", "n_effective", "delta", "eigenvalue",
)  # fmt: skip
DF_USED = N_("PSUs - strata, over those with a respondent used")
ROW_NUMBER = "_row"


def without_error(table: pd.DataFrame, selection: str) -> pd.DataFrame:
    """Return a table with its errors and tests missing where the sample is no probability sample: it has no design error."""
    if selection == "probability":
        return table
    errors = [name for name in ERROR if name in table]
    return table.assign(**dict.fromkeys(errors, np.nan))


@dataclass(frozen=True, slots=True)
class HypothesisTest:
    """One test of one null hypothesis.

    Attributes
    ----------
    table : DataFrame (1, ...)
        Joint tests: wald or pearson (the quadratic form), statistic (what is looked up), df, ddf (inf: chi-square), p.
        t tests: difference (or estimate) in the measure's unit, se, t, df, p, ci_low, ci_high. p is nan where df < 1.
    details : DataFrame
        What was compared: the groups, the cells of the table, or the contrasts.
    conventions : dict
        test, null, df, missing, level (of limits), selection, calibration, lonely_psu, fpc, variance, and those of the test itself.
    """

    table: pd.DataFrame
    details: pd.DataFrame
    conventions: dict[str, Any]

    def __post_init__(self) -> None:
        selection = self.conventions["selection"]
        object.__setattr__(self, "table", without_error(self.table, selection))
        object.__setattr__(self, "details", without_error(self.details, selection))

    def __repr__(self) -> str:
        figures = self.table.iloc[0].to_dict()
        written = [f"{name} {value:.4g}" for name, value in figures.items()]
        return f"HypothesisTest({self.conventions['test']}: {', '.join(written)})"

    def _repr_html_(self) -> str:
        null = self.conventions.get("null")
        tables: dict[Text | str, pd.DataFrame] = {_("table"): self.table}
        tables[_("details")] = self.details
        tables[_("conventions")] = conventions_table(self.conventions)
        title = _("test: {test}", test=in_words(self.conventions.get("test", "")))
        facts = {_("null hypothesis"): in_words(null) if null else None}
        return card(str(title), facts=facts, tables=tables)

    @property
    def p(self) -> float:
        """Return the p-value."""
        return float(self.table["p"].iloc[0])


def declared(
    design: SampleDesign, of_test: Mapping[str, Any], *, refitted: bool = False
) -> dict[str, Any]:
    """Return a test's own conventions and those of the design it used; `refitted`: anew under replicate weights."""
    variance = "linearized"
    if design.weighting is not None and design.weighting.several:
        variance += "; of several weighting steps only the last calibration is credited"
    if design.replicates is not None:
        variance = "replicates" if refitted else "replicates, of the linearized statistic"
    conventions = dict(of_test)
    if design.subpopulation:
        conventions["subpopulation"] = design.subpopulation
    conventions["selection"] = design.selection
    conventions["calibration"] = design.weighting.name if design.weighting else "none"
    conventions["lonely_psu"] = design.lonely_psu
    conventions["fpc"] = " + ".join(design.fpc) or "none"
    conventions["variance"] = variance
    return conventions


def used_df(used: Array, sample: Sample) -> int:
    """Degrees of freedom of the respondents used: PSUs with one of them minus their strata; `used` is (T,) int."""
    one_domain = np.zeros(len(used), dtype=int)
    members = sample.members(one_domain, used[:, None], domains=1)
    return int(members.each_df()[0])


def t_and_p(value: Array, se: Array, df: Array, *, testable: Array) -> tuple[Array, Array]:
    """Return t = value / se and its two-sided p-value, (K,) each; nan where not testable."""
    t = quotient(value, se, where=testable)
    df = np.where(testable, df, 1.0)
    tail = special.stdtr(df, -np.abs(t))
    return t, 2 * tail


def t_table(
    keys: pd.DataFrame, value: Array, se: Array, *, df: float, name: str, null: float, level: float
) -> pd.DataFrame:
    """Add two-sided t tests of value = null and limits: (K, ...)."""
    df_of_each = np.full(len(se), float(df))
    testable = (se > 0) & (df >= 1)
    t, p = t_and_p(value - null, se, df_of_each, testable=testable)
    low, high = t_interval(value, se, df_of_each, level=level)
    return keys.assign(**{name: value}, se=se, df=df, t=t, p=p, ci_low=low, ci_high=high)


def joint_row(
    form: float, statistic: float, *, df: float, ddf: float, name: str
) -> dict[str, float]:
    """Look a joint statistic up: in F on (df, ddf), or in chi-square on df where ddf is inf."""
    p = special.fdtrc(df, ddf, statistic)
    if np.isinf(ddf):
        p = special.chdtrc(df, statistic)
    return {name: form, "statistic": statistic, "df": df, "ddf": ddf, "p": float(p)}


def require_df(df: float, needed: int, *, where: str) -> None:
    """Refuse a joint test of more parameters than the design has degrees of freedom for (E147)."""
    if df < needed:
        raise EstimatesError(
            "E147",
            _(
                "There are {df:g} degrees of freedom; at least {needed} are needed.",
                df=df,
                needed=needed,
            ),
            where=where,
            hint=_("Merge categories, so that fewer parameters are tested."),
        )


def no_residual(name: str) -> EstimatesError:
    """Make the error for an outcome that leaves nothing to estimate an error from."""
    return EstimatesError(
        "E144",
        _(
            "'{name}' does not vary, or the covariates determine it completely; there is "
            "no error to estimate.",
            name=name,
        ),
        where=name,
        hint=_("Look at the column's values, or leave out the covariate that determines it."),
    )


def name_of(variable: Variable) -> str:
    """Return the name a variable is shown under."""
    return variable if isinstance(variable, str) else variable.name


def with_values(
    design: SampleDesign, variables: Sequence[Variable], *, where: str
) -> tuple[SampleDesign, list[str]]:
    """Return the design with a column of values for every measure among the variables, and the variables' columns.

    Raises
    ------
    EstimatesError
        E141 for a name that is neither a declared measure nor a column.
    """
    columns = []
    plain = []
    values = {}
    for variable in variables:
        measure = variable if isinstance(variable, Measure) else design.measures.get(variable)
        if measure is None:
            plain.append(name_of(variable))
            columns.append(name_of(variable))
        else:
            column = f"_value_{measure.name}"  # no dot: DuckDB reads one as table.column
            values[column] = measure
            columns.append(column)
    require_columns(design.table, plain, argument=where, error=EstimatesError, code="E141")
    if values:
        table = add_columns(design.table, list(values.values()))
        for column, measure in values.items():
            value = nw.col(measure.score_column)
            if measure.unit != 1:
                value = value / measure.unit
            valid = nw.col(measure.valid_column) == 1
            table = table.with_columns(nw.when(valid).then(value).alias(column))
        design = design.over(table.to_native())
    return design, columns


def with_row_numbers(design: SampleDesign) -> SampleDesign:
    """Return the design with the respondents here, numbered in the column `ROW_NUMBER` in their given order."""
    rows = fetch(design.table)
    numbers = np.arange(len(rows))
    return design.over(rows.assign(**{ROW_NUMBER: numbers}))


def levels(values: pd.Series, used: Array) -> tuple[list[Any], Array]:
    """Return the sorted levels among the rows used and the level of every row, -1 where not used or missing: (T,) int."""
    known = used & values.notna().to_numpy()
    codes_of_known, sorted_levels = pd.factorize(values[known], sort=True)
    code = np.full(len(values), -1)
    code[known] = codes_of_known
    names = []
    for level in sorted_levels.tolist():
        whole = isinstance(level, float) and level.is_integer()
        names.append(int(level) if whole else level)
    return names, code


def require_groups(
    groups: Sequence[Any], variable: str, *, where: str, exactly: int | None = None
) -> None:
    """Refuse a grouping with fewer than two groups (E142), or with another number than needed (E143)."""
    number = len(groups)
    if number < 2:
        raise EstimatesError(
            "E142",
            _(
                "'{variable}' has {number} level(s) among the usable respondents; there is "
                "nothing to compare.",
                variable=variable,
                number=number,
            ),
            where=where,
            available=groups,
            hint=_("Choose a column with at least two levels."),
        )
    if exactly and number != exactly:
        raise EstimatesError(
            "E143",
            _(
                "'{variable}' has {number} levels; this test compares {exactly} groups.",
                variable=variable,
                number=number,
                exactly=exactly,
            ),
            where=where,
            available=groups,
            hint=_("For more than two groups use regression or rank_test."),
        )


NULL = _("0 all linear combinations are 0 in the population").both
LOOKED_UP = {
    "F": N_("W / k in F(k, df)"),
    "adjusted_F": N_("W (df - k + 1) / (k df) in F(k, df - k + 1)"),
    "chisq": N_("W in chi-square(k), df taken as infinite"),
}
RANK = 1e-10  # of the largest eigenvalue of the correlation matrix
ROUNDING = 1e-13  # of the largest variance
CONTRADICTION = 1e-6  # in units of the standard errors
NOT_TESTED = dict.fromkeys(("wald", "statistic", "df", "ddf", "p"), np.nan)


def wald(
    estimates: Estimates, contrasts: Contrasts | None = None, *, statistic: WaldStatistic = "F"
) -> HypothesisTest:
    """Test that several linear combinations of estimates are 0 together.

    Parameters
    ----------
    estimates : Estimates
    contrasts : mapping, optional
        As in `Estimates.contrast`. None: that all rows of one measure are equal.
    statistic : {"F", "adjusted_F", "chisq"}
        W = c' V^- c of rank k: W / k in F(k, df); W (df - k + 1) / (k df) in F(k, df - k + 1), which holds its level where
        k is not small against df; W in chi-square(k), only for large df.

    Returns
    -------
    HypothesisTest
        `details` is the table of the combinations. df are the design's (PSUs minus strata), at most the sum of the df of
        the domains that are compared.

    Raises
    ------
    EstimatesError
        E112, E388 as `Estimates.contrast`, E140 unknown statistic, E147 too few degrees of freedom, E149 without contrasts
        no two rows of one measure, E160 no variance, E162 a combination of domains without respondents.

    Notes
    -----
    Wald (1943); the F forms are those of Korn and Graubard (1990) and Thomas and Rao (1987). A combination that repeats
    others does not count: k is the rank of V.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> test = sat.wald(sat.estimate(design, "score", by="county"))
    >>> test.table.round(3)
       wald  statistic  df  ddf      p
    0   2.7        2.7   1  4.0  0.176
    """
    check_statistic(statistic)
    compared = _differences(estimates) if contrasts is None else contrasts
    combined = estimates.contrast(compared)
    value = combined.table["estimate"].to_numpy(float)
    if not np.isfinite(value).all():
        raise EstimatesError(
            "E162",
            _("A combination has no estimate (a domain without valid answers)."),
            where="contrasts",
            available=combined.table.loc[np.isfinite(value), "measure"],
            hint=_("Leave out empty domains."),
        )
    row: dict[str, float] = NOT_TESTED
    if estimates.conventions["selection"] == "probability":
        largest_variance = np.fmax.reduce(np.diag(estimates.cov))
        noise = np.diag(combined.cov) <= ROUNDING * largest_variance
        cov = fixed(combined.cov, noise)
        respondents = tally(estimates.design, ())
        df_of_design = float(lay_out(estimates.design, respondents).df)
        with_coefficient: set[Any] = set()
        for terms in compared.values():
            with_coefficient |= {key for key, coefficient in terms.items() if coefficient}
        keys = level_tuples(estimates.table, [*estimates.by, "measure"])
        used = [i for i, key in enumerate(keys) if not with_coefficient.isdisjoint({key, i})]
        df_of_domains = summed_df(
            np.array(used),
            domain=estimates.domain,
            df=estimates.table["df"].to_numpy(float),
            members=estimates.contributions.members,
        )
        df = min(df_of_design, df_of_domains)
        row = wald_row(value, cov, df, statistic=statistic, where="contrasts")
    test = f"Wald: {LOOKED_UP[statistic]}"
    df_rule = N_("design: PSUs - strata, at most the sum over the domains compared")
    of_test = {"test": test, "null": NULL, "df": df_rule, "level": estimates.level}
    conventions = declared(estimates.design, of_test)
    conventions["variance"] = estimates.conventions["variance"]
    return HypothesisTest(pd.DataFrame([row]), combined.table, conventions)


def check_statistic(statistic: str) -> None:
    """Refuse an unknown form of the Wald statistic (E140)."""
    one_of(statistic, WaldStatistic, argument="statistic", error=EstimatesError, code="E140")


def wald_row(
    value: Array, cov: Array, df: float, *, statistic: WaldStatistic = "F", where: str
) -> dict[str, float]:
    """Test value = 0 jointly; returns wald, statistic, df, ddf, p.

    Raises
    ------
    EstimatesError
        E147 too few degrees of freedom, E160 a combination without sampling variance that is not 0.
    """
    form, rank, outside = quadratic_form(value, cov)
    if 0 < rank < len(value) and rank >= df:  # the covariance of so few PSUs cannot hold more
        require_df(df, rank + 1, where=where)
    if rank == 0 or outside > CONTRADICTION * max(1.0, float(np.sqrt(form))):
        raise EstimatesError(
            "E160",
            _(
                "A combination has no sampling variance (for instance one that the "
                "calibration fixes); it cannot be tested."
            ),
            where=where,
            hint=_("Leave out combinations whose se is 0."),
        )
    if statistic == "chisq":
        return joint_row(form, form, df=rank, ddf=np.inf, name="wald")
    ddf = df - rank + 1 if statistic == "adjusted_F" else df
    require_df(ddf, 1, where=where)
    return joint_row(form, form / rank * (ddf / df), df=rank, ddf=ddf, name="wald")


def quadratic_form(value: Array, cov: Array) -> tuple[float, int, float]:
    """Return v' V^- v on the correlation scale, the rank of V, and how far v lies outside the span of V.

    Parameters
    ----------
    value : (K,) float
    cov : (K, K) float
        May be singular; variances of 0 stay 0.

    Returns
    -------
    form : float
    rank : int
    outside : float
        Largest part of v / se (of v itself where se = 0) that has no variance at all; 0 for a regular V.
    """
    se = standard_errors(cov)
    scale = np.where(se > 0, se, 1.0)
    correlation = cov / np.outer(scale, scale)
    spread, axes = np.linalg.eigh(correlation)
    along = axes.T @ (value / scale)
    varies = spread > RANK * max(spread.max(), 0.0)
    squares = along[varies] ** 2 / spread[varies]
    without_variance = np.abs(along[~varies])
    outside = float(without_variance.max(initial=0.0))
    return float(squares.sum()), int(varies.sum()), outside


def _differences(estimates: Estimates) -> Contrasts:
    """Return the differences of all rows of one measure from the first."""
    rows = estimates.table
    if len(set(rows["measure"])) != 1 or len(rows) < 2:
        raise EstimatesError(
            "E149",
            _("Without contrasts it takes at least two rows of one measure."),
            where="contrasts",
            available=rows["measure"].unique(),
            hint=_("Choose one measure with .of(measure)."),
        )
    domains = level_tuples(rows, estimates.by)
    first, *others = [" ".join(map(str, domain)) for domain in domains]
    return {f"{other} - {first}": {i: 1.0, 0: -1.0} for i, other in enumerate(others, 1)}
