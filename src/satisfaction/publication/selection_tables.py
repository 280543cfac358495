"""What is published of a wave whose respondents were not drawn: the declared model's estimates, sensitivity, answering odds.

Files of their own. No column of them is an error of sampling, and no row says that something is established.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.checks import area_margins
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.language import NOTHING, Text, _, ngettext, use
from satisfaction.publication.labels import (
    labelled,
    measure_labels,
    measures_named,
    published,
    whole_code,
    worded,
)
from satisfaction.ranking.answering_odds import LARGEST
from satisfaction.ranking.selection_study import DrawnReference, SelectionStudy, satisfied_by

OF_ROW = (
    *("level", "code", "name_zh", "name_en"),
    *("measure", "measure_zh", "measure_en", "kind", "unit"),
)
"""What every row of an estimate is of."""
MODELS = {
    "calibration": _("calibration (model of the answers)"),
    "inverse_propensity": _("inverse propensity (model of who answers)"),
    "doubly_robust": _("doubly robust (both models)"),
}
CAUTION = _(
    "holds only if people of the same levels of the margins answer whatever they think; if the "
    "satisfied are likelier to answer, estimate and error of every model are off, and nothing in "
    "the data shows it"
)
SENSITIVITY = _(
    "What each figure would be if none (phi = 0), half (0.5) or all (1) of the difference between "
    "respondents and others lay in the answer itself. It supposes that the answer pulls the way the "
    "margins show; where the satisfied answer more readily for other reasons, the truth may lie "
    "outside. The data do not tell; it is no interval."
)
ODDS = _(
    "How much likelier the satisfied would have to be to answer than all others (ratio of the odds of "
    "answering, as left after weighting) for an area to cross the cut of the list. No model is fitted "
    "and no error claimed."
)
MODEL_COLUMNS = [
    *(*OF_ROW, "model", "model_zh", "reference"),
    *("estimate_model", "se_model", "ci_model_low", "ci_model_high", "n", "note"),
]
FIGURES = ("estimate_answered", "phi_0", "phi_05", "phi_1", "proxy_correlation")
SENSITIVITY_COLUMNS = [*OF_ROW, *FIGURES, "n", "note"]
ODDS_COLUMNS = [
    *("code", "name_zh", "name_en", "measure", "measure_zh", "measure_en", "rank", "listed"),
    *("satisfied_share", "odds_alone", "odds_alike", "zh", "en"),
]


@dataclass(frozen=True, slots=True, repr=False)
class SelectionTables:
    """The published tables; those that nothing is declared for, and all of a probability sample, have no rows.

    Attributes
    ----------
    model, sensitivity, odds : DataFrame
        See `MODEL_COLUMNS`, `SENSITIVITY_COLUMNS`, `ODDS_COLUMNS`.
    """

    model: pd.DataFrame
    sensitivity: pd.DataFrame
    odds: pd.DataFrame

    @property
    def anything(self) -> bool:
        """Tell whether one of them has rows."""
        tables = (self.model, self.sensitivity, self.odds)
        return any(len(table) for table in tables)

    def of_ranked(self, level: str, measure: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the rows of one level and measure of model and sensitivity."""
        tables = []
        for table in (self.model, self.sensitivity):
            if len(table):
                table = table[(table["level"] == level) & (table["measure"] == measure)]
            tables.append(table)
        return tables[0], tables[1]


