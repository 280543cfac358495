"""Tables of the weighting notebook: what each declared step does to whom."""

from __future__ import annotations

from typing import Any

import pandas as pd

from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.survey import Survey, weighted_as
from satisfaction.declarations.wave import CalibrationStep
from satisfaction.foundation.engines import fetch
from satisfaction.pipeline import Results
from satisfaction.sampling.design import SampleDesign
from satisfaction.weighting.base import RESPONDED, sampled_persons
from satisfaction.weighting.calibration import margins_table
from satisfaction.weighting.wave_design import declared_targets, sample_design, weigh


def designs_by_step(results: Results) -> dict[str, SampleDesign]:
    """Return the design after every declared step, by the step's number and kind; the base weights come first."""
    survey = results.survey
    steps = survey.declared.weighting
    first = 0
    name = "unweighted"
    if survey.declared.base:
        first = 1
        name = "base"
    persons = sampled_persons(survey, results.responses.accepted)
    base = sample_design(survey, persons.table)
    designs = {name: base}
    for number, step in enumerate(steps[first:], 1):
        so_far = weighted_as(survey, steps[: first + number])
        designs[f"{number} {step.step}"] = weigh(so_far, base)
    return designs


def nonresponse_classes(results: Results, designs: dict[str, SampleDesign]) -> pd.DataFrame:
    """Return one row a class of the nonresponse step: sampled, responded, weights, response_rate, factor, answers in words.

    Parameters
    ----------
    results : Results
        Of a survey that declares a nonresponse step.
    designs : dict of SampleDesign
        As `designs_by_step` returns them.
    """
    survey = results.survey
    step = survey.declared.nonresponse
    assert step is not None
    before, after = list(designs.values())[:2]
    people = sampled_persons(survey, results.responses.accepted).table
    people = people.assign(base=before.weights, after=after.weights)
    people["answered"] = people["base"] * people[RESPONDED]
    sums = {name: (name, "sum") for name in (RESPONDED, "base", "answered", "after")}
    classes = people.groupby(step.by).agg(sampled=(RESPONDED, "size"), **sums).reset_index()
    classes["response_rate"] = classes["answered"] / classes["base"]
    classes["factor"] = classes["after"] / classes["answered"]
    classes[step.by] = classes[step.by].astype(object).replace(words_of_codes(survey, step.by))
    return classes


def words_of_codes(survey: Survey, columns: list[str]) -> dict[str, dict[Any, str]]:
    """Return the words of answers and areas by column and code, as `DataFrame.replace` takes them."""
    words: dict[str, dict[Any, str]] = {}
    for column in columns:
        if isinstance(survey.questionnaire.items.get(column), SingleItem):
            answers = survey.questionnaire.answers(column)
            words[column] = {code: str(answer.text) for code, answer in answers.items()}
        else:
            words[column] = {code: str(label) for code, label in survey.area_names().items()}
    return words


def margins_by_calibration(results: Results, designs: dict[str, SampleDesign]) -> pd.DataFrame:
    """Return one row a level of every margin and calibration: target, sums of weights entering and after, over the target.

    Parameters
    ----------
    results : Results
    designs : dict of SampleDesign
        As `designs_by_step` returns them.

    Returns
    -------
    DataFrame
        step, margin, level, target, entering, after, entering / target, after / target, off (how far entering / target lies
        from the median of its margin).
    """
    survey = results.survey
    names = list(designs)
    steps = survey.declared.weighting[len(survey.declared.weighting) - len(names) + 1 :]
    parts = []
    for before, after, step in zip(names, names[1:], steps, strict=False):
        if not isinstance(step, CalibrationStep):
            continue
        margins: dict[str | tuple[str, ...], dict[Any, float]] = {}
        for name in step.margins or ():
            margins[tuple(survey.declared.margins[name].by)] = declared_targets(survey, name)
        entering = margins_table(designs[before], margins)
        left = margins_table(designs[after], margins)
        part = entering[["margin", "level", "target"]].assign(step=after)
        part["entering"] = entering["final"]
        part["after"] = left["final"]
        part["entering / target"] = entering["final_to_target"]
        part["after / target"] = left["final_to_target"]
        parts.append(part)
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    centre = table.groupby(["step", "margin"])["entering / target"].transform("median")
    table["off"] = (table["entering / target"] / centre - 1).abs()
    names_of = {code: str(label) for code, label in survey.area_names().items()}
    table["level"] = [_level(level, names_of) for level in table["level"]]
    return table[["step", *(name for name in table if name != "step")]]


def _level(level: Any, names: dict[str, str]) -> str:
    codes = level if isinstance(level, tuple) else (level,)
    return ", ".join(names.get(str(code), str(code)) for code in codes)


def influence(results: Results, measure: str) -> pd.DataFrame:
    """Return the respondents by their influence on a mean: file, row, area, weight, value, share, times average.

    Influence is final weight x |value - mean|; `share` is its part of all influence.
    """
    design = results.design
    held = design.measures[measure]
    area = results.area
    columns = ["_file", "_row", area, held.valid_column, held.score_column]
    rows = fetch(design.rows().select(*columns))
    rows["weight"] = design.weights
    rows["value"] = rows[held.score_column] / held.unit
    rows = rows[(rows[held.valid_column] == 1) & (rows["weight"] > 0)]
    mean = (rows["weight"] * rows["value"]).sum() / rows["weight"].sum()
    size = rows["weight"] * (rows["value"] - mean).abs()
    share = size / size.sum()
    rows = rows.assign(share=share, **{"times average": share * len(rows)})
    rows = rows.sort_values("share", ascending=False, ignore_index=True)
    names = words_of_codes(results.survey, [area])[area]
    rows[area] = [names.get(code, code) for code in rows[area]]
    return rows[["_file", "_row", area, "weight", "value", "share", "times average"]]
