"""A county's own trial beside the commissioned survey: what differs beyond sampling error, by mode, and signs of coaching.

A trial is a survey folder like any other. Differences come with errors where both samples are probability samples; else they
are described. Signs and modes are about the answers that were given: rows count once, and errors come from the communities.

How the answers of a trial and of the official survey look: signs of coaching, and what comes from the mode.

Rows count once, unweighted: the signs are about the answers that were given, not about the residents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.comparison.sides import estimates_of, joint_mark
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.change import change
from satisfaction.estimation.multiplicity import benjamini_hochberg
from satisfaction.fieldwork.answers import points
from satisfaction.foundation.engines import Engine
from satisfaction.foundation.errors import EstimatesError, RankingError
from satisfaction.foundation.language import Text, _
from satisfaction.pipeline import Results, run
from satisfaction.publication.labels import area_labels, measure_labels, twelve_digits
from satisfaction.publication.tables import UNITS
from satisfaction.ranking.waves import comparability, require_comparable

Array = np.ndarray[Any, Any]
SIGNS = {
    "perfect": _("share of respondents who gave every topic the highest answer"),
    "open": _("share of the topics a respondent left without a valid answer"),
    "spread": _("standard deviation of the respondents' mean scores (points)"),
}
COACHED = {"perfect": 1, "open": -1, "spread": -1}  # the side with more (fewer) of it looks coached
MODE = "mode"


def sign_table(official: Results, trial: Results, codes: list[str]) -> pd.DataFrame:
    """Compare how the answers look in every area: perfect, open, spread; see `Trial`."""
    found = []
    for code in codes:
        sides = [_figures(one, code) for one in (trial, official)]
        for sign in SIGNS if min(map(len, sides)) else ():
            (ours, our_se), (theirs, their_se) = (side[sign] for side in sides)
            found.append(
                (
                    code,
                    sign,
                    *SIGNS[sign],
                    theirs,
                    ours,
                    ours - theirs,
                    float(np.hypot(our_se, their_se)),
                )
            )
    table = pd.DataFrame(
        found, columns=["code", "sign", "zh", "en", "official", "trial", "difference", "se"]
    )
    difference, se = table["difference"].to_numpy(float), table["se"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(se > 0, 2 * special.ndtr(-np.abs(difference / se)), np.nan)
    selections = {official.survey.declared.selection, trial.survey.declared.selection}
    if selections != {"probability"}:
        p = np.full(len(table), np.nan)
        table["se"] = np.nan
    adjusted = benjamini_hochberg(p)
    direction = np.sign(difference) * table["sign"].map(COACHED).to_numpy(float)
    side = np.where(
        adjusted <= 1 - trial.survey.declared.level,
        np.where(direction > 0, "trial", "official"),
        "",
    )
    return twelve_digits(table.assign(p=p, p_bh=adjusted, side=side))


def _figures(results: Results, code: str) -> dict[str, tuple[float, float]]:
    """Return sign -> (figure, standard error over communities) of an area; empty with fewer than two communities."""
    questionnaire, rows = results.survey.questionnaire, results.responses.accepted
    rows = rows[rows[results.area].astype(str) == code]
    roles = questionnaire.roles
    cluster = rows[roles.psu or roles.respondent].astype(str)
    if not questionnaire.topics or cluster.nunique() < 2:
        return {}
    scored = points(rows, questionnaire, questionnaire.topics).to_numpy(float)
    answered = np.isfinite(scored)
    some = answered.any(axis=1)
    mean = np.where(
        some,
        np.where(answered, scored, 0.0).sum(axis=1) / np.maximum(answered.sum(axis=1), 1),
        np.nan,
    )
    perfect = np.where(some, ((scored == 100.0) | ~answered).all(axis=1), np.nan)
    centre = mean[some].mean() if some.any() else np.nan
    square = (mean - centre) ** 2
    values = {"perfect": perfect, "open": (~answered).mean(axis=1), "spread": square}
    found = {sign: clustered_mean(value, cluster.to_numpy()) for sign, value in values.items()}
    variance, se = found["spread"]
    deviation = float(np.sqrt(variance))
    return found | {"spread": (deviation, se / (2 * deviation) if deviation else 0.0)}


def clustered_mean(values: Array, cluster: Array) -> tuple[float, float]:
    """Return the mean of values, (n,) with nan for none, and its standard error over clusters drawn with replacement."""
    known = np.isfinite(values)
    mean = float(values[known].mean()) if known.any() else np.nan
    totals = pd.Series(np.where(known, values - mean, 0.0)).groupby(cluster).sum().to_numpy()
    number = len(totals)
    return mean, float(np.sqrt(number / (number - 1) * (totals**2).sum()) / max(known.sum(), 1))


def mode_table(official: Results, trial: Results, codes: list[str]) -> pd.DataFrame:
    """Split the difference of the topics' mean scores into mix of modes and answers within modes; see `Trial`."""
    columns = [
        "code",
        MODE,
        "zh",
        "en",
        "n_official",
        "n_trial",
        "share_official",
        "share_trial",
        "mean_official",
        "mean_trial",
    ]
    declared = [one.survey.declared.fieldwork.modes for one in (official, trial)]
    items = {one.item for one in declared if one}
    if None in declared or len(items) > 1:
        return pd.DataFrame(columns=[*columns, "mix", "within"])
    item = items.pop()
    sides = [_by_mode(one, item) for one in (official, trial)]
    both = sides[0].join(sides[1], how="inner", suffixes=("_official", "_trial")).reset_index()
    both = both[both["code"].isin(codes)]
    for side in ("official", "trial"):
        both[f"share_{side}"] = both[f"n_{side}"] / both.groupby("code")[f"n_{side}"].transform(
            "sum"
        )
    answers = trial.survey.questionnaire.answers(item)
    both = both.assign(
        zh=both[MODE].map({code: answer.zh for code, answer in answers.items()}),
        en=both[MODE].map({code: answer.en for code, answer in answers.items()}),
        mix=(both["share_trial"] - both["share_official"])
        * (both["mean_trial"] + both["mean_official"])
        / 2,
        within=(both["mean_trial"] - both["mean_official"])
        * (both["share_trial"] + both["share_official"])
        / 2,
    )
    return twelve_digits(both[[*columns, "mix", "within"]].reset_index(drop=True))


