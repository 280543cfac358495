"""Files and tables: text as it stands, the same bytes every time, folders that appear whole or not at all."""

from __future__ import annotations

import datetime
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
import xlsxwriter

from satisfaction.foundation.engines import write_parquet
from satisfaction.foundation.errors import InputFileError, SurveyError
from satisfaction.foundation.files import (
    decode,
    files_below,
    matching,
    new_folder,
    point_latest,
    read_bytes,
    sha256,
)
from satisfaction.foundation.grids import read_grids
from satisfaction.foundation.tables import (
    read_table,
    read_tables,
    write_csv,
    write_json,
    write_text,
    write_xlsx,
)
from satisfaction.foundation.workbooks import write_explaining
from satisfaction.foundation.yaml import read_yaml

TABLE = pd.DataFrame(
    {
        "code": ["0520102", "1"],
        "n": [3, 4],
        "x": [0.1, np.nan],
        "day": [datetime.date(2026, 4, 6), None],
        "名": ['县, "一"', ""],
    }
)


# ---- reading ----


@pytest.mark.parametrize(
    ("content", "encoding"),
    [("甲,b\n", "utf-8"), ("甲,b\n", "utf-8-sig"), ("甲,b\n", "gb18030"), ("甲,b\n", "utf-16")],
)
def test_text_is_decoded(tmp_path, content, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode(encoding))
    assert decode(path) == content


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("fault", [b"\xff", b"\xe7\x94", b"\xc0\x80"])
def test_a_damaged_utf8_file_is_refused_with_offset_and_line(tmp_path, encoding, fault):
    content = ("县,满意度\n" + "贵阳市,满意\n" * 200).encode(encoding)
    at = content.index(b"\n", 1000) + 1
    path = tmp_path / "t.csv"
    path.write_bytes(content[:at] + fault + content[at:])
    line = content[:at].count(b"\n") + 1
    with pytest.raises(
        InputFileError, match=rf"\[F110\].* line {line}\n[\s\S]*offset {at} "
    ) as refused:
        decode(path)
    assert refused.value.where == f"{path} line {line}"


def test_a_utf8_file_that_is_cut_within_a_letter_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_bytes("名,备注\n甲,好的".encode(encoding)[:-1])
        with pytest.raises(InputFileError, match="F110"):
            decode(path)


@pytest.mark.parametrize(
    "text",
    [
        "联通\n" * 3,
        "名,备注\n甲,好的",
        "姓名,县\n" + "贵阳市,满意\n" * 500,
        "a,b\n" * 20_000 + "县,好\n" * 9,
    ],
)
def test_gb18030_is_not_taken_for_damaged_utf8(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode("gb18030"))
    assert decode(tmp_path / "t.csv") == text


def test_bytes_of_no_encoding_are_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xff\xff\xff,\x80\x80\n")
    with pytest.raises(InputFileError, match="F105"):
        decode(tmp_path / "t.csv")


def test_codes_keep_their_zeros_and_rows_their_numbers(tmp_path):
    (tmp_path / "t.csv").write_text('code ,b\n\n007," 1 "\n,\n008,2,9\n009\n', encoding="utf-8")
    (table,) = read_tables(tmp_path / "t.csv")
    assert list(table.cells) == ["code", "b"]
    assert table.cells.to_numpy().tolist() == [["007", " 1 "], ["008", "2"], ["009", ""]]
    assert list(table.cells.index) == [3, 5, 6]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_of_the_header(tmp_path, delimiter):
    rows = [["id", "a,b;c\td", "many"], ["1", "x", "1;2;3;4,5"]]
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    (table,) = read_tables(tmp_path / "t.csv")
    assert [list(table.cells), *table.cells.to_numpy().tolist()] == rows


def test_blocks_of_records_are_joined_without_a_seam(tmp_path, monkeypatch):
    monkeypatch.setattr("satisfaction.foundation.grids.BLOCK", 3)
    records = [
        ["a", "b"],
        *([str(i)] * (1 + i % 3) for i in range(10)),
        [],
        *([str(i), "x"] for i in range(7)),
    ]
    (tmp_path / "t.csv").write_text(
        "\n".join(",".join(record) for record in records), encoding="utf-8"
    )
    (table,) = read_tables(tmp_path / "t.csv")
    filled = [[*record, ""][:2] for record in records[1:] if record]
    assert table.cells.to_numpy().tolist() == filled
    assert list(table.cells.index) == [n for n, record in enumerate(records, start=1) if record][1:]


