"""The rankings of earlier waves as they were published: one row an area and wave, oldest wave first."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.declarations.facts import read_facts, refuse_rows
from satisfaction.foundation.errors import SurveyError

COLUMNS = ("wave", "code", "rank", "listed")
NUMBERS = ("rank", "marginal_low", "marginal_high", "n")
LISTED = ("yes", "no", "tied")
PERIOD = re.compile(r"(?P<year>\d{4})(?:-?(?P<kind>[QHM])(?P<number>\d{1,2})|-?(?P<month>\d{2}))?")
A_YEAR = {"Q": 4, "H": 2, "M": 12}


def read_history(path: Path, *, wave: str) -> pd.DataFrame:
    """Read published rankings; other columns of the file are not kept.

    Parameters
    ----------
    path : Path
    wave : str
        The wave that is being ranked: it comes after all in the file.

    Returns
    -------
    DataFrame
        wave, code, rank, marginal_low, marginal_high, n (float; missing = not published), listed ("yes", "no", "tied").

    Raises
    ------
    SurveyError
        S131 a column that is not there, S175 values that no ranking has, S176 an area twice in a wave, S177 waves that are
        not in their order.
    """
    text = read_facts(path, COLUMNS)
    text = text.assign(**{name: "" for name in NUMBERS if name not in text})
    numbers = {
        name: pd.to_numeric(text[name], errors="coerce").where(text[name] != "") for name in NUMBERS
    }
    table = text[["wave", "code"]].assign(**numbers, listed=text["listed"])
    for name, zh, en, wrong in _faults(text, table):
        refuse_rows(path, table.index[wrong], code="S175", zh=f"{name} {zh}", en=f"`{name}` {en}")
    twice = table.duplicated(["wave", "code"])
    refuse_rows(
        path,
        table.index[twice],
        code="S176",
        zh="同一期中地区出现两次",
        en="An area stands twice in a wave",
    )
    _check_order(path, table["wave"], wave)
    return table


def _faults(text: pd.DataFrame, table: pd.DataFrame) -> list[tuple[str, str, str, pd.Series]]:
    """Name what a published ranking cannot hold: column, in words, (rows,) bool."""
    rank, low, high = table["rank"], table["marginal_low"], table["marginal_high"]
    given = {
        name: (text[name] != "") & ~(table[name] >= 1)
        for name in ("rank", "marginal_low", "marginal_high")
    }
    many = (text["n"] != "") & ~((table["n"] >= 0) & (table["n"] % 1 == 0))
    halves = rank.notna() & (rank * 2 % 1 != 0)
    sets = (low.isna() != high.isna()) | (low > high) | (low.notna() & rank.isna())
    return [
        ("wave", "为空", "is empty", text["wave"] == ""),
        ("code", "为空", "is empty", text["code"] == ""),
        ("rank", "不是名次", "is no rank", given["rank"] | halves | np.isinf(rank)),
        ("marginal_low", "不是名次", "is no rank", given["marginal_low"]),
        ("marginal_high", "不是名次范围（须与 low、rank 同时给出）", "is no set (low, high and rank go together)", given["marginal_high"] | sets),
        ("n", "不是人数", "is no count", many),
        ("listed", f"须为 {', '.join(LISTED)}", f"is one of {', '.join(LISTED)}", ~text["listed"].isin(LISTED)),
        ("listed", "为 yes 或 tied 时须有名次", "needs a rank where it is yes or tied", (text["listed"] != "no") & rank.isna()),
    ]  # fmt: skip


def period_of(wave: str) -> tuple[int, int] | None:
    """Return periods a year and the number of the wave's own since year 0, where its name tells (2026Q3, 2026H1, 2026-07, 2026)."""
    named = PERIOD.fullmatch(wave.upper())
    if named is None:
        return None
    kind = "M" if named["month"] else named["kind"]
    a_year = A_YEAR.get(kind or "", 1)
    number = int(named["month"] or named["number"] or 1)
    return (a_year, int(named["year"]) * a_year + number - 1) if 1 <= number <= a_year else None


def name_of(a_year: int, number: int) -> str:
    """Return the name of a period, as `period_of` reads it."""
    year, place = divmod(number, a_year)
    return {
        1: f"{year}",
        2: f"{year}H{place + 1}",
        4: f"{year}Q{place + 1}",
        12: f"{year}-{place + 1:02d}",
    }[a_year]


def missing_between(earlier: str, later: str) -> list[str] | None:
    """Return the waves that lie between two; None where their names do not tell."""
    before, after = period_of(earlier), period_of(later)
    if before is None or after is None or before[0] != after[0]:
        return None
    return [name_of(before[0], number) for number in range(before[1] + 1, after[1])]


def _check_order(path: Path, waves: pd.Series, wave: str) -> None:
    """Refuse a wave in two places, this wave itself, and names alike but for numbers that do not rise (2026Q3, 2026Q2)."""
    blocks = [*waves[waves != waves.shift()], wave]
    numbers: dict[str, list[list[int]]] = {}
    for one in blocks:
        numbers.setdefault(re.sub(r"\d+", "#", one), []).append(
            [int(part) for part in re.findall(r"\d+", one)]
        )
    if len(set(blocks)) < len(blocks) or any(alike != sorted(alike) for alike in numbers.values()):
        raise SurveyError(
            "S177",
            f"历次排名须按期次先后排列，每期连在一起，且都早于本期 {wave}。",
            f"Earlier rankings stand wave by wave, oldest first, all before this wave {wave}.",
            where=str(path),
            available=dict.fromkeys(blocks[:-1]),
            hint=("按期次先后重排各行，去掉本期。", "Order the rows by wave; take this wave out."),
        )
