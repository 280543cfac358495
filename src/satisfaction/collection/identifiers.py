"""Respondents' numbers: within what they are unique, where the other one of a pair stands, files that repeat another file.

Personal data: found by role, by title and by pattern, and replaced before anything is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import count

import numpy as np
import pandas as pd

from satisfaction.collection.account import Step, log_events
from satisfaction.declarations.items import TextItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import (
    ResponsesError,
    SatisfactionError,
    shortened,
    together,
)
from satisfaction.foundation.language import _, ngettext
from satisfaction.foundation.personal import MASK, is_personal, masked, plain_number

NEARLY_ALL = (
    0.9  # of a table's numbers, where it looks like another hand-in of the same respondents
)
MOST_CORRECTED = 1 / 3  # of a respondent's answers; where more differ, it is somebody else
ZEROS = re.compile(r"(?:^|(?<=:))0+(?=\w)")
FEW = 3  # numbers two areas may share by a slip of the pen
SOME = 0.1  # of a table's numbers
OF_PAIRS = ["table_x", "table_y", "shared", "differ", "apart", "strangers", "size"]


def _table_of(raw: pd.DataFrame) -> pd.Series:
    return raw["_file"].str.cat(raw["_sheet"], sep=" ").str.strip()


def number_rows(coded: pd.DataFrame, raw: pd.DataFrame, survey: Survey) -> pd.DataFrame:
    """Make the respondents' numbers unique in the survey, as `numbering` declares; the log keeps what was read.

    In an area that counts from 1, number 7 becomes 520121:7; in a file (with its sheet, where it has one) a.xlsx Data:7.
    Without numbers it is the file and the row.
    """
    role = survey.questionnaire.roles.respondent
    within = survey.declared.numbering
    if within == "survey":
        return coded
    prefix = _table_of(raw).str.removeprefix("responses/").str.strip()
    numbers = coded[role]
    if within == "row":
        numbers = raw["_row"].astype(str)
    elif within == "area":
        area = coded[survey.questionnaire.roles.area]
        prefix = area.astype("string").fillna("").astype(object)
    in_full = prefix + ":" + numbers
    return coded.assign(**{role: in_full.where(numbers.notna(), numbers)})


def twins(values: pd.Series, raw: pd.DataFrame) -> pd.Series:
    """Return for every row the place of the first row with the same value."""
    first = values.reset_index().groupby(values.name, sort=False)["index"].first()
    rows = raw.loc[first]
    return values.map(first).map(_table_of(rows) + " row " + rows["_row"].astype(str))


def refuse_repeated_files(
    coded: pd.DataFrame, raw: pd.DataFrame, text: pd.DataFrame, *, survey: Survey
) -> None:
    """Refuse tables whose respondents stand in another table, or again in the same one, under the same numbers with other answers.

    Which of the two holds is not for the order of file names to decide. Rows that are the same in both are no matter.

    Raises
    ------
    ResponsesError
        R322 for (nearly) all numbers of a table in another one, R323 for areas that number their respondents alike, R326 for
        other people under one number in one table, R342 for the answers of a table in another one under other numbers, R343 for
        later rows that correct earlier ones, R344 for a respondent whose number is spelt in two ways; R321 for several of them.
    """
    if survey.rules.responses.actions.get("R203") == "warn":
        return
    faults: list[SatisfactionError] = []
    others = _others_of_one_number(coded, raw, text, survey=survey)
    for table, numbers in others.items():
        fault = ResponsesError(
            "R326",
            _(
                "{n:,} rows of this file have a number that another row has too, but other answers: "
                "they look like other people ({numbers}).",
                n=len(numbers),
                numbers=shortened(numbers.unique().tolist()),
            ),
            where=survey.folder / table,
            hint=_(
                "Export the numbers anew as text if Excel has cut them (2.02607E+11); if every area "
                "counts from 1, write `numbering: area` in survey.yaml; if numbers mean nothing, "
                "`numbering: row`."
            ),
        )
        faults.append(fault)
    pairs = _pairs(coded, raw, text, survey=survey)
    shared = pairs["shared"]
    apart = pairs["apart"] > shared / 2
    nearly_all = shared >= NEARLY_ALL * pairs["size"]
    again = pairs[~apart & nearly_all & (pairs["differ"] > 0)]
    for _row, pair in again.iterrows():
        faults.append(_repeats(pair, survey))
    faults += _again_under_other_numbers(coded, raw, text, survey)
    faults += _spelt_otherwise(coded, raw, text, survey)
    known = {
        *zip(again["table_x"], again["table_y"], strict=True),
        *zip(others, others, strict=True),
    }
    faults += _corrected_later(coded, raw, text, survey, known=known)
    alike = pairs[apart & (shared >= FEW) & (shared >= SOME * pairs["size"])]
    if len(alike):
        tables = dict.fromkeys([*alike["table_x"], *alike["table_y"]])
        in_all = int(alike["shared"].sum())
        fault = ResponsesError(
            "R323",
            _(
                "Respondents of different areas have the same numbers ({shared}), as if each "
                "counted from 1: {tables}.",
                shared=ngettext("{n:,} pair", "{n:,} pairs", in_all),
                tables=shortened(tables),
            ),
            where=survey.folder,
            hint=_(
                "Write `numbering: area` in survey.yaml (numbers are unique within an area), "
                "or correct the numbers."
            ),
        )
        faults.append(fault)
    if faults:
        raise together(faults, where=str(survey.folder))


def _again_under_other_numbers(
    coded: pd.DataFrame, raw: pd.DataFrame, text: pd.DataFrame, survey: Survey
) -> list[SatisfactionError]:
    """Return the faults (R342) of tables whose rows stand in another table, answer for answer, under other numbers.

    Where a table has few different rows, as after a handful of questions, equal ones tell nothing.
    """
    role = survey.questionnaire.roles.respondent
    rows = pd.DataFrame({"id": coded[role], "table": _table_of(raw)})
    if rows["table"].nunique() < 2:
        return []
    answers = text.drop(columns=role)
    rows["answers"] = pd.util.hash_pandas_object(answers, index=False)
    rows = rows[raw["_aside"] == ""].dropna(subset="id")
    rows = rows.drop_duplicates(["table", "answers"])
    by_table = rows.groupby("table", sort=False).size()
    pairs = rows.merge(rows, on="answers")
    pairs = pairs[pairs["table_x"] != pairs["table_y"]]
    order = {table: place for place, table in enumerate(by_table.index)}
    pairs = pairs[pairs["table_x"].map(order) < pairs["table_y"].map(order)]
    renumbered = pairs[pairs["id_x"] != pairs["id_y"]]
    sizes = raw.loc[raw["_aside"] == ""].groupby(_table_of(raw)).size()
    faults: list[SatisfactionError] = []
    for (first, second), found in renumbered.groupby(["table_x", "table_y"], sort=False):
        smaller = min(sizes[first], sizes[second])
        if len(found) < max(FEW, NEARLY_ALL * smaller):
            continue
        problem = _(
            "{n} of this file stand in {one} too, answer for answer, under other numbers.",
            n=ngettext("{n:,} respondent", "{n:,} respondents", len(found)),
            one=first,
        )
        fault = ResponsesError(
            "R342",
            problem,
            where=survey.folder / str(second),
            hint=_(
                "Take one of the two files away (or name it under `ignore` in survey.yaml): they "
                "are the same people."
            ),
        )
        faults.append(fault)
    return faults


def _spelt_otherwise(
    coded: pd.DataFrame, raw: pd.DataFrame, text: pd.DataFrame, survey: Survey
) -> list[SatisfactionError]:
    """Return the fault (R344) of respondents who stand twice because their number lost its zeros or its capital letters."""
    role = survey.questionnaire.roles.respondent
    numbers = coded.loc[raw["_aside"] == "", role].dropna().drop_duplicates()
    alike = numbers.astype(str).str.casefold().str.replace(ZEROS, "", regex=True)
    twice = numbers[alike.duplicated(keep=False)]
    if twice.empty:
        return []
    firsts = alike[twice.index].reset_index().groupby(role)["index"].transform("first")
    answers = text.drop(columns=role).astype(object)
    unlike = answers.loc[twice.index].to_numpy() != answers.loc[firsts].to_numpy()
    areas = coded[survey.questionnaire.roles.area]
    apart = areas[twice.index].to_numpy(object) != areas[firsts].to_numpy(object)
    same = (unlike.mean(axis=1) <= MOST_CORRECTED) & ~apart
    later = twice.index.to_numpy() != firsts.to_numpy()
    again = twice[same & later]
    if again.empty:
        return []
    earlier = numbers[firsts[same & later]]
    spellings = [f"{one} / {other}" for one, other in zip(earlier, again, strict=True)]
    tables = _table_of(raw.loc[again.index]).unique()
    problem = _(
        "{n} stand twice, under numbers that differ only in zeros before them or in capital "
        "letters: {numbers}.",
        n=ngettext("{n:,} respondent", "{n:,} respondents", len(again)),
        numbers=shortened(map(masked, spellings)),
    )
    hint = _(
        "Write a respondent's number alike in all files, and export it as text; where they are "
        "other people, who are counted from 1 in each file, write `numbering: file` in "
        "survey.yaml."
    )
    where = survey.folder / shortened(tables)
    return [ResponsesError("R344", problem, where=where, hint=hint)]


def _corrected_later(
    coded: pd.DataFrame,
    raw: pd.DataFrame,
    text: pd.DataFrame,
    survey: Survey,
    *,
    known: set[tuple[str, str]],
) -> list[SatisfactionError]:
    """Return the faults (R343) of tables with rows that stand before, of the same people with some other answers.

    `known`: pairs of tables, the earlier one first, whose numbers are refused on another ground.
    """
    roles = survey.questionnaire.roles
    rows = pd.DataFrame({"id": coded[roles.respondent], "table": _table_of(raw)})
    rows = rows[raw["_aside"] == ""].dropna(subset="id")
    several = rows[rows["id"].duplicated(keep=False)]
    if several.empty:
        return []
    firsts = several.reset_index().groupby("id")["index"].transform("first").to_numpy()
    answers = text.drop(columns=roles.respondent).astype(object)
    unlike = answers.loc[several.index].to_numpy() != answers.loc[firsts].to_numpy()
    share = unlike.mean(axis=1)
    areas = coded[roles.area]
    apart = areas[several.index].to_numpy(object) != areas[firsts].to_numpy(object)
    corrected = several[(share > 0) & (share <= MOST_CORRECTED) & ~apart]
    earlier = rows.loc[firsts, "table"].set_axis(several.index)[corrected.index]
    faults: list[SatisfactionError] = []
    for (first, second), found in corrected.groupby([earlier, "table"], sort=False):
        if len(found) < FEW or (first, second) in known:
            continue
        problem = _(
            "{n} of this file stand in {one} already, with some other answers: they look "
            "corrected ({numbers}).",
            n=ngettext("{n:,} respondent", "{n:,} respondents", len(found)),
            one=first,
            numbers=shortened(map(masked, found["id"])),
        )
        fault = ResponsesError(
            "R343",
            problem,
            where=survey.folder / str(second),
            hint=_(
                "Keep one row of each: take those away that no longer hold. The program would keep "
                "what it reads first."
            ),
        )
        faults.append(fault)
    return faults


def _others_of_one_number(
    coded: pd.DataFrame, raw: pd.DataFrame, text: pd.DataFrame, *, survey: Survey
) -> dict[str, pd.Series]:
    """Return by table the numbers of rows behind the first one of a number who look like other people, where they are many."""
    role = survey.questionnaire.roles.respondent
    rows = pd.DataFrame({"id": coded[role], "table": _table_of(raw)})
    rows = rows[raw["_aside"] == ""].dropna(subset="id")
    sizes = rows.groupby("table").size()
    several = rows[rows.duplicated(["table", "id"], keep=False)]
    if several.empty:
        return {}
    firsts = several.reset_index().groupby(["table", "id"])["index"].transform("first")
    answers = text.drop(columns=role).astype(object)
    unlike = answers.loc[several.index].to_numpy() != answers.loc[firsts].to_numpy()
    others = several[unlike.mean(axis=1) > MOST_CORRECTED]
    return {
        str(table): found["id"]
        for table, found in others.groupby("table", sort=False)
        if len(found) >= max(FEW, SOME * sizes[table])
    }


def _pairs(
    coded: pd.DataFrame, raw: pd.DataFrame, text: pd.DataFrame, *, survey: Survey
) -> pd.DataFrame:
    """Count the numbers that two tables share.

    Returns
    -------
    DataFrame
        table_x, table_y (in reading order), size (numbers of the smaller), shared, differ (with other answers), apart (in
        another area), strangers (with more other answers than are corrected).
    """
    roles = survey.questionnaire.roles
    rows = coded[[roles.respondent, roles.area]].set_axis(["id", "area"], axis="columns")
    rows = rows.assign(at=coded.index, table=_table_of(raw))
    rows = rows[raw["_aside"] == ""].dropna(subset="id").drop_duplicates(["table", "id"])
    sizes = rows.groupby("table").size()
    several = rows[rows["id"].duplicated(keep=False)]
    if several.empty:
        return pd.DataFrame(columns=OF_PAIRS)
    pairs = several.merge(several, on="id")
    pairs = pairs[pairs["at_x"] < pairs["at_y"]]
    others = text.drop(columns=roles.respondent)
    answers = others.loc[several["at"]].astype(object)
    first = answers.loc[pairs["at_x"]].to_numpy()
    second = answers.loc[pairs["at_y"]].to_numpy()
    both_known = pairs[["area_x", "area_y"]].notna().all(axis=1)
    apart = both_known & (pairs["area_x"] != pairs["area_y"])
    unlike = first != second
    strangers = unlike.mean(axis=1) > MOST_CORRECTED
    pairs = pairs.assign(differ=unlike.any(axis=1), apart=apart, strangers=strangers)
    by_tables = pairs.groupby(["table_x", "table_y"], sort=False)
    counts = by_tables.agg(
        shared=("id", "size"),
        differ=("differ", "sum"),
        apart=("apart", "sum"),
        strangers=("strangers", "sum"),
    )
    counts = counts.reset_index()
    size_x = counts["table_x"].map(sizes)
    size_y = counts["table_y"].map(sizes)
    return counts.assign(size=np.minimum(size_x, size_y))


def _repeats(pair: pd.Series, survey: Survey) -> ResponsesError:
    hint = _(
        "Take the old file away (or name it under `ignore` in survey.yaml); if they "
        "are other people, write `numbering: area` (every area counts for itself) or "
        "`numbering: file` in survey.yaml."
    )
    like = _("it looks like a corrected file")
    if 2 * pair["strangers"] > pair["shared"]:
        like = _("they look like other people, counted from 1 in every file")
        hint = _(
            "If they are other people, write `numbering: area` (every area counts for itself) or "
            "`numbering: file` in survey.yaml; if it is a corrected file, take the old one away "
            "(or name it under `ignore` in survey.yaml)."
        )
    return ResponsesError(
        "R322",
        _(
            "{shared} of this file with the numbers of those in {one}, {differ} of them "
            "with other answers: {like}.",
            shared=ngettext("{n:,} respondent", "{n:,} respondents", pair["shared"]),
            one=pair["table_x"],
            differ=pair["differ"],
            like=like,
        ),
        where=survey.folder / pair["table_y"],
        hint=hint,
    )


KEY = "SATISFACTION_KEY"
TITLE = re.compile(
    r"姓名|名字|电话|手机|联系方式|身份证|邮箱|电邮|微信号|微信昵称|qq号?$|住址|地址|(?<![a-z])ip(?![a-z])|\bphone|\bmobile|\btelephone|e-?mail|\bid[ _]?(?:card|number)\b"
    r"|^(?:full|first|last|your|respondent)?[ _]?name$|\baddress\b|\bwechat"
)


def is_personal_title(title: str) -> bool:
    """Tell whether a column's title or an item's label asks for personal data."""
    plain = unicodedata.normalize("NFKC", title).strip()
    return bool(TITLE.search(plain.casefold()))


def pseudonyms(values: Iterable[str], kind: str, *, taken: Iterable[str] = ()) -> dict[str, str]:
    """Return what stands for each value: a keyed hash where the environment has `KEY`, else a number by first appearance.

    One number in several spellings is one person; what is `taken` stands for nobody else.
    """
    different = {value: plain_number(value) for value in values if value}
    if key := os.environ.get(KEY):
        secret = key.encode("utf-8", "surrogateescape")
        hashes = {}
        for value, plain in different.items():
            hashed = hmac.new(secret, plain.encode(), hashlib.sha256)
            hashes[value] = hashed.hexdigest()[:16]
        return hashes
    used = {name.strip().casefold() for name in taken}
    numbered = (f"{kind} {number}" for number in count(1))
    free = (name for name in numbered if name.casefold() not in used)
    names: dict[str, str] = {}
    for plain in different.values():
        if plain not in names:
            names[plain] = next(free)
    return {value: names[plain] for value, plain in different.items()}


def hide_personal(
    raw: pd.DataFrame, questionnaire: Questionnaire, *, titles: Mapping[str, set[str]]
) -> Step:
    """Replace personal data in text items; each cell is logged, never its value.

    Values of items that identify (respondent, PSU, interviewer, unique ones) become pseudonyms, others `MASK`.

    Parameters
    ----------
    raw : DataFrame
        One text column an item.
    titles : mapping of str to set of str
        Titles of the columns that each item was read from.
    """
    roles = questionnaire.roles
    entries = []
    for name, item in questionnaire.items.items():
        if not isinstance(item, TextItem):
            continue
        different = raw[name].unique()
        calls = {name, item.zh, item.en} | titles.get(name, set())
        all_personal = any(map(is_personal_title, calls))
        personal = [value for value in different if value.strip()]
        if not all_personal:
            personal = [value for value in personal if is_personal(value)]
        if not personal:
            continue
        instead = dict.fromkeys(personal, MASK)
        if item.unique or name in (roles.respondent, roles.psu, roles.interviewer):
            instead = pseudonyms(personal, name, taken=different)
        values = raw[name]
        hidden = values.isin(personal)
        new = values.mask(hidden, values.map(instead))
        if name == roles.respondent:
            raw = raw.assign(_id=raw["_id"].mask(hidden, new))
        raw = raw.assign(**{name: new})
        entries.append(log_events(raw, hidden, name, values=MASK, rule="R218"))
    return Step(raw, tuple(entries))


def hide_paradata(values: pd.Series, column: str) -> pd.Series:
    """Replace what identifies a device or person in a column of paradata."""
    different = values.unique()
    if column in ("_ip", "_device"):
        return values.map(pseudonyms(different, column[1:]))
    personal = [value for value in different if isinstance(value, str) and is_personal(value)]
    if not personal:
        return values
    return values.replace(pseudonyms(personal, column[1:], taken=different))
