"""Strong and weak indicators as published."""

from __future__ import annotations

import pandas as pd

from ..estimates import Estimates
from ..indicators import Indicators, importance, strengths_and_weaknesses
from ..io.yaml import Label
from ..pipeline import Results
from ..survey import Survey
from .labels import area_labels, labelled, measure_labels, published, whole_code

VERDICTS = {
    "strong": Label(zh="优势", en="strong"),
    "weak": Label(zh="短板", en="weak"),
    "not decidable": Label(zh="不能判定", en="not decidable"),
}
QUADRANTS = {
    "keep": Label(zh="继续保持", en="keep"),
    "improve first": Label(zh="优先改进", en="improve first"),
    "keep, minor": Label(zh="保持（次要）", en="keep, minor"),
    "improve, minor": Label(zh="改进（次要）", en="improve, minor"),
    "": Label(zh="", en=""),
}
FIGURES = ["score", "whole", "difference", "se", "df", "ci_low", "ci_high", "p", "p_holm"]


def indicators_of(results: Results, *, level: str | None = None) -> Indicators | None:
    """Compare the topics of a level's areas (default: the ranked one) with the whole; None without topics or overall rate."""
    survey = results.survey
    if not survey.questionnaire.topics or survey.overall is None:
        return None
    areas: Estimates = results.estimates[level or results.area]
    matters = importance(results.design, survey.questionnaire, overall=survey.overall)
    return strengths_and_weaknesses(areas, results.estimates[survey.whole()], matters)


def indicators_table(survey: Survey, found: Indicators) -> pd.DataFrame:
    """Return the topics of every area as published.

    Returns
    -------
    DataFrame
        survey, wave, code, name_zh, name_en, topic, topic_zh, topic_en, score, whole (points 0-100), whole_zh, whole_en (its
        name), difference, se, df, ci_low, ci_high, p, p_holm, verdict, verdict_zh, importance (percentage points of the
        overall rate for 25 points), high, quadrant, quadrant_zh, mark.
    """
    names = {name: label for name, (_, label) in measure_labels(survey.questionnaire).items()}
    whole = area_labels(survey)[whole_code(survey)]
    table = labelled(found.table, names, key="topic", into="topic").assign(whole_zh=whole.zh, whole_en=whole.en)
    table = labelled(table, VERDICTS, key="verdict", into="verdict")
    table = labelled(table, QUADRANTS, key="quadrant", into="quadrant")
    first = ["code", "name_zh", "name_en", "topic", "topic_zh", "topic_en"]
    last = ["verdict", "verdict_zh", "importance", "high", "quadrant", "quadrant_zh"]
    return published(survey, table, [*first, *FIGURES[:2], "whole_zh", "whole_en", *FIGURES[2:], *last])


def with_parents(survey: Survey, indices: pd.DataFrame) -> pd.DataFrame:
    """Add the name of the area above to the rows of the lowest level (column parent_zh; empty without a table of areas)."""
    parents, names = survey.parents(), survey.area_names()
    above = {code: names[parent].zh for code, parent in parents.items() if parent in names}
    return indices.assign(parent_zh=indices["code"].map(above).fillna(""))
