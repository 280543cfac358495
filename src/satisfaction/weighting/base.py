"""Base weights: 1 / inclusion probability, or what the frame says of each stratum, for everybody who was sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from satisfaction.collection.coding import with_parents
from satisfaction.declarations.facts import check_frame_and_sample
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import WeightsError, shortened
from satisfaction.foundation.language import _

RESPONDED = "responded"


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
        W111, W112 from the sample table (source: inclusion), W527 respondents that the table of weights has not (source: table).
    """
    step = survey.declared.base
    roles = survey.questionnaire.roles
    persons = respondents
    if survey.nonrespondents is not None and survey.declared.nonrespondents is not None:
        # in an order of their own content, so that the file's order does not matter
        silent = survey.nonrespondents
        silent = silent.sort_values(list(silent), kind="stable")
        silent["_file"] = survey.declared.nonrespondents.file
        silent["_sheet"] = ""
        silent["_row"] = silent.index
        silent = with_parents(silent, survey).reset_index(drop=True)
        numbers = range(1, len(silent) + 1)
        silent[roles.respondent] = [f"nonrespondent {number:07d}" for number in numbers]
        silent = silent.reindex(columns=respondents.columns).astype(respondents.dtypes.to_dict())
        persons = pd.concat([respondents, silent], ignore_index=True)
        text = [name for name in persons if persons[name].dtype == object]
        persons[text] = persons[text].where(persons[text].notna(), None)
        persons[RESPONDED] = [1] * len(respondents) + [0] * len(silent)
    if step is None:
        return SampledPersons(persons, None)
    if step.source == "inclusion":
        assert survey.sample is not None
        psu = str(roles.psu)
        return SampledPersons(base_weights(persons, survey.sample, psu), None)
    if step.source == "table":
        assert step.table is not None
        assert survey.weights is not None
        weight = _of_each(survey, persons, survey.weights, file=step.table.file)["weight"]
    elif step.column:
        weight = persons[step.column].astype(float)
    else:
        assert survey.frame is not None
        assert survey.declared.frame is not None
        strata = roles.strata
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
        # N_h x m / (sum of m over the stratum's sampled persons), m = product of `multiply` / product of `divide`
        multiple = pd.Series(1.0, index=persons.index)
        for name in step.multiply:
            multiple = multiple * persons[name].fillna(1).astype(float)
        for name in step.divide:
            multiple = multiple / persons[name].fillna(1).astype(float)
        within = multiple.groupby([keys[name] for name in by])
        weight = population.to_numpy(float) * multiple / within.transform("sum")
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
        record["strata"] = len(persons[roles.strata].drop_duplicates()) if roles.strata else 1
        record["multiply"] = list(step.multiply)
        record["divide"] = list(step.divide)
        record["missing"] = {name: int(persons[name].isna().sum()) for name in step.items}
    return SampledPersons(persons.assign(base_weight=weight), record)


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
                places=shortened(places),
            ),
            where=str(survey.folder / file),
            hint=_("Give every accepted respondent a weight, under the number of the responses."),
        )
    return by_respondent.loc[numbers].set_index(persons.index)


def replicates_of(survey: Survey, persons: pd.DataFrame) -> dict[str, Any] | None:
    """Return the replicate weights that came with the final weights, as `SurveyDesign` takes them; None without any.

    Parameters
    ----------
    survey : Survey
    persons : DataFrame
        The respondents in the order of the design.

    Raises
    ------
    WeightsError
        W527 respondents without replicate weights.
    """
    step = survey.declared.base
    table = survey.replicate_weights
    if step is None or step.replicates is None or table is None:
        return None
    declared = step.replicates
    rscales = None
    if survey.rscales is not None:
        rscales = survey.rscales["rscale"].to_numpy()
    return {
        "replicate_weights": _of_each(survey, persons, table, file=declared.file).to_numpy(float),
        "scale": declared.scale,
        "rscales": rscales,
        "mse": declared.mse,
        "df": declared.df,
    }
