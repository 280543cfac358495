"""Outcome codes and the cases that carry them: what the team calls an outcome, and AAPOR's category of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .facts import read_facts, refuse_rows

DISPOSITIONS = {
    "I": ("完成", "complete interview"),
    "P": ("部分完成", "partial interview"),
    "R": ("拒访与中止", "refusal and break-off"),
    "NC": ("未接触", "non-contact"),
    "O": ("其他合格未完成", "other, eligible"),
    "UH": ("是否有合格住户不明", "unknown whether an eligible household"),
    "UO": ("是否合格不明（其他）", "unknown eligibility, other"),
    "NE": ("不合格", "not eligible"),
}


def read_outcomes(path: Path) -> dict[str, str]:
    """Read the map of outcome codes of a survey folder: columns code and disposition, others are for readers.

    Raises
    ------
    InputFileError, SurveyError
        For a file or column that is not there; S191 a code stands twice, S192 an unknown disposition.
    """
    table = read_facts(path, ("code", "disposition"))
    twice = table.index[table["code"].duplicated()]
    refuse_rows(path, twice, code="S191", zh="结果代码重复", en="An outcome code stands twice")
    unknown = table.index[~table["disposition"].isin(list(DISPOSITIONS))]
    zh, en = "不是 AAPOR 处置类别", "`disposition` is none of AAPOR's"
    refuse_rows(path, unknown, code="S192", zh=zh, en=en, available=DISPOSITIONS)
    return dict(zip(table["code"], table["disposition"], strict=True))


def read_cases(path: Path, *, area: str, areas: list[str], outcomes: dict[str, str]) -> pd.DataFrame:
    """Read the sampled cases, one row each: the area and its outcome; other columns of the file are not kept anywhere.

    Parameters
    ----------
    path : Path
    area : str
        Column of the area.
    areas : list of str
        Its codes.
    outcomes : dict of str to str
        As `read_outcomes` returns them.

    Returns
    -------
    DataFrame
        The area's column and `outcome`, as text.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S193 an area or S194 an outcome code that is not known.
    """
    table = read_facts(path, (area, "outcome"))[[area, "outcome"]]
    for column, known, code, zh, en in (
        (area, areas, "S193", "地区代码不在地区表中", "The area is not in the table of areas"),
        ("outcome", list(outcomes), "S194", "结果代码不在代码对照表中", "The outcome code is not in the map"),
    ):
        refuse_rows(path, table.index[~table[column].isin(known)], code=code, zh=zh, en=en, available=known)
    return table
