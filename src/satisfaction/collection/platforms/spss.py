"""SPSS .sav: variable names and labels, value labels, missing values as declared; old files may be in GB18030."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyreadstat

from satisfaction.collection.platforms.export import ExportColumn, ExportTable, Fields, Note, note
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.files import read_bytes
from satisfaction.foundation.grids import Texts, cell_text
from satisfaction.foundation.language import _

SUFFIXES = (".sav", ".zsav")
MISREAD = re.compile(
    "[\u0080-\u00ff]{2}"
)  # Chinese in GB18030 that was taken for a Western encoding


def read_sav(path: Path) -> tuple[ExportTable, Fields, list[Note]]:
    """Read a file with its labels; rows are numbered as SPSS numbers cases.

    Raises
    ------
    InputFileError
        F101 and F102 from opening, F113 for a file that is no SPSS file.
    """
    read_bytes(path)  # the usual messages where there is no such file
    cells, meta = _opened(path)
    labels = {
        name: {cell_text(code): str(label) for code, label in given.items()}
        for name, given in meta.variable_value_labels.items()
    }
    titles = [
        label or name for name, label in zip(meta.column_names, meta.column_labels, strict=True)
    ]
    columns = [
        ExportColumn(name, title, name=name, labels=labels.get(name, {}))
        for name, title in zip(meta.column_names, titles, strict=True)
    ]  # fmt: skip
    texts = [_texts(cells[name]) for name in meta.column_names]
    numbers = np.arange(1, (len(texts[0]) if texts else 0) + 1, dtype=np.int64)
    table = ExportTable(
        path, "", tuple(meta.column_names), tuple(titles), texts, numbers, frozenset(), frozenset()
    )
    return table, list(zip(columns, texts, strict=True)), _missing(cells, meta.missing_ranges)


def _opened(path: Path) -> tuple[Mapping[str, Any], Any]:
    """Read a file in its own encoding, in GB18030 where that fails or gives Western letters for Chinese ones."""
    read, fault = None, ""
    for encoding in (None, "GB18030"):
        try:
            found = pyreadstat.read_sav(
                str(path), user_missing=True, output_format="dict", encoding=encoding
            )
        except Exception as refused:  # pyreadstat raises several unrelated types for damaged files
            fault = fault or str(refused)
            continue
        read = read or found
        if not _misread(found[1]):
            return found
    if read:
        return read
    raise InputFileError(
        "F113",
        _("Not a valid SPSS file ({fault}).", fault=fault),
        where=str(path),
        hint=_("Open it in SPSS and save it again, or save it as csv."),
    )


def _misread(meta: Any) -> bool:
    given = (label for labels in meta.variable_value_labels.values() for label in labels.values())
    return any(
        MISREAD.search(str(label)) for label in (*meta.column_names, *meta.column_labels, *given)
    )


def _texts(cells: Iterable[object]) -> Texts:
    values = list(cells)
    result = np.empty(len(values), dtype=object)
    result[:] = ["" if _absent(value) else cell_text(value) for value in values]
    return result


def _absent(value: object) -> bool:
    return value is None or value != value  # not-a-number is SPSS's system-missing value


def _missing(
    cells: Mapping[str, Iterable[Any]], ranges: Mapping[str, list[dict[str, Any]]]
) -> list[Note]:
    """Count the answers that the file declares missing, once for each variable and range."""
    notes = []
    for name, given in ranges.items():
        for limits in given:
            low, high = limits["lo"], limits["hi"]
            numeric = not isinstance(low, str)
            kept = [
                v
                for v in cells[name]
                if not _absent(v)
                and isinstance(v, str) != numeric
                and not isinstance(v, datetime.date)
            ]
            if count := sum(low <= value <= high for value in kept):
                shown = cell_text(low) if low == high else f"{cell_text(low)}..{cell_text(high)}"
                notes.append(note("F209", column=name, value=f"{shown} × {count}"))
    return notes
