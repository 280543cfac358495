"""Answers in another spelling or wording: what a text means as an answer of an item, and what nobody knows.

Brackets, spaces, full-width characters and numbering do not count. A fielded questionnaire is never touched: what a
wave adds stands in its `wordings.csv`, what holds everywhere in `usual_wordings.yaml` beside this module. Both only
read a word that no answer of the item has.

Answers that nobody knows are counted for every item of every file, and refused where they could move a figure: a team
that words one end of a scale otherwise loses these answers alone, so that its area looks far better or worse than it
is; and no interval shows it.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from satisfaction.collection.account import ReadTables, Step, is_opposite, shown
from satisfaction.declarations.area_names import fold
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
from satisfaction.foundation.errors import ResponsesError, place_of, require_names, shortened_list
from satisfaction.foundation.language import N_, Text, _, ngettext
from satisfaction.foundation.personal import MASK
from satisfaction.foundation.tables import read_filled_in
from satisfaction.foundation.yaml import Label, read_yaml

INTEGER = re.compile(r"[+-]?\d+")
WITH_ZEROS = re.compile(
    r"(-?\d+)\.0+"
)  # a whole number as pandas and R write it beside missing values
LONGEST = 200  # characters of an answer that may be written with its code
POINTS = re.compile(r"(\d+)\s*分")
CODE_FIRST = re.compile(r"[(\[]?(-?\d+)[)\]]?[\s_‐-―−-]*([^\d\s].*)")
CODE_LAST = re.compile(r"(.*[^\d\s(\[-])[\s_‐-―−-]*[(\[]?(\d+)\s*分?[)\]]?")
TYPED = r";；,，、/\s"  # what people type between options instead of the separator
COLUMNS = ("item", "wording", "answer", "source")
UNKNOWN_COLUMNS = ("file", "sheet", "item", "title", "word", "count", "answers", "near", "stops")
NEAREST = 3
MOST_WORDS = 12
USUAL = Path(__file__).with_name("usual_wordings.yaml")
Meaning = TypeVar("Meaning")
Codes = dict[str, str]  # folded wording -> code as text, empty for no answer


def without_zeros(text: str) -> str:
    """Return 5 for 5.0 and 5.00, any other text as it stands."""
    whole = WITH_ZEROS.fullmatch(text)
    if whole:
        return whole[1]
    return text


def labels_of(label: Label | Text) -> tuple[str, ...]:
    """Return the texts by which an answer or item may be called, folded; numbers alone are none."""
    aliases = getattr(label, "aliases", ())
    texts = map(fold, (label.zh, label.en, *aliases))
    return tuple(text for text in texts if text and not INTEGER.fullmatch(text))


class Answers:
    """The codes of a single or multiple item by every spelling that has one meaning only.

    Attributes
    ----------
    declared : dict of int to Label
        All answers by code, special codes last.
    options, special : frozenset of int
        Codes of answers, and of special ones such as don't know.
    codes : dict of str to int
        The codes as text.
    labels : dict of str to int
        Folded labels and aliases.
    spelt : frozenset of str
        Folded labels and aliases, those of several answers among them.
    texts : tuple of str
        Codes and labels as they are declared.
    scale : tuple of str
        The folded Chinese labels of the answers, without special codes; what tells scales apart.
    multiple : bool
    """

    def __init__(self, questionnaire: Questionnaire, name: str) -> None:
        item = questionnaire.items[name]
        self.multiple = isinstance(item, MultipleItem)
        options = questionnaire.choices(name)
        special = questionnaire.special(name)
        self.options = frozenset(options)
        self.special = frozenset(special)
        self.declared: dict[int, Label] = {**options, **special}
        self.codes = {str(code): code for code in self.declared}
        self.scale = tuple(map(fold, [label.zh for label in options.values()]))
        meanings: dict[str, set[int]] = {}
        texts = list(self.codes)
        for code, label in self.declared.items():
            texts += [label.zh, label.en]
            for text in labels_of(label):
                meanings.setdefault(text, set()).add(code)
        self.texts = tuple(texts)
        self.spelt = frozenset(meanings)
        self.labels = with_one_meaning(meanings)
        self._scores = {code: getattr(label, "score", None) for code, label in options.items()}
        by_code: list[Any] = [self._scores[code] for code in sorted(options)]
        self._rising = None not in by_code and by_code == sorted(set(by_code))

    def code(self, value: str) -> int | None:
        """Return the code of a text that is one, or the label of one, or both where they agree."""
        plain = without_zeros(value)
        code = self.codes.get(plain)
        if code is None:
            code = self.labels.get(fold(plain))
        if code is None:
            code = self._spelt_with_code(plain)
        return code

    def _spelt_with_code(self, value: str) -> int | None:
        """Return the code of an answer written with its code or score.

        Points alone are a code only where a higher code scores higher; on a scale that counts down they may mean either end.
        """
        plain = unicodedata.normalize("NFKC", value).strip()
        if len(plain) > LONGEST:
            return None
        if points := POINTS.fullmatch(plain):
            code = int(points[1])
            if self._rising and code in self._scores:
                return code
            return None
        pairs = []
        if first := CODE_FIRST.fullmatch(plain):
            pairs.append((first[1], first[2]))
        if last := CODE_LAST.fullmatch(plain):
            pairs.append((last[2], last[1]))
        for number, text in pairs:
            labelled = self.labels.get(fold(text))
            if labelled is None:
                continue
            if int(number) in (labelled, self._scores.get(labelled)):
                return labelled
        return None

    def is_unknown(self, value: str) -> bool:
        """Tell a text that is no answer; of a select-all item any that is not one answer alone."""
        return bool(value) and self.code(value) is None

    def named(self, code: int) -> str:
        """Return a code with its Chinese label, as messages show it."""
        return f"{code} {self.declared[code].zh}"

    def listed(self) -> list[str]:
        """Return all answers as messages show them."""
        return [self.named(code) for code in self.declared]


def with_one_meaning(meanings: Mapping[str, set[Meaning]]) -> dict[str, Meaning]:
    """Return the texts that mean one thing only, with what they mean."""
    only = {}
    for text, codes in meanings.items():
        if len(codes) == 1:
            (only[text],) = codes
    return only


def answers_by_item(questionnaire: Questionnaire) -> dict[str, Answers]:
    """Return the answers of every single and select-all item."""
    coded = questionnaire.items_of(SingleItem, MultipleItem)
    return {name: Answers(questionnaire, name) for name in coded}


def splits(value: str, item: MultipleItem) -> tuple[list[str], list[str]]:
    """Return the parts of a select-all answer by its own separator, and by what people type."""
    separators = f"{re.escape(item.separator)}┋|"
    separated = map(str.strip, re.split(f"[{separators}]", value))
    typed = map(str.strip, re.split(f"[{separators}{TYPED}]", value))
    return list(filter(None, separated)), list(filter(None, typed))


def distinct_texts(values: pd.Series) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.object_]]:
    """Return a column of texts, none of them null, as numbers and the different texts these stand for."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        categories = values.cat.categories.to_numpy(dtype=object)
        return values.cat.codes.to_numpy(), categories
    codes, different = pd.factorize(values.to_numpy(dtype=object))
    return codes, different


