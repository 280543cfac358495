"""How to read the ranks at the listed end of the table: one A4 page for readers without statistics, Chinese first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup, escape

from satisfaction.foundation.errors import RankingError, number_of
from satisfaction.foundation.figures import Kind, amount, difference, percent, places, rank_set
from satisfaction.foundation.language import NOTHING, Text
from satisfaction.foundation.pages import fill
from satisfaction.publication import plots
from satisfaction.publication.clauses import (
    Ground,
    Row,
    Rows,
    check_columns,
    established,
    expected_members,
    ground_of,
    is_ranked,
    joined,
    name,
    step_from_cut,
)
from satisfaction.publication.labels import STATUS
from satisfaction.publication.plots.canvas import Picture, picture
from satisfaction.publication.report.rows import SHAPES

SET = re.compile(r"[\d.]+–[\d.]+")
COLUMNS = ("survey", "wave", "se")
ROUND = 10


def render_reading(
    ranking: pd.DataFrame,
    summary: Mapping[str, Any],
    *,
    kind: Kind,
    measure: Text | None = None,
    stretch: tuple[int, int] | None = None,
    no_change: NoChange | None = None,
) -> str:
    """Write the page "how to read ranks 61 to 88".

    Parameters
    ----------
    ranking, summary, kind, measure
        As for `sentences.unit_sentences`; the table also has survey, wave and se.
    stretch : (int, int), optional
        First and last rank the page speaks of; default: about the third of the field that holds the list, from a round number
        on (88 units: 61 to 88).
    no_change : NoChange, optional
        What a simulation showed; without it the page says nothing of it.

    Returns
    -------
    str
        A self-contained HTML page that prints on one sheet of A4: same input, same text; no clock, no outside host.

    Raises
    ------
    RankingError
        K190-K192 as `sentences.unit_sentences`; K360 without a probability sample, which has no sets to read.
    """
    check_columns(ranking, COLUMNS)
    marked = ground_of(ranking, summary, kind=kind, measure=measure)
    if not marked.proven:
        raise RankingError(
            "K360",
            "样本不是概率样本，没有名次集合可读。",
            "The sample is no probability sample: there are no rank sets to read.",
            where="ranking",
            hint=("直接使用名次表和名单说明。", "Use the ranking and the statement of the list."),
        )
    ground = replace(marked, mark=None)  # it stands above the page once
    first, last = stretch or stretch_of(ground.p, ground.end.side)
    inner = first if ground.end.side == "last" else last
    shown = [row for row in ground.ranked() if first <= row["rank"] <= last] or ground.ranked()
    example, wide = min(shown, key=lambda row: abs(row["rank"] - inner)), _widest(ground, shown)
    values = {
        "mark": marked.mark,
        "ranks": places(first, last),
        "about": _about(ground, ranking),
        "parts": [
            what_a_set_is(ground, example),
            why_so_wide(ground, shown, wide),
            why_ranks_jump(ground, example, no_change),
        ],
        "picture": _picture(ground, [ground.ranked()[0], example, wide]),
        "standings": standings(ground),
        "shapes": SHAPES,
        "status_note": how_status_is_made(ground),
        "right": right(ground),
        "wrong": wrong(ground, wide, summary),
        "where": where_to_look(ground),
        "end": ground.end.name,
        "side": ground.end.side,
    }
    return fill("reading.html", values, filters={"whole_sets": _whole_sets})


def stretch_of(p: int, side: str) -> tuple[int, int]:
    """Return the ranks of about a third of p units at one end; where there are enough, from a round number on."""
    start = 2 * p / 3
    first = ROUND * round(start / ROUND) + 1 if start >= ROUND else int(start) + 1
    return (first, p) if side == "last" else (1, p + 1 - first)


def _whole_sets(text: str) -> Markup:
    """Keep a set of ranks on one line."""
    return Markup(SET.sub(lambda found: f'<span class="set">{found[0]}</span>', str(escape(text))))


def _widest(ground: Ground, shown: Rows) -> Row:
    """Return the unit whose set reaches farthest away from the listed end, one on the list if there is any."""
    listed = [row for row in shown if row["listed"] != "no"] or shown
    if ground.end.side == "last":
        return max(listed, key=lambda row: float(row["rank"] - row["marginal_low"]))
    return max(listed, key=lambda row: float(row["marginal_high"] - row["rank"]))


def _about(ground: Ground, ranking: pd.DataFrame) -> Text:
    survey = f"{ranking['survey'].iloc[0]} · {ranking['wave'].iloc[0]}"
    return Text(
        f"{survey} · 按{ground.measure.zh}排名 · {ground.p} 个单位参加排名 · {ground.level} 置信水平",
        f"{number_of(ground.p, 'unit')} ranked by {ground.measure.en}",
    )


def _picture(ground: Ground, rows: Rows) -> Picture:
    """Draw the sets of some units on a line from the first to the last rank."""
    chosen = {row["code"]: row for row in sorted(rows, key=lambda row: float(row["rank"]))}
    labels = [with_set(row) for row in chosen.values()]
    end = ground.end
    first = ground.p + 1 - end.size if end.side == "last" else 1
    drawn = plots.sets_on_a_line(
        pd.DataFrame(list(chosen.values())),
        [label.zh for label in labels],
        units=ground.p,
        listed=(first, first + end.size - 1),
        shaded=str(end.name),
    )
    alt = Text(
        f"名次集合示意图，横轴为第 1 至 {ground.p} 名，阴影为{end.name.zh}：{'；'.join(label.zh for label in labels)}。",
        f"Rank sets on a line from 1 to {ground.p}, {end.name.en} shaded: {'; '.join(label.en for label in labels)}.",
    )
    return picture(drawn, alt)


@dataclass(frozen=True, slots=True)
class NoChange:
    """What a simulation of two waves showed in which nothing truly changed.

    Attributes
    ----------
    places : int
        A rise that is counted.
    share : float
        Share of units, 0-1, that rose by at least so many places.
    largest : (float, float)
        Largest change of rank of any unit: the smallest and the largest figure of the settings simulated.
    source : Text
        What was simulated and where the figures stand.
    """

    places: int
    share: float
    largest: tuple[float, float]
    source: Text


class Part(NamedTuple):
    """A paragraph under a heading."""

    title: Text
    text: Text


class Standing(NamedTuple):
    """One status: its word and meaning, how many units have it, one of them."""

    status: str
    word: Text
    meaning: Text
    many: int
    example: Text


class Wrong(NamedTuple):
    """What may not be written, and why."""

    quote: Text
    why: Text


def with_set(row: Row) -> Text:
    """Write a unit with its rank and set, as short as can be."""
    unit, rank = name(row), f"{row['rank']:g}"
    return Text(f"{unit.zh}，第 {rank} 名（{span(row)}）", f"{unit.en}, rank {rank} ({span(row)})")


def span(row: Row, which: str = "marginal") -> str:
    """Write a set of ranks, "marginal" or "simultaneous", in figures."""
    low, high = row[f"{which}_low"], row[f"{which}_high"]
    return f"{low:g}" if low == high else rank_set(low, high)


def what_a_set_is(ground: Ground, row: Row) -> Part:
    """Explain the rank set of one unit."""
    written, alone, table = with_set(row), span(row), span(row, "simultaneous")
    score, measure, level = amount(row["estimate"], ground.kind), ground.measure, ground.level
    title = Text(f"名次后面的“{alone}”是什么", f'What "{alone}" behind a rank means')
    text = Text(
        f"报告里的名次写作“{written.zh}”。{row['rank']:g} 是按本期{measure.zh}（{score.zh}）排出的位置；{alone} 是名次集合："
        f"单独看这一个单位，以 {level} 的置信水平，真实名次落在其中。全表 {ground.p} 个单位同时比较时，集合为 {table}。集合越宽，本期数据对它的名次所知越少。",
        f'The report writes "{written.en}". {row["rank"]:g} is the place by {measure.en} of this wave ({score.en}); {alone} is '
        f"the rank set: at the {level} confidence level the true rank of this one unit lies within it. When all {ground.p} units are "
        f"compared at once, the set is {table}. The wider the set, the less this wave knows about the rank.",
    )
    return Part(title, text)


def why_so_wide(ground: Ground, shown: Rows, row: Row) -> Part:
    """Explain a set by the units that are proven better (or worse) than its unit: its bound counts them."""
    if ground.end.side == "last":
        bound = row["marginal_low"]
        beyond = int(bound - 1)
        better, far = Text("好于", "better"), Text("最靠前", "good")
    else:
        bound = row["marginal_high"]
        beyond = int(ground.p - bound)
        better, far = Text("不如", "worse"), Text("最靠后", "bad")
    written, are = with_set(row), "is" if beyond == 1 else "are"
    meant = Text(
        f"“{written.zh}”的意思是：能证明真正{better.zh}它的单位有 {beyond} 个，它的真实名次{far.zh}可能是第 {bound:g} 名。",
        f'"{written.en}" means: {number_of(beyond, "unit")} {are} proven to be truly {better.en}; its true rank '
        f"may be as {far.en} as {bound:g}.",
    )
    title = Text(
        f"第 {row['rank']:g} 名为什么可能是第 {bound:g} 名",
        f"Why rank {row['rank']:g} may be rank {bound:g}",
    )
    if bound == row["rank"]:
        title = Text(f"第 {bound:g} 名有多确定", f"How sure rank {bound:g} is")
    return Part(title, joined([_crowded(ground, shown), meant]))


def _crowded(ground: Ground, shown: Rows) -> Text | None:
    """Set the distance between neighbours beside the standard error."""
    if len(shown) < 2:
        return None
    scores = [float(row["estimate"]) for row in shown]
    step = (max(scores) - min(scores)) / (len(shown) - 1)
    error = median(float(row["se"]) for row in shown)
    low, high = amount(min(scores), ground.kind), amount(max(scores), ground.kind)
    apart, wide = difference(step, ground.kind), difference(error, ground.kind)
    blurred = NOTHING
    if step < error:
        blurred = Text(
            "差距小于误差，先后就分不清。",
            " Where distances are smaller than errors, the order is blurred.",
        )
    return Text(
        f"这一段的 {len(shown)} 个单位都在 {low.zh}至 {high.zh}之间，相邻两个平均相差{apart.zh}；一个单位的抽样误差（标准误，中位数）为"
        f"{wide.zh}。{blurred.zh}",
        f"The {len(shown)} units of this stretch lie between {low.en} and {high.en}, neighbours {apart.en} apart on average; the standard "
        f"error of one unit (median) is {wide.en}.{blurred.en}",
    )


def why_ranks_jump(ground: Ground, row: Row, no_change: NoChange | None) -> Part:
    """Explain that ranks move by chance: what a simulation showed, and what one standard error does to one unit."""
    low, high = after_one_se(ground, row)
    own, error = name(row), difference(row["se"], ground.kind)
    moved = Text(
        f"其他单位不动，{own.zh}的{ground.measure.zh}只要高或低一个标准误（{error.zh.strip()}），就会排到{places(low, high).zh}"
        f"（集合 {span(row)}）。所以名次之差不能说明进步或退步；看变化，要看得分之差及其置信区间。",
        f"All others staying, one standard error ({error.en}) more or less in {ground.measure.en} would give {own.en} ranks "
        f"{places(low, high).en} (set {span(row)}). So a difference of ranks shows neither progress nor decline; look at the difference of "
        "scores and its interval.",
    )
    simulated = _simulated(no_change) if no_change else None
    return Part(
        Text("没有任何变化，名次为什么也会跳", "Why ranks jump although nothing has changed"),
        joined([simulated, moved]),
    )


def _simulated(found: NoChange) -> Text:
    low, high = found.largest
    most = f"{low:g}" if low == high else f"{low:g}–{high:g}"
    return Text(
        f"模拟显示，真实情况毫无变化时，两期之间仍有 {percent(found.share, 0)} 的单位“上升 {found.places} 名或更多”，"
        f"最大的变动为 {most} 名（{found.source.zh}）。",
        f'Simulated without any true change, {percent(found.share, 0)} of the units "rise" {found.places} places or more between two waves; '
        f"the largest change is {most} places ({found.source.en}).",
    )


def after_one_se(ground: Ground, row: Row) -> tuple[int, int]:
    """Return best and worst rank of a unit whose estimate moves by one standard error, all others staying."""
    ranked = ground.ranked()
    up = 1 if ranked[0]["estimate"] >= ranked[-1]["estimate"] else -1
    others = [up * other["estimate"] for other in ranked if other["code"] != row["code"]]
    better, worse = up * row["estimate"] + row["se"], up * row["estimate"] - row["se"]
    best = 1 + sum(other > better for other in others)
    worst = 1 + sum(other > worse for other in others)
    return best, worst


def standings(ground: Ground) -> list[Standing]:
    """Say what each status means and how many units have it; "not ranked" only where there are such."""
    member = ground.end.member
    meanings = {
        "established": Text(f"检验证明其{member.zh}", f"a test proves that it is {member.en}"),
        "possible": Text(
            f"不能证明其{member.zh}，也不能证明其不属于",
            f"proven neither to be {member.en} nor not to be",
        ),
        "excluded": Text(f"检验证明其不{member.zh}", f"a test proves that it is not {member.en}"),
        "not ranked": Text("保留数值，不给名次，不作判断", "the figures stay; no rank, no verdict"),
    }
    found: dict[str, list[Row]] = {status: [] for status in meanings}
    for row in ground.rows:
        found[ground.status(row) if is_ranked(row) else "not ranked"].append(row)
    return [
        Standing(
            status,
            Text(STATUS[status].zh, STATUS[status].en),
            meaning,
            len(found[status]),
            _example(found[status]),
        )
        for status, meaning in meanings.items()
        if found[status] or status != "not ranked"
    ]


def _example(rows: Rows) -> Text:
    """Return the unit whose probability is least clear, with its rank and set."""
    if not rows:
        return Text("本期没有", "none in this wave")
    if not is_ranked(rows[0]):
        return name(rows[0])
    return with_set(min(rows, key=lambda row: abs(row["probability_bottom"] - 0.5)))


def how_status_is_made(ground: Ground) -> Text:
    """Say where status and probability come from."""
    return Text(
        f"状态来自 {ground.level} 置信水平的单侧检验（{ground.family.zh}），名次集合是双侧的：已排除的单位，集合仍可能触及{ground.end.name.zh}。"
        "概率是模型估计，不是证明。",
        f"Status comes from one-sided tests at the {ground.level} confidence level ({ground.family.en}), sets are two-sided: the set of an "
        f"excluded unit may still touch {ground.end.name.en}. Probabilities come from a model and prove nothing.",
    )


def right(ground: Ground) -> list[Text]:
    """Write what a briefing may say: a unit near the cut with its set, and the list with its certainty."""
    listed = ground.at("yes")
    near = min(listed or ground.ranked(), key=lambda row: abs(ground.gap(row)))
    sure = [row for row in listed if ground.status(row) == "established"]
    expected = float(sum(row["probability_bottom"] for row in listed))
    said = [
        step_from_cut(ground, near),
        established(ground, listed, sure),
        expected_members(ground, listed, expected),
    ]
    return [one for one in said if one]


def wrong(ground: Ground, row: Row, summary: Mapping[str, Any]) -> list[Wrong]:
    """Write what a briefing may not say, each with its reason."""
    own, end = name(row), ground.end.name
    bare = Wrong(
        Text(f"{own.zh}排第 {row['rank']:g} 名。", f"{own.en} has rank {row['rank']:g}."),
        Text(
            f"缺名次集合（{span(row)}）和状态。",
            f"The set ({span(row)}) and the status are missing.",
        ),
    )
    sure = Wrong(
        Text(f"名单上的单位就是{end.zh}。", f"The units listed are {end.en}."),
        Text(
            "名单按得分列出，整份名单不能确认。",
            "The list goes by the scores; as a whole it is not established.",
        ),
    )
    progress = Wrong(
        Text("名次上升，说明工作改进。", "A better rank shows better work."),
        Text(
            "没有变化时名次也会跳，要看得分之差。",
            "Ranks jump although nothing has changed; see the difference of scores.",
        ),
    )
    return [bare, progress] if summary["list_established"] else [bare, sure, progress]


def where_to_look(ground: Ground) -> Text:
    """Say where the report holds the rest."""
    end = ground.end.name
    return Text(
        f"各单位的得分、标准误、两种集合、状态和概率：report.html“完整排名”，或 ranking.csv。{end.zh}名单及其确认程度：report.html 名单一节。"
        "抽样、加权、检验的约定：report.html“方法”。",
        f'Score, standard error, both sets, status, probability: report.html, "The full ranking", or ranking.csv. The list of {end.en}: its '
        'section of report.html. Conventions of sample, weights, tests: "Method".',
    )
