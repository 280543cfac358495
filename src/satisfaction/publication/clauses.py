"""What the sentences say, clause by clause. A clause that names a rank names its set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from satisfaction.publication.ground import (
    WHERE,
    Ground,
    Said,
    amount,
    joined,
    lies,
    listing,
    many_units,
    name,
    p_value,
    places,
    probability,
    sentence,
    two_languages,
)

NAMED = 3
"""Units off the list that are named when there are more."""
Row = Mapping[str, Any]
Rows = Sequence[Row]


def ranked_unit(ground: Ground, row: Row, *, level_with: int) -> Said:
    """Say of a ranked unit: score, rank with sets, list and status, probability, distance to the cut."""
    clauses = [
        rank_with_set(ground, row, level_with),
        standing(ground, row),
        error_from_elsewhere(ground, row),
    ]
    return joined([ground.mark, *clauses, distance(ground, row)])


def unranked_unit(ground: Ground, row: Row, minimum_n: int | None) -> Said:
    """Say of a unit that is not ranked why it is not."""
    own, n = name(row), 0 if pd.isna(row["n"]) else int(row["n"])
    score = Said("", "") if pd.isna(row["estimate"]) else amount(row["estimate"], ground.kind)
    figure = (
        Said(f"{ground.measure.zh}为 {score.zh}，", f"{ground.measure.en} is {score.en}; ")
        if score.zh
        else score
    )
    answers = f"{n} valid answer{'' if n == 1 else 's'}"
    if minimum_n is not None and n < minimum_n:
        why = Said(
            f"有效样本 {n} 人，少于规则要求的 {minimum_n} 人",
            f"with {answers}, fewer than the {minimum_n} of the rule",
        )
    elif not ground.p:
        why = Said(
            f"有效样本 {n} 人，没有其他有答卷的地区可比",
            f"with {answers}, it has no other area with answers beside it",
        )
    else:
        why = Said(
            f"有效样本 {n} 人，未达到参加排名的条件",
            f"with {answers}, it does not meet the conditions for being ranked",
        )
    said = Said(
        f"{own.zh}：{figure.zh}{why.zh}，不参加排名，没有名次，也不判断其是否{ground.end.member.zh}。",
        f"{own.en}: {figure.en}{why.en}; it is not ranked and nothing is said about its being {ground.end.member.en}.",
    )
    return joined([ground.mark, said])


def rank_with_set(ground: Ground, row: Row, level_with: int) -> Said:
    """Say score, rank of how many, the set of this unit by itself and within the whole table."""
    own, score, rank = name(row), amount(row["estimate"], ground.kind), f"{row['rank']:g}"
    shared = (
        Said(f"与另外 {level_with} 个单位并列", f", shared with {many_units(level_with, 'other ')}")
        if level_with
        else Said("排", "")
    )
    counted_zh = f"在参加排名的 {ground.p} 个单位中{shared.zh}第 {rank} 名"
    counted_en = f"rank {rank} of the {ground.p} units ranked{shared.en}"
    if not ground.proven:
        return Said(
            f"{own.zh}：{ground.measure.zh}为 {score.zh}，按估计值{counted_zh}；样本不是概率样本，名次有多确定未知。",
            f"{own.en}: {ground.measure.en} is {score.en}, by the estimate {counted_en}; "
            "without a probability sample it is unknown how certain the rank is.",
        )
    alone = lies(row["marginal_low"], row["marginal_high"])
    table = places(row["simultaneous_low"], row["simultaneous_high"])
    trust = Said(
        f"{ground.level} 置信水平，单独看该单位",
        f"at the {ground.level} confidence level, for this unit by itself",
    )
    outside = not row["marginal_low"] <= row["rank"] <= row["marginal_high"]
    counted = (
        Said(
            "；名次按规则编号，与名次集合的计法不同",
            "; the rule counts ranks otherwise than the set does",
        )
        if outside
        else Said("", "")
    )
    return Said(
        f"{own.zh}：{ground.measure.zh}为 {score.zh}，{counted_zh}，"
        f"真实名次{alone.zh}（{trust.zh}；全表同时比较时为{table.zh}{counted.zh}）。",
        f"{own.en}: {ground.measure.en} is {score.en}, {counted_en}; the true rank {alone.en} "
        f"({trust.en}; {table.en} when the whole table is compared at once{counted.en}).",
    )


def standing(ground: Ground, row: Row) -> Said:
    """Say where a unit stands with the list, what is established about it, and its probability."""
    end, found = ground.end, verdict(ground, row)
    if row["listed"] == "tied":
        zh = f"处在{end.name.zh}名单的分界上，得分并列，是否列入由规则决定，此处不作取舍；"
        en = f"It is tied at the cut of the list of {end.name.en}, and the tie is not broken here;"
    else:
        where = {"yes": Said("已列入", "on"), "no": Said("未列入", "off")}[row["listed"]]
        agrees = (row["listed"], ground.status(row)) in {("yes", "established"), ("no", "excluded")}
        but = Said("并", "and") if agrees else Said("但", "but")
        zh, en = (
            f"{where.zh}{end.name.zh}名单，{but.zh}",
            f"It is {where.en} the list of {end.name.en}, {but.en}",
        )
    if not ground.proven:
        return Said(f"{zh}{found.zh}。", f"{en} {found.en}.")
    chance = probability(row["probability_bottom"])
    return Said(
        f"{zh}{found.zh}；按模型估计，其{end.member.zh}的概率{chance.zh}。",
        f"{en} {found.en}; under the model, the probability that it is {end.member.en} is {chance.en}.",
    )


def error_from_elsewhere(ground: Ground, row: Row) -> Said | None:
    """Say that the error behind a unit's rank is not its own, and why."""
    if row["code"] not in ground.errors:
        return None
    said = two_languages(ground.errors[row["code"]])
    return Said(f"该单位{said.zh}。", f"{sentence(said.en)}.")


