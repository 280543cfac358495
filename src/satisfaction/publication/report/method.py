"""The method as the report prints it: everything declared in questionnaire, survey and rules, every convention used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from satisfaction.declarations.checks import area_margins
from satisfaction.declarations.items import Index, MultipleItem, Rate
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import BaseStep
from satisfaction.foundation.language import Text, _, comma_list, pgettext, semicolon_list
from satisfaction.pipeline import Results, lonely_note, weighting_log
from satisfaction.publication.labels import two_languages
from satisfaction.publication.report.rows import level_label
from satisfaction.publication.selection_tables import (
    CAUTION,
    MODELS,
    ODDS,
    SENSITIVITY,
    satisfied_label,
)
from satisfaction.publication.verdicts import demand

REASONS = {
    "dont_know": _("don't know"),
    "refused": _("refused"),
    "not_applicable": _("not applicable"),
    "no_answer": _("no answer"),
    "skipped": _("left out by the skip rule"),
}

WAYS = {
    "in": _("in the denominator"),
    "out": _("out of the denominator"),
}

SELECTION = {
    "probability": _("probability sample"),
    "quota": _("quota sample"),
    "open_link": _("open link"),
}

ABSENT_STEPS = {
    "areas": _("table of areas"),
    "fielding period": _("fielding period"),
    "strata": _("strata"),
    "psu": _("PSUs"),
    "base weights": _("base weights"),
    "margins": _("margins"),
    "calibration": _("calibration"),
    "overall rate": _("overall rate"),
}

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
    "empty": pgettext("convention", "words read as no answer"),
    "count": pgettext("convention", "number"),
    "share": pgettext("convention", "share of the answers"),
    "repeated": pgettext("convention", "times the same wording stands"),
    "sampled": pgettext("convention", "persons sampled"),
    "strata": pgettext("convention", "number of strata"),
    "multiply": pgettext("convention", "items multiplied by"),
    "divide": pgettext("convention", "items divided by"),
    "missing": pgettext("convention", "persons whose missing value counts as 1"),
    "column": pgettext("convention", "item that holds the weight"),
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
}

VALUES = {
    "mean": pgettext("value of a convention", "mean"),
    "linearized": pgettext("value of a convention", "linearized"),
    "t; logit for rates": pgettext("value of a convention", "t; logit for rates"),
    "domain: PSUs - strata": pgettext(
        "value of a convention", "primary sampling units of the domain less its strata"
    ),
    "probability": pgettext("value of a convention", "probability sample"),
    "quota": pgettext("value of a convention", "quota sample"),
    "open_link": pgettext("value of a convention", "open link"),
    "none": pgettext("value of a convention", "none"),
    "none: not a probability sample": pgettext(
        "value of a convention", "none: not a probability sample"
    ),
    "raking": pgettext("value of a convention", "raking"),
    "linear": pgettext("value of a convention", "linear calibration"),
    "poststratify": pgettext("value of a convention", "post-stratification"),
    "calibration": pgettext("value of a convention", "calibration"),
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
    "trimming": pgettext("value of a convention", "trimming"),
    "classes": pgettext("value of a convention", "weighting classes"),
    "propensity": pgettext("value of a convention", "response propensity model"),
    "logit": pgettext("value of a convention", "bounded logit calibration"),
    "frame": pgettext("value of a convention", "frame population divided by persons sampled"),
    "column": pgettext("value of a convention", "an item of the questionnaire"),
    "trimming (cell)": pgettext("value of a convention", "trimming, the excess stays in its cell"),
    "trimming (equal)": pgettext(
        "value of a convention", "trimming, the excess shared equally by the other weights"
    ),
    "last": pgettext("value of a convention", "last"),
    "first": pgettext("value of a convention", "first"),
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
    "mean of the replicates": pgettext("value of a convention", "mean of the replicates"),
    "se known: normal distribution": pgettext(
        "value of a convention", "se known: normal distribution"
    ),
    "competition ranks (1 2 2 4)": pgettext("value of a convention", "competition ranks (1 2 2 4)"),
    "modified competition ranks (1 3 3 4)": pgettext(
        "value of a convention", "modified competition ranks (1 3 3 4)"
    ),
    "dense ranks (1 2 2 3), which may lie outside the rank sets: those count units, not distinct scores": pgettext(
        "value of a convention",
        "dense ranks (1 2 2 3), which may lie outside the rank sets: those count units, not distinct scores",
    ),
    "fractional ranks (1 2.5 2.5 4)": pgettext(
        "value of a convention", "fractional ranks (1 2.5 2.5 4)"
    ),
    "Simes form": pgettext("value of a convention", "Simes form"),
    "Bonferroni form": pgettext("value of a convention", "Bonferroni form"),
    "Simes or (dependent units) Bonferroni form": pgettext(
        "value of a convention", "Simes or (dependent units) Bonferroni form"
    ),
    "Dunnett form (the comparisons with the largest se stand for those that may be false)": pgettext(
        "value of a convention",
        "Dunnett form (the comparisons with the largest se stand for those that may be false)",
    ),
    "Holm: family-wise error over the units of the table, p_in and p_out each for itself": pgettext(
        "value of a convention",
        "Holm: family-wise error over the units of the table, p_in and p_out each for itself",
    ),
    "Benjamini-Hochberg: false discovery rate over the units of the table, p_in and p_out each for itself": pgettext(
        "value of a convention",
        "Benjamini-Hochberg: false discovery rate over the units of the table, p_in and p_out each for itself",
    ),
    "against simple random sampling without replacement": pgettext(
        "value of a convention", "against simple random sampling without replacement"
    ),
    "against simple random sampling with replacement": pgettext(
        "value of a convention", "against simple random sampling with replacement"
    ),
    "median": pgettext("value of a convention", "median"),
    "inclusion": pgettext("value of a convention", "inverse of the inclusion probability"),
    "t": pgettext("value of a convention", "t interval"),
    "REML": pgettext("value of a convention", "REML"),
    "design: PSUs - strata": pgettext(
        "value of a convention", "primary sampling units of the design less its strata"
    ),
    "smallest": pgettext("value of a convention", "the smallest one"),
    "logit interval": pgettext("value of a convention", "logit interval"),
}

TEMPLATES = (
    _("se estimated: t with Satterthwaite df of each pair (units: {low} to {high})"),
    _("scores closer than 1e-9 are ties; {ranks}; never rounded, ties at the cut never broken"),
    _("normal empirical Bayes, {between} tau2, se as if known, exact by quadrature"),
    _("partial conjunction, {form}, one unit, one side"),
    _("partial conjunction, {form}, monotone; one unit, one side"),
)
"""Values that hold figures or other values."""

RECORDS = {
    "base": _("Record of the base weight"),
    "nonresponse": _("Record of the nonresponse adjustment"),
    "calibration": _("Record of the calibration"),
    "trimming": _("Record of the trimming"),
    "replicates": _("Replicates without a solution"),
}
DESIGN_EFFECT = ("kish_deff", "effective_n")  # of the weights before and after a step
WHOLE_LIST = ("notes", "listed")  # the report shows them in sections of their own
LEVEL_OF_INDEX = {
    "person": _("per person: weighted mean of the valid items, then the mean"),
    "area": _("per area: weighted sum of the area's estimates"),
}
ERROR_OF_INDEX = {
    "person": _("linearized"),
    "area": _("with their covariance; t interval, Satterthwaite df; no deff"),
}


Line: TypeAlias = Text | str
NONE = VALUES["none"]


class Entry(NamedTuple):
    """One convention: what it is called, what it is, and its name in the files."""

    label: Text
    lines: Sequence[Line]
    name: str = ""


MODEL_ERROR = _(
    "the model's standard error: people answer independently of each other, with chances that their "
    "levels of the margins decide; margins are taken as known; every respondent counts once"
)
SENSITIVITY_SOURCE = _(
    "means: SMUB (Little, West, Boonstra and Hu 2020); shares: MUBP (Andridge, West, Little, "
    "Boonstra and Alvarado-Leiton 2019); phi = 1 is left out where the margins do not predict the "
    "answer (F test, 5 %)"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with entries and sections below it."""

    title: Text
    entries: list[Entry]
    parts: tuple[Section, ...] = ()


