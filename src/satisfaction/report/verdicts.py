"""What the rules make of a wave, cut into the rows of the report: targets, thresholds, escalation, rankings within areas."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from ..survey import Survey
from .tables import level_label, records
from .words import Words, both, count, interval, p_value, place, probability, score, span


class Verdict(NamedTuple):
    """A verdict on an area: what was asked, what was found, how sure it is; texts only."""

    code: str
    name: Words
    asked: Words
    found: Words
    verdict: Words
    figures: tuple[str, ...]


class Within(NamedTuple):
    """One ranking within a larger area: rows of (code, name, estimate, rank, sets, probabilities)."""

    title: Words
    rows: list[Verdict]


def target_rows(targets: pd.DataFrame) -> list[Verdict]:
    """Return the targets: the rank that decides with its set, p of met and of not met, probability."""
    return [
        _verdict(row, Words(row["target_zh"], row["target"]), both(row["basis_zh"], row["basis"]), *_ps(row, "met"))
        for row in records(targets)
    ]


def threshold_rows(thresholds: pd.DataFrame) -> list[Verdict]:
    """Return the areas that are not excluded from lying below a threshold."""
    open_rows = [row for row in records(thresholds) if row["status"] != "excluded"]
    return [
        _verdict(
            row | {"verdict_zh": row["status_zh"], "verdict": row["status"]},
            Words(row["consequence_zh"], row["consequence_en"]),
            Words(_with_interval(row, kind)),
            p_value(row["p_below"]),
            p_value(row["p_not_below"]),
            count(row["n"]),
        )
        for row in open_rows
        for kind in ["rate" if row["threshold"] <= 1 else "index"]
    ]


def _with_interval(row: dict[str, Any], kind: str) -> str:
    figure = score(row["estimate"], kind)
    if pd.isna(row["ci_low"]):
        return figure
    return f"{figure}（{interval(row['ci_low'], row['ci_high'], kind)}）"


def escalation_rows(escalation: pd.DataFrame) -> list[Verdict]:
    """Return the step that follows for every area on the list, with the status of its listing."""
    return [
        _verdict(
            row | {"verdict_zh": row["status_zh"], "verdict": row["status"]},
            Words(row["step_zh"] or "—", row["step_en"]),
            Words(f"连续 {row['listed_in_a_row']} 期", f"{row['listed_in_a_row']} in a row"),
            p_value(row["p_in"]),
            probability(row["probability_bottom"]),
        )
        for row in records(escalation)
    ]


def within_tables(survey: Survey, within: pd.DataFrame, scale: str) -> list[Within]:
    """Return the rankings within larger areas, the highest level first."""
    parts = within.groupby(["level", "within"], sort=False) if len(within) else ()
    found = [(str(level), part) for (level, _), part in parts]
    return [
        Within(_title(survey, level, part.iloc[0]), [_placed(row, scale) for row in records(part)]) for level, part in found[::-1]
    ]


def _title(survey: Survey, level: str, first: pd.Series[Any]) -> Words:
    label = level_label(survey, level)
    return Words(f"{first['within_zh']}：{label.zh}排名", f"{first['within_en']}: ranking by {label.en or level}")


def _placed(row: dict[str, Any], scale: str) -> Verdict:
    ranked = Words(rank_with_set(row))
    figures = (
        score(row["estimate"], scale, 2),
        span(row["simultaneous_low"], row["simultaneous_high"]),
        probability(row["probability_first"]),
        probability(row["probability_last"]),
        count(row["n"]),
    )
    return Verdict(row["code"], both(row["name_zh"], row["name_en"]), Words(""), ranked, Words(row["note"]), figures)


def _ps(row: dict[str, Any], met: str) -> tuple[str, ...]:
    return (
        f"{rank_with_set(row)} / {row['of']}",
        p_value(row[f"p_{met}"]),
        p_value(row[f"p_not_{met}"]),
        probability(row["probability"]),
    )


def rank_with_set(row: dict[str, Any]) -> str:
    """Write a rank with its set, where there is one."""
    if pd.isna(row["marginal_low"]):
        return place(row["rank"])
    return f"{place(row['rank'])} [{span(row['marginal_low'], row['marginal_high'])}]"


def _verdict(row: dict[str, Any], asked: Words, found: Words, *figures: str) -> Verdict:
    verdict = both(row["verdict_zh"], row["verdict"])
    return Verdict(row["code"], both(row["name_zh"], row["name_en"]), asked, found, verdict, figures)
