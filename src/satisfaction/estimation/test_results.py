"""What a design-based test returns, its declared conventions, and p-values.

Columns and measures as keys of a tally: what a test groups, ranks or regresses on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from scipy import special

from satisfaction.estimation.intervals import t_interval
from satisfaction.foundation.engines import fetch, never_null, scan
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.pages import card
from satisfaction.sampling.design import SurveyDesign, require_columns
from satisfaction.sampling.measures import Measure, add_columns
from satisfaction.sampling.variance import Clusters, domain_df

Array = np.ndarray[Any, Any]
ERROR = (
    "se", "se_random", "df", "ddf", "wald", "pearson", "statistic", "t", "p", "p_holm", "p_bh", "p_maxt", "maxt_error", "maxt_fragile",
    "ci_low", "ci_high", "correlation", "cv", "deff", "deff_wr", "n_effective", "delta", "eigenvalue",
)  # fmt: skip


def without_error(table: pd.DataFrame, selection: str) -> pd.DataFrame:
    """Return a table with its errors and tests missing where the sample is no probability sample: it has no design error."""
    if selection == "probability":
        return table
    return table.assign(**dict.fromkeys((name for name in ERROR if name in table), np.nan))


DF_USED = "PSUs - strata, over those with a respondent used"


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
        for name in ("table", "details"):
            object.__setattr__(
                self, name, without_error(getattr(self, name), self.conventions["selection"])
            )

    def _repr_html_(self) -> str:
        said = pd.DataFrame(
            [(name, str(value)) for name, value in self.conventions.items()],
            columns=["name", "value"],
        )
        tables = {"table": self.table, "details": self.details, "约定 conventions": said}
        return card(
            f"检验 test: {self.conventions.get('test', '')}",
            facts={"null": self.conventions.get("null")},
            tables=tables,
        )

    @property
    def p(self) -> float:
        """Return the p-value."""
        return float(self.table["p"].iloc[0])


def declared(design: SurveyDesign, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a test's own conventions and those of the design it used."""
    several = design.weighting is not None and design.weighting.several
    credited = "; of several weighting steps only the last calibration is credited"
    return {
        **own,
        "selection": design.selection,
        "calibration": design.weighting.name if design.weighting else "none",
        "lonely_psu": design.lonely_psu,
        "fpc": " + ".join(design.fpc) or "none",
        "variance": "linearized" + (credited if several else ""),
    }


def used_df(used: Array, clusters: Clusters) -> int:
    """Degrees of freedom of the respondents used: PSUs with one of them minus their strata; `used` is (T,) int."""
    return int(domain_df(np.zeros(len(used), dtype=int), used[:, None], clusters, domains=1)[0, 0])


def t_table(
    keys: pd.DataFrame, value: Array, se: Array, *, df: float, name: str, null: float, level: float
) -> pd.DataFrame:
    """Add two-sided t tests of value = null and limits: (K, ...)."""
    testable = (se > 0) & (df >= 1)
    t = np.divide(value - null, se, out=np.full(len(se), np.nan), where=testable)
    p = np.where(testable, 2 * special.stdtr(max(df, 1.0), -np.abs(np.nan_to_num(t))), np.nan)
    low, high = t_interval(value, se, np.full(len(se), float(df)), level=level)
    return keys.assign(**{name: value}, se=se, df=df, t=t, p=p, ci_low=low, ci_high=high)


def joint_row(
    form: float, statistic: float, *, df: float, ddf: float, name: str
) -> dict[str, float]:
    """Look a joint statistic up: in F on (df, ddf), or in chi-square on df where ddf is inf."""
    p = special.chdtrc(df, statistic) if np.isinf(ddf) else special.fdtrc(df, ddf, statistic)
    return {name: form, "statistic": statistic, "df": df, "ddf": ddf, "p": float(p)}


def require_df(df: float, needed: int, *, where: str) -> None:
    """Refuse a joint test of more parameters than the design has degrees of freedom for.

    Raises
    ------
    EstimatesError
        E147.
    """
    if df < needed:
        raise fault(
            "E147", (f"自由度只有 {df:g}，至少需要 {needed}。", f"There are {df:g} degrees of freedom; at least {needed} are needed."),
            where=where, hint=("合并类别，减少待检验的参数。", "Merge categories, so that fewer parameters are tested."),
        )  # fmt: skip


