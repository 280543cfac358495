"""Final weights: how they vary, and as files beside the respondents, joined and written by the engine, never collected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.foundation.engines import DONE, write_joined
from satisfaction.foundation.errors import WeightsError
from satisfaction.foundation.files import new_folder, refuse_existing
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import write_text
from satisfaction.sampling.design import SampleDesign, refuse_subpopulation
from satisfaction.sampling.variance import Array

FINAL = "final_weight"


def weight_diagnostics(weight: Array, n: Array) -> dict[str, float]:
    """Describe weights that n respondents each share: range, cv, Kish's deff and the effective sample size.

    Parameters
    ----------
    weight, n : (T,) float and int

    Examples
    --------
    >>> figures = sat.weight_diagnostics(np.array([1.0, 3.0]), np.array([2, 2]))
    >>> figures["kish_deff"], figures["effective_n"]
    (1.25, 3.2)
    """
    count = float(n.sum())
    total = float((n * weight).sum())
    square = float((n * weight**2).sum())
    kish = count * square / total**2
    figures = {"respondents": count, "sum": total}
    figures["low"] = float(weight.min())
    figures["high"] = float(weight.max())
    variation = max(kish - 1, 0.0)
    figures["cv"] = float(np.sqrt(variation))
    figures["kish_deff"] = kish
    figures["effective_n"] = count / kish
    return figures


def write_weights(design: SampleDesign, folder: str | Path) -> str:
    """Write the respondents with their final weight (column `final_weight`) as a folder of Parquet files; returns its name.

    Parameters
    ----------
    design : SampleDesign
    folder : path, or for Spark an address that its workers write to
        Must not exist. A mark of success, the file `_SUCCESS`, is written last; `finished_weights` requires it.

    Raises
    ------
    WeightsError
        W191 a folder that exists, W520 a subpopulation.

    Examples
    --------
    >>> people = pd.DataFrame({"sex": [1, 1, 1, 2]})
    >>> design = sat.calibrate(sat.SurveyDesign(people), {"sex": {1: 60, 2: 40}})
    >>> sat.write_weights(design, "weights")
    'weights'
    """
    refuse_subpopulation(design, _("Writing weights"), error=WeightsError, code="W520")
    lookup = pd.DataFrame({"factor": [1.0]})
    on: tuple[str, ...] = ()
    if design.weighting is not None:
        lookup = design.weighting.cells.assign(factor=design.weighting.factor)
        on = design.weighting.columns
    rows = design.rows()
    weight = design.weight_column
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
            _("The folder has no mark of success, _SUCCESS: it was not written to its end."),
            where=str(folder),
            hint=_("Write the weights again."),
        )
    return str(folder)
