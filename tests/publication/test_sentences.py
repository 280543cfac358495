"""Sentences about a ranking: every rank with its set, every number from the table, nothing claimed that is not proven."""

from __future__ import annotations

import functools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranking_pool import CASES, KEPT
from satisfaction.foundation.figures import difference, number_in_words
from satisfaction.foundation.figures import p_value_in_words as p_value
from satisfaction.foundation.figures import probability_in_words as probability
from satisfaction.foundation.language import Text
from satisfaction.publication import sentences
from satisfaction.publication.clauses import ground_of, listing
from satisfaction.publication.clauses import mark_of_sentences as mark
from satisfaction.publication.sentences import GREY
from satisfaction.ranking.rank import rank

SIMULATED = "模拟数据，不是真实调查结果 simulated data, not a real survey"
ZH = "甲乙丙丁戊己庚辛壬癸子丑寅卯"
EN = (
    "Alpha",
    "Bravo",
    "Castle",
    "Delta",
    "Echo",
    "Forest",
    "Golf",
    "Hotel",
    "Inlet",
    "Jade",
    "Kilo",
    "Lima",
    "Mike",
    "Oscar",
)
MEASURES = {
    "rate": Text("数值", "the rate"),
    "index": Text("得分", "the score"),
    "score": Text("得分", "the score"),
}
HOLLOW = re.compile(r"\b(nan|NaN|None|NA|inf|NaT)\b")


def ground(table, summary, kind, measure=None):
    return ground_of(table, summary, kind=kind, measure=measure or MEASURES[kind])


def unit_sentences(table, summary, *, kind, measure=None, minimum_n=None):
    return sentences.unit_sentences(ground(table, summary, kind, measure), minimum_n=minimum_n)


def list_statement(table, summary, *, kind, measure=None):
    return sentences.list_statement(ground(table, summary, kind, measure))


def near_cut(table, summary, *, kind, measure=None):
    return sentences.near_cut(ground(table, summary, kind, measure))


def published(ranking, *, side="last", n=250, text=""):
    """A ranking as `published.ranking_table` writes it, for units with invented names."""
    units = [str(unit) for unit in ranking.table["unit"]]
    listed = dict.fromkeys(ranking.summary["listed"], "yes") | dict.fromkeys(
        ranking.summary["tied_at_cut"], "tied"
    )
    table = ranking.table.rename(columns={"unit": "code"}).assign(
        survey="wave", wave="2026Q3", side=side, mark=text, n=n, measure="index",
        name_zh=[f"{letter}县" for letter in ZH[: len(units)]], name_en=EN[: len(units)], listed=[listed.get(unit, "no") for unit in units],
    )  # fmt: skip
    return table.sort_values(["rank", "code"], na_position="last", ignore_index=True), dict(
        ranking.summary
    )


@functools.lru_cache(maxsize=KEPT)
def ranked(number, selection):
    """A ranking of the pool: 3 to 9 units, some of which may not be ranked, under rules of all kinds."""
    rng = np.random.default_rng(number)
    p = rng.integers(3, 9, endpoint=True)
    score = rng.integers(0, 12, p, endpoint=True) * rng.choice([0.003, 1.0, 7.0])
    kept = rng.random(p) < 0.5
    kept[:3] = True
    rules = {
        "bottom": int(rng.integers(1, kept.sum())),
        "level": rng.choice([0.9, 0.95, 0.999]),
        "ties": str(rng.choice(["competition", "modified", "dense", "fractional"])),
        "multiplicity": [None, "holm"][rng.integers(2)],
    }
    return rank(score, rng.choice([0.001, 0.5, 2.0], p), ranked=kept, selection=selection, **rules)


def rankings(selections=("probability",)):
    numbers = st.integers(0, CASES - 1)
    made = st.builds(ranked, numbers, st.sampled_from(selections))
    return st.builds(published, made, text=st.sampled_from(["", SIMULATED]))


few = settings(max_examples=30)
kinds = st.sampled_from(["rate", "index", "score"])


