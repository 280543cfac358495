"""From text to codes, item by item: what is not a declared answer becomes null; the rules say what follows.

A label in place of a code ("very satisfied" for 5) is the same answer in another spelling: it is counted for each column, not
logged for each cell. Everything else that changes a value is logged. Names of areas are exchanged for their codes where
a name means one area only.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from satisfaction.collection.account import ReadTables, Step, log_events
from satisfaction.collection.matching import NOTHING_CHOSEN
from satisfaction.collection.platforms.export import SKIPPED, in_china
from satisfaction.collection.wordings import (
    Answers,
    distinct_texts,
    map_texts,
    map_to_codes,
    splits,
    without_zeros,
)
from satisfaction.declarations.area_names import area_names, fold
from satisfaction.declarations.items import (
    AreaItem,
    DateItem,
    MultipleItem,
    NumberItem,
    SingleItem,
    TextItem,
    option_column,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.personal import NO_ANSWER

UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u202a\u202b\u202c\u202d\u202e"  # no width; come with what is pasted
BLANKS = f" \t\r\n\u3000\u00a0{UNSEEN}"
SERIAL = re.compile(
    r"(?:[45]\d{4}|60000)(?:\.\d+)?"
)  # how a workbook counts the days of 2009 to 2064
FIRST_DAY = datetime.date(1899, 12, 30)
BETWEEN_LEVELS = re.compile(r"\s*[-‐–—/>]+\s*")
DAY = re.compile(
    r"(\d{4})\s*[-/.、年]\s*(\d{1,2})\s*[-/.、月]\s*(\d{1,2})(?!\d)\s*[日号]?"
    r"\s*(?:\(?(?:星期|周|礼拜)[一二三四五六日天]\)?)?"
    r"(?:[\sT]*(?:上午|下午|早上|晚上|中午|凌晨)?\s*\d{1,2}[:点时].*)?"
)


def normalise(raw: pd.DataFrame, tables: ReadTables, survey: Survey) -> Step:
    """Strip spaces, empty what was skipped or says nothing, write full-width characters as plain ones and 5.0 as 5.

    Full-width characters but in labels, and words that are read as empty, are logged. Open answers keep theirs. The columns are categorical, so
    that what comes after looks at each different text once.
    """
    questionnaire = survey.questionnaire
    empty_words = set()
    for word in survey.rules.responses.empty:
        empty_words.add(unicodedata.normalize("NFKC", word).casefold())
    roles = questionnaire.roles
    placing = {roles.respondent, roles.psu, roles.interviewer, *roles.strata, *roles.calibration}
    columns: dict[str, pd.Series] = {}
    entries = []
    for name, item in questionnaire.items.items():
        codes, different = distinct_texts(raw[name])
        is_coded = isinstance(item, SingleItem | MultipleItem)
        # text that identifies nobody and places nobody in the sample
        is_open = isinstance(item, TextItem) and not item.unique and name not in placing
        stripped = []
        plain_texts = []
        answers = []
        widened = np.zeros(len(different), dtype=bool)
        emptied: dict[str, str] = {}
        for place, cell in enumerate(different):
            text = cell.strip(BLANKS)
            plain = "" if text == SKIPPED else text
            if not is_open:
                plain = unicodedata.normalize("NFKC", plain)
            is_label = is_coded and any(map(str.isalpha, plain))
            widened[place] = bool(plain) and plain != text and not is_label
            answer = plain
            if not isinstance(item, TextItem):
                answer = _as_answer(plain, name, questionnaire, empty_words=empty_words)
            if answer != plain and answer in ("", NOTHING_CHOSEN):
                emptied[plain] = ""
            stripped.append(text)
            plain_texts.append(plain)
            answers.append(answer)
        new_codes, texts = pd.factorize(np.array(answers, dtype=object))
        categories = pd.Index(texts, dtype=object)
        categorical = pd.Categorical.from_codes(new_codes[codes], categories)
        columns[name] = pd.Series(categorical, index=raw.index)
        if widened.any():
            concerned = pd.Series(widened[codes], index=raw.index)
            values = _spread(stripped, codes, raw.index)
            entries.append(log_events(raw, concerned, name, values=values, rule="R211"))
        if emptied:
            words = _spread(plain_texts, codes, raw.index)
            entries.append(tables.log_words(name, words, emptied, rule="R303"))
    return Step(pd.DataFrame(columns, index=raw.index), tuple(entries))


def _spread(texts: list[str], codes: npt.NDArray[np.integer], index: pd.Index) -> pd.Series:
    values = np.array(texts, dtype=object)[codes]
    return pd.Series(values, index=index, dtype=object)


def _as_answer(
    value: str, name: str, questionnaire: Questionnaire, *, empty_words: set[str]
) -> str:
    """Return what a text says: 5 for 5.0; nothing for "NA", "-" and `NO_ANSWER` where they are no answers of the item.

    In a select-all item `NO_ANSWER` says that no option was chosen; of a number or date it is not known what it says.
    """
    item = questionnaire.items[name]
    if value.casefold() not in empty_words:
        if isinstance(item, SingleItem | AreaItem):
            return without_zeros(value)
        return value
    is_coded = isinstance(item, SingleItem | MultipleItem)
    if is_coded and Answers(questionnaire, name).code(value) is not None:
        return value
    if value == NO_ANSWER and isinstance(item, MultipleItem):
        return NOTHING_CHOSEN
    if value == NO_ANSWER and isinstance(item, NumberItem | DateItem):
        return value
    return ""


def code_area_names(text: pd.DataFrame, raw: pd.DataFrame, survey: Survey) -> Step:
    """Write the code of an area in place of its name, for every item that holds areas; each cell is logged.

    A name may stand with the names of the areas above it, and in a short form that only one area has. Names that several areas bear are left as they are; a rule reports them.
    """
    if survey.areas is None:
        return Step(text)
    columns: dict[str, pd.Series] = {}
    entries = []
    for name in survey.questionnaire.items_of(AreaItem):
        by_name = area_names(survey.areas, name)
        answers = text[name]
        codes = {}
        for value in answers.unique():
            whole = fold(BETWEEN_LEVELS.sub("", value))  # platforms write province-city-county
            codes[value] = by_name.get(fold(value)) or by_name.get(whole, value)
        names = [value for value, code in codes.items() if code != value]
        if names:
            named = answers.isin(names)
            entries.append(log_events(raw, named, name, values=answers, rule="R220"))
            columns[name] = map_texts(answers, codes.__getitem__)
    return Step(text.assign(**columns), tuple(entries))


def with_parents(coded: pd.DataFrame, survey: Survey) -> pd.DataFrame:
    """Add a column for each higher level of the area to rows that hold the area's code."""
    level = survey.levels()
    columns: dict[str, pd.Series] = {}
    codes = coded[survey.questionnaire.roles.area].map(survey.parents())
    while codes.notna().any():
        name = level.get(codes.dropna().iloc[0])
        if not name:
            break
        columns[name] = codes
        codes = codes.map(survey.parents())
    return coded.assign(**columns)


