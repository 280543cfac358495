"""The respondents as they are handed over: design, recipe, domains and measures; nothing that tells who a person is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from satisfaction.foundation.engines import fetch
from satisfaction.foundation.errors import ExportError, shortened
from satisfaction.foundation.yaml import Label
from satisfaction.publication.handover_recipe import (
    as_codes,
    calibration_margins,
    repeatable,
    unique_name,
)
from satisfaction.sampling.design import ONE, ROW, SampleDesign
from satisfaction.sampling.measures import Measure, add_columns

Array = np.ndarray[Any, Any]
Kind = Literal["character", "integer", "numeric"]
NUMBER, FINAL, MARK, BASE = "running_number", "final_weight", "mark", "base_weight"
STRATUM, PSU, POPULATION = "variance_stratum", "variance_unit", "variance_fpc"
SEPARATORS = (".", "|", "/", "::", " x ", "\u241f")
ROLES = {
    "number": Label(
        zh="顺序号，按内容排序后编排，与问卷编号无关",
        en="running number in order of content; no respondent's number",
    ),
    "stratum": Label(zh="层", en="stratum"),
    "unit": Label(zh="抽样单元", en="sampling unit"),
    "fpc": Label(zh="总体中的单元数（有限总体修正）", en="units in the population (fpc)"),
    "variance_stratum": Label(zh="方差用的层（已合并）", en="stratum for the variance (collapsed)"),
    "variance_unit": Label(
        zh="方差用的抽样单元编号", en="number of the sampling unit for the variance"
    ),
    "variance_fpc": Label(
        zh="合并后层的总体单元数", en="units in the population of the collapsed stratum"
    ),
    "base": Label(zh="基础权数", en="base weight"),
    "domain": Label(zh="域（地区）", en="domain (area)"),
    "recipe": Label(zh="加权所用", en="used in the weighting"),
    "margin": Label(zh="校准所用的数值", en="number used in the calibration"),
    "measure": Label(zh="指标值；无效为空", en="value of the measure; empty where not valid"),
    "final": Label(zh="最终权数", en="final weight"),
    "mark": Label(zh="关于样本的说明", en="what the sample is"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of respondents.csv.

    Attributes
    ----------
    name : str
        A valid R name.
    source : str
        The design's column or measure; empty where it is made here.
    role : str
        Key of `ROLES`.
    kind : {"character", "integer", "numeric"}
        As R's colClasses has it.
    """

    name: str
    source: str
    role: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Rows:
    """The table of respondents and what its columns mean to the design.

    Attributes
    ----------
    table : DataFrame (n, columns)
        Codes as text, numbers as numbers; sorted by content.
    columns : tuple of Column
    ids : tuple of str
        Columns of the sampling units of every stage; the running number where a respondent is the unit.
    strata : tuple of str
    separator : str
        Keeps combinations of several strata columns apart.
    fpc : tuple of str
    """

    table: pd.DataFrame
    columns: tuple[Column, ...]
    ids: tuple[str, ...]
    strata: tuple[str, ...]
    separator: str
    fpc: tuple[str, ...]

    def column(self, role: str, source: str | None = None) -> str:
        """Return the name of the first column of a role, and of a source where one is given."""
        return next(c.name for c in self.columns if c.role == role and source in (None, c.source))

    def code(self, source: str) -> str:
        """Return the name of the column of codes of one of the design's columns."""
        return next(
            c.name
            for c in self.columns
            if c.source == source and c.role in ("stratum", "unit", "domain", "recipe")
        )

    def value(self, source: str) -> str:
        """Return the name of the column of values of a measure or a numeric margin."""
        return next(
            c.name for c in self.columns if c.source == source and c.role in ("measure", "margin")
        )


