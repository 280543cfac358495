"""How figures are written for people: shares, points, p-values, probabilities, intervals, ranks with their sets.

One writer each, for the console, the pages, the sentences and the pictures. A string where digits and signs
suffice, a `Text` where words are needed. No missing value is shown as 'nan', and nothing is written as certain.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sized
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.foundation.language import NOTHING, Text, _, pgettext

Kind: TypeAlias = Literal["rate", "index", "score"]

ABSENT = "—"
SMALL = 0.001
"""A probability or p-value nearer to 0 or 1 than this is written as a bound."""
MOST_DECIMALS = 6
NUMBERS = pgettext(
    "numbers from 0 before a noun, one behind the other; in Chinese to 10, and 2 before a measure word",
    "no one two three four five six seven eight nine ten eleven twelve",
)


class Brief:
    """A record whose `repr` says how much it holds and never the data.

    Of an array or a table its shape, of a list or a mapping its length; other values as they are.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        shown = []
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, field.name)
            if value is None:
                continue
            if hasattr(value, "shape"):
                text = " x ".join(map(str, value.shape))
            elif isinstance(value, Sized) and not isinstance(value, str | Brief):
                text = str(len(value))
            else:
                text = repr(value)
            shown.append(f"{field.name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Unit:
    """How one measure is written with two decimals: rates in percent, scores and indices in points.

    Attributes
    ----------
    scale : int
        From the published figure (share 0-1, points 0-100) to the written one.
    sign : str
        Behind a level.
    of_change : Text
        Behind a difference.
    """

    scale: int
    sign: str
    of_change: Text

    def level(self, value: float) -> str:
        """Write a figure."""
        return f"{value * self.scale:.2f}{self.sign}"

    def limits(self, low: float, high: float) -> str:
        """Write the limits of a figure in brackets."""
        lowest = low * self.scale
        highest = high * self.scale
        return f"  ({lowest:.2f} – {highest:.2f})"

    def change(self, value: float) -> Text:
        """Write a difference, with its sign; nothing is minus zero."""
        return self._difference(f"{value * self.scale:+z.2f}")

    def change_limits(self, low: float, high: float) -> Text:
        """Write the limits of a difference in brackets; nothing where there are none."""
        if pd.isna(low):
            return NOTHING
        limits = self._difference(f"{low * self.scale:+z.2f} – {high * self.scale:+z.2f}")
        return _("  ({limits})", limits=limits)

    def _difference(self, figures: str) -> Text:
        unit = self.of_change
        return Text(figures + unit.zh, figures + unit.in_language("en"))


def unit_of(kind: str) -> Unit:
    """Return how a measure of a kind is written."""
    if kind == "rate":
        return Unit(100, "%", pgettext("behind a difference", " pp"))
    return Unit(1, "", NOTHING)


def count(value: Any) -> str:
    """Write a whole number; a dash where there is none."""
    if pd.isna(value):
        return ABSENT
    return f"{int(value):,}"


def percent(share: Any, digits: int = 1) -> str:
    """Write a share 0-1 everywhere: "77.3%"; a dash where there is none."""
    if pd.isna(share):
        return ABSENT
    return f"{100 * share:.{digits}f}%"


def confidence(level: float) -> str:
    """Write a level of confidence or a rate of errors 0-1 with the digits it has: "95%", "97.5%"."""
    return f"{100 * level:g}%"


def estimate_text(value: Any, kind: str, digits: int = 1) -> str:
    """Write an estimate: a share 0-1 ("rate") as "77.3%", anything else in points."""
    if kind == "rate":
        return percent(value)
    if pd.isna(value):
        return ABSENT
    return f"{value:.{digits}f}"


def interval(low: Any, high: Any, kind: str) -> str:
    """Write limits of an estimate; unbounded where it has no degrees of freedom."""
    if pd.isna(low) or pd.isna(high):
        return ABSENT
    if np.isinf(low) or np.isinf(high):
        return str(_("unbounded"))
    lowest = estimate_text(low, kind).removesuffix("%")
    return f"{lowest}–{estimate_text(high, kind)}"


def digits_of(errors: np.ndarray) -> int | None:
    """Return how many decimals figures deserve: two digits of their standard errors' median; None without an error.

    >>> digits_of(np.array([0.36, 0.4])), digits_of(np.array([1.2, 1.6, 2.0])), digits_of(np.array([]))
    (2, 1, None)
    """
    known = errors[np.isfinite(errors) & (errors > 0)]
    if not len(known):
        return None
    return _decimals(float(np.median(known)), significant=2)


def digits_of_size(numbers: np.ndarray) -> int:
    """Return the decimals that show four digits of the largest of the numbers, for figures without an error.

    >>> digits_of_size(np.array([0.12345, 1.5])), digits_of_size(np.array([1234.5]))
    (3, 0)
    """
    sizes = np.abs(numbers[np.isfinite(numbers)])
    if not len(sizes) or sizes.max() == 0:
        return 0
    return _decimals(float(sizes.max()), significant=4)


def _decimals(size: float, *, significant: int) -> int:
    before_point = int(np.floor(np.log10(size))) + 1
    return int(np.clip(significant - before_point, 0, MOST_DECIMALS))


def signed(value: float) -> str:
    """Write a difference with its sign; nothing is minus zero."""
    if pd.isna(value):
        return ABSENT
    return f"{value:+z.1f}"


def signed_limits(low: float, high: float) -> str:
    """Write the limits of a difference, each with its sign."""
    if pd.isna(low):
        return ABSENT
    return f"{signed(low)} – {signed(high)}"


def probability(value: Any) -> str:
    """Write a probability; nothing is ever written as certain.

    >>> probability(0.4768), probability(0.99999), probability(0.0)
    ('47.7%', '> 99.9%', '< 0.1%')
    """
    return _bounded(value, scale=100, digits=1, sign="%")


def _bounded(value: Any, *, scale: int = 1, digits: int = 3, sign: str = "") -> str:
    """Write a number between 0 and 1; what would round to either says so."""
    if pd.isna(value):
        return ABSENT
    if value < SMALL:
        return f"< {SMALL * scale:g}{sign}"
    if value > 1 - SMALL:
        return f"> {(1 - SMALL) * scale:g}{sign}"
    return f"{scale * value:.{digits}f}{sign}"


def probability_in_words(value: float) -> Text:
    """Write a probability to stand behind "the probability is"."""
    if value < SMALL:
        return _("below 0.1%")
    if value > 1 - SMALL:
        return _("above 99.9%")
    return pgettext("it is", "{value}", value=percent(value))


def range_of_models(chance: Text, low: float, high: float) -> Text:
    """Write a probability with its range under other assumptions, where that is wide."""
    return _(
        "{chance} (it depends on the model: between {low} and {high} under other assumptions)",
        chance=chance,
        low=percent(low),
        high=percent(high),
    )


def p_value(value: Any) -> str:
    """Write a p-value; what would round to 0 or 1 says so.

    >>> p_value(0.04), p_value(0.00001)
    ('0.040', '< 0.001')
    """
    return _bounded(value)


def p_value_in_words(value: float) -> Text:
    """Write a p-value with what it equals or falls below."""
    if value < SMALL:
        return _("below 0.001")
    return pgettext("it is", "{value}", value=f"{value:.3f}")


def amount(value: float, kind: Kind) -> Text:
    """Write an estimate in a sentence: a share 0-1 as a percentage, anything else in points 0-100."""
    if kind == "rate":
        return Text(percent(value), percent(value))
    return _("{value:.2f} points", value=value)


def difference(value: float, kind: Kind) -> Text:
    """Write the size of a difference of two estimates in a sentence; what would round to 0 says so."""
    size = abs(value)
    digits = 2
    unit = _("points")
    if kind == "rate":
        size = 100 * abs(value)
        digits = 1
        unit = _("percentage points")
    least = 10.0**-digits
    if size < least / 2:
        return _("less than {value} {unit}", value=f"{least:.{digits}f}", unit=unit)
    return Text(f" {size:.{digits}f} {unit.zh}", f"{size:.{digits}f} {unit.en}")


def rank_text(value: Any) -> str:
    """Write a rank, which the rule of ties may make fractional."""
    return ABSENT if pd.isna(value) else f"{value:g}"


def rank_set(low: Any, high: Any) -> str:
    """Write a set of ranks: "3–12"."""
    return ABSENT if pd.isna(low) or pd.isna(high) else f"{low:.0f}–{high:.0f}"


def rank_with_set(row: Any, *, rank: str = "rank", ends: str = "marginal") -> str:
    """Write the rank of a table's row with its set, where there is one: "7 [3–12]"."""
    low = row[f"{ends}_low"]
    if pd.isna(low):
        return rank_text(row[rank])
    return f"{rank_text(row[rank])} [{rank_set(low, row[f'{ends}_high'])}]"


def rank_set_in_words(row: Any) -> Text:
    """Write the marginal set of a row of a `Ranking`'s table, as the console prints it behind a rank."""
    return _("rank set {rank_set}", rank_set=rank_set(row["marginal_low"], row["marginal_high"]))


def places(low: float, high: float) -> Text:
    """Write a set of ranks in a sentence."""
    if low == high:
        return pgettext("a rank", "{low:g}", low=low)
    return _("{low:g} to {high:g}", low=low, high=high)


def number_in_words(number: int) -> Text:
    """Write a number as it stands before a noun; one for which words are not usual in digits.

    >>> [number_in_words(number).zh for number in (2, 10, 12, 20, 35, 100)]
    ['两', '十', '十二', '二十', '三十五', ' 100 ']
    >>> [number_in_words(number).en for number in (2, 12, 35)]
    ['two', 'twelve', '35']
    """
    chinese = f" {number} "
    if 0 < number < 100:
        chinese = _in_chinese(number)
    english = str(number)
    words = NUMBERS.en.split()
    if number in range(len(words)):
        english = words[number]
    return Text(chinese, english)


def _in_chinese(number: int) -> str:
    """Write a number from 1 to 99 in Chinese."""
    *digits, ten, two = NUMBERS.zh.split()
    if number == 2:
        return two
    tens, ones = divmod(number, 10)
    written = digits[ones] if ones else ""
    if tens == 0:
        return written
    before = digits[tens] if tens > 1 else ""
    return f"{before}{ten}{written}"


def text_columns(text: str) -> int:
    """Return the width of a text in Latin characters; a Chinese one takes two."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide
