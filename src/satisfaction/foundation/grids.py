"""Files to grids: every record of every sheet as text, before a header is found; nothing is guessed about a cell.

Equal texts are one object, because answers repeat: a hundred thousand interviews hold a few hundred different texts.

What a file may unpack to is bounded: a few kilobytes can stand for more memory than any machine has.
"""

from __future__ import annotations

import csv
import datetime
import html
import io
import pickle
import re
import subprocess
import sys
import zipfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from satisfaction.foundation.engines import BLOCK, ParquetFile, parquet_file
from satisfaction.foundation.errors import InputFileError, place_of, shortened_list
from satisfaction.foundation.files import PASSED_OVER, decode_bytes, encoding_of, read_bytes
from satisfaction.foundation.language import _, ngettext
from satisfaction.foundation.readers_words import what_is_wrong

MOST_MEMBERS = 10_000  # of an archive: pictures of a wave's interviews may lie beside its tables
MOST_UNPACKED = 500 << 20  # bytes: some five million interviews as csv, a million as xlsx
MOST_RATIO = 400  # unpacked to packed, from LARGE bytes on; answers, which repeat, reach 50 to 200
LARGE = 20 << 20
MOST_COLUMNS = 16_384  # what a sheet of Excel has
MOST_SPREAD = 20_000_000  # cells a table is laid out to when most of them hold nothing; at 32 bytes each 640 MB
SPARSE = 4  # times the cells there are: from here on most hold nothing
CHUNK = 1 << 20
LONGEST = 24  # bytes of a cell's reference
REFERENCE = re.compile(rb"""\sr=["']([A-Z]{1,24})(\d{1,15})""")  # of a cell: its column and row
FORMULA_WITHOUT_VALUE = re.compile(
    rb"<c\b(?![^>]*\bt=.str)([^>]*)>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v>\s*</v>|<v\s*/>)?\s*</c>"
)  # Excel writes t="str" where the result is an empty text


ERROR = re.compile(rb"<c\b([^>]*\bt=.e\b[^>]*)>(?:(?!</c>).)*?<v>([^<]*)</v>", re.DOTALL)
ERROR_OF_XLS = re.compile(  # a cell of an error, and a formula with one as its result
    rb"\x05\x02\x08\x00.{6}[\x00\x07\x0f\x17\x1d\x24\x2a\x2b]\x01"
    rb"|\x06\x00.{8}\x02.[\x00\x07\x0f\x17\x1d\x24\x2a\x2b].{3}\xff\xff",
    re.DOTALL,
)
ERROR_OF_ODS = b'calcext:value-type="error"'
ERRORS_OF_XLSB = (3, 11)  # the same two kinds
SEVEN_BITS = 0x80
PLACE = re.compile(rb"\br=.([A-Z]{1,3})(\d{1,7})\b")
HIDDEN_ROW = re.compile(
    rb"""<row\b(?=[^>]*\shidden=["'](?:1|true)["'])[^>]*\sr=["'](\d{1,7})["'][^>]*[^/]>"""
)


class ErrorCell(NamedTuple):
    """A cell that shows an error (#N/A, #REF!): row from 1, column from 0, and what it shows."""

    row: int
    column: int
    text: str


class SheetMarks(NamedTuple):
    """What the reader of workbooks does not tell of a sheet: its errors, and the rows that are hidden, from 1."""

    errors: list[ErrorCell]
    hidden_rows: set[int]


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


def check_sheets(content: bytes, *, where: str) -> dict[str, SheetMarks] | None:
    """Refuse a workbook (xlsx, xlsm) with a cell far from all others; return its marks by sheet, None where it is none.

    Raises
    ------
    InputFileError
        F440 from `check_archive`, F441 for a far cell, F443 for a formula without its value.
    """
    if not content.startswith(b"PK"):
        return None
    marks: dict[str, SheetMarks] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_archive(archive, where=where)
        names = _sheet_names(archive)
        for info in archive.infolist():
            if info.filename.startswith("xl/worksheets/") and info.filename.endswith(".xml"):
                sheet = names.get(info.filename, info.filename)
                marks[sheet] = _check_sheet(archive, info, where=f"{where} {sheet}")
        if any(info.filename == "xl/workbook.xml" for info in archive.infolist()):
            return marks
    return None