def map_texts(values: pd.Series, change: Callable[[str], object]) -> pd.Series:
    """Return a column of objects with each different text changed once."""
    codes, different = distinct_texts(values)
    new = np.empty(len(different), dtype=object)
    new[:] = [change(value) for value in different]
    return pd.Series(new[codes], index=values.index, dtype=object)


def map_to_codes(values: pd.Series, look_up: Callable[[str], int | None]) -> pd.Series:
    """Return an Int64 column with each different text looked up once; None becomes null."""
    place, different = distinct_texts(values)
    codes = pd.array([look_up(value) for value in different], dtype="Int64")
    return pd.Series(codes.take(place), index=values.index)


@cache
def usual_wordings() -> Any:
    """Return the usual wordings that the package ships: of answers, and vocabularies of scales."""
    return read_yaml(USUAL, ResponsesError).data


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
    table = read_filled_in(path)
    not_there = N_("The list of wordings lacks column '{name}'.")
    hint = _("The first row is {COLUMNS}.", COLUMNS=",".join(COLUMNS))
    require_names(
        COLUMNS,
        table,
        ResponsesError,
        code="R306",
        text=not_there,
        where=f"{path} row 1",
        hint=hint,
    )
    wordings: dict[str, Codes] = {}
    for line in table.itertuples():
        where = f"{path} row {line.Index}"
        wording = shown(line.wording)
        for name in _items(survey.questionnaire, line.item, where=where):
            code = _code(survey, name, line.wording, answer=line.answer, where=where)
            of_item = wordings.setdefault(name, {})
            if of_item.setdefault(fold(line.wording), code) != code:
                text = _("'{wording}' was given another answer above.", wording=wording)
                raise _wrong_line(where, text)
    return wordings


