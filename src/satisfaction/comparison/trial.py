"""A county's own trial beside the commissioned survey: what differs beyond sampling error, by mode, and signs of coaching.

A trial is a survey folder like any other. Differences come with errors where both samples are probability samples; else they
are described. Signs and modes are about the answers that were given: rows count once, and errors come from the communities.

How the answers of a trial and of the official survey look: signs of coaching, and what comes from the mode.

Rows count once, unweighted: the signs are about the answers that were given, not about the residents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.comparison.sides import estimates_of
from satisfaction.declarations.earlier import comparable_questionnaires
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.estimation.change import change
from satisfaction.estimation.intervals import satterthwaite, usable
from satisfaction.estimation.multiplicity import benjamini_hochberg
from satisfaction.estimation.pairs import tested
from satisfaction.fieldwork.answers import points
from satisfaction.foundation.engines import Engine
from satisfaction.foundation.errors import EstimatesError, RankingError
from satisfaction.foundation.language import Text, _
from satisfaction.pipeline import Results, run
from satisfaction.publication.labels import (
    UNITS,
    area_labels,
    labelled,
    mark,
    mark_as_text,
    measure_labels,
    twelve_digits,
)
from satisfaction.publication.reading_sets import FileSet, read_indices
from satisfaction.ranking.waves import comparability, require_comparable

Array = np.ndarray[Any, Any]
SIGNS = {
    "perfect": _("share of respondents who gave every topic the highest answer"),
    "open": _("share of the topics a respondent left without a valid answer"),
    "spread": _("standard deviation of the respondents' mean scores (points)"),
}
COACHED = {"perfect": 1, "open": -1, "spread": -1}  # the side with more (fewer) of it looks coached
HIGHEST = 100.0  # points
SIGN_COLUMNS = ["code", "sign", "zh", "en", "official", "trial", "difference", "se"]
MODE = "mode"
MODE_COLUMNS = [
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
    "mix",
    "within",
]
ERRORS = ["se", "df", "ci_low", "ci_high", "p"]
DIFFERENCE_COLUMNS = [
    "code",
    "name_zh",
    "name_en",
    "measure",
    "unit",
    "official",
    "trial",
    "difference",
    *ERRORS,
    "p_bh",
    "beyond_error",
    "n_official",
    "n_trial",
    "mark",
]


def sign_table(official: Results, trial: Results, codes: list[str]) -> pd.DataFrame:
    """Compare how the answers look in every area: perfect, open, spread; see `Trial`."""
    rows = []
    for code in codes:
        ours = _figures(trial, code)
        theirs = _figures(official, code)
        if not ours or not theirs:
            continue
        for sign, words in SIGNS.items():
            rows.append(_sign_row(code, sign, words, official=theirs[sign], trial=ours[sign]))
    table = pd.DataFrame(rows, columns=SIGN_COLUMNS)
    difference = table["difference"].to_numpy(float)
    se = table["se"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(se > 0, 2 * special.ndtr(-np.abs(difference / se)), np.nan)
    if not _tested(official, trial):
        p = np.full(len(table), np.nan)
        table["se"] = np.nan
    adjusted = benjamini_hochberg(p)
    direction = np.sign(difference) * table["sign"].map(COACHED).to_numpy(float)
    coached = np.where(direction > 0, "trial", "official")
    beyond_error = adjusted <= 1 - trial.survey.declared.level
    side = np.where(beyond_error, coached, "")
    return twelve_digits(table.assign(p=p, p_bh=adjusted, side=side))


class ClusteredMean(NamedTuple):
    """A mean and its standard error over clusters drawn with replacement."""

    mean: float
    se: float


def _sign_row(
    code: str, sign: str, words: Text, *, official: ClusteredMean, trial: ClusteredMean
) -> dict[str, Any]:
    return {
        "code": code,
        "sign": sign,
        "zh": words.zh,
        "en": words.en,
        "official": official.mean,
        "trial": trial.mean,
        "difference": trial.mean - official.mean,
        "se": float(np.hypot(trial.se, official.se)),
    }


def _figures(results: Results, code: str) -> dict[str, ClusteredMean]:
    """Return the signs of an area, their errors over communities; empty with fewer than two communities."""
    questionnaire = results.survey.questionnaire
    rows = results.responses.accepted
    rows = rows[rows[results.area].astype(str) == code]
    cluster = rows[questionnaire.roles.psu or questionnaire.roles.respondent].astype(str)
    if not questionnaire.topics or cluster.nunique() < 2:
        return {}
    communities = cluster.to_numpy()
    scored = points(rows, questionnaire, questionnaire.topics).to_numpy(float)
    answered = np.isfinite(scored)
    some = answered.any(axis=1)
    total = np.where(answered, scored, 0.0).sum(axis=1)
    mean = np.where(some, total / np.maximum(answered.sum(axis=1), 1), np.nan)
    perfect = np.where(some, ((scored == HIGHEST) | ~answered).all(axis=1), np.nan)
    centre = np.nan
    if some.any():
        centre = mean[some].mean()
    variance = clustered_mean((mean - centre) ** 2, communities)
    deviation = float(np.sqrt(variance.mean))
    deviation_se = 0.0
    if deviation:
        deviation_se = variance.se / (2 * deviation)
    return {
        "perfect": clustered_mean(perfect, communities),
        "open": clustered_mean((~answered).mean(axis=1), communities),
        "spread": ClusteredMean(deviation, deviation_se),
    }


def clustered_mean(values: Array, cluster: Array) -> ClusteredMean:
    """Return the mean of values, (n,) with nan for none, and its standard error over clusters drawn with replacement."""
    known = np.isfinite(values)
    mean = np.nan
    if known.any():
        mean = float(values[known].mean())
    residuals = pd.Series(np.where(known, values - mean, 0.0))
    totals = residuals.groupby(cluster).sum().to_numpy()
    number = len(totals)
    spread = np.sqrt(number / (number - 1) * (totals**2).sum())
    return ClusteredMean(mean, float(spread / max(known.sum(), 1)))


def mode_table(official: Results, trial: Results, codes: list[str]) -> pd.DataFrame:
    """Split the difference of the topics' mean scores into mix of modes and answers within modes; see `Trial`."""
    ours = trial.survey.declared.fieldwork.modes
    theirs = official.survey.declared.fieldwork.modes
    if not ours or not theirs or ours.item != theirs.item:
        return pd.DataFrame(columns=MODE_COLUMNS)
    item = ours.item
    table = _by_mode(official, item).join(
        _by_mode(trial, item), how="inner", suffixes=("_official", "_trial")
    )
    table = table.reset_index()
    table = table[table["code"].isin(codes)].reset_index(drop=True)
    for side in ("official", "trial"):
        counts = table[f"n_{side}"]
        in_area = table.groupby("code")[f"n_{side}"].transform("sum")
        table[f"share_{side}"] = counts / in_area
    answers = trial.survey.questionnaire.answers(item)
    table["zh"] = table[MODE].map({code: answer.zh for code, answer in answers.items()})
    table["en"] = table[MODE].map({code: answer.en for code, answer in answers.items()})
    share_change = table["share_trial"] - table["share_official"]
    share_sum = table["share_trial"] + table["share_official"]
    mean_change = table["mean_trial"] - table["mean_official"]
    mean_sum = table["mean_trial"] + table["mean_official"]
    table["mix"] = share_change * mean_sum / 2
    table["within"] = mean_change * share_sum / 2
    return twelve_digits(table[MODE_COLUMNS])


