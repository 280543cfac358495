"""The truth of a simulated wave: what the questionnaire's measures give when everybody is asked."""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import numpy as np
import pandas as pd
from tests.shipped_waves.answers import Population
from tests.shipped_waves.residents import PERSONS

from satisfaction.declarations.items import MultipleItem, option_column
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.result import area_coefficients
from satisfaction.foundation.engines import fetch, scan
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.measures import Measure, add_columns, aliased

COUNTY = "_county"
PEOPLE = "_people"


def true_values(population: Population, questionnaire: Questionnaire) -> pd.DataFrame:
    """Return the true value of every county and measure.

    Parameters
    ----------
    population : Population
    questionnaire : Questionnaire
        Its rates, topics and indices are evaluated.

    Returns
    -------
    DataFrame
        county, measure, value. Rates: share 0-1. Topics and indices: points 0-100.
    """
    measures = compile_measures(questionnaire)
    sums = _sums_by_county(population, questionnaire, measures)
    table = pd.DataFrame({"county": population.residents.facts.counties})
    for measure in measures:
        score = sums[measure.score_column] / measure.unit
        table[measure.name] = score / sums[measure.valid_column]
    names = [measure.name for measure in measures]
    of_persons = table[names].to_numpy()
    for name, index in questionnaire.indices.items():
        if index.level == "area":
            table[name] = of_persons @ area_coefficients(index, names, questionnaire)
    values = table.melt("county", var_name="measure")
    return values.sort_values("county", kind="stable", ignore_index=True)


def _sums_by_county(
    population: Population, questionnaire: Questionnaire, measures: Sequence[Measure]
) -> pd.DataFrame:
    """Sum valid flags and scores over the people of every county, in their order."""
    answers = population.answers
    table = pd.DataFrame({item: codes.ravel() for item, codes in answers.items()})
    table[COUNTY] = np.repeat(population.residents.county, PERSONS)
    table[PEOPLE] = population.residents.people.ravel()
    columns = []
    for item, declared in questionnaire.items.items():
        if item not in answers:
            continue
        code = nw.col(item)
        answered = code != 0
        if isinstance(declared, MultipleItem):  # bits of the options, or minus a special code
            for bit, option in enumerate(declared.options):
                chosen = nw.when(code > 0).then(code // 2**bit % 2)
                columns.append(chosen.alias(option_column(item, option)))
            answered = code < 0
            code = -code
        columns.append(nw.when(answered).then(code).alias(item))
    rows = add_columns(scan(table).with_columns(*columns), measures)
    names = []
    for measure in measures:
        names += [measure.valid_column, measure.score_column]
    of_people = {name: nw.col(name) * nw.col(PEOPLE) for name in names}
    rows = rows.with_columns(*aliased(of_people))
    sums = rows.group_by(COUNTY).agg(*[nw.col(name).sum() for name in names])
    return fetch(sums).astype(float).sort_values(COUNTY, ignore_index=True)
