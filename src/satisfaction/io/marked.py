"""A workbook to correct: the first sheet in view with some cells marked, the others hidden."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd
import xlsxwriter

from .writing import CREATED, IN_MEMORY

WIDTH = 14


def write_marked(path: Path, sheets: Mapping[str, pd.DataFrame], *, marked: Collection[tuple[int, int]]) -> None:
    """Write tables of text as the sheets of a workbook; every cell stays text, the same tables give the same bytes.

    Parameters
    ----------
    path : Path
    sheets : mapping of str to DataFrame
        The first is shown; the others are hidden.
    marked : collection of (int, int)
        Row and column in the first table, from 0, of the cells in red.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(str(path), IN_MEMORY) as workbook:
        workbook.set_properties({"created": CREATED})
        bold, text, red = (
            workbook.add_format({"num_format": "@"} | more)
            for more in ({"bold": True, "bg_color": "#E8EEF4"}, {}, {"bg_color": "#F8C9C4", "bold": True})
        )
        for place, (name, table) in enumerate(sheets.items()):
            sheet = workbook.add_worksheet(name)
            sheet.set_column(0, max(len(table.columns) - 1, 0), WIDTH, text)
            sheet.freeze_panes(1, 0)
            if place:
                sheet.hide()
            for column, title in enumerate(table):
                sheet.write_string(0, column, str(title), bold)
            for row, record in enumerate(table.itertuples(index=False)):
                for column, value in enumerate(record):
                    kept = red if not place and (row, column) in marked else text
                    sheet.write_string(row + 1, column, value, kept) if value else sheet.write_blank(row + 1, column, None, kept)
