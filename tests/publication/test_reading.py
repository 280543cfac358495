"""The page on how to read ranks: from this wave's rows, honest without statistics, readable without eyes, on one sheet."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from satisfaction.foundation.language import Text
from satisfaction.publication.clauses import ground_of
from satisfaction.publication.report import reading
from satisfaction.publication.report.reading import after_one_se, stretch_of
from satisfaction.ranking.rank import rank

SIMULATED = "模拟数据，不是真实调查结果 simulated data, not a real survey"
MEASURE = Text("满意度指数", "the satisfaction index")
HOLLOW = re.compile(r"\b(nan|NaN|None|NA|inf|NaT)\b")


def render_reading(table, summary, *, kind, measure=MEASURE, language="zh", languages=("zh",)):
    ground = ground_of(table, summary, kind=kind, measure=measure)
    languages = languages if language in languages else (language,)
    return reading.render_reading(ground, language=language, languages=languages)


class Page(HTMLParser):
    """Reads a page; refuses tags that do not close."""

    VOID = {"meta", "img"}

    def __init__(self, text):
        super().__init__()
        self.stack, self.tags, self.headings, self.words = [], [], [], []
        self.feed(text)
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.words.append(data)
            if self.stack and re.fullmatch("h[1-6]", self.stack[-1]):
                self.headings.append((int(self.stack[-1][1]), data))

    def said(self):
        return re.sub(r"\s+", " ", "".join(self.words))


def published(p=88, *, bottom=10, seed=1, selection="probability", spread=4.0, ties="competition"):
    """A ranking of p units as `published.ranking_table` writes it."""
    rng = np.random.default_rng(seed)
    estimate, se = np.sort(rng.normal(70, spread, p))[::-1], rng.uniform(1, 2, p)
    ranking = rank(np.round(estimate, 1), se=se, bottom=bottom, selection=selection, ties=ties)
    listed = dict.fromkeys(ranking.summary["listed"], "yes") | dict.fromkeys(
        ranking.summary["tied_at_cut"], "tied"
    )
    table = ranking.table.rename(columns={"unit": "code"}).assign(
        survey="province-2026q3", wave="2026Q3", n=250, mark="", side="last", listed=[listed.get(str(k + 1), "no") for k in range(p)],
        name_zh=[f"县{k + 1}" for k in range(p)], name_en=[f"County {k + 1}" for k in range(p)],
    )  # fmt: skip
    return table, dict(ranking.summary)


@pytest.fixture(scope="module")
def province():
    return published()


@pytest.fixture(scope="module")
def text(province):
    return render_reading(*province, kind="index", measure=MEASURE)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture(scope="module")
def english(province):
    return Page(render_reading(*province, kind="index", measure=MEASURE, language="en"))


def test_same_table_same_page(province, text):
    assert render_reading(*province, kind="index", measure=MEASURE) == text


def test_page_fetches_nothing(text, page):
    assert "http" not in text
    assert "url(" not in text
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object")]
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert all(attrs["src"].startswith("data:image/svg+xml;") for attrs in pictures)


def test_page_serves_readers_who_do_not_see_it(page):
    assert page.headings[0] == (1, "怎么读第 61 至 88 名")
    assert [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)] == ["h1", *["h2"] * 6]
    assert ("html", {"lang": "zh-CN"}) in page.tags
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in page.tags if tag == "th")
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 1
    assert re.search(r"县61，第 61 名（\d+–\d+）", pictures[0]["alt"])


def test_the_english_page_says_the_same_in_english(province, page, english):
    assert ("html", {"lang": "en"}) in english.tags
    assert english.headings[0] == (1, "How to read ranks 61 to 88")
    assert [level for level, _ in english.headings] == [level for level, _ in page.headings]
    (picture,) = [attrs for tag, attrs in english.tags if tag == "img"]
    assert "County 61, rank 61" in picture["alt"]
    assert not re.search(r"[\u4e00-\u9fff]", english.said())


def test_a_page_in_two_languages_leads_across(province):
    text = render_reading(*province, kind="index", language="en", languages=("zh", "en"))
    across = [attrs for tag, attrs in Page(text).tags if attrs.get("lang") == "zh-CN"]
    assert [one["href"] for one in across] == ["reading.html"]
    assert "data-follows" not in across[0]


def test_colours_of_text_stand_out_from_white(text):
    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return sum(weight * x for weight, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for name in ("ink", "faint", "alert"):
        colour = re.search(rf"--{name}: (#\w{{6}})", text)[1]
        assert 1.05 / (luminance(colour) + 0.05) > 7


def test_the_example_is_the_row_nearest_the_start(province, page):
    row = province[0].set_index("rank").loc[61]
    span, table = (
        f"{row[f'{which}_low']}–{row[f'{which}_high']}" for which in ("marginal", "simultaneous")
    )
    said = page.said()
    assert f"1. 名次后面的“{span}”是什么" in said
    assert (
        f"报告里的名次写作“县61，第 61 名（{span}）”。61 是按本期满意度指数（{row['estimate']:.2f} 分）排出的位置"
        in said
    )
    assert f"以 95% 的置信水平，真实名次落在其中。全表 88 个单位同时比较时，集合为 {table}" in said


def test_a_listed_rank_is_explained_by_the_units_proven_better(province, page):
    table, said = province[0], page.said()
    listed = table[table["listed"] == "yes"]
    row = listed.loc[(listed["rank"] - listed["marginal_low"]).idxmax()]
    assert f"2. 第 {row['rank']} 名为什么可能是第 {row['marginal_low']} 名" in said
    assert f"真正好于它的单位有 {row['marginal_low'] - 1} 个" in said
    last = table[table["rank"] >= 61]
    step, error = (last["estimate"].max() - last["estimate"].min()) / 27, last["se"].median()
    assert (
        f"相邻两个平均相差 {step:.2f} 分；一个单位的抽样误差（标准误，中位数）为 {error:.2f} 分"
        in said
    )


def test_a_rank_without_doubt_is_not_said_to_be_another():
    table, summary = published()
    certain = table.assign(marginal_low=table["rank"], marginal_high=table["rank"])
    said = Page(render_reading(certain, summary, kind="index")).said()
    assert re.search(r"2\. 第 (\d+) 名有多确定", said)
    assert "为什么可能是" not in said


def test_a_rank_moves_with_one_standard_error(province, page):
    table, summary = province
    ground = ground_of(table, summary, kind="index", measure=MEASURE)
    row = table[table["rank"] == 61].iloc[0]
    moved = [
        table["estimate"].where(table["code"] != row["code"], row["estimate"] + way * row["se"])
        for way in (1, -1)
    ]
    expected = tuple(int(one.rank(ascending=False, method="min")[row.name]) for one in moved)
    assert after_one_se(ground, row) == expected
    assert f"就会排到第 {expected[0]} 至 {expected[1]} 名" in page.said()


def test_nothing_is_said_of_a_simulation_where_no_mark_says_so(province):
    said = Page(render_reading(*province, kind="index")).said()
    assert "模拟" not in said
    assert "imulat" not in said


def test_statuses_are_counted_and_exemplified_from_the_table(province, english):
    table, said = province[0], english.said()
    for word in ("established", "possible", "excluded"):
        rows = table[table["status"] == word]
        found = re.search(rf"{word} ?[^\d]*?(last ten|not to be) ?(\d+)(.*?)(\d+|none)", said)
        assert int(found[2]) == len(rows), word
    assert "not ranked" not in said
    left_out = table.astype({"rank": float, "status": object})
    left_out.loc[0, "rank"], left_out.loc[0, "status"] = np.nan, "not ranked"
    assert "县1" in Page(render_reading(left_out, province[1] | {"p": 87}, kind="index")).said()


def test_what_may_not_be_written_says_what_is_missing(province, page):
    said = page.said()
    bare = re.search(r"“县(\d+)排第 (\d+) 名。”——缺名次集合（(\d+)–(\d+)）和状态。", said)
    row = province[0].set_index("code").loc[bare[1]]
    assert [int(bare[k]) for k in (2, 3, 4)] == row[
        ["rank", "marginal_low", "marginal_high"]
    ].tolist()
    assert "“名单上的单位就是末十位。”——名单按得分列出，整份名单不能确认。" in said
    sure = Page(
        render_reading(province[0], province[1] | {"list_established": True}, kind="index")
    ).said()
    assert "名单上的单位就是末十位" not in sure


def test_the_mark_stands_in_title_and_on_top(province):
    table, summary = province
    marked = render_reading(table.assign(mark=SIMULATED), summary, kind="index")
    assert re.search("<title>【模拟数据，不是真实调查结果】", marked)
    assert '<p class="mark" role="note">【模拟数据，不是真实调查结果】</p>' in marked
    marked = render_reading(table.assign(mark=SIMULATED), summary, kind="index", language="en")
    assert '<p class="mark" role="note">[simulated data, not a real survey]</p>' in marked
    assert 'class="mark"' not in render_reading(table, summary, kind="index")


def test_the_first_side_mirrors_the_page():
    table, summary = published()
    firsts = table.assign(side="first", listed=["yes"] * 10 + ["no"] * 78)
    page = Page(render_reading(firsts, summary, kind="index"))
    said = page.said()
    assert page.headings[0][1] == "怎么读第 1 至 28 名"
    assert "真正不如它的单位有" in said
    assert "末十位" not in said


def test_rates_are_percentages():
    table, summary = published()
    said = Page(
        render_reading(
            table.assign(estimate=table["estimate"] / 100, se=table["se"] / 100),
            summary,
            kind="rate",
        )
    ).said()
    assert re.search(r"相邻两个平均相差 \d\.\d 个百分点", said)
    assert " 分" not in said


def test_names_are_escaped(province):
    table, summary = province
    made = render_reading(table.assign(name_zh="<b>&", name_en='"<i>'), summary, kind="index")
    assert "<b>" not in made
    assert "<i>" not in made
    assert html.escape("<b>&") in made
    Page(made)


@pytest.mark.parametrize(
    ("p", "side", "ranks"),
    [
        (88, "last", (61, 88)),
        (88, "first", (1, 28)),
        (30, "last", (21, 30)),
        (9, "last", (7, 9)),
        (3, "last", (3, 3)),
        (2, "first", (1, 1)),
    ],
)
def test_the_stretch_is_a_third_from_a_round_number_on(p, side, ranks):
    assert stretch_of(p, side) == ranks


@pytest.mark.parametrize("side", ["last", "first"])
def test_the_stretch_lies_within_the_field(side):
    for p in range(2, 3000):
        first, last = stretch_of(p, side)
        assert 1 <= first <= last <= p
        assert abs((last - first + 1) - p / 3) <= 5


@settings(max_examples=25)
@given(
    st.integers(2, 40), st.integers(0, 9), st.sampled_from([0.0, 0.1, 10.0]),
    st.sampled_from(["competition", "dense", "fractional"]), st.booleans(), st.sampled_from(["last", "first"]), st.sampled_from(["rate", "score"]),
)  # fmt: skip
def test_any_ranking_makes_a_whole_page(p, seed, spread, ties, all_listed, side, kind):
    table, summary = published(
        p, bottom=p - 1 if all_listed else 1, seed=seed, spread=spread, ties=ties
    )
    for language in ("zh", "en"):
        text = render_reading(table.assign(side=side), summary, kind=kind, language=language)
        said = Page(text).said()
        assert not HOLLOW.search(said)
        for left, right in ("()", "（）", "“”", "【】"):
            assert said.count(left) == said.count(right)