def check_spread(rows: int, columns: int, cells: int, *, where: str, corner: str = "") -> None:
    """Refuse a table that is laid out to far more cells than there are.

    Raises
    ------
    InputFileError
        F441.
    """
    area = rows * columns
    mostly_empty = area > MOST_SPREAD and area > SPARSE * cells
    if columns <= MOST_COLUMNS and not mostly_empty:
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
        where=place_of(where, corner),
        hint=_(
            "Delete the cells far from the data, or the row that is too long, or copy "
            "the data to a new sheet and save it."
        ),
    )


def _check_sheet(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, where: str) -> SheetMarks:
    marks = SheetMarks([], set())
    cells = 0
    columns: set[bytes] = set()
    rows: set[int] = set()
    for piece in _pieces(archive, info):
        if without := FORMULA_WITHOUT_VALUE.findall(piece):  # Excel shows a figure there
            cell = re.search(rb"\br=.(\w+)", without[0])
            raise InputFileError(
                "F443",
                ngettext(
                    "{n} cell holds a formula without its result.",
                    "{n} cells hold formulas without their results.",
                    len(without),
                ),
                where=place_of(where, cell[1].decode("ascii", "replace") if cell else ""),
                hint=_("Open the workbook in Excel or WPS, let it calculate, and save it."),
            )
        if b"#" in piece:  # every error begins with it; the reader of workbooks gives none of them
            for attributes, text in ERROR.findall(piece):
                if place := PLACE.search(attributes):
                    column = _column_number(place[1]) - 1
                    shows = text.decode("utf-8", "replace")
                    marks.errors.append(ErrorCell(int(place[2]), column, shows))
        marks.hidden_rows.update(map(int, HIDDEN_ROW.findall(piece)))
        places = REFERENCE.findall(piece)
        cells += len(places)
        columns.update({column for column, _row in places})
        rows.update(map(int, {row for _column, row in places}))
    if cells:
        numbers = {_column_number(column): column for column in columns}
        last = max(numbers)
        corner = f"{numbers[last].decode()}{max(rows)}"
        width = last - min(numbers) + 1
        check_spread(max(rows) - min(rows) + 1, width, cells, where=where, corner=corner)
    return marks