def _items(questionnaire: Questionnaire, name: str, *, where: str) -> list[str]:
    """Return the coded items that a line concerns."""
    coded = list(answers_by_item(questionnaire))
    if name in coded:
        return [name]
    of_scale = []
    for key in coded:
        if getattr(questionnaire.items[key], "scale", None) == name:
            of_scale.append(key)
    if of_scale:
        return of_scale
    text = _("No single or select-all item or scale is called '{shown}'.", shown=shown(name))
    known = [*questionnaire.scales, *coded]
    raise _wrong_line(where, text, available=known, got=name)


def _code(survey: Survey, name: str, wording: str, *, answer: str, where: str) -> str:
    """Return the code of the answer that a line gives, as text."""
    answers = Answers(survey.questionnaire, name)
    known = answers.code(wording)
    code = answers.code(answer)
    if not fold(wording):
        raise _wrong_line(where, _("No wording is given."))
    if known is not None and known != code:
        text = _(
            "'{wording}' is an answer of {name} already ({known}); it cannot mean another.",
            wording=shown(wording),
            name=name,
            known=answers.named(known),
        )
        raise _wrong_line(where, text)
    if code is not None:
        return str(code)
    empty = map(str.casefold, survey.rules.responses.empty)
    if answer.casefold() in empty:
        return ""
    text = _("'{answer}' is no answer of {name}.", answer=shown(answer), name=name)
    raise _wrong_line(where, text, available=answers.listed(), got=answer)


def _wrong_line(
    where: str, text: Text, *, available: Sequence[str] = (), got: str = ""
) -> ResponsesError:
    return ResponsesError(
        "R307",
        text,
        where=where,
        available=available,
        got=got,
        hint=_("Correct or remove the line; write NA as the answer for no answer."),
    )


class _Rewording(NamedTuple):
    """What words of an item are read as, by which rule, and in which rows (None: in all)."""

    item: str
    codes: Codes
    rule: str
    rows: npt.NDArray[np.bool_] | None = None


