"""The sample design: strata, PSUs, finite population correction, base weight, lonely-PSU policy, and what it must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from satisfaction.declarations.questionnaire import CODES
from satisfaction.declarations.wave import Selection
from satisfaction.foundation.conventions import NONE, in_words, key
from satisfaction.foundation.engines import (
    Lazy,
    fetch,
    joined,
    matched,
    never_null,
    offenders,
    refuse_mixed,
    scan,
)
from satisfaction.foundation.errors import DesignError, one_of, shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_, Text, _, ngettext
from satisfaction.foundation.pages import card
from satisfaction.sampling.conditions import (
    SUBPOPULATION,
    Condition,
    described,
    flagged,
    require_columns,
)
from satisfaction.sampling.measures import Measure, Stage, aliased, flag
from satisfaction.sampling.replicates import GivenReplicates, rank_df
from satisfaction.sampling.variance import Array, LonelyPsu

Nesting = Literal["nested", "unique"]
ROW = "_respondent"
ONE = "_one"
NO_ERROR = N_("none: not a probability sample")
# for the engine that reads Parquet: rows to be named
MISSING_KEY = '"{name}" is null or "{name}"::varchar = \'nan\''
BAD_WEIGHT = '"{name}" is null or not ("{name}" > 0) or isnan("{name}"::double)'


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

    def kept(self, count: Array, before: Array, after: Array) -> Array:
        """Tell in which replicates no weight went to cells that are not tied to its own: (R,) bool."""

    @property
    def linked(self) -> Any:
        """Return what ties cells together: (C, K) sparse; cells with an entry in the same column depend on one another."""

    def on(self, index: Array) -> WeightingStep:
        """Return the step bound to finer cells, each of which lies in the old cell `index` (C,)."""

    def part(self, cells: Array) -> WeightingStep:
        """Return the step bound to some of its cells (c,) int, none of which is tied to another one."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Weighting(Brief):
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


