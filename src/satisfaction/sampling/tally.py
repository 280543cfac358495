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
from satisfaction.sampling.design import SampleDesign, require_columns
from satisfaction.sampling.measures import Measure, add_columns, column_measure, flag

LIMB = 2**20
NARROW = (nw.Int8, nw.UInt8, nw.Int16, nw.Boolean)  # squares of at most 2**30
LARGEST = 2**40  # squares of smaller numbers sum over millions of rows within 64 bits
OWN_NAMES = re.compile(r"_n|_(v|t|h|l|hh|hl|ll)\d+")  # of the columns that are counted and summed
PARTS = ("v", "t", "hh", "hl", "ll")  # valid values, scores, products of high and low limbs
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Tally:
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

    def sums(self) -> Array:
        """Return the sums in the measures' own units: (T, M) float."""
        return np.asarray(self.total / self.units)

    def sums_of_squares(self) -> Array:
        """Return the sums of squares in squared own units: (T, M) float."""
        high, cross, low = np.moveaxis(self.squares.astype(float), 2, 0)
        return np.asarray(
            (high * float(LIMB) ** 2 + cross * (2.0 * LIMB) + low) / self.units.astype(float) ** 2
        )

    def only(self, rows: Array) -> Tally:
        """Return the tally with nothing counted as valid outside the rows marked; every row, hence every PSU, stays."""
        kept = rows.astype(np.int64)[:, None]
        squares = self.squares * kept[:, :, None]
        return replace(self, valid=self.valid * kept, total=self.total * kept, squares=squares)

    def digest(self) -> str:
        """Return the SHA-256 of keys and counts: equal on every engine."""
        content = hashlib.sha256(self.keys.to_csv(index=False, lineterminator="\n").encode())
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
    chosen = resolve_all(design, measures)
    require_columns(design, by, argument="by", error=EstimatesError, code="E101")
    refuse_reserved([name for name in by if OWN_NAMES.fullmatch(name)])
    cells = design.weighting.columns if design.weighting else ()
    values = (
        [column for m in chosen for column in (m.valid_column, m.score_column)] if by_values else []
    )
    keys = list(
        dict.fromkeys([*design.strata, *design.stages, *by, *cells, design.weight_column, *values])
    )
    fpc = [name for name in design.fpc if name not in keys]
    rows = design.rows()
    schema = rows.collect_schema()
    own = {name: schema[name] for m in chosen for name in m.own}
    floating = any(_is_floating(kind) for kind in own.values())
    _refuse_overflow(rows, [name for name, kind in own.items() if kind in (nw.Int64, nw.UInt64)])
    narrow = {
        m.name for m in chosen if all(schema[name] in NARROW for name in m.own) and m.unit == 1
    }
    complete = {
        m.name
        for m in chosen
        if m.kind == "column" and set(m.own) <= design.complete and not by_values
    }
    if floating:
        counted = _count_floats(rows, [*keys, *fpc], chosen)
    else:
        counted = _count_integers(rows, [*keys, *fpc], chosen, narrow=narrow, complete=complete)
    units = np.array([m.unit for m in chosen], dtype=np.int64)
    return Tally(*counted, units, tuple(m.name for m in chosen), not floating)


def refuse_reserved(names: Sequence[str]) -> None:
    """Refuse domain columns under a name that the result, or the count, needs for itself, and columns named twice.

    Raises
    ------
    EstimatesError
        E386.
    """
    if names:
        raise EstimatesError(
            "E386",
            f"不能按列 '{names[0]}' 分域：该名称由结果自身使用，或列了两次。",
            f"Column '{names[0]}' cannot make domains: the result uses that name itself, or it is listed twice.",
            where="by",
            got=names[0],
            hint=("给该列改名，或只列一次。", "Rename the column, or list it once."),
        )


