"""What all sentences about one ranking share: what was asked, what may be claimed, who stands across the cut.

Words and numbers inside a sentence, in Chinese and in English: one and many, rates and points, first and last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import RankingError, one_of

Kind: TypeAlias = Literal["rate", "index", "score"]

SMALL = 0.001
DIGITS = "零一二三四五六七八九"
ENGLISH = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
TWO_LANGUAGES = re.compile(r"(?P<zh>.*[^\x00-\x7f])\s+(?P<en>[\x00-\x7f]+)", re.DOTALL)


class Said(NamedTuple):
    """The same words in Chinese and in English."""

    zh: str
    en: str


def joined(parts: Iterable[Said | None]) -> Said:
    """Put sentences, or parts of one, behind each other; None is left out."""
    kept = [part for part in parts if part is not None]
    return Said("".join(part.zh for part in kept), " ".join(part.en for part in kept))


def listing(names: Iterable[Said]) -> Said:
    """List names: A、B、C; A, B and C."""
    all_zh, all_en = [], []
    for zh, en in names:
        all_zh.append(zh)
        all_en.append(en)
    *first, last = all_en
    return Said("、".join(all_zh), f"{', '.join(first)} and {last}" if first else last)


def numeral(number: int) -> str:
    """Write a number from 1 to 99 in Chinese as it stands before a measure word; others in digits.

    >>> numeral(2), numeral(10), numeral(12), numeral(20), numeral(35)
    ('两', '十', '十二', '二十', '三十五')
    """
    if not 0 < number < 100:
        return f" {number} "
    tens, ones = divmod(number, 10)
    if tens == 0:
        return "两" if ones == 2 else DIGITS[ones]
    return ("" if tens == 1 else DIGITS[tens]) + "十" + (DIGITS[ones] if ones else "")


def in_english(number: int) -> str:
    """Write a small number in words, others in digits."""
    return ENGLISH[number] if 0 <= number < len(ENGLISH) else str(number)


def many_units(number: int, which: str = "") -> str:
    """Write "1 unit", "2 units", "2 other units"."""
    return f"{number} {which}unit{'' if number == 1 else 's'}"


def percent(share: float, digits: int = 1) -> str:
    """Write a share 0-1 as a percentage."""
    return f"{100 * share:.{digits}f}%"


def probability(value: float) -> Said:
    """Write a probability; what would round to 0 or 1 says so."""
    if value < SMALL:
        return Said("低于 0.1%", "below 0.1%")
    if value > 1 - SMALL:
        return Said("高于 99.9%", "above 99.9%")
    return Said(f"为 {percent(value)}", percent(value))


def chance(value: float) -> str:
    """Write a probability as a figure of its own; nothing is ever written as certain.

    >>> chance(0.4768), chance(0.99999), chance(0.0)
    ('47.7 %', '> 99.9 %', '< 0.1 %')
    """
    if value < SMALL:
        return "< 0.1 %"
    if value > 1 - SMALL:
        return "> 99.9 %"
    return f"{100 * value:.1f} %"


def p_value(value: float) -> Said:
    """Write a p-value with what it equals or falls below."""
    if value < SMALL:
        return Said("小于 0.001", "below 0.001")
    return Said(f"为 {value:.3f}", f"{value:.3f}")


def amount(value: float, kind: Kind) -> Said:
    """Write an estimate with its unit: a share 0-1 as a percentage, anything else in points 0-100."""
    if kind == "rate":
        return Said(percent(value), percent(value))
    return Said(f"{value:.2f} 分", f"{value:.2f} points")


def difference(value: float, kind: Kind) -> Said:
    """Write the size of a difference of two estimates; what would round to 0 says so."""
    size, digits, unit = (
        (100 * abs(value), 1, Said("个百分点", "percentage points"))
        if kind == "rate"
        else (abs(value), 2, Said("分", "points"))
    )
    least = 10.0**-digits
    if size < least / 2:
        return Said(f"不到 {least:.{digits}f} {unit.zh}", f"less than {least:.{digits}f} {unit.en}")
    return Said(f" {size:.{digits}f} {unit.zh}", f"{size:.{digits}f} {unit.en}")


def places(low: float, high: float) -> Said:
    """Write a set of ranks."""
    if low == high:
        return Said(f"第 {low:g} 名", f"{low:g}")
    return Said(f"第 {low:g} 至 {high:g} 名", f"{low:g} to {high:g}")


def lies(low: float, high: float) -> Said:
    """Say where a rank lies, to stand behind "the true rank"."""
    zh, en = places(low, high)
    return (
        Said(f"为{zh}", f"is {en}")
        if low == high
        else Said(f"在{zh}之间", f"lies between {low:g} and {high:g}")
    )


def sentence(text: str) -> str:
    """Start an English sentence with a capital letter."""
    return text[:1].upper() + text[1:]


def mark(text: Any) -> Said | None:
    """Return the mark of a table in brackets, each language by itself; None where there is none."""
    if not isinstance(text, str) or not text:
        return None
    one = two_languages(text)
    return Said(f"【{one.zh}】", f"[{one.en}]")


def two_languages(text: str) -> Said:
    """Take a Chinese text and the English one behind it apart; what is not written so stands for both."""
    found = TWO_LANGUAGES.fullmatch(text)
    return Said(found["zh"], found["en"]) if found else Said(text, text)


COLUMNS = (
    "code", "name_zh", "name_en", "estimate", "n", "rank", "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high", "listed",
    "status", "probability_bottom",
)  # fmt: skip
MEASURES = {
    "rate": Said("数值", "the rate"),
    "index": Said("得分", "the score"),
    "score": Said("得分", "the score"),
}
WHERE = {
    "yes": Said("名单内", "on the list"),
    "no": Said("名单外", "off the list"),
    "tied": Said("分界上", "at the cut"),
}
SAME = 1e-9
"""Scores closer than this are level, as in the ranking."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the ranking that is listed.

    Attributes
    ----------
    side : {"last", "first"}
    size : int
        Places that the list is to have.
    name : Said
        末十位; "the last ten".
    member : Said
        属于末十位; "among the last ten", to stand behind "is".
    """

    side: str
    size: int
    name: Said
    member: Said


@dataclass(frozen=True, slots=True)
class Across:
    """The units nearest to one unit on the other side of the cut.

    Attributes
    ----------
    code : str
        The first of them.
    names : Said
    listed : str
        Where they stand: "yes", "no" or "tied".
    gap : float
        The unit's estimate minus theirs.
    """

    code: str
    names: Said
    listed: str
    gap: float

    def compared(self, kind: Kind) -> Said:
        """Say how far away they are, to stand behind the unit as subject."""
        where, size = WHERE[self.listed], difference(self.gap, kind)
        if abs(self.gap) < SAME:
            return Said(
                f"与{where.zh}最接近的{self.names.zh}持平",
                f"is level with {self.names.en}, the nearest {where.en}",
            )
        way = Said("高", "above") if self.gap > 0 else Said("低", "below")
        return Said(
            f"比{where.zh}最接近的{self.names.zh}{way.zh}{size.zh}",
            f"is {size.en} {way.en} {self.names.en}, the nearest {where.en}",
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """What all sentences about one ranking share.

    Attributes
    ----------
    kind : {"rate", "index", "score"}
    measure : Said
        What is ranked, as subject of a sentence.
    rows : list of dict
        The table, in rank order.
    p : int
        Units ranked.
    level : str
        Confidence, "95%".
    alpha : float
    end : End
    proven : bool
        Whether anything may be called established or excluded: only in a probability sample.
    family : Said
        What the tests guard against: one named unit, or the whole table.
    mark : Said or None
        "simulated" and the like, in brackets.
    across : dict
        By code, the nearest on the other side of the cut; none for units at the cut or not ranked.
    errors : mapping
        By code, why the error behind a unit's rank is not its own, in Chinese and then in English.
    """

    kind: Kind
    measure: Said
    rows: list[dict[str, Any]]
    p: int
    level: str
    alpha: float
    end: End
    proven: bool
    family: Said
    mark: Said | None
    across: dict[str, Across]
    errors: Mapping[str, str]

    def at(self, *listed: str) -> list[dict[str, Any]]:
        """Return the ranked rows that stand on the list ("yes"), off it ("no"), or at its cut ("tied")."""
        return [row for row in self.ranked() if row["listed"] in listed]

    def ranked(self) -> list[dict[str, Any]]:
        """Return the ranked rows."""
        return [row for row in self.rows if is_ranked(row)]

    def gap(self, row: Mapping[str, Any]) -> float:
        """Return a row's estimate minus that of the nearest unit across the cut; 0 at the cut."""
        found = self.across.get(row["code"])
        return found.gap if found else 0.0

    def status(self, row: Mapping[str, Any]) -> str:
        """Return the status of a ranked row: "possible" where nothing can be proven."""
        return str(row["status"]) if self.proven else "possible"