def sections(results: Results) -> list[Section]:
    """Return the method of a wave, from instrument to ranking."""
    survey = results.survey
    questionnaire = survey.questionnaire
    proven = survey.declared.selection == "probability"
    rates = [_rate(questionnaire, rate) for rate in questionnaire.rates.values()]
    indices = [
        _index(questionnaire, index, proven=proven) for index in questionnaire.indices.values()
    ]
    ranking = _entries(results.ranking.summary, WHOLE_LIST)
    studied = [_who_answered(results)] if results.selection_study is not None else []
    return [
        _instrument(questionnaire),
        Section(_("How rates are defined"), [], tuple(rates)),
        Section(_("How indices are defined"), [], tuple(indices)),
        _scores(questionnaire),
        _sample(survey, results.absent, lonely=lonely_note(survey, results.design)),
        _weighting(results),
        _estimation(results),
        Section(_("Ranking: conventions and overall results"), ranking),
        *studied,
        _rules(survey),
    ]


def _entries(mapping: Mapping[str, Any], without: Iterable[str] = ()) -> list[Entry]:
    return [
        Entry(key(name), _lines(value), name if name in KEYS else "")
        for name, value in mapping.items()
        if name not in without
    ]


def _lines(value: Any) -> list[Line]:
    if isinstance(value, Mapping) and value:
        return [_named(_titled(str(name)), plain(part)) for name, part in value.items()]
    return [plain(value)]


