"""The published tables cut into the rows of the report. No rank leaves without its sets and its status.

What the rules make of a wave, cut into the rows of the report: targets, thresholds, escalation, rankings within areas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.publication.labels import STATUS
from satisfaction.publication.report.words import (
    ABSENT,
    ACTIONS,
    LEVELS,
    SIDES,
    STATUS_SHAPES,
    Words,
    both,
    count,
    interval,
    p_value,
    place,
    probability,
    score,
    span,
)


class Cell(NamedTuple):
    """One estimate as the page shows it."""

    estimate: str
    interval: str
    n: str
    note: str


class Measured(NamedTuple):
    """A measure with its estimate."""

    label: Words
    unit: Words
    cell: Cell


class Ranked(NamedTuple):
    """One row of the ranking; texts only."""

    code: str
    name: Words
    estimate: str
    se: str
    n: str
    rank: str
    marginal: str
    simultaneous: str
    status: str
    status_label: Words
    shape: str
    tied: bool
    probability: str
    p_in: str
    p_out: str
    expected_rank: str
    reliability: str


class AreaTable(NamedTuple):
    """All areas of one level: `rows` holds (code, name, cells), the whole last."""

    level: Words
    heads: list[Words]
    rows: list[tuple[str, Words, list[Cell]]]


def levels(indices: pd.DataFrame) -> list[str]:
    """Return the levels of area, the ranked one first, the whole last."""
    return list(indices["level"].unique())


def headline(indices: pd.DataFrame) -> list[Measured]:
    """Return the rates and indices of all areas together."""
    rows = indices[(indices["level"] == levels(indices)[-1]) & (indices["kind"] != "score")]
    return [measured(row) for row in records(rows)]


def topics(indices: pd.DataFrame) -> list[Measured]:
    """Return the topics of all areas together, strongest first."""
    rows = indices[(indices["level"] == levels(indices)[-1]) & (indices["kind"] == "score")]
    return [
        measured(row)
        for row in records(rows.sort_values("estimate", ascending=False, kind="stable"))
    ]


def areas(survey: Survey, indices: pd.DataFrame) -> list[AreaTable]:
    """Return rates and indices of every level but the whole, the highest first; the whole closes each table."""
    chosen = indices[indices["kind"] != "score"]
    *parts, whole = levels(indices)
    heads = [
        both(row["measure_zh"], row["measure_en"])
        for row in records(chosen.drop_duplicates("measure"))
    ]
    last = _area_rows(chosen[chosen["level"] == whole])
    own = chosen["level"]
    return [
        AreaTable(level_label(survey, part), heads, _area_rows(chosen[own == part]) + last)
        for part in reversed(parts)
    ]


def level_label(survey: Survey, level: str) -> Words:
    """Return what a level of area is called: as in the questionnaire, where it has no common name."""
    item = survey.questionnaire.items.get(level)
    return LEVELS[level] if level in LEVELS else both(item.zh, item.en) if item else Words(level)


def ranked_rows(ranking: pd.DataFrame, scale: str) -> list[Ranked]:
    """Return rows of the ranking in rank order."""
    return [_ranked(row, scale) for row in records(ranking)]


def ranked_measure(indices: pd.DataFrame, ranking: pd.DataFrame) -> Words:
    """Return the label of the measure that is ranked."""
    row = indices[indices["measure"] == ranking["measure"].iloc[0]].iloc[0]
    return both(row["measure_zh"], row["measure_en"])


def findings(summary: Mapping[str, Any]) -> list[Words]:
    """Say in sentences what the ranking as a whole can and cannot tell."""
    if summary["selection"] != "probability":
        return []
    size, share, side = summary["list_size_low"], summary["decidable_share"], SIDES[summary["side"]]
    return [
        Words(
            f"按模型，名单上的 {size} 个单位中预计有 {summary['expected_true_bottom']:.1f} 个真正属于{side.zh} {summary['bottom']} 位。",
            f"Under the model, {summary['expected_true_bottom']:.1f} of the {size} units listed are expected to be true "
            f"members of the {side.en} {summary['bottom']}.",
        ),
        Words(
            f"整份名单的检验 p 值为 {p_value(summary['list_p'])}；低于 {1 - summary['level']:.3g} 且为概率样本时名单才算得到确认。",
            f"The p-value of the list as a whole is {p_value(summary['list_p'])}; a probability sample and a value of at most "
            f"{1 - summary['level']:.3g} would establish it.",
        ),
        Words(
            f"{summary['p']} 个单位的全部两两比较中，{share:.1%} 能在全表同时判断先后；可排名度 {summary['rankability']:.2f}（0-1）。",
            f"Of all pairs of the {summary['p']} units, {share:.1%} can be put in order for the whole table at once; "
            f"rankability {summary['rankability']:.2f} (0-1).",
        ),
    ]


def reasons(log: pd.DataFrame) -> list[tuple[str, Words, Words, str]]:
    """Count the log's entries by rule: rule, action, message, entries."""
    counts = log.groupby(["rule", "action", "zh", "en"]).size()
    return [
        (rule, ACTIONS.get(action, Words(action)), both(zh, en), count(number))
        for (rule, action, zh, en), number in counts.items()
    ]


