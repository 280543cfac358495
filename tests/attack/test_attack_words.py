"""Declarations and answers that no program expects: one clear error, soon, and no traceback."""

from __future__ import annotations

import re

import pytest

from satisfaction import rank
from satisfaction.collection.responses import load_responses
from satisfaction.foundation.errors import InputFileError, RankingError, SurveyError
from satisfaction.foundation.yaml import read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
DEEP = "tree: " + "[" * 3_000 + "]" * 3_000 + "\n"
TREE = "tree:\n" + "".join(f"{'  ' * n}items:\n" for n in range(1, 400)) + "  " * 400 + "x: 1\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BOMB, "Y440"), (TREE, "Y101|Y440"), (DEEP, "Y101|Y440"), ("a: 0x" + "f" * 5_000, "Y101|Y440"), ("a: " + "9" * 5_000, "Y101|Y440"),
        ('a: "\\ud83d"', "Y101|Y440"), ("a: !!bool x", "Y101"), ("a: !!int x", "Y101"), ("a: !!timestamp x", "Y101"),
    ],
    ids=["aliases", "tree", "deep", "hexadecimal", "digits", "half a character", "bool", "int", "timestamp"],
)  # fmt: skip
def test_a_declaration_that_no_machine_may_hold_is_refused(tmp_path, text, code):
    path = tmp_path / "survey.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SurveyError, match=rf"\[({code})\] {re.escape(str(path))}"):
        read_yaml(path, SurveyError)


def test_a_character_in_two_halves_is_put_together(tmp_path):
    (tmp_path / "a.yaml").write_text('a: "\\ud83d\\ude00 好"', encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml", SurveyError).data == {"a": "😀 好"}


def test_aliases_in_measure_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a [1, 2]\nb: [*a, *a]\n", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml", SurveyError).data["b"] == [[1, 2], [1, 2]]


@pytest.mark.parametrize("pattern", ["a**", ".", "a\\0.csv", "responses/***.csv", "**"])
def test_a_pattern_that_is_none_is_refused(small, call, pattern):
    small.edit("survey.yaml", "[responses/*.csv]", f'["{pattern}"]')
    code, _, err = call("check", small.folder)
    assert code == 2
    assert "[F442]" in err or "[F103]" in err


def test_a_folder_or_file_whose_name_is_none_is_not_there(call, tmp_path):
    code, _, err = call("check", "")
    assert code == 2
    assert "[F101]" in err
    with pytest.raises(InputFileError, match="F101"):
        read_yaml(tmp_path / "a\0.yaml", SurveyError)


@pytest.mark.parametrize(
    "duration", ["9" * 5_000, "9" * 400, "1e400", "inf", "9" * 400 + "分", "9" * 400 + ":00:00"]
)
def test_a_duration_without_end_is_no_duration(small, call, duration):
    rows = small.rows().assign(通话时长="60", 拨打结果="1")
    rows.loc[0, "通话时长"] = duration
    small.write(rows)
    small.edit("survey.yaml", "[responses/*.csv]", "[{pattern: responses/*.csv, platform: cati}]")
    code, _, err = call("check", small.folder)
    assert code in (0, 1), err
    seconds = load_responses(small.read()).accepted["_seconds"]
    assert seconds.isna().tolist() == [True] + [False] * 119


@pytest.mark.parametrize("value", ["9" * 5_000, "9" * 400, "1e400", "-" + "9" * 300, "²", "1_000"])
@pytest.mark.parametrize("column", ["age", "streets", "values", "day"])
def test_a_number_without_end_is_an_answer_outside_the_scale(small, call, column, value):
    small.change(**{column: value})
    code, _, err = call("check", small.folder)
    assert code in (0, 1), err


def test_what_cannot_be_ranked_is_told_with_what_a_file_offers():
    with pytest.raises(RankingError, match="K111") as refused:
        rank([1.0, 2.0, 3.0], se=[1.0, 1.0, 1.0], df=[5.0, 0.0, 5.0])
    assert "`minimum_n` under `ranking` in rules.yaml" in str(refused.value)
