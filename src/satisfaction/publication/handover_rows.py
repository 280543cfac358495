"""The respondents as they are handed over: design, recipe, domains and measures; nothing that tells who a person is.

The margins of a single calibration are read back from its solved step, so that another tool can repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.foundation.engines import fetch
from satisfaction.foundation.errors import ExportError, shortened
from satisfaction.foundation.language import _
from satisfaction.sampling.design import ONE, ROW, SampleDesign
from satisfaction.sampling.measures import Measure, add_columns
from satisfaction.weighting.calibration import Calibration

Array = np.ndarray[Any, Any]
Kind = Literal["character", "integer", "numeric"]
NUMBER = "running_number"
FINAL = "final_weight"
MARK = "mark"
BASE = "base_weight"
STRATUM = "variance_stratum"
PSU = "variance_unit"
POPULATION = "variance_fpc"
SEPARATORS = (".", "|", "/", "::", " x ", "\u241f")
RESERVED = {
    "if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL", "Inf", "NaN", "NA",
    "NA_integer_", "NA_real_", "NA_complex_", "NA_character_",
}  # fmt: skip
ROLES = {
    "number": _("running number in order of content; no respondent's number"),
    "stratum": _("stratum"),
    "unit": _("sampling unit"),
    "fpc": _("units in the population (fpc)"),
    "variance_stratum": _("stratum for the variance (collapsed)"),
    "variance_unit": _("number of the sampling unit for the variance"),
    "variance_fpc": _("units in the population of the collapsed stratum"),
    "base": _("base weight"),
    "domain": _("domain (area)"),
    "recipe": _("used in the weighting"),
    "margin": _("number used in the calibration"),
    "measure": _("value of the measure; empty where not valid"),
    "final": _("final weight"),
    "mark": _("what the sample is"),
}


@dataclass(frozen=True, slots=True)
class RespondentColumn:
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
    separator : str
        Keeps combinations of several strata columns apart.
    ids : tuple of str
        Columns of the sampling units of every stage; the running number where a respondent is the unit.
    strata, fpc : tuple of str
    """

    table: pd.DataFrame = field(repr=False)
    columns: tuple[RespondentColumn, ...] = field(repr=False)
    separator: str
    ids: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    fpc: tuple[str, ...] = ()

    def column(self, *roles: str, source: str | None = None) -> str:
        """Return the name of the first column of some roles, and of a source where one is given."""
        return next(c.name for c in self.columns if c.role in roles and source in (None, c.source))

    def code(self, source: str) -> str:
        """Return the name of the column of codes of one of the design's columns."""
        return self.column("stratum", "unit", "domain", "recipe", source=source)

    def value(self, source: str) -> str:
        """Return the name of the column of values of a measure or a numeric margin."""
        return self.column("measure", "margin", source=source)


@dataclass(frozen=True, slots=True)
class CalibrationMargin:
    """One margin of a calibration.

    Attributes
    ----------
    columns : tuple of str
    levels : DataFrame (L, columns), text
        The codes of each level; empty for a numeric column.
    population : (L,) float
        Of each level; for a numeric column its total alone.
    """

    columns: tuple[str, ...]
    levels: pd.DataFrame = field(repr=False)
    population: Array = field(repr=False)

    @property
    def numeric(self) -> bool:
        """Return whether it is the total of a numeric column."""
        return len(self.levels) == 0


def repeatable(design: SampleDesign) -> bool:
    """Return whether the recipe is a single calibration, which R credits as we do."""
    return design.weighting is not None and not design.weighting.several


def calibration_margins(design: SampleDesign) -> tuple[CalibrationMargin, ...]:
    """Return the margins of a design's single calibration; of any other recipe none."""
    weighting = design.weighting
    if weighting is None or weighting.several:
        return ()
    step = weighting.steps[0]
    record = weighting.log[0]
    assert isinstance(step, Calibration)
    margins = []
    for number, name in enumerate(record["margins"]):
        columns = _margin_columns(name, record["columns"])
        places = np.flatnonzero(weighting.margin_of == number)
        matrix = sp.csc_array(step.equation.matrix)[:, places]
        cells = weighting.cells[list(columns)]
        margins.append(_margin(cells, matrix, step.targets[places]))
    return tuple(margins)