def verdict(ground: Ground, row: Row) -> Said:
    """Say what is established about a ranked unit, and what is not."""
    member, status = ground.end.member, ground.status(row)
    if not ground.proven:
        return Said(
            f"其是否真正{member.zh}不能判定",
            f"whether it is truly {member.en} is undecidable",
        )
    if status == "possible" and row["listed"] == "no":
        return Said(
            f"不能排除其{member.zh}，也不能确认",
            f"it is not excluded that it is {member.en}, nor is this established",
        )
    if status == "possible":
        return Said(
            f"不能确认其{member.zh}，也不能排除",
            f"it is not established that it is {member.en}, nor is this excluded",
        )
    word = {"established": "确认", "excluded": "排除"}[status]
    return Said(
        f"已{word}其{member.zh}（{ground.level} 置信水平，{ground.family.zh}）",
        f"it is {status} that it is {member.en} (at the {ground.level} confidence level, {ground.family.en})",
    )


def distance(ground: Ground, row: Row) -> Said | None:
    """Say how far the nearest units across the cut are."""
    across = ground.across.get(row["code"])
    if across is None:
        return None
    compared = across.compared(ground.kind)
    return Said(
        f"{ground.measure.zh}{compared.zh}。", f"{sentence(ground.measure.en)} {compared.en}."
    )


def members(ground: Ground, listed: Rows, tied: Rows) -> Said:
    """Name the units on the list with their scores."""
    end, measure = ground.end.name, ground.measure
    if not ground.p:
        return Said(
            "有答卷的地区不足两个，不排名，没有名单。",
            "Fewer than two areas have answers: no ranks and no list.",
        )
    if not listed:
        return Said(
            f"{end.zh}名单上没有可以直接确定的单位。",
            f"No unit is on the list of {end.en} however ties are broken.",
        )
    named = listing(with_score(ground, row) for row in listed)
    if tied:
        zh, en = (
            f"不论并列如何取舍都列入{end.zh}名单的是",
            f"these are on the list of {end.en} however ties are broken",
        )
    else:
        zh, en = f"列出的{end.zh}名单为", f"this is the list of {end.en}"
    return Said(
        f"在参加排名的 {ground.p} 个单位中，按{measure.zh}{zh}：{named.zh}。",
        f"Of the {ground.p} units ranked by {measure.en}, {en}: {named.en}.",
    )


def with_score(ground: Ground, row: Row) -> Said:
    """Name a unit with its score."""
    own, score = name(row), amount(row["estimate"], ground.kind)
    return Said(f"{own.zh}（{score.zh}）", f"{own.en} ({score.en})")


def tie_at_cut(ground: Ground, listed: Rows, tied: Rows) -> Said | None:
    """Name the units tied at the cut and both sizes of the list."""
    if not tied:
        return None
    named, low, high = listing(name(row) for row in tied), len(listed), len(listed) + len(tied)
    return Said(
        f"分界处有 {len(tied)} 个单位并列：{named.zh}；都不计入时名单为 {low} 个单位，都计入时为 {high} 个，"
        f"规则要求 {ground.end.size} 个，此处不作取舍。",
        f"At the cut, {many_units(len(tied))} {'is' if len(tied) == 1 else 'are'} tied: {named.en}; without them the list has "
        f"{many_units(low)}, with all of them {high}; the rule asks for {ground.end.size}, and the tie is not broken here.",
    )


