"""The Chinese catalogue is whole: every message of the package, nothing more, and compiled."""

import re
import string

import pytest
from tests import catalogue

from satisfaction.foundation.language import (
    Text,
    _,
    comma_list,
    ngettext,
    readers_language,
    use,
)


def placeholders(text):
    """Names of the places of a message; braces of examples are none."""
    return {
        name
        for _literal, name, spec, _conversion in string.Formatter().parse(text)
        if name and name.isidentifier() and not spec.startswith(" ")
    }


@pytest.fixture(scope="module")
def written():
    return catalogue.read()


def test_every_message_has_chinese(written):
    assert [message.id for message in written if message.id and not any(message.string)] == []


def test_the_catalogue_holds_the_messages_of_the_package_and_no_others(written):
    assert {(m.context, m.id) for m in written if m.id} == {
        (m.context, m.id) for m in catalogue.extracted() if m.id
    }


def test_nothing_is_fuzzy(written):
    assert [message.id for message in written if message.id and message.fuzzy] == []


def test_places_are_the_same_in_both_languages(written):
    for message in written:
        if not message.id:
            continue
        english = message.id if isinstance(message.id, str) else message.id[1]
        chinese = message.string if isinstance(message.string, str) else message.string[0]
        only_english = placeholders(english) - placeholders(chinese)
        assert placeholders(chinese) <= placeholders(english), english
        assert only_english <= OF_ENGLISH_GRAMMAR, english


def test_a_percent_sign_stands_at_its_figure_in_both_languages(written):
    """ "95%" and "{share}%", as the writers of foundation/figures do it."""
    for message in written:
        for text in (message.id, message.string):
            assert not re.search(r"[0-9}]\s+%", str(text)), text


OF_ENGLISH_GRAMMAR = {"are", "is"}

HALF_WIDTH = re.compile(
    r"[\u4e00-\u9fff”》）】][:,;?!]|(?<!\{)\{\w+(?:![rs])?\}'?[:;?!]\s|[\u4e00-\u9fff]\(|\([\u4e00-\u9fff]"
)
OF_CODE = (
    "层: 并入的层",
    "水平: 人数",
    "行: 系数",
    "名称: {",
    "单位: 名次",
    "(域, ..., 指标)",
    "[最差, 最好]",
    ".of(指标)",
    "wave: {wave}",
    "comparability(后期问卷, 前期问卷, 指标)",
    "{word},答案的编码,谁确认的",
)
"""What is typed into a file or a program as it stands there."""


def test_punctuation_after_chinese_is_chinese(written):
    half_width = []
    of_click = catalogue.read(catalogue.CLICK_PO)
    for message in (*written, *of_click):
        if not message.id:
            continue
        chinese = message.string if isinstance(message.string, str) else message.string[0]
        words = chinese
        for typed in OF_CODE:
            words = words.replace(typed, "")
        if HALF_WIDTH.search(words):
            half_width.append(chinese)
    assert half_width == []


def test_half_width_punctuation_is_seen():
    assert HALF_WIDTH.search("可比: {comparable}")
    assert HALF_WIDTH.search("{place}: 可比")
    assert HALF_WIDTH.search("可比(甲)")
    assert not HALF_WIDTH.search("可比：{comparable} a: b")


def test_the_compiled_catalogue_is_that_of_the_text(written):
    assert catalogue.MO.read_bytes() == catalogue.as_mo(written)


def test_words_stand_in_both_languages_and_are_shown_in_one():
    text = _("{text}: {listed}.", text="a", listed=comma_list(["a", "b"]))
    assert isinstance(text, Text)
    with use("en"):
        assert str(text) == text.en
    with use("zh"):
        assert str(text) == text.zh


def test_numbers_have_their_nouns():
    assert ngettext("{n:,} row", "{n:,} rows", 1).en == "1 row"
    assert ngettext("{n:,} row", "{n:,} rows", 1200).en == "1,200 rows"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"SATISFACTION_LANG": "zh", "LANG": "C"}, "zh"),
        ({"SATISFACTION_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_language_of_the_reader(environment, language):
    assert readers_language(environment) == language
