"""The report: everything the ranking office must read stands in it, nothing else is fetched, no rank stands bare."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from satisfaction import read_survey
from satisfaction.declarations.rules import ResponseRules
from satisfaction.foundation import figures
from satisfaction.foundation.conventions import value_in_words
from satisfaction.foundation.language import Text, as_text, use
from satisfaction.pipeline import run
from satisfaction.publication.report import method, render
from satisfaction.publication.tables import tables_of

ROOT = Path(__file__).parents[2]
VOID = {"meta", "img", "br", "hr", "link", "input"}


def is_hollow(said: str) -> bool:
    """Tell whether a missing value was written; the words that files may have for one are declared, and printed."""
    with use("zh"):
        declared = str(value_in_words(ResponseRules().empty))
    assert declared in said
    return bool(re.search(r"\b(nan|NaN|None|NA|inf)\b", said.replace(declared, "")))


class Page(HTMLParser):
    """Reads a page: its text, its headings, its tables as rows of cells; refuses tags that do not close."""

    def __init__(self, html):
        super().__init__()
        self.stack, self.text, self.headings, self.cells, self.tables = [], [], [], [], []
        self.attributes = []
        self.feed(html)
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if "style" in self.stack:
            return
        self.text.append(data)
        if "td" in self.stack or "th" in self.stack:
            self.tables[-1][-1][-1] += data

    def said(self):
        return squeezed(" ".join(self.text))

    def table(self, first_head):
        """Return the tables whose head holds a text, as rows of squeezed cells."""
        found = [t for t in self.tables if any(first_head in cell for cell in t[0])]
        return [[[squeezed(cell) for cell in row] for row in table] for table in found]


def squeezed(text):
    return re.sub(r"\s+", " ", text).strip()


def report(survey, language="zh"):
    results = run(survey)
    published = tables_of(results)
    return results, published, published.ranking, render(results, published, language)


@pytest.fixture(scope="module")
def made(unchanged):
    return report(unchanged)


@pytest.fixture(scope="module")
def page(made):
    return Page(made[3])


@pytest.fixture(scope="module")
def english(made):
    return Page(render(made[0], made[1], "en"))


@pytest.fixture
def quota(small):
    """The small survey as a quota sample that declares neither areas, sample, margins nor weights."""
    survey = small.folder / "survey.yaml"
    kept = [
        line
        for line in survey.read_text(encoding="utf-8").splitlines()
        if re.match(r"(survey|wave|title|questionnaire|fielded|files|level|rules)", line)
    ]
    survey.write_text("\n".join([*kept, "selection: quota"]), encoding="utf-8")
    text = small.questionnaire.read_text(encoding="utf-8")
    answers = ", ".join(
        f'{c}: {{zh: "县{c}", en: "County {c}"}}' for c in (990101, 990102, 990201, 990202)
    )
    text = text.replace(
        "county: {type: area, zh: 县, en: County,",
        f"county: {{type: single, answers: {{{answers}}}, zh: 县, en: County,",
    )
    text = text.replace("  strata: [county, residence]\n", "").replace("  psu: community\n", "")
    small.questionnaire.write_text(text, encoding="utf-8")
    rules = small.folder / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").split("targets:")[0], encoding="utf-8")
    return small.read()


def test_a_page_draws_no_picture_twice_while_it_is_tested(made, pictures):
    """What `remembered_pictures` puts in place of drawing is still what the pages use."""
    results, published, _, html = made
    known = set(pictures.texts)
    assert len(known) > 3
    assert render(results, published, "zh") == html
    assert set(pictures.texts) == known


def test_same_results_same_page(made, drawn_anew):
    results, published, _, html = made
    assert render(results, published, "zh") == html


def test_page_is_well_formed_with_headings_in_order_and_one_title(page):
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    ids = [attrs["id"] for _, attrs in page.attributes if "id" in attrs]
    links = [attrs["href"] for tag, attrs in page.attributes if tag == "a"]
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links} == {*ids, "report-en.html"}


def test_page_fetches_nothing(made, page):
    assert "http" not in re.sub(r"base64,[^\"]+", "", made[3])
    assert not [tag for tag, _ in page.attributes if tag in ("link", "iframe")]
    assert (
        len([tag for tag, _ in page.attributes if tag == "script"]) == 2
    )  # the language chosen, the tables' own sorting
    addresses = [
        value
        for _, attrs in page.attributes
        for name, value in attrs.items()
        if name in ("src", "srcset", "data")
    ]
    assert addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)


def test_page_serves_readers_who_do_not_see_it(page):
    images = [attrs for tag, attrs in page.attributes if tag == "img"]
    assert len(images) == 6  # ladder, near the cut, pairs, targets, rates, topics
    assert all(len(re.findall(r"[\u4e00-\u9fff]", attrs["alt"])) > 10 for attrs in images)
    heads = [attrs for tag, attrs in page.attributes if tag == "th"]
    assert heads
    assert {attrs["scope"] for attrs in heads} == {"row", "col"}
    assert ("html", {"lang": "zh-CN"}) in page.attributes
    others = [(tag, attrs["href"]) for tag, attrs in page.attributes if attrs.get("lang") == "en"]
    assert others == [("a", "report-en.html")]


def test_the_english_page_is_in_english_and_leads_to_the_chinese_one(english):
    assert ("html", {"lang": "en"}) in english.attributes
    assert english.headings.count(1) == 1
    across = [attrs["href"] for tag, attrs in english.attributes if attrs.get("lang") == "zh-CN"]
    assert across == ["report.html"]
    images = [attrs for tag, attrs in english.attributes if tag == "img"]
    assert len(images) == 6
    assert all(len(attrs["alt"]) > 20 for attrs in images)
    assert "120 rows read: 120 accepted, 0 rejected" in english.said()
    (target,) = english.table("target")
    assert all(re.search(r"\d+ \[\d+–\d+\] / \d+", " ".join(row)) for row in target[1:])


def test_every_table_scrolls_inside_its_own_box(made):
    html = made[3]
    assert html.count("<table>") == len(re.findall(r'<div class="box"[^>]*>\s*<table>', html))


def test_every_convention_stands_in_the_page(made, page):
    results, said = made[0], page.said()
    groups = [one.conventions for one in results.estimates.values()] + [
        results.ranking.summary,
        *results.design.weighting.log,
    ]
    groups += [
        results.survey.rules.ranking.model_dump(),
        results.survey.rules.responses.model_dump(),
    ]
    for group in groups:
        for name, value in group.items():
            if name in ("notes", "listed"):
                continue
            assert name in said
            for part in value.values() if hasattr(value, "values") else [value]:
                with use("zh"):
                    assert str(value_in_words(part)) in said, name
    assert "kish_deff" in said


def test_rates_are_defined_with_counting_answers_and_every_special_code(page, english):
    said = page.said()
    for text in (
        "5 非常满意；4 比较满意", "98 说不清（不知道）：计入分母", "97 不适用（不适用）：不计入分母",
        "选对至少 2 项且错选不超过 0 项", "社会治安（safety）：0.2", "5 非常满意 = 100；4 比较满意 = 75",
        "small@1", "测试 test（2026-01-01）", "1 / (psu_probability × person_probability)",
    ):  # fmt: skip
        assert text in said
    said = english.said()
    for text in (
        "5 Very satisfied; 4 Fairly satisfied", "98 Don't know (don't know): in the denominator",
        "97 Not applicable (not applicable): out of the denominator", "at least 2 correct, at most 0 wrong: 1",
        "Public safety (safety): 0.2", "5 Very satisfied = 100; 4 Fairly satisfied = 75",
    ):  # fmt: skip
        assert text in said


def test_a_rate_that_replaces_the_counting_answers_and_the_denominator_says_so(small):
    small.edit(
        small.questionnaire,
        "items: [overall]}",
        "items: [overall], counts: [5], denominator: {dont_know: in}, source: 别的来源 elsewhere}",
    )
    said = Page(report(small.read())[3]).said()
    start = said.index("总体（overall）")
    assert re.search(r"5 非常满意 特殊码", said[start : start + 120])
    assert "98 说不清（不知道）：计入分母" in said[start : start + 400]
    assert "别的来源 elsewhere" in said


def test_account_of_the_rows_and_the_honesty_sentences_stand_in_the_page(made, page, english):
    results, said = made[0], page.said()
    assert "120 行：有效 120 行，无效 0 行" in said
    for note in results.ranking.summary["notes"]:
        assert squeezed(note.zh) in said
        assert squeezed(note.en) in english.said()
    assert squeezed(made[1].statement.zh) in said
    assert squeezed(made[1].statement.en) in english.said()
    (files,) = page.table("文件")
    assert files[1][0] == "responses/all.csv"
    assert files[-1][2:6] == ["120", "120", "0", "0"]


def test_reasons_are_counted_by_rule(small):
    small.change(sex="", parks="77")
    html = report(small.read())[3]
    (reasons,) = Page(html).table("规则")
    assert [(row[0], row[3]) for row in reasons[1:]] == [("R201", "1"), ("R202", "1")]
    assert "120 行：有效 119 行，无效 1 行" in Page(html).said()


def test_no_rank_stands_without_its_sets_and_status(made, page):
    ranking, found = made[2], page.table("名次集合（单独看）")
    assert [len(table) - 1 for table in found] == [1, len(ranking)]  # the list, the whole ranking
    (target,) = page.table("目标")
    assert all(re.search(r"\d+ \[\d+–\d+\] / \d+", " ".join(row)) for row in target[1:])
    for table in found:
        head = [cell.split(" ")[0] for cell in table[0]]
        rank, marginal, simultaneous, status = (
            head.index(name)
            for name in ("名次", "名次集合（单独看）", "名次集合（全表同时）", "状态")
        )
        for row in table[1:]:
            published = ranking.loc[ranking["code"] == row[0].split(" ")[-1]].iloc[0]
            assert row[rank] == f"{published['rank']:.0f}"
            assert (
                row[marginal] == f"{published['marginal_low']:.0f}–{published['marginal_high']:.0f}"
            )
            assert (
                row[simultaneous]
                == f"{published['simultaneous_low']:.0f}–{published['simultaneous_high']:.0f}"
            )
            assert published["status_zh"] in row[status]


def test_a_unit_that_is_not_ranked_keeps_its_row(made):
    results, published, ranking, _ = made
    gone = [
        c
        for c in ranking
        if c in ("rank", "p_in", "p_out", "expected_rank", "reliability", "probability_bottom")
        or "_low" in c
        or "_high" in c
    ]
    last = ranking.index[-1]
    thinned = ranking.astype(dict.fromkeys(gone, float))
    thinned.loc[last, gone] = np.nan
    thinned.loc[last, ["status", "listed"]] = ["not ranked", "no"]
    page = Page(render(results, replace(published, ranking=thinned), "zh"))
    row = page.table("期望名次")[0][-1]
    assert row[1:4] == ["—", "—", "—"]
    assert "不排名" in row[4]
    assert not is_hollow(page.said())


def test_areas_carry_estimate_interval_and_n_and_close_with_the_whole(made, page):
    indices = made[1].indices
    below, counties = page.table("知晓率")
    assert [len(below), len(counties)] == [1 + 2 + 1, 1 + 4 + 1]
    row = indices[
        (indices["level"] == "county")
        & (indices["code"] == "990101")
        & (indices["measure"] == "awareness")
    ].iloc[0]
    low, high = f"{row['ci_low']:.1%}"[:-1], f"{row['ci_high']:.1%}"[:-1]
    assert counties[1][1] == f"{row['estimate']:.1%}"[:-1] + f"%{low}–{high}%n {row['n']}"
    assert "990000" in below[-1][0]
    assert "990000" in counties[-1][0]


def test_no_missing_value_shows_as_nan(page):
    assert not is_hollow(page.said())


def test_a_probability_sample_of_real_answers_carries_no_mark(made):
    assert 'class="mark"' not in made[3]
    assert "【" not in made[3]


def test_mark_stands_in_title_top_and_figures(small):
    small.edit(
        "survey.yaml",
        "selection: probability",
        "selection: probability\nsimulated: {seed: 5, note: {zh: 模拟, en: made up}}",
    )
    html = report(small.read())[3]
    title = re.search("<title>(.*?)</title>", html)[1]
    assert title.startswith("【模拟数据，不是真实调查结果】")
    assert '<p class="mark" role="note">模拟数据，不是真实调查结果</p>' in html
    assert "随机种子 5" in html
    html = report(small.read(), "en")[3]
    title = re.search("<title>(.*?)</title>", html)[1]
    assert title.startswith("[simulated data, not a real survey] ")
    assert '<p class="mark" role="note">simulated data, not a real survey</p>' in html
    assert "random seed 5" in html


def test_a_survey_that_declares_little_is_reported_too(quota):
    results, _, _, html = report(quota)
    page = Page(html)
    said = page.said()
    assert set(results.absent) == {
        "areas",
        "strata",
        "psu",
        "base weights",
        "margins",
        "calibration",
    }
    assert all(
        label.zh in said for step, label in method.ABSENT_STEPS.items() if step in results.absent
    )
    assert "非概率样本" in re.search("<title>(.*?)</title>", html)[1]
    assert "每位受访者的权数为 1" in said
    assert "不能确定" in page.table("状态")[-1][-1][2]
    assert not page.table("期望名次")
    assert not is_hollow(said)
    assert not page.table("目标")


def test_text_of_the_survey_is_escaped(small):
    small.edit(
        "survey.yaml",
        "{zh: 测试调查, en: Test survey}",
        '{zh: "<script>alert(1)</script>&", en: "a <b> title"}',
    )
    html = report(small.read())[3]
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in html
    Page(html)


def test_a_questionnaire_without_topics_or_rates_is_reported(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    text = text.replace("topics: [streets, parks, safety]", "topics: []").replace(
        "overall: satisfaction\n", ""
    )
    text = re.sub(r"rates:\n(  .*\n)+", "rates: {}\n", text).replace(
        "{awareness: 0.25, satisfaction: 0.25, topic_index: 0.5}", "{topic_index: 1}"
    )
    small.questionnaire.write_text(text, encoding="utf-8")
    html = report(small.read())[3]
    assert html.count("<img") == 4  # ladder, near the cut, pairs, targets
    assert 'href="#topics"' not in html
    Page(html)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (figures.estimate_text(0.7734, "rate"), "77.3%"), (figures.estimate_text(68.686, "index"), "68.7"), (figures.estimate_text(68.686, "index", 2), "68.69"),
        (figures.estimate_text(float("nan"), "rate"), "—"), (figures.interval(0.7, 0.8, "rate"), "70.0–80.0%"), (figures.interval(-np.inf, np.inf, "index"), "无界 unbounded"),
        (figures.interval(float("nan"), 1, "index"), "—"), (figures.probability(0.0), "< 0.1%"), (figures.probability(1.0), "> 99.9%"),
        (figures.p_value(0.0001), "< 0.001"), (figures.p_value(1.0), "> 0.999"), (figures.p_value(0.04), "0.040"), (figures.rank_set(pd.NA, pd.NA), "—"), (figures.rank_set(1, 12), "1–12"),
        (value_in_words(None), ("无", "none")), (value_in_words(True), ("是", "yes")), (value_in_words(()), ("无", "none")), (value_in_words(1.41387062), "1.41387"),
        (value_in_words("linearized"), ("线性化", "linearized")), (figures.count(22034), "22,034"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(written, expected):
    assert written == expected


def test_a_note_of_both_languages_is_known_again_and_never_split():
    for note in (Text("分界处并列。", "Tie at the cut."), Text("样本量 (n)", "n of the sample")):
        assert as_text(note.both) == note
    for words in ("只有中文", "有人写的 words that nobody declared"):
        assert as_text(words) == (words, "")


def test_the_real_survey_is_reported():
    page = Page(report(read_survey(ROOT / "surveys" / "san-diego-2015"))[3])
    said = page.said()
    for figure in ("86.6%", "75.7%", "64.2%", "77.9%", "76.0%", "69.9%", "42.7%", "61.7%"):
        assert figure in said
    assert "市议会选区" in said
    assert "Council district" not in said
    assert "贵州" not in said


def test_the_printed_page_is_a4_with_mark_title_and_page_number_below_every_sheet(small):
    small.edit("survey.yaml", "{zh: 测试调查,", "{zh: '测试\"</style>调查',")
    small.edit(
        "survey.yaml",
        "selection:",
        "simulated: {seed: 1, note: {zh: 模拟, en: simulated}}\nselection:",
    )
    style = re.search(r"<style>(.*?)</style>", report(small.read())[3], re.DOTALL)[1]
    assert "size: A4" in style
    assert (
        r'content: "【模拟数据，不是真实调查结果】测试\22 \3c \2f style\3e 调查 · 2026T1"' in style
    )
    assert "counter(page)" in style
    assert "thead button { display: contents; }" in style[style.index("@media print") :]


def test_two_p_values_near_one_are_explained_beside_the_targets(made):
    assert len(made[1].targets)
    assert "两个都接近 1" in made[3]