def fault(
    code: str,
    text: tuple[str, str],
    *,
    where: str,
    hint: tuple[str, str],
    available: Iterable[object] = (),
    got: str = "",
) -> EstimatesError:
    """Make an error; text and hint are Chinese and English."""
    return EstimatesError(code, *text, where=where, available=available, got=got, hint=hint)


def no_residual(name: str) -> EstimatesError:
    """Make the error for an outcome that leaves nothing to estimate an error from."""
    return fault(
        "E144", (f"'{name}' 不变化，或完全由自变量决定，无法估计误差。", f"'{name}' does not vary, or the covariates determine it completely; there is no error to estimate."),
        where=name, hint=("检查该列的取值，或去掉决定它的自变量。", "Look at the column's values, or leave out the covariate that determines it."),
    )  # fmt: skip


Variable = str | Measure
ROW_NUMBER = "_row"


def name_of(variable: Variable) -> str:
    """Return the name a variable is shown under."""
    return variable if isinstance(variable, str) else variable.name


def with_values(
    design: SurveyDesign, variables: Sequence[Variable], *, where: str
) -> tuple[SurveyDesign, list[str]]:
    """Return the design with a column of values for every measure among the variables, and the variables' columns.

    Raises
    ------
    EstimatesError
        E141 for a name that is neither a declared measure nor a column.
    """
    named = [
        (name_of(v), v if isinstance(v, Measure) else design.measures.get(v)) for v in variables
    ]
    require_columns(
        design,
        [name for name, m in named if m is None],
        argument=where,
        error=EstimatesError,
        code="E141",
    )
    found = list({name: m for name, m in named if m is not None}.values())
    if found:
        values = [_value(measure).alias(_column(measure.name)) for measure in found]
        design = _holding(
            design, add_columns(design.table, found).with_columns(*values).to_native()
        )
    return design, [name if m is None else _column(name) for name, m in named]


def with_row_numbers(design: SurveyDesign) -> SurveyDesign:
    """Return the design with the respondents here, numbered in the column `ROW_NUMBER` in their given order."""
    rows = fetch(design.table)
    return _holding(design, rows.assign(**{ROW_NUMBER: np.arange(len(rows))}))


def levels(values: pd.Series[Any], used: Array) -> tuple[list[Any], Array]:
    """Return the sorted levels among the rows used and the level of every row, -1 where not used or missing: (T,) int."""
    there = used & values.notna().to_numpy()
    code = np.full(len(values), -1)
    code[there], found = pd.factorize(values[there], sort=True)
    return [int(v) if isinstance(v, float) and v.is_integer() else v for v in found.tolist()], code


def require_groups(
    found: Sequence[Any], variable: str, *, where: str, exactly: int | None = None
) -> None:
    """Refuse a grouping with fewer than two groups (E142), or with another number than needed (E143).

    Raises
    ------
    EstimatesError
    """
    if len(found) < 2:
        raise fault(
            "E142", (f"'{variable}' 在可用记录中只有 {len(found)} 个取值，无从比较。", f"'{variable}' has {len(found)} level(s) among the usable respondents; there is nothing to compare."),
            where=where, available=found, hint=("选用至少有两个取值的列。", "Choose a column with at least two levels."),
        )  # fmt: skip
    if exactly and len(found) != exactly:
        raise fault(
            "E143", (f"'{variable}' 有 {len(found)} 个取值，此检验只比较 {exactly} 组。", f"'{variable}' has {len(found)} levels; this test compares {exactly} groups."),
            where=where, available=found, hint=("多于两组时用 regression 或 rank_test。", "For more than two groups use regression or rank_test."),
        )  # fmt: skip


def _column(name: str) -> str:
    return f"_value_{name}"  # no dot: DuckDB reads one as table.column


def _value(measure: Measure) -> nw.Expr:
    """Return the value in the measure's own unit, null where not valid."""
    score = nw.col(measure.score_column)
    return nw.when(nw.col(measure.valid_column) == 1).then(
        score if measure.unit == 1 else score / measure.unit
    )


def _holding(design: SurveyDesign, respondents: Any) -> SurveyDesign:
    """Return the design over the same respondents with more columns."""
    new = copy.copy(design)
    for name, value in (
        ("respondents", respondents),
        ("table", scan(respondents)),
        ("complete", never_null(respondents)),
    ):
        object.__setattr__(new, name, value)
    return new
