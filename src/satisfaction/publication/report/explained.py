"""What a reader without statistics is told about a ranking, with examples from its own table.

Every number comes from the table, or is given with its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from satisfaction.publication.clauses import Row, Rows, established, expected_members, step_from_cut
from satisfaction.publication.ground import (
    Ground,
    Said,
    amount,
    difference,
    is_ranked,
    joined,
    many_units,
    name,
    percent,
    places,
)
from satisfaction.publication.labels import STATUS


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
    source : Said
        What was simulated and where the figures stand.
    """

    places: int
    share: float
    largest: tuple[float, float]
    source: Said


class Part(NamedTuple):
    """A paragraph under a heading."""

    title: Said
    text: Said


class Standing(NamedTuple):
    """One status: its word and meaning, how many units have it, one of them."""

    status: str
    word: Said
    meaning: Said
    many: int
    example: Said


class Wrong(NamedTuple):
    """What may not be written, and why."""

    quote: Said
    why: Said


def with_set(row: Row) -> Said:
    """Write a unit with its rank and set, as short as can be."""
    own = name(row)
    return Said(
        f"{own.zh}，第 {row['rank']:g} 名（{span(row)}）",
        f"{own.en}, rank {row['rank']:g} ({span(row)})",
    )


def span(row: Row, which: str = "marginal") -> str:
    """Write a set of ranks, "marginal" or "simultaneous", in figures."""
    low, high = row[f"{which}_low"], row[f"{which}_high"]
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def what_a_set_is(ground: Ground, row: Row) -> Part:
    """Explain the rank set of one unit."""
    written, score, table = (
        with_set(row),
        amount(row["estimate"], ground.kind),
        span(row, "simultaneous"),
    )
    trust = Said(f"以 {ground.level} 的置信水平", f"at the {ground.level} confidence level")
    return Part(
        Said(f"名次后面的“{span(row)}”是什么", f'What "{span(row)}" behind a rank means'),
        Said(
            f"报告里的名次写作“{written.zh}”。{row['rank']:g} 是按本期{ground.measure.zh}（{score.zh}）排出的位置；{span(row)} 是名次集合："
            f"单独看这一个单位，{trust.zh}，真实名次落在其中。全表 {ground.p} 个单位同时比较时，集合为 {table}。集合越宽，本期数据对它的名次所知越少。",
            f'The report writes "{written.en}". {row["rank"]:g} is the place by {ground.measure.en} of this wave ({score.en}); {span(row)} is '
            f"the rank set: {trust.en} the true rank of this one unit lies within it. When all {ground.p} units are compared at once, the "
            f"set is {table}. The wider the set, the less this wave knows about the rank.",
        ),
    )


def why_so_wide(ground: Ground, shown: Rows, row: Row) -> Part:
    """Explain a set by the units that are proven better (or worse) than its unit: its bound counts them."""
    last = ground.end.side == "last"
    bound = row["marginal_low"] if last else row["marginal_high"]
    beyond = int(bound - 1 if last else ground.p - bound)
    better, far = (
        (Said("好于", "better"), Said("最靠前", "good"))
        if last
        else (Said("不如", "worse"), Said("最靠后", "bad"))
    )
    written = with_set(row)
    meant = Said(
        f"“{written.zh}”的意思是：能证明真正{better.zh}它的单位有 {beyond} 个，它的真实名次{far.zh}可能是第 {bound:g} 名。",
        f'"{written.en}" means: {many_units(beyond)} {"is" if beyond == 1 else "are"} proven to be truly {better.en}; its true rank '
        f"may be as {far.en} as {bound:g}.",
    )
    title = Said(
        f"第 {row['rank']:g} 名为什么可能是第 {bound:g} 名",
        f"Why rank {row['rank']:g} may be rank {bound:g}",
    )
    if bound == row["rank"]:
        title = Said(f"第 {bound:g} 名有多确定", f"How sure rank {bound:g} is")
    return Part(title, joined([_crowded(ground, shown), meant]))


def _crowded(ground: Ground, shown: Rows) -> Said | None:
    """Set the distance between neighbours beside the standard error."""
    if len(shown) < 2:
        return None
    scores = [float(row["estimate"]) for row in shown]
    step, error = (
        (max(scores) - min(scores)) / (len(shown) - 1),
        median(float(row["se"]) for row in shown),
    )
    low, high = amount(min(scores), ground.kind), amount(max(scores), ground.kind)
    apart, wide = difference(step, ground.kind), difference(error, ground.kind)
    blurred = Said(
        "差距小于误差，先后就分不清。",
        " Where distances are smaller than errors, the order is blurred.",
    )
    zh, en = blurred if step < error else Said("", "")
    return Said(
        f"这一段的 {len(shown)} 个单位都在 {low.zh}至 {high.zh}之间，相邻两个平均相差{apart.zh}；一个单位的抽样误差（标准误，中位数）为"
        f"{wide.zh}。{zh}",
        f"The {len(shown)} units of this stretch lie between {low.en} and {high.en}, neighbours {apart.en} apart on average; the standard "
        f"error of one unit (median) is {wide.en}.{en}",
    )


