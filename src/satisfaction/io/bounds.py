"""What a file may unpack to: a few kilobytes can stand for more memory than any machine has."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator

from ..errors import InputFileError

MOST_MEMBERS = 10_000  # of an archive: pictures of a wave's interviews may lie beside its tables
MOST_UNPACKED = 500 << 20  # bytes: some five million interviews as csv, a million as xlsx
MOST_RATIO = 400  # unpacked to packed, from LARGE bytes on; answers, which repeat, reach 50 to 200
LARGE = 20 << 20
MOST_COLUMNS = 16_384  # what a sheet of Excel has
MOST_SPREAD = 20_000_000  # cells a table is laid out to when most of them hold nothing; at 32 bytes each 640 MB
SPARSE = 4  # times the cells there are: from here on most hold nothing
CHUNK = 1 << 20
LONGEST = 64  # bytes of a cell's reference with what stands around it


def check_archive(archive: zipfile.ZipFile, *, where: str) -> None:
    """Refuse an archive that unpacks to too much, by what its directory declares; `zipfile` reads no more than that.

    Raises
    ------
    InputFileError
        F440.
    """
    members = archive.infolist()
    unpacked = sum(info.file_size for info in members)
    packed = max(sum(info.compress_size for info in members), 1)
    if len(members) > MOST_MEMBERS or unpacked > MOST_UNPACKED or (unpacked > LARGE and unpacked > MOST_RATIO * packed):
        raise InputFileError(
            "F440",
            f"解开后有 {len(members):,} 个部分、{unpacked >> 20:,} MB，超出可读取的大小（{MOST_MEMBERS:,} 个、{MOST_UNPACKED >> 20} MB）。",
            f"It unpacks to {len(members):,} parts of {unpacked >> 20:,} MB in all; {MOST_MEMBERS:,} and {MOST_UNPACKED >> 20} MB are read at most.",
            where=where,
            hint=("确认文件无误；解压或拆成几个文件，另存为 csv。", "Make sure that it is the right file; unpack it, or split it, and save it as csv."),
        )  # fmt: skip


def check_sheets(content: bytes, *, where: str) -> bool:
    """Refuse a workbook (xlsx, xlsm) with a cell far from all others; return whether it is one.

    Raises
    ------
    InputFileError
        F440 from `check_archive`, F441 for a far cell.
    """
    if not content.startswith(b"PK"):
        return False
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_archive(archive, where=where)
        names = _sheet_names(archive)
        for info in archive.infolist():
            if info.filename.startswith("xl/worksheets/") and info.filename.endswith(".xml"):
                _check_sheet(archive, info, where=f"{where} {names.get(info.filename, info.filename)}")
        return any(info.filename == "xl/workbook.xml" for info in archive.infolist())


def check_spread(rows: int, columns: int, cells: int, *, where: str, corner: str = "") -> None:
    """Refuse a table that is laid out to far more cells than there are.

    Raises
    ------
    InputFileError
        F441.
    """
    area = rows * columns
    if columns <= MOST_COLUMNS and (area <= MOST_SPREAD or area <= SPARSE * cells):
        return
    at = f"（最远处 {corner}）" if corner else ""
    reaching = f" (as far as {corner})" if corner else ""
    raise InputFileError(
        "F441",
        f"表格有 {rows:,} 行、{columns:,} 列{at}，其中几乎都是空的或相同的。",
        f"The table has {rows:,} rows and {columns:,} columns{reaching}, nearly all of them empty or the same.",
        where=f"{where} {corner}".rstrip(),
        hint=(
            "删去远离数据的单元格或过长的行，或把数据复制到新工作表后保存。",
            "Delete the cells far from the data, or the row that is too long, or copy the data to a new sheet and save it.",
        ),
    )


def _check_sheet(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, where: str) -> None:
    rows: set[int] = set()
    columns: set[bytes] = set()
    cells = 0
    for piece in _pieces(archive, info):
        found = re.findall(rb'\br=["\'][A-Z]{1,9}(\d{1,9})', piece)
        cells += len(found)
        rows.update(map(int, set(found)))
        columns.update(re.findall(rb'\br=["\']([A-Z]{1,9})\d', piece))
    if rows:
        places = {_number(letters): letters.decode() for letters in columns}
        wide = max(places) - min(places) + 1
        check_spread(
            max(rows) - min(rows) + 1, wide, cells, where=where, corner=f"{places[max(places)]}{max(rows)}"
        )  # fmt: skip


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member in pieces that do not cut a cell's reference in two."""
    rest = b""
    with archive.open(info) as stream:
        while piece := stream.read(CHUNK):
            piece = rest + piece
            end = piece.rfind(b"<", max(len(piece) - CHUNK, 0))
            rest = piece[end:] if end >= 0 else piece[-LONGEST:]
            yield piece[: len(piece) - len(rest)]
    yield rest


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _sheet_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the names of the sheets by the member they stand in, as far as the workbook says."""
    targets = {one.get("Id"): one.get("Target", "") for one in _tags(archive, "xl/_rels/workbook.xml.rels", "Relationship")}
    names = {}
    for sheet in _tags(archive, "xl/workbook.xml", "sheet"):
        target = targets.get(sheet.get("r:id"), "")
        names[target.lstrip("/") if target.startswith("/") else f"xl/{target}"] = sheet.get("name", "")
    return names


def _tags(archive: zipfile.ZipFile, member: str, name: str) -> list[dict[str, str]]:
    if member not in archive.namelist():
        return []
    with archive.open(member) as stream:
        text = stream.read(CHUNK).decode("utf-8", errors="replace")
    found = re.findall(rf"<(?:\w+:)?{name}\b([^>]*)>", text)
    return [{key: html.unescape(value) for key, value in re.findall(r'([\w:]+)="([^"]*)"', tag)} for tag in found]
