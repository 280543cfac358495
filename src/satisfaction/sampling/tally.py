"""The one pass: counts, sums and sums of squares by stratum, PSU, domain, calibration cell and base weight.

Everything after it is a function of this small table. Engines add whole numbers only, so the tally is the same bit for
bit on every engine. A score's square may not fit 64 bits: scores are split into two limbs of 20 bits, whose three
products are summed apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from satisfaction.foundation.engines import Lazy, counter, fetch, ordered, refuse_mixed
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import _
from satisfaction.sampling.conditions import SUBPOPULATION, require_columns
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.measures import (
    Measure,
    PersonScores,
    Stage,
    add_columns,
    aliased,
    column_measure,
    flag,
)
from satisfaction.sampling.variance import Array, summing

LIMB = 2**20
NARROW = (nw.Int8, nw.UInt8, nw.Int16, nw.Boolean)  # squares of at most 2**30
LARGEST = 2**40  # squares of smaller numbers sum over millions of rows within 64 bits
# of the columns that are counted and summed: valid values, scores, their limbs, products of limbs
OWN_NAMES = re.compile(r"_n|_(v|t|h|l|hh|hl|ll)\d+")


@dataclass(frozen=True, slots=True, repr=False)
class Tally(Brief):
    """Counts of respondents with equal keys. T rows, M measures.

    Attributes
    ----------
    keys : DataFrame (T, keys)
        Sorted; one row a combination.
    n : (T,) int64
        Respondents.
    valid : (T, M) int64
        Valid values.
    total : (T, M) int64, or float where a caller's column is
        Sum of scores, in units.
    squares : (T, M, 3) int64, or float
        Sums of high*high, high*low, low*low limbs of the scores.
    units : (M,) int64
        A score is counted in 1/unit.
    measures : tuple of str
    exact : bool
        False where a floating-point column was summed: not bit-reproducible across engines.
    """

    keys: pd.DataFrame
    n: Array
    valid: Array
    total: Array
    squares: Array
    units: Array
    measures: tuple[str, ...]
    exact: bool

    @property
    def inside(self) -> Array:
        """Return which rows belong to the design's subpopulation: (T,) bool; all of them without one."""
        if SUBPOPULATION not in self.keys:
            return np.ones(len(self.n), dtype=bool)
        return np.asarray(self.keys[SUBPOPULATION].to_numpy() == 1)

    def sums(self) -> Array:
        """Return the sums in the measures' own units: (T, M) float."""
        return self.total / self.units

    def sums_of_squares(self) -> Array:
        """Return the sums of squares in squared own units: (T, M) float."""
        high, cross, low = np.moveaxis(self.squares.astype(float), 2, 0)
        squares = high * float(LIMB) ** 2 + cross * (2.0 * LIMB) + low
        return np.asarray(squares / self.units.astype(float) ** 2)

    def only(self, rows: Array) -> Tally:
        """Return the tally with nothing counted as valid outside the rows marked; every row, hence every PSU, stays."""
        inside = rows.astype(np.int64)[:, None]
        valid = self.valid * inside
        total = self.total * inside
        squares = self.squares * inside[:, :, None]
        return replace(self, valid=valid, total=total, squares=squares)

    def of(self, measures: Sequence[str]) -> Tally:
        """Return the tally of some of its measures."""
        at = [self.measures.index(name) for name in measures]
        return replace(
            self,
            valid=self.valid[:, at],
            total=self.total[:, at],
            squares=self.squares[:, at],
            units=self.units[at],
            measures=tuple(measures),
        )

    def recounted(self, measure: str, scores: PersonScores, row: Array) -> Tally:
        """Return the tally with one of its measures counted anew.

        Parameters
        ----------
        measure : str
        scores : PersonScores
            Of the respondents.
        row : (n,) int
            The row of the tally that every one is counted in.
        """
        high = scores.score // LIMB
        low = scores.score % LIMB
        at = self.measures.index(measure)
        of_persons = [scores.valid, scores.score, high * high, high * low, low * low]
        whole_numbers = np.ones(len(row), dtype=np.int64)
        sums = summing(row, len(self.n), whole_numbers) @ np.stack(of_persons, axis=1)
        valid = self.valid.copy()
        total = self.total.copy()
        squares = self.squares.copy()
        units = self.units.copy()
        valid[:, at] = sums[:, 0]
        total[:, at] = sums[:, 1]
        squares[:, at] = sums[:, 2:]
        units[at] = scores.unit
        return replace(self, valid=valid, total=total, squares=squares, units=units)

    def digest(self) -> str:
        """Return the SHA-256 of keys and counts: equal on every engine."""
        keys = self.keys.to_csv(index=False, lineterminator="\n")
        content = hashlib.sha256(keys.encode())
        for part in (self.n, self.valid, self.total, self.squares, self.units):
            content.update(np.ascontiguousarray(part).tobytes())
        return content.hexdigest()