def _column_number(letters: bytes) -> int:
    """Return which column letters are the name of: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number


def refuse_unplaced_errors(content: bytes, *, where: str) -> None:
    """Refuse an .xls, .xlsb or .ods workbook with cells that show errors: its reader gives them as empty ones.

    Raises
    ------
    InputFileError
        F447.
    """
    count = 0
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                if info.filename == "content.xml":
                    count += archive.read(info).count(ERROR_OF_ODS)
                elif info.filename.startswith("xl/worksheets/") and info.filename.endswith(".bin"):
                    count += sum(kind in ERRORS_OF_XLSB for kind in _records(archive.read(info)))
    else:
        count = len(ERROR_OF_XLS.findall(content))
    if count:
        raise InputFileError(
            "F447",
            ngettext(
                "{n} cell shows an error such as #N/A or #REF!, which would be read as empty.",
                "{n} cells show errors such as #N/A or #REF!, which would be read as empty.",
                count,
            ),
            where=where,
            hint=_("Save the workbook as xlsx; `satisfaction check` then names every such cell."),
        )


def _records(sheet: bytes) -> Iterator[int]:
    """Yield the first byte of the kind of an .xlsb sheet's records; their size is a number of seven bits a byte."""
    place = 0
    while place < len(sheet):
        kind = sheet[place]
        place += 1
        if kind >= SEVEN_BITS:  # it goes on in a second byte; no error of a cell does
            place += 1
        size = 0
        shift = 0
        while True:
            byte = sheet[place]
            place += 1
            size += (byte % SEVEN_BITS) << shift
            shift += 7
            if byte < SEVEN_BITS:
                break
        yield kind
        place += size


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member in pieces, each cell whole in one of them."""
    rest = b""
    with archive.open(info) as stream:
        while piece := stream.read(CHUNK):
            piece = rest + piece
            late = max(len(piece) - CHUNK, 0)
            end = max(piece.rfind(b"<c ", late), piece.rfind(b"<row ", late))
            if end < 0:
                end = piece.rfind(b"<", late)
            if end >= 0:
                rest = piece[end:]
                yield piece[:end]
            else:
                rest = piece[-LONGEST:]
                yield piece
    yield rest


def _sheet_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the names of the sheets by the member they stand in, as far as the workbook says."""
    targets = {}
    for relation in _tags(archive, "xl/_rels/workbook.xml.rels", "Relationship"):
        targets[relation.get("Id")] = relation.get("Target", "")
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
    tags = []
    for tag in re.findall(rf"<(?:\w+:)?{name}\b([^>]*)>", text):
        attributes = {}
        for key, value in re.findall(r'([\w:]+)="([^"]*)"', tag):
            attributes[key] = html.unescape(value)
        tags.append(attributes)
    return tags


csv.field_size_limit(2**31 - 1)  # the default refuses long open answers

Texts = npt.NDArray[np.object_]
DELIMITED = (".csv", ".txt", ".tsv")
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
READ = (*DELIMITED, *WORKBOOKS, ".parquet", ".zip")
TEXTS = (".pdf", ".doc", ".docx", ".wps", ".ppt", ".pptx", ".dps", ".md")
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".heic")
RECORDINGS = (".mp3", ".m4a", ".amr", ".wav", ".mp4", ".mov")
DOCUMENTS = frozenset({*TEXTS, *PICTURES, *RECORDINGS})  # no table of answers stands in these
BOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how workbooks begin
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
HEAD = 200_000  # bytes in which the delimiter is looked for
REMEMBERED = 500_000
ANSWERS_A_BYTE = 25  # that Parquet holds at the best; the usual are two or three
EXACT = 1e15  # Excel keeps 15 digits of a number
LONG = re.compile(r"\d(?:\.\d+)?[Ee]\+\d{2,}|\d{15}0+")
NESTED = re.compile(
    r"\]$|^(?:STRUCT|MAP|UNION)\("
)  # kinds of Parquet columns that hold lists or records
CHINA = 8 * 3_600_000_000  # microseconds ahead of universal time
DATE = re.compile(
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?|\d{1,2}月\d{1,2}日|\d{1,2}-[A-Z][a-z]{2}|\d{1,2}:\d{2}:\d{2}"
)


Range = tuple[int, int, int, int]
Sheet = tuple[str, int, Any, Iterable[list[Any]], bool]


# how a csv file tells Excel to leave digits alone: ="520102", or '520102
KEPT_AS_TEXT = re.compile(r"=\"[^\"]*\"|'(?:\w[^'\"]*)?")


