"""Tables of the weighting notebook: what each declared step does to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.survey import Survey, weighted_as
from satisfaction.declarations.wave import CalibrationStep
from satisfaction.estimation.domains import Variance
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.sample import lay_out
from satisfaction.foundation.conventions import VALUES
from satisfaction.foundation.engines import fetch
from satisfaction.foundation.language import Text
from satisfaction.notebook.table_view import STEPS, margin_labels, step_words
from satisfaction.pipeline import Results, estimate_areas, weighting_log
from satisfaction.publication.labels import measure_labels
from satisfaction.sampling.design import SampleDesign, level_tuple
from satisfaction.sampling.tally import tally
from satisfaction.weighting.calibration import margins_table
from satisfaction.weighting.recipe import weight_diagnostics
from satisfaction.weighting.wave_design import (
    RESPONDED,
    margins_of_step,
    sample_design,
    sampled_persons,
    weigh,
)

UNWEIGHTED = "unweighted"
TRIMMING = ("lower", "upper", "within", "trimmed", "share_trimmed", "sum_lost", "whole")
QUANTILES = (0, 0.01, 0.25, 0.5, 0.75, 0.99, 1)
ERRORS: tuple[Variance, ...] = ("linearized", "rake", "jkn")


def designs_by_step(results: Results) -> dict[str, SampleDesign]:
    """Return the design after every declared step, by the step's number and kind; the base weights come first."""
    survey = results.survey
    steps = survey.declared.weighting
    first = 0
    name = UNWEIGHTED
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


def design_facts(results: Results, base: SampleDesign) -> dict[str, object]:
    """Return what the sample is: persons, strata, PSUs, df of the whole, lonely PSUs, selection, base weight.

    Parameters
    ----------
    results : Results
    base : SampleDesign
        Before any weighting step but the first.
    """
    survey = results.survey
    respondents = results.responses.accepted
    sample = lay_out(base, tally(base, []))
    facts: dict[str, object] = {"sampled": len(sampled_persons(survey, respondents).table)}
    facts["respondents"] = len(respondents)
    if base.replicates is None:
        facts["strata"] = len(sample.clusters.sizes())
        facts["psus"] = len(sample.units)
    if survey.declared.selection == "probability":
        facts["df"] = sample.df
        facts["lonely_psu"] = base.lonely_psu
    facts["selection"] = base.selection
    facts["base_weight"] = base.base_weight or "1"
    return facts


def quantiles_of_base_weights(results: Results, base: SampleDesign) -> pd.DataFrame:
    """Return the base weights of the respondents in one row: quantiles, sums, largest over median."""
    weights = pd.Series(base.weights).head(len(results.responses.accepted))
    row = {f"q{probability * 100:g}": weights.quantile(probability) for probability in QUANTILES}
    sums = {"sum, all sampled": base.weights.sum(), "sum, respondents": weights.sum()}
    return pd.DataFrame([row | sums | {"high / median": weights.max() / weights.median()}])


def kinds_not_declared(survey: Survey) -> list[Text]:
    """Return the kinds of weighting steps that a survey does not declare, in words."""
    declared = {step.step for step in survey.declared.weighting}
    return [words for kind, words in STEPS.items() if kind not in {*declared, UNWEIGHTED}]


def names_of_steps(designs: dict[str, SampleDesign]) -> dict[str, str]:
    """Return what the steps are called, by their number and kind."""
    return {step: str(step_words(step)) for step in designs}


def names_of_measures(survey: Survey) -> dict[str, str]:
    """Return what measures are called, by name."""
    return {
        name: str(label) for name, (_kind, label) in measure_labels(survey.questionnaire).items()
    }


def step_records(results: Results) -> list[dict[str, Any]]:
    """Return what is recorded of every weighting step: method, columns, range of the factors."""
    beside = ("before", "after")
    return [
        {name: one for name, one in record.items() if name not in beside}
        for record in weighting_log(results)
    ]


def trimmings(results: Results) -> pd.DataFrame:
    """Return one row a trimming step: its limits as weights, and who was cut; empty without one."""
    weighting = results.design.weighting
    rows = []
    for number, record in enumerate(weighting.log if weighting else (), 1):
        if record["step"] == "trimming":
            row = {"step": f"{number} trimming"}
            rows.append(row | {name: _one_text(record.get(name)) for name in TRIMMING})
    return pd.DataFrame(rows)


