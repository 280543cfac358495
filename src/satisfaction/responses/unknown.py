"""Answers that nobody knows: counted for every item of every file, and refused where they could move a figure.

A team that words one end of a scale otherwise loses these answers alone, so that its area looks far better or worse than
it is; and no interval shows it.
"""

from __future__ import annotations

import difflib

import numpy as np
import pandas as pd

from ..errors import ResponsesError, shortened
from ..io.personal import MASK
from ..questionnaire import AreaItem, Item, MultipleItem, NumberItem, Questionnaire, SingleItem, TextItem
from ..survey import WORDINGS_FILE, Survey
from .coding import splits
from .events import Tables, is_opposite, shown
from .spelling import Answers, fold

COLUMNS = ("file", "sheet", "item", "title", "word", "count", "answers", "near", "stops")
NEAREST = 3
MOST_WORDS = 12


def unknown_answers(text: pd.DataFrame, coded: pd.DataFrame, tables: Tables, survey: Survey) -> pd.DataFrame:
    """Count the texts that became no answer, one row a table, item and word, the frequent ones first.

    Returns
    -------
    DataFrame
        file, sheet, item, title, word, count, answers (of the item in the table that are not empty), near (answers that
        could be meant), stops (whether a run stops on the item in this table).
    """
    limits = survey.rules.responses.unknown_answers
    parts: list[pd.DataFrame] = []
    for name, item in survey.questionnaire.items.items():
        if isinstance(item, TextItem | AreaItem):
            continue
        columns = survey.questionnaire.columns(name)
        null = [coded[column].isna().to_numpy() for column in (columns[0], columns[-1])]
        unknown = null[0] & null[1] & tables.looked_at
        if not unknown.any():
            continue
        answered = (text[name] != "").to_numpy() & tables.looked_at
        unknown &= answered
        values = text.loc[unknown, name].astype(object)
        if isinstance(item, NumberItem):
            values = values[pd.to_numeric(values, errors="coerce").isna()]
        if not len(values):
            continue
        found = _words(values, item, survey.questionnaire, name).assign(_table=lambda one: tables.number[one.index])
        answers = np.bincount(tables.number[answered], minlength=len(tables.places))
        counted = found.groupby(["_table", "word"]).size().rename("count").reset_index()
        rows = values.groupby(tables.number[values.index]).size()
        table, total = counted["_table"].to_numpy(), rows.loc[counted["_table"]].to_numpy()
        often = counted["count"].groupby(table).transform("max") >= limits.repeated
        many = (total > limits.count) & (total > limits.share * answers[table])
        near = {word: " / ".join(near_answers(survey.questionnaire, name, word)) for word in counted["word"].unique()}
        places = [tables.places[one] for one in table]
        parts.append(
            counted.assign(
                file=[file for file, _ in places],
                sheet=[sheet for _, sheet in places],
                item=name,
                title=item.zh,
                answers=answers[table],
                near=counted["word"].map(near),
                stops=often | many,
            )
        )
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    listed = pd.concat(parts).sort_values(["_table", "count"], ascending=[True, False], kind="stable")
    return listed[list(COLUMNS)].reset_index(drop=True)


def _words(values: pd.Series, item: Item, questionnaire: Questionnaire, name: str) -> pd.DataFrame:
    """Return the words that are unknown, by the row they stand in: of a select-all answer the parts that are no options."""
    if not isinstance(item, MultipleItem):
        return pd.DataFrame({"word": values.map(shown)})
    answers = Answers(questionnaire, name)
    words: dict[str, list[str]] = {}
    for value in values.unique():
        parts = splits(value, item)[1]
        words[value] = [shown(part) for part in parts if answers.code(part) is None] or [shown(value)]
    return pd.DataFrame({"word": values.map(words)}).explode("word")


def near_answers(questionnaire: Questionnaire, name: str, word: str) -> list[str]:
    """Return the answers of an item that a word could mean, with their codes; never one that says the opposite."""
    if not isinstance(questionnaire.items[name], SingleItem | MultipleItem):
        return []
    answers = Answers(questionnaire, name)
    close = difflib.get_close_matches(fold(word), list(answers.labels), n=2 * NEAREST, cutoff=0.5)
    codes = dict.fromkeys(answers.labels[label] for label in close if not is_opposite(word, label))
    return [answers.named(code) for code in codes][:NEAREST]


def refuse_unknown(found: pd.DataFrame, survey: Survey) -> None:
    """Refuse responses with more unknown answers than rules.yaml allows an item of a file.

    Raises
    ------
    ResponsesError
        R300, with the words of the first item in full.
    """
    stopping = found[found["stops"]]
    if stopping.empty:
        return
    places = list(stopping[["file", "sheet", "item"]].drop_duplicates().itertuples(index=False, name=None))
    file, sheet, name = places[0]
    words = stopping[(stopping["file"] == file) & (stopping["sheet"] == sheet) & (stopping["item"] == name)]
    item = survey.questionnaire.items[name]
    listed = shortened(map(_line, words.itertuples()), MOST_WORDS)
    more_zh = f"另有 {len(places) - 1} 处（文件与题目）也是如此。" if len(places) > 1 else ""
    more_en = f" The same holds for {len(places) - 1} other items of files." if len(places) > 1 else ""
    answered = words["answers"].iloc[0]
    raise ResponsesError(
        "R300",
        f"“{item.zh}”（{name}）的 {answered} 个答案中有问卷不认识的说法: {listed}。{more_zh}",
        f"'{item.en}' ({name}) has answers that the questionnaire does not know, among {answered}: {listed}.{more_en}",
        where=" ".join(filter(None, (file, sheet))),
        available=_answers(survey.questionnaire, name),
        hint=_advice(survey, name, str(words["word"].iloc[0])),
    )


def _line(row: object) -> str:
    near = f"（最近 nearest: {row.near}）" if row.near else ""  # type: ignore[attr-defined]
    return f"“{row.word}” × {row.count}{near}"  # type: ignore[attr-defined]


def _answers(questionnaire: Questionnaire, name: str) -> list[str]:
    if not isinstance(questionnaire.items[name], SingleItem | MultipleItem):
        return []
    answers = Answers(questionnaire, name)
    return [answers.named(code) for code in answers.declared]


def _advice(survey: Survey, name: str, word: str) -> tuple[str, str]:
    """Say where the meaning of a word is written, and how the words are all seen; what it means is for the team to say."""
    item, path = survey.questionnaire.items[name], survey.folder / WORDINGS_FILE
    every = ("用 satisfaction check 查看全部说法。", "`satisfaction check` lists all of them.")
    if word == MASK or not isinstance(item, SingleItem | MultipleItem):
        return (f"在答卷文件中改正。{every[0]}", f"Correct the file. {every[1]}")
    place = getattr(item, "scale", None) or name
    return (
        f"向调查队核实后写入 {path}，第一行 item,wording,answer,source，以下每种说法一行，如 {place},{word},答案的编码,谁确认的；"
        f"作空白读取的 answer 写 NA。{every[0]}",
        f"Ask the team, then write into {path}: first row item,wording,answer,source, then a row a word, such as "
        f"{place},{word},CODE OF THE ANSWER,WHO SAID SO; answer NA leaves it empty. {every[1]}",
    )