@use(None)
def selection_tables(survey: Survey, study: SelectionStudy | None) -> SelectionTables:
    """Return the tables as published."""
    if study is None:
        return SelectionTables(pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    return SelectionTables(
        _model_table(survey, study.models),
        _sensitivity_table(survey, study.sensitivity),
        _odds_table(survey, study.odds),
    )


def _model_table(survey: Survey, models: pd.DataFrame) -> pd.DataFrame:
    if not len(models):
        return models
    notes = [str(note) or CAUTION.both for note in models["note"]]
    table = _with_codes(survey, models.assign(note=notes))
    table = labelled(table, MODELS, key="model", into="model")
    table = table.assign(reference=_population_by_name(survey))
    return published(survey, measures_named(survey, table), MODEL_COLUMNS)


def _sensitivity_table(survey: Survey, sensitivity: pd.DataFrame) -> pd.DataFrame:
    if not len(sensitivity):
        return sensitivity
    notes = [str(note) for note in sensitivity["note"]]
    table = _with_codes(survey, sensitivity.assign(note=notes))
    absent = [name for name in FIGURES if name not in table]
    table = table.assign(**dict.fromkeys(absent, float("nan")))
    return published(survey, measures_named(survey, table), SENSITIVITY_COLUMNS)


def _with_codes(survey: Survey, table: pd.DataFrame) -> pd.DataFrame:
    whole = whole_code(survey)
    return table.assign(code=[code or whole for code in table["code"]], n=table["n"].astype(int))


def _odds_table(survey: Survey, odds: pd.DataFrame) -> pd.DataFrame:
    if not len(odds):
        return odds
    names = survey.area_names()
    sentences = [odds_sentence(row, names[row["code"]]) for row in odds.to_dict("records")]
    table = worded(odds, sentences, zh="zh", en="en")
    if (table["rank"] % 1 == 0).all():
        table["rank"] = table["rank"].astype("Int64")
    return published(survey, measures_named(survey, table), ODDS_COLUMNS)


def _population_by_name(survey: Survey) -> str:
    """Return the names of the margins, or of the wave and its items, that stand for the population."""
    reference = survey.reference
    model = survey.declared.selection_model
    if reference is None or model is None:
        return ", ".join(area_margins(survey.declared, survey.questionnaire.roles.area))
    return f"{reference.name} {reference.declared.wave}: {', '.join(model.by or ())}"


def reference_note(reference: DrawnReference) -> Text:
    """Say how many people the reference wave has, and what its sampling does to the model's error."""
    persons = len(reference.people.table)
    counted = ngettext(
        "{n:,} respondent of the reference wave", "{n:,} respondents of the reference wave", persons
    )
    if reference.left_out:
        counted = _(
            "{counted} ({left_out:,} without an answer to one of these items left out)",
            counted=counted,
            left_out=reference.left_out,
        )
    return _(
        "{counted}; their sampling error (PSUs as drawn with replacement, weights as they are) is part "
        "of the model's",
        counted=counted,
    )


def satisfied_label(survey: Survey) -> Text:
    """Return the label of the rate that says who is satisfied; empty without one."""
    rate = satisfied_by(survey)
    if rate is None:
        return NOTHING
    return measure_labels(survey.questionnaire)[rate][1]


def near_the_cut(odds: pd.DataFrame) -> list[Text]:
    """Return the sentences of the areas that the smallest odds move across the cut: one that is listed, one that is not."""
    sentences = []
    for listed in ("yes", "no"):
        of_side = odds[odds["listed"] == listed]
        rows = of_side.dropna(subset="odds_alone")
        if len(rows):
            distance = np.log(rows["odds_alone"].astype(float)).abs()
            nearest = rows.loc[distance.idxmin()]
            sentences.append(Text(nearest["zh"], nearest["en"]))
    return sentences


def odds_sentence(row: dict[str, Any], name: Text) -> Text:
    """Say at which answering odds an area leaves or enters the list: for it alone, and for all areas alike."""
    listed = row["listed"] == "yes"
    now = _("As answered, {name} is not on the list.", name=name)
    if listed:
        now = _("As answered, {name} is on the list.", name=name)
    alone = _alone(row["odds_alone"], listed)
    alike = _alike(row["odds_alike"], listed)
    return _("{now} {alone} {alike}", now=now, alone=alone, alike=alike)


def _alone(odds: float, listed: bool) -> Text:
    if pd.isna(odds):
        return _("In it alone, no odds up to {most:g} times either way change that.", most=LARGEST)
    if listed:
        return _("In it alone, it would leave the list if {likelier}.", likelier=likelier(odds))
    return _("In it alone, it would enter the list if {likelier}.", likelier=likelier(odds))


def _alike(odds: float, listed: bool) -> Text:
    if pd.isna(odds):
        return _("The same in all areas, no odds up to {most:g} times change that.", most=LARGEST)
    if listed:
        return _("The same in all areas, it would leave if {likelier}.", likelier=likelier(odds))
    return _("The same in all areas, it would enter if {likelier}.", likelier=likelier(odds))


def likelier(odds: float) -> Text:
    """Say who would have to be likelier to answer, and how much."""
    if odds >= 1:
        return _(
            "the odds that the satisfied answer were {odds} times those of all others",
            odds=times(odds),
        )
    return _(
        "the odds that all others answer were {odds} times those of the satisfied",
        odds=times(1 / odds),
    )


def times(odds: float) -> str:
    """Write a ratio of odds so that it never reads as 1."""
    if odds < 1.005:
        return f"{odds:.4f}" if odds > 1.00005 else "1.0001"
    return f"{odds:.2f}"
