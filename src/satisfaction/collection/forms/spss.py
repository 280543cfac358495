"""Coded answers as an SPSS file: variable labels, value labels and user-missing codes of the questionnaire."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from satisfaction.declarations.items import (
    DateItem,
    MultipleItem,
    NumberItem,
    SingleItem,
    option_column,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation import tables as spss
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.language import _
from satisfaction.foundation.yaml import Label

CHOSEN: dict[int | float, str] = {0: _("not chosen").both, 1: _("chosen").both}
LONGEST = {"label": 256, "value": 120, "title": 64, "note": 80}  # bytes of UTF-8 that SPSS keeps
MOST_MISSING = 3  # single user-missing codes of an SPSS variable


def write_spss_answers(
    coded: pd.DataFrame, questionnaire: Questionnaire, path: str | Path, *, mark: str = ""
) -> None:
    """Write coded answers as an SPSS file.

    Parameters
    ----------
    coded : DataFrame
        Columns as `Responses.accepted` holds them, one for each option of a select-all item; columns that begin with `_`
        stay out, others that the questionnaire does not know are written without labels.
    questionnaire : Questionnaire
        Gives the labels (Chinese, then English) and the special codes, which become user-missing.
    path : str or Path
    mark : str
        What every output of the survey must say (simulated, for instance): stands in the file's label and notes.

    Raises
    ------
    ExportError
        X131 a column of the questionnaire is missing, X132 special codes that SPSS cannot hold as user-missing.
    """
    columns: dict[str, str] = {}
    for name in questionnaire.items:
        columns |= dict.fromkeys(questionnaire.columns(name), name)
    lacking = [column for column in columns if column not in coded]
    if lacking:
        raise ExportError(
            "X131",
            _("The data have no column '{lacking}'.", lacking=lacking[0]),
            where=str(path),
            available=coded.columns,
            got=lacking[0],
            hint=_("Hand in load_responses(...).accepted."),
        )
    values = {}
    for column in coded:
        if not str(column).startswith("_"):
            values[column] = _values(coded[column], questionnaire, columns.get(column))
    labels = {}
    value_labels = {}
    for column, name in columns.items():
        labels[column] = _cut(_label(questionnaire, name, column), LONGEST["label"])
        codes = _value_labels(questionnaire, name, column)
        if codes:
            value_labels[column] = codes
    missing = {}
    for name in questionnaire.items:
        special = _missing(questionnaire, name, str(path))
        if special:
            missing[name] = special
    title = questionnaire.title.both
    source = questionnaire.source.both
    notes = []
    for text in (mark, questionnaire.reference, title, source):
        notes += _lines(text)
    spss.write_sav(
        pd.DataFrame(values),
        Path(path),
        title=_cut(f"{mark} {questionnaire.reference}".strip(), LONGEST["title"]),
        notes=notes,
        labels=labels,
        value_labels=value_labels,
        missing=missing,
    )


def _values(values: pd.Series, questionnaire: Questionnaire, name: str | None) -> pd.Series:
    item = questionnaire.items.get(name) if name else None
    if isinstance(item, SingleItem | MultipleItem | NumberItem):
        return values.astype("Float64").astype(float)
    if isinstance(item, DateItem):
        dates = pd.to_datetime(values, format="%Y-%m-%d").dt.date.astype(object)
        return dates.where(values.notna(), None)
    if pd.api.types.is_numeric_dtype(values):
        return values
    return values.astype(object).where(values.notna(), None)


def _label(questionnaire: Questionnaire, name: str, column: str) -> str:
    item = questionnaire.items[name]
    if column == name:
        return item.text.both
    assert isinstance(item, MultipleItem)
    options = {option_column(name, code): option for code, option in item.options.items()}
    return _("{item}: {option}", item=item, option=options[column]).both


def _value_labels(questionnaire: Questionnaire, name: str, column: str) -> dict[int | float, str]:
    if column != name:
        return CHOSEN
    item = questionnaire.items[name]
    labels: dict[int, Label] = {**questionnaire.special(name)}
    if isinstance(item, SingleItem):
        labels = {**questionnaire.answers(name), **labels}
    return {code: _cut(label.text.both, LONGEST["value"]) for code, label in labels.items()}


def _missing(questionnaire: Questionnaire, name: str, path: str) -> list[int | dict[str, int]]:
    """Return the special codes of an item as SPSS wants them: up to three codes, or a range without an answer in it."""
    codes = sorted(questionnaire.special(name))
    if len(codes) <= MOST_MISSING:
        return list(codes)
    inside: list[int] = []
    if isinstance(questionnaire.items[name], SingleItem):
        answers = questionnaire.answers(name)
        inside = [code for code in answers if codes[0] < code < codes[-1]]
    if inside:
        raise ExportError(
            "X132",
            _(
                "Item '{name}' has more than {MOST_MISSING} special codes with answers "
                "{inside} between; SPSS cannot hold that.",
                name=name,
                MOST_MISSING=MOST_MISSING,
                inside=inside,
            ),
            where=path,
            hint=_("Use special codes in a row, 96-99 for instance."),
        )
    return [{"lo": codes[0], "hi": codes[-1]}]


def _cut(text: str, most: int) -> str:
    """Keep the bytes SPSS would keep, never half a character."""
    return text.encode("utf-8")[:most].decode("utf-8", errors="ignore")


def _lines(text: str) -> list[str]:
    """Cut a text into the lines a note may have; none is lost."""
    lines = []
    while text:
        lines.append(_cut(text, LONGEST["note"]))
        text = text[len(lines[-1]) :]
    return lines
