"""SPSS files, written with their labels. pyreadstat stamps the clock, so the bytes differ from run to run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat


def write_sav(
    table: pd.DataFrame,
    path: Path,
    *,
    title: str,
    notes: list[str],
    labels: Mapping[str, str],
    value_labels: Mapping[str, dict[int | float, str]],
    missing: Mapping[str, list[Any]],
) -> None:
    """Write a table as an SPSS file.

    Parameters
    ----------
    table : DataFrame
        Float, text and date columns.
    path : Path
        Its folder is made where it is not there.
    title, notes : str, list of str
        The file's label and notes.
    labels, value_labels : mapping
        Of each variable; of each code of a variable.
    missing : mapping
        User-missing codes of a variable: at most three, or one {"lo", "hi"}.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pyreadstat.write_sav(
        table,
        str(path),
        file_label=title,
        note=notes,
        column_labels=dict(labels),
        variable_value_labels=dict(value_labels),
        missing_ranges=dict(missing),
    )