def _margin_columns(name: str, known: list[str]) -> tuple[str, ...]:
    """Split 'county+sex' into columns; a column may have a plus sign in its own name."""
    if name in known:
        return (name,)
    longest_first = sorted(known, key=len, reverse=True)
    first = next(column for column in longest_first if name.startswith(f"{column}+"))
    return (first, *_margin_columns(name[len(first) + 1 :], known))


def _margin(cells: pd.DataFrame, matrix: sp.csc_array, population: Array) -> CalibrationMargin:
    """Read a margin back from the cells and its part of the matrix."""
    columns = tuple(cells)
    if _is_numeric(matrix, cells):
        return CalibrationMargin(columns, cells.iloc[:0], population)
    first_cells = matrix.indices[matrix.indptr[:-1]]
    levels = cells.iloc[first_cells].reset_index(drop=True)
    texts = {name: list(map(text_of, levels[name])) for name in columns}
    return CalibrationMargin(columns, pd.DataFrame(texts), population)


def _is_numeric(matrix: sp.csc_array, cells: pd.DataFrame) -> bool:
    """Tell the values of a numeric column from a level's indicator."""
    if matrix.shape[1] != 1 or cells.shape[1] != 1:
        return False
    values = cells.iloc[:, 0]
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        return False
    numbers = np.nan_to_num(values.to_numpy(float))
    return np.array_equal(matrix.toarray()[:, 0], numbers)


def r_name(name: str) -> str:
    """Return a name as R takes it without backticks; a name that is one already stays as it is."""
    valid = re.sub(r"[^\w.]", ".", name)
    if not re.match(r"[^\W\d_]|\.(?!\d)", valid):
        valid = f"X{valid}"
    return f"{valid}." if valid in RESERVED else valid


def unique_name(name: str, taken: Container[str], *, suffix: str = "_2") -> str:
    """Return a valid R name that is not taken, with the suffix where it has to differ."""
    free = r_name(name)
    while free in taken:
        free += suffix
    return free


def text_of(value: Any) -> str:
    """Return a code as the csv file and the script spell it: whole numbers without a decimal point, truth values as 1 and 0."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else f"{value:.17g}"
    return str(value)


def as_codes(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of codes as text; missing stays missing."""
    return values.map({value: text_of(value) for value in values.dropna().unique()}).astype(object)


VALUE_ROLES = ("measure", "margin")


