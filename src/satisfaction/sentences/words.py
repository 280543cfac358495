"""Words and numbers inside a sentence, in Chinese and in English: one and many, rates and points, first and last."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["rate", "index", "score"]

SMALL = 0.001
DIGITS = "零一二三四五六七八九"
ENGLISH = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
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
        (100 * abs(value), 1, Said("个百分点", "percentage points")) if kind == "rate" else (abs(value), 2, Said("分", "points"))
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
    return Said(f"为{zh}", f"is {en}") if low == high else Said(f"在{zh}之间", f"lies between {low:g} and {high:g}")


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