def established(ground: Ground, listed: Rows, sure: Rows) -> Said | None:
    """Say how many of the listed are established."""
    member, many = ground.end.member, len(listed)
    if not ground.proven:
        return Said(
            "样本不是概率样本，没有抽样误差：名单只按估计值列出，其确定程度未知，任何单位是否真正属于名单不能判定。",
            "Without a probability sample there is no sampling error: the list follows the estimates alone, how certain it is is "
            "unknown, and whether any unit truly belongs to it is undecidable.",
        )
    if not listed:
        return None
    trust = Said(
        f"{ground.level} 置信水平，{ground.family.zh}",
        f"at the {ground.level} confidence level, {ground.family.en}",
    )
    if len(sure) == many:
        zh, en = (
            f"都已确认{member.zh}" if many > 1 else f"已确认{member.zh}",
            "All of them are" if many > 1 else "It is",
        )
        return Said(
            f"名单上的 {many} 个单位{zh}（{trust.zh}）。",
            f"{en} established as being {member.en} ({trust.en}).",
        )
    if not sure:
        zh, en = (
            ("没有一个能确认" if many > 1 else "不能确认"),
            ("Not one of them is" if many > 1 else "It is not"),
        )
        return Said(
            f"名单上的 {many} 个单位{zh}{member.zh}（{trust.zh}）。",
            f"{en} established as being {member.en} ({trust.en}).",
        )
    named = listing(name(row) for row in sure)
    return Said(
        f"名单上的 {many} 个单位中，已确认{member.zh}的有 {len(sure)} 个：{named.zh}；其余 {many - len(sure)} 个不能确认（{trust.zh}）。",
        f"Of the {many} units listed, {len(sure)} {'is' if len(sure) == 1 else 'are'} established as being {member.en}: {named.en}; the other "
        f"{many - len(sure)} {'is' if many - len(sure) == 1 else 'are'} not ({trust.en}).",
    )


def whole_list(ground: Ground, summary: Mapping[str, Any]) -> Said | None:
    """Say whether the list as a whole is established."""
    if not ground.proven:
        return None
    p, alpha = p_value(summary["list_p"]), f"{ground.alpha:.3g}"
    zh, en = (
        (("已确认", "不大于"), ("", "at most"))
        if summary["list_established"]
        else (("不能确认", "大于"), ("not ", "above"))
    )
    return Said(
        f"整份名单作为一个整体{zh[0]}：整体检验的 p 值{p.zh}，{zh[1]} {alpha}。",
        f"The list as a whole is {en[0]}established: the p-value of its verification is {p.en}, {en[1]} {alpha}.",
    )


def expected_members(ground: Ground, listed: Rows, expected: float) -> Said | None:
    """Say how many of the listed are expected to be true members."""
    member, many = ground.end.member, len(listed)
    if not listed or not ground.proven:
        return None
    if many == 1:
        chance = probability(expected)
        return Said(
            f"按模型估计，其{member.zh}的概率{chance.zh}。",
            f"Under the model, the probability that it is {member.en} is {chance.en}.",
        )
    return Said(
        f"按模型估计，名单上的 {many} 个单位中真正{member.zh}的预计为 {expected:.1f} 个。",
        f"Under the model, {expected:.1f} of the {many} units listed are expected to be truly {member.en}.",
    )


def not_excluded(ground: Ground, off: Rows, still_open: Rows) -> Said | None:
    """Say how many units off the list cannot be excluded; name the nearest."""
    member, many = ground.end.member, len(still_open)
    if not ground.proven or not off:
        return None
    if not still_open:
        return Said(
            f"名单外的单位都已排除{member.zh}的可能。",
            f"For every unit off the list it is excluded that it is {member.en}.",
        )
    named = listing(name(row) for row in still_open[:NAMED])
    zh, en = ("：", ": ") if many <= NAMED else ("，其中离分界最近的是", "; nearest to the cut: ")
    return Said(
        f"名单外还有 {many} 个单位不能排除其{member.zh}的可能{zh}{named.zh}。",
        f"Off the list, {many_units(many)} cannot be excluded from being {member.en}{en}{named.en}.",
    )


def step_from_cut(ground: Ground, row: Row) -> Said:
    """Say of a unit near the cut: rank with set, side, distance, and what is open."""
    own, where, across = name(row), WHERE[row["listed"]], ground.across.get(row["code"])
    compared = across.compared(ground.kind) if across else None
    zh = f"，{ground.measure.zh}{compared.zh}" if compared else ""
    en = f"; {ground.measure.en} {compared.en}" if compared else ""
    found = verdict(ground, row)
    if not ground.proven:
        by_point = Said(
            f"{own.zh}（按估计值第 {row['rank']:g} 名）在{ground.end.name.zh}{where.zh}{zh}；{found.zh}。",
            f"{own.en} (rank {row['rank']:g} by the estimate) is {where.en} of {ground.end.name.en}{en}; {found.en}.",
        )
        return joined([ground.mark, by_point])
    places_of = places(row["marginal_low"], row["marginal_high"])
    trust = Said(f"{ground.level} 置信水平的", f" at the {ground.level} confidence level")
    chance = probability(row["probability_bottom"])
    return joined(
        [
            ground.mark,
            Said(
                f"{own.zh}（第 {row['rank']:g} 名，{trust.zh}名次集合为{places_of.zh}）在{ground.end.name.zh}{where.zh}{zh}；"
                f"{found.zh}，按模型估计的概率{chance.zh}。",
                f"{own.en} (rank {row['rank']:g}, rank set {places_of.en}{trust.en}) is {where.en} of {ground.end.name.en}{en}; "
                f"{found.en}, and under the model the probability is {chance.en}.",
            ),
        ]
    )
