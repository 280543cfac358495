"""Workbooks of the published tables, for the people of the office and for programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.foundation.figures import p_value, text_columns
from satisfaction.foundation.language import NOTHING, Text, _, as_text, pgettext
from satisfaction.foundation.workbooks import Shown, ShownColumn, ShownSheet, write_office_workbook
from satisfaction.publication.columns import COLUMNS, dictionary_table
from satisfaction.publication.headings import in_one_language
from satisfaction.publication.labels import label_of, mark_as_text
from satisfaction.publication.selection_tables import ODDS, SENSITIVITY, SelectionTables

LEVELS = {
    "county": _("county level"),
    "prefecture": _("prefecture level"),
    "province": _("province level"),
    "all": _("all"),
}
LISTED = {
    "yes": _("on the list"),
    "no": NOTHING,
    "tied": _("tied at the cut"),
}
SETS = {
    "marginal": _("rank set (this unit by itself)"),
    "simultaneous": _("rank set (whole table at once)"),
}
ASSESSED = {
    "pair": _("pair of areas"),
    "rest": _("against all others together"),
    "change": _("change since the wave before"),
    "means": _("means of two groups"),
    "ranks": _("ranks of groups"),
    "independence": _("independence"),
    "coefficient": _("regression coefficient"),
    "regression": _("regression"),
    "joint": _("joint test of a group"),
    "index": _("index as a whole"),
    "item": _("item of the index"),
    "interviewers": _("all interviewers"),
    "interviewer": _("without this interviewer"),
}
INTERVIEWER = "interviewer "
"""How the item of a row about one interviewer begins; the number follows."""
RANK_NOTE = _("A rank is never quoted without its set and status.")


def write_indices_workbook(table: pd.DataFrame, path: Path) -> None:
    """Write a sheet for programs (data), one for people and the dictionary, in the current language."""
    figures = _percent_or_points(table["unit"] == "share 0-1")
    levels = [str(LEVELS.get(level, level)) for level in table["level"]]
    columns = [
        ShownColumn(str(_("level")), levels, width=12),
        _column(table, "code", width=9),
        _named(table, "name", _("area"), width=26),
        _named(table, "measure", _("measure"), width=22),
    ]
    for name in ("estimate", "se", "ci_low", "ci_high"):
        columns.append(_column(table, name, figures, width=10))
    columns.append(_column(table, "n", "count", width=10))
    notes = [str(as_text(note)) for note in table["note"]]
    columns.append(_under_title("note", notes, width=40))
    lines = _about(table, _("every figure of every level"))
    lines.append(str(_("Rates in percent, the rest in points 0-100.")))
    _write(path, table, lines=lines, columns=columns)


def write_ranking_workbook(
    table: pd.DataFrame, notes: Sequence[str], path: Path, *, measure: Text, share: bool
) -> None:
    """Write a sheet for programs (data), one for people, the dictionary and notes, in the current language.

    `measure`: what is ranked; `share`: it is a rate.
    """
    figure: Shown = "points"
    if share:
        figure = "percent"
    columns = ranking_columns(table, figure)
    ranked_by = _("ranking by {measure}", measure=measure)
    lines = [*_about(table, ranked_by), *rank_note(table)]
    of_notes = {str(_("notes")): pd.DataFrame({str(_("note")): notes})}
    _write(path, table, lines=lines, columns=columns, further=of_notes)


def rank_note(table: pd.DataFrame) -> list[str]:
    """Say how ranks are to be quoted, where they have sets."""
    if table["marginal_low"].notna().any():
        return [str(RANK_NOTE)]
    return []


def ranking_columns(table: pd.DataFrame, figure: Shown) -> list[ShownColumn]:
    """Show a ranking for people: ranks with their sets, scores as `figure` says, the list, P(list) and grade."""
    columns = [_column(table, "rank", "count", width=6)]
    for kind, heading in SETS.items():
        columns.append(ShownColumn(str(heading), _sets(table, kind)))
    # may say more than the English word: why a unit is not ranked
    columns.append(_in_words(table, "status", pgettext("for people", "status"), width=22))
    columns.append(_column(table, "code", width=9))
    columns.append(_named(table, "name", _("area"), width=26))
    for name in ("estimate", "se"):
        columns.append(_column(table, name, figure, width=9))
    columns.append(_column(table, "n", "count", width=10))
    listed = [str(LISTED.get(word, "")) for word in table["listed"]]
    columns.append(_under_title("listed", listed, width=11))
    columns.append(_column(table, "probability_bottom", "probability", width=10))
    columns.append(_column(table, "grade", "count", width=6))
    return columns


def write_indicators_workbook(table: pd.DataFrame, path: Path) -> None:
    """Write the topics of every area: a sheet for programs, one for people, the dictionary, in the current language."""
    columns = [
        _column(table, "code", width=9),
        _named(table, "name", _("area"), width=26),
        _named(table, "topic", pgettext("heading", "topic"), width=22),
    ]
    for name in ("score", "difference", "se"):
        columns.append(_column(table, name, "points", width=10))
    columns.append(_column(table, "p_holm", "probability", width=10))
    headings = {"verdict": pgettext("for people", "verdict"), "quadrant": _("advice")}
    for what, heading in headings.items():
        columns.append(_in_words(table, what, heading, width=16))
    columns.append(_column(table, "importance", "points", width=10))
    lines = _about(table, _("strong and weak topics of every area"))
    _write(path, table, lines=lines, columns=columns)


def write_assessment_workbook(
    table: pd.DataFrame, path: Path, *, names: Mapping[str, Text], rates: Collection[str]
) -> None:
    """Write tests or reliability: a sheet for programs, one for people, the dictionary, in the current language.

    `names`: what areas are called, by code, and items, by name; `rates`: the measures that are shares.
    """
    kind = "test" if "test" in table else "part"
    shares = _percent_or_points(table["measure"].isin(list(rates)))
    kinds = [str(ASSESSED[value]) for value in table[kind]]
    columns = [
        _under_title(kind, kinds, width=24),
        _named(table, "measure", _("measure"), width=22),
    ]
    for name in ("item", "variable", "first", "second"):
        if name in table:
            called = [_called(value, names) for value in table[name]]
            longest = max(map(text_columns, called), default=0)
            columns.append(_under_title(name, called, width=min(max(longest + 2, 16), 44)))
    figures = []
    for name in ("difference", "se"):
        if name in table:
            figures.append(_column(table, name, shares, width=10))
    for name in ("coefficient", "coefficient_low", "coefficient_high", "weighted_coefficient"):
        if name in table:
            figures.append(_column(table, name, "points", width=10))
    for name in ("p", "p_adjusted"):
        probabilities = [p_value(value) for value in table[name]]
        figures.append(_under_title(name, probabilities, width=10))
    conventions = []
    for name in ("multiplicity", "null", "method", "note"):
        words = [str(as_text(value)) for value in table[name]]
        conventions.append(_under_title(name, words, width=36))
    lines = _about(table, _("Tests and reliability"))
    for column in (*columns, *conventions):
        if _is_said_once(column):
            lines.append(f"{column.title}: {column.cells[0]}")
    in_rows = [column for column in columns if not _is_said_once(column)]
    in_rows += [*figures, *(column for column in conventions if not _is_said_once(column))]
    _write(path, table, lines=lines, columns=in_rows)


def _is_said_once(column: ShownColumn) -> bool:
    """Tell whether all rows hold the same words, which then stand above the table: on paper they leave no room for it."""
    return len(column.cells) > 1 and column.cells[0] != "" and len(set(column.cells)) == 1


def _called(value: str, names: Mapping[str, Text]) -> str:
    """Say what a test is about as its reader knows it: an area, an item, a level, an interviewer."""
    if value in names:
        return str(names[value])
    if value.startswith(INTERVIEWER):
        return str(_("interviewer {number}", number=value.removeprefix(INTERVIEWER)))
    return str(LEVELS.get(value, value))


def write_selection_workbook(tables: SelectionTables, path: Path) -> None:
    """Write one sheet for people, and the tables as they are, in the current language.

    The sheet for people holds the answering odds; where nothing is ranked, the sensitivity.
    """
    if len(tables.odds):
        data = tables.odds
        what = ODDS
        sentences = [str(Text(row["zh"], row["en"])) for row in data.to_dict("records")]
        columns = [
            _column(data, "rank", "count", width=6),
            _named(data, "name", _("area"), width=22),
            _column(data, "satisfied_share", "percent", width=10),
            _column(data, "odds_alone", "points", width=10),
            _column(data, "odds_alike", "points", width=10),
            ShownColumn(str(_("sentence")), sentences, width=60),
        ]
    else:
        data = tables.sensitivity
        what = SENSITIVITY
        figures = _percent_or_points(data["kind"] == "rate")
        columns = [
            _named(data, "name", _("area"), width=22),
            _named(data, "measure", _("measure"), width=22),
        ]
        for name in ("estimate_answered", "phi_0", "phi_05", "phi_1"):
            columns.append(_column(data, name, figures, width=10))
        columns.append(_column(data, "proxy_correlation", "points", width=10))
    wave = f"{data['survey'].iloc[0]}  {data['wave'].iloc[0]}"
    lines = [wave, str(mark_as_text(data["mark"].iloc[0])), str(what)]
    further = {}
    if len(tables.model):
        further[str(_("estimates under the model"))] = in_one_language(tables.model)
    if len(tables.sensitivity):
        further[str(_("sensitivity"))] = in_one_language(tables.sensitivity)
    names = dict.fromkeys([*tables.model, *tables.sensitivity, *tables.odds])
    further[str(_("dictionary"))] = dictionary_table(names)
    write_office_workbook(
        path, data, ShownSheet(str(_("for people")), lines, columns), further=further
    )


def _percent_or_points(is_share: pd.Series) -> list[Shown]:
    """Return how the figures of every row are shown: shares in percent."""
    return ["percent" if share else "points" for share in is_share]


def _write(
    path: Path,
    table: pd.DataFrame,
    *,
    lines: Sequence[str],
    columns: Sequence[ShownColumn],
    further: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write a table, its sheet for people, the dictionary and further sheets.

    Columns that hold nothing are not shown: a sample without probability has no errors and no sets.
    """
    filled = [column for column in columns if column.holds_anything]
    for_people = ShownSheet(str(_("for people")), lines, filled)
    sheets = {str(_("dictionary")): dictionary_table(table)} | dict(further or {})
    write_office_workbook(path, table, for_people, further=sheets)