def exchange_wordings(text: pd.DataFrame, tables: ReadTables, survey: Survey) -> Step:
    """Write the code of an answer in place of another wording of it; logged for each table and word.

    Raises
    ------
    ResponsesError
        As `read_wordings`.
    """
    questionnaire = survey.questionnaire
    wave = read_wordings(survey)
    answers = answers_by_item(questionnaire)
    rewordings = list(_whole_vocabularies(text, tables, answers, wave=wave))
    for name in answers:
        _codes, different = distinct_texts(text[name])
        if any(map(answers[name].is_unknown, different)):
            rewordings.append(_Rewording(name, wave.get(name, {}), "R302"))
            rewordings.append(_Rewording(name, usual_codes(answers[name]), "R301"))
    columns: dict[str, pd.Series] = {}
    entries = []
    for name, codes, rule, rows in rewordings:
        item = questionnaire.items[name]
        values = columns.get(name, text[name])
        new_texts: dict[str, str] = {}
        meanings: dict[str, str] = {}
        for value in distinct_texts(values)[1]:
            words, parts = _known_words(value, item, answers[name], codes=codes)
            new_texts[value] = value
            if words:
                new_texts[value] = getattr(item, "separator", "").join(parts)
                named = []
                for word in words:
                    code = codes[word]
                    named.append(answers[name].named(int(code)) if code else _("empty").both)
                meanings[value] = ", ".join(named)
        if not meanings:
            continue
        before = values.astype(object)
        after = map_texts(values, new_texts.__getitem__)
        if rows is not None:
            after = after.where(rows, before)
            before = before.where(rows, "")
        entries.append(tables.log_words(name, before, meanings, rule=rule))
        columns[name] = after.astype("category")
    return Step(text.assign(**columns), tuple(entries))


def _known_words(
    value: str, item: Item, answers: Answers, *, codes: Codes
) -> tuple[list[str], list[str]]:
    """Return the words (folded) of an unknown answer that `codes` knows, and all parts with their codes in place.

    Of a select-all item a word may stand among others.
    """
    if not codes or not answers.is_unknown(value):
        return [], []
    ways = [[value]]
    if isinstance(item, MultipleItem) and fold(value) not in codes:
        ways = list(splits(value, item))
    for parts in ways:
        words = []
        written = []
        for part in parts:
            if fold(part) in codes and answers.code(part) is None:
                words.append(fold(part))
                written.append(codes[fold(part)])
            else:
                written.append(part)
        if words:
            return words, written
    return [], []


def usual_codes(answers: Answers) -> Codes:
    """Return the usual wordings that have one meaning on an item, and are not answers of it themselves."""
    meanings: dict[str, set[int]] = {}
    for usual in usual_wordings()["answers"]:
        code = answers.labels.get(fold(usual["answer"]))
        beside = set(map(fold, usual.get("beside", ())))  # on scales with one of these answers too
        fits = not beside or not beside.isdisjoint(answers.labels)
        if code is None or not fits:
            continue
        for word in map(fold, usual["words"]):
            if word not in answers.spelt:
                meanings.setdefault(word, set()).add(code)
    codes = with_one_meaning(meanings)
    return {word: str(code) for word, code in codes.items()}


def _whole_vocabularies(
    text: pd.DataFrame, tables: ReadTables, answers: dict[str, Answers], *, wave: dict[str, Codes]
) -> Iterator[_Rewording]:
    """Yield what the words of an item mean in a table that uses a vocabulary as a whole.

    The words are gathered over all items of one scale in the table, because few items alone meet every answer.
    """
    items_of: dict[tuple[str, ...], list[str]] = {}
    for name in answers:
        if not answers[name].multiple:
            items_of.setdefault(answers[name].scale, []).append(name)
    for scale, names in items_of.items():
        of_scale = answers[names[0]]
        unknown: set[str] = set()
        for name in names:
            _codes, different = distinct_texts(text[name])
            unknown.update(map(fold, filter(answers[name].is_unknown, different)))
        vocabularies = list(_vocabularies(scale, of_scale))
        candidates = [codes for codes in vocabularies if unknown & codes.keys()]
        if not candidates:
            continue
        for table in range(len(tables.places)):
            rows = (tables.number == table) & tables.looked_at
            used = set().union(*(text.loc[rows, name].unique() for name in names))
            for codes in candidates:
                if not _is_whole(codes, used, of_scale):
                    continue
                for name in names:
                    of_wave = wave.get(name, {})
                    free = {word: codes[word] for word in codes if word not in of_wave}
                    yield _Rewording(name, free, "R301", rows)