def _by_mode(results: Results, item: str) -> pd.DataFrame:
    rows, questionnaire = results.responses.accepted, results.survey.questionnaire
    mean = points(rows, questionnaire, questionnaire.topics).mean(axis=1)
    parts = pd.DataFrame(
        {"code": rows[results.area].astype(str), MODE: rows[item], "mean": mean}
    ).dropna()
    return parts.groupby(["code", MODE])["mean"].agg(n="count", mean="mean")


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A trial beside the official survey.

    Attributes
    ----------
    official, trial : Results
    differences : DataFrame
        One row an area and measure with estimates in both: code, name_zh, name_en, measure, unit, official, trial, difference
        (trial minus official, in the measure's unit), se, df, ci_low, ci_high, p, p_bh (Benjamini-Hochberg over the whole
        table), beyond_error ("yes", "no", "not tested"), n_official, n_trial, mark.
    signs : DataFrame
        One row an area and sign: code, sign, zh, en, official, trial, difference, se, p, p_bh, side ("official" or "trial" where
        that side looks coached beyond sampling error, "" where neither does).
    modes : DataFrame
        One row an area and mode where both declare `fieldwork: modes` on the same item; else empty: code, mode, zh, en,
        n_official, n_trial, share_official, share_trial, mean_official, mean_trial (topics, 0-100), mix (points of the
        difference that come from the share of this mode) and within (from answers within it); they add up to the difference
        of the unweighted means over the modes that both used.
    left_out : mapping
        Measure -> why it may not be compared.

    Source: Kitagawa (1955), "Components of a difference between two rates", JASA 50, for mix and within.
    """

    official: Results
    trial: Results
    differences: pd.DataFrame = field(repr=False)
    signs: pd.DataFrame = field(repr=False)
    modes: pd.DataFrame = field(repr=False)
    left_out: Mapping[str, Text]

    @property
    def tested(self) -> bool:
        """Whether both samples carry sampling errors."""
        return all(
            one.survey.declared.selection == "probability" for one in (self.official, self.trial)
        )


def run_trial(official: str | Path, trial: str | Path, *, engine: Engine = "duckdb") -> Trial:
    """Run two survey folders and compare them; see `compare_trial`.

    Raises
    ------
    SatisfactionError
        Whatever a stage of a run refuses.
    """
    surveys = [read_survey(folder) for folder in (official, trial)]
    comparable_measures(*surveys)  # before any work is done
    return compare_trial(*(run(survey, engine=engine) for survey in surveys))


def comparable_measures(official: Survey, trial: Survey) -> tuple[list[str], dict[str, Text]]:
    """Return the measures that may be compared, and for the others why not.

    Raises
    ------
    RankingError
        K174 for the same survey twice, K175 where no measure may be compared.
    """
    if official.name == trial.name:
        raise RankingError(
            "K174",
            _("The official survey and the trial are the same survey, {name}.", name=trial.name),
            where=str(trial.folder),
            hint=_("Give the trial a folder and a survey name of its own."),
        )
    same, left_out = list[str](), dict[str, Text]()
    both = set(measure_labels(official.questionnaire))
    for measure in measure_labels(trial.questionnaire):
        try:
            if measure in both:
                require_comparable(
                    comparability(trial.questionnaire, official.questionnaire, measure)
                )
                same.append(measure)
            else:
                left_out[measure] = _("not in the official survey")
        except RankingError as reason:
            left_out[measure] = reason.text
    if not same:
        raise RankingError(
            "K175",
            _("The questionnaires have no measure that may be compared."),
            where=f"{trial.name} / {official.name}",
            available=sorted(both),
            hint=_("Ask the trial with the same questionnaire, or declare `comparable_with`."),
        )
    return same, left_out


def compare_trial(official: Results, trial: Results) -> Trial:
    """Compare a trial with the official survey, at the areas the trial ranks.

    Parameters
    ----------
    official, trial : Results
        In any order of time; PSUs of both count as shared, as between waves.

    Raises
    ------
    RankingError
        K174, K175; K176 when no area was asked in both.
    """
    measures, left_out = comparable_measures(official.survey, trial.survey)
    differences = trial_differences(official, trial, measures)
    codes = list(dict.fromkeys(differences["code"]))
    tables = sign_table(official, trial, codes), mode_table(official, trial, codes)
    return Trial(official, trial, differences, *tables, left_out)


def trial_differences(official: Results, trial: Results, measures: list[str]) -> pd.DataFrame:
    """Return the differences of every measure and area with answers in both; see `Trial`."""
    level, survey, found = trial.area, trial.survey, list[pd.DataFrame]()
    labels, names = measure_labels(survey.questionnaire), area_labels(survey)
    for measure in measures if level in official.estimates else []:
        sides = [estimates_of(one, measure, level=level) for one in (trial, official)]
        counted = [one.table.set_index(level)["n"] for one in sides]
        try:
            table = change(*sides).table
        except EstimatesError:  # the areas of the two have nothing in common
            continue
        table = table.assign(
            unit=UNITS[labels[measure][0]],
            n_trial=table[level].map(counted[0]),
            n_official=table[level].map(counted[1]),
        )
        found.append(
            table[(table["n_trial"] > 0) & (table["n_official"] > 0)].rename(
                columns={level: "code"}
            )
        )
    if not any(map(len, found)):
        raise RankingError(
            "K176",
            _("No area has answers in both surveys."),
            where=f"{survey.name} / {official.survey.name}",
            available=sorted(official.estimates[official.area].table[official.area].astype(str))[
                :10
            ],
            hint=_("Use the official survey's area codes and level in the trial."),
        )
    table = pd.concat(found, ignore_index=True).rename(
        columns={"later": "trial", "earlier": "official"}
    )
    tested = all(one.survey.declared.selection == "probability" for one in (official, trial))
    errors = ["se", "df", "ci_low", "ci_high", "p"]
    if not tested:
        table[errors] = np.nan
    adjusted = benjamini_hochberg(table["p"].to_numpy(float))
    verdict = np.where(
        table["p"].isna(),
        "not tested",
        np.where(adjusted <= 1 - survey.declared.level, "yes", "no"),
    )
    table = table.assign(
        p_bh=adjusted,
        beyond_error=verdict,
        name_zh=table["code"].map({code: label.zh for code, label in names.items()}),
        name_en=table["code"].map({code: label.en for code, label in names.items()}),
        mark=joint_mark([official.survey, survey]),
    )
    columns = [
        "code",
        "name_zh",
        "name_en",
        "measure",
        "unit",
        "official",
        "trial",
        "difference",
        *errors,
        "p_bh",
        "beyond_error",
    ]
    return twelve_digits(table[[*columns, "n_official", "n_trial", "mark"]])