@dataclass(frozen=True, slots=True)
class SampleDesign:
    """How the respondents were selected; never changed, steps return a new one. See `SurveyDesign`.

    Attributes
    ----------
    respondents
        As they were given.
    strata, psu, fpc : tuple of str
    base_weight : str or None
    psu_codes, lonely_psu, selection : str
    collapse : {stratum: stratum}
        Both are tuples, one part a strata column.
    measures : {name: Measure}
    codes : {column: codes of the questionnaire}
    table : lazy table
        The respondents, for the engine that holds them.
    complete : set of str
        Columns that are known to hold no null.
    weighting : Weighting or None
    subpopulation : str
        The condition in words, where estimates and tests are of a part of the population (see `where`); else empty.
    replicates : GivenReplicates or None
        Replicate weights that came with the data; every respondent is then a unit of the tally.
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
    table: Lazy
    complete: frozenset[str]
    weighting: Weighting | None = None
    subpopulation: str = ""
    replicates: GivenReplicates | None = None

    @property
    def weights(self) -> Array:
        """Return the final weight per respondent, in the given row order: (n,) float; 0 outside a subpopulation."""
        if self.weighting is None:
            weight = fetch(self.rows().select(self.weight_column))[self.weight_column]
            weights = weight.to_numpy(float)
        else:
            lookup = self.weighting.cells.assign(factor=self.weighting.factor)
            on = self.weighting.columns
            weights = joined(self.rows(), lookup, on=on, weight=self.weight_column)
        if self.subpopulation:
            inside = fetch(self.rows().select(SUBPOPULATION))[SUBPOPULATION]
            weights = weights * inside.to_numpy(float)
        return np.asarray(weights)

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
        if ROW in self.stages and self.replicates is None:
            table = table.with_row_index(ROW, order_by=table.collect_schema().names())
        return table

    def cell_index(self, rows: pd.DataFrame) -> Array:
        """Return the recipe's cell of every row."""
        assert self.weighting is not None
        return matched(rows, self.weighting.cells, self.weighting.columns)

    def weighted(self, weighting: Weighting) -> SampleDesign:
        """Return this design with a solved recipe."""
        return replace(self, weighting=weighting)

    def over(self, respondents: Any) -> SampleDesign:
        """Return this design over the same respondents, in the same order, with more columns."""
        table = scan(respondents)
        complete = never_null(respondents)
        return replace(self, respondents=respondents, table=table, complete=complete)

    def __repr__(self) -> str:
        facts = {
            "strata": ", ".join(self.strata) or "1",
            "psu": " -> ".join(self.psu) or "every respondent",
            "base weight": self.base_weight or "1",
            "weighting": self.weighting.name if self.weighting else "none",
            "lonely_psu": self.lonely_psu,
            "selection": self.selection,
        }
        if self.subpopulation:
            facts["subpopulation"] = self.subpopulation
        shown = "; ".join(f"{name}: {fact}" for name, fact in facts.items())
        return f"SampleDesign({shown})"

    def where(self, condition: Condition) -> SampleDesign:
        """Return the design for a subpopulation: every estimate and test is then of its members (R's `subset`).

        The design is not filtered: PSUs without a member still count in n_h, margins stay those of all respondents, and
        weights outside are 0. Conditions add up: `design.where(a).where(b)` is of who fulfils both.

        Parameters
        ----------
        condition : mapping, column name, narwhals expression, or truth values
            {column: value or list of values}, all of which must hold; the name of a column of truth values or of 0 and 1;
            an expression of the columns; or one truth value a respondent (array, list or Series, in the rows' order; only
            where the respondents are a pandas or polars DataFrame). A missing value is not inside.

        Raises
        ------
        DesignError
            D520 a column that is not there, D521 a column that is no condition, D522 values that no respondent has, D523
            truth values that do not fit the rows, D524 nobody fulfils it.

        Notes
        -----
        Lonely PSUs and the policy for them stay those of the whole design, while R's subset forgets strata that it does not
        meet: under "average" the factor is that of the whole design.

        Examples
        --------
        >>> rows = pd.DataFrame({"psu": [1, 1, 2, 2, 3], "sex": [1, 2, 1, 2, 2], "y": [1, 0, 1, 1, 0]})
        >>> design = sat.SurveyDesign(rows, psu="psu")
        >>> sat.estimate(design.where({"sex": 2}), "y").table["estimate"].round(4).tolist()
        [0.3333]
        """
        restricted = self.over(flagged(self.respondents, self.table, condition))
        words = " & ".join(filter(None, [self.subpopulation, described(condition)]))
        return replace(restricted, subpopulation=words)

    def _repr_html_(self) -> str:
        weighting: object = NONE
        if self.weighting:
            weighting = in_words(self.weighting.name)
        facts: dict[Text, object] = {}
        facts[_("strata")] = ", ".join(self.strata) or "1"
        facts[_("PSUs")] = " → ".join(self.psu) or _("every respondent")
        facts[_("base weight")] = self.base_weight or "1"
        facts[key("fpc")] = ", ".join(self.fpc)
        facts[key("lonely_psu")] = in_words(self.lonely_psu)
        facts[key("selection")] = in_words(self.selection)
        facts[_("weighting")] = weighting
        facts[_("measures")] = ", ".join(self.measures)
        if self.replicates is not None:
            facts[_("replicate weights")] = str(self.replicates.weights.shape[1])
        if self.subpopulation:
            facts[_("subpopulation")] = self.subpopulation
        log = self.log.map(_shown)
        return card(str(_("sample design")), facts=facts, tables={_("weighting steps"): log})


def _shown(value: Any) -> Any:
    """Return a number as it is, anything else as text."""
    return value if isinstance(value, int | float) else str(value)