def _by_mode(results: Results, item: str) -> pd.DataFrame:
    rows = results.responses.accepted
    questionnaire = results.survey.questionnaire
    mean = points(rows, questionnaire, questionnaire.topics).mean(axis=1)
    area = rows[results.area].astype(str)
    parts = pd.DataFrame({"code": area, MODE: rows[item], "mean": mean}).dropna()
    means = parts.groupby(["code", MODE])["mean"]
    return means.agg(n="count", mean="mean")


@dataclass(frozen=True, slots=True)
class OfficialSide:
    """What is said of the official survey: its name and wave, how its sample was selected, what every use must say.

    `mark`: as a published row has it.
    """

    name: str
    wave: str
    selection: str
    mark: str
    marks: Text | None

    @classmethod
    def of(cls, official: Results | FileSet) -> OfficialSide:
        """Take it from the survey's results, or from what it published."""
        if isinstance(official, FileSet):
            marks = mark_as_text(official.mark) if official.mark else None
            selection = str(official.provenance["selection"])
            return cls(official.survey, official.wave, selection, official.mark, marks)
        survey = official.survey
        declared = survey.declared
        return cls(survey.name, declared.wave, declared.selection, mark(survey), survey.marks)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A trial beside the official survey.

    Attributes
    ----------
    official : Results or FileSet
        The official survey, or what it published: a county seldom holds more.
    trial : Results
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

    official: Results | FileSet = field(repr=False)
    trial: Results = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    signs: pd.DataFrame = field(repr=False)
    modes: pd.DataFrame = field(repr=False)
    left_out: Mapping[str, Text]

    @property
    def tested(self) -> bool:
        """Whether both samples carry sampling errors."""
        return _tested(self.official, self.trial)

    @property
    def side(self) -> OfficialSide:
        """What is said of the official survey."""
        return OfficialSide.of(self.official)