def resolve_all(design: SampleDesign, measures: Sequence[str | Measure]) -> list[Measure]:
    """Find measures by name, asking the engine for its columns once; see `resolve`."""
    own = any(isinstance(one, str) and one not in design.measures for one in measures)
    schema = design.rows().collect_schema() if own else None
    return [resolve(design, one, schema=schema) for one in measures]


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
            f"找不到指标或列 '{measure}'。",
            f"Measure or column '{measure}' not found.",
            where="measures",
            available=[*design.measures, *schema.names()],
            got=measure,
            hint=("改为已有的名称。", "Use a name that exists."),
        )
    if not (schema[measure].is_numeric() or schema[measure] == nw.Boolean):
        raise EstimatesError(
            "E102",
            f"列 '{measure}' 不是数值。",
            f"Column '{measure}' is no number.",
            where="measures",
            available=[name for name, kind in schema.items() if kind.is_numeric()],
            hint=(
                f'选用数值列；数字存成文本时先转换: pd.to_numeric(df["{measure}"])。',
                f'Choose a numeric column; convert numbers kept as text or objects first: pd.to_numeric(df["{measure}"]).',
            ),
        )
    _refuse_codes(design, measure)
    return column_measure(
        measure, floating=_is_floating(schema[measure]), truth=schema[measure] == nw.Boolean
    )


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
    if not known["select_all"]:
        held = fetch(design.table.select(flag(nw.col(column).is_in(special)).sum().alias("held")))
        if not held["held"].fillna(0).sum():
            return
    kind = (
        ("多选题", "a select-all item")
        if known["select_all"]
        else ("含特殊码的题目", "an item with special codes")
    )
    codes = ", ".join(map(str, special)) or "-"
    raise EstimatesError(
        "E389",
        f"'{column}' 是{kind[0]}（特殊码: {codes}），编码不是数值，其平均没有意义。",
        f"'{column}' is {kind[1]} (special codes: {codes}); its codes are no numbers, and their mean means nothing.",
        where=column,
        available=[
            *design.measures,
            *(
                name
                for name in design.table.collect_schema().names()
                if name.startswith(f"{column}_")
            ),
        ],
        hint=(
            "在问卷中声明一个率（counts: [选项]）；或用一个选项的 0/1 列；或先把特殊码置为缺失。",
            "Declare a rate in the questionnaire (counts: [option]), use an option's own 0/1 column, or make special codes missing.",
        ),
    )


def _is_floating(kind: nw.dtypes.DType) -> bool:
    return kind.is_float() or kind.is_decimal()


def _refuse_overflow(rows: Lazy, columns: list[str]) -> None:
    """Refuse whole numbers whose squares the limbs cannot hold."""
    if not columns:
        return
    extremes = [
        getattr(nw.col(name), end)().alias(f"{name}__{end}")
        for name in columns
        for end in ("min", "max")
    ]
    largest = pd.to_numeric(fetch(rows.select(*extremes)).iloc[0]).abs().fillna(0)
    for name in columns:
        if largest[[f"{name}__min", f"{name}__max"]].max() >= LARGEST:
            raise EstimatesError(
                "E105",
                f"列 '{name}' 的整数过大，平方和会溢出。",
                f"Whole numbers in column '{name}' are too large: their squares would overflow.",
                where=name,
                hint=(
                    "改用浮点列，或换更大的单位。",
                    "Use a floating-point column, or a larger unit.",
                ),
            )


def refuse_infinite(values: pd.Series[Any], measure: Measure) -> None:
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
            f"列 '{name}' 有 {endless} 个无穷大的值。",
            f"Column '{name}' has {endless} infinite values.",
            where=name,
            hint=("改正这些值，或置为缺失。", "Correct these values, or make them missing."),
        )


