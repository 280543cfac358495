"""From text to codes, item by item: what is not a declared answer becomes null; the rules say what follows.

A label in place of a code ("非常满意" for 5) is the same answer in another spelling: it is counted for each column, not
logged for each cell. Everything else that changes a value is logged.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pandas as pd

from ..io.platforms import SKIPPED
from ..questionnaire import DateItem, Item, MultipleItem, NumberItem, Questionnaire, SingleItem, option_column
from .events import log_events
from .matching import NOTHING_CHOSEN
from .spelling import Answers, exchanged, fold, integers, numbered, whole_numbers

BLANKS = " \t\r\n\u3000\u00a0"
TYPED = r";；,，、/\s"  # what people type between options instead of the separator
TINY = 1e-9  # of a step: what a decimal number misses its multiple by in binary


def normalise(raw: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> pd.DataFrame:
    """Strip spaces, empty what was skipped, write full-width characters as plain ones; logs the last but in labels.

    The columns are categorical, so that what comes after looks at each different text once.
    """
    text: dict[str, pd.Series] = {}
    for name, item in questionnaire.items.items():
        codes, different = numbered(raw[name])
        stripped = [value.strip(BLANKS) for value in different]
        plain = ["" if value == SKIPPED else unicodedata.normalize("NFKC", value) for value in stripped]
        place, texts = pd.factorize(np.array(plain, dtype=object))
        text[name] = pd.Series(pd.Categorical.from_codes(place[codes], pd.Index(texts, dtype=object)), index=raw.index)
        labelled = isinstance(item, SingleItem | MultipleItem)
        wide = np.array([
            bool(new) and new != value and not (labelled and any(map(str.isalpha, new)))
            for value, new in zip(stripped, plain, strict=True)
        ], dtype=bool)  # fmt: skip
        if wide.any():
            values = pd.Series(np.array(stripped, dtype=object)[codes], index=raw.index, dtype=object)
            events.append(log_events(raw, pd.Series(wide[codes], index=raw.index), name, values=values, rule="R211"))
    return pd.DataFrame(text, index=raw.index)


def crosswalk(
    text: pd.DataFrame,
    raw: pd.DataFrame,
    questionnaire: Questionnaire,
    *,
    former: dict[str, list[tuple[str, pd.Series]]],
    events: list[pd.DataFrame],
) -> None:
    """Fill empty answers from columns of earlier versions, in place; a code that its crosswalk changes is logged.

    A value the crosswalk does not name becomes "column=value", which no scale holds, so that a rule reports it.
    """
    for name, columns in former.items():
        for old, values in columns:
            walk = questionnaire.items[name].replaces[old].crosswalk
            new = {str(before): str(after) for before, after in (walk or {}).items()}
            folded = {fold(str(before)): str(after) for before, after in (walk or {}).items()}
            plain = {value: unicodedata.normalize("NFKC", value) for value in values.unique()}
            texts = {
                value: one if walk is None or not one else new.get(one) or folded.get(fold(one)) or f"{old}={one}"
                for value, one in plain.items()
            }
            open_ = (text[name] == "") & (values != "")
            taken = exchanged(values, texts.__getitem__)
            text[name] = taken.where(open_, text[name].astype(object))
            if (changed := open_ & (taken != values)).any():
                events.append(log_events(raw, changed, f"{old} → {name}", values=values, rule="R217"))


def code_answers(text: pd.DataFrame, questionnaire: Questionnaire) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Turn text into codes, null where it is no declared answer; also returns which answers were labels, by item."""
    columns: dict[str, pd.Series] = {}
    labelled: dict[str, pd.Series] = {}
    for name, item in questionnaire.items.items():
        columns |= _code_item(name, item, text[name], questionnaire, labelled)
    return pd.DataFrame(columns, index=text.index), labelled


def _code_item(
    name: str, item: Item, values: pd.Series, questionnaire: Questionnaire, labelled: dict[str, pd.Series]
) -> dict[str, pd.Series]:
    """Return the coded column of an item (and one for each option of a select-all item)."""
    if isinstance(item, SingleItem):
        answers = Answers(questionnaire, name)
        number, different = numbered(values)
        codes = [answers.code(value) if value else None for value in different]
        is_label = np.array([c is not None and v not in answers.codes for v, c in zip(different, codes, strict=True)], dtype=bool)
        if is_label.any():
            labelled[name] = pd.Series(is_label[number], index=values.index)
        return {name: integers(codes, number, values.index)}
    if isinstance(item, MultipleItem):
        return _code_options(name, item, values, Answers(questionnaire, name), labelled)
    if isinstance(item, NumberItem):
        return {name: _number(item, values)}
    if isinstance(item, DateItem):
        dates = pd.to_datetime(exchanged(values, _date), format="%Y-%m-%d", errors="coerce")
        return {name: dates.dt.strftime("%Y-%m-%d").astype("object").where(dates.notna(), None)}
    return {name: exchanged(values, lambda value: value or None)}


def _note_labels(name: str, values: pd.Series, found: list[str], labelled: dict[str, pd.Series]) -> None:
    if found:
        labelled[name] = values.isin(found)


def _number(item: NumberItem, values: pd.Series) -> pd.Series:
    number = pd.to_numeric(values.astype(object), errors="coerce")
    steps = number / item.step
    found = number.where(((steps - steps.round()).abs() <= TINY) & number.between(item.low, item.high))
    return found.astype("Int64" if item.step == 1 else "Float64")


def _code_options(
    name: str, item: MultipleItem, values: pd.Series, answers: Answers, labelled: dict[str, pd.Series]
) -> dict[str, pd.Series]:
    """Split a select-all answer; one undeclared part, or a special code beside options, makes the answer invalid."""
    codes: dict[str, int | None] = {}
    picked: dict[str, frozenset[int]] = {}
    labels = []
    for value in values.unique():
        parts = _parts(value, f"{re.escape(item.separator)}┋|")
        found = {answers.code(part) for part in parts}
        if None in found and None not in (typed := {answers.code(part) for part in _parts(value, TYPED)}):
            parts, found = _parts(value, TYPED), typed
        if value == NOTHING_CHOSEN:
            picked[value] = frozenset()
        elif len(found) == 1 and found <= answers.special and len(parts) == 1:
            codes[value] = next(iter(found))
        elif found and None not in found and found <= answers.options:
            picked[value] = frozenset(code for code in found if code is not None)
        else:
            continue
        if not all(part in answers.codes for part in parts if part != NOTHING_CHOSEN):
            labels.append(value)
    _note_labels(name, values, labels, labelled)
    columns = {name: whole_numbers(values, codes.get)}
    for code in item.options:
        flags = {value: int(code in chosen) for value, chosen in picked.items()}
        columns[option_column(name, code)] = whole_numbers(values, flags.get)
    return columns


def _parts(value: str, separators: str) -> list[str]:
    return [part.strip() for part in re.split(f"[{separators}]", value) if part.strip()]


def _date(value: str) -> str:
    """Write 2026/7/6, 2026.7.6, 20260706 and 2026-07-06 09:30 as 2026-07-06."""
    if re.fullmatch(r"20\d{6}", value):
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    if found := re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]\d{1,2}:\d{2}.*)?", value):
        return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"
    return value
