"""Columns of delimited text against csv.reader: the same cells, or left to it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from satisfaction.foundation import delimited
from satisfaction.foundation.delimited import LONGEST, Unusual, split_columns

CELLS = st.text(alphabet='ab,;\t"\r\n 满意，9', max_size=9) | st.sampled_from(
    ["", "x" * LONGEST, "满" * 30, "abcdefgh", "abcdefghi"]
)
RECORDS = st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=12)


def columns(content: bytes, delimiter: str, encoding: str = "utf-8") -> list[tuple[str, ...]]:
    """Return the columns as texts."""
    return [
        tuple(different[code] for code in codes)
        for codes, different in split_columns(content, delimiter, encoding)
    ]


def same(content: bytes, delimiter: str, encoding: str = "utf-8") -> bool:
    """Compare with csv.reader record by record; False where the text was left to it.

    Fails, too, where csv.reader or the decoding of the whole refuse what was read.
    """
    try:
        found = columns(content, delimiter, encoding)
    except Unusual:
        return False
    text = io.StringIO(content.decode(encoding), newline="")
    expected = list(csv.reader(text, delimiter=delimiter, strict=True)) or [[]]
    width = max(1, *map(len, expected))
    assert list(zip(*found, strict=True)) == [
        (*record, *[""] * (width - len(record))) for record in expected
    ]
    return True


@pytest.fixture(params=[1, 7, delimited.PIECE])
def _piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "PIECE", request.param)


@pytest.mark.usefixtures("_piece")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@settings(max_examples=60)
@given(records=RECORDS, delimiter=st.sampled_from(",;\t"))
@example(records=[["a", "b"], ["1"], ["2", "", "3"]], delimiter=",")
def test_what_programs_write_is_read_as_csv_reader_reads_it(
    records: list[list[str]], delimiter: str, end: str, quoting: int
) -> None:
    written = io.StringIO(newline="")
    if quoting == csv.QUOTE_MINIMAL:  # which leaves \r bare
        records = [[cell.replace("\r", "") for cell in record] for record in records]
    csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(records)
    assert same(written.getvalue().encode(), delimiter)


@pytest.mark.usefixtures("_piece")
@settings(max_examples=300)
@given(text=st.text(alphabet='a,"\r\n\0满', max_size=24))
@example(text="")
@example(text='a,"b\n1,2\n')
@example(text='a"b,c\n')
@example(text='"a"b,c\n')
@example(text="a\rb\n")
def test_any_text_is_read_the_same_or_left_to_csv_reader(text: str) -> None:
    same(text.encode(), ",")


@pytest.mark.parametrize(
    "text", ['a,"b\n1,2\n', 'a"b,c\n', '"a"b,c\n', "a\rb\n", "a\0\n", "," * 9_000 + "\n" * 2_000]
)
def test_what_is_unusual_is_left(text: str) -> None:
    with pytest.raises(Unusual):
        split_columns(text.encode(), ",", "utf-8")


def test_texts_with_one_sum_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MIXING", delimited.np.uint64(0))
    assert columns(b"a\nb\n", ",") == [("a", "b")]
    with pytest.raises(Unusual):
        split_columns(b"abcdefgh1\nabcdefgi1\n", ",", "utf-8")


@settings(max_examples=200)
@given(
    text=st.text(st.characters(codec="gb18030") | st.sampled_from(',;\t"\n'), max_size=60),
    delimiter=st.sampled_from(",;\t"),
)
@example(text="㐀,\U0001f600;𠀀\n€,Ω\n", delimiter=",")
def test_wide_characters_hold_no_delimiter(text: str, delimiter: str) -> None:
    same(text.encode("gb18030"), delimiter, "gb18030")


@settings(max_examples=200)
@given(content=st.binary(max_size=40), encoding=st.sampled_from(["utf-8", "gb18030"]))
@example(content=b"\xd6,\xd0\n", encoding="gb18030")
def test_bytes_are_decoded_strictly(content: bytes, encoding: str) -> None:
    same(content, ",", encoding)