def _one_text(value: Any) -> Any:
    """Return a list as one text, anything else as it is."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value


def nonresponse_classes(results: Results, designs: dict[str, SampleDesign]) -> pd.DataFrame:
    """Return one row a class of the nonresponse step: sampled, responded, weights, response_rate, factor, answers in words.

    Parameters
    ----------
    results : Results
        Of a survey that declares no nonresponse step: an empty table.
    designs : dict of SampleDesign
        As `designs_by_step` returns them.
    """
    survey = results.survey
    step = survey.declared.nonresponse
    if step is None:
        return pd.DataFrame()
    before, after = list(designs.values())[:2]
    people = sampled_persons(survey, results.responses.accepted).table
    people = people.assign(base=before.weights, after=after.weights)
    people["answered"] = people["base"] * people[RESPONDED]
    sums = {name: (name, "sum") for name in (RESPONDED, "base", "answered", "after")}
    classes = people.groupby(step.by).agg(sampled=(RESPONDED, "size"), **sums).reset_index()
    classes["response_rate"] = classes["answered"] / classes["base"]
    classes["factor"] = classes["after"] / classes["answered"]
    classes[step.by] = classes[step.by].astype(object).replace(words_of_codes(survey, step.by))
    return classes.sort_values("response_rate", kind="stable", ignore_index=True)


def answer_words(survey: Survey, item: str) -> dict[int, str]:
    """Return the answers of an item in words, by code."""
    return {code: str(answer.text) for code, answer in survey.questionnaire.answers(item).items()}


def words_of_codes(survey: Survey, columns: list[str]) -> dict[str, dict[Any, str]]:
    """Return the words of answers and areas by column and code, as `DataFrame.replace` takes them."""
    words: dict[str, dict[Any, str]] = {}
    for column in columns:
        if isinstance(survey.questionnaire.items.get(column), SingleItem):
            words[column] = {**answer_words(survey, column)}
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
        step, margin, level, target, entering, after, entering / target, after / target; the level farthest from the others
        of its margin first.
    """
    survey = results.survey
    names = list(designs)
    steps = survey.declared.weighting[len(survey.declared.weighting) - len(names) + 1 :]
    parts = []
    for before, after, step in zip(names, names[1:], steps, strict=False):
        if not isinstance(step, CalibrationStep):
            continue
        margins = margins_of_step(survey, step)
        entering = margins_table(designs[before], margins)
        left = margins_table(designs[after], margins)
        names_of = {
            " x ".join(survey.declared.margins[name].by): name for name in step.margins or ()
        }
        levels = zip(entering["margin"], entering["level"], strict=True)
        what = {
            "step": after,
            "margin": entering["margin"].replace(names_of),
            "level": [_level_in_words(survey, columns, level) for columns, level in levels],
        }
        sums = {
            "target": entering["target"],
            "entering": entering["final"],
            "after": left["final"],
            "entering / target": entering["final_to_target"],
            "after / target": left["final_to_target"],
        }
        parts.append(pd.DataFrame(what | sums))
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    centre = table.groupby(["step", "margin"])["entering / target"].transform("median")
    off = (table["entering / target"] / centre - 1).abs()
    return table.iloc[off.argsort(kind="stable")[::-1]].reset_index(drop=True)


def _level_in_words(survey: Survey, columns: str, level: Any) -> str:
    """Write the level of a margin, whose columns stand with x between, in words."""
    words = words_of_codes(survey, columns.split(" x ")).values()
    pairs = zip(words, level_tuple(level), strict=True)
    return ", ".join(of_column.get(code, str(code)) for of_column, code in pairs)


def margin_sources(survey: Survey) -> pd.DataFrame:
    """Return one row a declared margin: where its population comes from, and of which day."""
    rows = [
        {"margin": name, "source": margin.source, "date": str(margin.date)}
        for name, margin in survey.declared.margins.items()
    ]
    return pd.DataFrame(rows)


