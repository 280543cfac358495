"""Final weights beside the respondents, as files: joined and written by the engine, never collected."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..design import SurveyDesign
from ..engines import write_joined
from ..engines.files import DONE
from ..errors import WeightsError
from ..io.files import new_folder, refuse_existing
from ..io.writing import write_text

FINAL = "final_weight"


def write_weights(design: SurveyDesign, folder: str | Path) -> str:
    """Write the respondents with their final weight (column `final_weight`) as a folder of Parquet files; returns its name.

    Parameters
    ----------
    design : SurveyDesign
    folder : path, or for Spark an address that its workers write to
        Must not exist. A mark of success, the file `_SUCCESS`, is written last; `finished_weights` requires it.

    Raises
    ------
    WeightsError
        W191 a folder that exists.
    """
    lookup = pd.DataFrame({"factor": [1.0]})
    on: tuple[str, ...] = ()
    if design.weighting is not None:
        lookup, on = design.weighting.cells.assign(factor=design.weighting.factor), design.weighting.columns
    rows, weight = design.rows(), design.weight_column
    if rows.implementation.is_pyspark():
        write_joined(rows, lookup, on=on, weight=weight, into=FINAL, folder=str(folder))
        return str(folder)
    target = Path(folder)
    refuse_existing(target, WeightsError, "W191")
    with new_folder(target) as scratch:
        write_joined(rows, lookup, on=on, weight=weight, into=FINAL, folder=scratch)
        write_text("", scratch / DONE)
    return str(target)


def finished_weights(folder: str | Path) -> str:
    """Return a folder that `write_weights` has written to its end, for `SurveyDesign(finished_weights(folder), base_weight="final_weight", ...)`.

    Raises
    ------
    WeightsError
        W192 for a folder without the mark of success.
    """
    if not (Path(folder) / DONE).is_file():
        raise WeightsError(
            "W192",
            "该文件夹没有写完的标记 _SUCCESS。",
            "The folder has no mark of success, _SUCCESS: it was not written to its end.",
            where=str(folder),
            hint=("重新写出权数。", "Write the weights again."),
        )
    return str(folder)
