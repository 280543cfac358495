"""How the answers of a trial and of the official survey look: signs of coaching, and what comes from the mode.

Rows count once, unweighted: the signs are about the answers that were given, not about the residents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..fieldwork import points
from ..fieldwork.compare import benjamini_hochberg
from ..pipeline import Results
from ..published import twelve_digits

Array = np.ndarray[Any, Any]
SIGNS = {
    "perfect": ("全部题目都给最高分的人占比", "share of respondents who gave every topic the highest answer"),
    "open": ("每人未作有效回答的题目占比", "share of the topics a respondent left without a valid answer"),
    "spread": ("各人平均分的标准差（分）", "standard deviation of the respondents' mean scores (points)"),
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
            found.append((code, sign, *SIGNS[sign], theirs, ours, ours - theirs, float(np.hypot(our_se, their_se))))
    table = pd.DataFrame(found, columns=["code", "sign", "zh", "en", "official", "trial", "difference", "se"])
    difference, se = table["difference"].to_numpy(float), table["se"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(se > 0, 2 * special.ndtr(-np.abs(difference / se)), np.nan)
    selections = {official.survey.declared.selection, trial.survey.declared.selection}
    if selections != {"probability"}:
        p = np.full(len(table), np.nan)
        table["se"] = np.nan
    adjusted = benjamini_hochberg(p)
    direction = np.sign(difference) * table["sign"].map(COACHED).to_numpy(float)
    side = np.where(adjusted <= 1 - trial.survey.declared.level, np.where(direction > 0, "trial", "official"), "")
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
    mean = np.where(some, np.where(answered, scored, 0.0).sum(axis=1) / np.maximum(answered.sum(axis=1), 1), np.nan)
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
    columns = ["code", MODE, "zh", "en", "n_official", "n_trial", "share_official", "share_trial", "mean_official", "mean_trial"]
    declared = [one.survey.declared.fieldwork.modes for one in (official, trial)]
    items = {one.item for one in declared if one}
    if None in declared or len(items) > 1:
        return pd.DataFrame(columns=[*columns, "mix", "within"])
    item = items.pop()
    sides = [_by_mode(one, item) for one in (official, trial)]
    both = sides[0].join(sides[1], how="inner", suffixes=("_official", "_trial")).reset_index()
    both = both[both["code"].isin(codes)]
    for side in ("official", "trial"):
        both[f"share_{side}"] = both[f"n_{side}"] / both.groupby("code")[f"n_{side}"].transform("sum")
    answers = trial.survey.questionnaire.answers(item)
    both = both.assign(
        zh=both[MODE].map({code: answer.zh for code, answer in answers.items()}),
        en=both[MODE].map({code: answer.en for code, answer in answers.items()}),
        mix=(both["share_trial"] - both["share_official"]) * (both["mean_trial"] + both["mean_official"]) / 2,
        within=(both["mean_trial"] - both["mean_official"]) * (both["share_trial"] + both["share_official"]) / 2,
    )
    return twelve_digits(both[[*columns, "mix", "within"]].reset_index(drop=True))


def _by_mode(results: Results, item: str) -> pd.DataFrame:
    rows, questionnaire = results.responses.accepted, results.survey.questionnaire
    mean = points(rows, questionnaire, questionnaire.topics).mean(axis=1)
    parts = pd.DataFrame({"code": rows[results.area].astype(str), MODE: rows[item], "mean": mean}).dropna()
    return parts.groupby(["code", MODE])["mean"].agg(n="count", mean="mean")
