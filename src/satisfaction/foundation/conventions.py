"""The conventions a result was made by, in words: what each is called, and what its value means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.foundation.language import (
    N_,
    Text,
    _,
    as_text,
    comma_list,
    pgettext,
    semicolon_list,
)

KEYS = {
    "statistic": pgettext("convention", "statistic"),
    "variance": pgettext("convention", "variance estimation"),
    "interval": pgettext("convention", "confidence interval"),
    "level": pgettext("convention", "confidence level"),
    "df": pgettext("convention", "degrees of freedom"),
    "deff": pgettext("convention", "design effect"),
    "lonely_psu": pgettext("convention", "strata of a single primary sampling unit"),
    "selection": pgettext("convention", "selection of the respondents"),
    "calibration": pgettext("convention", "calibration method"),
    "fpc": pgettext("convention", "finite population correction"),
    "engine_exact": pgettext("convention", "counts reproducible to the last bit"),
    "p": pgettext("convention", "units ranked"),
    "not_ranked": pgettext("convention", "units not ranked"),
    "rankability": pgettext("convention", "rankability"),
    "tau2": pgettext("convention", "true variance between units"),
    "mu": pgettext("convention", "mean of the units"),
    "decidable_share": pgettext("convention", "share of pairs that can be put in order"),
    "tied_at_cut": pgettext("convention", "units tied at the cut"),
    "tie_at_cut": pgettext("convention", "tie at the cut"),
    "list_size_low": pgettext("convention", "smallest size of the list"),
    "list_size_high": pgettext("convention", "largest size of the list"),
    "listed": pgettext("convention", "list"),
    "expected_true_bottom": pgettext("convention", "expected true members among the listed"),
    "established_listed": pgettext("convention", "established among the listed"),
    "list_p": pgettext("convention", "p-value of the list as a whole"),
    "list_established": pgettext("convention", "whether the list as a whole is established"),
    "critical_values": pgettext("convention", "critical values"),
    "se_from_limits": pgettext(
        "convention", "units whose standard error follows from confidence limits"
    ),
    "zero_se": pgettext("convention", "units with a standard error of zero"),
    "independent": pgettext("convention", "units independent of one another"),
    "ties": pgettext("convention", "treatment of ties"),
    "probabilities": pgettext("convention", "how probabilities are computed"),
    "seed": pgettext("convention", "random seed"),
    "fragile": pgettext("convention", "bounds within the error of the simulation"),
    "bottom": pgettext("convention", "length of the list"),
    "higher_is_better": pgettext("convention", "larger values are better"),
    "marginal": pgettext("convention", "rank sets for one unit alone"),
    "marginal_asked": pgettext("convention", "method asked for the sets of one unit"),
    "simultaneous": pgettext("convention", "rank sets that hold at once"),
    "membership": pgettext("convention", "test of membership of the list"),
    "step": pgettext("convention", "kind of step"),
    "method": pgettext("convention", "method"),
    "tolerance": pgettext("convention", "tolerance"),
    "iterations": pgettext("convention", "iterations"),
    "discrepancy": pgettext("convention", "largest discrepancy"),
    "margins": pgettext("convention", "margins and the number of their levels"),
    "factor_low": pgettext("convention", "smallest factor"),
    "factor_high": pgettext("convention", "largest factor"),
    "before": pgettext("convention", "weights before calibration"),
    "after": pgettext("convention", "weights after calibration"),
    "respondents": pgettext("convention", "number of respondents"),
    "sum": pgettext("convention", "sum of the weights"),
    "low": pgettext("convention", "smallest"),
    "high": pgettext("convention", "largest"),
    "cv": pgettext("convention", "coefficient of variation"),
    "kish_deff": pgettext("convention", "Kish design effect"),
    "effective_n": pgettext("convention", "effective sample size"),
    "list_size": pgettext("convention", "length of the list"),
    "side": pgettext("convention", "end of the ranking that is listed"),
    "minimum_n": pgettext("convention", "smallest sample size"),
    "round_before_ranking": pgettext("convention", "rounding before ranking"),
    "source": pgettext("convention", "source of the rule"),
    "unknown_area": pgettext("convention", "unknown area codes"),
    "outside_scale": pgettext("convention", "answers outside the scale"),
    "unknown_answers": pgettext(
        "convention", "a run stops beyond so many answers the questionnaire does not know"
    ),
    "reversed_scale": pgettext("convention", "scales whose ends seem exchanged"),
    "empty": pgettext("convention", "words read as no answer"),
    "count": pgettext("convention", "number"),
    "share": pgettext("convention", "share of the answers"),
    "repeated": pgettext("convention", "times the same wording stands"),
    "sampled": pgettext("convention", "persons sampled"),
    "strata": pgettext("convention", "number of strata"),
    "null": pgettext("convention", "null hypothesis"),
    "test": pgettext("convention", "test"),
    "measure": pgettext("convention", "measure"),
    "outcome": pgettext("convention", "what is explained"),
    "baseline": pgettext("convention", "codes that the others are compared with"),
    "n": pgettext("convention", "respondents used"),
    "items": pgettext("convention", "how items count"),
    "cases": pgettext("convention", "respondents that count"),
    "df_rule": pgettext("convention", "degrees of freedom"),
    "weights": pgettext("convention", "weights"),
    "design_effect": pgettext("convention", "design effect"),
    "confounding": pgettext("convention", "what cannot be told apart"),
    "groups_in_several_places": pgettext("convention", "groups in several places"),
    "not_tested": pgettext("convention", "what is not tested"),
    "left_out": pgettext("convention", "left out"),
    "fragile_pairs": pgettext("convention", "pairs within the error of the simulation"),
    "shared_psus": pgettext("convention", "primary sampling units in both waves"),
    "psus": pgettext("convention", "number of primary sampling units"),
    "base_weight": pgettext("convention", "where base weights stand"),
    "multiply": pgettext("convention", "items multiplied by"),
    "divide": pgettext("convention", "items divided by"),
    "missing": pgettext("convention", "missing values"),
    "column": pgettext("convention", "item that holds the weight"),
    "file": pgettext("convention", "file that holds the weights"),
    "unused": pgettext("convention", "rows of that file without an accepted respondent"),
    "by": pgettext("convention", "items adjusted by"),
    "response_rate": pgettext("convention", "weighted response rate"),
    "weights_before": pgettext("convention", "weights before this step"),
    "weights_after": pgettext("convention", "weights after this step"),
    "bounds": pgettext("convention", "bounds of the factors"),
    "at_bounds": pgettext("convention", "cells whose factor lies at a bound"),
    "lower": pgettext("convention", "lower bound of the weights"),
    "upper": pgettext("convention", "upper bound of the weights"),
    "within": pgettext("convention", "groups whose sum of weights stays"),
    "trimmed": pgettext("convention", "persons trimmed"),
    "share_trimmed": pgettext("convention", "share of the weights cut off"),
    "sum_lost": pgettext("convention", "share of the weights that left their cell"),
    "sum_change": pgettext("convention", "change of the sum of weights"),
    "columns": pgettext("convention", "columns that the weights rest on"),
    "minimum_reliability": pgettext("convention", "least reliability"),
    "minimum_df": pgettext("convention", "least degrees of freedom of an own error"),
    "minimum_deff": pgettext("convention", "least design effect of an own error"),
    "se_from_larger": pgettext("convention", "units whose error follows from a larger area"),
    "multiplicity": pgettext("convention", "adjustment for many tests"),
    "actions": pgettext("convention", "actions by rule"),
    "membership_asked": pgettext("convention", "method asked for the test of membership"),
    "simultaneous_asked": pgettext("convention", "method asked for the sets that hold at once"),
    "draws": pgettext("convention", "simulations"),
    "critical_steps": pgettext("convention", "rounds of the stepwise test"),
    "monte_carlo_error": pgettext("convention", "simulation error of the critical values"),
    "between": pgettext("convention", "estimate of the variance between units"),
    "step_down": pgettext("convention", "whether tests go step by step"),
    "centre": pgettext("convention", "replicates are centred at"),
    "replicates_unsolved": pgettext("convention", "replicates without a solution"),
    "replicates_note": pgettext("convention", "note on the replicates"),
    "replicates": pgettext("convention", "number of replicates"),
    "without_domain": pgettext("convention", "respondents without a value of the domain columns"),
    "fay": pgettext("convention", "Fay's factor"),
    "unsolved": pgettext("convention", "replicates without a solution"),
    "note": pgettext("convention", "note"),
    "classes": pgettext("convention", "classes"),
    "moved_by_rounding": pgettext("convention", "ranks moved by rounding"),
    "marginal_method": pgettext("convention", "method of the sets of one unit"),
    "simultaneous_method": pgettext("convention", "method of the sets that hold at once"),
    "relative_to": pgettext("convention", "weights that the bounds refer to"),
    "strict": pgettext("convention", "weights once beyond a bound stay as they are"),
    "whole": pgettext("convention", "cells whose weights all lie at a bound"),
    "prior": pgettext("convention", "prior of the true values"),
    "wrongly_ordered": pgettext("convention", "share of wrong orders that the grades promise"),
    "family": pgettext("convention", "kind of regression"),
    "value": pgettext("convention", "value under the null hypothesis"),
    "answers": pgettext("convention", "answers ranked"),
    "named": pgettext("convention", "times one was named"),
    "correction": pgettext("convention", "adjustment for many tests"),
    "direction": pgettext("convention", "direction of the tests"),
    "assumes": pgettext("convention", "what is assumed"),
    "waves": pgettext("convention", "waves"),
    "weighting": pgettext("convention", "weighting"),
    "tie_break": pgettext("convention", "score by which ties are broken"),
}

VALUES = {
    "proportion": pgettext("value of a convention", "share"),
    "Satterthwaite": pgettext("value of a convention", "Satterthwaite's approximation"),
    "single-step": pgettext("value of a convention", "single step"),
    "replicates": pgettext("value of a convention", "replicate weights"),
    "domain: PSUs - strata": pgettext(
        "value of a convention", "primary sampling units of the domain less its strata"
    ),
    "probability": pgettext("value of a convention", "probability sample"),
    "quota": pgettext("value of a convention", "quota sample"),
    "open_link": pgettext("value of a convention", "open link"),
    "poststratify": pgettext("value of a convention", "post-stratification"),
    "fail": pgettext("value of a convention", "a run stops"),
    "adjust": pgettext("value of a convention", "centred at the overall mean"),
    "average": pgettext("value of a convention", "average of the others"),
    "certainty": pgettext("value of a convention", "taken with certainty"),
    "remove": pgettext("value of a convention", "removed"),
    "simes": pgettext("value of a convention", "Simes, closed testing"),
    "holm": pgettext("value of a convention", "Holm, step by step"),
    "tukey": pgettext("value of a convention", "Tukey-Kramer"),
    "joint-ci": pgettext("value of a convention", "joint confidence intervals"),
    "base": pgettext("value of a convention", "base weight"),
    "nonresponse": pgettext("value of a convention", "nonresponse adjustment"),
    "classes": pgettext("value of a convention", "weighting classes"),
    "propensity": pgettext("value of a convention", "response propensity model"),
    "logit": pgettext("value of a convention", "bounded logit calibration"),
    "frame": pgettext("value of a convention", "frame population divided by persons sampled"),
    "column": pgettext("value of a convention", "an item of the questionnaire"),
    "table": pgettext(
        "value of a convention", "final weights made elsewhere, taken as fixed for the errors"
    ),
    "table-replicates": pgettext(
        "value of a convention",
        "final weights made elsewhere; the errors come from the replicate weights that belong to them",
    ),
    "trimming (cell)": pgettext("value of a convention", "trimming, the excess stays in its cell"),
    "trimming (equal)": pgettext(
        "value of a convention", "trimming, the excess shared equally by the other weights"
    ),
    "one": pgettext("value of a convention", "every unit by itself"),
    "bh": pgettext("value of a convention", "Benjamini-Hochberg"),
    "modified": pgettext("value of a convention", "ties share the last of their ranks"),
    "dense": pgettext("value of a convention", "ties share a rank, no rank is skipped"),
    "fractional": pgettext("value of a convention", "ties share the mean of their ranks"),
    "maxt": pgettext("value of a convention", "max-t by simulation"),
    "dunnett": pgettext("value of a convention", "Dunnett"),
    "bonferroni": pgettext("value of a convention", "Bonferroni"),
    "warn": pgettext("value of a convention", "a warning only"),
    "competition": pgettext(
        "value of a convention", "ties share a rank, ranks behind them are skipped"
    ),
    "off": pgettext("value of a convention", "no rounding"),
    "stop": pgettext("value of a convention", "a run stops on them"),
    "reject_row": pgettext("value of a convention", "the row is rejected"),
    "blank_item": pgettext("value of a convention", "the answer is blanked"),
    "auto": pgettext("value of a convention", "automatic: logit for rates, scores as they are"),
    "identity": pgettext("value of a convention", "normal on the scale of the measure"),
    "arcsine": pgettext("value of a convention", "normal on the arcsine scale"),
    "nonparametric": pgettext("value of a convention", "of any shape"),
    "jkn": pgettext("value of a convention", "jackknife (JKn)"),
    "brr": pgettext("value of a convention", "balanced half-samples (BRR)"),
    "fay": pgettext("value of a convention", "Fay's half-samples"),
    "rao-wu": pgettext("value of a convention", "Rao-Wu bootstrap"),
    "inclusion": pgettext("value of a convention", "inverse of the inclusion probability"),
    "t": pgettext("value of a convention", "t interval"),
    "design: PSUs - strata": pgettext(
        "value of a convention", "primary sampling units of the design less its strata"
    ),
    "smallest": pgettext("value of a convention", "the smallest one"),
}
OWN_WORDS = (
    pgettext("value of a convention", "mean"),
    pgettext("value of a convention", "total"),
    pgettext("value of a convention", "ratio"),
    pgettext("value of a convention", "quantile"),
    pgettext("value of a convention", "single step"),
    pgettext("value of a convention", "two-sided, single step"),
    pgettext("value of a convention", "step-down"),
    pgettext("value of a convention", "logistic"),
    pgettext("value of a convention", "two-sided"),
    pgettext("value of a convention", "credited"),
    pgettext("value of a convention", "linearized"),
    pgettext("value of a convention", "none"),
    pgettext("value of a convention", "raking"),
    pgettext("value of a convention", "linear"),
    pgettext("value of a convention", "calibration"),
    pgettext("value of a convention", "trimming"),
    pgettext("value of a convention", "last"),
    pgettext("value of a convention", "first"),
    pgettext("value of a convention", "median"),
    pgettext("value of a convention", "REML"),
)
"""Values that say what they are; `VALUES` holds them, too. Longer ones stand where they are written, as `N_("...")`."""

VALUES |= {words.en: words for words in OWN_WORDS}

WITH_PARTS = (
    N_("se estimated: t with Satterthwaite df of each pair (units: {low} to {high})"),
    N_("scores closer than 1e-9 are ties; {ranks}; never rounded, ties at the cut never broken"),
    N_(
        "empirical Bayes of effective counts, variances moderated by their df; "
        "true rates {shape}; by quadrature"
    ),
    N_(
        "shares of {number} joint draws around the estimates, no model between units; "
        "reliability by the draws' spread"
    ),
    N_("{model}; one model, without a range"),
    N_("normal empirical Bayes, {between} tau2, se as if known, exact by quadrature"),
    N_("partial conjunction, {form}, one unit, one side"),
    N_("partial conjunction, {form}, monotone; one unit, one side"),
    N_("PSUs - strata, over those with a respondent used - {parameters}"),
    N_("PSUs - strata, over those with a respondent used + 1 - coefficients"),
    N_("max-t, {form}, Gaussian copula; p at least 1 / (draws + 1)"),
    N_(
        "max-t, single step, over {number} joint draws (seed {seed}); points of marks that are not "
        "ruled out at their least and most"
    ),
    N_("max-t, {form}; {errors}"),
    N_("p within {number} Monte-Carlo standard errors of 1 - level"),
    N_("quantiles of {number} joint draws, seed {seed}"),
    N_("{fpc} (not credited by these replicates)"),
    N_("percentage points of {overall} for {step} points of the topic"),
    N_("{model}; ignore the covariance between units"),
    N_("Wald: {statistic}"),
    N_("domain: {rule}"),
    N_("design: {rule}"),
    N_("{measure}: the same in {questionnaires}"),
    N_("{measure}: {allowed}; differs in {places}"),
)
"""Values that hold figures or other values."""

Line: TypeAlias = Text | str
NONE = VALUES["none"]


def conventions_table(conventions: Mapping[str, Any]) -> pd.DataFrame:
    """Return conventions as a table for their reader: names and values in the current language.

    Examples
    --------
    >>> from satisfaction.foundation.language import use
    >>> with use("en"):
    ...     conventions_table({"variance": "linearized"}).to_numpy().tolist()
    [['variance estimation (variance)', 'linearized']]
    """
    rows = []
    for name, value in conventions.items():
        label = Text(name)
        if name in KEYS:
            label = _("{label} ({name})", label=KEYS[name], name=name)
        rows.append((str(label), str(value_in_words(value))))
    headings = [str(pgettext("a heading", "convention")), str(pgettext("a heading", "value"))]
    return pd.DataFrame(rows, columns=headings)


def key(name: str) -> Text:
    """Return the label of a convention; its own name where it has none."""
    return KEYS.get(name, Text(name))


def value_in_words(value: Any) -> Line:
    """Write the value of a convention."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return NONE
    if isinstance(value, Text):
        return value
    if isinstance(value, bool | np.bool_):
        return _("yes") if value else _("no")
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, Mapping):
        parts = [
            _("{name}: {value}", name=str(name), value=value_in_words(part))
            for name, part in value.items()
        ]
        return semicolon_list(parts) if parts else NONE
    if isinstance(value, tuple | list):
        return comma_list(value_in_words(part) for part in value) if value else NONE
    return in_words(str(value))


def in_words(value: str) -> Line:
    """Return what a value of a convention means: a code, a sentence of the catalogue, or one with parts of such."""
    if value in VALUES:
        return VALUES[value]
    if " " in value:
        sentence = _(value)
        if sentence.zh != sentence.en:
            return sentence
    for template in WITH_PARTS:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template))
        match = re.fullmatch(pattern, value)
        if match:
            parts = {name: in_words(part) for name, part in match.groupdict().items()}
            return _(template, **parts)
    return as_text(value)
