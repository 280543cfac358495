"""SPSS .sav: variable names and labels, value labels, missing values as declared; old files may be in GB18030."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat

from satisfaction.collection.platforms.export import ExportColumn, ExportTable, Fields, Note
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.files import read_bytes
from satisfaction.foundation.grids import cell_text
from satisfaction.foundation.language import _
from satisfaction.foundation.readers_words import what_is_wrong

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
    fields: Fields = []
    for name, label in zip(meta.column_names, meta.column_labels, strict=True):
        labels = {}
        for value, meaning in meta.variable_value_labels.get(name, {}).items():
            labels[cell_text(value)] = str(meaning)
        column = ExportColumn(name, label or name, name=name, labels=labels)
        texts = ["" if pd.isna(value) else cell_text(value) for value in cells[name]]
        fields.append((column, np.array(texts, dtype=object)))
    columns = [values for _column, values in fields]
    cases = len(columns[0]) if columns else 0
    table = ExportTable(
        path=path,
        sheet="",
        keys=tuple(meta.column_names),
        titles=tuple(column.title for column, _values in fields),
        columns=columns,
        numbers=np.arange(1, cases + 1, dtype=np.int64),
        long_numbers=frozenset(),
        dates=frozenset(),
    )
    # the answers that the file declares missing, counted once for each variable and range
    notes = []
    for name, declared in meta.missing_ranges.items():
        present = [value for value in cells[name] if not pd.isna(value)]
        answers = [value for value in present if isinstance(value, str)]
        numbers = [value for value in present if not isinstance(value, str | datetime.date)]
        for limits in declared:
            low = limits["lo"]
            high = limits["hi"]
            comparable = answers if isinstance(low, str) else numbers
            count = sum(low <= value <= high for value in comparable)
            shown = cell_text(low)
            if low != high:
                shown = f"{cell_text(low)}..{cell_text(high)}"
            if count:
                notes.append(Note("F209", column=name, value=f"{shown} × {count}"))
    return table, fields, notes


def _opened(path: Path) -> tuple[Mapping[str, Any], Any]:
    """Read a file in its own encoding, in GB18030 where that fails or gives Western letters for Chinese ones."""
    read = None
    fault = ""
    for encoding in (None, "GB18030"):
        try:
            found = pyreadstat.read_sav(
                str(path), user_missing=True, output_format="dict", encoding=encoding
            )
        except Exception as refused:  # pyreadstat raises several unrelated types for damaged files
            fault = fault or str(refused)
            continue
        read = read or found
        meta = found[1]
        words = [*meta.column_names, *meta.column_labels]
        for labels in meta.variable_value_labels.values():
            words += labels.values()
        if not any(MISREAD.search(str(word)) for word in words):
            return found
    if read:
        return read
    raise InputFileError(
        "F113",
        _("Not a valid SPSS file: {fault}.", fault=what_is_wrong(fault)),
        where=path,
        hint=_("Open it in SPSS and save it again, or save it as csv."),
    )
