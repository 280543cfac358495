"""From text to codes, item by item: what is not a declared answer becomes null and is logged."""

from __future__ import annotations

import re
import unicodedata

import pandas as pd

from ..questionnaire import DateItem, Item, MultipleItem, NumberItem, Questionnaire, SingleItem, option_column
from .events import log_events

ORIGIN = ("_file", "_sheet", "_row")


def normalise(raw: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> pd.DataFrame:
    """Strip spaces; write full-width digits and letters of coded items as plain ones, and log it."""
    text = raw.copy()
    for name in questionnaire.items:
        stripped = raw[name].str.strip(" \t\r\n\u3000\u00a0")
        plain = stripped.map({value: unicodedata.normalize("NFKC", value) for value in stripped.unique()})
        if (changed := plain != stripped).any():
            events.append(log_events(raw, changed, name, values=stripped, rule="R211"))
        text[name] = plain
    return text


def code_answers(text: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> pd.DataFrame:
    """Turn text into codes, item by item; what is not valid becomes null and is logged."""
    columns: dict[str, pd.Series] = {}
    for name, item in questionnaire.items.items():
        values = text[name]
        coded = _code_item(name, item, values, questionnaire)
        main = coded[name]
        unanswered = main.isna() if not isinstance(item, MultipleItem) else pd.concat(coded, axis=1).isna().all(axis=1)
        if (wrong := unanswered & (values != "")).any():
            rule = "R212" if isinstance(item, DateItem | NumberItem) else "R202"
            events.append(log_events(text, wrong, name, values=values, rule=rule))
        columns |= coded
    return pd.DataFrame(columns).join(text[list(ORIGIN)])


def _code_item(name: str, item: Item, values: pd.Series, questionnaire: Questionnaire) -> dict[str, pd.Series]:
    """Return the coded column of an item (and one a option of a select-all item)."""
    if isinstance(item, SingleItem):
        codes = {str(code): code for code in (*questionnaire.answers(name), *questionnaire.special(name))}
        return {name: values.map(codes).astype("Int64")}
    if isinstance(item, MultipleItem):
        return _code_options(name, item, values)
    if isinstance(item, NumberItem):
        number = pd.to_numeric(values, errors="coerce")
        return {name: number.where((number % 1 == 0) & number.between(item.low, item.high)).astype("Int64")}
    if isinstance(item, DateItem):
        dates = pd.to_datetime(values.map(_date), format="%Y-%m-%d", errors="coerce")
        return {name: dates.dt.strftime("%Y-%m-%d").astype("object").where(dates.notna(), None)}
    return {name: values.astype("object").where(values != "", None)}


def _code_options(name: str, item: MultipleItem, values: pd.Series) -> dict[str, pd.Series]:
    """Split a select-all answer; one undeclared code, or a special code beside options, makes the answer invalid."""
    options, special = {str(code) for code in item.options}, {str(code): code for code in item.special}

    def chosen(value: str) -> frozenset[str] | None:
        parts = {part.strip() for part in re.split(f"[{re.escape(item.separator)}┋|]", value) if part.strip()}
        return frozenset(parts) if parts and parts <= options else None

    picked = values.map({value: chosen(value) for value in values.unique()})
    columns = {name: values.map(special).astype("Int64")}
    for code in item.options:
        flags = picked.map(lambda parts, code=str(code): None if parts is None else int(code in parts))
        columns[option_column(name, code)] = flags.astype("Int64")
    return columns


def blank_skipped(coded: pd.DataFrame, text: pd.DataFrame, questionnaire: Questionnaire, *, events: list[pd.DataFrame]) -> None:
    """Blank answers to items that the skip rule leaves out."""
    for name, item in questionnaire.items.items():
        for other, codes in item.asked_if.items():
            columns = questionnaire.columns(name)
            wrong = ~coded[other].isin(codes) & coded[columns].notna().any(axis=1)
            if wrong.any():
                events.append(log_events(text, wrong, name, values=text[name], rule="R210"))
                coded.loc[wrong, columns] = pd.NA


def _date(value: str) -> str:
    """Write 2026/7/6, 2026.7.6 and 2026-07-06 09:30 as 2026-07-06."""
    if found := re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]\d{1,2}:\d{2}.*)?", value):
        return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"
    return value