def _titled(name: str) -> Text:
    """Return the label of a convention with its name behind."""
    if name not in KEYS:
        return Text(name)
    return _("{label} ({name})", label=KEYS[name], name=name)


def _named(name: Line, value: Line) -> Text:
    return _("{name}: {value}", name=name, value=value)


def _instrument(questionnaire: Questionnaire) -> Section:
    eligible = [
        _named(_label(questionnaire, item), _answers(questionnaire, item, codes))
        for item, codes in questionnaire.eligibility.items()
    ]
    entries = [
        Entry(_("questionnaire and version"), [questionnaire.reference]),
        Entry(_("title"), [questionnaire.title.text]),
        Entry(_("universe"), [questionnaire.universe.text]),
        Entry(_("source"), [questionnaire.source]),
        Entry(_("changes"), list(questionnaire.changes)),
        Entry(_("eligibility"), eligible),
    ]
    return Section(_("Questionnaire"), [entry for entry in entries if entry.lines])


def _rate(questionnaire: Questionnaire, rate: Rate) -> Section:
    entries = [entry for item in rate.items for entry in _rate_item(questionnaire, item, rate)]
    if len(rate.items) > 1:
        combined = _("mean of the credits of a person's valid items")
        entries.append(Entry(_("several items"), [combined]))
        entries.append(Entry(_("fewest valid items"), [str(rate.min_valid_items)]))
    if rate.source:
        entries.append(Entry(_("source"), [rate.source]))
    return Section(Text.of(rate.zh, rate.en), entries)