def alternatives(
    indices: pd.DataFrame, ranking: pd.DataFrame, summary: Mapping[str, Any]
) -> dict[str, Words]:
    """Describe each figure in words, for those who cannot see it."""
    size, side = summary["bottom"], SIDES[summary["side"]]
    p = int(ranking["rank"].notna().sum())
    below = levels(indices)[-2]
    many = indices.loc[indices["level"] == below, "code"].nunique()
    strongest = topics(indices)
    share = ABSENT if summary["decidable_share"] is None else f"{summary['decidable_share']:.1%}"
    proven = summary["selection"] == "probability"
    with_errors = (
        Words("、置信区间和名次集合", ", interval and rank sets") if proven else Words("", "")
    )
    with_limits = Words("及其置信区间", " with intervals") if proven else Words("", "")
    limits = Words("、区间", " and interval") if proven else Words("", "")
    ends = (
        (strongest[0].label, strongest[-1].label) if strongest else (Words(ABSENT), Words(ABSENT))
    )
    return {
        "ladder": Words(
            f"{p} 个单位按名次排列，每个单位有估计值{with_errors.zh}；数值见完整排名表。",
            f"{p} units in rank order, each with estimate{with_errors.en}; the full ranking table holds the numbers.",
        ),
        "probability": Words(
            f"分界两侧各单位属于{side.zh} {size} 位的概率；数值见完整排名表。",
            f"Probability of the {side.en} {size} for the units nearest the cut; the full ranking table holds the numbers.",
        ),
        "rates": Words(
            f"{many} 个地区的率{with_limits.zh}；数值见各地区表。",
            f"Rates of {many} areas{with_limits.en}; the tables by area hold the numbers.",
        ),
        "topics": Words(
            f"{len(strongest)} 个项目的得分：最高为{ends[0].zh}，最低为{ends[1].zh}。",
            f"Scores of {len(strongest)} topics: strongest {ends[0].en or ends[0].zh}, weakest {ends[1].en or ends[1].zh}.",
        ),
        "pairs": Words(
            f"{p} 个单位两两比较：{share} 的比较能分出先后，其余不能。",
            f"All pairs of {p} units: {share} can be put in order, the others cannot.",
        ),
        "paths": Words(
            "名单上各单位历次的名次；有名次集合的，一并画出。",
            "Ranks of the units listed over the waves, with their sets where there are any.",
        ),
        "targets": Words(
            "各项目标的结论；数值见目标表。",
            "Verdicts on the targets; the table of targets holds the numbers.",
        ),
        "thresholds": Words(
            f"各地区的值{limits.zh}与界线。", f"Every area's value{limits.en} beside the threshold."
        ),
    }


def two_languages(note: str) -> Words:
    """Split a sentence that stands in both languages after its Chinese full stop."""
    zh, stop, en = note.partition("。 ")
    return Words(zh + stop.strip(), en)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _area_rows(part: pd.DataFrame) -> list[tuple[str, Words, list[Cell]]]:
    rows: dict[str, tuple[str, Words, list[Cell]]] = {}
    for row in records(part):
        _, _, cells = rows.setdefault(
            row["code"], (row["code"], both(row["name_zh"], row["name_en"]), [])
        )
        cells.append(_cell(row))
    return list(rows.values())


def measured(row: dict[str, Any]) -> Measured:
    """Return a row of the published indices as the page shows it."""
    unit = Words("") if row["kind"] == "rate" else Words("分", "points 0-100")
    return Measured(both(row["measure_zh"], row["measure_en"]), unit, _cell(row))


def _cell(row: dict[str, Any]) -> Cell:
    limits = interval(row["ci_low"], row["ci_high"], row["kind"])
    return Cell(score(row["estimate"], row["kind"]), limits, count(row["n"]), row["note"])


def _ranked(row: dict[str, Any], scale: str) -> Ranked:
    label = STATUS[row["status"]]
    return Ranked(
        code=row["code"],
        name=both(row["name_zh"], row["name_en"]),
        estimate=score(row["estimate"], scale, 2),
        se=score(row["se"], scale, 2),
        n=count(row["n"]),
        rank=place(row["rank"]),
        marginal=span(row["marginal_low"], row["marginal_high"]),
        simultaneous=span(row["simultaneous_low"], row["simultaneous_high"]),
        status=row["status"],
        status_label=both(label.zh, label.en),
        shape=STATUS_SHAPES[row["status"]],
        tied=row["listed"] == "tied",
        probability=probability(row["probability_bottom"]),
        p_in=p_value(row["p_in"]),
        p_out=p_value(row["p_out"]),
        expected_rank=ABSENT if pd.isna(row["expected_rank"]) else f"{row['expected_rank']:.1f}",
        reliability=ABSENT if pd.isna(row["reliability"]) else f"{row['reliability']:.2f}",
    )


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
        _verdict(
            row,
            Words(row["target_zh"], row["target"]),
            both(row["basis_zh"], row["basis"]),
            *_ps(row, "met"),
        )
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
        Within(_title(survey, level, part.iloc[0]), [_placed(row, scale) for row in records(part)])
        for level, part in found[::-1]
    ]


def _title(survey: Survey, level: str, first: pd.Series[Any]) -> Words:
    label = level_label(survey, level)
    return Words(
        f"{first['within_zh']}：{label.zh}排名",
        f"{first['within_en']}: ranking by {label.en or level}",
    )


def _placed(row: dict[str, Any], scale: str) -> Verdict:
    ranked = Words(rank_with_set(row))
    figures = (
        score(row["estimate"], scale, 2),
        span(row["simultaneous_low"], row["simultaneous_high"]),
        probability(row["probability_first"]),
        probability(row["probability_last"]),
        count(row["n"]),
    )
    return Verdict(
        row["code"],
        both(row["name_zh"], row["name_en"]),
        Words(""),
        ranked,
        Words(row["note"]),
        figures,
    )


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
    return Verdict(
        row["code"], both(row["name_zh"], row["name_en"]), asked, found, verdict, figures
    )
