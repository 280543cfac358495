"""From a survey folder to results: reads as the methodology, holds no formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .design import SurveyDesign
from .engines import Engine, hold, materialize, scan
from .estimates import Estimates, estimate
from .index import add_area_indices
from .measures import add_columns, compile_measures, stored
from .questionnaire import AreaItem, SingleItem
from .ranking import Ranking, rank
from .responses import Responses, load_responses
from .survey import CalibrationStep, Survey
from .tally import tally
from .weights import Margins, base_weights, calibrate, margin_targets


@dataclass(frozen=True, slots=True)
class Results:
    """Everything one wave yields.

    Attributes
    ----------
    survey : Survey
    responses : Responses
    design : SurveyDesign
        With its calibration, if one is declared.
    estimates : dict of Estimates
        By level of area, the ranked level first, the whole last.
    ranking : Ranking
        Of the questionnaire's `ranked` measure at the first level.
    absent : tuple of str
        Steps and tables the survey does not declare, hence left out.
    """

    survey: Survey
    responses: Responses
    design: SurveyDesign
    estimates: dict[str, Estimates]
    ranking: Ranking
    absent: tuple[str, ...]

    @property
    def area(self) -> str:
        """Return the ranked level ('county')."""
        return next(iter(self.estimates))


def run(survey: Survey, *, engine: Engine = "duckdb") -> Results:
    """Run a survey from its files to its ranking.

    Raises
    ------
    SatisfactionError
        Whatever a stage refuses; nothing is written by any of them.
    """
    responses = load_responses(survey)
    design = weigh(survey, base_design(survey, responses, engine=engine))
    estimates = estimate_areas(survey, design)
    ranking = rank_areas(survey, estimates)
    return Results(survey, responses, design, estimates, ranking, tuple(absent_steps(survey)))


def base_design(survey: Survey, responses: Responses, *, engine: Engine = "duckdb") -> SurveyDesign:
    """Declare the sample design, with base weights and the questionnaire's measures, on an engine."""
    roles, weighted = survey.questionnaire.roles, has_base_weights(survey)
    respondents = responses.accepted
    if weighted:
        assert survey.sample is not None
        respondents = base_weights(respondents, survey.sample, str(roles.psu))
    measures = compile_measures(survey.questionnaire)
    table = materialize(add_columns(scan(hold(respondents, engine)), measures))
    return SurveyDesign(
        table,
        strata=roles.strata,
        psu=roles.psu or roles.respondent,
        base_weight="base_weight" if weighted else None,
        lonely_psu=survey.declared.lonely_psu,
        selection=survey.declared.selection,
        measures=stored(measures),
    )


def weigh(survey: Survey, design: SurveyDesign) -> SurveyDesign:
    """Carry out the declared calibration."""
    for step in survey.declared.weighting:
        if isinstance(step, CalibrationStep):
            margins: Margins = {tuple(survey.declared.margins[name].by): _targets(survey, name) for name in step.margins}
            design = calibrate(design, margins, method=step.method, tolerance=step.tolerance)
    return design


def estimate_areas(survey: Survey, design: SurveyDesign) -> dict[str, Estimates]:
    """Estimate every measure and index for each level of area, and for all together."""
    measures, level = list(design.measures), survey.declared.level
    counted = tally(design, measures, by=survey.area_levels())

    def at(by: str | None) -> Estimates:
        domains = survey.domain_values(by) if by else None
        return estimate(design, measures, by=by, level=level, domains=domains, counted=counted)

    found = {name: at(name) for name in survey.area_levels()} | {survey.whole(): at(None)}
    return {name: add_area_indices(one, survey.questionnaire) for name, one in found.items()}


def rank_areas(survey: Survey, estimates: dict[str, Estimates]) -> Ranking:
    """Rank the areas by the questionnaire's ranked measure, under the declared rules."""
    rules = survey.rules.ranking
    ranked = next(iter(estimates.values())).of(survey.questionnaire.ranked)
    large_enough = (ranked.table["n"] >= rules.minimum_n).to_numpy()
    return rank(ranked, level=rules.level, bottom=rules.list_size, ranked=large_enough)


def absent_steps(survey: Survey) -> Iterator[str]:
    """Name what the survey does not declare."""
    declared, roles = survey.declared, survey.questionnaire.roles
    for name, there in {
        "areas": declared.areas,
        "strata": roles.strata,
        "psu": roles.psu,
        "base weights": has_base_weights(survey),
        "margins": declared.margins,
        "calibration": len(declared.weighting) > has_base_weights(survey),
    }.items():
        if not there:
            yield name


def has_base_weights(survey: Survey) -> bool:
    """Return whether the survey declares a base step."""
    return any(step.step == "base" for step in survey.declared.weighting)


def _targets(survey: Survey, margin: str) -> dict[Any, float]:
    """Return a margin with its levels in the types of the respondents' columns."""
    columns = survey.declared.margins[margin].by
    table = survey.margins[margin]
    coded = {c: table[c].astype(int) for c in columns if isinstance(survey.questionnaire.items[c], SingleItem)}
    assert all(c in coded or isinstance(survey.questionnaire.items[c], AreaItem) for c in columns)
    return margin_targets(pd.DataFrame(table.assign(**coded)), columns)
