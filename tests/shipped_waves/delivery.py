"""What field teams would deliver: one file a prefecture, in several shapes and encodings, with a few dozen faults."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from tests.shipped_waves.residents import Days

from satisfaction.declarations.items import (
    AreaItem,
    DateItem,
    MultipleItem,
    SingleItem,
    option_column,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.files import new_file
from satisfaction.foundation.tables import read_table, write_csv, write_xlsx

FULL_WIDTH_ZERO = 0xFF10
Shape = Literal["utf-8-sig", "utf-8", "gb18030", "xlsx", "xlsx with dates"]
TEAM_WORDS = Path(__file__).with_name("team_words.csv")
"""What teams write into their files beside answers, in Chinese."""
TOTAL_ROW = "total row"
STRAY_ANSWER = "stray answer"


class Team(NamedTuple):
    """How a prefecture's team delivers."""

    file: str
    shape: Shape


TEAMS: dict[str, Team] = {
    "520100": Team("guiyang.csv", "utf-8-sig"),
    "520200": Team("liupanshui.csv", "gb18030"),
    "520300": Team("zunyi.xlsx", "xlsx with dates"),
    "520400": Team("anshun.csv", "utf-8"),
    "520500": Team("bijie.csv", "utf-8-sig"),
    "520600": Team("tongren.csv", "gb18030"),
    "522300": Team("qianxinan.csv", "utf-8"),
    "522600": Team("qiandongnan.xlsx", "xlsx"),
    "522700": Team("qiannan.csv", "utf-8-sig"),
}
# rows that should be rejected, by kind; each stands beside the sound ones, so the sound ones stay complete
BAD_ROWS = {
    "duplicate": 6,
    "not_eligible": 8,
    "outside_dates": 5,
    "required_blank": 6,
    "unknown_community": 4,
    "contradiction": 4,
}
# answers that should be blanked (outside_scale, stray_text) or understood (full_width)
BAD_ANSWERS = {"outside_scale": 8, "stray_text": 9, "full_width": 7}
REQUIRED = ("sex", "age_group", "residence", "community", "lived_here", "interview_date")


def team_words(kind: str) -> list[str]:
    """Return what teams write into their files: "total row", or "stray answer" for what stands where a number belongs."""
    words = read_table(TEAM_WORDS)
    return list(words.loc[words["kind"] == kind, "text"])