def _rate_item(questionnaire: Questionnaire, item: str, rate: Rate) -> list[Entry]:
    declared = questionnaire.items[item]
    if isinstance(declared, MultipleItem):
        counted = _knowledge(declared) if declared.knowledge else _chosen(declared, rate)
    else:
        counting = rate.counts or [
            code for code, answer in questionnaire.answers(item).items() if answer.counts
        ]
        counted = _answers(questionnaire, item, counting)
    codes: dict[str, Text] = {}
    for code, special in questionnaire.special(item).items():
        codes[special.reason] = _("{code} {answer}", code=code, answer=special)
    lines: list[Line] = []
    for reason, way in questionnaire.denominator(item, rate).items():
        named = REASONS[reason]
        if reason in codes:
            named = _("{answer} ({reason})", answer=codes[reason], reason=named)
        lines.append(_named(named, WAYS[way]))
    return [
        Entry(_("item"), [_label(questionnaire, item)]),
        Entry(_("answers that count"), [counted]),
        Entry(_("special codes and the denominator"), lines),
    ]


def _chosen(item: MultipleItem, rate: Rate) -> Text:
    options = [
        _("{code} {answer}", code=code, answer=item.options[code]) for code in rate.counts or ()
    ]
    return _("chose any of these options: {options}", options=semicolon_list(options))


def _knowledge(item: MultipleItem) -> Text:
    rule = item.knowledge
    assert rule is not None
    right = [
        _("{code} {answer}", code=code, answer=option)
        for code, option in item.options.items()
        if option.correct
    ]
    if rule.credit == "all":
        credit = _("all correct and none wrong: 1")
    elif rule.credit == "at_least":
        credit = _(
            "at least {least} correct, at most {wrong} wrong: 1",
            least=rule.least,
            wrong=rule.wrong_allowed,
        )
    else:
        credit = _("(correct − wrong) / number of correct options, not below 0")
    return _("{credit}. Correct options: {options}", credit=credit, options=semicolon_list(right))


def _index(questionnaire: Questionnaire, index: Index, *, proven: bool) -> Section:
    computed: list[Line] = [LEVEL_OF_INDEX[index.level]]
    if proven:
        computed.append(ERROR_OF_INDEX[index.level])
    weights = [
        _named(_label(questionnaire, name), str(weight)) for name, weight in index.weights.items()
    ]
    entries = [
        Entry(_("how it is computed"), computed, index.level),
        Entry(_("weights"), weights),
    ]
    if index.level == "person":
        entries.append(Entry(_("fewest valid items"), [str(index.min_valid_items)]))
    entries.append(Entry(_("source"), [index.source]))
    return Section(Text.of(index.zh, index.en), entries)


def _scores(questionnaire: Questionnaire) -> Section:
    """List the score of every answer, once for items that share them."""
    used = set(questionnaire.topics)
    for index in questionnaire.indices.values():
        used.update(index.weights)
    sharing: dict[Text, list[Text]] = {}
    for name in questionnaire.items:
        if name not in used:
            continue
        scores = [
            _("{code} {answer} = {score}", code=code, answer=answer, score=answer.score)
            for code, answer in questionnaire.answers(name).items()
        ]
        sharing.setdefault(semicolon_list(scores), []).append(_label(questionnaire, name))
    entries = []
    for scores_of_all, items in sharing.items():
        lines = [scores_of_all, _("items: {items}", items=comma_list(items))]
        entries.append(Entry(_("scores"), lines))
    return Section(_("Scores of answers (points 0-100)"), entries)


