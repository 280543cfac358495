"""One word a concept: the Chinese catalogue keeps to docs/glossary.md."""

import re

import pytest
from tests import catalogue

from conftest import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
CODE = re.compile(r"`[^`]*`|--\S+")


def rows(title):
    """Cells of the table under a heading of the glossary, without its head."""
    text = GLOSSARY.read_text(encoding="utf-8")
    section = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def concepts():
    tables = ["People and places", "Sample and weights", "Estimates and tests"]
    tables += ["Ranks", "Files and work"]
    return [row for title in tables for row in rows(title)]


def chinese_sentences():
    for message in catalogue.read():
        if message.id:
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            yield from strings


@pytest.mark.parametrize("row", rows("Words not to use"), ids=lambda row: row[0])
def test_no_message_holds_a_word_that_is_not_to_be_used(row):
    word, instead, _where = row
    assert instead
    assert [sentence for sentence in chinese_sentences() if word in sentence] == []


def test_a_word_stands_for_one_concept():
    chinese = [row[0] for row in concepts()]
    english = [row[1] for row in concepts()]
    assert len(chinese) > 60
    assert sorted(set(chinese)) == sorted(chinese)
    assert sorted(set(english)) == sorted(english)


def test_every_concept_has_both_words_and_a_meaning():
    for row in concepts():
        assert len(row) == 3, row
        assert all(row), row


def test_words_to_use_are_not_among_those_not_to_use():
    chinese = {row[0] for row in concepts()}
    for word, instead, _where in rows("Words not to use"):
        assert not [term for term in chinese if word in term], word
        first = re.split("[、；（]", instead)[0]
        assert first in chinese, instead