def as_delivered(coded: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Turn coded answers into the columns of a delivered file: text, one column an item, options joined.

    Parameters
    ----------
    coded : DataFrame
        `Drawn.respondents`.
    questionnaire : Questionnaire
        Decides the columns and the separators.

    Returns
    -------
    DataFrame of str
        An empty text where nothing was answered.
    """
    columns = {}
    for item, declared in questionnaire.items.items():
        text = coded[item].astype(object).where(coded[item].notna(), "").astype(str)
        if isinstance(declared, MultipleItem):
            options = [option_column(item, code) for code in declared.options]
            names = np.array([str(code) for code in declared.options])
            ticked = coded[options].fillna(0).to_numpy(dtype=bool)
            joined = [declared.separator.join(names[ticks]) for ticks in ticked]
            text = text.where(text != "", pd.Series(joined, index=coded.index, dtype=object))
        columns[item] = text.astype(object)
    return pd.DataFrame(columns)


def dirty(
    delivered: pd.DataFrame,
    spare: pd.DataFrame,
    *,
    topics: list[str],
    fielded: Days,
    random: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add faulty rows and spoil some answers.

    Parameters
    ----------
    delivered : DataFrame of str
        Sound rows, in file order; not changed.
    spare : DataFrame of str
        Sound rows of other people, as many as BAD_ROWS has without the duplicates; each becomes one faulty row.
    topics : list of str
        Items whose answers are spoilt.
    fielded : (date, date)
    random : Generator

    Returns
    -------
    rows : DataFrame of str
        The sound rows in their order, faulty ones among them.
    faults : DataFrame
        respondent_id, kind, item, value: what was done, one row a fault.
    """
    rows = delivered.copy()
    faults = _spoil_answers(rows, topics, random)
    extra = [_faulty(kind, row, rows, fielded, random) for kind, row in _assigned(spare)]
    near = [
        int(np.searchsorted(rows["community"], row["respondent_id"].split("-")[1]))
        for row, _fault in extra
    ]
    faults += [fault for _row, fault in extra]
    again = random.choice(len(rows), BAD_ROWS["duplicate"], replace=False)
    faults += [(rows["respondent_id"].iloc[k], "duplicate", "", "") for k in again]
    added = pd.concat([pd.DataFrame([row for row, _fault in extra]), rows.iloc[again]])
    place = np.concatenate([np.arange(len(rows)), np.array(near) + 0.5, again + 3.5])
    mixed = pd.concat([rows, added]).iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    return mixed, pd.DataFrame(faults, columns=["respondent_id", "kind", "item", "value"])


Fault = tuple[str, str, str, str]


def _assigned(spare: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    kinds = []
    for kind, count in BAD_ROWS.items():
        if kind != "duplicate":
            kinds += [kind] * count
    rows = [row for _place, row in spare.iterrows()]
    return list(zip(kinds, rows, strict=True))


def _faulty(
    kind: str,
    row: pd.Series,
    rows: pd.DataFrame,
    fielded: Days,
    random: np.random.Generator,
) -> tuple[pd.Series, Fault]:
    """Give a sound row one fault of a kind."""
    day = datetime.timedelta(days=int(random.integers(3, 40)))
    if kind == "not_eligible":
        item = "lived_here"
        value = "2"
    elif kind == "outside_dates":
        item = "interview_date"
        value = str(random.choice([str(fielded[0] - day), str(fielded[1] + day)]))
    elif kind == "required_blank":
        item = str(random.choice(REQUIRED))
        value = ""
    elif kind == "unknown_community":
        item = "community"
        value = row["community"][:7] + "999"
    else:
        item = "county"
        county = row["county"]
        prefecture = county[:4]
        # the next county of the same prefecture, or the one before the last
        near = sorted({other for other in rows["county"] if other[:4] == prefecture})
        value = str(near[near.index(county) - 1])
    changed = row.copy()
    changed[item] = value
    return changed, (row["respondent_id"], kind, item, value)


def _spoil_answers(
    rows: pd.DataFrame, topics: list[str], random: np.random.Generator
) -> list[Fault]:
    """Spoil single answers in place; a stray text in every team's file, so that each encoding has Chinese to decode."""
    faults: list[Fault] = []
    places = iter(random.permutation(len(rows)))
    teams = rows.groupby(rows["county"].str[:4], sort=True)
    for stray, (_prefecture, members) in zip(team_words(STRAY_ANSWER), teams, strict=False):
        place = int(random.choice(members.index))
        item = str(random.choice(topics))
        faults.append(_spoil(rows, place, item, "stray_text", stray))
    for k in range(BAD_ANSWERS["outside_scale"]):
        value = ("6", "55", "0", "45")[k % 4]
        place = int(next(places))
        item = str(random.choice(topics))
        faults.append(_spoil(rows, place, item, "outside_scale", value))
    full_width = 0
    while full_width < BAD_ANSWERS["full_width"]:
        place = int(next(places))
        item = str(random.choice(topics))
        if rows.loc[place, item] in tuple("12345"):
            wide = chr(ord(rows.loc[place, item]) - ord("0") + FULL_WIDTH_ZERO)
            faults.append(_spoil(rows, place, item, "full_width", wide))
            full_width += 1
    return faults


def _spoil(rows: pd.DataFrame, place: int, item: str, kind: str, value: str) -> Fault:
    rows.loc[place, item] = value
    return rows.loc[place, "respondent_id"], kind, item, value


def write_deliveries(
    folder: Path, rows: pd.DataFrame, questionnaire: Questionnaire
) -> dict[str, int]:
    """Write one file a prefecture, as its team delivers it; none for a prefecture without rows.

    Parameters
    ----------
    folder : Path
    rows : DataFrame of str
        Delivered rows; the respondent's number says which team a row belongs to.
    questionnaire : Questionnaire
        Decides which cells of a workbook are numbers and dates.

    Returns
    -------
    dict of int
        Rows written by file name, a workbook's total row included.
    """
    written = {}
    community = rows["respondent_id"].str.split("-").str[1]
    prefecture_of_row = community.str[:4]
    for prefecture, team in TEAMS.items():
        mine = rows[prefecture_of_row == prefecture[:4]]
        if mine.empty:
            continue
        with new_file(folder / team.file, replace=True) as scratch:
            if team.shape == "xlsx with dates":
                mine = pd.concat([mine, _total(mine)])
                write_xlsx({"responses": _cells(mine, questionnaire, dates=True)}, scratch)
            elif team.shape == "xlsx":
                write_xlsx({"responses": _cells(mine, questionnaire, dates=False)}, scratch)
            else:
                write_csv(mine, scratch)
                text = scratch.read_bytes().decode("utf-8-sig")
                scratch.write_bytes(text.encode(team.shape))
        written[team.file] = len(mine)
    return written


def _total(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the total row spreadsheet users add below a table."""
    cells = dict.fromkeys(rows.columns, "")
    cells["respondent_id"] = team_words(TOTAL_ROW)[0]
    cells["interviewer"] = str(len(rows))
    return pd.DataFrame([cells], dtype=object)


def _cells(rows: pd.DataFrame, questionnaire: Questionnaire, *, dates: bool) -> pd.DataFrame:
    """Turn text into the numbers and dates a spreadsheet would hold."""
    cells = rows.copy()
    for item, declared in questionnaire.items.items():
        if isinstance(declared, SingleItem) or (isinstance(declared, AreaItem) and not dates):
            cells[item] = [_number_or_text(text) for text in rows[item]]
        elif isinstance(declared, DateItem) and dates:
            days = [_date_or_nothing(text) for text in rows[item]]
            cells[item] = pd.Series(days, index=rows.index, dtype=object)
    return cells


def _number_or_text(text: str) -> int | str:
    if text.isascii() and text.isdigit():
        return int(text)
    return text


def _date_or_nothing(text: str) -> datetime.date | str:
    if text:
        return datetime.date.fromisoformat(text)
    return ""