@dataclass(frozen=True, slots=True)
class Grid:
    """The records of one sheet or csv file as text, header and all; blank records are left out.

    Attributes
    ----------
    path, sheet : Path, str
        Where it came from: the sheet of a workbook, the member of a zip file, empty for a csv file.
    columns : list of ndarray of str
        One array a column, all of the same length; a short record is filled with empty texts.
    numbers : ndarray of int
        The record's row in the file as Excel counts, from 1.
    kept_as_text, long_numbers, dates : frozenset of str
        Texts wrapped so that Excel leaves their digits alone; that stand for a number beyond Excel's 15 digits; that look
        like a date or time.
    merged : tuple of (int, int, int, int)
        Ranges of merged cells: first row (from 1), first column (from 0), last row, last column.
    nested : tuple of str
        Columns of lists or records, whose cells are not read.
    hidden : bool
        Whether the workbook hides the sheet.
    hidden_rows : int
        How many of the records the workbook hides: by a filter, or by hand.
    """

    path: Path
    sheet: str
    columns: list[Texts]
    numbers: npt.NDArray[np.int64] = field(repr=False)
    kept_as_text: frozenset[str]
    long_numbers: frozenset[str]
    dates: frozenset[str]
    merged: tuple[Range, ...]
    nested: tuple[str, ...] = ()
    hidden: bool = False
    hidden_rows: int = 0

    def record(self, position: int) -> list[str]:
        """Return the cells of one record."""
        return [str(column[position]) for column in self.columns]

    def as_shown(self) -> Grid:
        """Return the grid with the texts that Excel shows: 520102 where ="520102" or '520102 is written."""
        if not self.kept_as_text:
            return self
        shown = {}
        for text in self.kept_as_text:
            shown[text] = text.removeprefix("=").strip("\"'")
        columns = []
        for column in self.columns:
            cells = [shown.get(cell, cell) for cell in column]
            columns.append(np.array(cells, dtype=object))
        return replace(self, columns=columns)


def read_grids(path: Path) -> tuple[list[Grid], list[str]]:
    """Read every sheet that holds anything; also return the names of a zip file's members that are no tables.

    Raises
    ------
    InputFileError
        F101-F105 and F110 from opening; F106 for an unknown kind of file; F107 for a workbook, F112 for a zip file, F114
        for a Parquet file that cannot be opened; F109 for quotation marks that do not match; F120 for a text that is cut off; F119
        for a workbook under the name of a text file; F440 and F441 for what would take all memory; F447 for errors in
        cells of an old workbook; F446 for members of a zip
        file that are not read within it and may hold answers.
    """
    kind = path.suffix.lower()
    if kind == ".zip":
        return _members(path)
    if kind not in READ:
        raise InputFileError(
            "F106",
            _("Files of type '{kind}' are not read.", kind=kind),
            where=path,
            available=(*READ, ".sav"),
            hint=_("Save it as csv or xlsx."),
        )
    if kind == ".parquet":
        most_cells = len(read_bytes(path)) * ANSWERS_A_BYTE
        with parquet_file(path) as file:
            check_spread(file.n_rows, len(file.types), most_cells, where=str(path))
            nested = tuple(name for name, kind in file.types.items() if NESTED.search(kind))
            return [replace(_grid(path, "", _parquet_records(file)), nested=nested)], []
    grids = _grids(path, kind, read_bytes(path))
    if not grids:
        raise _empty(path)
    return grids, []


def _grids(path: Path, kind: str, content: bytes, *, member: str = "") -> list[Grid]:
    where = place_of(path, member)
    if kind in DELIMITED:
        grids = [_delimited(path, member, content, where=where, tabs=kind == ".tsv")]
    else:
        grids = _workbook(path, member, content, where=where)
    return [grid for grid in grids if len(grid.numbers)]


