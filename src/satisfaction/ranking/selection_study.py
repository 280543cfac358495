"""What can be said of a wave whose respondents were not drawn: estimates under the declared model, sensitivity, answering odds.

Nothing of it enters the estimates, their ranking or its list; it stands beside them under its own name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.checks import area_margins
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.open_samples import (
    NO_BOUND,
    PHI_COLUMNS,
    TOO_FEW,
    DrawnPeople,
    OpenSample,
    drawn_people,
    estimates_by_method,
    figures_under_model,
    lay_out_open_sample,
    lay_over_people,
    model_figures,
    sensitivity_figures,
)
from satisfaction.estimation.result import Estimates, area_coefficients
from satisfaction.estimation.selection_model import ModelEstimates, SelectionMethod
from satisfaction.foundation.engines import fetch, one_blas_thread
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import NOTHING, Text, _
from satisfaction.ranking.answering_odds import AnsweredSums, crossing_odds, sums_by_area
from satisfaction.ranking.area_rankings import may_be_ranked
from satisfaction.ranking.rank import Ranking
from satisfaction.sampling.design import SampleDesign

PART_MISSING = _("a part of this index has no figure")
NOBODY_DRAWN = _("the reference wave has no respondents here")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnReference(Brief):
    """A wave that was drawn, in the place of margins: its respondents with their final weights.

    Attributes
    ----------
    survey : Survey
    level : str
        Column of the areas that are ranked.
    by : tuple of str
        Items that both waves asked.
    people : DrawnPeople
        With an answer to all of these; areas and answers as text.
    left_out : int
        Respondents without an answer to one of these.
    read : dict of str to str
        SHA-256 of its response files, by path.
    """

    survey: Survey
    level: str
    by: tuple[str, ...]
    people: DrawnPeople
    left_out: int = 0
    read: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, survey: Survey, reference: Survey, design: SampleDesign, *, read: Mapping[str, str]
    ) -> DrawnReference:
        """Take the respondents of `reference`, whose design has its final weights, as the population of `survey`."""
        model = survey.declared.selection_model
        assert model is not None
        by = tuple(model.by or ())
        level = survey.ranked_level
        columns = [level, *by]
        people = drawn_people(design, columns)
        table = people.table[columns].apply(_as_text)
        complete = table.notna().all(axis=1).to_numpy()
        answered = replace(people, table=table).within(complete)
        left_out = int((~complete).sum())
        return cls(reference, level, by, answered, left_out, read)

    def laid_under(
        self, respondents: pd.DataFrame, measures: Sequence[str], areas: Sequence[str]
    ) -> OpenSample | Text:
        """Lay respondents of some areas over the people who were drawn there; or say why not."""
        area = self.people.table[self.level]
        inside = area.isin(areas).to_numpy()
        if not inside.any():
            return NOBODY_DRAWN
        by = list(self.by)
        if len(areas) > 1:
            by.insert(0, self.level)
        return lay_over_people(respondents, measures, self.people.within(inside), by=by)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SelectionStudy(Brief):
    """Tables of a wave without a sample design.

    Attributes
    ----------
    models : DataFrame
        A row a level, area, measure and method: level, code, measure, model, estimate_model, se_model, ci_model_low,
        ci_model_high, n, note. No rows without a declared model.
    sensitivity : DataFrame
        A row a level, area and measure: level, code, measure, estimate_answered, phi_0, phi_05, phi_1, proxy_correlation, n,
        note. No rows without margins by area.
    odds : DataFrame
        A row a ranked area, in rank order: code, measure, listed, satisfied_share, odds_alone, odds_alike.
        No rows where nothing says who is satisfied, or nothing is ranked.
    reference : DrawnReference or None
        The wave that stands for the population, where one is declared.
    """

    models: pd.DataFrame
    sensitivity: pd.DataFrame
    odds: pd.DataFrame
    reference: DrawnReference | None = None


@one_blas_thread
def study_selection(
    survey: Survey,
    design: SampleDesign,
    estimates: Mapping[str, Estimates],
    *,
    ranking: Ranking,
    reference: DrawnReference | None = None,
) -> SelectionStudy | None:
    """Study who answered, where nobody was drawn; None for a probability sample.

    Parameters
    ----------
    survey : Survey
    design : SampleDesign
        With its weights, which the answering odds use; models and sensitivity take every respondent once.
    estimates : mapping of Estimates
        By level, as published: what is withheld there has no figure here.
    ranking : Ranking
    reference : DrawnReference, optional
        What the model takes for the population, in place of margins.
    """
    if survey.declared.selection == "probability":
        return None
    people = _people(survey, design)
    models: list[dict[str, Any]] = []
    sensitivities: list[dict[str, Any]] = []
    for level, of_level in estimates.items():
        for code in _codes(level, of_level):
            area = _Area.of(survey, people, level, code=code, reference=reference)
            if area is None:
                continue
            models += area.models(survey)
            sensitivities += area.sensitivity(survey)
    return SelectionStudy(
        _without_withheld(pd.DataFrame(models), estimates),
        _without_withheld(pd.DataFrame(sensitivities), estimates),
        odds_of_areas(survey, people, estimates[survey.ranked_level], ranking=ranking),
        reference,
    )


@dataclass(frozen=True, slots=True)
class _People:
    """Respondents with weight: areas and items as text, measures with missing where not valid."""

    table: pd.DataFrame
    measures: tuple[str, ...]
    weight: np.ndarray
    ranked_level: str


def _people(survey: Survey, design: SampleDesign) -> _People:
    measures = tuple(design.measures)
    columns = [*survey.area_levels()]
    for margin in area_margins(survey.declared, survey.questionnaire.roles.area):
        columns += survey.declared.margins[margin].by
    model = survey.declared.selection_model
    if model is not None:
        columns += model.by or ()
    columns = list(dict.fromkeys(columns))
    wanted = [*columns]
    for measure in design.measures.values():
        wanted += [measure.valid_column, measure.score_column]
    rows = fetch(design.rows().select(*wanted))
    weight = design.weights
    table = rows[columns].apply(_as_text)
    for name, measure in design.measures.items():
        score = rows[measure.score_column].to_numpy(float) / measure.unit
        valid = rows[measure.valid_column] == 1
        table[name] = np.where(valid, score, np.nan)
    answered = weight > 0
    table = table[answered].reset_index(drop=True)
    return _People(table, measures, weight[answered], survey.ranked_level)


def _as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return codes as the margins have them: text, whole numbers without a point."""
    texts = {}
    for value in values.dropna().unique():
        texts[value] = value
        if not isinstance(value, str):
            texts[value] = f"{value:.0f}"
    return values.map(texts).astype(object)


