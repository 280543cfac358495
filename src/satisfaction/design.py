"""The sample design: strata, PSUs, finite population correction, base weight, lonely-PSU policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from .engines import Lazy, fetch, scan
from .errors import DesignError, closest, one_of, shortened
from .measures import Measure, flag
from .survey import Selection

LonelyPsu = Literal["fail", "adjust", "average", "certainty", "remove"]
ROW = "_respondent"
ONE = "_one"


@dataclass(frozen=True, slots=True)
class Weighting:
    """One calibration, solved: a factor for every cell.

    Attributes
    ----------
    method : str
    columns : tuple of str
        The columns whose combination is a cell.
    cells : DataFrame (C, columns)
    factor : (C,) float
        Final weight / entering weight.
    margins : (C, L) float
        1 where a cell belongs to a margin level.
    record : dict
        Convention and diagnostics, for the step log.
    """

    method: str
    columns: tuple[str, ...]
    cells: pd.DataFrame
    factor: np.ndarray[Any, Any]
    margins: Any
    record: dict[str, Any]


@dataclass(frozen=True, slots=True, init=False)
class SurveyDesign:
    """How the respondents were selected; never changed, steps return a new one.

    Parameters
    ----------
    respondents : pandas or polars DataFrame, DuckDB relation, PySpark DataFrame, or a Parquet path
        One row a respondent; every row belongs to the sample (domains never filter it).
    strata : column or list of columns, optional
        None: one stratum.
    psu : column or list of columns (stages), optional
        The first stage decides the variance. None: every respondent is a PSU. A code may be used again in another
        stratum; it is then another PSU.
    base_weight : column, optional
        Residents a respondent stands for, > 0. None: 1.
    fpc : column, optional
        Number of PSUs in the stratum's population. None: drawn with replacement, or from many.
    lonely_psu : {"fail", "adjust", "average", "certainty", "remove"}
        What a stratum with a single PSU contributes: an error; its distance from the mean of all PSUs; the average of
        the other strata; nothing (certainty, remove).
    selection : {"probability", "quota", "open_link"}
        For the last two there is no design error, and no rank is established.
    measures : sequence of Measure
        What `estimate` may name besides columns.

    Raises
    ------
    DesignError
        D101 unknown column, D102 missing or non-positive weights, D103 missing strata or PSU, D104 lonely PSUs under
        "fail", D105 fpc that varies within a stratum or is smaller than the sample.
    """

    respondents: Any
    strata: tuple[str, ...]
    psu: tuple[str, ...]
    base_weight: str | None
    fpc: str | None
    lonely_psu: LonelyPsu
    selection: Selection
    measures: dict[str, Measure]
    weighting: Weighting | None

    def __init__(
        self,
        respondents: Any,
        *,
        strata: str | Sequence[str] | None = None,
        psu: str | Sequence[str] | None = None,
        base_weight: str | None = None,
        fpc: str | None = None,
        lonely_psu: LonelyPsu = "fail",
        selection: Selection = "probability",
        measures: Sequence[Measure] = (),
    ) -> None:
        one_of(lonely_psu, get_args(LonelyPsu), argument="lonely_psu", error=DesignError, code="D100")
        one_of(selection, get_args(Selection), argument="selection", error=DesignError, code="D100")
        for name, value in {
            "respondents": respondents,
            "strata": named(strata),
            "psu": named(psu),
            "base_weight": base_weight,
            "fpc": fpc,
            "lonely_psu": lonely_psu,
            "selection": selection,
            "measures": {m.name: m for m in measures},
            "weighting": None,
        }.items():
            object.__setattr__(self, name, value)
        _check(self)

    @property
    def weights(self) -> np.ndarray[Any, Any]:
        """Return the final weight per respondent, in the given row order: (n,) float."""
        columns = self.weighting.columns if self.weighting else ()
        rows = fetch(self.rows().select(*{*columns, self.weight_column}))
        base = rows[self.weight_column].to_numpy(float)
        return np.asarray(base * self.factors(rows))

    @property
    def weight_column(self) -> str:
        """Return the column of base weights (a column of ones where none was given)."""
        return self.base_weight or ONE

    @property
    def psu_columns(self) -> tuple[str, ...]:
        """Return the columns that make a PSU of the first stage."""
        return self.psu[:1] or (ROW,)

    def rows(self) -> Lazy:
        """Return the respondents as a lazy table, with a weight of one or a row number where none was given."""
        table = scan(self.respondents)
        if self.base_weight is None:
            table = table.with_columns(nw.lit(1.0).alias(ONE))
        if not self.psu:
            table = table.with_row_index(ROW, order_by=table.collect_schema().names())
        return table

    def factors(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return final weight / base weight for rows that carry the calibration's columns."""
        if self.weighting is None:
            return np.ones(len(rows))
        return np.asarray(self.weighting.factor[self.cell_index(rows)])

    def cell_index(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return the calibration cell of every row."""
        assert self.weighting is not None
        columns = list(self.weighting.columns)
        known = self.weighting.cells.assign(_cell=np.arange(len(self.weighting.cells)))
        return np.asarray(rows[columns].merge(known, on=columns, how="left")["_cell"])

    def calibrated(self, weighting: Weighting) -> SurveyDesign:
        """Return this design with a solved calibration."""
        new = object.__new__(SurveyDesign)
        for name in SurveyDesign.__slots__:
            object.__setattr__(new, name, getattr(self, name))
        object.__setattr__(new, "weighting", weighting)
        return new


def named(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return column names as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns or ())


def require_columns(design: SurveyDesign, wanted: Sequence[str], *, argument: str, error: type[Any], code: str) -> None:
    """Refuse columns that the respondents do not have.

    Raises
    ------
    SatisfactionError
        Of the class given: the column, what is available, the nearest name.
    """
    available = scan(design.respondents).collect_schema().names()
    for name in wanted:
        if name not in available:
            near = closest(name, available)
            raise error(
                code,
                f"找不到列 '{name}'。",
                f"Column '{name}' not found.",
                where=argument,
                available=available,
                got=name,
                hint=(f"改为 '{near}'。", f"Write '{near}'.") if near else ("改为已有的列。", "Use a column that exists."),
            )


def _check(design: SurveyDesign) -> None:
    wanted = [*design.strata, *design.psu, *filter(None, (design.base_weight, design.fpc))]
    require_columns(design, wanted, argument="SurveyDesign", error=DesignError, code="D101")
    weight, keys = nw.col(design.weight_column), [*design.strata, *design.psu_columns]
    bad = flag(weight.is_null() | ~(weight > 0) | (weight > 1e300)).alias("_bad")
    limits = [nw.col(design.fpc).alias("_low"), nw.col(design.fpc).alias("_high")] if design.fpc else []
    extremes = [nw.col("_low").min(), nw.col("_high").max()] if design.fpc else []
    psus = fetch(design.rows().select(*keys, bad, *limits).group_by(*keys).agg(nw.col("_bad").sum(), *extremes))
    if psus["_bad"].sum():
        raise DesignError(
            "D102",
            f"有 {int(psus['_bad'].sum())} 个基础权数缺失、为零或为负。",
            f"{int(psus['_bad'].sum())} base weights are missing, zero or negative.",
            where=design.weight_column,
            hint=("改正这些权数，或先剔除相应记录。", "Correct these weights, or remove the rows first."),
        )
    if psus[keys].isna().any(axis=None):
        raise DesignError(
            "D103",
            f"有记录缺少层或初级单元（{shortened(keys)}）。",
            f"Rows without stratum or PSU ({shortened(keys)}).",
            where="strata, psu",
            hint=("补全这些列。", "Fill in these columns."),
        )
    strata = _sizes(psus, design)
    lonely = strata.index[strata["n"] == 1]
    if len(lonely) and design.lonely_psu == "fail":
        raise DesignError(
            "D104",
            f"{len(lonely)} 个层只有一个初级单元: {shortened(lonely)}。",
            f"{len(lonely)} strata have a single PSU: {shortened(lonely)}.",
            where="strata",
            available=get_args(LonelyPsu)[1:],
            hint=(
                "与相近的层合并，或声明 lonely_psu 的处理办法。",
                "Merge them with a similar stratum, or declare a lonely_psu policy.",
            ),
        )
    if design.fpc and ((strata["low"] != strata["high"]) | (strata["low"] < strata["n"])).any():
        raise DesignError(
            "D105",
            "fpc 在层内不一致，或小于样本中的初级单元数。",
            "fpc varies within a stratum or is smaller than its sample of PSUs.",
            where=design.fpc,
            hint=("fpc 须为该层总体中的初级单元数。", "fpc is the number of PSUs in the stratum's population."),
        )


def _sizes(psus: pd.DataFrame, design: SurveyDesign) -> pd.DataFrame:
    """Count the PSUs of each stratum and find the extremes of its fpc."""
    table = psus.assign(_low=psus.get("_low", 0), _high=psus.get("_high", 0))
    by = [table[name] for name in design.strata] or [pd.Series(0, index=table.index)]
    grouped = table.groupby(by[0] if len(by) == 1 else by)
    return pd.DataFrame({"n": grouped.size(), "low": grouped["_low"].min(), "high": grouped["_high"].max()})