def SurveyDesign(
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
    replicate_weights: Sequence[str] | Array | pd.DataFrame | None = None,
    scale: float | None = None,
    rscales: Sequence[float] | None = None,
    mse: bool = False,
    df: int | None = None,
) -> SampleDesign:
    """Declare how the respondents were selected.

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
        Residents a respondent stands for, > 0. None: 1, also where fpc is given (R then takes population over sample).
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
    replicate_weights : list of columns, or array or DataFrame (n, R) in the rows' order, optional
        Weights of every respondent in R replicates that came with the data, base weight included (R's
        `svrepdesign(combined.weights = TRUE)`). They stand for strata, PSUs and fpc, which are then left out; estimates use
        them (variance "replicates"). The respondents are brought into memory.
    scale, rscales : float and (R,), optional
        V = scale sum_r rscales_r (theta_r - centre)^2; rscales None: all 1. scale is needed: 1/R for a bootstrap or BRR,
        1/(R (1 - k)^2) for Fay's k, (R - 1)/R for a jackknife without strata, 1 where rscales say it all.
    mse : bool
        Centre: the full-sample estimate; False (R's default): the mean of the replicates.
    df : int, optional
        Degrees of freedom of the design; None: rank of the replicate weights minus 1 (R's `degf`).

    Returns
    -------
    SampleDesign

    Raises
    ------
    DesignError
        D101 unknown column, D102 missing or non-positive weights, D103 missing strata or PSU, D104 lonely PSUs under
        "fail", D105 fpc that varies within a stratum or is smaller than the sample, D106 a PSU code in two strata, D107
        more fpc columns than stages, D108 a collapse of a stratum that is not there, D382 a table without rows, D383 a reserved column name, D384 a
        column that is stratum and PSU, D385 a collapse that is no mapping, D380 lonely PSUs under "average" where no
        stratum is left to take the average of, D526 replicate weights beside strata, PSUs or fpc, or scales without them, D527
        replicate weights, a scale or rscales that cannot be.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 4, "psu": [1, 1, 2, 2], "weight": [5, 5, 8, 8]})
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu", base_weight="weight")
    >>> design
    SampleDesign(strata: county; psu: psu; base weight: weight; weighting: none; lonely_psu: fail;
     selection: probability)
    >>> design.weights
    array([5., 5., 8., 8.])
    >>> rows = pd.DataFrame({"y": [1, 0, 1, 1], "w": 2.0, "r1": [0, 4, 2, 2], "r2": [4, 0, 2, 2]})
    >>> replicated = sat.SurveyDesign(rows, base_weight="w", replicate_weights=["r1", "r2"], scale=0.5)
    >>> sat.estimate(replicated, "y").table[["estimate", "se"]].round(4).to_numpy().tolist()
    [[0.75, 0.25]]
    """
    one_of(lonely_psu, LonelyPsu, argument="lonely_psu", error=DesignError, code="D100")
    one_of(psu_codes, Nesting, argument="psu_codes", error=DesignError, code="D100")
    one_of(selection, Selection, argument="selection", error=DesignError, code="D100")
    if not isinstance(collapse, Mapping | None):
        raise DesignError(
            "D385",
            _("`collapse` is a mapping, not a {name}.", name=type(collapse).__name__),
            where="collapse",
            hint=_("Write {stratum: the stratum it joins}."),
        )
    merged_strata = {
        level_tuple(stratum): level_tuple(target) for stratum, target in (collapse or {}).items()
    }
    brought_along = getattr(respondents, "attrs", {}).get(CODES, {})
    declared_apart = strata is not None or psu is not None or fpc is not None
    replicates = None
    if replicate_weights is not None and not declared_apart:
        rows, weights = _split_replicates(respondents, replicate_weights)
        scales = _scales(weights.shape[1], scale, rscales)
        design_df = rank_df(weights) if df is None else int(df)
        replicates = GivenReplicates(weights, scales, bool(mse), design_df)
        respondents = rows.assign(**{ROW: np.arange(len(rows))})
    elif replicate_weights is not None or scale is not None or rscales is not None:
        raise DesignError(
            "D526",
            _(
                "Replicate weights already hold strata, PSUs and fpc and stand alone; scale and rscales are for them only."
            ),
            where="replicate_weights",
            available=("replicate_weights, scale, rscales, mse", "strata, psu, fpc"),
            hint=_("Write one of the two."),
        )
    design = SampleDesign(
        respondents=respondents,
        strata=named(strata),
        psu=named(psu),
        base_weight=base_weight,
        psu_codes=psu_codes,
        fpc=named(fpc),
        collapse=merged_strata,
        lonely_psu=lonely_psu,
        selection=selection,
        measures={measure.name: measure for measure in measures},
        codes=dict(codes or brought_along),
        table=scan(respondents),
        complete=never_null(respondents),
        replicates=replicates,
    )
    _check(design)
    return design


def _split_replicates(respondents: Any, given: Any) -> tuple[pd.DataFrame, Array]:
    """Return the respondents without replicate weights, and these as an array: (n, R) float."""
    rows = respondents
    if not isinstance(rows, pd.DataFrame):
        rows = fetch(scan(respondents))
    if ROW in rows:
        raise _reserved(ROW)
    weights = given
    if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
        names = list(given)
        table = scan(rows)
        require_columns(table, names, argument="replicate_weights", error=DesignError, code="D527")
        weights = rows[names].apply(pd.to_numeric, errors="coerce")
        rows = rows.drop(columns=names)
    elif isinstance(given, pd.DataFrame) and rows is respondents:
        in_their_order = given.index.equals(rows.index)
        if not in_their_order:
            raise _no_replicates(_("their rows are under another index than the respondents'"))
    weights = np.asarray(weights, dtype=float)
    if weights.ndim != 2 or len(weights) != len(rows) or weights.shape[1] < 2:
        raise _no_replicates(
            _("an array of {shape} for {rows} respondents", shape=weights.shape, rows=len(rows))
        )
    if not np.isfinite(weights).all():
        raise _no_replicates(_("some are missing or no numbers"))
    return rows, weights