def _codes(level: str, of_level: Estimates) -> list[str]:
    if not of_level.by:
        return [""]
    return [str(code) for code in of_level.table[level].unique()]


@dataclass(frozen=True, slots=True)
class _Area:
    """One area's respondents laid over its margins, or why they cannot be."""

    level: str
    code: str
    measures: tuple[str, ...]
    people: pd.DataFrame
    sample: OpenSample | Text

    @classmethod
    def of(
        cls,
        survey: Survey,
        people: _People,
        level: str,
        *,
        code: str,
        reference: DrawnReference | None,
    ) -> _Area | None:
        """Take the respondents and residents of one area: of the ranked areas in it that have respondents."""
        table = people.table
        if code:
            table = table[table[level] == code].reset_index(drop=True)
        areas = list(table[people.ranked_level].dropna().unique())
        margins = _margins_of(survey, areas)
        if not len(table) or (reference is None and not margins):
            return None
        sample: OpenSample | Text
        try:
            if reference is None:
                sample = lay_out_open_sample(table, people.measures, margins)
            else:
                sample = reference.laid_under(table, people.measures, areas)
        except EstimatesError as fault:
            return cls(level, code, people.measures, table, fault.text)
        return cls(level, code, people.measures, table, sample)

    def _row(self, measure: str) -> dict[str, Any]:
        return {"level": self.level, "code": self.code, "measure": measure}

    def _n(self, measure: str) -> int:
        return int(self.people[measure].notna().sum())

    def models(self, survey: Survey) -> list[dict[str, Any]]:
        """Return the figures of every measure, and of the indices made from them, under every declared method."""
        model = survey.declared.selection_model
        if model is None:
            return []
        level = survey.declared.level
        found: Mapping[SelectionMethod, ModelEstimates | Text]
        if isinstance(self.sample, Text):
            found = dict.fromkeys(model.methods, self.sample)
        else:
            found = estimates_by_method(self.sample, model.methods)
        rows = []
        for method, of_method in found.items():
            for position, measure in enumerate(self.measures):
                if isinstance(self.sample, Text):
                    n = self._n(measure)
                    figures = figures_under_model(np.nan, np.nan, n, level=level, note=self.sample)
                else:
                    figures = model_figures(self.sample, of_method, position, level=level)
                rows.append(self._row(measure) | {"model": method} | figures)
            for index, weights in _area_indices(survey.questionnaire, self.measures):
                figures = self._index_under_model(of_method, weights, level)
                rows.append(self._row(index) | {"model": method} | figures)
        return rows

    def _index_under_model(
        self, estimates: ModelEstimates | Text, weights: np.ndarray, level: float
    ) -> dict[str, Any]:
        """Return the figures of an index, `weights` being those of the measures in it."""
        parts = np.flatnonzero(weights)
        n = min(self._n(self.measures[part]) for part in parts)
        mean = se = np.nan
        note = NOTHING
        if isinstance(estimates, Text):
            note = estimates
        elif isinstance(self.sample, OpenSample) and n <= self.sample.x.shape[1]:
            note = TOO_FEW
        else:
            of_parts = weights[parts]
            cov = estimates.cov[np.ix_(parts, parts)]
            mean = float(of_parts @ estimates.mean[parts])
            variance = of_parts @ cov @ of_parts
            se = float(np.sqrt(variance))
        return figures_under_model(mean, se, n, level=level, note=note)

    def sensitivity(self, survey: Survey) -> list[dict[str, Any]]:
        """Return the sensitivity of every measure, and of the indices made from them, all parts at the same phi."""
        rows = []
        if isinstance(self.sample, Text):
            for measure in self.measures:
                figures = {"n": self._n(measure), "note": self.sample}
                rows.append(self._row(measure) | figures)
            return rows
        fitted = self.sample.propensities("calibrated")
        for position, measure in enumerate(self.measures):
            found = self.sample.sensitivity(position, fitted)
            figures = sensitivity_figures(self.sample, found, position)
            rows.append(self._row(measure) | figures)
        parts = pd.DataFrame(rows)
        shown = ["estimate_answered", *PHI_COLUMNS]
        for index, weights in _area_indices(survey.questionnaire, self.measures):
            inside = weights != 0
            of_parts = parts[inside]
            together = weights[inside] @ of_parts[shown].to_numpy(float)
            figures = dict(zip(shown, together, strict=True))
            figures["proxy_correlation"] = np.nan
            figures["n"] = int(of_parts["n"].min())
            note = NOTHING
            if not np.isfinite(together[1]):
                note = PART_MISSING
            elif not np.isfinite(together).all():
                note = NO_BOUND
            figures["note"] = note
            rows.append(self._row(index) | figures)
        return rows