def ground_of(
    ranking: pd.DataFrame, summary: Mapping[str, Any], *, kind: Kind, measure: Said | None
) -> Ground:
    """Read what sentences need.

    Raises
    ------
    RankingError
        K190 for another kind, K191 for missing columns, K192 where table and summary are not of one ranking.
    """
    one_of(kind, get_args(Kind), argument="kind", error=RankingError, code="K190")
    check_columns(ranking, COLUMNS)
    rows: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in ranking.to_dict("records")
    ]
    ranked = [row for row in rows if is_ranked(row)]
    _check_count(len(ranked), int(summary["p"]))
    side = str(ranking["side"].iloc[0]) if "side" in ranking else "last"
    return Ground(
        kind=kind,
        measure=measure or MEASURES[kind],
        rows=rows,
        p=len(ranked),
        level=f"{100 * summary['level']:g}%",
        alpha=1 - summary["level"],
        end=_end(int(summary["bottom"]), side),
        proven=summary["selection"] == "probability",
        family=_family(summary),
        mark=mark(ranking["mark"].iloc[0]) if "mark" in ranking else None,
        across=dict(_across(ranked)),
        errors=summary.get("se_from_larger", {}),
    )


def is_ranked(row: Mapping[str, Any]) -> bool:
    """Whether a row has a rank."""
    return not pd.isna(row["rank"])


