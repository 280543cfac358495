"""Small files that stand for more than any machine holds: refused in words, in a process with 1.5 GB and 20 seconds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest
import xlsxwriter

from satisfaction.foundation import grids
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.grids import read_grids
from system_packages import NEEDS_LIMITS

resource = pytest.importorskip("resource", reason=NEEDS_LIMITS)
MEMORY = 1_500_000_000
SECONDS = 20
READ = "import sys; from pathlib import Path; from satisfaction.foundation.grids import read_grids; read_grids(Path(sys.argv[1]))"
OLD = Path(__file__).parent / "plain.xls"  # written by LibreOffice: id, county, sex and three rows


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def refusal(path):
    """Return the last lines of what a reader with limits says of a file."""
    done = subprocess.run(
        [sys.executable, "-c", READ, path],
        capture_output=True,
        text=True,
        preexec_fn=limits,
        check=False,
    )
    assert done.returncode == 1, done.stderr[-300:]
    return done.stderr[-1_500:]


def workbook(path, far, *, quote='"'):
    """Write a workbook of two rows and one blank cell far away."""
    plain = path.with_name("plain.xlsx")
    with xlsxwriter.Workbook(plain) as book:
        sheet = book.add_worksheet("答卷")
        sheet.write_row(0, 0, ["id", "sex"])
        sheet.write_row(1, 0, ["a", 1])
        sheet.write_blank("C3", None, book.add_format({"bold": True}))
    row = far.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            content = old.read(info).decode()
            content = content.replace('r="C3"', f"r={quote}{far}{quote}").replace(
                '<row r="3"', f'<row r="{row}"'
            )
            new.writestr(info, content)
    return path


@pytest.mark.parametrize("far", ["AZ1048576", "ZZZZ60", "XFD20000", "XFD1048576"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_far_cell_is_named_with_file_and_sheet(tmp_path, far, quote):
    with pytest.raises(InputFileError, match=f"far.xlsx 答卷 {far}") as refused:
        read_grids(workbook(tmp_path / "far.xlsx", far, quote=quote))
    assert refused.value.code == "F441"


@pytest.mark.parametrize("near", ["C3", "Z400", "C300000"])
def test_a_cell_that_is_not_so_far_is_read(tmp_path, near):
    (grid,), _ = read_grids(workbook(tmp_path / "near.xlsx", near))
    assert [cell for column in grid.columns for cell in column if cell.strip()] == [
        "id",
        "a",
        "sex",
        "1",
    ]


def test_a_far_cell_within_an_archive_takes_no_memory(tmp_path):
    workbook(tmp_path / "far.xlsx", "XFD1048576")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(tmp_path / "far.xlsx", "far.xlsx")
    assert "[F441]" in refusal(tmp_path / "all.zip")


def test_a_reference_over_the_edge_of_two_pieces_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(grids, "CHUNK", 7)
    monkeypatch.setattr(grids, "_sheet_names", lambda archive: {})
    with pytest.raises(InputFileError, match="XFD20000"):
        read_grids(workbook(tmp_path / "far.xlsx", "XFD20000"))


@pytest.mark.parametrize("name", ["all.csv", "xl/sharedStrings.xml"])
def test_an_archive_that_unpacks_to_far_more_than_it_is_is_refused(tmp_path, name):
    path = tmp_path / ("all.zip" if name == "all.csv" else "all.xlsx")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"1,2\n" * (grids.LARGE // 3))
    assert path.stat().st_size < 100_000
    assert "[F440]" in refusal(path)


def test_many_bytes_and_many_members_are_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.csv", "id,sex\n1,2\n")
    assert len(read_grids(tmp_path / "all.zip")[0]) == 3
    monkeypatch.setattr(grids, "MOST_MEMBERS", 2)
    with pytest.raises(InputFileError, match="F440"):
        read_grids(tmp_path / "all.zip")
    monkeypatch.setattr(grids, "MOST_MEMBERS", 3)
    monkeypatch.setattr(grids, "MOST_UNPACKED", 20)
    with pytest.raises(InputFileError, match="F440"):
        read_grids(tmp_path / "all.zip")


@pytest.mark.parametrize("columns", [2_000, 20_000, 200_000])
def test_one_row_of_absurd_width_is_refused(tmp_path, columns):
    path = tmp_path / "wide.csv"
    path.write_text("1," * columns + "1\n" + "1\n" * 100_000, encoding="utf-8")
    assert "[F441]" in refusal(path)


def test_one_column_repeated_without_end_is_refused(tmp_path):
    path = tmp_path / "long.parquet"
    duckdb.connect().execute(
        f"copy (select 1 as sex from range(30_000_000)) to '{path}' (format parquet, compression zstd)"
    )
    assert path.stat().st_size < 100_000
    assert "[F441]" in refusal(path)


def test_an_old_workbook_is_read():
    (grid,), _ = read_grids(OLD)
    assert [list(column) for column in grid.columns][1] == ["county", "990101", "990102", "990101"]


@pytest.mark.parametrize(
    ("place", "byte"), [(2050, 0), (2997, 255), (3145, 0), (3551, 255), (3557, 255)]
)
def test_a_damaged_old_workbook_ends_in_words(tmp_path, capfd, place, byte):
    """The first three make the reader panic, the others abort."""
    content = bytearray(OLD.read_bytes())
    content[place] = byte
    (tmp_path / "damaged.xls").write_bytes(content)
    with pytest.raises(InputFileError, match="F107"):
        read_grids(tmp_path / "damaged.xls")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError])
def test_what_is_no_fault_of_the_workbook_is_not_blamed_on_it(tmp_path, monkeypatch, fault):
    path = workbook(tmp_path / "near.xlsx", "C3")

    def stop(*arguments, **options):
        raise fault

    monkeypatch.setattr("satisfaction.foundation.grids.check_sheets", stop)
    with pytest.raises(fault):
        read_grids(path)


def test_a_formula_over_the_edge_of_two_pieces_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(grids, "CHUNK", 64)
    path = tmp_path / "formula.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row in range(40):
            sheet.write_row(row, 0, [f"respondent {row}", row])
        sheet.write_formula(40, 1, "=SUM(B1:B40)+AVERAGE(B1:B40)", value="")
    with pytest.raises(InputFileError, match=r"F443.*B41"):
        read_grids(path)