def _delimited(path: Path, sheet: str, content: bytes, *, where: str, tabs: bool) -> Grid:
    """Read a delimited file; strictly, because a quotation mark that is never closed would swallow the rows after it."""
    if content.startswith(BOOKS):
        raise InputFileError(
            "F119",
            _("This is an Excel workbook, not a text file; only its name's ending is wrong."),
            where=where,
            hint=_("Rename it to end in .xlsx (.xls for the old format)."),
        )
    encoding = encoding_of(content, where=where)
    delimiter = "\t" if tabs else ","
    for line in content[:HEAD].decode(encoding, errors="replace").splitlines():
        bare = re.sub('"[^"]*"', "", line)
        if not tabs and any(mark in bare for mark in ",\t;"):
            delimiter = max(",\t;", key=bare.count)
            break
    # refuses the file as a whole
    ends_a_line = decode_bytes(content, where=where).endswith(("\n", "\r"))
    lines = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    widths: deque[int] = deque(maxlen=2)

    def noting_widths() -> Iterator[list[str]]:
        """Pass the records on and note how many cells the last ones have."""
        for record in reader:
            widths.append(len(record))
            yield record

    try:
        grid = _grid(path, sheet, noting_widths())
    except csv.Error as fault:
        raise InputFileError(
            "F109",
            _(
                "Quotation marks do not match near line {line_num}: {fault}.",
                line_num=reader.line_num,
                fault=what_is_wrong(fault),
            ),
            where=place_of(where, f"line {reader.line_num}"),
            hint=_("Correct the quotation marks there, or save the file as xlsx."),
        ) from None
    # a file that ends within a record was not copied or written whole, and nobody knows what is lost
    within_a_row = len(widths) == 2 and 1 < widths[-1] < widths[0]
    if within_a_row and not ends_a_line:
        raise InputFileError(
            "F120",
            _(
                "The file ends in the middle of a row, with {last} cells where the row before has "
                "{before}: it seems to be cut off.",
                last=widths[-1],
                before=widths[0],
            ),
            where=f"{where} line {reader.line_num}",
            hint=_(
                "Fetch the file again; if nothing is missing, complete the last row and its end."
            ),
        )
    return grid