def tally(
    design: SampleDesign,
    measures: Sequence[str | Measure],
    *,
    by: Sequence[str] = (),
    by_values: bool = False,
) -> Tally:
    """Count the respondents of a design in one pass.

    Parameters
    ----------
    design : SampleDesign
        Outside its subpopulation nothing is valid; `n` counts everybody.
    measures : sequence of str or Measure
        Names of the design's measures, or of numeric columns.
    by : sequence of str
        Domain columns.
    by_values : bool
        The measures' own valid flags and scores are keys too: one row a value, for quantiles.

    Raises
    ------
    EstimatesError
        E101 for a column that is not there, E102 for a column that is no number, E105 for one with huge whole numbers, E383 for one with
        infinite values, E386 for a domain column of a reserved name.
    """
    resolved = resolve_all(design, measures)
    require_columns(design.table, by, argument="by", error=EstimatesError, code="E101")
    refuse_reserved([name for name in by if OWN_NAMES.fullmatch(name)])
    keys = [*design.strata, *design.stages, *by]
    if design.weighting:
        keys += design.weighting.columns
    keys.append(design.weight_column)
    if design.subpopulation:
        keys.append(SUBPOPULATION)
    if by_values:
        for measure in resolved:
            keys += [measure.valid_column, measure.score_column]
    keys = list(dict.fromkeys([*keys, *design.fpc]))
    rows = design.rows()
    schema = rows.collect_schema()
    kinds = {name: schema[name] for measure in resolved for name in measure.own}
    floating = any(_is_floating(kind) for kind in kinds.values())
    wide = [name for name, kind in kinds.items() if kind in (nw.Int64, nw.UInt64)]
    if wide:
        extremes = []
        for i, name in enumerate(wide):
            extremes += [nw.col(name).min().alias(f"min{i}"), nw.col(name).max().alias(f"max{i}")]
        largest = pd.to_numeric(fetch(rows.select(*extremes)).iloc[0]).abs().fillna(0)
        for i, name in enumerate(wide):
            if largest[[f"min{i}", f"max{i}"]].max() >= LARGEST:
                raise EstimatesError(
                    "E105",
                    _(
                        "Whole numbers in column '{name}' are too large: their squares would overflow.",
                        name=name,
                    ),
                    where=name,
                    hint=_("Use a floating-point column, or a larger unit."),
                )
    if floating:
        whole = _count_floats(rows, keys, resolved)
    else:
        narrow = set()
        complete = set()
        for measure in resolved:
            if measure.unit == 1 and all(kinds[name] in NARROW for name in measure.own):
                narrow.add(measure.name)
            if measure.kind == "column" and set(measure.own) <= design.complete and not by_values:
                complete.add(measure.name)
        whole = _count_integers(rows, keys, resolved, narrow=narrow, complete=complete)
    return whole.only(whole.inside) if design.subpopulation else whole


def refuse_reserved(names: Sequence[str]) -> None:
    """Refuse domain columns under a name that the result, or the count, needs for itself, and columns named twice.

    Raises
    ------
    EstimatesError
        E386.
    """
    for name in names:
        raise EstimatesError(
            "E386",
            _(
                "Column '{names}' cannot make domains: the result uses that name itself, or "
                "it is listed twice.",
                names=name,
            ),
            where="by",
            got=name,
            hint=_("Rename the column, or list it once."),
        )


def resolve_all(design: SampleDesign, measures: Sequence[str | Measure]) -> list[Measure]:
    """Find measures by name, asking the engine for its columns once; see `resolve`."""
    names = [measure for measure in measures if isinstance(measure, str)]
    columns = not set(names) <= set(design.measures)
    schema = design.rows().collect_schema() if columns else None
    return [resolve(design, measure, schema=schema) for measure in measures]


