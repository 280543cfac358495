"""Delimited text is read as the standard library's csv.reader reads it, or refused where that refuses it."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.grids import read_grids

TEXTS = int(os.environ.get("SATISFACTION_FUZZ", "300"))
CELLS = st.text(alphabet='ab"\r\n 满意，9', max_size=9) | st.sampled_from(["", "x" * 70, "满" * 30])
RECORDS = st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=12)
ONE_FOLDER = [HealthCheck.function_scoped_fixture]


def records_of(content: bytes, file: Path) -> list[list[str]] | None:
    """Return the records of a grid, blank ones left out; None where the file is refused."""
    file.write_bytes(content)
    try:
        (grid,), _ = read_grids(file)
    except InputFileError:
        return None
    return [grid.record(place) for place in range(len(grid.numbers))]


def records_by_csv_reader(text: str, delimiter: str) -> list[list[str]] | None:
    """Return the same by csv.reader alone; short records are filled up, a last one that is cut off is refused."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        records = list(reader)
    except csv.Error:
        return None
    if len(records) > 1 and not text.endswith(("\n", "\r")):
        before, last = map(len, records[-2:])
        if 1 < last < before:
            return None
    width = max(map(len, records), default=0)
    filled = [record + [""] * (width - len(record)) for record in records]
    return [record for record in filled if "".join(record).strip()] or None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize(("delimiter", "ending"), [(",", ".csv"), ("\t", ".tsv")])
@settings(max_examples=60, suppress_health_check=ONE_FOLDER)
@given(records=RECORDS)
@example(records=[["a", "b"], ["1"], ["2", "", "3"]])
def test_what_programs_write_is_read(records, end, quoting, delimiter, ending, tmp_path):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(records)
    text = written.getvalue()
    read = records_of(text.encode(), tmp_path / f"t{ending}")
    assert read == records_by_csv_reader(text, delimiter)


@settings(max_examples=TEXTS, suppress_health_check=ONE_FOLDER)
@given(text=st.text(alphabet='a,"\r\n\0满', min_size=1, max_size=24))
@example(text='a,"b\n1,2\n')
@example(text='a"b,c\n')
@example(text='"a"b,c\n')
@example(text="a\rb\n")
@example(text="," * 90 + "\n" * 20 + "a\n")
def test_any_text_is_read_or_refused_as_csv_reader_does(text, tmp_path):
    text = "a" + text
    assert records_of(text.encode(), tmp_path / "t.csv") == records_by_csv_reader(text, ",")


@settings(max_examples=200, suppress_health_check=ONE_FOLDER)
@given(text=st.text(st.characters(codec="gb18030") | st.sampled_from(',"\n'), max_size=60))
@example(text="㐀,\U0001f600,𠀀\n€,Ω\n")
def test_wide_characters_hold_no_delimiter(text, tmp_path):
    text = "居民满意度调查," + text.replace(";", "").replace("\t", "")
    read = records_of(text.encode("gb18030"), tmp_path / "t.csv")
    assert read == records_by_csv_reader(text, ",")


@pytest.mark.parametrize("content", [b"a,\xff\xff\n", "满意,满意\n".encode() * 9 + b"\xe6\n"])
def test_bytes_that_no_encoding_knows_are_refused(content, tmp_path):
    assert records_of(content, tmp_path / "t.csv") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_file_that_ends_in_the_middle_of_a_row_is_refused(encoding, tmp_path):
    """As it is after a copy that was broken off: the rows behind are lost, and the last one has half its answers."""
    whole = "编号,县,满意\n1,甲县,5\n2,乙县,4\n3,丙县,3\n"
    file = tmp_path / "t.csv"
    assert records_of(whole.encode(encoding), file) is not None
    assert records_of(whole.removesuffix("\n").encode(encoding), file) is not None
    file.write_bytes(whole.removesuffix(",3\n").encode(encoding))
    with pytest.raises(InputFileError) as refused:
        read_grids(file)
    assert refused.value.code == "F120"
