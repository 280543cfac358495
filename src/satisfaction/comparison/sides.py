"""The waves that stand side by side: in order of time, ranked by one measure, with PSUs that can be recognised again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from satisfaction.declarations.facts import period_of
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results, rank_areas
from satisfaction.publication.labels import mark
from satisfaction.ranking.waves import comparability, require_comparable


def read_in_order(folders: Sequence[str | Path]) -> list[Survey]:
    """Read surveys that are given in order of time, the oldest first.

    Raises
    ------
    RankingError
        K171 for a survey that is given twice, K172 for one that came before its predecessor, by dates of fielding or by name.
    SurveyError, QuestionnaireError, InputFileError
        As `read_survey`.
    """
    surveys = [read_survey(folder) for folder in folders]
    names = [one.name for one in surveys]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RankingError(
            "K171",
            _("Survey {twice} is given twice.", twice=twice),
            where=str(surveys[-1].folder),
            hint=_("One folder a wave, each with a name of its own in survey.yaml."),
        )
    for earlier, later in pairwise(surveys):
        if _came_before(later, earlier):
            raise RankingError(
                "K172",
                _(
                    "{later} ({later_wave}) came before {earlier} ({earlier_wave}); give the waves "
                    "oldest first.",
                    later=later.name,
                    later_wave=later.declared.wave,
                    earlier=earlier.name,
                    earlier_wave=earlier.declared.wave,
                ),
                where=str(later.folder),
                hint=_("Swap them: the older one first."),
            )
    return surveys


def _came_before(one: Survey, other: Survey) -> bool:
    """Whether a survey was fielded before another; where that is not declared, whether the name of its wave says so."""
    fielded = one.declared.fielded, other.declared.fielded
    if fielded[0] and fielded[1]:
        return fielded[0].start < fielded[1].start
    periods = period_of(one.declared.wave), period_of(other.declared.wave)
    if periods[0] and periods[1] and periods[0][0] == periods[1][0]:
        return periods[0][1] < periods[1][1]
    return False


def comparable_words(surveys: Sequence[Survey], measure: str) -> list[str]:
    """Say why each earlier wave may be compared with the last one.

    Raises
    ------
    RankingError
        K140 for a measure that one of them does not declare, K142 where they may not be compared.
    """
    last = surveys[-1].questionnaire
    found = [comparability(last, one.questionnaire, measure) for one in surveys[:-1]]
    return list(dict.fromkeys(require_comparable(one) for one in found))


def ranked_by(results: Results, measure: str) -> Results:
    """Return results whose ranking is by another measure, under the same rules."""
    if measure == results.survey.questionnaire.ranked:
        return results
    questionnaire = results.survey.questionnaire.model_copy(update={"ranked": measure})
    read = results.survey.as_read
    official = read and replace(
        read, questionnaire=questionnaire
    )  # another measure, as asked for, is no trial
    survey = replace(results.survey, questionnaire=questionnaire, as_read=official)
    first = replace(results.all_rankings[0], ranking=rank_areas(survey, results.estimates))
    return replace(results, survey=survey, all_rankings=(first, *results.all_rankings[1:]))


def estimates_of(results: Results, measure: str, *, level: str) -> Estimates:
    """Return the estimates of one measure at one level of areas; only declared PSUs can be recognised in another wave.

    Without PSUs the respondents take their place. Their numbers start anew in every wave, so that equal numbers are not the
    same person.
    """
    found = results.estimates[level].of(measure)
    if results.survey.questionnaire.roles.psu:
        return found
    units = found.contributions.units.add_suffix(f"@{results.survey.name}")
    return replace(found, contributions=replace(found.contributions, units=units))


def joint_mark(surveys: Sequence[Survey]) -> str:
    """Return what every row must say about the samples of several waves."""
    return "; ".join(dict.fromkeys(filter(None, map(mark, surveys))))
