"""What a file may unpack to: a few kilobytes can stand for more memory than any machine has."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.language import _, ngettext

MOST_MEMBERS = 10_000  # of an archive: pictures of a wave's interviews may lie beside its tables
MOST_UNPACKED = 500 << 20  # bytes: some five million interviews as csv, a million as xlsx
MOST_RATIO = 400  # unpacked to packed, from LARGE bytes on; answers, which repeat, reach 50 to 200
LARGE = 20 << 20
MOST_COLUMNS = 16_384  # what a sheet of Excel has
MOST_SPREAD = 20_000_000  # cells a table is laid out to when most of them hold nothing; at 32 bytes each 640 MB
SPARSE = 4  # times the cells there are: from here on most hold nothing
CHUNK = 1 << 20
LONGEST = 24  # bytes of a cell's reference
BEYOND = 10**9  # no sheet has as many columns or rows
FORMULA_WITHOUT_VALUE = re.compile(
    rb"<c\b(?![^>]*\bt=.str)([^>]*)>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v>\s*</v>|<v\s*/>)?\s*</c>"
)  # Excel writes t="str" where the result is an empty text


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
    is_bomb = unpacked > LARGE and unpacked > MOST_RATIO * packed
    if len(members) <= MOST_MEMBERS and unpacked <= MOST_UNPACKED and not is_bomb:
        return
    size = f"{unpacked >> 20:,} MB"
    most = f"{MOST_UNPACKED >> 20} MB"
    raise InputFileError(
        "F440",
        _(
            "It unpacks to {n:,} parts of {size} in all; {MOST_MEMBERS:,} and {most} are "
            "read at most.",
            n=len(members),
            size=size,
            MOST_MEMBERS=MOST_MEMBERS,
            most=most,
        ),
        where=where,
        hint=_("Make sure that it is the right file; unpack it, or split it, and save it as csv."),
    )


def check_sheets(content: bytes, *, where: str) -> bool:
    """Refuse a workbook (xlsx, xlsm) with a cell far from all others; return whether it is one.

    Raises
    ------
    InputFileError
        F440 from `check_archive`, F441 for a far cell, F443 for a formula without its value.
    """
    if not content.startswith(b"PK"):
        return False
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_archive(archive, where=where)
        names = _sheet_names(archive)
        for info in archive.infolist():
            if info.filename.startswith("xl/worksheets/") and info.filename.endswith(".xml"):
                _check_sheet(
                    archive, info, where=f"{where} {names.get(info.filename, info.filename)}"
                )
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
    size = _(
        "The table has {rows:,} rows and {columns:,} columns, nearly all of them empty or the "
        "same.",
        rows=rows,
        columns=columns,
    )
    if corner:
        size = _(
            "The table has {rows:,} rows and {columns:,} columns (as far as {corner}), nearly all "
            "of them empty or the same.",
            rows=rows,
            columns=columns,
            corner=corner,
        )
    raise InputFileError(
        "F441",
        size,
        where=f"{where} {corner}".rstrip(),
        hint=_(
            "Delete the cells far from the data, or the row that is too long, or copy "
            "the data to a new sheet and save it."
        ),
    )


def _check_sheet(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, where: str) -> None:
    cells = 0
    first = np.full(2, np.iinfo(np.int64).max)
    last = np.zeros(2, dtype=np.int64)
    for piece in _pieces(archive, info):
        _refuse_formulas_without_values(piece, where=where)
        places = _references(piece)
        if len(places):
            cells += len(places)
            first = np.minimum(first, places.min(axis=0))
            last = np.maximum(last, places.max(axis=0))
    if cells:
        columns, rows = (last - first + 1).tolist()
        check_spread(rows, columns, cells, where=where, corner=f"{_letters(int(last[0]))}{last[1]}")


def _refuse_formulas_without_values(piece: bytes, *, where: str) -> None:
    """Refuse what would be read as empty although Excel shows a figure there."""
    without = FORMULA_WITHOUT_VALUE.findall(piece)
    if not without:
        return
    place = re.search(rb"\br=.(\w+)", without[0])
    cell = place[1].decode("ascii", "replace") if place else ""
    raise InputFileError(
        "F443",
        ngettext(
            "{n} cell holds a formula without its result.",
            "{n} cells hold formulas without their results.",
            len(without),
        ),
        where=f"{where} {cell}".rstrip(),
        hint=_("Open the workbook in Excel or WPS, let it calculate, and save it."),
    )


def _references(piece: bytes) -> npt.NDArray[np.int64]:
    """Return column and row of every cell, (n, 2), from what stands in r="..."; numbers beyond any sheet are cut."""
    signs = np.frombuffer(piece + bytes(LONGEST), dtype=np.uint8)
    here = signs[:-LONGEST]
    quoted = (here[3:] == ord('"')) | (here[3:] == ord("'"))
    named = (here[:-3] <= ord(" ")) & (here[1:-2] == ord("r")) & (here[2:-1] == ord("="))
    at = np.flatnonzero(named & quoted) + len(' r="')
    column = np.zeros(len(at), dtype=np.int64)
    row = np.zeros(len(at), dtype=np.int64)
    going_on = np.ones(len(at), dtype=bool)
    for sign in range(LONGEST):
        value = signs[at + sign].astype(np.int64)
        letter = going_on & (value >= ord("A")) & (value <= ord("Z"))
        digit = going_on & (value >= ord("0")) & (value <= ord("9"))
        going_on = letter | digit
        if not going_on.any():
            break
        column = np.where(letter & (column < BEYOND), 26 * column + value - ord("A") + 1, column)
        row = np.where(digit & (row < BEYOND), 10 * row + value - ord("0"), row)
    return np.column_stack([column, row])[column > 0]


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member in pieces, each cell's reference whole in one of them."""
    rest = b""
    with archive.open(info) as stream:
        while piece := stream.read(CHUNK):
            piece = rest + piece
            end = piece.rfind(b"<", max(len(piece) - CHUNK, 0))
            if end >= 0:
                rest = piece[end:]
                yield piece[:end]
            else:
                rest = piece[-LONGEST:]
                yield piece
    yield rest


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, last = divmod(column - 1, 26)
        letters = chr(ord("A") + last) + letters
    return letters


def _sheet_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the names of the sheets by the member they stand in, as far as the workbook says."""
    targets = {
        one.get("Id"): one.get("Target", "")
        for one in _tags(archive, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    names = {}
    for sheet in _tags(archive, "xl/workbook.xml", "sheet"):
        target = targets.get(sheet.get("r:id"), "")
        member = f"xl/{target}"
        if target.startswith("/"):
            member = target.lstrip("/")
        names[member] = sheet.get("name", "")
    return names


def _tags(archive: zipfile.ZipFile, member: str, name: str) -> list[dict[str, str]]:
    if member not in archive.namelist():
        return []
    with archive.open(member) as stream:
        text = stream.read(CHUNK).decode("utf-8", errors="replace")
    found = re.findall(rf"<(?:\w+:)?{name}\b([^>]*)>", text)
    tags = []
    for tag in found:
        attributes = re.findall(r'([\w:]+)="([^"]*)"', tag)
        tags.append({key: html.unescape(value) for key, value in attributes})
    return tags
