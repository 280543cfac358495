"""Tables from files, every value as text: codes keep their leading digits, nothing is guessed.

Tables to csv, xlsx, Parquet and JSON files: the same table gives the same bytes, whenever and wherever it is written.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from weakref import ReferenceType, ref

import pandas as pd
import xlsxwriter

from satisfaction.foundation.errors import InputFileError, SatisfactionError, place_of, shortened
from satisfaction.foundation.files import in_order, sha256
from satisfaction.foundation.grids import read_grids
from satisfaction.foundation.language import Text, _


class RawTable(NamedTuple):
    """One sheet or csv file as text.

    Attributes
    ----------
    sheet : str
        Empty for a csv file.
    cells : DataFrame
        A column a name of the header, stripped, cells beyond it dropped; its index holds the rows in the file, the header
        being row 1.
    hidden : bool
        Whether the workbook hides the sheet.
    """

    sheet: str
    cells: pd.DataFrame
    hidden: bool

    def frame(self) -> pd.DataFrame:
        """Return the cells, the rows counted from 0."""
        return self.cells.reset_index(drop=True)

    def records(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the rows by column name, each with its number in the file."""
        for number, *cells in self.cells.itertuples(name=None):
            yield number, dict(zip(self.cells, cells, strict=True))


def read_tables(path: Path) -> list[RawTable]:
    """Read every sheet that has a header.

    Raises
    ------
    InputFileError
        What `io.grids.read_grids` raises; F108 for a column name that stands twice.
    """
    grids, _not_tables = read_grids(path)
    tables = []
    for grid in grids:
        names = list(map(str.strip, grid.record(0)))
        while names and not names[-1]:
            names.pop()
        if twice := sorted({name for name in names if name and names.count(name) > 1}):
            raise InputFileError(
                "F108",
                _("The column name '{twice}' stands more than once.", twice=twice[0]),
                where=place_of(grid.path, grid.sheet, "row 1"),
                hint=_("Rename or remove the extra column."),
            )
        columns = enumerate(grid.columns[: len(names)])
        cells = pd.DataFrame(dict(columns), index=grid.numbers, dtype=object).iloc[1:]
        cells.columns = pd.Index(names, dtype=object)
        tables.append(RawTable(grid.sheet, cells, grid.hidden))
    return tables


class Kept:
    """What was computed from the last tables, kept while these very tables are there.

    For tables that nobody changes in place.
    """

    def __init__(self, size: int) -> None:
        self._kept: deque[tuple[ReferenceType[pd.DataFrame], object, Any]] = deque(maxlen=size)

    def of(self, table: pd.DataFrame, asked: object, compute: Callable[[], Any]) -> Any:
        """Return what is asked of a table; computed where it is not kept."""
        for of_table, question, answer in self._kept.copy():
            if of_table() is table and question == asked:
                return answer
        answer = compute()
        self._kept.append((ref(table), asked, answer))
        return answer


def read_table(path: Path) -> pd.DataFrame:
    """Read the first table of a file as a DataFrame of text.

    Raises
    ------
    InputFileError
        What `read_tables` raises; F444 where another sheet goes on with rows under the same column names, F445 where the
        workbook hides the sheet.
    """
    return _one_table(path).frame()


def read_filled_in(path: Path, wanted: Collection[str] = ()) -> pd.DataFrame:
    """Read what people filled in as `read_table` does, without blanks around it; the index holds the rows of the file.

    So that rows can be refused by the numbers that stand beside them, whatever empty rows the file has.

    Parameters
    ----------
    path : Path
    wanted : collection of str
        Columns that are needed: where the first sheet has not all of them and one other sheet alone has, that one is read.
    """
    table = _one_table(path, wanted)
    return table.cells.map(str.strip)


def refuse_rows(
    wrong: pd.Series,
    error: type[SatisfactionError],
    code: str,
    *,
    text: Text,
    where: Path,
    available: Iterable[object] = (),
    got: str = "",
) -> None:
    """Refuse the rows where `wrong` of a table that `read_filled_in` read from the file `where`."""
    rows = wrong.index[wrong]
    if len(rows):
        raise error(
            code,
            text,
            where=f"{where} row {shortened(rows)}",
            available=available,
            got=got,
            hint=_("Correct these rows."),
        )


def _one_table(path: Path, wanted: Collection[str] = ()) -> RawTable:
    tables = read_tables(path)
    table = tables[0]
    fitting = [other for other in tables if {*wanted} <= {*other.cells}]
    if len(fitting) == 1 and not {*wanted} <= {*table.cells}:
        table = fitting[0]
    if table.hidden:
        raise InputFileError(
            "F445",
            _("The workbook hides the sheet '{sheet}' that would be read.", sheet=table.sheet),
            where=path,
            available=[other.sheet for other in tables],
            hint=_("Show the sheet if its rows are meant, or take it away."),
        )
    for other in tables:
        if other is not table and list(other.cells) == list(table.cells) and len(other.cells):
            raise InputFileError(
                "F444",
                _(
                    "The sheet has the same columns as '{first}', and only the first sheet is read.",
                    first=table.sheet,
                ),
                where=f"{path} {other.sheet}",
                hint=_(
                    "Put the rows of all sheets below one another in the first, or take it away."
                ),
            )
    return table