def _sample(survey: Survey, absent: tuple[str, ...], *, lonely: Text) -> Section:
    declared = survey.declared
    questionnaire = survey.questionnaire
    roles = questionnaire.roles
    strata = _crossed(questionnaire, roles.strata) if roles.strata else NONE
    psu = _label(questionnaire, roles.psu) if roles.psu else _("every respondent")
    lonely_lines = [plain(declared.lonely_psu)]
    if lonely:
        lonely_lines.append(lonely)
    entries = [Entry(_("selection"), [SELECTION[declared.selection]])]
    if declared.selection_note:
        entries.append(Entry(_("note on selection"), [declared.selection_note.text]))
    entries += [
        Entry(_("strata"), [strata]),
        Entry(_("primary sampling unit"), [psu]),
        Entry(KEYS["lonely_psu"], lonely_lines, "lonely_psu"),
        Entry(
            _("steps not declared, hence left out"),
            [ABSENT_STEPS[step] for step in absent] or [NONE],
        ),
    ]
    if declared.fielded:
        days = f"{declared.fielded.start} – {declared.fielded.end}"
        entries.append(Entry(_("fielded"), [days]))
    if declared.simulated:
        seed = _("random seed {seed}", seed=declared.simulated.seed)
        entries.append(Entry(_("simulated"), [declared.simulated.note.text, seed]))
    tables = {
        "areas": pgettext("a table", "areas"),
        "frame": _("frame"),
        "sample": _("sample"),
        "nonrespondents": _("nonrespondents"),
    }
    for name, label in tables.items():
        table = getattr(declared, name)
        if table:
            entries.append(Entry(label, [_with_source(table.source, table.date)]))
    return Section(_("Sample and tables of facts"), entries)


def _with_source(what: object, source: object) -> Text:
    return _("{what} ({source})", what=what, source=source)


def _crossed(questionnaire: Questionnaire, names: Iterable[str]) -> Text:
    labels = [_label(questionnaire, name) for name in names]
    return Text(" × ".join(label.zh for label in labels), " × ".join(label.en for label in labels))


def _weighting(results: Results) -> Section:
    survey = results.survey
    declared = survey.declared
    steps: list[Line] = []
    for number, step in enumerate(declared.weighting, 1):
        words = VALUES[step.step]
        method = getattr(step, "method", "")
        if method:
            words = _named(words, plain(method))
        steps.append(_("{number}. {step}", number=number, step=words))
    if not steps:
        steps.append(_("none: every respondent has weight 1"))
    entries = [Entry(_("steps"), steps)]
    if declared.base:
        base = _base_weight(survey.questionnaire, declared.base)
        entries.append(Entry(_("base weight"), [base]))
    for name, margin in declared.margins.items():
        lines = [
            _crossed(survey.questionnaire, margin.by),
            _with_source(margin.source, margin.date),
        ]
        entries.append(Entry(_("margin"), lines, name))
    hidden = () if declared.selection == "probability" else DESIGN_EFFECT
    parts = tuple(
        Section(RECORDS[record["step"]], _entries(_of_step(record, hidden)))
        for record in weighting_log(results)
    )
    return Section(_("Weights"), entries, parts)


def _base_weight(questionnaire: Questionnaire, step: BaseStep) -> Line:
    if step.column:
        return _label(questionnaire, step.column)
    if step.source == "inclusion":
        return "1 / (psu_probability × person_probability)"
    product = Text("1")
    for name in step.multiply:
        product = _("{product} × {item}", product=product, item=_label(questionnaire, name))
    for name in step.divide:
        product = _("{product} ÷ {item}", product=product, item=_label(questionnaire, name))
    return _("{product}, scaled so that each stratum adds up to its frame", product=product)


def _of_step(record: Mapping[str, Any], hidden: Iterable[str]) -> dict[str, Any]:
    """Name the weights before and after a step for what they are: only a calibration's are calibrated."""
    renamed = {}
    if record["step"] != "calibration":
        renamed = {"before": "weights_before", "after": "weights_after"}
    return {renamed.get(name, name): _without(value, hidden) for name, value in record.items()}


