"""Exports of survey platforms, one module a shape, all read into one neutral form: text first, nothing guessed.

A shape is known by its column names, tried in the order of `PLATFORMS`; the caller may name it instead.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from satisfaction.collection.platforms import by_name, kobo, spss, wjx
from satisfaction.collection.platforms.export import (
    Export,
    ExportTable,
    Fields,
    Note,
    neutral,
)
from satisfaction.collection.platforms.header import find_header
from satisfaction.foundation.errors import InputFileError, one_of
from satisfaction.foundation.grids import read_grids
from satisfaction.foundation.language import _

SHAPES = {
    shape.name: shape
    for shape in (
        wjx.CODED, wjx.TEXT, by_name.TENCENT, kobo.KOBO_SHAPE, kobo.ODK_SHAPE, by_name.LIMESURVEY, by_name.CATI, by_name.PLAIN,
    )
}  # fmt: skip
PLATFORMS = (*SHAPES, "sav")


def read_exports(path: Path, *, platform: str = "auto") -> list[Export]:
    """Read every table of a file.

    Parameters
    ----------
    path : Path
        .csv, .txt, .tsv, .xlsx, .xlsm, .xls, .xlsb, .ods, .parquet, .sav, .zsav, or a .zip of such tables.
    platform : str
        One of `PLATFORMS`, or "auto" to tell it from the column names.

    Returns
    -------
    list of Export
        One a sheet or member that holds respondents; what is passed over is noted in the first.

    Raises
    ------
    InputFileError
        F101-F107, F109, F110, F112-F114, F119 from opening; F115 for a platform that is not one of `PLATFORMS`; F116 for a platform
        that such a file cannot have; F117 where every table is a repeat group or audit.
    """
    one_of(platform, ("auto", *PLATFORMS), argument="platform", error=InputFileError, code="F115")
    is_sav = path.suffix.lower() in spss.SUFFIXES
    if platform != "auto" and is_sav != (platform == "sav"):
        raise InputFileError(
            "F116",
            _(
                "A {suffix} file is not read as '{platform}'.",
                suffix=path.suffix,
                platform=platform,
            ),
            where=path,
            available=("sav",) if is_sav else tuple(SHAPES),
            hint=_("Change `platform`, or remove it to have it recognised."),
        )
    if is_sav:
        table, fields, notes = spss.read_sav(path)
        return [_export("sav", table, fields, notes=notes)]
    grids, passed = read_grids(path)
    found = [find_header(grid) for grid in grids]
    possible = list(SHAPES.values())
    if platform != "auto":
        possible = [SHAPES[platform]]
    shapes = []
    for table, _notes in found:
        recognised = (shape for shape in possible if shape.recognises(table))
        shapes.append(next(recognised, possible[0]))
    exports: list[Export] = []
    for (table, notes), shape in zip(found, shapes, strict=True):
        # a repeat group or an audit, in a file that holds a table of the platform that writes them
        if any(of_file.repeats(table.titles) for of_file in shapes):
            passed.append(table.sheet)
        else:
            fields, more = shape.unfold(table)
            exports.append(_export(shape.name, table, fields, notes=[*notes, *more]))
    if not exports:
        raise InputFileError(
            "F117",
            _("The file holds only repeat groups or audits, no table of respondents."),
            where=path,
            available=passed,
            hint=_("Export the main table, one row a respondent."),
        )
    aside = [Note("F210", value=name) for name in passed]
    exports[0] = replace(exports[0], notes=(*aside, *exports[0].notes))
    return exports


def _export(platform: str, table: ExportTable, fields: Fields, *, notes: list[Note]) -> Export:
    """Close the fields into an export: times in neutral form, damage noted."""
    fields, more = neutral(fields, table)
    cells = {place: values for place, (_column, values) in enumerate(fields)}
    rows = pd.DataFrame(cells, index=range(len(table.numbers)), dtype=object)
    columns = tuple(column for column, _values in fields)
    rows.columns = pd.Index([column.key for column in columns], dtype=object)
    return Export(
        path=table.path,
        sheet=table.sheet,
        platform=platform,
        columns=columns,
        rows=rows,
        numbers=table.numbers,
        notes=(*notes, *more),
    )
