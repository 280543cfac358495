"""From text to codes, item by item: what is not a declared answer becomes null; the rules say what follows.

A label in place of a code ("非常满意" for 5) is the same answer in another spelling: it is counted for each column, not
logged for each cell. Everything else that changes a value is logged.
"""

from __future__ import annotations

import datetime
import re
import unicodedata

import numpy as np
import pandas as pd

from satisfaction.collection.log import Tables, log_events
from satisfaction.collection.matching import NOTHING_CHOSEN
from satisfaction.collection.platforms.export import SKIPPED
from satisfaction.collection.spelling import (
    Answers,
    exchanged,
    fold,
    integers,
    numbered,
    whole_numbers,
    without_zeros,
)
from satisfaction.declarations.items import (
    AreaItem,
    DateItem,
    Item,
    MultipleItem,
    NumberItem,
    SingleItem,
    TextItem,
    option_column,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey

BLANKS = " \t\r\n\u3000\u00a0"
TYPED = r";；,，、/\s"  # what people type between options instead of the separator
NONE = "无"
SERIAL = re.compile(
    r"(?:[45]\d{4}|60000)(?:\.\d+)?"
)  # how a workbook counts the days of 2009 to 2064
FIRST_DAY = datetime.date(1899, 12, 30)
DAY = re.compile(
    r"(\d{4})\s*[-/.、年]\s*(\d{1,2})\s*[-/.、月]\s*(\d{1,2})(?!\d)\s*[日号]?"
    r"\s*(?:\(?(?:星期|周|礼拜)[一二三四五六日天]\)?)?"
    r"(?:[\sT]*(?:上午|下午|早上|晚上|中午|凌晨)?\s*\d{1,2}[:点时].*)?"
)


def normalise(
    raw: pd.DataFrame, tables: Tables, survey: Survey, events: list[pd.DataFrame]
) -> pd.DataFrame:
    """Strip spaces, empty what was skipped or says nothing, write full-width characters as plain ones and 5.0 as 5.

    Full-width characters but in labels, and words that are read as empty, are logged. The columns are categorical, so
    that what comes after looks at each different text once.
    """
    questionnaire = survey.questionnaire
    marks = {
        unicodedata.normalize("NFKC", word).casefold() for word in survey.rules.responses.empty
    }
    text: dict[str, pd.Series] = {}
    for name, item in questionnaire.items.items():
        codes, different = numbered(raw[name])
        stripped = [value.strip(BLANKS) for value in different]
        plain = [
            "" if value == SKIPPED else unicodedata.normalize("NFKC", value) for value in stripped
        ]
        said = list(plain)
        if not isinstance(item, TextItem):
            plain = [_said(value, name, questionnaire, marks) for value in plain]
        place, texts = pd.factorize(np.array(plain, dtype=object))
        text[name] = pd.Series(
            pd.Categorical.from_codes(place[codes], pd.Index(texts, dtype=object)), index=raw.index
        )
        labelled = isinstance(item, SingleItem | MultipleItem)
        wide = np.array([
            bool(new) and new != value and not (labelled and any(map(str.isalpha, new)))
            for value, new in zip(stripped, said, strict=True)
        ], dtype=bool)  # fmt: skip
        if wide.any():
            values = pd.Series(
                np.array(stripped, dtype=object)[codes], index=raw.index, dtype=object
            )
            events.append(
                log_events(
                    raw, pd.Series(wide[codes], index=raw.index), name, values=values, rule="R211"
                )
            )
        silent = {
            word: ""
            for word, new in zip(said, plain, strict=True)
            if word != new and new in ("", NOTHING_CHOSEN)
        }
        if silent:
            words = pd.Series(np.array(said, dtype=object)[codes], index=raw.index)
            events.append(tables.log_words(name, words, silent, rule="R303"))
    return pd.DataFrame(text, index=raw.index)


def _said(value: str, name: str, questionnaire: Questionnaire, marks: set[str]) -> str:
    """Return what a text says: 5 for 5.0; nothing for "NA", "-" and "无" where they are no answers of the item.

    In a select-all item "无" says that no option was chosen; of a number or date it is not known what it says.
    """
    item = questionnaire.items[name]
    if value.casefold() not in marks:
        return without_zeros(value) if isinstance(item, SingleItem | AreaItem) else value
    if (
        isinstance(item, SingleItem | MultipleItem)
        and Answers(questionnaire, name).code(value) is not None
    ):
        return value
    if value == NONE and isinstance(item, MultipleItem):
        return NOTHING_CHOSEN
    return value if value == NONE and isinstance(item, NumberItem | DateItem) else ""


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
            plain = {
                value: without_zeros(unicodedata.normalize("NFKC", value))
                for value in values.unique()
            }
            texts = {
                value: one
                if walk is None or not one
                else new.get(one) or folded.get(fold(one)) or f"{old}={one}"
                for value, one in plain.items()
            }
            open_ = (text[name] == "") & (values != "")
            taken = exchanged(values, texts.__getitem__)
            text[name] = taken.where(open_, text[name].astype(object))
            if (changed := open_ & (taken != values)).any():
                events.append(
                    log_events(raw, changed, f"{old} → {name}", values=values, rule="R217")
                )


def code_answers(text: pd.DataFrame, survey: Survey) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Turn text into codes, null where it is no declared answer; also returns which answers were labels, by item."""
    columns: dict[str, pd.Series] = {}
    labelled: dict[str, pd.Series] = {}
    base = survey.declared.base
    for name, item in survey.questionnaire.items.items():
        if isinstance(item, NumberItem) and base is not None and name == base.column:
            columns[name] = _number(item, text[name], weight=True)
        else:
            columns |= _code_item(name, item, text[name], survey.questionnaire, labelled)
    return pd.DataFrame(columns, index=text.index), labelled


def _code_item(
    name: str,
    item: Item,
    values: pd.Series,
    questionnaire: Questionnaire,
    labelled: dict[str, pd.Series],
) -> dict[str, pd.Series]:
    """Return the coded column of an item (and one for each option of a select-all item)."""
    if isinstance(item, SingleItem):
        answers = Answers(questionnaire, name)
        number, different = numbered(values)
        codes = [answers.code(value) if value else None for value in different]
        is_label = np.array(
            [
                c is not None and v not in answers.codes
                for v, c in zip(different, codes, strict=True)
            ],
            dtype=bool,
        )
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


def _note_labels(
    name: str, values: pd.Series, found: list[str], labelled: dict[str, pd.Series]
) -> None:
    if found:
        labelled[name] = values.isin(found)


def _number(item: NumberItem, values: pd.Series, *, weight: bool = False) -> pd.Series:
    """Return numbers, null where they are none or the item does not allow them."""
    number = pd.to_numeric(values.astype(object), errors="coerce").astype(float)
    number = number.where(item.allows(number, weight=weight))
    if item.step == 1 and not weight:
        return number.round().astype("Int64")
    return number.astype("Float64")


def _code_options(
    name: str,
    item: MultipleItem,
    values: pd.Series,
    answers: Answers,
    labelled: dict[str, pd.Series],
) -> dict[str, pd.Series]:
    """Split a select-all answer; one undeclared part, or a special code beside options, makes the answer invalid."""
    codes: dict[str, int | None] = {}
    picked: dict[str, frozenset[int]] = {}
    labels = []
    for value in values.unique():
        parts = _options(value, item, answers)
        found = {answers.code(part) for part in parts}
        if value == NOTHING_CHOSEN:
            picked[value] = frozenset()
        elif len(found) == 1 and found <= answers.special and len(parts) == 1:
            codes[value] = next(iter(found))
        elif found and None not in found and found <= answers.options:
            picked[value] = frozenset(code for code in found if code is not None)
        else:
            continue
        if not all(
            without_zeros(part) in answers.codes for part in parts if part != NOTHING_CHOSEN
        ):
            labels.append(value)
    _note_labels(name, values, labels, labelled)
    columns = {name: whole_numbers(values, codes.get)}
    for code in item.options:
        flags = {value: int(code in chosen) for value, chosen in picked.items()}
        columns[option_column(name, code)] = whole_numbers(values, flags.get)
    return columns


def _options(value: str, item: MultipleItem, answers: Answers) -> list[str]:
    """Split a select-all answer, by what people type where its own separator does not make answers of all parts."""
    own, typed = splits(value, item)
    return typed if not _all_known(own, answers) and _all_known(typed, answers) else own


def splits(value: str, item: MultipleItem) -> tuple[list[str], list[str]]:
    """Return the parts of a select-all answer by its own separator, and by what people type."""
    separator = re.escape(item.separator)
    return _parts(value, f"{separator}┋|"), _parts(value, f"{separator}┋|{TYPED}")


def _all_known(parts: list[str], answers: Answers) -> bool:
    return all(answers.code(part) is not None for part in parts)


def _parts(value: str, separators: str) -> list[str]:
    return [part.strip() for part in re.split(f"[{separators}]", value) if part.strip()]


def _date(value: str) -> str:
    """Write 2026/7/6, 2026 年 7 月 6 日 星期一 上午9:30, 20260706 and the day 46209 of a workbook as 2026-07-06."""
    if re.fullmatch(r"20\d{6}", value):
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    if SERIAL.fullmatch(value):
        return str(FIRST_DAY + datetime.timedelta(days=int(value[:5])))
    if found := DAY.fullmatch(value):
        return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"
    return value