def _vocabularies(scale: tuple[str, ...], answers: Answers) -> Iterator[Codes]:
    """Yield the vocabularies that may be used in place of a scale's own, with the code of each word."""
    for group in usual_wordings()["vocabularies"]:
        lists = [tuple(map(fold, words)) for words in group["lists"]]
        declared = next((words for words in lists if {*words} == {*scale}), None)
        if declared is None or len(scale) != len(declared):
            continue
        in_order = [answers.labels[label] for label in declared]
        for words in lists:
            codes = dict(zip(words, in_order, strict=True))
            as_declared = {word: answers.labels.get(word, code) for word, code in codes.items()}
            if words != declared and codes == as_declared:
                yield {word: str(code) for word, code in codes.items()}


def _is_whole(codes: Codes, used: set[str], answers: Answers) -> bool:
    """Tell whether all words of a vocabulary are used, and no other word or code of an answer beside them."""
    usual = usual_codes(answers)
    words = set()
    for value in used:
        word = fold(value)
        words.add(word)
        code = answers.code(value) if value else None
        if code is None and usual.get(word):
            code = int(usual[word])
        if code in answers.options and word not in codes:
            return False
    return codes.keys() <= words


def unknown_answers(
    text: pd.DataFrame, coded: pd.DataFrame, tables: ReadTables, *, survey: Survey
) -> pd.DataFrame:
    """Count the texts that became no answer, one row a table, item and word, the frequent ones first.

    Returns
    -------
    DataFrame
        file, sheet, item, title, word, count, answers (of the item in the table that are not empty), near (answers that
        could be meant), stops (whether a run stops on the item in this table).
    """
    questionnaire = survey.questionnaire
    parts = []
    for name, item in questionnaire.items.items():
        if isinstance(item, TextItem | AreaItem):
            continue
        columns = questionnaire.columns(name)
        is_null = coded[[columns[0], columns[-1]]].isna().all(axis=1)
        without_code = is_null.to_numpy() & tables.looked_at
        if not without_code.any():
            continue
        answered = (text[name] != "").to_numpy() & tables.looked_at
        values = text[name][without_code & answered].astype(object)
        if isinstance(item, NumberItem):  # what is out of range is no other wording
            values = values[pd.to_numeric(values, errors="coerce").isna()]
        if len(values):
            parts.append(_counted(values, name, tables, survey=survey, answered=answered))
    if not parts:
        return pd.DataFrame(columns=list(UNKNOWN_COLUMNS))
    counts = pd.concat(parts)
    counts = counts.sort_values(["_table", "count"], ascending=[True, False], kind="stable")
    return counts[list(UNKNOWN_COLUMNS)].reset_index(drop=True)