@dataclass(frozen=True, slots=True)
class Part:
    """A column before it has its name."""

    source: str
    role: str
    kind: Kind
    held: Any
    wish: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes it another column: a column of codes may also be a measure."""
        kinds = {"measure": "value", "margin": "value", "fpc": "fpc", "base": "base"}
        return self.source or self.wish, kinds.get(self.role, "code")


def respondent_rows(
    design: SampleDesign,
    measures: Sequence[Measure],
    *,
    by: Sequence[str],
    identifiers: Sequence[str],
    mark: str,
) -> Rows:
    """Lay out the respondents of a design for another tool.

    Parameters
    ----------
    design : SampleDesign
    measures : sequence of Measure
    by : sequence of str
        Domain columns.
    identifiers : sequence of str
        Columns that tell who a person is: where one is a sampling unit, the running number stands for it.
    mark : str
        Said in every row; empty: no such column.

    Raises
    ------
    ExportError
        X120 an identifier that is not the last sampling unit, or not unique; X123 empty codes.
    """
    rows = _fetch(design, measures, by)
    stages = tuple(design.stages if design.fpc else design.psu) or (ROW,)
    read = [name for measure in measures for name in (measure.name, *measure.own)]
    _check_identifiers(
        design,
        rows,
        stages,
        identifiers,
        named=[*design.strata, *by, *_recipe_columns(design), *read],
    )
    own = tuple(name for name in stages if name != ROW and name not in identifiers)
    parts = [Part("", "number", "integer", np.arange(1, len(rows) + 1), NUMBER)]
    parts += [Part(name, "stratum", "character", as_codes(rows[name])) for name in design.strata]
    parts += [
        Part(name, "unit", "character", as_codes(rows[name]))
        for name in design.psu
        if name not in identifiers
    ]
    parts += [Part(name, "fpc", "numeric", rows[name].astype(float)) for name in design.fpc]
    codes = {part.source: part.held for part in parts if part.kind == "character"}
    separator = _separator([codes[name] for name in design.strata])
    joined = _joined([codes[name] for name in design.strata], separator)
    collapsed = [*_collapsed(design, rows, joined, separator)]
    numbered = [*_numbered(own, codes, joined, collapsed[0].held if collapsed else joined)]
    parts += [
        *collapsed,
        *numbered,
        *_weights_and_columns(design, rows, by),
        *_values(design, rows, measures),
    ]
    parts += [Part("", "final", "numeric", _final_weight(design, rows), FINAL)]
    parts += [Part("", "mark", "character", mark, MARK)] if mark else []
    columns, table = _named(parts)
    made = Rows(table, columns, (), (), separator, ())
    units = [column.name for column in columns if column.role == "variance_unit"]
    ids = tuple(units or [made.code(name) for name in own]) + (
        (NUMBER,) if len(own) < len(stages) else ()
    )
    strata = (STRATUM,) if collapsed else tuple(made.code(name) for name in design.strata)
    fpc = [made.column("fpc", name) for name in design.fpc]
    if collapsed and fpc:
        fpc[0] = POPULATION
    return replace(made, ids=ids, strata=strata, fpc=tuple(fpc))


def _fetch(design: SampleDesign, measures: Sequence[Measure], by: Sequence[str]) -> pd.DataFrame:
    wanted = [
        *design.strata,
        *design.psu,
        *design.fpc,
        design.weight_column,
        *by,
        *_recipe_columns(design),
    ]
    values = [name for measure in measures for name in (measure.valid_column, measure.score_column)]
    return fetch(add_columns(design.rows(), measures).select(*dict.fromkeys([*wanted, *values])))


def _recipe_columns(design: SampleDesign) -> list[str]:
    return [
        name
        for name in (design.weighting.columns if design.weighting else ())
        if name != design.weight_column
    ]


def _check_identifiers(
    design: SampleDesign,
    rows: pd.DataFrame,
    stages: tuple[str, ...],
    identifiers: Sequence[str],
    *,
    named: list[str],
) -> None:
    """Refuse to hand over who a person is."""
    wrong = [name for name in identifiers if name in [*named, *stages[:-1]]]
    last = [name for name in identifiers if name == stages[-1]]
    if last and rows.duplicated([*design.strata, *stages]).any():
        wrong += last
    if wrong:
        raise ExportError(
            "X120",
            f"列 {shortened(wrong)} 可识别个人，不能移交；只有作为最后一级、每人唯一的抽样单元时才可由顺序号代替。",
            f"Columns {shortened(wrong)} tell who a person is and are not handed over; a running number stands only for the "
            "last sampling unit, one a person.",
            where="identifiers",
            hint=("改用不识别个人的列。", "Use columns that tell of no person."),
        )


def _separator(codes: list[Any]) -> str:
    """Return what stands in none of the codes, so that their combinations stay apart."""
    values = {value for column in codes for value in column.unique()}
    return next(one for one in SEPARATORS if not any(one in value for value in values))


def _joined(codes: list[Any], separator: str) -> Any:
    if not codes:
        return None
    return codes[0].str.cat(codes[1:], sep=separator) if len(codes) > 1 else codes[0]


def _collapsed(
    design: SampleDesign, rows: pd.DataFrame, joined: Any, separator: str
) -> Iterator[Part]:
    """Yield stratum and population of the first stage after collapsing."""
    if not design.collapse:
        return
    texts = {
        level: _joined([as_codes(pd.Series([part])) for part in level], separator)[0]
        for level in _levels(design, rows)
    }
    into = {text: texts[design.collapse.get(level, level)] for level, text in texts.items()}
    merged = joined.map(into)
    yield Part("", "variance_stratum", "character", merged, STRATUM)
    if design.fpc:
        each = pd.DataFrame(
            {"old": joined, "new": merged, "population": rows[design.fpc[0]].astype(float)}
        ).drop_duplicates("old")
        yield Part(
            "",
            "variance_fpc",
            "numeric",
            merged.map(each.groupby("new")["population"].sum()),
            POPULATION,
        )


def _levels(design: SampleDesign, rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(rows[list(design.strata)].drop_duplicates().itertuples(index=False, name=None))


def _numbered(
    own: tuple[str, ...], codes: dict[str, Any], joined: Any, stratum: Any
) -> Iterator[Part]:
    """Yield numbers of the sampling units where R, which joins codes by dots, would take different units for one."""
    keys = ([] if joined is None else [joined]) + [codes[name] for name in own]
    first = 0 if joined is None else 1
    spelt = ([] if joined is None else [stratum]) + keys[first:]
    if not own or all(
        _together(keys[:end]).ngroups == _joined(spelt[:end], ".").nunique()
        for end in range(first + 1, len(keys) + 1)
    ):
        return
    for stage in range(len(own)):
        number = _together(keys[: first + stage + 1]).ngroup() + 1
        yield Part("", "variance_unit", "character", as_codes(number), f"{PSU}_{stage + 1}")


def _together(keys: list[Any]) -> Any:
    """Group rows by the combinations of columns."""
    return pd.concat(keys, axis=1, keys=range(len(keys))).groupby(list(range(len(keys))))


def _weights_and_columns(
    design: SampleDesign, rows: pd.DataFrame, by: Sequence[str]
) -> Iterator[Part]:
    """Yield the base weight, the domains, the columns of the recipe."""
    yield Part(
        design.base_weight or ONE,
        "base",
        "numeric",
        rows[design.weight_column].astype(float),
        design.base_weight or BASE,
    )
    yield from (Part(name, "domain", "character", as_codes(rows[name])) for name in by)
    numeric = [margin.columns[0] for margin in calibration_margins(design) if margin.numeric]
    yield from (Part(name, "margin", "numeric", rows[name].astype(float)) for name in numeric)
    schema = design.rows().collect_schema()
    for name in _recipe_columns(design):
        if name not in numeric and not repeatable(design) and schema[name].is_float():
            yield Part(name, "recipe", "numeric", rows[name].astype(float))
        elif name not in numeric:
            codes = as_codes(rows[name])
            flags = not repeatable(design) and codes.isin(["0", "1"]).all()
            yield Part(
                name,
                "recipe",
                "integer" if flags else "character",
                codes.astype(int) if flags else codes,
            )


def _values(
    design: SampleDesign, rows: pd.DataFrame, measures: Sequence[Measure]
) -> Iterator[Part]:
    """Yield the measures in their own units, missing where not valid."""
    for measure in measures:
        valid, score = (
            rows[measure.valid_column].to_numpy(float) > 0,
            rows[measure.score_column].astype(float),
        )
        yield Part(measure.name, "measure", "numeric", (score / measure.unit).where(valid))


def _final_weight(design: SampleDesign, rows: pd.DataFrame) -> Array:
    base = rows[design.weight_column].to_numpy(float)
    return np.asarray(
        base
        if design.weighting is None
        else base * design.weighting.factor[design.cell_index(rows)]
    )


def _named(parts: Iterable[Part]) -> tuple[tuple[Column, ...], pd.DataFrame]:
    """Give every part its name, each source once, and sort the rows by what they hold."""
    columns: list[Column] = []
    values: dict[str, Any] = {}
    seen: set[tuple[str, str]] = set()
    made = {NUMBER, FINAL, MARK, STRATUM, POPULATION}
    for part in parts:
        if part.key in seen:
            continue
        seen.add(part.key)
        wish = part.wish or part.source
        free = {*values, *(made if wish == part.source else ())}
        name = unique_name(wish, free, suffix="_value" if part.key[1] == "value" else "_2")
        columns.append(Column(name, part.source, part.role, part.kind))
        values[name] = part.held
    table = pd.DataFrame(values)
    _check_codes(table, columns)
    order = [column.name for column in columns if column.role not in ("number", "mark")]
    table = table.sort_values(order, ignore_index=True)
    table[NUMBER] = np.arange(1, len(table) + 1)
    return tuple(columns), table


def _check_codes(table: pd.DataFrame, columns: Sequence[Column]) -> None:
    """Refuse empty text as a code: a csv file cannot tell it from a missing value."""
    empty = [
        column.name
        for column in columns
        if column.kind == "character" and (table[column.name] == "").any()
    ]
    if empty:
        raise ExportError(
            "X123",
            f"列 {shortened(empty)} 中有空文本编码，csv 无法把它与缺失区分。",
            f"Columns {shortened(empty)} hold empty text as a code; a csv file cannot tell it from a missing value.",
            where="respondents.csv",
            hint=("为该类另设编码。", "Give that category a code."),
        )