def all_said(table, summary, kind):
    """Every sentence there is about a ranking, in pairs."""
    stated = list_statement(table, summary, kind=kind)
    frames = unit_sentences(table, summary, kind=kind), near_cut(table, summary, kind=kind)
    return [
        (stated.zh, stated.en),
        *(pair for frame in frames for pair in zip(frame["zh"], frame["en"], strict=True)),
    ]


@few
@given(rankings(), kinds)
def test_every_sentence_is_whole(made, kind):
    for zh, en in all_said(*made, kind):
        assert re.search("[一-鿿]", zh)
        assert re.search("[a-z]{3}", en)
        assert not re.search("[一-鿿（）。；，]", en)
        assert zh.endswith("。")
        assert en.endswith(".")
        for text in (zh, en):
            assert not HOLLOW.search(text)
            assert "  " not in text
            for left, right in ("()", "[]", "【】", "（）"):
                assert text.count(left) == text.count(right)


@few
@given(rankings(), kinds)
def test_same_ranking_same_sentences(made, kind):
    assert all_said(*made, kind) == all_said(*made, kind)


@few
@given(rankings(), kinds)
def test_no_rank_stands_without_its_set(made, kind):
    table, summary = made
    for row, zh, en in zip(
        table.to_dict("records"),
        *unit_sentences(table, summary, kind=kind)[["zh", "en"]].T.to_numpy(),
        strict=True,
    ):
        if pd.isna(row["rank"]):
            assert "第" not in zh
            assert "不排名" in zh
            assert "not ranked" in en
            continue
        sets = [
            (row[f"{which}_low"], row[f"{which}_high"]) for which in ("marginal", "simultaneous")
        ]
        spoken = [f"第 {low} 名" if low == high else f"第 {low} 至 {high} 名" for low, high in sets]
        first, _, rest = zh.partition("。")
        assert f"第 {row['rank']:g} 名，真实名次" in first
        assert all(one in first for one in spoken)
        assert f"{100 * summary['level']:g}% 置信水平" in first
        assert "第" not in rest
        (low, high), (all_low, all_high) = sets
        assert f"rank {row['rank']:g} of the {summary['p']} units ranked" in en
        assert (f"lies between {low} and {high}" if low < high else f"true rank is {low}") in en
        assert f"{all_low} to {all_high} when" in en or (
            all_low == all_high and f"; {all_low} when" in en
        )


@few
@given(rankings(), kinds)
def test_near_the_cut_too_a_rank_has_its_set(made, kind):
    table, summary = made
    rows = table.set_index("code")
    for code, zh, en in near_cut(table, summary, kind=kind)[["code", "zh", "en"]].itertuples(
        index=False
    ):
        low, high = rows.loc[code, ["marginal_low", "marginal_high"]]
        spoken = (
            (f"第 {low} 名", f"{low}")
            if low == high
            else (f"第 {low} 至 {high} 名", f"{low} to {high}")
        )
        assert re.search(rf"（第 {rows.loc[code, 'rank']:g} 名，.*名次集合为{spoken[0]}）", zh)
        assert f"(rank {rows.loc[code, 'rank']:g}, rank set {spoken[1]}" in en


@few
@given(rankings(("quota", "open_link")), kinds)
def test_without_a_probability_sample_nothing_is_established(made, kind):
    table, summary = made
    claimed = table.assign(
        status=table["status"].where(table["status"] == "not ranked", "established")
    )
    for zh, en in all_said(claimed, summary | {"list_established": True}, kind):
        assert not re.search("已确认|已排除|置信水平|名次集合|概率(为|高于|低于)|nan", zh)
        assert not re.search(
            r"\b(it is|units? is|are) (established|excluded)|All of them|confidence level|under the model|nan\b",
            en,
        )


@few
@given(rankings(("probability",)), kinds)
def test_what_is_claimed_is_the_status(made, kind):
    table, summary = made
    for status, zh, en in zip(
        table["status"],
        *unit_sentences(table, summary, kind=kind)[["zh", "en"]].T.to_numpy(),
        strict=True,
    ):
        assert ("已确认" in zh, "it is established" in en) == (status == "established",) * 2
        assert ("已排除" in zh, "it is excluded" in en) == (status == "excluded",) * 2
        assert ("不能确认" in zh or "也不能确认" in zh) == (status == "possible")
        assert ("全表作多重比较" in zh) == (
            "multiplicity" in summary and status in ("established", "excluded")
        )


