"""Tables for their readers: words in one language, titles before the names of columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.language import LANGUAGES, Text, _, current, pgettext
from satisfaction.publication.columns import COLUMNS
from satisfaction.publication.labels import mark_as_text

WORDS = "words"
"""What the columns `zh` and `en` are together."""
HEADINGS = {
    WORDS: _("in words"),
    "name": _("name"),
    "topic": pgettext("a heading", "topic"),
    "figure": pgettext("a heading", "figure"),
    "check": _("check"),
    "needs": pgettext("a heading", "needs"),
    "quadrant": _("quadrant"),
    "status": pgettext("a heading", "status"),
    "verdict": pgettext("a heading", "verdict"),
    "target": pgettext("a heading", "target"),
    "basis": pgettext("a heading", "basis"),
    "within": pgettext("a heading", "within"),
    "consequence": pgettext("a heading", "consequence"),
    "step": pgettext("a heading", "step"),
    "value": pgettext("a heading", "value"),
    "county": pgettext("a heading", "county"),
    "units": pgettext("a heading", "units compared"),
    "flagged": pgettext("a heading", "flagged"),
    "day": pgettext("a heading", "day"),
    "interviews": pgettext("a heading", "interviews"),
    "cumulative": pgettext("a heading", "interviews so far"),
    "interviewers": pgettext("a heading", "interviewers"),
    "counties": pgettext("a heading", "counties"),
    "planned": pgettext("a heading", "planned interviews"),
    "accepted": pgettext("a heading", "accepted"),
    "psus_planned": pgettext("a heading", "PSUs planned"),
    "psus_reached": pgettext("a heading", "PSUs reached"),
    "median": pgettext("a heading", "median of the others"),
    "q1": pgettext("a heading", "lower quartile of the others"),
    "q3": pgettext("a heading", "upper quartile of the others"),
    "p_bh": pgettext("a heading", "p-value, adjusted"),
    "other": pgettext("a heading", "the other one"),
    "file": pgettext("a heading", "file"),
    "sheet": pgettext("a heading", "sheet"),
    "row": pgettext("a heading", "row"),
    "rows": pgettext("a heading", "rows"),
    "rejected": pgettext("a heading", "rejected"),
    "blanked": pgettext("a heading", "blanked"),
    "ignored_columns": pgettext("a heading", "columns left out"),
    "rule": pgettext("a heading", "rule"),
    "action": pgettext("a heading", "action"),
    "events": pgettext("a heading", "events"),
    "column": pgettext("a heading", "column"),
    "suggestion": pgettext("a heading", "suggestion"),
    "how": pgettext("a heading", "how recognised"),
    "wish": pgettext("a heading", "wish"),
    "psus": pgettext("a heading", "PSUs"),
    "psus_low": pgettext("a heading", "fewest PSUs of an area"),
    "psus_high": pgettext("a heading", "most PSUs of an area"),
    "se_median": pgettext("a heading", "standard error, median area"),
    "se_largest": pgettext("a heading", "standard error, largest"),
    "established": pgettext("a heading", "share established"),
    "excluded": pgettext("a heading", "share excluded"),
    "undecided": pgettext("a heading", "areas not decidable"),
    "false": pgettext("a heading", "wrongly established or excluded"),
    "wave_before": pgettext("a heading", "earlier wave"),
    "wave_after": pgettext("a heading", "later wave"),
    "before": pgettext("a heading", "earlier"),
    "after": pgettext("a heading", "later"),
    "change": pgettext("a heading", "change"),
    "change_se": pgettext("a heading", "its standard error"),
    "relative_change": pgettext("a heading", "change beside the mean of all"),
    "significant": pgettext("a heading", "beyond sampling error"),
    "shrunk_change": pgettext("a heading", "change, shrunk"),
    "shrunk_sd": pgettext("a heading", "its standard deviation"),
    "rank_before": pgettext("a heading", "earlier rank"),
    "rank_after": pgettext("a heading", "later rank"),
    "rank_before_low": pgettext("a heading", "earlier rank set, best"),
    "rank_before_high": pgettext("a heading", "earlier rank set, worst"),
    "rank_after_low": pgettext("a heading", "later rank set, best"),
    "rank_after_high": pgettext("a heading", "later rank set, worst"),
    "rise": pgettext("a heading", "places gained"),
    "rise_low": pgettext("a heading", "gain, at least"),
    "rise_high": pgettext("a heading", "gain, at most"),
    "all_low": pgettext("a heading", "gain, at least (whole table)"),
    "all_high": pgettext("a heading", "gain, at most (whole table)"),
    "expected_rise": pgettext("a heading", "expected gain"),
    "probability_rise": pgettext("a heading", "probability of such a gain"),
    "probability_rise_low": pgettext("a heading", "that probability, lowest"),
    "probability_rise_high": pgettext("a heading", "that probability, highest"),
    "places": pgettext("a heading", "places asked for"),
    "shared_psus": pgettext("a heading", "shared PSUs"),
    "correlation": pgettext("a heading", "correlation of the waves"),
    "alpha": pgettext("a heading", "Cronbach's alpha"),
    "alpha_low": pgettext("a heading", "alpha, lower limit"),
    "alpha_high": pgettext("a heading", "alpha, upper limit"),
    "complete": pgettext("a heading", "complete answers"),
    "respondents": pgettext("a heading", "respondents"),
    "weighted_alpha": pgettext("a heading", "alpha, weighted"),
    "mean": pgettext("a heading", "mean"),
    "weighted_mean": pgettext("a heading", "weighted mean"),
    "item_total": pgettext("a heading", "item with total, correlation"),
    "weighted_item_total": pgettext("a heading", "the same, weighted"),
    "weighted_alpha_without": pgettext("a heading", "weighted alpha without the item"),
    "rho": pgettext("a heading", "intraclass correlation"),
    "df_between": pgettext("a heading", "df between"),
    "df_within": pgettext("a heading", "df within"),
    "groups": pgettext("a heading", "groups"),
    "mean_workload": pgettext("a heading", "interviews each, mean"),
    "interviewer": pgettext("a heading", "interviewer"),
    "deviation": pgettext("a heading", "deviation"),
    "adjustment": pgettext("a heading", "adjustment"),
    "differ": pgettext("a heading", "that differ"),
    "tested": pgettext("a heading", "tested"),
    "area": pgettext("a heading", "area"),
    "p_maxt": pgettext("a heading", "p-value, max-t"),
    "mean_rank": pgettext("a heading", "mean rank"),
    "term": pgettext("a heading", "term"),
    "wald": pgettext("a heading", "Wald statistic"),
    "pearson": pgettext("a heading", "Pearson statistic"),
    "share in row": pgettext("a heading", "share in row"),
    "mean 1": pgettext("a heading", "mean, first group"),
    "mean 2": pgettext("a heading", "mean, second group"),
    "n 1": pgettext("a heading", "n, first group"),
    "n 2": pgettext("a heading", "n, second group"),
    "recipe": pgettext("a heading", "recipe"),
    "variance": pgettext("a heading", "standard error by"),
    "effective_n": pgettext("a heading", "effective n"),
    "list_size": pgettext("a heading", "size of the list"),
    "established_listed": pgettext("a heading", "established"),
    "expected_true_bottom": pgettext("a heading", "expected there"),
    "list_p": pgettext("a heading", "p, whole list"),
    "decidable_share": pgettext("a heading", "share of pairs proven"),
    "rank_declared": pgettext("a heading", "declared"),
    "pingouin: alpha": pgettext("a heading", "alpha by pingouin"),
    "pingouin: low": pgettext("a heading", "its lower limit, as of a simple random sample"),
    "pingouin: high": pgettext("a heading", "its upper limit, as of a simple random sample"),
    "weighted alpha": pgettext("a heading", "alpha, weighted"),
    "design: low": pgettext("a heading", "lower limit, of the design"),
    "design: high": pgettext("a heading", "upper limit, of the design"),
    "width, design / pingouin": pgettext(
        "a heading", "width of the intervals, design over pingouin"
    ),
    "F": pgettext("a heading", "F statistic"),
    "f": pgettext("a heading", "F statistic"),
    "t": pgettext("a heading", "t statistic"),
    "se ignoring": pgettext("a heading", "standard error as if the waves shared no PSU"),
    "se ignoring / se": pgettext("a heading", "that over the standard error"),
    "difference (whole)": pgettext("a heading", "difference from the rest of the whole"),
    "p_holm (whole)": pgettext("a heading", "p-value (Holm), beside the whole"),
    "plain": pgettext("a heading", "estimate without weights"),
    "se plain": pgettext("a heading", "standard error without the design"),
    "se / se plain": pgettext("a heading", "standard errors, with over without the design"),
    "textbook": pgettext("a heading", "textbook p-value (Holm)"),
    "later": pgettext("a heading", "later wave"),
    "earlier": pgettext("a heading", "earlier wave"),
    "moved": pgettext("a heading", "the list"),
}
"""Titles of columns that hold words of one language, before those of the published tables."""


def in_one_language(table: pd.DataFrame, headings: Mapping[str, Text] = HEADINGS) -> pd.DataFrame:
    """Return a table for its reader: words in the current language, titles before the names of columns.

    Of `name_zh` and `name_en` one stays, as `name`; so it does of a code and its Chinese words, `status` and `status_zh`.
    `headings` stand before those of the published tables.
    """
    if not table.columns.is_unique or table.columns.nlevels > 1:
        return table
    chosen = chosen_columns(table)
    narrow = table[list(chosen.values())].copy()
    for name in narrow.select_dtypes(["object", "string", "bool"]):
        narrow[name] = narrow[name].map(_spoken)
    return narrow.set_axis([_heading(name, headings) for name in chosen], axis="columns")


def column_words(table: pd.DataFrame, name: str) -> pd.Series[str]:
    """Return the words of a table's column in the current language: `name` of name_zh and name_en."""
    column = chosen_columns(table)[name]
    return table[column].rename(name)