def entering_by_margin(survey: Survey, levels: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Return entering / target of every level, by calibration and margin in words."""
    labels = margin_labels(survey)
    by_margin = levels.groupby(["step", "margin"])["entering / target"]
    return {
        f"{labels.get(margin, margin)} · {step_words(step)}": of_levels
        for (step, margin), of_levels in by_margin
    }


def weights_by_step(results: Results, designs: dict[str, SampleDesign]) -> pd.DataFrame:
    """Return the weight of every respondent (rows) after every step (columns)."""
    weights = pd.DataFrame({name: design.weights for name, design in designs.items()})
    return weights.head(len(results.responses.accepted))


def figures_of_weights(results: Results, weights: pd.DataFrame) -> pd.DataFrame:
    """Return one row a step: respondents, sum, low, high, cv, kish_deff, effective_n, high / median.

    kish_deff and effective_n stand there for a probability sample only.
    """
    rows = []
    for step, column in weights.items():
        respondents = (column > 0).to_numpy(int)
        figures = {"step": step} | dict(weight_diagnostics(column, respondents))
        rows.append(figures | {"high / median": column.max() / column.median()})
    table = pd.DataFrame(rows)
    if results.survey.declared.selection != "probability":
        table = table.drop(columns=["kish_deff", "effective_n"])
    return table


def effects_of_steps(results: Results, designs: dict[str, SampleDesign]) -> pd.DataFrame:
    """Return rates and indices of all areas together after every step.

    Returns
    -------
    DataFrame
        One row a measure and step: measure, step, estimate, se, variance (how), difference / se: from the first step, in final
        standard errors.
    """
    survey = results.survey
    whole = survey.whole()
    parts = []
    steps = list(designs)
    found = {step: estimate_areas(results.survey, designs[step]) for step in steps[:-1]}
    for step, estimates in (found | {steps[-1]: results.estimates}).items():
        table = estimates[whole].table[["measure", "estimate", "se"]]
        parts.append(table.assign(step=step, variance=estimates[whole].conventions["variance"]))
    first = parts[0].set_index("measure")["estimate"]
    final = parts[-1].set_index("measure")["se"]
    table = pd.concat(parts, ignore_index=True)
    moved = table["estimate"] - table["measure"].map(first)
    table["difference / se"] = moved / table["measure"].map(final)
    shown = [*survey.questionnaire.rates, *survey.questionnaire.indices]
    table = table[table["measure"].isin(shown)]
    order = table["measure"].map(shown.index)
    table = table.iloc[order.argsort(kind="stable")]
    columns = ["measure", "step", "estimate", "se", "variance", "difference / se"]
    return table[columns].reset_index(drop=True)


def shifts_of_areas(results: Results, designs: dict[str, SampleDesign]) -> pd.DataFrame:
    """Return how far all steps together move the ranked measure of every area, the largest shift first.

    Returns
    -------
    DataFrame
        The column of areas, estimate (final), difference (from before any step), se (final), difference / se, se ratio (final / before).
    """
    ranked = results.survey.questionnaire.ranked
    first = estimate_areas(results.survey, next(iter(designs.values())))
    before = first[results.area].of(ranked).table
    after = results.estimates[results.area].of(ranked).table
    difference = after["estimate"] - before["estimate"]
    figures = {"estimate": after["estimate"], "difference": difference, "se": after["se"]}
    figures |= {
        "difference / se": difference / after["se"],
        "se ratio": after["se"] / before["se"],
    }
    codes = after[results.area].astype(str)
    table = pd.DataFrame({results.area: codes, "measure": ranked} | figures)
    order = difference.abs().argsort(kind="stable")[::-1]
    return table.iloc[order].reset_index(drop=True)


def errors_by_method(
    design: SampleDesign, measures: Sequence[str], *, by: str | None = None
) -> pd.DataFrame:
    """Return standard errors of means in several ways, side by side.

    Parameters
    ----------
    design : SampleDesign
        With its final weights.
    measures : sequence of str
        Values of persons.
    by : str, optional
        A column of areas: one row an area.

    Returns
    -------
    DataFrame
        measure, the column `by`, linearized, rake (R's convention), jkn (replays all steps), rake / linearized, jkn / linearized.
    """
    found = {kind: estimate(design, list(measures), by=by, variance=kind).table for kind in ERRORS}
    keys = ["measure"] if by is None else ["measure", by]
    table = found["linearized"][keys].copy()
    for kind in ERRORS:
        table[kind] = found[kind]["se"]
    for kind in ERRORS[1:]:
        table[f"{kind} / linearized"] = table[kind] / table["linearized"]
    return table


def error_ratios(errors: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Return standard errors over the linearized ones, by how they were computed, in words."""
    return {
        str(VALUES.get(kind, Text(kind))): errors[f"{kind} / linearized"] for kind in ERRORS[1:]
    }


def beside_textbook(design: SampleDesign, textbook: Mapping[str, Any]) -> pd.DataFrame:
    """Set means and their standard errors by the design beside those of a textbook.

    Parameters
    ----------
    design : SampleDesign
    textbook : mapping
        By measure, what has `mean` and `std_mean`: statsmodels' `DescrStatsW`.
    """
    ours = estimate(design, list(textbook), variance="linearized").table
    names = {"estimate": "linearized: estimate", "se": "linearized: se"}
    table = ours[["measure", *names]].rename(columns=names)
    table["textbook: estimate"] = [textbook[name].mean for name in ours["measure"]]
    table["textbook: se"] = [textbook[name].std_mean for name in ours["measure"]]
    table["linearized / textbook"] = table["linearized: se"] / table["textbook: se"]
    return table


def values_of(design: SampleDesign, measures: Sequence[str]) -> pd.DataFrame:
    """Return the value of every measure (columns) of every person (rows), missing where it is not valid."""
    chosen = [design.measures[name] for name in measures]
    columns = [name for measure in chosen for name in (measure.valid_column, measure.score_column)]
    rows = fetch(design.rows().select(*columns))
    values = {}
    for measure in chosen:
        value = rows[measure.score_column] / measure.unit
        values[measure.name] = value.where(rows[measure.valid_column] == 1)
    return pd.DataFrame(values)


def values_and_weights(design: SampleDesign, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the valid values of a measure, one a person, and their final weights scaled to a mean of 1."""
    value = values_of(design, [measure])[measure].to_numpy()
    used = ~np.isnan(value) & (design.weights > 0)
    weights = design.weights[used]
    return value[used], weights / weights.mean()


def psu_shares(results: Results, measure: str) -> pd.DataFrame:
    """Return every PSU's share of the variance of a mean of all areas together, the largest first."""
    whole = results.estimates[results.survey.whole()].of(measure)
    held = whole.contributions
    square = sp.csr_array(held.matrix).power(2).sum(axis=1)[: len(held.units)]
    shares = held.units.assign(share=square / square.sum())
    shares = shares.sort_values("share", ascending=False, ignore_index=True)
    words = words_of_codes(results.survey, [name for name in shares if name != "share"])
    for column, of_column in words.items():
        shares[column] = shares[column].astype(object).replace(of_column)
    return shares


def largest_shares(persons: pd.DataFrame, psus: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return how much the 1, 10 and a tenth with the largest shares hold together: of respondents, and of PSUs."""
    size = len(persons) if psus is None else len(psus)
    rows = []
    for largest in (1, 10, max(1, size // 10)):
        row = {"largest": largest, "respondents": persons["share"].head(largest).sum()}
        if psus is not None:
            row["psus"] = psus["share"].head(largest).sum()
        rows.append(row)
    return pd.DataFrame(rows)


def influence(results: Results, measure: str) -> pd.DataFrame:
    """Return the respondents by their influence on a mean: file, row, area, weight, value, share, times average.

    Influence is final weight x |value - mean|; `share` is its part of all influence.
    """
    design = results.design
    area = results.area
    rows = fetch(design.rows().select("_file", "_row", area))
    rows["weight"] = design.weights
    rows["value"] = values_of(design, [measure])[measure]
    rows = rows[rows["value"].notna() & (rows["weight"] > 0)]
    mean = (rows["weight"] * rows["value"]).sum() / rows["weight"].sum()
    size = rows["weight"] * (rows["value"] - mean).abs()
    share = size / size.sum()
    rows = rows.assign(share=share, **{"times average": share * len(rows)})
    rows = rows.sort_values("share", ascending=False, ignore_index=True)
    names = words_of_codes(results.survey, [area])[area]
    rows[area] = [names.get(code, code) for code in rows[area]]
    return rows[["_file", "_row", area, "weight", "value", "share", "times average"]]