def _scales(replicates: int, scale: float | None, rscales: Sequence[float] | None) -> Array:
    """Return what the squared deviation of each replicate is multiplied by: (R,)."""
    each = np.ones(replicates) if rscales is None else np.asarray(rscales, dtype=float)
    if each.shape != (replicates,) or not (np.isfinite(each) & (each >= 0)).all():
        raise _no_replicates(_("rscales are not {n} numbers of 0 or more", n=replicates))
    if scale is None or not 0 < scale < np.inf:
        raise _no_replicates(_("scale is {scale}", scale=scale))
    return np.asarray(scale * each)


def _no_replicates(what: Text) -> DesignError:
    return DesignError(
        "D527",
        _("These replicate weights cannot be: {what}.", what=what),
        where="replicate_weights",
        hint=_(
            "One row a respondent, one column a replicate (two or more), numbers only; scale > 0 (1/R "
            "for a bootstrap), rscales one a replicate, not negative."
        ),
    )


def named(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return column names as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns or ())


def level_tuples(table: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the values of some columns, a tuple a row."""
    return list(table[list(columns)].itertuples(index=False, name=None))


def level_tuple(level: Any) -> tuple[Any, ...]:
    """Return a level, which is a tuple where several columns make it, as a tuple."""
    return level if isinstance(level, tuple) else (level,)


# ---- what a design must hold ----


def _check(design: SampleDesign) -> None:
    """Refuse a design that cannot be as declared; see SurveyDesign."""
    _check_columns(design)
    units = _smallest_units(design)
    _check_values(design, units)
    if design.collapse:
        _check_collapse(design, level_tuples(units, design.strata))
    for stage in range(len(design.stages)):
        sizes = _sizes(design, units, stage)
        lonely = sizes.index[(sizes["n"] == 1) & (sizes["low"] > 1)]
        if len(lonely):
            _check_lonely(design, sizes, lonely, stage=stage)


def _check_columns(design: SampleDesign) -> None:
    """Refuse columns that are not there, stand twice, are the design's own, or are no numbers where these are needed."""
    if len(design.fpc) > len(design.psu) + 1:
        raise DesignError(
            "D107",
            _("fpc has {n} columns, more than there are stages.", n=len(design.fpc)),
            where="fpc",
            available=design.psu,
            hint=_("Give one column a stage."),
        )
    strata_and_units = [*design.strata, *design.psu]
    wanted = [*strata_and_units, *design.fpc]
    if design.base_weight:
        wanted.append(design.base_weight)
    require_columns(design.table, wanted, argument="SurveyDesign", error=DesignError, code="D101")
    columns = design.table.collect_schema().names()
    for name in (ROW, ONE, SUBPOPULATION):
        numbered_here = name == ROW and design.replicates is not None
        if name in columns and not numbered_here:
            raise _reserved(name)
    twice = [name for i, name in enumerate(strata_and_units) if name in strata_and_units[:i]]
    if twice:
        raise DesignError(
            "D384",
            _(
                "Column '{twice}' is both stratum and sampling unit, or listed twice.",
                twice=twice[0],
            ),
            where="strata, psu",
            hint=_("Give each its own column; leave out `strata` where there are none."),
        )
    schema = design.rows().collect_schema()
    for code, names in (("D102", (design.weight_column,)), ("D105", design.fpc)):
        for name in names:
            if not schema[name].is_numeric():
                raise DesignError(
                    code,
                    _(
                        "Column '{name}' is text ({schema}), not a number.",
                        name=name,
                        schema=schema[name],
                    ),
                    where=name,
                    hint=_('Convert it first, as pd.to_numeric(df["{name}"]).', name=name),
                )


def _smallest_units(design: SampleDesign) -> pd.DataFrame:
    """Return a row a unit of the last stage: its keys, how many values are unusable, the fpc of every stage (least and most)."""
    keys = [*design.strata, *design.stages]
    weight = nw.col(design.weight_column)
    columns: Stage = {"_bad": flag(weight.is_null() | ~(weight > 0) | (weight > 1e300))}
    folds = [nw.col("_bad").sum()]
    for stage, name in enumerate(design.fpc):
        population = nw.col(name)
        number = population.cast(nw.Float64)
        columns[f"_unknown{stage}"] = flag(number.is_null() | number.is_nan())
        columns[f"_low{stage}"] = population
        columns[f"_high{stage}"] = population
        folds.append(nw.col(f"_unknown{stage}").sum())
        folds.append(nw.col(f"_low{stage}").min())
        folds.append(nw.col(f"_high{stage}").max())
    rows = design.rows().select(*keys, *aliased(columns))
    units = fetch(rows.group_by(*keys).agg(*folds))
    if units.empty:
        raise DesignError(
            "D382",
            _("The table has no rows."),
            where="respondents",
            hint=_("Look at how it was read and filtered."),
        )
    refuse_mixed(units, keys)
    return units


def _check_values(design: SampleDesign, units: pd.DataFrame) -> None:
    """Refuse base weights, fpc, strata and PSUs that are missing, and weights that are not above 0."""
    bad = int(units["_bad"].sum())
    if bad:
        name = design.weight_column
        rows = offenders(design.respondents, BAD_WEIGHT.format(name=name))
        raise DesignError(
            "D102",
            _("{bad} base weights are missing, zero or negative.", bad=bad),
            where=f"{name} {rows}".strip(),
            hint=_(
                "Correct these weights. Do not remove the rows: their PSUs would leave the "
                "design. Whoever is not to count gets a missing measure, or stands in a "
                "domain of its own (`by`)."
            ),
        )
    for stage, name in enumerate(design.fpc):
        missing_rows = int(units[f"_unknown{stage}"].sum())
        if missing_rows:
            raise DesignError(
                "D105",
                _(
                    "The fpc column '{name}' is missing in {unknown}.",
                    name=name,
                    unknown=ngettext("{n:,} row", "{n:,} rows", missing_rows),
                ),
                where=name,
                hint=_("Give every row of a stratum its number of units in the population."),
            )
    keys = [*design.strata, *design.stages]
    if units[keys].isna().any(axis=None):
        missing = " or ".join(MISSING_KEY.format(name=name) for name in keys)
        raise DesignError(
            "D103",
            _("Rows without stratum or PSU ({keys}).", keys=shortened(keys)),
            where=f"{shortened(keys)} {offenders(design.respondents, missing)}".strip(),
            hint=_("Fill in these columns."),
        )


def _check_collapse(design: SampleDesign, strata: list[tuple[Any, ...]]) -> None:
    """Refuse to merge strata that the sample does not have, or into one that is merged itself."""
    known = set(strata)
    mentioned = [level for pair in design.collapse.items() for level in pair]
    wrong = [level for level in mentioned if level not in known]
    wrong += [target for target in design.collapse.values() if target in design.collapse]
    if wrong:
        raise DesignError(
            "D108",
            _(
                "Strata in `collapse` do not exist or are merged twice: {wrong}.",
                wrong=shortened(wrong),
            ),
            where="collapse",
            available=sorted(map(str, known)),
            hint=_("Name strata of the sample; a target is not merged itself."),
        )


def _sizes(design: SampleDesign, units: pd.DataFrame, stage: int) -> pd.DataFrame:
    """Count the units of a stage by what they are drawn within: n sampled, least and most fpc; refuse what cannot be (D105, D106)."""
    unit = design.stages[stage]
    above = [*design.strata, *design.stages[:stage]]
    extremes = {"low": ("low", "min"), "high": ("high", "max")}
    low = units.get(f"_low{stage}", np.inf)
    high = units.get(f"_high{stage}", np.inf)
    with_fpc = units[[*above, unit]].assign(low=low, high=high)
    of_stage = with_fpc.groupby([*above, unit], as_index=False).agg(**extremes)
    twice = of_stage[unit].duplicated()
    if design.psu_codes == "unique" and twice.any():
        raise DesignError(
            "D106",
            _(
                "Codes of '{unit}' stand in more than one stratum (or unit above): {codes}.",
                unit=unit,
                codes=shortened(of_stage.loc[twice, unit].unique()),
            ),
            where="psu",
            available=("nested", "unique"),
            hint=_(
                'Correct the codes; if they are numbered within strata, write psu_codes="nested".'
            ),
        )
    counted = {"n": (unit, "size"), **extremes}
    parents: Any = pd.Series("all", index=of_stage.index)
    if above:
        parents = above if len(above) > 1 else above[0]
    sizes = of_stage.groupby(parents).agg(**counted)
    if stage < len(design.fpc):
        wrong = (sizes["low"] != sizes["high"]) | (sizes["low"] < sizes["n"])
        if wrong.any():
            raise DesignError(
                "D105",
                _("fpc varies within a stratum or is smaller than its sample."),
                where=design.fpc[stage],
                hint=_(
                    "fpc is the number of units in the population of the stratum (or unit above)."
                ),
            )
    if stage > 0 or not design.collapse:
        return sizes
    merged = []
    for level in map(level_tuple, sizes.index):
        target = design.collapse.get(level, level)
        merged.append(target[0] if len(target) == 1 else target)
    by_target = sizes.groupby(pd.Series(merged, index=sizes.index))
    return by_target.agg(n=("n", "sum"), **extremes)


def _check_lonely(
    design: SampleDesign, sizes: pd.DataFrame, lonely: pd.Index, *, stage: int
) -> None:
    """Refuse units that are alone in their stratum (or unit above) under a policy that cannot do with them."""
    unit = design.stages[stage]
    has_error = (sizes["n"] > 1) & (sizes["low"] > sizes["n"])
    if design.lonely_psu == "average" and not has_error.any():
        raise DesignError(
            "D380",
            _(
                "No stratum (or unit above) has an error to average: each has a single "
                "'{unit}' or was taken whole.",
                unit=unit,
            ),
            where="lonely_psu",
            available=("collapse", "adjust"),
            hint=_("Merge these strata with `collapse`."),
        )
    if design.lonely_psu != "fail":
        return
    near = _neighbour(sizes, lonely[0]) if stage == 0 else None
    merge = None
    proposal = 'lonely_psu="adjust"'
    if near is not None:
        merge = (_plain(lonely[0]), _plain(near))
        proposal = f"collapse={{{merge[0]!r}: {merge[1]!r}}}"
    problem = _(
        "{n} (or units above) with a single '{unit}': {lonely}.",
        n=ngettext("{n:,} stratum", "{n:,} strata", len(lonely)),
        unit=unit,
        lonely=shortened(lonely),
    )
    fault = DesignError(
        "D104",
        problem,
        where="strata",
        available=get_args(LonelyPsu)[1:],
        hint=_(
            "Merge with a similar stratum (for instance {proposal}), or declare a "
            "lonely_psu policy.",
            proposal=proposal,
        ),
    )
    fault.merge = merge
    raise fault


def _reserved(name: str) -> DesignError:
    return DesignError(
        "D383",
        _("The column name '{name}' is used by the design itself.", name=name),
        where="respondents",
        hint=_("Rename the column."),
    )


def _neighbour(sizes: pd.DataFrame, lonely: Any) -> Any:
    """Propose a stratum to merge with: one that shares the most leading keys, then the one nearest in order."""
    order = list(sizes.index)
    keys = np.array(level_tuple(lonely), dtype=object)

    def distance(stratum: Any) -> tuple[int, int]:
        shared = int((keys == np.array(level_tuple(stratum), dtype=object)).sum())
        return -shared, abs(order.index(stratum) - order.index(lonely))

    others = [stratum for stratum in order if stratum != lonely]
    return min(others, key=distance, default=None)


def _plain(level: Any) -> Any:
    """Return a stratum as a user would write it."""
    if isinstance(level, tuple):
        return tuple(_plain(part) for part in level)
    return level.item() if isinstance(level, np.generic) else level


# ---- what a caller may ask of it ----


def refuse_subpopulation(design: SampleDesign, task: Text, *, error: type[Any], code: str) -> None:
    """Refuse a task that concerns all respondents where the design is of a subpopulation.

    Raises
    ------
    SatisfactionError
        Of the class given.
    """
    if design.subpopulation:
        raise error(
            code,
            _(
                "{task} concerns all respondents; the design is of the subpopulation {subpopulation}.",
                task=task,
                subpopulation=design.subpopulation,
            ),
            where="where",
            hint=_("Use the design without the condition: weight first, then `where`."),
        )
