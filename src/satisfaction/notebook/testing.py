"""Tables of the tests notebook: reliability, interviewers, differences between areas, waves and groups, beside the textbook's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.declarations.wave import Testing
from satisfaction.estimation.change import change
from satisfaction.estimation.group_tests import rank_test, t_test
from satisfaction.estimation.hypothesis_tests import HypothesisTest
from satisfaction.estimation.pairs import Comparisons
from satisfaction.estimation.regression import Regression
from satisfaction.estimation.reliability import (
    IntraclassCorrelation,
    Reliability,
    intraclass_correlation,
    reliability,
)
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.language import _, comma_list
from satisfaction.notebook.show import column_words, in_project
from satisfaction.notebook.weighting import answer_words, names_of_measures, values_of
from satisfaction.pipeline import Results
from satisfaction.publication.assessment import groups_tested
from satisfaction.publication.report.rows import level_label
from satisfaction.ranking.rank import Grades

NONE = "none"
ALPHA = ("alpha", "alpha_low", "alpha_high", "complete", "respondents")
WEIGHTED_ALPHA = ("weighted_alpha", "ci_low", "ci_high", "se", "df")
GRADES = ("number", "promised", "wrong", "ordered", "pairs", "price", "gap")
RHO = ("rho", "ci_low", "ci_high", "f", "df_between", "df_within", "p", "groups", "mean_workload", "deff")  # fmt: skip


def person_measures(results: Results) -> list[str]:
    """Return the measures that are values of persons: the ranked one first, indices, rates."""
    questionnaire = results.survey.questionnaire
    candidates = [questionnaire.ranked, *questionnaire.indices, *questionnaire.rates]
    return list(dict.fromkeys(name for name in candidates if name in results.design.measures))


def person_values(results: Results) -> pd.DataFrame:
    """Return the value of every measure (columns) of every respondent (rows), missing where it is not valid."""
    people = results.responses.accepted
    values = values_of(results.design, list(results.design.measures))
    return values.head(len(people)).set_axis(people.index)


def area_words(results: Results) -> dict[str, str]:
    """Return the names of areas by code."""
    return {code: str(name) for code, name in results.survey.area_names().items()}


def reliabilities(results: Results) -> dict[str, Reliability]:
    """Return Cronbach's alpha of every index that is a mean of persons' answers, by index."""
    questionnaire = results.survey.questionnaire
    level = results.survey.declared.level
    found = {
        name: reliability(results.design, questionnaire, name, level=level)
        for name, index in questionnaire.indices.items()
        if index.level == "person"
    }
    return found


def alphas(found: dict[str, Reliability]) -> pd.DataFrame:
    """Return one row an index: alpha of the respondents and of the population, each with its limits."""
    rows = []
    for name, one in found.items():
        figures = {key: getattr(one, key) for key in (*ALPHA, *WEIGHTED_ALPHA)}
        rows.append({"index": name} | figures)
    return pd.DataFrame(rows)


def items_with_total(found: dict[str, Reliability]) -> pd.DataFrame:
    """Return one row an index and item: means, item-total correlations, alpha without the item."""
    parts = [one.table.assign(index=name) for name, one in found.items()]
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True)


def interviewers_by_place(results: Results) -> pd.DataFrame:
    """Return how many interviewers work in each kind of place: level, places, per_place (mean), several (share of places).

    Empty where interviewers are not recorded, or there is one alone.
    """
    people = results.responses.accepted
    roles = results.survey.questionnaire.roles
    by = roles.interviewer
    if by is None or people[by].nunique() < 2:
        return pd.DataFrame()
    places = {roles.psu: [*roles.strata, roles.psu]} if roles.psu else {}
    places |= {name: [name] for name in results.survey.area_levels()}
    rows = []
    for name, keys in places.items():
        interviewers = people.groupby(keys)[by].nunique()
        row = {"level": name, "places": len(interviewers), "per_place": interviewers.mean()}
        rows.append(row | {"several": (interviewers > 1).mean()})
    return pd.DataFrame(rows)


def interviewer_correlations(results: Results) -> list[IntraclassCorrelation]:
    """Return the intraclass correlation of interviewers for every measure: as it is, and within the smallest place that has several.

    Empty where interviewers and places cannot be told apart.
    """
    places = interviewers_by_place(results)
    by = results.survey.questionnaire.roles.interviewer
    if by is None or not len(places) or not (places["several"] > 0).any():
        return []
    inside = places.loc[places["several"] > 0, "level"].iloc[0]
    level = results.survey.declared.level
    found = []
    for name in person_measures(results):
        for within in (None, inside):
            effect = intraclass_correlation(results.design, name, by=by, within=within, level=level)
            found.append(effect)
    return found


def interviewer_table(results: Results, effects: Sequence[IntraclassCorrelation]) -> pd.DataFrame:
    """Return one row a measure and place: rho with its limits, F test, workload, design effect; the measure in words."""
    labels = names_of_measures(results.survey)
    rows = []
    for effect in effects:
        within = ", ".join(effect.within) or str(_("none removed"))
        figures = {name: getattr(effect, name) for name in RHO}
        # a rate's correlation is no rate: its name would have it written so
        rows.append({"measure": labels[effect.measure], "within": within} | figures)
    return pd.DataFrame(rows)


def names_of_effects(results: Results, effects: Sequence[IntraclassCorrelation]) -> list[str]:
    """Return what the rows of `interviewer_table` are called in a picture."""
    labels = names_of_measures(results.survey)
    names = []
    for effect in effects:
        place = comma_list([level_label(results.survey, name) for name in effect.within])
        within = _("within {place}", place=place) if effect.within else _("none removed")
        names.append(f"{labels[effect.measure]} · {within}")
    return names


def farthest_interviewers(effect: IntraclassCorrelation) -> pd.DataFrame:
    """Return the groups of an intraclass correlation, those farthest from the mean of their place first; z is over chance."""
    table = effect.table.assign(
        z=effect.table["deviation"] / np.sqrt(effect.error / effect.table["n"])
    )
    order = table["z"].abs().argsort(kind="stable")[::-1]
    return table.iloc[order].reset_index(drop=True)


def level_with_fewest(results: Results) -> str | None:
    """Return the level of areas with the fewest areas, two at least; None without any."""
    people = results.responses.accepted
    for level in reversed(results.survey.area_levels()):
        if len(people[level].dropna().unique()) > 1:
            return level
    return None


def beside_pairs(design: pd.DataFrame, textbook: pd.DataFrame) -> pd.DataFrame:
    """Set Holm's p-values of pairs by the design beside those of a textbook, the textbook's smallest first.

    Parameters
    ----------
    design : DataFrame
        area, other, difference, p_holm.
    textbook : DataFrame
        As `pingouin.pairwise_tests` returns it.
    """
    adjusted = "p_corr" if "p_corr" in textbook else "p_unc"
    other = textbook.rename(columns={"A": "area", "B": "other", adjusted: "p_holm: pingouin"})
    other = other[["area", "other", "p_holm: pingouin"]]
    ours = design.astype({"area": str, "other": str})[["area", "other", "difference", "p_holm"]]
    table = ours.rename(columns={"p_holm": "p_holm: design"}).merge(other, on=["area", "other"])
    return table.sort_values("p_holm: pingouin", ignore_index=True)


def other_conclusions(rest: Comparisons, inner: Comparisons) -> pd.DataFrame:
    """Return the areas whose difference after Holm is another one beside the whole than within the area above.

    Parameters
    ----------
    rest, inner : Comparisons
        As `against_rest` returns them: beside all others; beside the others of the same area above.
    """
    whole = rest.table[["area", "difference", "p_holm"]]
    both = inner.table.merge(whole, on="area", suffixes=("", " (whole)"))
    limit = 1 - inner.conventions["level"]
    within = np.sign(both["difference"]) * (both["p_holm"] <= limit)
    beside = np.sign(both["difference (whole)"]) * (both["p_holm (whole)"] <= limit)
    differ = both[within != beside].sort_values("p_holm", ignore_index=True)
    columns = ["area", "within", "difference", "se", "df", "p_holm"]
    return differ[[*columns, "difference (whole)", "p_holm (whole)"]]


def earlier_wave(survey: Survey, previous: str = "") -> Survey | None:
    """Return the wave that a change is shown against; None without one that asked the same.

    Parameters
    ----------
    survey : Survey
    previous : str
        A folder; "" takes the wave before by name, "none" none.
    """
    if previous == NONE:
        return None
    folder = in_project(previous) if previous else _folder_before(survey.folder.resolve())
    if folder is None:
        return None
    earlier = read_survey(folder)
    if earlier.declared.questionnaire != survey.declared.questionnaire:
        return None
    return earlier


def _folder_before(here: Path) -> Path | None:
    stem = here.name.rpartition("-")[0]
    if not stem:
        return None
    beside = [path.parent for path in here.parent.glob(f"{stem}-*/survey.yaml")]
    before = sorted(path for path in beside if path.name < here.name)
    return before[-1] if before else None


def change_beside_independent(
    later: Estimates, earlier: Estimates
) -> tuple[Comparisons, pd.DataFrame]:
    """Return a change of waves, and its table beside errors that take the waves as independent.

    Parameters
    ----------
    later, earlier : Estimates

    Returns
    -------
    Comparisons
    DataFrame
        Its table, then se ignoring (shared PSUs), se ignoring / se; the smallest p first.
    """
    moved = change(later, earlier)
    table = moved.table.copy()
    keys = [name for name in (*later.by, "measure") if name in table]
    errors = [
        table[keys].merge(side.table[[*keys, "se"]], on=keys, how="left")["se"]
        for side in (later, earlier)
    ]
    table["se ignoring"] = np.sqrt(errors[0] ** 2 + errors[1] ** 2).to_numpy()
    table["se ignoring / se"] = table["se ignoring"] / table["se"]
    return moved, table.sort_values("p", kind="stable", ignore_index=True)


def group_items(results: Results) -> list[str]:
    """Return the items that part respondents into groups: as `tests` of survey.yaml says.

    Where it names none: single items without scores, known of nine in ten, with two to six answers.
    """
    survey = results.survey
    if survey.declared.tested.groups:
        return groups_tested(results)
    declared = survey.declared.model_copy(update={"tests": Testing()})
    return groups_tested(replace(results, survey=replace(survey, declared=declared)))


def groups_in_words(results: Results, groups: Sequence[str]) -> pd.DataFrame:
    """Return one row an item: its words, and its answers in words."""
    rows = []
    for name in groups:
        answers = comma_list(list(answer_words(results.survey, name).values()))
        rows.append({"variable": name, "answers": str(answers)})
    return pd.DataFrame(rows)


def mean_tests(
    results: Results, measures: Sequence[str], groups: Sequence[str]
) -> list[HypothesisTest]:
    """Return the t tests of measures between the two groups of every item that has two."""
    people = results.responses.accepted
    level = results.survey.declared.level
    found = []
    for group in groups:
        if people[group].nunique() == 2:
            found += [t_test(results.design, name, group, level=level) for name in measures]
    return found


def mean_test_table(results: Results, tests: Sequence[HypothesisTest]) -> pd.DataFrame:
    """Return one row a t test: measure, item, both groups' means and numbers, difference with its limits."""
    rows = []
    for test in tests:
        group = test.details.columns[0]
        answers = answer_words(results.survey, group)
        words = " → ".join(answers.get(code, str(code)) for code in test.details[group])
        row = {"measure": test.conventions["measure"], "variable": group, "groups": words}
        for place, (mean, n) in enumerate(test.details[["mean", "n"]].to_numpy(), 1):
            row |= {f"mean {place}": mean, f"n {place}": int(n)}
        rows.append(row | test.table.drop(columns="t").iloc[0].to_dict())
    return pd.DataFrame(rows)