def run_trial(official: str | Path, trial: str | Path, *, engine: Engine = "auto") -> Trial:
    """Run a trial's folder and compare it with the official survey's, or with a file set that it published; see `compare_trial`.

    Raises
    ------
    SatisfactionError
        Whatever a stage of a run refuses.
    """
    trial_survey = read_survey(trial)
    if (Path(official) / "manifest.json").is_file():
        published = read_indices(official)
        comparable_with_set(published, trial_survey)  # before any work is done
        return compare_published(published, run(trial_survey, engine=engine))
    official_survey = read_survey(official)
    comparable_measures(official_survey, trial_survey)  # before any work is done
    return compare_trial(run(official_survey, engine=engine), run(trial_survey, engine=engine))


def comparable_measures(official: Survey, trial: Survey) -> tuple[list[str], dict[str, Text]]:
    """Return the measures that may be compared, and for the others why not.

    Raises
    ------
    RankingError
        K174 for the same survey twice, K175 where no measure may be compared.
    """

    def why_not(measure: str) -> Text | None:
        """Return why a measure may not be compared; None where it may."""
        try:
            require_comparable(comparability(trial.questionnaire, official.questionnaire, measure))
        except RankingError as reason:
            return reason.text
        return None

    return _comparable(official.name, set(measure_labels(official.questionnaire)), trial, why_not)


def comparable_with_set(official: FileSet, trial: Survey) -> tuple[list[str], dict[str, Text]]:
    """Return the measures that may be compared with published ones, and for the others why not.

    The same questionnaire, or one that the trial's declares comparable.

    Raises
    ------
    RankingError
        K174, K175.
    """
    questionnaire = trial.questionnaire
    different = _(
        "questionnaire {before}, now {now}, not declared comparable",
        before=official.questionnaire,
        now=questionnaire.reference,
    )

    def why_not(measure: str) -> Text | None:
        """Return why a measure may not be compared; None where it may."""
        comparable = comparable_questionnaires(questionnaire, measure)
        return None if official.questionnaire in comparable else different

    return _comparable(official.survey, set(official.indices["measure"]), trial, why_not)


