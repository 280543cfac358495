"""What libraries find wrong with a file is said in the reader's language, by its kind and with its place."""

import io
import re
import zipfile

import pandas as pd
import pytest

from satisfaction.collection.platforms.spss import _opened
from satisfaction.foundation.engines import parquet_file, write_parquet
from satisfaction.foundation.errors import InputFileError, SatisfactionError, SurveyError
from satisfaction.foundation.grids import read_grids
from satisfaction.foundation.language import use
from satisfaction.foundation.readers_words import what_is_wrong
from satisfaction.foundation.yaml import parse_yaml

ENGLISH_WORDS = re.compile(r"[A-Za-z]{2,}[ ,;:]+[A-Za-z]{2,}")
IN_OWN_WORDS = ("原文", "own words")


def in_chinese(fault):
    with use("zh"):
        return str(fault)


BROKEN_YAML = [
    ("a: [1, 2\nb: 3", 2, "方括号"),
    ("a: {x: 1\nb: 2", 2, "花括号"),
    ("a: b: c", 1, "两个冒号"),
    ("a:\n  b: 1\n c: 2", 3, "缩进"),
    ("b: 1\na：1", 2, "全角冒号"),
    ("a: 'x\nb: 1", 2, "引号未闭合"),
    ("a: 'it's'", 1, "右引号"),
    ("a:\n\tb: 1", 2, "制表符"),
    ("a: @x", 1, "@"),
    ("a: *x", 1, "“x”"),
    ("a: &\nb: 1", 1, "&"),
    ('a: "\\q"', 1, "反斜杠"),
    ("a: !!int x", 1, "不是数"),
    ("a: !x!y z", 1, "!"),
    ("a: 1\nb: 2026-02-30", 2, "日期"),
    ("a: |x\n  b", 1, "|"),
    ("a: 1\n---\nb: 1", 2, "第二个文档"),
    ("a: \x01", 1, "控制字符"),
    ("a: - b", 1, "短横"),
    ("a:\n  <<: [1]", 2, "<<"),
    ("a: ]", 1, "缺少取值"),
    ("a: ? b", 1, "问号"),
    ("%YAML 2.0\n---\na: 1", 1, "%"),
]


@pytest.mark.parametrize(("text", "line", "kind"), BROKEN_YAML, ids=lambda value: repr(value)[:20])
def test_a_fault_of_yaml_is_named_by_its_kind_and_line(tmp_path, text, line, kind):
    path = tmp_path / "survey.yaml"
    with pytest.raises(SurveyError, match="Y101") as refused:
        parse_yaml(text, path, SurveyError)
    said = in_chinese(refused.value)
    assert kind in said.splitlines()[1], said
    assert said.splitlines()[0].endswith(f"{path}:{line}")
    assert not ENGLISH_WORDS.search(said.partition("\n")[2])
    assert not any(words in said for words in IN_OWN_WORDS)


def packed(content, *, change):
    """Return a workbook or zip file with its members changed; None drops one."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            changed = change(name, before.read(name))
            if changed is not None:
                after.writestr(name, changed)
    return target.getvalue()


@pytest.fixture(scope="module")
def workbook(tmp_path_factory):
    path = tmp_path_factory.mktemp("books") / "table.xlsx"
    pd.DataFrame({"a": range(400), "b": "x"}).to_excel(path)
    return path.read_bytes()


def broken_files(workbook, folder):
    """Yield names and contents of files that no reader can read."""
    yield "other_kind.xlsx", b"a,b\n1,2\n"
    yield "cut_off.xlsx", workbook[: len(workbook) // 2]
    yield "no_sheet.xlsx", packed(workbook, change=lambda name, c: None if "sheet1" in name else c)
    yield (
        "cut_sheet.xlsx",
        packed(workbook, change=lambda name, c: c[:99] if "sheet1" in name else c),
    )
    yield "old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    yield "html.xls", b"<html><table></table></html>"
    yield "open.csv", b'a,b\n"1,2\n3,4\n'
    yield "behind.csv", b'a,b\n"1"x,2\n'
    yield "long.csv", b'a,b\n"' + b"x" * 200_000 + b"\n"
    yield "other_kind.zip", b"junk"
    yield "cut_off.zip", workbook[:-30]
    yield "other_kind.parquet", b"a,b"
    write_parquet(pd.DataFrame({"a": range(100)}), folder / "whole")
    whole = (folder / "whole").read_bytes()
    yield "cut_off.parquet", whole[:-20]
    yield "damaged.parquet", whole[:-60] + b"\xff" * 40 + whole[-20:]
    yield "other_kind.sav", b"junk"
    yield "damaged.sav", b"$FL2" + b"\0" * 400


def read_as_it_is_named(path):
    if path.suffix == ".sav":
        _opened(path)
    elif path.suffix == ".parquet":
        with parquet_file(path):
            pass
    else:
        read_grids(path)


def test_a_file_that_cannot_be_read_is_refused_in_the_readers_language(workbook, tmp_path):
    refused = 0
    for name, content in broken_files(workbook, tmp_path):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputFileError) as fault:
            read_as_it_is_named(path)
        said = in_chinese(fault.value).replace(str(path), "")
        assert not ENGLISH_WORDS.search(said), said
        assert not any(words in said for words in IN_OWN_WORDS), said
        assert " line " not in said
        refused += 1
    assert refused == 16


def test_what_nobody_foresaw_stands_in_the_words_of_the_reader_and_is_called_so():
    said = what_is_wrong(ValueError("the moon is full\nat line 3"))
    assert said.en == "in the reader's own words: the moon is full"
    assert said.zh == "读取程序原文：the moon is full"


def test_choices_are_listed_as_the_language_lists_them(small):
    small.edit("survey.yaml", "lonely_psu: fail", "lonely_psu: perhaps")
    with pytest.raises(SatisfactionError, match="Y203") as refused:
        small.read()
    said = in_chinese(refused.value)
    assert " or " not in said
    assert "、" in said