def test_equal_texts_are_one_object_and_true_is_not_one(tmp_path):
    path = tmp_path / "t.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for r, row in enumerate([["a", "b"], ["满意", 1], ["满意", True], ["不满意", 1.0]]):
            sheet.write_row(r, 0, row)
    (table,) = read_tables(path)
    assert table.cells.to_numpy().tolist() == [["满意", "1"], ["满意", "TRUE"], ["不满意", "1"]]
    answers = table.cells.iloc[:, 0].tolist()
    assert answers[0] is answers[1]


def test_parquet_is_read_as_text(tmp_path):
    path = tmp_path / "a[1].parquet"
    write_parquet(TABLE[["code", "n", "x"]], path)
    assert read_table(path).to_numpy().tolist() == [["0520102", "3", "0.1"], ["1", "4", ""]]
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InputFileError, match="F114"):
        read_table(path)


def test_a_zip_file_is_read_member_by_member(tmp_path):
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.csv", "id\n2\n")
        archive.writestr("a.csv", "id\n1\n")
        archive.writestr("notes.pdf", "x")
    grids, passed = read_grids(path)
    assert [(grid.sheet, grid.record(1)) for grid in grids] == [("a.csv", ["1"]), ("b.csv", ["2"])]
    assert passed == ["notes.pdf"]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputFileError, match="F112"):
        read_grids(path)


def test_chinese_names_in_a_zip_file_of_windows_are_read(tmp_path):
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("XXXX.csv", "id\n1\n")
    path.write_bytes(path.read_bytes().replace(b"XXXX.csv", "贵阳".encode("gb18030") + b".csv"))
    assert read_grids(path)[0][0].sheet == "贵阳.csv"


def test_a_line_break_inside_a_cell_does_not_shift_the_row_numbers(tmp_path):
    (tmp_path / "t.csv").write_text('a,b\n1,"x\ny"\n2,z\n', encoding="utf-8")
    assert list(read_tables(tmp_path / "t.csv")[0].cells.index) == [
        2,
        3,
    ]  # rows as Excel shows them


def test_a_file_in_the_place_of_a_folder_is_no_matter_of_permissions(tmp_path):
    (tmp_path / "official.csv").write_text("a,b\n", encoding="utf-8")
    with pytest.raises(InputFileError, match=r"F101[\s\S]*no folder \S*official.csv"):
        read_bytes(tmp_path / "official.csv" / "survey.yaml")


def test_a_file_that_is_not_there_lists_its_neighbours(tmp_path):
    (tmp_path / "areas.csv").write_text("x", encoding="utf-8")
    with pytest.raises(InputFileError, match=r"F101[\s\S]*Did you mean 'areas.csv'"):
        read_bytes(tmp_path / "area.csv")


def test_a_folder_for_a_file_lists_the_files_in_it(tmp_path):
    (tmp_path / "frame.csv").write_text("a\n1\n")
    with pytest.raises(InputFileError, match="F102") as refused:
        read_bytes(tmp_path)
    assert "frame.csv" in str(refused.value)


def test_capitals_of_a_suffix_do_not_hide_a_file(tmp_path):
    for name in ("a.XLSX", "b.xlsx", "c.Xls"):
        (tmp_path / name).touch()
    assert [path.name for path in matching(tmp_path, "*.xlsx")] == ["a.XLSX", "b.xlsx"]


def test_files_of_the_system_are_passed_over(tmp_path):
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._a.xlsx", "~$a.xlsx", "a.xlsx"):
        (tmp_path / name).touch()
    assert [path.name for path in files_below(tmp_path)] == ["a.xlsx"]


def test_yaml_places_are_lines(tmp_path):
    (tmp_path / "t.yaml").write_text("a: 1\nb:\n  - x: 1\n  - y: 2\n", encoding="utf-8")
    document = read_yaml(tmp_path / "t.yaml", SurveyError)
    assert [
        document.place(location).rsplit(":", 1)[1]
        for location in (("a",), ("b",), ("b", 1), ("b", 1, "y"), ("b", 1, "z"), ("c",))
    ] == ["1", "2", "4", "4", "4", "1"]


def test_yaml_is_version_1_2(tmp_path):
    (tmp_path / "t.yaml").write_text("a: no\nb: 010\nc: 12:30\n", encoding="utf-8")
    assert read_yaml(tmp_path / "t.yaml", SurveyError).data == {"a": "no", "b": 10, "c": "12:30"}