def resolve(
    design: SampleDesign, measure: str | Measure, *, schema: nw.Schema | None = None
) -> Measure:
    """Find a measure by name: declared in the design, or a numeric column of the respondents (of their schema, if given).

    Raises
    ------
    EstimatesError
        E101, E102.
    """
    if isinstance(measure, Measure):
        return measure
    if measure in design.measures:
        return design.measures[measure]
    schema = schema or design.rows().collect_schema()
    if measure not in schema:
        raise EstimatesError(
            "E101",
            _("Measure or column '{measure}' not found.", measure=measure),
            where="measures",
            available=[*design.measures, *schema.names()],
            got=measure,
            hint=_("Use a name that exists."),
        )
    kind = schema[measure]
    truth = kind == nw.Boolean
    if not (kind.is_numeric() or truth):
        raise EstimatesError(
            "E102",
            _("Column '{measure}' is no number.", measure=measure),
            where="measures",
            available=[name for name, other in schema.items() if other.is_numeric()],
            hint=_(
                "Choose a numeric column; convert numbers kept as text or objects first: "
                'pd.to_numeric(df["{measure}"]); for the share of every level write statistic="shares".',
                measure=measure,
            ),
        )
    _refuse_codes(design, measure)
    return column_measure(measure, floating=_is_floating(kind), truth=truth)


def _refuse_codes(design: SampleDesign, column: str) -> None:
    """Refuse the mean of a select-all item, and of an item some of whose answers are special codes.

    Raises
    ------
    EstimatesError
        E389.
    """
    known = design.codes.get(column)
    if known is None:
        return
    special = list(known["special"])
    if known["select_all"]:
        kind = _("a select-all item")
    else:
        kind = _("an item with special codes")
        count = flag(nw.col(column).is_in(special)).sum().alias("special")
        if not fetch(design.table.select(count))["special"].fillna(0).sum():
            return
    codes = ", ".join(map(str, special)) or "-"
    columns = design.table.collect_schema().names()
    options = [name for name in columns if name.startswith(f"{column}_")]
    raise EstimatesError(
        "E389",
        _(
            "'{column}' is {kind} (special codes: {codes}); its codes are no numbers, and their "
            "mean means nothing.",
            column=column,
            kind=kind,
            codes=codes,
        ),
        where=column,
        available=[*design.measures, *options],
        hint=_(
            "Declare a rate in the questionnaire (counts: [option]), use an option's own "
            "0/1 column, or make special codes missing."
        ),
    )


def _is_floating(kind: nw.dtypes.DType) -> bool:
    return kind.is_float() or kind.is_decimal()


def refuse_infinite(values: pd.Series, measure: Measure) -> None:
    """Refuse infinite values: sums and ranks over them mean nothing.

    Raises
    ------
    EstimatesError
        E383.
    """
    endless = int(np.isinf(values.to_numpy(float, na_value=np.nan)).sum())
    if endless:
        name = " / ".join(dict.fromkeys(measure.own)) or measure.name
        raise EstimatesError(
            "E383",
            _("Column '{name}' has {endless} infinite values.", name=name, endless=endless),
            where=name,
            hint=_("Correct these values, or make them missing."),
        )


def _count_integers(
    rows: Lazy, keys: list[str], measures: list[Measure], *, narrow: set[str], complete: set[str]
) -> Tally:
    """Let the engine count.

    The values of `complete` columns, which hold no null, are as many as the respondents and need no count of their own.
    """
    addends, limbs, products = _addends(measures, counter(rows), narrow=narrow, complete=complete)
    rows = add_columns(rows, [measure for measure in measures if measure.name not in complete])
    rows = rows.select(*keys, *aliased(addends | limbs))
    summed = [*addends, *products]
    if products:
        rows = rows.with_columns(*aliased(products)).select(*keys, *summed)
    table = ordered(fetch(totals(rows, keys)), keys)
    n = table["_n"].to_numpy(np.int64)
    shape = (len(table), len(measures))
    valid = np.empty(shape, dtype=np.int64, order="F")
    total = np.empty(shape, dtype=np.int64, order="F")
    squares = np.zeros((*shape, 3), dtype=np.int64)
    for m in range(len(measures)):
        valid[:, m] = table[f"_v{m}" if f"_v{m}" in addends else "_n"].to_numpy(np.int64)
        total[:, m] = table[f"_t{m}"].to_numpy(np.int64)
        for k, product in enumerate((f"_hh{m}", f"_hl{m}", f"_ll{m}")):
            if product in summed:
                squares[:, m, k] = table[product].to_numpy(np.int64)
    return Tally(
        table[keys],
        n,
        valid,
        total,
        squares,
        units=np.array([measure.unit for measure in measures], dtype=np.int64),
        measures=tuple(measure.name for measure in measures),
        exact=True,
    )