@few
@given(rankings(), kinds)
def test_the_list_is_counted_from_the_table(made, kind):
    table, summary = made
    said = list_statement(table, summary, kind=kind)
    for row in table.to_dict("records"):
        is_listed = row["code"] in summary["listed"]
        assert is_listed == (row["listed"] == "yes")
        assert is_listed == (f"{row['name_zh']}（" in said.zh) == (f"{row['name_en']} (" in said.en)
    if summary["selection"] != "probability":
        return
    assert ("整份名单作为一个整体已确认" in said.zh) == summary["list_established"]
    off = table[(table["listed"] == "no") & table["rank"].notna()]
    still_open = int((off["status"] != "excluded").sum())
    told = re.search(r"Off the list, (\d+) units? cannot be excluded", said.en)
    assert (int(told[1]) if told else 0) == still_open
    listed = len(summary["listed"])
    if listed > 1:
        expected = summary["expected_true_bottom"]
        assert f", {expected:.1f} of the {listed} units listed are expected" in said.en
        sure = summary["established_listed"]
        told = re.search(r"units listed, (\d+) (is|are) established", said.en)
        counted = {0: "Not one of the", listed: "All"}.get(sure, "Of the")
        assert f"{counted} {listed} units listed" in said.en
        assert (int(told[1]) if told else sure) == sure


@few
@given(rankings(), kinds)
def test_a_tie_at_the_cut_is_told_with_both_sizes(made, kind):
    table, summary = made
    said = list_statement(table, summary, kind=kind)
    assert ("分界处" in said.zh) == summary["tie_at_cut"] == ("tied:" in said.en)
    if summary["tie_at_cut"]:
        low, high = summary["list_size_low"], summary["list_size_high"]
        assert (
            f"都不计入时名单为 {low} 个单位，都计入时为 {high} 个，规则要求 {summary['bottom']} 个"
            in said.zh
        )
        assert (
            f"without them the list has {low} unit{'s' * (low != 1)}, with all of them {high}"
            in said.en
        )
        assert all(name in said.zh for name in table.loc[table["listed"] == "tied", "name_zh"])
        assert "名单为：" not in said.zh


@few
@given(rankings(), kinds)
def test_one_step_from_the_cut_is_what_the_definition_says(made, kind):
    table, summary = made
    ranked = table[table["rank"].notna()].set_index("code")
    gaps = {
        code: min(
            ranked.loc[ranked["listed"] != side, "estimate"].map(lambda x, own=own: own - x),
            key=abs,
            default=0.0,
        )
        for code, side, own in ranked[["listed", "estimate"]].itertuples()
        if side != "tied"
    }
    closest = {
        side: min((abs(gaps[c]) for c in gaps if ranked.loc[c, "listed"] == side), default=0)
        for side in ("yes", "no")
    }
    provable = summary["selection"] == "probability"
    expected = {}
    for code, row in ranked.iterrows():
        if row["listed"] == "tied":
            expected[code] = "tied"
        elif abs(gaps[code]) < closest[row["listed"]] + 1e-9:
            expected[code] = "nearest"
        elif (row["status"] == "possible" or not provable) and GREY[0] <= row[
            "probability_bottom"
        ] <= GREY[1]:
            expected[code] = "open"
    found = near_cut(table, summary, kind=kind).set_index("code")
    assert found["reason"].to_dict() == expected
    assert list(found.index) == [code for code in ranked.index if code in expected]
    assert found["gap"].abs().tolist() == pytest.approx(
        [abs(gaps.get(code, 0.0)) for code in found.index]
    )
    assert set(found.loc[found["reason"] == "nearest", "listed"]) == {
        side for side in ("yes", "no") if (ranked["listed"] == side).any()
    }