def rank_tests(results: Results, measure: str, groups: Sequence[str]) -> dict[str, HypothesisTest]:
    """Return the rank test of a measure for every item: Wilcoxon for two groups, Kruskal-Wallis for several."""
    level = results.survey.declared.level
    return {name: rank_test(results.design, measure, name, level=level) for name in groups}


def rank_test_table(tests: dict[str, HypothesisTest]) -> pd.DataFrame:
    """Return one row a rank test: item, test, statistic, df, ddf, p, difference, se."""
    rows = []
    for name, test in tests.items():
        figures = test.table.rename(columns={"t": "statistic"}).iloc[0].to_dict()
        rows.append({"variable": name, "test": test.conventions["test"]} | figures)
    columns = ["variable", "test", "statistic", "df", "ddf", "p", "difference", "se"]
    return pd.DataFrame(rows).reindex(columns=columns)


def mean_ranks(results: Results, tests: dict[str, HypothesisTest]) -> pd.DataFrame:
    """Return one row a group of every rank test: item, answer, mean_rank."""
    parts = []
    for name, test in tests.items():
        words = test.details[name].map(answer_words(results.survey, name))
        part = pd.DataFrame({"variable": name, "answer": words})
        parts.append(part.assign(mean_rank=test.details["mean_rank"]))
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True)