def _addends(
    measures: list[Measure], small: Any, *, narrow: set[str], complete: set[str]
) -> tuple[Stage, Stage, Stage]:
    """Return what is summed of every row, what it is split into, and the products of these parts, of the m-th measure `_v`, `_t`,
    `_ll`; `_h`, `_l`; `_hh`, `_hl`, `_ll` with m behind.
    """
    addends: Stage = {"_n": nw.lit(1).cast(small)}
    limbs: Stage = {}
    products: Stage = {}
    for m, measure in enumerate(measures):
        score = nw.col(measure.score_column)
        if measure.name in complete:
            score = nw.col(measure.own[0])
        score = score.cast(small if measure.name in narrow else nw.Int64)
        if measure.name not in complete:
            addends[f"_v{m}"] = nw.col(measure.valid_column).cast(small)
        addends[f"_t{m}"] = score
        if measure.name in narrow:
            addends[f"_ll{m}"] = score * score
        else:
            limbs[f"_h{m}"] = (score // LIMB).cast(nw.Int64)
            limbs[f"_l{m}"] = score % LIMB
            high = nw.col(f"_h{m}")
            low = nw.col(f"_l{m}")
            products |= {f"_hh{m}": high * high, f"_hl{m}": high * low, f"_ll{m}": low * low}
    return addends, limbs, products


def totals(rows: Lazy, keys: Sequence[str]) -> Lazy:
    """Count rows (`_n`) and sum every other column by the keys, as 64-bit integers (some engines return decimals)."""
    names = rows.collect_schema().names()
    if "_n" not in names:
        rows = rows.with_columns(nw.lit(1).cast(nw.Int64).alias("_n"))
        names = ["_n", *names]
    summed = [name for name in names if name not in keys]
    counted = rows.group_by(*keys).agg(*(nw.col(name).sum() for name in summed))
    return counted.select(*keys, *(nw.col(name).cast(nw.Int64) for name in summed))


def _count_floats(rows: Lazy, keys: list[str], measures: list[Measure]) -> Tally:
    """Sum floating-point columns here, in sorted order."""
    valid = [f"_v{m}" for m in range(len(measures))]
    scores = [f"_t{m}" for m in range(len(measures))]
    columns: Stage = {}
    for m, measure in enumerate(measures):
        columns[valid[m]] = nw.col(measure.valid_column)
        columns[scores[m]] = nw.col(measure.score_column)
    table = fetch(add_columns(rows, measures).select(*keys, *aliased(columns)))
    refuse_mixed(table, keys)
    table = table.sort_values([*keys, *columns], ignore_index=True)
    for measure, score in zip(measures, scores, strict=True):
        refuse_infinite(table[score], measure)
    group = table.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    size = int(group.max()) + 1 if len(group) else 0
    first = np.unique(group, return_index=True)[1]

    def sums(names: list[str], power: int = 1) -> Array:
        values = [table[name].to_numpy(float) ** power for name in names]
        return np.stack([np.bincount(group, column, size) for column in values], axis=1)

    squares = np.zeros((size, len(measures), 3))
    squares[:, :, 2] = sums(scores, power=2)
    return Tally(
        keys=table.loc[first, keys].reset_index(drop=True),
        n=np.bincount(group, minlength=size),
        valid=sums(valid).astype(np.int64),
        total=sums(scores),
        squares=squares,
        units=np.array([measure.unit for measure in measures], dtype=np.int64),
        measures=tuple(measure.name for measure in measures),
        exact=False,
    )
