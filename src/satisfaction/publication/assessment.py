"""tests.csv and reliability.csv: what survey.yaml declares under `tests`, each row with its null, df, method and multiplicity.

Everything here is of the whole sample or of areas; no respondent stands in it, and interviewers stand under pseudonyms. A
group with fewer answers than the suppression rule allows is not tested; areas it withholds have rows without figures.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.collection.identifiers import pseudonyms
from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import NO_TESTS, Testing
from satisfaction.estimation.change import NULL, change
from satisfaction.estimation.contingency import rao_scott
from satisfaction.estimation.group_tests import rank_test, t_test
from satisfaction.estimation.hypothesis_tests import HypothesisTest
from satisfaction.estimation.multiplicity import holm
from satisfaction.estimation.pairs import against_rest, all_pairs
from satisfaction.estimation.regression import regression
from satisfaction.estimation.reliability import (
    IntraclassCorrelation,
    intraclass_correlation,
    reliability,
)
from satisfaction.foundation.errors import EstimatesError, SatisfactionError
from satisfaction.foundation.language import Text, _, use
from satisfaction.pipeline import Results
from satisfaction.publication.columns import COLUMNS
from satisfaction.publication.labels import (
    labelled,
    mark,
    names_of_scores,
    twelve_digits,
    whole_code,
)

FEWEST_GROUPS = 2
MOST_GROUPS = 6
KNOWN_OF_MOST = 0.9  # of the respondents, for an item to make groups
TESTS = [
    *("test", "measure", "measure_zh", "measure_en", "variable", "first", "second"),
    *("difference", "se"),
    *("statistic", "df", "ddf", "p", "p_adjusted", "multiplicity", "null", "method", "note"),
]
RELIABILITY = [
    *("part", "measure", "measure_zh", "measure_en", "item", "coefficient", "coefficient_low"),
    *("coefficient_high", "weighted_coefficient", "weighted_low", "weighted_high", "alpha_without"),
    *("df", "p", "p_adjusted", "multiplicity", "n", "null", "method", "note"),
]
OF_DIFFERENCE = ("difference", "se", "df", "p")
NO_NULL = _("none: estimated, not tested")
NO_TEST = _("a coefficient with its limits; no test")
Row = dict[str, Any]


@use(None)
def assessment_tables(results: Results) -> dict[str, pd.DataFrame]:
    """Return the tables that `tests` of survey.yaml asks for, by file name; where it is not declared, the usual ones.

    Without a probability sample nothing can be tested, and there is none.

    Parameters
    ----------
    results : Results
    """
    survey = results.survey
    declared = survey.declared.tested
    if declared == NO_TESTS:
        return {}
    groups = groups_tested(results)
    rows: list[Row] = []
    if declared.pairs and results.ranking.ranks_any:
        rows += _pairs(results)
    if declared.against_rest and results.ranking.ranks_any:
        for measure in measures_tested(results):
            rows += _adjusted(list(_rest(results, measure)))
    for family in _changes(results):
        rows += _adjusted(family)
    for family in _families(results, declared, groups):
        rows += _adjusted(family)
    tables = {
        "tests": _published(survey, rows, TESTS),
        "reliability": _published(survey, list(_reliability(results, declared)), RELIABILITY),
    }
    return {name: table for name, table in tables.items() if len(table)}


def groups_tested(results: Results) -> list[str]:
    """Return the items that part respondents into the groups that are compared.

    As declared; by default single items without scores, known of nine in ten, with two to six answers. An item with a group
    below the suppression rule's least number of answers is left out.
    """
    survey = results.survey
    questionnaire = survey.questionnaire
    declared = survey.declared.tested
    people = results.responses.accepted
    rule = survey.rules.suppression
    fewest = rule.minimum_n if rule else 1
    chosen = []
    candidates = questionnaire.items_of(SingleItem)
    if declared.groups is not None:
        candidates = declared.groups
    for name in candidates:
        answers = questionnaire.answers(name)
        sizes = people.loc[people[name].isin(list(answers)), name].value_counts()
        fits = FEWEST_GROUPS <= len(sizes) <= MOST_GROUPS and sizes.sum() >= KNOWN_OF_MOST * len(
            people
        )
        scored = any(
            answer.score is not None or answer.counts is not None for answer in answers.values()
        )
        structural = name == questionnaire.roles.area or name in questionnaire.eligibility
        by_default = fits and not scored and not structural
        if (by_default or declared.groups is not None) and sizes.min() >= fewest:
            chosen.append(name)
    return chosen


def measures_tested(results: Results) -> list[str]:
    """Return the measures that are tested: as declared, by default the ranked one, or else the first of persons."""
    questionnaire = results.survey.questionnaire
    declared = results.survey.declared.tested
    if declared.measures is not None:
        return [name for name in declared.measures if name in results.design.measures]
    candidates = [questionnaire.ranked, *questionnaire.indices, *questionnaire.rates]
    of_persons = [name for name in candidates if name in results.design.measures]
    return of_persons[:1]


def _pairs(results: Results) -> Iterator[Row]:
    """Compare all areas of the ranked level in the ranked measure."""
    compared = all_pairs(results.ranked)
    tested = int(compared.table["p"].notna().sum())
    conventions = compared.conventions
    of_all = {
        "test": "pair",
        "measure": conventions["measure"],
        "variable": results.area,
        "multiplicity": _("Holm over {n} tests", n=tested).both,
        **_conventions(conventions),
    }
    for row in compared.table.to_dict("records"):
        pair = {"first": str(row["area"]), "second": str(row["other"])}
        yield of_all | pair | _of_difference(row) | {"p_adjusted": row["p_holm"]}


def _rest(results: Results, measure: str) -> Iterator[Row]:
    """Compare every area of the ranked level with all others together."""
    head: Row = {"test": "rest", "measure": measure, "variable": results.area}
    try:
        compared = against_rest(results.design, measure, by=results.area)
    except EstimatesError as fault:
        yield head | {"note": _told(fault)}
        return
    head |= _conventions(compared.conventions)
    estimates = results.estimates[results.area].of(measure).table
    notes = dict(zip(estimates[results.area].astype(str), estimates["note"], strict=True))
    withheld = set(estimates.loc[estimates["estimate"].isna(), results.area].astype(str))
    for row in compared.table.to_dict("records"):
        code = str(row["area"])
        if code in withheld:
            yield head | {"first": code, "note": notes[code]}
        else:
            yield head | {"first": code} | _of_difference(row)


def _changes(results: Results) -> Iterator[list[Row]]:
    """Yield the changes since the wave before: a family of all areas, then all together."""
    before = results.wave_before
    if before is None:
        return
    survey = results.survey
    measure = survey.questionnaire.ranked
    head: Row = {"test": "change", "measure": measure, "second": before.earlier.wave}
    whole = survey.whole()
    families = {results.area: None, whole: whole_code(survey)}
    for level, code in families.items():
        of_level = head | {"variable": level}
        fault = before.computed.fault
        if fault:
            yield [of_level | {"note": fault.both}]
            continue
        later = results.estimates[level].of(measure)
        try:
            earlier = before.computed.estimates[level].of(measure)
            moved = change(later, earlier)
        except (SatisfactionError, KeyError) as fault_of_change:
            yield [of_level | {"note": _told(fault_of_change)}]
            continue
        of_level |= {"null": NULL, "method": moved.conventions["test"]}
        rows = []
        for row in moved.table.to_dict("records"):
            area = code or str(row[results.area])
            rows.append(of_level | {"first": area} | _of_difference(row))
        yield rows


def _of_difference(row: dict[Any, Any]) -> Row:
    figures: Row = {name: row[name] for name in OF_DIFFERENCE}
    return figures | {"statistic": row["t"]}


def _conventions(conventions: Mapping[str, Any]) -> Row:
    return {"null": conventions["null"], "method": conventions["test"]}


def _told(fault: Exception) -> str:
    """Return what a row says in place of figures."""
    if isinstance(fault, SatisfactionError):
        return Text(f"{fault.code} {fault.zh}", f"{fault.code} {fault.en}").both
    return _("the wave before has no such level").both


def _families(results: Results, declared: Testing, groups: list[str]) -> Iterator[list[Row]]:
    """Yield the tests of groups, a family each that is adjusted together: means, ranks, independence, regression."""
    design = results.design
    measures = measures_tested(results)
    answers = results.responses.accepted
    pairs = [group for group in groups if answers[group].nunique() == FEWEST_GROUPS]
    rates = [name for name in results.survey.questionnaire.rates if name in design.measures]
    yield _family("means", measures, pairs, compute=partial(t_test, design))
    yield _family("ranks", measures, groups, compute=partial(rank_test, design))
    yield _family(
        "independence", rates, groups, compute=lambda rate, group: rao_scott(design, group, rate)
    )
    if groups and declared.regression:
        for measure in measures:
            yield from _regression(results, measure, groups)


def _family(
    test: str,
    measures: Iterable[str],
    groups: Iterable[str],
    *,
    compute: Callable[[str, str], HypothesisTest],
) -> list[Row]:
    """Carry out one test of every measure and group; where it is impossible the row says why."""
    rows = []
    for measure, group in itertools.product(measures, groups):
        head: Row = {"test": test, "measure": measure, "variable": group}
        try:
            rows.append(head | _figures(compute(measure, group)))
        except EstimatesError as fault:
            rows.append(head | {"note": _told(fault)})
    return rows


def _figures(done: HypothesisTest) -> Row:
    figures = done.table.iloc[0].to_dict()
    row = {name: figures.get(name, np.nan) for name in (*OF_DIFFERENCE, "ddf")}
    row["statistic"] = figures.get("statistic", figures.get("t", np.nan))
    return row | _conventions(done.conventions)


def _regression(results: Results, measure: str, groups: list[str]) -> Iterator[list[Row]]:
    """Regress a measure on all groups at once: a family of coefficients, and one of joint tests."""
    try:
        fit = regression(results.design, measure, groups, categorical=groups)
        joint = {group: fit.joint_test(group) for group in groups}
    except EstimatesError as fault:
        variables = " ".join(groups)
        row = {"test": "regression", "measure": measure, "variable": variables}
        yield [row | {"note": _told(fault)}]
        return
    head = {"test": "coefficient", "measure": measure, **_conventions(fit.conventions)}
    coefficients = []
    table = fit.table.rename(columns={"estimate": "difference"})
    for row in table.iloc[1:].to_dict("records"):
        group, _equals, level = str(row["term"]).partition("=")
        baseline = str(fit.conventions["baseline"][group])
        compared = {"variable": group, "first": baseline, "second": level}
        coefficients.append(head | compared | _of_difference(row))
    yield coefficients
    yield _family("joint", [measure], groups, compute=lambda _measure, group: joint[group])


def _adjusted(family: list[Row]) -> list[Row]:
    """Adjust the p-values of a family after Holm."""
    p = np.array([row.get("p", np.nan) for row in family], dtype=float)
    adjusted = holm(p)
    words = _("Holm over {n} tests", n=int(np.isfinite(p).sum())).both
    rows = []
    for row, value in zip(family, adjusted, strict=True):
        rows.append(row | {"p_adjusted": value, "multiplicity": words})
    return rows


def _reliability(results: Results, declared: Testing) -> Iterator[Row]:
    """Assess the items of every index of persons, and how alike answers to one interviewer are."""
    questionnaire = results.survey.questionnaire
    level = results.survey.declared.level
    if not declared.reliability:
        return
    for name, index in questionnaire.indices.items():
        if index.level == "person":
            yield from _consistency(results, name, level)
    by = questionnaire.roles.interviewer
    if by is None or results.responses.accepted[by].dropna().nunique() < FEWEST_GROUPS:
        return
    of_all: list[Row] = []
    of_each: list[Row] = []
    for measure in measures_tested(results):
        head: Row = {"part": "interviewers", "measure": measure, "item": by}
        try:
            alike = intraclass_correlation(results.design, measure, by=by, level=level)
        except EstimatesError as fault:
            of_all.append(head | {"note": _told(fault)})
            continue
        figures = {
            "coefficient": alike.rho,
            "coefficient_low": alike.ci_low,
            "coefficient_high": alike.ci_high,
            "df": alike.df_between,
            "p": alike.p,
            "n": alike.respondents,
            "null": alike.conventions["null"],
            "method": alike.conventions["method"],
        }
        of_all.append(head | figures)
        of_each += _interviewers(results, alike)
    yield from _adjusted(of_all)
    yield from of_each


def _interviewers(results: Results, alike: IntraclassCorrelation) -> Iterator[Row]:
    """Return what the correlation would be without each interviewer, who stands under a pseudonym."""
    rule = results.survey.rules.suppression
    fewest = rule.minimum_n if rule else 1
    codes = results.responses.accepted[alike.by].dropna().unique()
    names = pseudonyms((str(code) for code in codes), alike.by)
    for row in alike.table.to_dict("records"):
        if row["n"] >= fewest:
            yield {
                "part": "interviewer",
                "measure": alike.measure,
                "item": names[str(row[alike.by])],
                "coefficient": row["rho_without"],
                "n": row["n"],
                "multiplicity": NO_TEST.both,
                "null": NO_NULL.both,
                "method": _("intraclass correlation without this interviewer").both,
            }


def _consistency(results: Results, index: str, level: float) -> Iterator[Row]:
    """Return alpha of an index, then a row an item: its correlation with the others, alpha without it."""
    try:
        assessed = reliability(results.design, results.survey.questionnaire, index, level=level)
    except EstimatesError as fault:
        yield {"part": "index", "measure": index, "note": _told(fault)}
        return
    method = {"null": assessed.conventions["null"], "method": assessed.conventions["method"]}
    yield method | {
        "multiplicity": NO_TEST.both,
        "part": "index",
        "measure": index,
        "coefficient": assessed.alpha,
        "coefficient_low": assessed.alpha_low,
        "coefficient_high": assessed.alpha_high,
        "weighted_coefficient": assessed.weighted_alpha,
        "weighted_low": assessed.ci_low,
        "weighted_high": assessed.ci_high,
        "df": assessed.df,
        "n": assessed.complete,
    }
    for row in assessed.table.to_dict("records"):
        yield {
            "part": "item",
            "measure": index,
            "item": row["item"],
            "coefficient": row["item_total"],
            "weighted_coefficient": row["weighted_item_total"],
            "alpha_without": row["alpha_without"],
            "n": assessed.complete,
            "multiplicity": NO_TEST.both,
            "null": NO_NULL.both,
            "method": _("correlation with the sum of the other items").both,
        }


def _published(survey: Survey, rows: list[Row], columns: list[str]) -> pd.DataFrame:
    """Put rows into the columns of a file, with survey, wave, labels and mark; texts that are missing are empty."""
    table = pd.DataFrame(rows).reindex(columns=columns)
    table = labelled(table, names_of_scores(survey), key="measure", into="measure")
    for name in columns:
        if COLUMNS[name].type == "string":
            table[name] = table[name].astype(object).fillna("")
        else:
            numbers = table[name].astype(float)
            table[name] = numbers.where(np.isfinite(numbers))
    if "n" in table:
        table["n"] = table["n"].astype("Int64")
    table = table.assign(survey=survey.name, wave=survey.declared.wave, mark=mark(survey))
    return twelve_digits(table[["survey", "wave", *columns, "mark"]])
