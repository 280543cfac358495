"""The checks that compare the interviews with something beside them: re-interviews, another mode, the wave before."""

from __future__ import annotations

import pandas as pd

from ..comparisons import change
from ..errors import SatisfactionError
from ..estimates import Estimates
from ..fieldwork import Fields, Limits, back_check, jumps, mode_gap, points
from ..pipeline import base_design, estimate_areas, weigh
from ..ranking import comparability
from ..ranking.comparable import require_comparable
from ..responses import Responses, load_responses
from ..responses.coding import code_answers
from ..survey import Survey, read_survey

MEAN = "_topics"


def back_checks(survey: Survey, rows: pd.DataFrame, *, fields: Fields, limits: Limits) -> pd.DataFrame:
    """Compare the declared re-interviews with the first interviews; see `fieldwork.back_check`."""
    declared, again, questionnaire = survey.declared.fieldwork.backcheck, survey.backcheck, survey.questionnaire
    assert declared is not None
    assert again is not None
    text = pd.DataFrame("", index=again.index, columns=list(questionnaire.items), dtype=object).assign(**dict(again.items()))
    coded, _ = code_answers(text, survey)
    return back_check(rows, coded, declared.items, fields=fields, limits=limits)


def mode_gaps(survey: Survey, rows: pd.DataFrame, *, fields: Fields, limits: Limits) -> pd.DataFrame:
    """Compare the gap between the declared modes in every county; the figure is the mean score of the topics, 0-100."""
    modes, topics = survey.declared.fieldwork.modes, survey.questionnaire.topics
    assert modes is not None
    mean = pd.DataFrame(points(rows, survey.questionnaire, topics)).mean(axis=1)
    first, second = map(str, modes.compared)
    return mode_gap(rows.assign(**{MEAN: mean}), MEAN, modes=(first, second), fields=fields, limits=limits)


def jumps_since(survey: Survey, responses: Responses, *, limits: Limits) -> pd.DataFrame:
    """Compare the ranked measure's change since the declared earlier wave with the other areas'; weights as declared.

    Raises
    ------
    SatisfactionError
        Where either wave cannot be estimated (yet), or the two may not be compared.
    """
    earlier = read_survey(survey.folder / str(survey.declared.fieldwork.earlier))
    measure = survey.questionnaire.ranked
    require_comparable(comparability(survey.questionnaire, earlier.questionnaire, measure))
    later, before = _ranked(survey, responses), _ranked(earlier, load_responses(earlier))
    return jumps(change(later, before).table, county=later.by[0], limits=limits)


def _ranked(survey: Survey, responses: Responses) -> Estimates:
    estimates = estimate_areas(survey, weigh(survey, base_design(survey, responses)))
    return next(iter(estimates.values())).of(survey.questionnaire.ranked)


def beside(
    survey: Survey, responses: Responses, rows: pd.DataFrame, *, fields: Fields, limits: Limits
) -> tuple[list[pd.DataFrame], dict[str, SatisfactionError]]:
    """Run what survey.yaml declares under `fieldwork`; a comparison of waves that is not possible yet says why."""
    declared, found, reasons = survey.declared.fieldwork, [], dict[str, SatisfactionError]()
    if declared.backcheck is not None:
        found.append(back_checks(survey, rows, fields=fields, limits=limits))
    if declared.modes is not None and survey.questionnaire.topics:
        found.append(mode_gaps(survey, rows, fields=fields, limits=limits))
    if declared.earlier is not None:
        try:
            found.append(jumps_since(survey, responses, limits=limits))
        except SatisfactionError as reason:  # a wave in the field may lack strata that its weights need
            reasons["jump"] = reason
    return found, reasons