def crosswalk(
    text: pd.DataFrame,
    raw: pd.DataFrame,
    questionnaire: Questionnaire,
    *,
    former: Mapping[str, Sequence[tuple[str, pd.Series]]],
) -> Step:
    """Fill empty answers from columns of earlier versions; a code that its crosswalk changes is logged.

    A value the crosswalk does not name becomes "column=value", which no scale holds, so that a rule reports it.

    Parameters
    ----------
    former : mapping of str to sequence of (str, Series)
        By item: the old column's name and its texts, as `former_answers` returns them.
    """
    columns: dict[str, pd.Series] = {}
    entries = []
    for name, former_columns in former.items():
        for old, values in former_columns:
            walk = questionnaire.items[name].replaces[old].crosswalk
            codes = {}
            labels = {}
            for before, after in (walk or {}).items():
                codes[before] = str(after)
                labels[fold(before)] = str(after)
            texts = {}
            for value in values.unique():
                plain = without_zeros(unicodedata.normalize("NFKC", value))
                texts[value] = plain
                if walk is not None and plain:
                    new = codes.get(plain) or labels.get(fold(plain))
                    texts[value] = new or f"{old}={plain}"
            answers = columns.get(name, text[name])
            filled = (answers == "") & (values != "")
            new_values = map_texts(values, texts.__getitem__)
            contrary = _answers_differ(questionnaire, name, answers, new_values)
            if contrary.any():
                entries.append(log_events(raw, contrary, old, values=values, rule="R225"))
            columns[name] = new_values.where(filled, answers.astype(object))
            changed = filled & (new_values != values)
            if changed.any():
                column = f"{old} → {name}"
                entries.append(log_events(raw, changed, column, values=values, rule="R217"))
    return Step(text.assign(**columns), tuple(entries))