def _without(value: Any, hidden: Iterable[str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: part for name, part in value.items() if name not in hidden}


def _estimation(results: Results) -> Section:
    """Print the conventions once; a level of area that departs from them gets its own."""
    common = results.estimates[results.area].conventions
    parts = tuple(
        Section(level_label(results.survey, level), _entries(estimates.conventions))
        for level, estimates in results.estimates.items()
        if estimates.conventions != common
    )
    return Section(_("Estimation: conventions"), _entries(common), parts)


def _who_answered(results: Results) -> Section:
    """Print what is said of a wave whose respondents were not drawn."""
    survey = results.survey
    study = results.selection_study
    assert study is not None
    entries = []
    model = survey.declared.selection_model
    if model is not None:
        methods = [MODELS[method] for method in model.methods]
        names = area_margins(survey.declared, survey.questionnaire.roles.area)
        lines: list[Line] = [
            comma_list(methods),
            _("margins: {margins}", margins=comma_list(names)),
            MODEL_ERROR,
            CAUTION,
            _("source: {source}", source=model.source),
        ]
        entries.append(Entry(_("model of who answers"), lines))
    if len(study.sensitivity):
        entries.append(Entry(_("sensitivity"), [SENSITIVITY, SENSITIVITY_SOURCE]))
    if len(study.odds):
        satisfied = _("the satisfied: {rate}", rate=satisfied_label(survey))
        entries.append(Entry(_("odds of answering"), [ODDS, satisfied]))
    if not entries:
        entries.append(Entry(_("sensitivity"), [NONE]))
    return Section(_("Who answered"), entries)


def _rules(survey: Survey) -> Section:
    rules = survey.rules
    names = survey.area_names()
    targets: list[Line] = []
    for code, of_area in rules.targets.items():
        for target in of_area:
            targets.append(_named(names[code], demand(survey, code, target)))
    thresholds = [
        _with_source(Text(threshold.zh, threshold.en), threshold.source)
        for threshold in rules.thresholds
    ]
    history: list[Line] = []
    gaps: list[Line] = []
    if rules.history:
        history.append(_with_source(rules.history.file, rules.history.source))
        gaps += [_named(gap.wave, gap.source) for gap in rules.history.gaps or ()]
    steps: list[Line] = []
    if rules.escalation:
        for step in rules.escalation.steps:
            steps.append(_named(str(step.listed_in_a_row), Text(step.zh, step.en)))
    further: dict[Text, Sequence[Line]] = {
        _("targets"): targets,
        _("thresholds"): thresholds,
        _("history"): history,
        _("escalation, by waves in a row"): steps,
        _("waves that were not held; waves in a row count across them"): gaps,
    }
    of_ranking = rules.ranking.model_dump()
    if survey.declared.selection != "probability":
        del of_ranking["prior"]
    entries = _entries(of_ranking) + _entries(rules.responses.model_dump())
    entries += [Entry(label, lines or [NONE]) for label, lines in further.items()]
    return Section(_("Rules"), entries)


def _label(questionnaire: Questionnaire, name: str) -> Text:
    """Return label and name of an item, rate or index."""
    declared = (
        questionnaire.items.get(name)
        or questionnaire.rates.get(name)
        or questionnaire.indices[name]
    )
    return _("{label} ({name})", label=Text.of(declared.zh, declared.en), name=name)


def _answers(questionnaire: Questionnaire, item: str, codes: Iterable[int]) -> Text:
    answers = questionnaire.answers(item)
    return semicolon_list(_("{code} {answer}", code=code, answer=answers[code]) for code in codes)


def key(name: str) -> Text:
    """Return the label of a convention; its own name where it has none."""
    return KEYS.get(name, Text(name))


def plain(value: Any) -> Line:
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
        parts = [_named(str(name), plain(part)) for name, part in value.items()]
        return semicolon_list(parts) if parts else NONE
    if isinstance(value, tuple | list):
        return comma_list(plain(part) for part in value) if value else NONE
    return in_words(str(value))


def in_words(value: str) -> Line:
    """Return what a value of a convention means, where it is a known one."""
    if value in VALUES:
        return VALUES[value]
    for template in TEMPLATES:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template.en))
        match = re.fullmatch(pattern, value)
        if match:
            parts = {name: in_words(part) for name, part in match.groupdict().items()}
            return _(template.en, **parts)
    return two_languages(value)