def _counted(
    values: pd.Series,
    name: str,
    tables: ReadTables,
    *,
    survey: Survey,
    answered: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    """Count the unknown words of an item by table, beside those who answered it; say whether they are more than a run allows."""
    questionnaire = survey.questionnaire
    limits = survey.rules.responses.unknown_answers
    item = questionnaire.items[name]
    words = _words(values, item, questionnaire, name=name)
    words["_table"] = tables.number[words.index]
    counts = words.groupby(["_table", "word"]).size().rename("count").reset_index()
    table = counts["_table"].to_numpy()
    answers = np.bincount(tables.number[answered], minlength=len(tables.places))
    unknown = np.bincount(tables.number[values.index], minlength=len(tables.places))
    most = counts["count"].groupby(table).transform("max")
    too_many = (unknown > limits.count) & (unknown > limits.share * answers)
    near = {}
    for word in counts["word"].unique():
        near[word] = " / ".join(near_answers(questionnaire, name, word))
    counts["file"] = [tables.places[number][0] for number in table]
    counts["sheet"] = [tables.places[number][1] for number in table]
    counts["item"] = name
    counts["title"] = pd.Series([item.text] * len(counts), dtype=object)
    counts["answers"] = answers[table]
    counts["near"] = counts["word"].map(near)
    counts["stops"] = (most >= limits.repeated) | too_many[table]
    return counts


def _words(
    values: pd.Series, item: Item, questionnaire: Questionnaire, *, name: str
) -> pd.DataFrame:
    """Return the words that are unknown, by the row they stand in: of a select-all answer the parts that are no options."""
    if not isinstance(item, MultipleItem):
        return pd.DataFrame({"word": values.map(shown)})
    answers = Answers(questionnaire, name)
    words: dict[str, list[str]] = {}
    for value in values.unique():
        _by_separator, parts = splits(value, item)
        unknown = [shown(part) for part in parts if answers.code(part) is None]
        words[value] = unknown or [shown(value)]
    return pd.DataFrame({"word": values.map(words)}).explode("word")


def near_answers(questionnaire: Questionnaire, name: str, word: str) -> list[str]:
    """Return the answers of an item that a word could mean, with their codes; never one that says the opposite."""
    if not isinstance(questionnaire.items[name], SingleItem | MultipleItem):
        return []
    answers = Answers(questionnaire, name)
    labels = list(answers.labels)
    close = difflib.get_close_matches(fold(word), labels, n=2 * NEAREST, cutoff=0.5)
    meant = [answers.labels[label] for label in close if not is_opposite(word, label)]
    codes = list(dict.fromkeys(meant))
    return list(map(answers.named, codes[:NEAREST]))


def refuse_unknown(unknown: pd.DataFrame, survey: Survey) -> None:
    """Refuse responses with more unknown answers than rules.yaml allows an item of a file.

    Raises
    ------
    ResponsesError
        R300, with the words of the first item in full.
    """
    stopping = unknown[unknown["stops"]]
    if stopping.empty:
        return
    place = ["file", "sheet", "item"]
    first = stopping.iloc[0]
    of_first = (stopping[place] == first[place]).all(axis=1)
    words = []
    for line in stopping[of_first].itertuples():
        word = _("'{word}' × {count}", word=line.word, count=line.count)
        if line.near:
            word = _(
                "'{word}' × {count} (nearest: {near})",
                word=line.word,
                count=line.count,
                near=line.near,
            )
        words.append(word)
    others = len(stopping[place].drop_duplicates()) - 1
    name = first["item"]
    item = survey.questionnaire.items[name]
    text = _(
        "'{item}' ({name}) has answers that the questionnaire does not know, "
        "among {answers}: {words}.",
        item=item,
        name=name,
        answers=first["answers"],
        words=shortened_list(words, MOST_WORDS),
    )
    if others:
        text = ngettext(
            "{text} The same holds for {n} other item of a file.",
            "{text} The same holds for {n} other items of files.",
            others,
            text=text,
        )
    available = []
    if isinstance(item, SingleItem | MultipleItem):
        available = Answers(survey.questionnaire, name).listed()
    raise ResponsesError(
        "R300",
        text,
        where=place_of(first["file"], first["sheet"]),
        available=available,
        hint=_advice(survey, name, first["word"]),
    )


def _advice(survey: Survey, name: str, word: str) -> Text:
    """Say where the meaning of a word is written, and how the words are all seen; what it means is for the team to say."""
    item = survey.questionnaire.items[name]
    path = survey.folder / WORDINGS_FILE
    every = _("`satisfaction check` lists all of them.")
    if word == MASK or not isinstance(item, SingleItem | MultipleItem):
        return _("Correct the file. {every}", every=every)
    place = getattr(item, "scale", None) or name
    if "," in word or '"' in word:
        doubled = word.replace('"', '""')
        word = f'"{doubled}"'  # as csv wants it
    return _(
        "Ask the team, then write into {path}: first row item,wording,answer,source, then a row a "
        "word, such as {place},{word},CODE OF THE ANSWER,WHO SAID SO; answer NA leaves it empty. "
        "{every}",
        path=path,
        place=place,
        word=word,
        every=every,
    )