def shares_in_rows(results: Results, test: HypothesisTest, group: str) -> pd.DataFrame:
    """Return the cells of a two-way table with the share of each in its row; groups in words."""
    cells = test.details.copy()
    cells["share in row"] = cells["share"] / cells.groupby(group)["share"].transform("sum")
    cells[group] = cells[group].map(answer_words(results.survey, group))
    return cells


def terms_in_words(results: Results, fit: Regression, groups: Sequence[str]) -> pd.DataFrame:
    """Return the coefficients of a regression, each term in words."""
    words = {"intercept": str(_("intercept"))}
    for name in groups:
        title = results.survey.questionnaire.items[name].text
        for code, answer in answer_words(results.survey, name).items():
            words[f"{name}={code}"] = f"{title}: {answer}"
    return fit.table.assign(term=fit.table["term"].replace(words))


def joint_tests(fit: Regression, groups: Sequence[str]) -> pd.DataFrame:
    """Return one row an item: whether it matters in a regression at all."""
    parts = [fit.joint_test(name).table.assign(variable=name) for name in groups]
    table = pd.concat(parts, ignore_index=True)
    return table[["variable", *(name for name in table if name != "variable")]]


def grades_table(grades: Grades) -> pd.DataFrame:
    """Return in one row what a grading of areas promises, and what it costs."""
    row = {name: getattr(grades, name) for name in GRADES}
    return pd.DataFrame([row])


def areas_by_grade(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return one row a grade: how many areas are in it, and their names."""
    names = column_words(ranking, "name").groupby(ranking["grade"])
    table = pd.DataFrame({"areas": names.size(), "names": names.agg(comma_list).map(str)})
    return table.reset_index()