@dataclass(frozen=True, slots=True)
class _Draft:
    """A column before it has its name."""

    source: str
    role: str
    kind: Kind
    data: Any = field(repr=False)
    wish: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes it another column: a column of codes may also be a measure."""
        if self.role in VALUE_ROLES:
            use = "value"
        elif self.role in ("fpc", "base"):
            use = self.role
        else:
            use = "code"
        return self.source or self.wish, use


def _codes(name: str, role: str, rows: pd.DataFrame) -> _Draft:
    return _Draft(name, role, "character", as_codes(rows[name]))


def _numbers(name: str, role: str, rows: pd.DataFrame) -> _Draft:
    return _Draft(name, role, "numeric", rows[name].astype(float))


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
    used_otherwise = [*design.strata, *by, *_recipe_columns(design)]
    for measure in measures:
        used_otherwise += [measure.name, *measure.own]
    _check_identifiers(design, rows, stages, identifiers=identifiers, used_otherwise=used_otherwise)
    units = [name for name in stages if name != ROW and name not in identifiers]
    strata_codes = [as_codes(rows[name]) for name in design.strata]
    separator = _separator(strata_codes)
    drafts = [_Draft("", "number", "integer", np.arange(1, len(rows) + 1), NUMBER)]
    drafts += [_codes(name, "stratum", rows) for name in design.strata]
    drafts += [_codes(name, "unit", rows) for name in design.psu if name not in identifiers]
    drafts += [_numbers(name, "fpc", rows) for name in design.fpc]
    drafts += _for_variance(design, rows, units, separator=separator)
    drafts += _weights_and_columns(design, rows, by)
    drafts += _values(design, rows, measures)
    if mark:
        drafts.append(_Draft("", "mark", "character", mark, MARK))
    columns, table = _named(drafts)
    return _laid_out(design, Rows(table, columns, separator=separator), units, stages=stages)


def _values(
    design: SampleDesign, rows: pd.DataFrame, measures: Sequence[Measure]
) -> Iterator[_Draft]:
    """Yield the value of every measure, and the final weight."""
    for measure in measures:
        valid = rows[measure.valid_column].to_numpy(float) > 0
        values = rows[measure.score_column].astype(float) / measure.unit
        yield _Draft(measure.name, "measure", "numeric", values.where(valid))
    final = rows[design.weight_column].to_numpy(float)
    if design.weighting is not None:
        final = final * design.weighting.factor[design.cell_index(rows)]
    yield _Draft("", "final", "numeric", final, FINAL)


def _laid_out(
    design: SampleDesign, rows: Rows, units: list[str], *, stages: tuple[str, ...]
) -> Rows:
    """Say which columns declare the design: those for the variance where there are any."""
    made = {column.name: column.role for column in rows.columns}
    ids = [name for name, role in made.items() if role == "variance_unit"]
    ids = ids or [rows.code(name) for name in units]
    if len(units) < len(stages):
        ids.append(NUMBER)
    strata = [rows.code(name) for name in design.strata]
    fpc = [rows.column("fpc", source=name) for name in design.fpc]
    if STRATUM in made:
        strata = [STRATUM]
    if POPULATION in made:
        fpc[0] = POPULATION
    return replace(rows, ids=tuple(ids), strata=tuple(strata), fpc=tuple(fpc))


def _fetch(design: SampleDesign, measures: Sequence[Measure], by: Sequence[str]) -> pd.DataFrame:
    columns = [*design.strata, *design.psu, *design.fpc, design.weight_column, *by]
    columns += _recipe_columns(design)
    for measure in measures:
        columns += [measure.valid_column, measure.score_column]
    return fetch(add_columns(design.rows(), measures).select(*dict.fromkeys(columns)))


def _recipe_columns(design: SampleDesign) -> list[str]:
    if design.weighting is None:
        return []
    return [name for name in design.weighting.columns if name != design.weight_column]


def _check_identifiers(
    design: SampleDesign,
    rows: pd.DataFrame,
    stages: tuple[str, ...],
    *,
    identifiers: Sequence[str],
    used_otherwise: list[str],
) -> None:
    """Refuse to hand over who a person is."""
    wrong = [name for name in identifiers if name in [*used_otherwise, *stages[:-1]]]
    last = [name for name in identifiers if name == stages[-1]]
    if last and rows.duplicated([*design.strata, *stages]).any():
        wrong += last
    if wrong:
        raise ExportError(
            "X120",
            _(
                "Columns {wrong} tell who a person is and are not handed over; a running "
                "number stands only for the last sampling unit, one a person.",
                wrong=shortened(wrong),
            ),
            where="identifiers",
            hint=_("Use columns that tell of no person."),
        )


def _separator(codes: list[Any]) -> str:
    """Return what stands in none of the codes, so that their combinations stay apart."""
    values: set[str] = set()
    for column in codes:
        values.update(column.unique())
    texts = "\n".join(map(str, values))
    return next(separator for separator in SEPARATORS if separator not in texts)


def _joined(codes: list[Any], separator: str) -> Any:
    if not codes:
        return None
    if len(codes) == 1:
        return codes[0]
    return codes[0].str.cat(codes[1:], sep=separator)


def _for_variance(
    design: SampleDesign, rows: pd.DataFrame, units: list[str], *, separator: str
) -> Iterator[_Draft]:
    """Yield what R needs for the variance beside the design's columns: collapsed strata, numbers of sampling units."""
    stratum = _joined([as_codes(rows[name]) for name in design.strata], separator)
    collapsed = list(_collapsed(design, rows, stratum, separator=separator))
    yield from collapsed
    unit_codes = [as_codes(rows[name]) for name in units]
    yield from _unit_numbers(unit_codes, stratum, collapsed[0].data if collapsed else stratum)