@few
@given(rankings())
def test_the_mark_stands_before_every_sentence(made):
    table, summary = made
    for zh, en in all_said(table.assign(mark=SIMULATED), summary, "index"):
        assert zh.startswith("【模拟数据，不是真实调查结果】")
        assert en.startswith("[simulated data, not a real survey] ")
    for zh, en in all_said(table.assign(mark=""), summary, "index"):
        assert "【" not in zh + en


@pytest.fixture
def five():
    """Five units of which the last two are listed, and which nothing tells apart but the first."""
    ranking = rank(
        np.array([80.0, 64.0, 63.5, 63.0, 62.5]),
        se=np.array([1.0, 2.0, 2.0, 2.0, 2.0]),
        bottom=2,
        names=list("vwxyz"),
    )
    return published(ranking)


def test_a_unit_on_the_list_in_full(five):
    table, summary = five
    probability_in = f"{100 * table['probability_bottom'][3]:.1f}%"
    said = unit_sentences(
        table, summary, kind="index", measure=Text("满意度指数", "the satisfaction index")
    ).iloc[3]
    assert said["zh"] == (
        "丁县：满意度指数为 63.00 分，在参加排名的 5 个单位中排第 4 名，真实名次在第 2 至 5 名之间（95% 置信水平，单独看该单位；"
        f"全表同时比较时为第 2 至 5 名）。已列入末两位名单，但不能确认其属于末两位，也不能排除；按模型估计，其属于末两位的概率为 {probability_in}。"
        "满意度指数比名单外最接近的丙县低 0.50 分。"
    )
    assert said["en"] == (
        "Delta: the satisfaction index is 63.00 points, rank 4 of the 5 units ranked; the true rank lies between 2 and 5 (at the 95% "
        "confidence level, for this unit by itself; 2 to 5 when the whole table is compared at once). It is on the list of the last two, "
        "but it is not established that it is among the last two, nor is this excluded; under the model, the probability that it is among "
        f"the last two is {probability_in}. The satisfaction index is 0.50 points below Castle, the nearest off the list."
    )


def test_the_list_in_full(five):
    table, summary = five
    expected, p = f"{table['probability_bottom'][3:].sum():.1f}", f"{summary['list_p']:.3f}"
    said = list_statement(table, summary, kind="index")
    assert said.zh == (
        "在参加排名的 5 个单位中，按得分列出的末两位名单为：丁县（63.00 分）、戊县（62.50 分）。名单上的 2 个单位没有一个能确认属于末两位"
        f"（95% 置信水平，逐个单位检验）。整份名单作为一个整体不能确认：整体检验的 p 值为 {p}，大于 0.05。按模型估计，名单上的 2 个单位中真正属于"
        f"末两位的预计为 {expected} 个。名单外还有 2 个单位不能排除其属于末两位的可能：丙县、乙县。"
    )
    assert said.en == (
        "Of the 5 units ranked by the score, this is the list of the last two: Delta (63.00 points) and Echo (62.50 points). Not one of the 2 "
        "units listed is established as being among the last two (at the 95% confidence level, each unit tested by itself). The list as a whole is not "
        f"established: the p-value of its verification is {p}, above 0.05. Under the model, {expected} of the 2 units listed are expected to be "
        "truly among the last two. Off the list, 2 units cannot be excluded from being among the last two: Castle and Bravo."
    )


def test_a_list_that_is_established_says_so():
    table, summary = published(
        rank(np.array([90.0, 80.0, 20.0, 10.0]), se=np.full(4, 0.5), bottom=2)
    )
    said = list_statement(table, summary, kind="score")
    assert "名单上的 2 个单位都已确认属于末两位" in said.zh
    assert "All 2 units listed are established as being among the last two" in said.en
    assert "整份名单作为一个整体已确认：整体检验的 p 值小于 0.001，不大于 0.05" in said.zh
    assert "The list as a whole is established" in said.en
    assert said.zh.endswith("名单外的单位都已排除属于末两位的可能。")


def test_one_of_the_listed_is_established():
    table, summary = published(
        rank(np.array([70.0, 69.5, 69.0, 10.0]), se=np.full(4, 1.0), bottom=2)
    )
    said = list_statement(table, summary, kind="index")
    assert "已确认属于末两位的有 1 个：丁县；其余 1 个不能确认" in said.zh
    assert (
        "Of the 2 units listed, 1 is established as being among the last two: Delta; the other 1 is not"
        in said.en
    )


