"""The sample design and the weights of a wave, as its folder declares them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from satisfaction.declarations.items import AreaItem, SingleItem
from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import CalibrationStep, NonresponseStep, TrimmingStep
from satisfaction.foundation.engines import Engine, fetch, hold, materialize, scan
from satisfaction.foundation.errors import DesignError, shortened_list
from satisfaction.foundation.language import NOTHING, Text, _
from satisfaction.foundation.tables import Kept
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.design import SampleDesign, SurveyDesign, level_tuple
from satisfaction.sampling.measures import add_columns, flag, stored
from satisfaction.weighting.base import RESPONDED, replicates_of
from satisfaction.weighting.calibration import calibrate, margin_targets
from satisfaction.weighting.nonresponse import adjust_nonresponse
from satisfaction.weighting.trimming import trim

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
    replicates = None
    if survey.replicate_weights is not None:
        table = fetch(scan(table))
        replicates = replicates_of(survey, table)
    declared = partial(
        SurveyDesign,
        table,
        base_weight="base_weight" if survey.declared.base else None,
        selection=survey.declared.selection,
        measures=stored(measures),
        codes=survey.questionnaire.coded_columns(),
    )
    if replicates is not None:
        return declared(**replicates)
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
    or a digit that was lost.
    """
    declared = survey.declared
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
                name = " × ".join(level_tuple(cell))
                too_few.append(f"{name} ({people_of[cell]:g} < {respondents_there})")
        if too_few:
            note = _(
                "{file} has fewer people than there are respondents: {areas}. It wants persons, "
                "not tens of thousands and not shares.",
                file=file,
                areas=shortened_list(too_few),
            )
            notes.append(note)
    return notes