CHECKSUMS = "SHA256SUMS"
A4 = 9  # Excel counts its kinds of paper; by default a workbook prints on American letter
CREATED = datetime.datetime(2026, 1, 1)  # a workbook stamps the clock unless it is given a date
WORKBOOK = {
    "default_date_format": "yyyy-mm-dd",
    "in_memory": True,  # else a program that is killed leaves the rows in the system's temporary folder
}
FORMULA = re.compile(
    r"(?!'*[+-]?\d+(\.\d+)?\Z)'*[=+\-@＝＋－＠\t\r\n]"
)  # what a spreadsheet may read as a formula; no number


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as csv with plain line feeds and the byte order mark that Excel needs to show Chinese.

    Missing values become empty cells.

    A text cell that a spreadsheet would take for a formula has an apostrophe in front (`guarded`); numbers have none.

    Parameters
    ----------
    table : DataFrame
        Columns in writing order; the index is left out.
    path : Path
        Its folder is made where it is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pieces = _csv_text(guarded(table)).split('"')
    for outside in range(0, len(pieces), 2):  # what stands between quotation marks stays
        pieces[outside] = pieces[outside].replace("\r\n", "\n")
    path.write_bytes('"'.join(pieces).encode("utf-8-sig"))


def _csv_text(table: pd.DataFrame, **how: Any) -> str:
    """Write every csv of the program: RFC 4180, cells with a comma, quotation mark, line feed or carriage return quoted."""
    return str(
        table.to_csv(index=False, lineterminator="\r\n", **how)
    )  # pandas quotes "\r" only where lines end with it


def guarded(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before text that begins with = + - @ (full-width too), tab or a line's end; plain numbers stay.

    Text that begins with apostrophes before such a sign gets one more, so that `unguarded` gives back every text.
    """
    return _with_texts(table, lambda text: f"'{text}" if FORMULA.match(text) else text)


def unguarded(table: pd.DataFrame) -> pd.DataFrame:
    """Take the apostrophes away again that `guarded` put there."""
    return _with_texts(table, lambda text: text.removeprefix("'") if FORMULA.match(text) else text)


def _with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Change the text cells of a table; columns of numbers are not looked at."""
    changed = table.copy()
    for place, kind in enumerate(table.dtypes):
        if pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind):
            cells = []
            for cell in table.iloc[:, place]:
                cells.append(change(cell) if isinstance(cell, str) else cell)
            changed.isetitem(place, pd.Series(cells, index=table.index, dtype=object))
    return changed


def write_rfc4180(table: pd.DataFrame, path: Path) -> None:
    """Write a table as csv for other programs: RFC 4180, UTF-8 without a byte order mark, the same doubles when read back.

    Floating-point numbers have 17 significant digits; missing values become empty cells.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_csv_text(table, float_format="%.17g").encode("utf-8"))


def write_xlsx(sheets: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write tables as the sheets of a workbook, the header in row 1, without the clock.

    Text stays text (codes keep their leading digits), numbers are numbers, dates are dates, missing values empty cells.
    """
    with new_workbook(path) as workbook:
        for name, table in sheets.items():
            fill_sheet(workbook, workbook.add_worksheet(name), table)


@contextmanager
def new_workbook(path: Path) -> Iterator[Any]:
    """Open a workbook to be written; the same content gives the same bytes.

    It is packed in memory and written at once: a full disk leaves no archive open behind it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = BytesIO()
    with xlsxwriter.Workbook(packed, WORKBOOK) as workbook:
        workbook.set_properties({"created": CREATED})
        yield workbook
    path.write_bytes(packed.getvalue())


def fill_sheet(
    workbook: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet, table: pd.DataFrame
) -> None:
    """Fill a plain sheet: header in row 1, text as text (a formula's sign too, also after the cell is edited), row by row.

    It prints as wide as a page, its header on every one.
    """
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    quoted = workbook.add_format({"quote_prefix": True})
    for column, title in enumerate(table):
        sheet.write_string(0, column, str(title))
    for row, record in enumerate(table.itertuples(index=False, name=None), start=1):
        for column, value in enumerate(record):
            _write_cell(sheet, row, column, value=value, quoted=quoted)


def _write_cell(
    sheet: xlsxwriter.worksheet.Worksheet, row: int, column: int, *, value: object, quoted: object
) -> None:
    if isinstance(value, str):
        if value:
            sheet.write_string(row, column, value, quoted if FORMULA.match(value) else None)
    elif isinstance(value, float):
        if math.isfinite(value):  # a workbook holds no infinity; a missing one is an empty cell
            sheet.write_number(row, column, value)
    elif isinstance(value, datetime.date):
        sheet.write_datetime(row, column, value)
    elif not pd.isna(value):
        sheet.write(row, column, value.item() if hasattr(value, "item") else value)


def write_json(content: object, path: Path) -> None:
    """Write JSON with sorted keys; Chinese stays readable."""
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, default=str)
    write_text(f"{text}\n", path)


def write_text(content: str, path: Path) -> None:
    """Write a text as UTF-8 with plain line feeds."""
    path.write_bytes(content.encode("utf-8"))


def write_checksums(folder: Path) -> None:
    """Write the SHA-256 of every file of a folder, itself apart, as `sha256sum -c` reads it."""
    lines = ""
    for path in in_order(folder.iterdir()):
        if path.is_file() and path.name != CHECKSUMS:
            lines += f"{sha256(path)}  {path.name}\n"
    write_text(lines, folder / CHECKSUMS)
