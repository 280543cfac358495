"""Words that the questionnaire does not have: what the wave's own list says of them, and the usual wordings.

A fielded questionnaire is never touched: what a wave adds stands in its `wordings.csv`, what holds everywhere in
`usual_wordings.yaml` beside this module. Both only read a word that no answer of the item has.

Answers that nobody knows: counted for every item of every file, and refused where they could move a figure.

A team that words one end of a scale otherwise loses these answers alone, so that its area looks far better or worse than
it is; and no interval shows it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.collection.coding import splits
from satisfaction.collection.log import Tables, is_opposite, shown
from satisfaction.collection.spelling import Answers, exchanged, fold, numbered
from satisfaction.declarations.items import (
    AreaItem,
    Item,
    MultipleItem,
    NumberItem,
    SingleItem,
    TextItem,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import WORDINGS_FILE, Survey
from satisfaction.foundation.errors import ResponsesError, shortened
from satisfaction.foundation.personal import MASK
from satisfaction.foundation.tables import read_table
from satisfaction.foundation.yaml import Record, read_yaml, validated

COLUMNS = ("item", "wording", "answer", "source")
USUAL = Path(__file__).with_name("usual_wordings.yaml")
Codes = dict[str, str]  # folded wording -> code as text, empty for no answer


class _UsualAnswer(Record):
    """Wordings of an answer; `beside`: only on scales that have one of these answers too."""

    answer: str
    words: list[str]
    beside: list[str] = []


class _Vocabulary(Record):
    """Lists of five words from one end to the other that say the same in the same place."""

    subject: str
    lists: list[tuple[str, str, str, str, str]]


class _Usual(Record):
    answers: list[_UsualAnswer]
    vocabularies: list[_Vocabulary]


@lru_cache(maxsize=1)
def usual_wordings() -> _Usual:
    """Return the usual wordings that the package ships."""
    return validated(read_yaml(USUAL, ResponsesError), _Usual, ResponsesError)


def read_wordings(survey: Survey) -> dict[str, Codes]:
    """Return the wordings of the wave by item, from its `wordings.csv`; empty where there is none.

    Its columns: item (or the name of a scale, for all its items), wording, answer (a code or label of the item; a word
    that rules.yaml counts as empty, such as NA, for no answer), source.

    Raises
    ------
    ResponsesError
        R306 a column is missing; R307 a line that names no item or answer, contradicts the questionnaire or another line.
    """
    path = survey.folder / WORDINGS_FILE
    if not path.is_file():
        return {}
    table = read_table(path).map(str.strip)
    if lacking := [name for name in COLUMNS if name not in table]:
        raise ResponsesError(
            "R306",
            f"说法表缺少列 '{lacking[0]}'。",
            f"The list of wordings lacks column '{lacking[0]}'.",
            where=f"{path} row 1",
            available=COLUMNS,
            hint=(f"第一行写 {','.join(COLUMNS)}。", f"The first row is {','.join(COLUMNS)}."),
        )
    found: dict[str, Codes] = {}
    for line, one in enumerate(table.itertuples(index=False), start=2):
        for name in _items(survey.questionnaire, one.item, where=f"{path} row {line}"):
            code = _code(survey, name, one.wording, one.answer, where=f"{path} row {line}")
            before = found.setdefault(name, {}).setdefault(fold(one.wording), code)
            if before != code:
                raise _wrong_line(
                    f"{path} row {line}",
                    (
                        f"'{shown(one.wording)}' 前面已写为另一答案。",
                        f"'{shown(one.wording)}' was given another answer above.",
                    ),
                )
    return found


def _items(questionnaire: Questionnaire, name: str, *, where: str) -> list[str]:
    """Return the coded items that a line concerns."""
    coded = [
        key
        for key, item in questionnaire.items.items()
        if isinstance(item, SingleItem | MultipleItem)
    ]
    if name in coded:
        return [name]
    if of_scale := [
        key for key in coded if getattr(questionnaire.items[key], "scale", None) == name
    ]:
        return of_scale
    zh, en = (
        f"问卷中没有单选题、多选题或量表 '{shown(name)}'。",
        f"No single or select-all item or scale is called '{shown(name)}'.",
    )
    raise _wrong_line(where, (zh, en), available=[*questionnaire.scales, *coded], got=name)


def _code(survey: Survey, name: str, wording: str, answer: str, *, where: str) -> str:
    """Return the code of the answer that a line gives, as text."""
    answers = Answers(survey.questionnaire, name)
    known, code = answers.code(wording), answers.code(answer)
    listed = [answers.named(one) for one in answers.declared]
    if not fold(wording):
        raise _wrong_line(where, ("没有写 wording。", "No wording is given."))
    if known is not None and known != code:
        zh = (
            f"'{shown(wording)}' 是 {name} 已有的答案（{answers.named(known)}），不能改作别的答案。"
        )
        en = f"'{shown(wording)}' is an answer of {name} already ({answers.named(known)}); it cannot mean another."
        raise _wrong_line(where, (zh, en))
    if code is not None:
        return str(code)
    if answer.casefold() in {word.casefold() for word in survey.rules.responses.empty}:
        return ""
    zh = f"'{shown(answer)}' 不是 {name} 的答案。"
    raise _wrong_line(
        where, (zh, f"'{shown(answer)}' is no answer of {name}."), available=listed, got=answer
    )


def _wrong_line(
    where: str, what: tuple[str, str], *, available: Sequence[str] = (), got: str = ""
) -> ResponsesError:
    return ResponsesError(
        "R307",
        *what,
        where=where,
        available=available,
        got=got,
        hint=(
            "改正或删去该行；作空白读取的，answer 写 NA。",
            "Correct or remove the line; write NA as the answer for no answer.",
        ),
    )


def exchange_wordings(
    text: pd.DataFrame, tables: Tables, survey: Survey, events: list[pd.DataFrame]
) -> None:
    """Write the code of an answer in place of another wording of it, in `text`; logged for each table and word.

    Raises
    ------
    ResponsesError
        As `read_wordings`.
    """
    questionnaire, wave = survey.questionnaire, read_wordings(survey)
    coded = {
        name: item
        for name, item in questionnaire.items.items()
        if isinstance(item, SingleItem | MultipleItem)
    }
    answers = {name: Answers(questionnaire, name) for name in coded}
    unread = [name for name in coded if any(map(answers[name].is_unknown, numbered(text[name])[1]))]
    for rows, name, meant in list(_in_whole_vocabularies(text, tables, answers, wave)):
        _exchange(
            text, (name, coded[name]), meant, answers[name], tables, events, rows=rows, rule="R301"
        )
    for name in unread:
        _exchange(
            text,
            (name, coded[name]),
            wave.get(name, {}),
            answers[name],
            tables,
            events,
            rule="R302",
        )
        _exchange(
            text,
            (name, coded[name]),
            usual_codes(answers[name]),
            answers[name],
            tables,
            events,
            rule="R301",
        )


def usual_codes(answers: Answers) -> Codes:
    """Return the usual wordings that have one meaning on an item, and are not answers of it themselves."""
    found: dict[str, set[str]] = {}
    for one in usual_wordings().answers:
        code = answers.labels.get(fold(one.answer))
        if code is not None and (
            not one.beside or any(fold(word) in answers.labels for word in one.beside)
        ):
            for word in one.words:
                found.setdefault(fold(word), set()).add(str(code))
    return {
        word: next(iter(codes))
        for word, codes in found.items()
        if len(codes) == 1 and word not in answers.spelt
    }


def _exchange(
    text: pd.DataFrame,
    item: tuple[str, Item],
    meant: Codes,
    answers: Answers,
    tables: Tables,
    events: list[pd.DataFrame],
    *,
    rows: np.ndarray | None = None,
    rule: str,
) -> None:
    """Exchange the words of an item, where they stand for an answer alone or among the options of a select-all item."""
    name, declared = item
    changed: dict[str, str] = {}
    said: dict[str, str] = {}
    for value in numbered(text[name])[1] if meant else ():
        if not answers.is_unknown(value):
            continue
        ways = [[value]]
        if isinstance(declared, MultipleItem) and fold(value) not in meant:
            ways = list(splits(value, declared))
        for parts in ways:
            words = [part for part in parts if fold(part) in meant and answers.code(part) is None]
            if words:
                separator = getattr(declared, "separator", "")
                changed[value] = separator.join(
                    meant[fold(part)] if part in words else part for part in parts
                )
                said[value] = ", ".join(_named(answers, meant[fold(word)]) for word in words)
                break
    if not changed:
        return
    before = text[name].astype(object)
    after = exchanged(text[name], lambda value: changed.get(value, value))
    if rows is not None:
        after = after.where(rows, before)
        before = before.where(rows, "")
    events.append(tables.log_words(name, before, said, rule=rule))
    text[name] = after.astype("category")


def _named(answers: Answers, code: str) -> str:
    return answers.named(int(code)) if code else "空白 empty"


def _in_whole_vocabularies(
    text: pd.DataFrame, tables: Tables, answers: dict[str, Answers], wave: dict[str, Codes]
) -> Iterator[tuple[np.ndarray, str, Codes]]:
    """Yield the rows of a table, the item, and what its words mean, where the table uses a vocabulary as a whole.

    The words are gathered over all items of one scale in the table, because few items alone meet every answer.
    """
    by_scale: dict[tuple[str, ...], list[str]] = {}
    for name, one in answers.items():
        if not one.multiple:
            by_scale.setdefault(one.scale, []).append(name)
    for scale, names in by_scale.items():
        unknown = {
            fold(word)
            for name in names
            for word in numbered(text[name])[1]
            if answers[name].is_unknown(word)
        }
        known = _vocabularies(scale, answers[names[0]])
        candidates = [(words, codes) for words, codes in known if unknown & {*words}]
        for table in range(len(tables.places)) if candidates else ():
            rows = (tables.number == table) & tables.looked_at
            used = {word for name in names for word in text.loc[rows, name].unique()}
            for words, codes in candidates:
                if _is_whole(words, used, answers[names[0]]):
                    for name in names:
                        free = {
                            word: code
                            for word, code in codes.items()
                            if word not in wave.get(name, {})
                        }
                        yield rows, name, free


def _vocabularies(scale: tuple[str, ...], answers: Answers) -> Iterator[tuple[list[str], Codes]]:
    """Yield the vocabularies that may be used in place of a scale's own, with the code of each word."""
    for group in usual_wordings().vocabularies:
        own = next((words for words in group.lists if {*map(fold, words)} == {*scale}), None)
        if own is None or len(scale) != len(own):
            continue
        for words in group.lists:
            codes = {
                fold(word): str(answers.labels[fold(label)])
                for word, label in zip(words, own, strict=True)
            }
            contradicts = [
                word for word in codes if str(answers.labels.get(word, codes[word])) != codes[word]
            ]
            if words != own and not contradicts:
                yield list(codes), codes


