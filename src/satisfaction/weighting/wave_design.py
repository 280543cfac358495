"""The sample design and the weights of a wave, as its folder declares them.

Base weights: 1 / inclusion probability, or what the frame says of each stratum, for everybody who was sampled.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from satisfaction.collection.coding import with_parents
from satisfaction.declarations.facts import check_frame_and_sample
from satisfaction.declarations.items import AreaItem, SingleItem
from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import BaseStep, CalibrationStep, NonresponseStep, TrimmingStep
from satisfaction.foundation.engines import Engine, fetch, hold, materialize, scan
from satisfaction.foundation.errors import (
    DesignError,
    WeightsError,
    named_place,
    shortened,
    shortened_list,
)
from satisfaction.foundation.language import NOTHING, Text, _, ngettext
from satisfaction.foundation.personal import masked
from satisfaction.foundation.tables import Kept
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.design import SampleDesign, SurveyDesign, level_tuple
from satisfaction.sampling.measures import add_columns, flag, stored
from satisfaction.weighting.calibration import calibrate, margin_targets
from satisfaction.weighting.nonresponse import adjust_nonresponse
from satisfaction.weighting.trimming import trim

RESPONDED = "responded"
APART = 2.0  # times the usual ratio of margin to frame; other ages or towns alone stay below
FAR_APART = 4.0  # that of base weights to frame; answers that do not come from all stay below


@dataclass(frozen=True, slots=True, repr=False)
class SampledPersons:
    """Everybody who was sampled.

    Attributes
    ----------
    table : DataFrame
        The respondents in their order, then the nonrespondents, of whom only the declared columns are known. With
        `base_weight` where the survey declares a base step; with `responded`, 1 or 0, where it declares nonrespondents.
    record : dict or None
        What the base step did, for the log of steps; None where 1 / inclusion probability says it all.
    """

    table: pd.DataFrame
    record: dict[str, Any] | None


def sampled_persons(survey: Survey, respondents: pd.DataFrame) -> SampledPersons:
    """Bring respondents and nonrespondents together and give each a base weight.

    Parameters
    ----------
    survey : Survey
    respondents : DataFrame
        `Responses.accepted`; not changed.

    Raises
    ------
    SurveyError
        S144, S145 when the strata of the frame are not those of the sampled persons (source: frame).
    WeightsError
        W111, W112 from the sample table (source: inclusion), W527 respondents that the table of weights has not (source: table),
        W541 persons who did not answer and yet stand among the respondents.
    """
    step = survey.declared.base
    persons = _with_nonrespondents(survey, respondents)
    if step is None:
        return SampledPersons(persons, None)
    if step.source == "inclusion":
        assert survey.sample is not None
        psu = str(survey.questionnaire.roles.psu)
        return SampledPersons(base_weights(persons, survey.sample, psu), None)
    if step.source == "table":
        assert step.table is not None
        assert survey.weights is not None
        weight = _of_each(survey, persons, survey.weights, file=step.table.file)["weight"]
    elif step.column:
        weight = persons[step.column].astype(float)
    else:
        weight = _frame_weights(survey, persons, step)
    record = _record_of_base(survey, persons, step)
    return SampledPersons(persons.assign(base_weight=weight), record)


def _with_nonrespondents(survey: Survey, respondents: pd.DataFrame) -> pd.DataFrame:
    """Put the sampled persons who did not answer below the respondents, told apart by the column `RESPONDED`."""
    if survey.nonrespondents is None or survey.declared.nonrespondents is None:
        return respondents
    # in an order of their own content, so that the file's order does not matter
    silent = survey.nonrespondents
    respondent = survey.questionnaire.roles.respondent
    if respondent in silent:
        _refuse_answered(survey, silent[respondent], respondents)
        silent = silent.drop(columns=respondent)
    silent = silent.sort_values(list(silent), kind="stable")
    silent["_file"] = survey.declared.nonrespondents.file
    silent["_sheet"] = ""
    silent["_row"] = silent.index
    silent = with_parents(silent, survey).reset_index(drop=True)
    numbers = range(1, len(silent) + 1)
    silent[respondent] = [f"nonrespondent {number:07d}" for number in numbers]
    silent = silent.reindex(columns=respondents.columns).astype(respondents.dtypes.to_dict())
    persons = pd.concat([respondents, silent], ignore_index=True)
    text = [name for name in persons if persons[name].dtype == object]
    persons[text] = persons[text].where(persons[text].notna(), None)
    persons[RESPONDED] = [1] * len(respondents) + [0] * len(silent)
    return persons


def _frame_weights(survey: Survey, persons: pd.DataFrame, step: BaseStep) -> pd.Series:
    """Return N_h x m / (sum of m over the stratum's sampled persons), m = product of `multiply` / product of `divide`."""
    assert survey.frame is not None
    assert survey.declared.frame is not None
    strata = survey.questionnaire.roles.strata
    keys = persons[strata].astype(str).assign(_all=0)
    check_frame_and_sample(
        survey.frame,
        keys[strata],
        strata=strata,
        frame_path=survey.folder / survey.declared.frame.file,
        sample_path=survey.folder / "responses",
    )
    people = survey.frame.assign(population=survey.frame["population"].astype(float), _all=0)
    by = [*strata, "_all"]
    counts = people.groupby(by, as_index=False)["population"].sum()
    population = keys.merge(counts, on=by, how="left")["population"]
    multiple = pd.Series(1.0, index=persons.index)
    for name in step.multiply:
        multiple = multiple * persons[name].fillna(1).astype(float)
    for name in step.divide:
        multiple = multiple / persons[name].fillna(1).astype(float)
    within = multiple.groupby([keys[name] for name in by])
    return population.to_numpy(float) * multiple / within.transform("sum")


def _record_of_base(survey: Survey, persons: pd.DataFrame, step: BaseStep) -> dict[str, Any]:
    """Return what the log says of the base step."""
    answered = len(persons)
    if RESPONDED in persons:
        answered = int(persons[RESPONDED].sum())
    record: dict[str, Any] = {"step": "base", "method": step.source}
    record["sampled"] = len(persons)
    record["respondents"] = answered
    if step.column:
        record["column"] = step.column
    elif step.table is not None and survey.weights is not None:
        record |= {"file": step.table.file, "unused": len(survey.weights) - len(persons)}
        if step.replicates is not None:
            record["method"] = "table-replicates"
            record["replicates"] = step.replicates.model_dump(
                include={"file", "scale", "rscales", "mse", "df"}, exclude_none=True
            )
    else:
        strata = survey.questionnaire.roles.strata
        record["strata"] = len(persons[strata].drop_duplicates()) if strata else 1
        record["multiply"] = list(step.multiply)
        record["divide"] = list(step.divide)
        record["missing"] = {name: int(persons[name].isna().sum()) for name in step.items}
    return record


def _refuse_answered(survey: Survey, numbers: pd.Series, respondents: pd.DataFrame) -> None:
    """Refuse a table of nonrespondents with persons whose answers were accepted (W541)."""
    assert survey.declared.nonrespondents is not None
    answered = numbers[numbers.isin(respondents[survey.questionnaire.roles.respondent])]
    if len(answered):
        problem = _(
            "Persons who did not answer stand among the respondents (rows {rows}): {numbers}.",
            rows=shortened(answered.index),
            numbers=shortened(map(masked, answered)),
        )
        raise WeightsError(
            "W541",
            problem,
            where=str(survey.folder / survey.declared.nonrespondents.file),
            hint=_("Take them out of this table: they would be counted twice."),
        )


def base_weights(respondents: pd.DataFrame, sample: pd.DataFrame, psu: str) -> pd.DataFrame:
    """Add base_weight = 1 / (psu_probability x person_probability) to respondents.

    Parameters
    ----------
    respondents : DataFrame
        With the PSU column.
    sample : DataFrame
        One row a sampled PSU: psu, psu_probability, person_probability (text or numbers, in (0, 1]).

    Raises
    ------
    WeightsError
        W111 a probability outside (0, 1]; W112 a PSU that stands twice in the sample.
    """
    probability = sample[["psu_probability", "person_probability"]].apply(
        pd.to_numeric, errors="coerce"
    )
    wrong = ~((probability > 0) & (probability <= 1)).all(axis=1)
    if wrong.any():
        raise WeightsError(
            "W111",
            _(
                "Inclusion probabilities outside (0, 1]: {loc}.",
                loc=shortened(sample.loc[wrong, psu]),
            ),
            where="sample",
            hint=_("Correct the probabilities in the sample table."),
        )
    if (twice := sample[psu].duplicated()).any():
        raise WeightsError(
            "W112",
            _(
                "PSUs stand twice in the sample table: {loc}.",
                loc=shortened(sample.loc[twice, psu]),
            ),
            where="sample",
            hint=_("Keep one row a PSU."),
        )
    weight = pd.Series(1 / probability.prod(axis=1).to_numpy(), index=sample[psu])
    of_each = respondents[psu].map(weight)
    return respondents.assign(base_weight=of_each.astype(float))


def _of_each(
    survey: Survey, persons: pd.DataFrame, table: pd.DataFrame, *, file: str
) -> pd.DataFrame:
    """Return the row that a table made elsewhere has for each respondent, in the order of the respondents (W527)."""
    respondent = survey.questionnaire.roles.respondent
    by_respondent = table.set_index(respondent)
    numbers = persons[respondent].astype(str)
    without = persons[~numbers.isin(by_respondent.index)]
    if len(without):
        places = without["_file"].astype(str) + " row " + without["_row"].astype(str)
        raise WeightsError(
            "W527",
            _(
                "{n} respondents have no weight: {places}.",
                n=len(without),
                places=shortened_list(map(named_place, places)),
            ),
            where=str(survey.folder / file),
            hint=_("Give every accepted respondent a weight, under the number of the responses."),
        )
    return by_respondent.loc[numbers].set_index(persons.index)


_LAST_TARGETS = Kept(6)  # by table of a margin: recipes that are tried have margins in common


def sample_design(
    survey: Survey,
    persons: pd.DataFrame,
    *,
    engine: Engine = "auto",
    only: Collection[str] | None = None,
) -> SampleDesign:
    """Declare the sample design, with base weights and the questionnaire's measures (or some only), on an engine.

    Without a probability sample there is no sampling error for a lonely PSU to spoil: where survey.yaml says `fail`, `adjust` is
    used then, and `lonely_note` says so. Replicate weights that came with final weights stand for strata, PSUs and fpc.

    Raises
    ------
    DesignError
        D104 for strata of one PSU in a probability sample, with what survey.yaml may say; else as `SurveyDesign`.
    WeightsError
        W527 respondents without replicate weights.
    """
    roles = survey.questionnaire.roles
    measures = compile_measures(survey.questionnaire)
    if only is not None:
        measures = tuple(measure for measure in measures if measure.name in only)
    rows = scan(hold(persons, engine))
    columns = rows.collect_schema().names()
    rows = add_columns(rows, measures)
    if RESPONDED in columns:
        inside = flag(nw.col(RESPONDED) == 1)
        inside_only = []
        for measure in measures:
            for name in (measure.valid_column, measure.score_column):
                inside_only.append((nw.col(name) * inside).alias(name))
        rows = rows.with_columns(*inside_only)
    table = materialize(rows)
    if survey.replicate_weights is not None:
        table = fetch(scan(table))
    declared = partial(
        SurveyDesign,
        table,
        base_weight="base_weight" if survey.declared.base else None,
        selection=survey.declared.selection,
        measures=stored(measures),
        codes=survey.questionnaire.coded_columns(),
    )
    step = survey.declared.base
    if survey.replicate_weights is not None and step is not None and step.replicates is not None:
        of_base = step.replicates
        weights = _of_each(survey, table, survey.replicate_weights, file=of_base.file)
        rscales = None
        if survey.rscales is not None:
            rscales = survey.rscales["rscale"].to_numpy()
        return declared(
            replicate_weights=weights.to_numpy(float),
            scale=of_base.scale,
            rscales=rscales,
            mse=of_base.mse,
            df=of_base.df,
        )
    collapse = {
        _stratum(survey, merge.stratum): _stratum(survey, merge.into)
        for merge in survey.declared.collapse
    }
    psu = roles.psu or roles.respondent
    declared = partial(declared, strata=roles.strata, psu=psu, collapse=collapse)
    try:
        return declared(lonely_psu=survey.declared.lonely_psu)
    except DesignError as fault:
        if fault.code != "D104":
            raise
        if survey.declared.selection != "probability":
            return declared(lonely_psu="adjust")
        lines = "lonely_psu: adjust"
        if fault.merge:
            stratum, into = map(_as_yaml, fault.merge)
            lines = f"collapse: [{{stratum: {stratum}, into: {into}}}]"
        raise DesignError(
            "D104",
            _(
                "{fault} A stratum is a combination of {strata}, a primary sampling unit "
                "(PSU) is a {psu}; with one unit in a stratum the sampling error cannot be "
                "estimated.",
                fault=fault,
                strata=", ".join(roles.strata),
                psu=psu,
            ),
            where=str(survey.folder / "survey.yaml"),
            available=[f"lonely_psu: {policy}" for policy in fault.available],
            hint=_(
                "Merge with a similar stratum: write {lines} in survey.yaml; or write "
                "lonely_psu: adjust.",
                lines=lines,
            ),
        ) from None


def _stratum(survey: Survey, values: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return a stratum with its values in the types of the respondents' columns."""
    stratum: list[str | int] = []
    for name, value in zip(survey.questionnaire.roles.strata, values, strict=True):
        coded = isinstance(survey.questionnaire.items[name], SingleItem)
        stratum.append(int(value) if coded else str(value))
    return tuple(stratum)


def _as_yaml(stratum: object) -> str:
    """Write a stratum as a list of its values."""
    values = stratum if isinstance(stratum, tuple) else [stratum]
    return json.dumps(values, ensure_ascii=False)


def lonely_note(survey: Survey, design: SampleDesign) -> Text:
    """Say that strata of one PSU were treated otherwise than declared, because the sample is no probability sample; else empty."""
    if design.lonely_psu == survey.declared.lonely_psu:
        return NOTHING
    return _(
        "Some strata have a single primary sampling unit; without a probability "
        "sample there is no sampling error, so nothing stops and lonely_psu is taken "
        "as adjust."
    )


def weigh(survey: Survey, design: SampleDesign) -> SampleDesign:
    """Carry out the declared weighting steps after the base weight, in their order."""
    for step in survey.declared.weighting:
        if isinstance(step, NonresponseStep):
            design = adjust_nonresponse(design, RESPONDED, by=step.by, method=step.method)
        elif isinstance(step, CalibrationStep):
            design = calibrate(
                design,
                margins_of_step(survey, step),
                method=step.method,
                bounds=step.bounds,
                tolerance=step.tolerance,
            )
        elif isinstance(step, TrimmingStep):
            design = trim(
                design,
                lower=step.lower,
                upper=step.upper,
                relative_to=step.relative_to,
                within=step.within,
                spread=step.spread,
                strict=step.strict,
            )
    return design


def margins_of_step(
    survey: Survey, step: CalibrationStep
) -> dict[str | tuple[str, ...], Mapping[Any, float]]:
    """Return the margins of a calibration, as `calibrate` takes them."""
    columns = survey.declared.margins
    return {tuple(columns[name].by): declared_targets(survey, name) for name in step.margins or ()}


def declared_targets(survey: Survey, margin: str) -> dict[Any, float]:
    """Return a margin with its levels in the types of the respondents' columns."""
    columns = survey.declared.margins[margin].by
    table = survey.margins[margin]
    coded = []
    for name in columns:
        item = survey.questionnaire.items[name]
        if isinstance(item, SingleItem):
            coded.append(name)
        else:
            assert isinstance(item, AreaItem)

    def targets() -> dict[Any, float]:
        return margin_targets(table.astype(dict.fromkeys(coded, int)), columns)

    kept: dict[Any, float] = _LAST_TARGETS.of(table, (columns, coded), targets)
    return kept


def population_notes(survey: Survey, respondents: pd.DataFrame) -> list[Text]:
    """Name the cells of a table of the population with fewer people than respondents: figures in tens of thousands, mostly,
    or a digit that was lost; and the areas of which frame and margins say populations that do not go together.
    """
    declared = survey.declared
    area = survey.questionnaire.roles.area
    named: set[str] = set()
    tables = [(margin.file, survey.margins[name]) for name, margin in declared.margins.items()]
    if declared.frame is not None and survey.frame is not None:
        tables.append((declared.frame.file, survey.frame))
    notes = []
    for file, table in tables:
        keys = [name for name in table if name in survey.questionnaire.items]
        respondents_of = respondents[keys].astype(str).groupby(keys).size()
        people = pd.to_numeric(table["population"])
        people_of = people.groupby([table[key].astype(str) for key in keys]).sum()
        too_few = []
        for cell, respondents_there in respondents_of.items():
            if people_of.get(cell, np.inf) < respondents_there:
                level = level_tuple(cell)
                named.update(level)
                name = " × ".join(level)
                too_few.append(f"{name} ({people_of[cell]:g} < {respondents_there})")
        if too_few:
            note = _(
                "{file} has fewer people than there are respondents: {areas}. It wants persons, "
                "not tens of thousands and not shares.",
                file=file,
                areas=shortened_list(too_few),
            )
            notes.append(note)
    if survey.weights is not None and declared.base is not None and declared.base.table is not None:
        respondent = survey.questionnaire.roles.respondent
        numbers = survey.weights[respondent]
        idle = int((~numbers.isin(respondents[respondent].astype(str))).sum())
        if idle:
            note = ngettext(
                "{file} has {n:,} weight of nobody whose answers were accepted. Is a file of responses "
                "missing?",
                "{file} has {n:,} weights of nobody whose answers were accepted. Is a file of responses "
                "missing?",
                idle,
                file=declared.base.table.file,
            )
            notes.append(note)
    if declared.frame is None or survey.frame is None or area not in survey.frame:
        return notes
    framed = _people_of(survey.frame, [area])
    for name, margin in declared.margins.items():
        if area not in margin.by:
            continue
        counted = _people_of(survey.margins[name], [area])
        contrary = _apart(counted, framed, APART, without=named)
        if contrary:
            note = _(
                "{file} and {frame} do not go together: {areas}; of the other areas it is "
                "{share:.2f} of the frame. Compare the two tables: a digit more or less, or "
                "another area's row.",
                file=margin.file,
                frame=declared.frame.file,
                areas=shortened_list(contrary),
                share=(counted / framed).median(),
            )
            notes.append(note)
    base = declared.base
    if base is not None and base.source == "inclusion" and survey.sample is not None:
        roles = survey.questionnaire.roles
        weighted = base_weights(respondents, survey.sample, str(roles.psu))
        weighted = weighted.rename(columns={"base_weight": "population"})
        people = _people_of(weighted, roles.strata)
        framed = _people_of(survey.frame, roles.strata)
        contrary = _apart(people, framed, FAR_APART, without=named)
        if contrary:
            note = _(
                "The respondents' base weights do not add up to {frame}: {strata}; elsewhere to "
                "{share:.2f} of it. Compare the probabilities of the sample, and whether all "
                "answers have come.",
                frame=declared.frame.file,
                strata=shortened_list(contrary),
                share=(people / framed).median(),
            )
            notes.append(note)
    return notes


def _people_of(table: pd.DataFrame, by: list[str]) -> pd.Series:
    """Return the population of each cell by its levels as text."""
    people = pd.to_numeric(table["population"]).astype(float)
    return people.groupby([table[name].astype(str) for name in by]).sum()


def _apart(people: pd.Series, framed: pd.Series, times: float, *, without: set[str]) -> list[str]:
    """Name the cells whose ratio to the frame is far from the usual one, but for those `without`."""
    shares = (people / framed).replace([0, np.inf], np.nan).dropna()
    apart = shares / shares.median()
    odd = apart[(apart > times) | (apart < 1 / times)]
    cells = []
    for cell in odd.index:
        levels = level_tuple(cell)
        if without.isdisjoint(levels):
            name = " × ".join(map(str, levels))
            cells.append(f"{name} ({people[cell]:.0f} / {framed[cell]:.0f})")
    return cells