def _count_integers(
    rows: Lazy, keys: list[str], measures: list[Measure], *, narrow: set[str], complete: set[str]
) -> tuple[pd.DataFrame, Array, Array, Array, Array]:
    """Let the engine count; returns keys (T, K), n (T,), valid (T, M), total (T, M), squares (T, M, 3).

    The values of `complete` columns, which hold no null, are as many as the respondents and need no count of their own.
    """
    small = counter(rows)
    parts: dict[str, nw.Expr] = {"_n": nw.lit(1).cast(small)}
    products: dict[str, nw.Expr] = {}
    for m, measure in enumerate(measures):
        column = measure.own[0] if measure.name in complete else measure.score_column
        score = nw.col(column).cast(small if measure.name in narrow else nw.Int64)
        if measure.name not in complete:
            parts |= {f"_v{m}": nw.col(measure.valid_column).cast(small)}
        parts |= {f"_t{m}": score}
        if measure.name in narrow:
            parts |= {f"_ll{m}": score * score}
            continue
        high, low = nw.col(f"_h{m}"), nw.col(f"_l{m}")
        parts |= {f"_h{m}": (score // LIMB).cast(nw.Int64), f"_l{m}": score % LIMB}
        products |= {f"_hh{m}": high * high, f"_hl{m}": high * low, f"_ll{m}": low * low}
    rows = add_columns(
        rows, [measure for measure in measures if measure.name not in complete]
    ).select(*keys, *(part.alias(name) for name, part in parts.items()))
    limbs = [name for name in parts if name.startswith(("_h", "_l")) and not name.startswith("_ll")]
    summed = [name for name in (*parts, *products) if name not in limbs]
    if products:
        rows = rows.with_columns(
            *(product.alias(name) for name, product in products.items())
        ).select(*keys, *summed)
    table = ordered(fetch(totals(rows, keys)), keys)
    none = np.zeros(len(table), dtype=np.int64)
    found = {name: table[name].to_numpy(np.int64) for name in summed}
    found |= {
        f"_v{m}": found["_n"] for m, measure in enumerate(measures) if measure.name in complete
    }
    valid, total, high_high, high_low, low_low = (
        np.array([found.get(f"_{part}{m}", none) for m in range(len(measures))], dtype=np.int64)
        .reshape(-1, len(table))
        .T
        for part in PARTS
    )
    return (
        table[keys],
        table["_n"].to_numpy(np.int64),
        valid,
        total,
        np.stack([high_high, high_low, low_low], axis=2),
    )


def totals(rows: Lazy, keys: Sequence[str]) -> Lazy:
    """Count rows (`_n`) and sum every other column by the keys, as 64-bit integers (some engines return decimals)."""
    if "_n" not in (names := rows.collect_schema().names()):
        rows, names = rows.with_columns(nw.lit(1).cast(nw.Int64).alias("_n")), ["_n", *names]
    summed = [name for name in names if name not in keys]
    counted = rows.group_by(*keys).agg(*(nw.col(name).sum() for name in summed))
    return counted.select(*keys, *(nw.col(name).cast(nw.Int64) for name in summed))


def _count_floats(
    rows: Lazy, keys: list[str], measures: list[Measure]
) -> tuple[pd.DataFrame, Array, Array, Array, Array]:
    """Sum floating-point columns here, in sorted order; the same return as the engine's count."""
    names = [(f"_v{m}", f"_t{m}") for m in range(len(measures))]
    wanted = [nw.col(m.valid_column).alias(v) for m, (v, _) in zip(measures, names, strict=True)]
    wanted += [nw.col(m.score_column).alias(t) for m, (_, t) in zip(measures, names, strict=True)]
    values = [name for pair in names for name in pair]
    table = fetch(add_columns(rows, measures).select(*keys, *wanted))
    refuse_mixed(table, keys)
    table = table.sort_values([*keys, *values], ignore_index=True)
    for measure, (_, score) in zip(measures, names, strict=True):
        refuse_infinite(table[score], measure)
    group = table.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    size = int(group.max()) + 1 if len(group) else 0
    first = np.unique(group, return_index=True)[1]

    def add(columns: list[str], power: int = 1) -> Array:
        return np.stack(
            [np.bincount(group, table[c].to_numpy(float) ** power, size) for c in columns], axis=1
        )

    scores = [score for _, score in names]
    squares = np.stack([np.zeros((size, len(measures)))] * 2 + [add(scores, 2)], axis=2)
    valid = add([valid for valid, _ in names]).astype(np.int64)
    return (
        table.loc[first, keys].reset_index(drop=True),
        np.bincount(group, minlength=size),
        valid,
        add(scores),
        squares,
    )