def chosen_columns(table: pd.DataFrame) -> dict[Any, Any]:
    """Return the columns to show, by the name without its language; figures stay beside words."""
    columns = list(table.columns)
    figures = set(table.select_dtypes("number").columns)
    chosen = {}
    for column in columns:
        name = _without_language(column)
        if name not in figures:
            chosen[name] = _in_language(name, columns)
        elif column == name:
            chosen[name] = name
        else:
            words_only = [other for other in columns if other != name]
            chosen[f"{name}, {WORDS}"] = _in_language(name, words_only)
    return chosen


def _spoken(cell: Any) -> Any:
    """Return what a cell shows: words in the current language, anything else as it is."""
    if isinstance(cell, Text):
        return str(cell)
    if isinstance(cell, str):
        return str(mark_as_text(cell))
    if isinstance(cell, bool | np.bool_):
        return str(_("yes") if cell else _("no"))
    return cell


def _without_language(column: Any) -> Any:
    if column in LANGUAGES:
        return WORDS
    if isinstance(column, str) and column.endswith(("_zh", "_en")):
        return column[: -len("_zh")]
    return column


def _in_language(name: Any, columns: list[Any]) -> Any:
    """Return the column that says a name in the current language; else the one there is."""
    if not isinstance(name, str):
        return name
    language = current() or "zh"
    other = "en" if language == "zh" else "zh"
    spoken = [f"{name}_{language}", name, f"{name}_{other}"]
    if name == WORDS:
        spoken = [language, name, other]
    return next(column for column in spoken if column in columns)


def title_of(name: Any, headings: Mapping[str, Text] = HEADINGS) -> Text | None:
    """Return the title of a column, where it has one."""
    if name in headings:
        return headings[name]
    if name in COLUMNS:
        return COLUMNS[name].title
    return None


def _heading(name: Any, headings: Mapping[str, Text]) -> Any:
    """Return the title of a column with its name behind; the name alone where it has no title, or the same."""
    title = title_of(name, headings)
    if title is None or str(title) == name:
        return name
    if name == WORDS:
        return str(title)
    return f"{title} ({name})"