def _workbook(path: Path, member: str, content: bytes, *, where: str) -> list[Grid]:
    if not content:
        raise _empty(path)
    if content.startswith(BOOKS[1]) and ENCRYPTED in content:
        raise InputFileError(
            "F308",
            _("The workbook has a password to open it."),
            where=where,
            hint=_(
                "Open it, clear the password under File > Info > Protect Workbook > Encrypt "
                "with Password, and save it."
            ),
        )
    try:
        marks = check_sheets(content, where=where)
        if marks is None:
            refuse_unplaced_errors(content, where=where)
            sheets: Iterable[Sheet] = _old_sheets(content)
        else:
            sheets = _sheets(content)
        grids = []
        for name, before, ranges, records, hidden in sheets:
            merged = []
            for (top, left), (bottom, right) in ranges:
                merged.append((top + 1, left - before, bottom + 1, right - before))
            label = f"{member}/{name}" if member else name
            grid = _grid(path, label, records, merged=tuple(merged))
            hidden_rows: set[int] = set()
            if marks and name in marks:
                hidden_rows = marks[name].hidden_rows.intersection(grid.numbers.tolist())
                for error in marks[name].errors:
                    shown_in = np.flatnonzero(grid.numbers == error.row)
                    column = error.column - before
                    if len(shown_in) and 0 <= column < len(grid.columns):
                        grid.columns[column][shown_in[0]] = error.text
            grids.append(replace(grid, hidden=hidden, hidden_rows=len(hidden_rows)))
    except (InputFileError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except (
        BaseException
    ) as fault:  # calamine raises several unrelated types for damaged workbooks, panics among them
        raise InputFileError(
            "F107",
            _("The workbook is damaged or not an Excel file: {fault}.", fault=what_is_wrong(fault)),
            where=where,
            hint=_("Open it in Excel or WPS and save it as xlsx."),
        ) from None
    return grids


def _sheets(content: bytes) -> Iterator[Sheet]:
    """Give name, empty columns before the table, merged cells and rows of every sheet, and whether it is hidden."""
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    for place, about in enumerate(workbook.sheets_metadata):
        sheet = workbook.get_sheet_by_index(place)
        before = (sheet.start or (0, 0))[1]
        hidden = about.visible != SheetVisibleEnum.Visible
        yield about.name, before, sheet.merged_cell_ranges or (), sheet.iter_rows(), hidden


CHILD_MEMORY = 1_300_000_000  # bytes; the largest .xls sheet, 65,536 x 256 cells, needs 1.1 GB
CHILD_SECONDS = 120  # of the processor
CHILD = f"""
import io, pickle, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, ({CHILD_MEMORY}, {CHILD_MEMORY}))
    resource.setrlimit(resource.RLIMIT_CPU, ({CHILD_SECONDS}, {CHILD_SECONDS}))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass  # Windows has no such limits
from python_calamine import CalamineWorkbook, SheetVisibleEnum
sheets = []
try:
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    for place, about in enumerate(workbook.sheets_metadata):
        sheet = workbook.get_sheet_by_index(place)
        before = (sheet.start or (0, 0))[1]
        hidden = about.visible != SheetVisibleEnum.Visible
        merged = sheet.merged_cell_ranges or ()
        sheets.append((about.name, before, merged, list(sheet.iter_rows()), hidden))
    answer = sheets
except Exception as fault:
    answer = str(fault)
sys.stdout.buffer.write(pickle.dumps(answer))
"""


def _old_sheets(content: bytes) -> list[Sheet]:
    """Return what `_sheets` gives, of an .xls, .xlsb or .ods workbook.

    It is read in a process of its own: a damaged one may abort it or take all memory it can get.

    Raises
    ------
    ValueError
        Where it cannot be read.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD], input=content, capture_output=True, check=False
    )
    if done.returncode or not done.stdout:
        raise ValueError(f"the reader ended with {done.returncode}")
    answer = pickle.loads(done.stdout)
    if isinstance(answer, str):
        raise ValueError(answer)
    return answer  # type: ignore[no-any-return]


def _members(path: Path) -> tuple[list[Grid], list[str]]:
    """Read the tables of a zip file in name order; documents and pictures are named, other members refused."""
    content = read_bytes(path)
    grids: list[Grid] = []
    passed: list[str] = []
    unread: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_archive(archive, where=str(path))
            times = Counter[str]()
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                name = _member_name(info)
                kind = Path(info.filename).suffix.lower()
                hidden = Path(name).name.startswith(PASSED_OVER)
                if info.is_dir() or hidden or name.startswith("__MACOSX/"):
                    continue
                times[name] += 1  # two members may have one name
                label = name
                if times[name] > 1:
                    label = f"{name}#{times[name]}"
                is_table = kind in (*DELIMITED, *WORKBOOKS)
                if is_table and info.file_size:
                    grids += _grids(path, kind, archive.read(info), member=label)
                elif is_table or kind in DOCUMENTS or not info.file_size:
                    passed.append(label)
                else:
                    unread.append(label)
    except InputFileError:
        raise
    except (
        Exception
    ) as fault:  # zipfile raises several unrelated types for damaged or encrypted files
        raise InputFileError(
            "F112",
            _("The zip file cannot be read: {fault}.", fault=what_is_wrong(fault)),
            where=path,
            hint=_("Unpack it and use the csv or xlsx files."),
        ) from None
    if unread:
        raise InputFileError(
            "F446",
            ngettext(
                "The zip file holds {n} file that is not read within it and may hold responses: "
                "{files}.",
                "The zip file holds {n} files that are not read within it and may hold "
                "responses: {files}.",
                len(unread),
                files=shortened_list(unread),
            ),
            where=path,
            hint=_(
                "Unpack it, put what holds responses into responses/, and take the zip file away."
            ),
        )
    if not grids:
        raise _empty(path)
    return grids, passed


def _member_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; Chinese Windows writes it in GBK without saying so."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return info.filename


def _parquet_records(file: ParquetFile) -> Iterator[Sequence[object]]:
    """Yield names and rows; no cell of a nested column, a moment (stored in universal time) as the clock in China shows it."""
    yield list(file.types)
    expressions = []
    for name, kind in file.types.items():
        column = '"' + name.replace('"', '""') + '"'
        if NESTED.search(kind):
            expressions.append("''")
        elif kind == "TIMESTAMP WITH TIME ZONE":
            in_china = f"make_timestamp(epoch_us({column}) + {CHINA})"
            expressions.append(f"strftime({in_china}, '%Y-%m-%dT%H:%M:%S+08:00')")
        else:
            expressions.append(column)
    for record in file.records(expressions):
        yield ["" if cell is None else cell for cell in record]


def _grid(
    path: Path, sheet: str, records: Iterable[Sequence[object]], *, merged: tuple[Range, ...] = ()
) -> Grid:
    """Turn records into columns of text, block by block, so that the records are never all in memory."""
    texts = _Memory()
    columns: list[list[str]] = []
    numbers: list[int] = []
    remaining = iter(records)
    read = 0
    filled = 0
    where = place_of(path, sheet)
    while block := list(islice(remaining, BLOCK)):
        width = max(map(len, block))
        filled += sum(map(len, block))
        check_spread(read + len(block), max(width, len(columns)), filled, where=where)
        while len(columns) < width:
            columns.append([""] * len(numbers))
        kept, cells = _block(block, width, texts)
        numbers += [read + 1 + position for position in kept]
        for place, column in enumerate(columns):
            if place < width:
                column += cells[place::width]
            else:
                column += [""] * len(kept)
        read += len(block)
    arrays = [np.fromiter(column, dtype=object, count=len(numbers)) for column in columns]
    places = np.array(numbers, dtype=np.int64)
    return Grid(
        path,
        sheet,
        arrays,
        places,
        kept_as_text=frozenset(texts.kept_as_text),
        long_numbers=frozenset(texts.long_numbers),
        dates=frozenset(texts.dates),
        merged=merged,
    )


def _block(
    block: list[Sequence[object]], width: int, texts: _Memory
) -> tuple[Sequence[int], list[str]]:
    """Return which records of a block are not blank, and their cells as text, one record after the other."""
    if min(map(len, block)) < width:
        block = [[*record, *[""] * (width - len(record))] for record in block]
    cells = list(chain.from_iterable(block))
    if bool in set(map(type, cells)):  # as keys of a dictionary True and 1 would be the same
        for place, cell in enumerate(cells):
            if isinstance(cell, bool):
                cells[place] = str(cell).upper()
    written = list(map(texts.__getitem__, cells))
    if len(texts) > REMEMBERED:
        texts.clear()
    kept = []
    of_kept: list[str] = []
    starts = range(0, len(written), width) if width else ()
    for position, start in enumerate(starts):
        record = written[start : start + width]
        if "".join(record).strip():
            kept.append(position)
            of_kept += record
    return kept, of_kept


class _Memory(dict[object, str]):
    """Every different cell with its text, made once."""

    def __init__(self) -> None:
        self.kept_as_text: set[str] = set()
        self.long_numbers: set[str] = set()
        self.dates: set[str] = set()

    def __missing__(self, cell: object) -> str:
        text = self[cell] = cell_text(cell)
        if KEPT_AS_TEXT.fullmatch(text):
            self.kept_as_text.add(text)
        if text is cell:
            if text[:1].isdigit() and LONG.fullmatch(text):
                self.long_numbers.add(text)
            elif text[:1].isdigit() and DATE.fullmatch(text):
                self.dates.add(text)
        elif isinstance(cell, float) and EXACT <= abs(cell) < float("inf"):
            self.long_numbers.add(text)
        elif isinstance(cell, datetime.date | datetime.time | datetime.timedelta):
            self.dates.add(text)
        return text


def cell_text(cell: object) -> str:
    """Write a cell as text: whole numbers without '.0', dates in ISO form; equal numbers of any type alike."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Decimal):
        written = f"{cell:f}"
        return written.rstrip("0").rstrip(".") if "." in written else written
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)


def _empty(path: Path) -> InputFileError:
    return InputFileError(
        "F104",
        _("The file holds no data."),
        where=path,
        hint=_("Export the file again, or take it away."),
    )