def name(row: Mapping[str, Any]) -> Said:
    """Return the names of a row's unit; its code where it has none."""
    zh, en = (
        value if isinstance(value, str) and value else str(row["code"])
        for value in (row["name_zh"], row["name_en"])
    )
    return Said(zh, en)


def check_columns(ranking: pd.DataFrame, columns: Iterable[str]) -> None:
    """Refuse a table without the columns that are needed; K191."""
    if missing := [column for column in columns if column not in ranking]:
        raise RankingError(
            "K191",
            f"名次表缺少列：{'、'.join(missing)}。",
            f"The ranking lacks the columns {', '.join(missing)}.",
            where="ranking",
            available=ranking.columns,
            hint=(
                "用 published.ranking_table 的结果。",
                "Use what published.ranking_table returns.",
            ),
        )


def _check_count(ranked: int, p: int) -> None:
    if ranked != p:
        raise RankingError(
            "K192",
            f"名次表有 {ranked} 个单位参加排名，概要有 {p} 个：两者不属于同一次排名。",
            f"The table ranks {ranked} units, the summary {p}: they do not belong to one ranking.",
            where="ranking, summary",
        )


def _family(summary: Mapping[str, Any]) -> Said:
    if "multiplicity" in summary:
        return Said("已按全表作多重比较校正", "adjusted for the whole table")
    return Said("逐个单位检验", "each unit tested by itself")


def _end(size: int, side: str) -> End:
    zh, en = ("前", "first") if side == "first" else ("末", "last")
    if size == 1:
        one = "首位" if side == "first" else "末位"
        return End(side, size, Said(one, f"the {en} one"), Said(f"属于{one}", en))
    name_zh, name_en = f"{zh}{numeral(size)}位", f"the {en} {in_english(size)}"
    return End(side, size, Said(name_zh, name_en), Said(f"属于{name_zh}", f"among {name_en}"))


def _across(ranked: list[dict[str, Any]]) -> Iterable[tuple[str, Across]]:
    """Find the nearest units across the cut, all of them where several are equally near."""
    own = np.array([row["listed"] for row in ranked])
    estimate = np.array([row["estimate"] for row in ranked], dtype=float)
    for side in ("yes", "no"):
        others = np.flatnonzero(own != side)
        for unit in np.flatnonzero(own == side) if len(others) else ():
            gaps = estimate[unit] - estimate[others]
            nearest = [ranked[k] for k in others[np.abs(gaps) < np.abs(gaps).min() + SAME]]
            first = nearest[0]
            gap = float(estimate[unit] - first["estimate"])
            yield (
                ranked[unit]["code"],
                Across(
                    first["code"], listing(name(row) for row in nearest), str(first["listed"]), gap
                ),
            )