def _answers_differ(
    questionnaire: Questionnaire, name: str, answers: pd.Series, others: pd.Series
) -> pd.Series:
    """Tell the rows where two columns of an item hold different answers, be they codes or labels."""
    both = (answers != "") & (others != "")
    if not isinstance(questionnaire.items[name], SingleItem):
        return both & (answers != others)
    code = Answers(questionnaire, name).code
    one = answers[both].map(code).astype("Int64")
    other = others[both].map(code).astype("Int64")
    differ = (one != other).fillna(False)
    return differ.astype(bool).reindex(answers.index, fill_value=False)


class CodedAnswers(NamedTuple):
    """Coded answers.

    Attributes
    ----------
    table : DataFrame
        The coded columns of every item, null where the text is no declared answer.
    labelled : dict of str to Series of bool
        By item, which answers were labels in place of codes.
    """

    table: pd.DataFrame
    labelled: dict[str, pd.Series]


def code_answers(text: pd.DataFrame, survey: Survey) -> CodedAnswers:
    """Turn text into codes, null where it is no declared answer."""
    questionnaire = survey.questionnaire
    columns: dict[str, pd.Series] = {}
    labelled: dict[str, pd.Series] = {}
    base = survey.declared.base
    for name, item in questionnaire.items.items():
        values = text[name]
        if isinstance(item, NumberItem):
            weight = base is not None and name == base.column
            numbers = pd.to_numeric(values.astype(object), errors="coerce").astype(float)
            numbers = numbers.where(item.allows(numbers, weight=weight))
            if item.step == 1 and not weight:
                columns[name] = numbers.round().astype("Int64")
            else:
                columns[name] = numbers.astype("Float64")
        elif isinstance(item, DateItem):
            dates = pd.to_datetime(map_texts(values, _iso_date), format="%Y-%m-%d", errors="coerce")
            columns[name] = (
                dates.dt.strftime("%Y-%m-%d").astype("object").where(dates.notna(), None)
            )
        elif isinstance(item, MultipleItem):
            answers = Answers(questionnaire, name)
            of_item, labels = _code_options(name, item, values, answers=answers)
            columns |= of_item
            if labels:
                labelled[name] = values.isin(labels)
        elif isinstance(item, SingleItem):
            answers = Answers(questionnaire, name)
            codes = {value: answers.code(value) for value in values.unique() if value}
            columns[name] = map_to_codes(values, codes.get)
            known = [value for value, code in codes.items() if code is not None]
            if labels := [value for value in known if value not in answers.codes]:
                labelled[name] = values.isin(labels)
        else:
            columns[name] = map_texts(values, lambda value: value or None)
    return CodedAnswers(pd.DataFrame(columns, index=text.index), labelled)


def _iso_date(value: str) -> str:
    """Write 2026/7/6, the same in Chinese, 20260706 and the day 46209 of a workbook as 2026-07-06.

    A moment in universal time is of the day that it is in China.
    """
    if SERIAL.fullmatch(value):
        days = datetime.timedelta(days=int(value[:5]))
        return str(FIRST_DAY + days)
    value = in_china(value)
    parts = DAY.fullmatch(value) or re.fullmatch(r"(20\d\d)(\d\d)(\d\d)", value)
    if not parts:
        return value
    year, month, day = parts.groups()
    return f"{year}-{month:0>2}-{day:0>2}"


def _code_options(
    name: str, item: MultipleItem, values: pd.Series, *, answers: Answers
) -> tuple[dict[str, pd.Series], list[str]]:
    """Return the column of a select-all item and one for each option, and which texts hold labels.

    One undeclared part, or a special code beside options, makes the answer invalid.
    """
    special: dict[str, int | None] = {}
    chosen: dict[str, set[int | None]] = {}
    labels = []
    for value in values.unique():
        parts = _options(value, item, answers)
        codes = {answers.code(part) for part in parts}
        if value == NOTHING_CHOSEN:
            chosen[value] = set()
            continue
        if len(parts) == 1 and codes <= answers.special:
            special[value] = codes.pop()
        elif codes and codes <= answers.options:
            chosen[value] = codes
        else:
            continue
        if any(without_zeros(part) not in answers.codes for part in parts):
            labels.append(value)
    columns = {name: map_to_codes(values, special.get)}
    for code in item.options:
        flags = {value: int(code in codes) for value, codes in chosen.items()}
        columns[option_column(name, code)] = map_to_codes(values, flags.get)
    return columns, labels


def _options(value: str, item: MultipleItem, answers: Answers) -> list[str]:
    """Split a select-all answer, by what people type where its own separator does not make answers of all parts."""
    separated, typed = splits(value, item)
    if None in map(answers.code, separated) and None not in map(answers.code, typed):
        return typed
    return separated