def _is_whole(words: list[str], used: set[str], answers: Answers) -> bool:
    """Tell whether all words of a vocabulary are used, and no other word or code of an answer beside them."""
    usual = usual_codes(answers)
    others = set()
    for value in used:
        code = answers.code(value) if value else None
        meant = str(code) if code is not None else usual.get(fold(value), "")
        if meant and int(meant) in answers.options and fold(value) not in words:
            others.add(value)
    return not others and set(words) <= {fold(value) for value in used}


UNKNOWN_COLUMNS = ("file", "sheet", "item", "title", "word", "count", "answers", "near", "stops")
NEAREST = 3
MOST_WORDS = 12


def unknown_answers(
    text: pd.DataFrame, coded: pd.DataFrame, tables: Tables, survey: Survey
) -> pd.DataFrame:
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
        found = _words(values, item, survey.questionnaire, name).assign(
            _table=lambda one: tables.number[one.index]
        )
        answers = np.bincount(tables.number[answered], minlength=len(tables.places))
        counted = found.groupby(["_table", "word"]).size().rename("count").reset_index()
        rows = values.groupby(tables.number[values.index]).size()
        table, total = counted["_table"].to_numpy(), rows.loc[counted["_table"]].to_numpy()
        often = counted["count"].groupby(table).transform("max") >= limits.repeated
        many = (total > limits.count) & (total > limits.share * answers[table])
        near = {
            word: " / ".join(near_answers(survey.questionnaire, name, word))
            for word in counted["word"].unique()
        }
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
        return pd.DataFrame(columns=list(UNKNOWN_COLUMNS))
    listed = pd.concat(parts).sort_values(
        ["_table", "count"], ascending=[True, False], kind="stable"
    )
    return listed[list(UNKNOWN_COLUMNS)].reset_index(drop=True)


def _words(values: pd.Series, item: Item, questionnaire: Questionnaire, name: str) -> pd.DataFrame:
    """Return the words that are unknown, by the row they stand in: of a select-all answer the parts that are no options."""
    if not isinstance(item, MultipleItem):
        return pd.DataFrame({"word": values.map(shown)})
    answers = Answers(questionnaire, name)
    words: dict[str, list[str]] = {}
    for value in values.unique():
        parts = splits(value, item)[1]
        words[value] = [shown(part) for part in parts if answers.code(part) is None] or [
            shown(value)
        ]
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
    places = list(
        stopping[["file", "sheet", "item"]].drop_duplicates().itertuples(index=False, name=None)
    )
    file, sheet, name = places[0]
    words = stopping[
        (stopping["file"] == file) & (stopping["sheet"] == sheet) & (stopping["item"] == name)
    ]
    item = survey.questionnaire.items[name]
    listed = shortened(map(_line, words.itertuples()), MOST_WORDS)
    more_zh = f"另有 {len(places) - 1} 处（文件与题目）也是如此。" if len(places) > 1 else ""
    more_en = (
        f" The same holds for {len(places) - 1} other items of files." if len(places) > 1 else ""
    )
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
