"""The sample design: strata, PSUs, finite population correction, base weight, lonely-PSU policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from ..engines import Lazy, fetch, joined, matched, never_null, scan
from ..errors import DesignError, one_of
from ..io.pages import card
from ..measures import Measure
from ..questionnaire import CODES
from ..survey import Selection
from ..variance import LonelyPsu
from .checks import check, check_frame, require_columns

__all__ = ["NO_ERROR", "ONE", "ROW", "SurveyDesign", "Weighting", "WeightingStep", "check_frame", "named", "require_columns"]
Array = np.ndarray[Any, Any]
Nesting = Literal["nested", "unique"]
ROW = "_respondent"
ONE = "_one"
NO_ERROR = "none: not a probability sample"


class WeightingStep(Protocol):
    """One step of a recipe, bound to cells; pure, so that replicates replay it."""

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return new weights.

        Parameters
        ----------
        count : (C, R) float
            Respondents of each cell (or the sum of their base weights) in each of R replicates.
        weight : (C, R) float
            Weight of each of them.
        """

    @property
    def places(self) -> tuple[str, ...]:
        """Return what the step can fail at: K names of levels, classes or bounds."""

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell at which place a replicate could not do all the step declares: (K, R) bool."""

    def on(self, index: Array) -> WeightingStep:
        """Return the step bound to finer cells, each of which lies in the old cell `index` (C,)."""


@dataclass(frozen=True, slots=True)
class Weighting:
    """A recipe of weighting steps, solved on cells of respondents whose weights change alike. C cells, L margin levels.

    Attributes
    ----------
    columns : tuple of str
        The columns whose combination is a cell.
    cells : DataFrame (C, columns)
    count : (C,) float
        Respondents of a cell, or the sum of their base weights where these are no key of the cells.
    start : (C,) float
        Their base weight, or 1: count x start is the sum of base weights.
    factor : (C,) float
        Final weight / base weight.
    entering : (C,) float
        Weight entering the last calibration / base weight.
    margins : (C, L) sparse, or None
        The last calibration's indicators (and numeric values).
    margin_of : (L,) int
        Which margin a level belongs to.
    steps : tuple of WeightingStep
    log : tuple of dict
        Convention and diagnostics of each step.
    """

    columns: tuple[str, ...]
    cells: pd.DataFrame
    count: Array
    start: Array
    factor: Array
    entering: Array
    margins: Any
    margin_of: Array
    steps: tuple[WeightingStep, ...]
    log: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """Return the steps' methods in their order ('classes, raking, trimming')."""
        return ", ".join(record["method"] for record in self.log)

    @property
    def several(self) -> bool:
        """Return whether linearization alone does not credit it: anything but a single calibration."""
        return len(self.steps) > 1 or self.margins is None


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
        None: every respondent is a PSU.
    psu_codes : {"nested", "unique"}
        nested: a code may be used again in another stratum (or unit above); it is then another unit. unique: that is an
        error.
    base_weight : column, optional
        Residents a respondent stands for, > 0. None: 1.
    fpc : column or list of columns (stages), optional
        Number of units in the population of the stratum (of the unit above). None: drawn with replacement, or from many.
        A second stage enters the variance only where it has a column here; one more column than `psu` has makes
        respondents the last stage.
    collapse : mapping, optional
        Stratum -> stratum it is merged with for the variance; a stratum of several columns is a tuple.
    lonely_psu : {"fail", "adjust", "average", "certainty", "remove"}
        What a stratum with a single PSU contributes, unless it is taken whole (fpc 1): an error; its distance from the mean
        of all PSUs' totals (Stata's "centered"; R does not centre the totals of its "adjust", so means agree and totals do
        not); the average of the other strata, by which every variance of the design is multiplied, also in a domain without
        a lonely stratum (R's subset multiplies by the subset's own strata); nothing (certainty, remove).
    selection : {"probability", "quota", "open_link"}
        For the last two there is no design error, and no rank is established.
    measures : sequence of Measure
        What `estimate` may name besides columns.
    codes : mapping, optional
        Columns of a questionnaire's codes that are no numbers (`Questionnaire.coded_columns`); `estimate` refuses their
        means. Accepted responses bring it along.

    Raises
    ------
    DesignError
        D101 unknown column, D102 missing or non-positive weights, D103 missing strata or PSU, D104 lonely PSUs under
        "fail", D105 fpc that varies within a stratum or is smaller than the sample, D106 a PSU code in two strata, D107
        more fpc columns than stages, D108 a collapse of a stratum that is not there, D382 a table without rows, D383 a reserved column name, D384 a
        column that is stratum and PSU, D385 a collapse that is no mapping, D380 lonely PSUs under "average" where no
        stratum is left to take the average of.
    """

    respondents: Any
    strata: tuple[str, ...]
    psu: tuple[str, ...]
    base_weight: str | None
    psu_codes: Nesting
    fpc: tuple[str, ...]
    collapse: dict[tuple[Any, ...], tuple[Any, ...]]
    lonely_psu: LonelyPsu
    selection: Selection
    measures: dict[str, Measure]
    codes: dict[str, Mapping[str, Any]]
    weighting: Weighting | None
    table: Lazy
    complete: frozenset[str]

    def _repr_html_(self) -> str:
        facts = {
            "strata": ", ".join(self.strata) or "1",
            "psu": " → ".join(self.psu) or "every respondent",
            "base weight": self.base_weight or "1",
            "fpc": ", ".join(self.fpc),
            "lonely_psu": self.lonely_psu,
            "selection": self.selection,
            "weighting": self.weighting.name if self.weighting else "none",
            "measures": ", ".join(self.measures),
        }
        log = self.log.map(lambda one: one if isinstance(one, int | float) else str(one))
        return card("抽样设计 sample design", facts=facts, tables={"加权步骤 weighting steps": log})

    def __init__(
        self,
        respondents: Any,
        *,
        strata: str | Sequence[str] | None = None,
        psu: str | Sequence[str] | None = None,
        base_weight: str | None = None,
        psu_codes: Nesting = "nested",
        fpc: str | Sequence[str] | None = None,
        collapse: Mapping[Any, Any] | None = None,
        lonely_psu: LonelyPsu = "fail",
        selection: Selection = "probability",
        measures: Sequence[Measure] = (),
        codes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        one_of(lonely_psu, get_args(LonelyPsu), argument="lonely_psu", error=DesignError, code="D100")
        one_of(psu_codes, get_args(Nesting), argument="psu_codes", error=DesignError, code="D100")
        one_of(selection, get_args(Selection), argument="selection", error=DesignError, code="D100")
        if not isinstance(collapse, Mapping | None):
            raise DesignError(
                "D385",
                f"collapse 须为映射，而不是 {type(collapse).__name__}。",
                f"`collapse` is a mapping, not a {type(collapse).__name__}.",
                where="collapse",
                hint=("写成 {层: 并入的层}。", "Write {stratum: the stratum it joins}."),
            )
        for name, value in {
            "respondents": respondents,
            "strata": named(strata),
            "psu": named(psu),
            "base_weight": base_weight,
            "psu_codes": psu_codes,
            "fpc": named(fpc),
            "collapse": {_level(old): _level(new) for old, new in (collapse or {}).items()},
            "lonely_psu": lonely_psu,
            "selection": selection,
            "measures": {m.name: m for m in measures},
            "codes": dict(codes or getattr(respondents, "attrs", {}).get(CODES, {})),
            "weighting": None,
            "table": scan(respondents),
            "complete": never_null(respondents),
        }.items():
            object.__setattr__(self, name, value)
        check(self)

    @property
    def weights(self) -> Array:
        """Return the final weight per respondent, in the given row order: (n,) float."""
        if self.weighting is None:
            return np.asarray(fetch(self.rows().select(self.weight_column))[self.weight_column].to_numpy(float))
        lookup = self.weighting.cells.assign(factor=self.weighting.factor)
        return joined(self.rows(), lookup, on=self.weighting.columns, weight=self.weight_column)

    @property
    def log(self) -> pd.DataFrame:
        """Return one row a weighting step: what it did and how the weights look after it."""
        return pd.DataFrame(self.weighting.log if self.weighting else [])

    @property
    def weight_column(self) -> str:
        """Return the column of base weights (a column of ones where none was given)."""
        return self.base_weight or ONE

    @property
    def stages(self) -> tuple[str, ...]:
        """Return the column of the units of every stage that enters the variance."""
        return (*self.psu, ROW)[: max(1, len(self.fpc))]

    def rows(self) -> Lazy:
        """Return the respondents as a lazy table, with a weight of one or a row number where none was given."""
        table = self.table
        if self.base_weight is None:
            table = table.with_columns(nw.lit(1.0).alias(ONE))
        if ROW in self.stages:
            table = table.with_row_index(ROW, order_by=table.collect_schema().names())
        return table

    def cell_index(self, rows: pd.DataFrame) -> Array:
        """Return the recipe's cell of every row."""
        assert self.weighting is not None
        return matched(rows, self.weighting.cells, self.weighting.columns)

    def weighted(self, weighting: Weighting) -> SurveyDesign:
        """Return this design with a solved recipe."""
        new = object.__new__(SurveyDesign)
        for name in SurveyDesign.__slots__:
            object.__setattr__(new, name, getattr(self, name))
        object.__setattr__(new, "weighting", weighting)
        return new


def named(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return column names as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns or ())


def _level(stratum: Any) -> tuple[Any, ...]:
    return stratum if isinstance(stratum, tuple) else (stratum,)