def _comparable(
    official: str, known: set[str], trial: Survey, why_not: Callable[[str], Text | None]
) -> tuple[list[str], dict[str, Text]]:
    """Return the measures of a trial that may be compared with the known ones, and for the others why not (K174, K175)."""
    if official == trial.name:
        raise RankingError(
            "K174",
            _("The official survey and the trial are the same survey, {name}.", name=trial.name),
            where=str(trial.folder),
            hint=_("Give the trial a folder and a survey name of its own."),
        )
    same = []
    left_out = {}
    for measure in measure_labels(trial.questionnaire):
        why: Text | None = _("not in the official survey")
        if measure in known:
            why = why_not(measure)
        if why is None:
            same.append(measure)
        else:
            left_out[measure] = why
    if not same:
        raise RankingError(
            "K175",
            _("The questionnaires have no measure that may be compared."),
            where=f"{trial.name} / {official}",
            available=sorted(known),
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
    signs = sign_table(official, trial, codes)
    modes = mode_table(official, trial, codes)
    return Trial(official, trial, differences, signs, modes, left_out)


def compare_published(official: FileSet, trial: Results) -> Trial:
    """Compare a trial with what the official survey published; its answers are not at hand, so there are no signs and no modes.

    The samples count as independent: which communities both drew is not known.

    Raises
    ------
    RankingError
        K174-K176.
    """
    measures, left_out = comparable_with_set(official, trial.survey)
    parts = {measure: _from_published(official, trial, measure) for measure in measures}
    published = official.indices.loc[official.indices["level"] == trial.area, "code"]
    differences = _table_of(official, trial, parts, areas=sorted(set(published)))
    signs = sign_table_without_answers()
    modes = pd.DataFrame(columns=MODE_COLUMNS)
    return Trial(official, trial, differences, signs, modes, left_out)


def sign_table_without_answers() -> pd.DataFrame:
    """Return the table of signs where the answers of one side are not at hand."""
    return pd.DataFrame(columns=[*SIGN_COLUMNS, "p", "p_bh", "side"])


def _from_published(official: FileSet, trial: Results, measure: str) -> pd.DataFrame:
    """Return the differences of one measure from published estimates, in the areas with answers in both."""
    indices = official.indices
    theirs = indices[(indices["level"] == trial.area) & (indices["measure"] == measure)]
    ours = estimates_of(trial, measure, level=trial.area).table
    ours = ours.assign(code=ours[trial.area].astype(str))
    columns = ["code", "estimate", "se", "df", "n"]
    both = ours[columns].merge(theirs[columns], on="code", suffixes=("_trial", "_official"))
    both = both[(both["n_trial"] > 0) & (both["n_official"] > 0)]
    both = both[both["estimate_official"].notna()].reset_index(drop=True)
    estimate = both[["estimate_trial", "estimate_official"]].to_numpy(float)
    se = both[["se_trial", "se_official"]].to_numpy(float)
    df = both[["df_trial", "df_official"]].to_numpy(float)
    testable = np.asarray(usable(estimate, se, df).all(axis=1))
    of_trial = estimate[:, 0]
    of_official = estimate[:, 1]
    keys = both[["code", "n_trial", "n_official"]]
    keys = keys.assign(measure=measure, trial=of_trial, official=of_official)
    se_difference = np.hypot(se[:, 0], se[:, 1])
    return tested(
        keys,
        difference=of_trial - of_official,
        se=se_difference,
        df=satterthwaite(se**2, df),
        usable=testable,
        level=trial.survey.declared.level,
    )


def _tested(official: Results | FileSet, trial: Results) -> bool:
    selections = {OfficialSide.of(official).selection, trial.survey.declared.selection}
    return selections == {"probability"}


def trial_differences(official: Results, trial: Results, measures: list[str]) -> pd.DataFrame:
    """Return the differences of every measure and area with answers in both; see `Trial`."""
    parts = {}
    if trial.area in official.estimates:
        parts = {measure: _differences_of(official, trial, measure) for measure in measures}
    areas = official.estimates[official.area].table[official.area]
    return _table_of(official, trial, parts, areas=sorted(areas.astype(str)))


def _table_of(
    official: Results | FileSet,
    trial: Results,
    parts: Mapping[str, pd.DataFrame],
    *,
    areas: list[str],
) -> pd.DataFrame:
    """Join the differences of all measures, with the adjustment over all of them."""
    side = OfficialSide.of(official)
    labels = measure_labels(trial.survey.questionnaire)
    filled = []
    for measure, part in parts.items():
        if len(part):
            filled.append(part.assign(unit=UNITS[labels[measure][0]]))
    if not filled:
        raise RankingError(
            "K176",
            _("No area has answers in both surveys."),
            where=f"{trial.survey.name} / {side.name}",
            available=areas[:10],
            hint=_("Use the official survey's area codes and level in the trial."),
        )
    table = pd.concat(filled, ignore_index=True)
    if not _tested(official, trial):
        table[ERRORS] = np.nan
    adjusted = benjamini_hochberg(table["p"].to_numpy(float))
    verdict = np.where(adjusted <= 1 - trial.survey.declared.level, "yes", "no")
    table["p_bh"] = adjusted
    table["beyond_error"] = np.where(table["p"].isna(), "not tested", verdict)
    marks = filter(None, (side.mark, mark(trial.survey)))
    table["mark"] = "; ".join(dict.fromkeys(marks))
    table = labelled(table, area_labels(trial.survey), key="code", into="name")
    return twelve_digits(table[DIFFERENCE_COLUMNS])


def _differences_of(official: Results, trial: Results, measure: str) -> pd.DataFrame:
    """Return the differences of one measure in the areas with answers in both; empty where there are none."""
    level = trial.area
    ours = estimates_of(trial, measure, level=level)
    theirs = estimates_of(official, measure, level=level)
    try:
        table = change(ours, theirs).table
    except EstimatesError:  # the areas of the two have nothing in common
        return pd.DataFrame()
    table = table.rename(columns={level: "code", "later": "trial", "earlier": "official"})
    for side, estimates in (("trial", ours), ("official", theirs)):
        answers = estimates.table.set_index(level)["n"]
        table[f"n_{side}"] = table["code"].map(answers)
    fewer = table[["n_trial", "n_official"]].min(axis=1)
    return table[fewer > 0]