def _column(
    table: pd.DataFrame, name: str, shown: Shown | list[Shown] = "text", *, width: float
) -> ShownColumn:
    """Show a published column under its heading."""
    return _under_title(name, table[name].tolist(), shown, width=width)


def _under_title(
    name: str, values: Sequence[Any], shown: Shown | list[Shown] = "text", *, width: float
) -> ShownColumn:
    """Show values under the heading of a published column."""
    return ShownColumn(str(COLUMNS[name].title), values, shown=shown, width=width)


def _named(table: pd.DataFrame, what: str, heading: Text, *, width: float) -> ShownColumn:
    """Show what the rows call their area or measure; on paper a long name is not cut at the usual width."""
    names = [str(label_of(row, what)) for row in table.to_dict("records")]
    longest = max(map(text_columns, names), default=0)
    return ShownColumn(str(heading), names, width=max(width, min(longest + 2, 44)))


def _about(table: pd.DataFrame, what: Text) -> list[str]:
    """Say which wave it is and what must be said of the data."""
    first = table.iloc[0]
    wave = f"{first['survey']}  {first['wave']}"
    lines = [f"{wave}  {what}"]
    if first["mark"]:
        lines.append(str(mark_as_text(first["mark"])))
    return lines


def _in_words(table: pd.DataFrame, what: str, heading: Text, *, width: float) -> ShownColumn:
    """Show a column of English words, whose Chinese stands in a column beside it."""
    pairs = zip(table[f"{what}_zh"], table[what], strict=True)
    return ShownColumn(str(heading), [str(Text.of(zh, en)) for zh, en in pairs], width=width)


def _sets(table: pd.DataFrame, kind: str) -> list[str]:
    """Write rank sets as text."""
    ends = zip(table[f"{kind}_low"], table[f"{kind}_high"], strict=True)
    return ["" if pd.isna(low) else f"{low:g}–{high:g}" for low, high in ends]