@pytest.mark.parametrize(
    ("score", "zh", "en"),
    [
        (0.0, "已确认属于末位", "The one unit listed is established as being last"),
        (49.9, "不能确认属于末位", "The one unit listed is not established as being last"),
    ],
)
def test_a_list_of_one(score, zh, en):
    table, summary = published(rank(np.array([70.0, 50.0, score]), se=np.full(3, 1.0), bottom=1))
    said = list_statement(table, summary, kind="index")
    assert "末位名单" in said.zh
    assert "the list of the last one" in said.en
    assert f"名单上的 1 个单位{zh}" in said.zh
    assert en in said.en


def test_units_that_share_a_rank_name_how_many():
    table, summary = published(
        rank(np.array([70.0, 50.0, 50.0, 50.0, 40.0, 40.0]), se=np.full(6, 1.0), bottom=3)
    )
    said = unit_sentences(table, summary, kind="index")
    assert "与另外 2 个单位并列第 2 名" in said["zh"][1]
    assert "rank 2 of the 6 units ranked, shared with 2 other units" in said["en"][1]
    assert "得分并列，是否列入由规则决定，此处不作取舍" in said["zh"][1]
    assert "与另外 1 个单位并列第 5 名" in said["zh"][4]
    assert "shared with 1 other unit;" in said["en"][4]
    assert "得分比分界上最接近的乙县、丙县、丁县低 10.00 分" in said["zh"][4]
    assert "below Bravo, Castle and Delta, the nearest at the cut" in said["en"][4]
    assert (
        near_cut(table, summary, kind="index").query("reason == 'tied'")["gap"].tolist()
        == [0.0] * 3
    )


def test_a_rank_that_the_rule_counts_otherwise_than_the_set_says_so():
    table, summary = published(
        rank(np.array([70.0, 70.0, 70.0, 10.0]), se=np.full(4, 0.1), bottom=1, ties="dense")
    )
    said = unit_sentences(table, summary, kind="index").iloc[3]
    assert (
        "第 2 名，真实名次为第 4 名（95% 置信水平，单独看该单位；全表同时比较时为第 4 名；名次按规则编号，与名次集合的计法不同）"
        in said["zh"]
    )
    assert "the rule counts ranks otherwise than the set does" in said["en"]


def test_the_first_side_has_its_own_words(five):
    table, summary = five
    firsts = table.assign(side="first", listed=["yes", "yes", "no", "no", "no"])
    said = unit_sentences(firsts, summary, kind="index")
    assert "已列入前两位名单" in said["zh"][0]
    assert "It is on the list of the first two" in said["en"][0]
    assert "末" not in "".join(said["zh"])
    assert "last" not in "".join(said["en"])
    assert (
        "按得分列出的前两位名单为：甲县（80.00 分）、乙县（64.00 分）"
        in list_statement(firsts, summary, kind="index").zh
    )
    assert "首位名单" in list_statement(firsts, summary | {"bottom": 1}, kind="index").zh


def test_rates_are_percentages_and_their_differences_percentage_points():
    table, summary = published(
        rank(np.array([0.8, 0.64, 0.635, 0.6349]), se=np.full(4, 0.02), bottom=2)
    )
    said = unit_sentences(
        table, summary, kind="rate", measure=Text("满意率", "the satisfaction rate")
    )
    assert "满意率为 64.0%" in said["zh"][1]
    assert "满意率比名单内最接近的丙县高 0.5 个百分点" in said["zh"][1]
    assert (
        "The satisfaction rate is 0.5 percentage points above Castle, the nearest on the list"
        in said["en"][1]
    )
    assert "points" not in said["en"][0].split(";")[0]