def why_ranks_jump(ground: Ground, row: Row, no_change: NoChange | None) -> Part:
    """Explain that ranks move by chance: what a simulation showed, and what one standard error does to one unit."""
    low, high = after_one_se(ground, row)
    own, error = name(row), difference(row["se"], ground.kind)
    moved = Said(
        f"其他单位不动，{own.zh}的{ground.measure.zh}只要高或低一个标准误（{error.zh.strip()}），就会排到{places(low, high).zh}"
        f"（集合 {span(row)}）。所以名次之差不能说明进步或退步；看变化，要看得分之差及其置信区间。",
        f"All others staying, one standard error ({error.en}) more or less in {ground.measure.en} would give {own.en} ranks "
        f"{places(low, high).en} (set {span(row)}). So a difference of ranks shows neither progress nor decline; look at the difference of "
        "scores and its interval.",
    )
    simulated = _simulated(no_change) if no_change else None
    return Part(
        Said("没有任何变化，名次为什么也会跳", "Why ranks jump although nothing has changed"),
        joined([simulated, moved]),
    )


def _simulated(found: NoChange) -> Said:
    low, high = found.largest
    most = f"{low:g}" if low == high else f"{low:g}–{high:g}"
    return Said(
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
    best, worst = (
        1 + sum(other > up * row["estimate"] + way * row["se"] for other in others)
        for way in (1, -1)
    )
    return best, worst


def standings(ground: Ground) -> list[Standing]:
    """Say what each status means and how many units have it; "not ranked" only where there are such."""
    member = ground.end.member
    meanings = {
        "established": Said(f"检验证明其{member.zh}", f"a test proves that it is {member.en}"),
        "possible": Said(
            f"不能证明其{member.zh}，也不能证明其不属于",
            f"proven neither to be {member.en} nor not to be",
        ),
        "excluded": Said(f"检验证明其不{member.zh}", f"a test proves that it is not {member.en}"),
        "not ranked": Said("保留数值，不给名次，不作判断", "the figures stay; no rank, no verdict"),
    }
    found: dict[str, list[Row]] = {status: [] for status in meanings}
    for row in ground.rows:
        found[ground.status(row) if is_ranked(row) else "not ranked"].append(row)
    return [
        Standing(
            status,
            Said(STATUS[status].zh, STATUS[status].en),
            meaning,
            len(found[status]),
            _example(found[status]),
        )
        for status, meaning in meanings.items()
        if found[status] or status != "not ranked"
    ]


def _example(rows: Rows) -> Said:
    """Return the unit whose probability is least clear, with its rank and set."""
    if not rows:
        return Said("本期没有", "none in this wave")
    if not is_ranked(rows[0]):
        return name(rows[0])
    return with_set(min(rows, key=lambda row: abs(row["probability_bottom"] - 0.5)))


def how_status_is_made(ground: Ground) -> Said:
    """Say where status and probability come from."""
    return Said(
        f"状态来自 {ground.level} 置信水平的单侧检验（{ground.family.zh}），名次集合是双侧的：已排除的单位，集合仍可能触及{ground.end.name.zh}。"
        "概率是模型估计，不是证明。",
        f"Status comes from one-sided tests at the {ground.level} confidence level ({ground.family.en}), sets are two-sided: the set of an "
        f"excluded unit may still touch {ground.end.name.en}. Probabilities come from a model and prove nothing.",
    )


def right(ground: Ground) -> list[Said]:
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
        Said(f"{own.zh}排第 {row['rank']:g} 名。", f"{own.en} has rank {row['rank']:g}."),
        Said(
            f"缺名次集合（{span(row)}）和状态。",
            f"The set ({span(row)}) and the status are missing.",
        ),
    )
    sure = Wrong(
        Said(f"名单上的单位就是{end.zh}。", f"The units listed are {end.en}."),
        Said(
            "名单按得分列出，整份名单不能确认。",
            "The list goes by the scores; as a whole it is not established.",
        ),
    )
    progress = Wrong(
        Said("名次上升，说明工作改进。", "A better rank shows better work."),
        Said(
            "没有变化时名次也会跳，要看得分之差。",
            "Ranks jump although nothing has changed; see the difference of scores.",
        ),
    )
    return [bare, progress] if summary["list_established"] else [bare, sure, progress]


def where_to_look(ground: Ground) -> Said:
    """Say where the report holds the rest."""
    end = ground.end.name
    return Said(
        f"各单位的得分、标准误、两种集合、状态和概率：report.html“完整排名”，或 ranking.csv。{end.zh}名单及其确认程度：report.html 名单一节。"
        "抽样、加权、检验的约定：report.html“方法”。",
        f'Score, standard error, both sets, status, probability: report.html, "The full ranking", or ranking.csv. The list of {end.en}: its '
        'section of report.html. Conventions of sample, weights, tests: "Method".',
    )
