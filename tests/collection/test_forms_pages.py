"""Codebook, printed questionnaire and SPSS file say what the questionnaire declares."""

from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from conftest import ROOT
from satisfaction.collection.forms.codebook import (
    codebook_html,
    codebook_sheets,
    codebook_tables,
    printable_html,
)
from satisfaction.declarations.questionnaire import Questionnaire, read_questionnaire
from satisfaction.foundation.language import use

SHIPPED = [
    *sorted((ROOT / "questionnaires").glob("*/*.yaml")),
    ROOT / "tests/small/questionnaires/small/1.yaml",
]


@pytest.fixture(scope="module")
def small_questionnaire():
    return read_questionnaire(SHIPPED[-1])


@pytest.fixture(autouse=True)
def in_chinese():
    with use("zh"):
        yield


def words(page: str) -> str:
    """The text of a page as a reader sees it."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("page", [codebook_html, printable_html])
def test_pages_are_whole_self_contained_and_without_faults(path, page):
    questionnaire = read_questionnaire(path)
    with use("zh"):
        text = page(questionnaire)
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    assert "nan" not in re.findall(r"[a-z]+", words(text))
    assert "None" not in words(text)
    for item in questionnaire.items.values():
        assert item.zh in words(text)
    assert questionnaire.reference in words(text)
    assert " ".join(str(questionnaire.source).split()) in words(text)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_english_codebook_names_every_item_and_has_no_chinese_of_its_own(path):
    questionnaire = read_questionnaire(path)
    with use("en"):
        text = words(codebook_html(questionnaire))
        sheets = codebook_sheets(questionnaire)
    for item in questionnaire.items.values():
        assert item.en in text
    assert list(sheets) == ["about", "items", "codes", "rates", "indices"]
    for table in sheets.values():
        assert not re.findall("[\u2e80-\uffef]+", "".join(table))
        assert table.notna().any().all(), "a column that holds nothing"
    labels = sheets["codes"]["label"]
    assert not labels.str.contains("[\u2e80-\uffef]").any()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_english_printed_page_asks_every_question_and_has_no_chinese(path):
    questionnaire = read_questionnaire(path)
    text = printable_html(questionnaire, "en")
    assert '<html lang="en">' in text
    assert not re.findall(
        "[\u2e80-\u9fff\uff00-\uffef]+", text.partition("<body>")[2].partition("<footer>")[0]
    )
    for item in questionnaire.items.values():
        assert item.en in words(text)


def test_codebook_says_what_counts_and_who_is_in_the_denominator(small_questionnaire):
    rates = codebook_tables(small_questionnaire)["rates"].set_index(["rate", "item"])
    assert rates.loc[("satisfaction", "overall"), "counts"] == "5 非常满意; 4 比较满意"
    assert rates.loc[("awareness", "heard"), ["dont_know", "refused", "no_answer", "skipped"]].tolist() == [
        "计入", "不计入", "不计入", "不计入",
    ]  # fmt: skip
    assert pd.isna(rates.loc[("awareness", "heard"), "not_applicable"])
    assert "1、2、3" in rates.loc[("awareness", "values"), "counts"]
    assert "至少选对 2 项、错选不超过 0 项" in rates.loc[("awareness", "values"), "counts"]


def test_a_rates_own_rules_replace_the_scales(small_questionnaire):
    data = small_questionnaire.model_dump(exclude_defaults=True)
    data["rates"]["satisfaction"] |= {"counts": [5], "denominator": {"dont_know": "in"}}
    row = (
        codebook_tables(Questionnaire.model_validate(data))["rates"]
        .set_index("rate")
        .loc["satisfaction"]
    )
    assert row["counts"] == "5 非常满意"
    assert row["dont_know"] == "计入"


def test_codebook_lists_every_code_with_its_score(small_questionnaire):
    codes = codebook_tables(small_questionnaire)["codes"]
    overall = codes[codes["item"] == "overall"]
    assert overall["code"].tolist() == [5, 4, 3, 2, 1, 97, 98, 99]
    assert overall["score"].tolist()[:5] == [100, 75, 50, 25, 0]
    assert overall["counts"].tolist()[:5] == ["是", "是", "否", "否", "否"]
    assert codes[codes["item"] == "values"]["counts"].tolist()[:4] == ["正确"] * 3 + ["错误"]
    items = codebook_tables(small_questionnaire)["items"].set_index("item")
    assert items.loc["took_part_in", "asked_if"] == "took_part = 1 是"
    assert items.loc["age", "values"] == "18 – 110"
    assert items.loc["streets", "used_in"] == "topic_index; 议题"
    weights = codebook_tables(small_questionnaire)["indices"]
    assert weights.loc[weights["index"] == "topic_index", ["part", "weight"]].to_numpy().tolist() == [
        ["streets", "0.5"], ["parks", "0.3"], ["safety", "0.2"],
    ]  # fmt: skip


def test_printed_questionnaire_has_boxes_skips_and_a_head(small_questionnaire):
    page = printable_html(small_questionnaire)
    asked = [
        name
        for name in small_questionnaire.items
        if name not in ("id", "day", "interviewer", "community", "county")
    ]
    boxes = sum(
        len(small_questionnaire.columns(n)) - 1 or len(small_questionnaire.answers(n))
        for n in asked
        if n != "age"
    )
    boxes += sum(len(small_questionnaire.special(n)) for n in asked)
    assert page.count('class="tick') == boxes
    numbers = {name: f"Q{k}" for k, name in enumerate(asked, start=1)}
    assert f"仅当 {numbers['took_part']} 选 1 时询问" in page
    english = printable_html(small_questionnaire, "en")
    assert f"Ask only if {numbers['took_part']} is 1;" in english
    assert "Ask only" not in page
    stop = next(line for line in page.splitlines() if "→ 结束访问" in line)
    assert "否" in stop
    head = page.partition('<div class="head">')[2].partition('<p class="note">')[0]
    assert all(
        small_questionnaire.items[name].zh in head
        for name in ("id", "day", "interviewer", "community", "county")
    )
    assert not re.search("姓名|电话|住址|name|phone|address", words("<body>" + head))
    assert page.count("<table>") == 1  # the four questions on one scale
    assert "享乐" in page
    assert "correct" not in page.lower()