def _area_indices(
    questionnaire: Questionnaire, measures: Sequence[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the indices of level `area` with the weight of every measure in them."""
    for name, index in questionnaire.indices.items():
        if index.level == "area":
            yield name, area_coefficients(index, list(measures), questionnaire)


def _margins_of(survey: Survey, ranked_areas: Sequence[str]) -> dict[Any, dict[Any, float]]:
    """Return the margins of some ranked areas together: by the items, and by these areas where there are several."""
    item = survey.questionnaire.roles.area
    margins: dict[Any, dict[Any, float]] = {}
    for name in area_margins(survey.declared, item):
        table = survey.margins[name]
        inside = table[table[item].isin(ranked_areas)]
        if len(ranked_areas) > 1 and not margins:
            margins[item] = _populations(inside, item)
        others = [column for column in survey.declared.margins[name].by if column != item]
        if len(others) > 1:
            margins[tuple(others)] = _populations(inside, others)
        else:
            margins[others[0]] = _populations(inside, others[0])
    return margins


def _populations(table: pd.DataFrame, by: str | list[str]) -> dict[Any, float]:
    """Add the population of a table up by levels of some columns."""
    population = table.groupby(by)["population"].sum()
    return dict(population.items())


def _without_withheld(table: pd.DataFrame, estimates: Mapping[str, Estimates]) -> pd.DataFrame:
    """Blank figures of what is not published: where the estimate itself is missing, with its note."""
    if not len(table):
        return table
    notes = {}
    for level, of_level in estimates.items():
        published = of_level.table
        codes = [""] * len(published)
        if of_level.by:
            codes = [str(code) for code in published[of_level.by[0]]]
        for row, code in zip(published.itertuples(), codes, strict=True):
            if pd.isna(row.estimate):
                notes[level, code, row.measure] = str(row.note)
    keys = list(zip(table["level"], table["code"], table["measure"], strict=True))
    withheld = np.array([key in notes for key in keys])
    table = table.assign(
        note=[notes.get(key, note) for key, note in zip(keys, table["note"], strict=True)]
    )
    figures = list(table.select_dtypes("float"))
    table.loc[withheld, figures] = np.nan
    return table


def satisfied_by(survey: Survey) -> str | None:
    """Return the rate that says who is satisfied: the ranked one itself, else the overall judgement; None without one."""
    questionnaire = survey.questionnaire
    if questionnaire.ranked in questionnaire.rates:
        return questionnaire.ranked
    return survey.overall


def odds_of_areas(
    survey: Survey, people: _People, ranked: Estimates, *, ranking: Ranking
) -> pd.DataFrame:
    """Ask for every ranked area at which answering odds of the satisfied it would leave or enter the list."""
    rate = satisfied_by(survey)
    if rate is None or not ranking.ranks_any:
        return pd.DataFrame()
    level = survey.ranked_level
    measure = survey.questionnaire.ranked
    of_measure = ranked.of(measure)
    codes = of_measure.table[level].astype(str).to_numpy()
    known = of_measure.table["estimate"].notna().to_numpy()
    takes_part = known & may_be_ranked(of_measure, survey.rules.ranking)
    codes = codes[takes_part]
    if len(codes) < 2:
        return pd.DataFrame()
    sums = answered_sums(survey, people, codes, rate=rate)
    rules = survey.rules.ranking
    crossing = crossing_odds(sums, rules.list_size, side=rules.side)
    table = pd.DataFrame({"code": codes, "measure": measure, "satisfied_share": sums.satisfied})
    table["odds_alone"] = crossing.alone
    table["odds_alike"] = crossing.alike
    published = ranking.table.set_index("unit").loc[codes]
    table["rank"] = published["rank"].to_numpy(float)
    listed = np.isin(codes, ranking.summary.listed)
    table["listed"] = np.where(listed, "yes", "no")
    # rounding before ranking, or a tie at the cut, may list an area that its score as estimated does not
    differs = listed != crossing.listed
    table.loc[differs, ["odds_alone", "odds_alike"]] = np.nan
    return table.sort_values("rank", kind="stable").reset_index(drop=True)


def answered_sums(
    survey: Survey, people: _People, codes: Sequence[str], *, rate: str
) -> AnsweredSums:
    """Sum weights and answers of every area by whether people are satisfied."""
    questionnaire = survey.questionnaire
    ranked = questionnaire.ranked
    measures = [ranked]
    coefficients = np.ones(1)
    if ranked not in people.measures:
        every = list(people.measures)
        of_all = area_coefficients(questionnaire.indices[ranked], every, questionnaire)
        measures = [name for name, weight in zip(every, of_all, strict=True) if weight]
        coefficients = of_all[of_all != 0]
    position = {code: place for place, code in enumerate(codes)}
    area = people.table[survey.ranked_level].map(position).fillna(-1).to_numpy(int)
    inside = area >= 0
    satisfied = (people.table[rate] > 0.5).to_numpy(int)
    area = area[inside]
    values = people.table.loc[inside, measures].to_numpy(float)
    weight = people.weight[inside]
    sums = sums_by_area(
        area, satisfied[inside], weight, values=values, coefficients=coefficients, areas=len(codes)
    )
    respondents = np.bincount(area, minlength=len(codes))
    return replace(sums, fraction=_fraction(survey, respondents, codes))


def _fraction(survey: Survey, respondents: np.ndarray, codes: Sequence[str]) -> np.ndarray:
    """Return respondents over residents of every area; 0 where margins do not tell, at most 1."""
    item = survey.questionnaire.roles.area
    names = area_margins(survey.declared, item)
    if not names:
        return np.zeros(len(codes))
    residents = survey.margins[names[0]].groupby(item)["population"].sum().reindex(list(codes))
    share = respondents / residents.to_numpy(float)
    return np.asarray(np.clip(np.nan_to_num(share, posinf=0.0), 0.0, 1.0))