@pytest.mark.parametrize(
    "content", ["a: [1\n", "a: 'x\n", "a: *b\n", "a: \x07\n", "a: 2026-02-30\n"]
)
def test_yaml_that_is_not_sound_is_refused_with_its_line(tmp_path, content):
    path = tmp_path / "t.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SurveyError) as refused:
        read_yaml(path, SurveyError)
    assert refused.value.where.startswith(f"{path}:")


# ---- writing ----


@pytest.mark.parametrize(
    "write",
    [
        write_csv,
        write_parquet,
        lambda table, path: write_xlsx({"data": table}, path),
        lambda table, path: write_json(table.astype(str).to_dict("records"), path),
    ],
)
def test_the_same_table_gives_the_same_bytes(tmp_path, write):
    for name in ("a", "b"):
        write(TABLE, tmp_path / name)
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b")


def test_csv_has_a_mark_and_plain_line_feeds(tmp_path):
    write_csv(TABLE, tmp_path / "t.csv")
    content = (tmp_path / "t.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfcode,n,x,day")
    assert b"\r" not in content
    assert read_table(tmp_path / "t.csv")["名"].tolist() == ['县, "一"', ""]


def test_a_workbook_keeps_text_numbers_and_dates(tmp_path):
    write_xlsx({"data": TABLE, "note": TABLE[:1]}, tmp_path / "t.xlsx")
    first, second = read_tables(tmp_path / "t.xlsx")
    assert (first.sheet, second.sheet) == ("data", "note")
    assert first.cells.to_numpy().tolist() == [
        ["0520102", "3", "0.1", "2026-04-06", '县, "一"'],
        ["1", "4", "", "", ""],
    ]


def test_a_path_with_a_quotation_mark_is_written(tmp_path):
    folder = tmp_path / "it's"
    folder.mkdir()
    write_parquet(TABLE[["code", "n"]], folder / "t.parquet")
    write_text("文\n", folder / "t.txt")
    assert sorted(p.name for p in folder.iterdir()) == ["t.parquet", "t.txt"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def fail_halfway():
        with new_folder(tmp_path / "out" / "one") as scratch:
            write_text("half", scratch / "t.txt")
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    assert list((tmp_path / "out").iterdir()) == []
    with new_folder(tmp_path / "out" / "one") as scratch:
        write_text("whole", scratch / "t.txt")
        assert not (tmp_path / "out" / "one").exists()
    assert (tmp_path / "out" / "one" / "t.txt").read_text() == "whole"


def test_latest_moves_in_one_step(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_text(name, tmp_path / name / "t.txt")
        assert (point_latest(tmp_path / name) / "t.txt").read_text() == name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "one", "two"]


def test_latest_is_a_copy_where_links_are_not_allowed(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_text(name, tmp_path / name / "t.txt")
        assert (point_latest(tmp_path / name) / "t.txt").read_text() == name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest", "one", "two"]


def test_a_workbook_named_csv_is_told_apart(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"PK\x03\x04rest")
    with pytest.raises(InputFileError, match="F119"):
        read_grids(path)


def test_rows_that_go_on_under_the_same_names_in_another_sheet_are_not_left_out(tmp_path):
    rows = pd.DataFrame({"code": ["1", "2"], "score": ["80", "90"]})
    path = tmp_path / "scores.xlsx"
    write_xlsx({"一": rows[:1], "说明": pd.DataFrame({"note": ["a"]})}, path)
    assert len(read_table(path)) == 1
    write_xlsx({"一": rows[:1], "二": rows[1:]}, path)
    with pytest.raises(InputFileError, match="same columns as '一'"):
        read_table(path)


def test_a_sheet_that_explains_shows_shares_in_percent_and_no_twelve_digits(tmp_path):
    table = pd.DataFrame(
        {
            "占比 (share)": [1 / 3, 0.5],
            "points (points)": [13.0, 4.5],
            "se": [1 / 7, np.nan],
            "flagged, share (%)": [33.3, 50.0],
        }
    )
    path = tmp_path / "explained.xlsx"
    write_explaining(path, {"notes": table})
    sheet = zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode()
    styles = zipfile.ZipFile(path).read("xl/styles.xml").decode()
    formats = dict(re.findall(r'numFmtId="(\d+)" formatCode="([^"]+)"', styles))
    used = re.findall(r'<xf numFmtId="(\d+)"', styles.partition("<cellXfs")[2])
    shown = [used[int(style)] for style in re.findall(r'<c r="[A-D]2" s="(\d+)"', sheet)]
    assert [formats.get(number, number) for number in shown] == ["0.0%", "0", "0.000", "0"]
