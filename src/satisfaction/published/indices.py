"""Every estimate of every level, as published."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..estimates import Estimates
from ..survey import Survey
from .labels import labelled, measure_labels, published, whole_code

UNITS = {"rate": "share 0-1", "score": "points 0-100", "index": "points 0-100"}


def indices_table(survey: Survey, estimates: dict[str, Estimates]) -> pd.DataFrame:
    """Return every estimate of every level as published.

    Returns
    -------
    DataFrame
        survey, wave, level, code, name_zh, name_en, measure, measure_zh, measure_en, kind, unit, estimate, se, df, ci_low,
        ci_high, cv, deff, n, note, selection, mark; rates as shares 0-1, scores and indices in points 0-100. Without degrees of
        freedom (df 0) there are no limits.
    """
    described, parts = measure_labels(survey.questionnaire), []
    for level, one in estimates.items():
        codes = one.table[one.by[0]].astype(str) if one.by else pd.Series(whole_code(survey), index=one.table.index)
        parts.append(one.table.drop(columns=list(one.by)).assign(level=level, code=codes))
    table = pd.concat(parts, ignore_index=True)
    limits = table[["ci_low", "ci_high"]]
    table[["ci_low", "ci_high"]] = limits.where(np.isfinite(limits))
    kinds = table["measure"].map({name: kind for name, (kind, _) in described.items()})
    table = table.assign(kind=kinds, unit=kinds.map(UNITS), selection=survey.declared.selection, n=table["n"].astype(np.int64))
    table = labelled(table, {name: label for name, (_, label) in described.items()}, key="measure", into="measure")
    first = ["level", "code", "name_zh", "name_en", "measure", "measure_zh", "measure_en", "kind", "unit"]
    numbers = ["estimate", "se", "df", "ci_low", "ci_high", "cv", "deff", "n", "note"]
    return published(survey, table, [*first, *numbers, "selection"])