def _collapsed(
    design: SampleDesign, rows: pd.DataFrame, stratum: Any, *, separator: str
) -> Iterator[_Draft]:
    """Yield stratum and population of the first stage after collapsing."""
    if not design.collapse:
        return
    strata = rows[list(design.strata)].drop_duplicates()
    texts = {}
    for level in strata.itertuples(index=False, name=None):
        codes = [as_codes(pd.Series([part])) for part in level]
        texts[level] = _joined(codes, separator)[0]
    collapsed_text = {
        text: texts[design.collapse.get(level, level)] for level, text in texts.items()
    }
    merged = stratum.map(collapsed_text)
    yield _Draft("", "variance_stratum", "character", merged, STRATUM)
    if design.fpc:
        population = rows[design.fpc[0]].astype(float)
        each = pd.DataFrame({"old": stratum, "new": merged, "population": population})
        totals = each.drop_duplicates("old").groupby("new")["population"].sum()
        yield _Draft("", "variance_fpc", "numeric", merged.map(totals), POPULATION)


def _unit_numbers(unit_codes: list[Any], stratum: Any, variance_stratum: Any) -> Iterator[_Draft]:
    """Yield numbers of the sampling units where R, which joins codes by dots, would take different units for one."""
    within = []
    within_in_r = []
    if stratum is not None:
        within.append(stratum)
        within_in_r.append(variance_stratum)
    stages = range(1, len(unit_codes) + 1)
    numbers = []
    mistaken = False
    for stage in stages:
        keys = [*within, *unit_codes[:stage]]
        units = pd.concat(keys, axis=1, keys=range(len(keys))).groupby(list(range(len(keys))))
        units_in_r = _joined([*within_in_r, *unit_codes[:stage]], ".").nunique()
        mistaken = mistaken or units.ngroups != units_in_r
        numbers.append(units.ngroup() + 1)
    if mistaken:
        for stage, number in zip(stages, numbers, strict=True):
            yield _Draft("", "variance_unit", "character", as_codes(number), f"{PSU}_{stage}")


def _weights_and_columns(
    design: SampleDesign, rows: pd.DataFrame, by: Sequence[str]
) -> Iterator[_Draft]:
    """Yield the base weight, the domains, the columns of the recipe."""
    base = rows[design.weight_column].astype(float)
    wish = design.base_weight or BASE
    yield _Draft(design.base_weight or ONE, "base", "numeric", base, wish)
    for name in by:
        yield _codes(name, "domain", rows)
    numeric = [margin.columns[0] for margin in calibration_margins(design) if margin.numeric]
    for name in numeric:
        yield _numbers(name, "margin", rows)
    schema = design.rows().collect_schema()
    repeated = repeatable(design)
    for name in _recipe_columns(design):
        if name in numeric:
            continue
        if not repeated and schema[name].is_float():
            yield _numbers(name, "recipe", rows)
            continue
        codes = as_codes(rows[name])
        if not repeated and codes.isin(["0", "1"]).all():
            yield _Draft(name, "recipe", "integer", codes.astype(int))
        else:
            yield _Draft(name, "recipe", "character", codes)


def _named(drafts: Iterable[_Draft]) -> tuple[tuple[RespondentColumn, ...], pd.DataFrame]:
    """Give every column its name, each source once, and sort the rows by what they hold."""
    columns: list[RespondentColumn] = []
    values: dict[str, Any] = {}
    seen: set[tuple[str, str]] = set()
    for draft in drafts:
        if draft.key in seen:
            continue
        seen.add(draft.key)
        wish = draft.wish or draft.source
        taken = set(values)
        if wish == draft.source:
            taken |= {NUMBER, FINAL, MARK, STRATUM, POPULATION}
        suffix = "_value" if draft.role in VALUE_ROLES else "_2"
        name = unique_name(wish, taken, suffix=suffix)
        columns.append(RespondentColumn(name, draft.source, draft.role, draft.kind))
        values[name] = draft.data
    table = pd.DataFrame(values)
    _check_codes(table, columns)
    order = [column.name for column in columns if column.role not in ("number", "mark")]
    table = table.sort_values(order, ignore_index=True)
    table[NUMBER] = np.arange(1, len(table) + 1)
    return tuple(columns), table


def _check_codes(table: pd.DataFrame, columns: Sequence[RespondentColumn]) -> None:
    """Refuse empty text as a code: a csv file cannot tell it from a missing value."""
    empty = [
        column.name
        for column in columns
        if column.kind == "character" and (table[column.name] == "").any()
    ]
    if empty:
        raise ExportError(
            "X123",
            _(
                "Columns {empty} hold empty text as a code; a csv file cannot tell it from a "
                "missing value.",
                empty=shortened(empty),
            ),
            where="respondents.csv",
            hint=_("Give that category a code."),
        )