@pytest.mark.parametrize(
    ("n", "least", "zh", "en"),
    [
        (
            86,
            100,
            "有效样本 86 人，少于规则要求的 100 人",
            "with 86 valid answers, fewer than the 100 of the rule",
        ),
        (1, 100, "有效样本 1 人，少于规则要求的 100 人", "with 1 valid answer, fewer"),
        (120, 100, "有效样本 120 人，未达到参加排名的条件", "does not meet the conditions"),
        (86, None, "有效样本 86 人，未达到参加排名的条件", "does not meet the conditions"),
    ],
)
def test_a_unit_that_is_not_ranked_says_why(n, least, zh, en):
    ranking = rank(
        np.array([70.0, 60.0, 50.0, 40.0]),
        se=np.full(4, 1.0),
        bottom=1,
        ranked=[True, True, True, False],
    )
    table, summary = published(ranking, n=n)
    said = unit_sentences(table, summary, kind="index", minimum_n=least).iloc[3]
    assert said["zh"].startswith(f"丁县：得分为 40.00 分，{zh}，不排名，没有名次")
    assert en in said["en"]
    table.loc[3, "estimate"] = np.nan
    assert unit_sentences(table, summary, kind="index", minimum_n=least)["zh"][3].startswith(
        f"丁县：{zh}"
    )


def test_a_unit_without_a_name_goes_by_its_code(five):
    table, summary = five
    said = unit_sentences(table.assign(name_zh=np.nan, name_en=""), summary, kind="index")
    assert said["zh"][0].startswith("v：")
    assert said["en"][0].startswith("v: ")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number_in_words(1).zh, "一"), (number_in_words(2).zh, "两"), (number_in_words(10).zh, "十"), (number_in_words(12).zh, "十二"), (number_in_words(20).zh, "二十"), (number_in_words(92).zh, "九十二"), (number_in_words(120).zh, " 120 "),
        (number_in_words(1).en, "one"), (number_in_words(12).en, "twelve"), (number_in_words(13).en, "13"),
        (probability(0.0004), Text("低于 0.1%", "below 0.1%")), (probability(1.0), Text("高于 99.9%", "above 99.9%")), (probability(0.591), Text("为 59.1%", "59.1%")),
        (p_value(0.0001), Text("小于 0.001", "below 0.001")), (p_value(0.918), Text("为 0.918", "0.918")),
        (p_value(0.005), Text("为 0.005", "0.005")), (p_value(0.001), Text("为 0.001", "0.001")), (probability(0.005), Text("为 0.5%", "0.5%")),
        (probability(0.995), Text("为 99.5%", "99.5%")),
        (difference(-0.37, "index"), Text(" 0.37 分", "0.37 points")), (difference(0.001, "index"), Text("不到 0.01 分", "less than 0.01 points")),
        (difference(0.0004, "rate"), Text("不到 0.1 个百分点", "less than 0.1 percentage points")), (listing([Text("甲", "A")]), Text("甲", "A")),
        (listing([Text("甲", "A"), Text("乙", "B"), Text("丙", "C")]), Text("甲、乙、丙", "A, B and C")),
        (mark(SIMULATED), Text("【模拟数据，不是真实调查结果】", "[simulated data, not a real survey]")), (mark("trial"), Text("【trial】", "[trial]")), (mark(np.nan), None),
    ],
)  # fmt: skip
def test_words_and_numbers(written, expected):
    assert written == expected


@pytest.mark.parametrize(("apart", "warned"), [(0, True), (3, False)])
def test_grades_that_order_next_to_nothing_say_so(apart, warned):
    """One of 112 units in a grade of its own, 1.8% of the pairs; or seven of them, 11.8%."""
    table, summary = published(rank(np.arange(14.0), se=np.ones(14), bottom=3))
    many = pd.concat([table] * 8, ignore_index=True)
    many["code"] = [str(number) for number in range(len(many))]
    many["grade"] = 1
    many.loc[: 2 * apart, "grade"] = 2
    sentences = unit_sentences(many, summary | {"p": len(many)}, kind="index")
    share = 1 - ((1 + 2 * apart) * 2 * apart + (111 - 2 * apart) * (110 - 2 * apart)) / (112 * 111)
    assert (share < 0.05) == warned
    assert (f"Only {share:.1%} of the pairs" in sentences["en"].iloc[0]) == warned
    assert ("颠倒" in sentences["zh"].iloc[0]) or not warned
