"""The method as the report prints it: everything declared in questionnaire, survey and rules, every convention used.

How it is laid out stands in templates/method.html; here is what the template cannot say in a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from satisfaction.declarations.earlier import earlier_notes
from satisfaction.declarations.items import MultipleItem, Rate
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.rules import Escalation
from satisfaction.declarations.survey import Survey, population_note, what_is_tested
from satisfaction.declarations.wave import BaseStep
from satisfaction.foundation.conventions import (
    KEYS,
    NONE,
    VALUES,
    Line,
    key,
    value_in_words,
)
from satisfaction.foundation.figures import unit_of
from satisfaction.foundation.language import Text, _, semicolon_list
from satisfaction.pipeline import Results, weighting_log
from satisfaction.publication.labels import answer_with_code, in_crosses, measure_labels
from satisfaction.publication.ranking_table import demand
from satisfaction.publication.report.rows import level_label
from satisfaction.publication.selection_tables import (
    MODELS,
    reference_note,
)
from satisfaction.weighting.wave_design import lonely_note

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

RECORDS = {
    "base": _("Record of the base weight"),
    "nonresponse": _("Record of the nonresponse adjustment"),
    "calibration": _("Record of the calibration"),
    "trimming": _("Record of the trimming"),
    "replicates": _("Replicates without a solution"),
}
DESIGN_EFFECT = ("kish_deff", "effective_n")  # of the weights before and after a step
ON_LIST = {
    "listed": _("whoever is below it is listed, whatever the rank"),
    "spared": _("whoever is not below it is spared the list, whatever the rank"),
}
LEVELS_OF_INDEX = {
    "person": [_("per person: weighted mean of the valid items, then the mean"), _("linearized")],
    "area": [
        _("per area: weighted sum of the area's estimates"),
        _("with their covariance; t interval, Satterthwaite df; no deff"),
    ],
}
"""How an index is computed, and how its error."""
MODEL_ERROR = _(
    "the model's standard error: people answer independently of each other, with chances that their "
    "levels of the margins decide; every respondent counts once"
)
KNOWN = _("margins are taken as known")


def values_of_method(results: Results) -> dict[str, Any]:
    """Return what templates/method.html reads of a wave, beside what all of the report does."""
    survey = results.survey
    questionnaire = survey.questionnaire
    declared = survey.declared
    rules = survey.rules
    proven = declared.selection == "probability"
    common = results.estimates[results.area].conventions
    departing = {}
    for level, estimates in results.estimates.items():
        if estimates.conventions != common:
            departing[level] = estimates.conventions
    of_ranking = dict(rules.ranking)
    if not proven:
        del of_ranking["prior"]
    eligible = []
    for item, codes in questionnaire.eligibility.items():
        answers = _answers(questionnaire, item, codes)
        eligible.append(_named(_label(questionnaire, item), answers))
    values = {
        "eligible": eligible,
        "scores": _scores(questionnaire),
        "lonely": lonely_note(survey, results.design),
        "absent": [ABSENT_STEPS[step] for step in results.absent],
        "steps": _steps(survey),
        "base": _base_weight(questionnaire, declared.base) if declared.base else None,
        "weighting": weighting_log(results),
        "common": common,
        "departing": departing,
        "tests": what_is_tested(survey),
        "of_ranking": of_ranking,
    }
    values |= {
        "levels_of_index": LEVELS_OF_INDEX,
        "selections": SELECTION,
        "none_declared": NONE,
        "records": RECORDS,
        "conventions_known": KEYS,
    }
    return values | _who_answered(results) | _of_rules(survey)


def filters_of_method(results: Results) -> dict[str, Callable[..., Any]]:
    """Return how templates/method.html writes the names of items, answers and conventions of a wave."""
    questionnaire = results.survey.questionnaire
    hidden = () if results.survey.declared.selection == "probability" else DESIGN_EFFECT
    return {
        "convention": key,
        "lines_of_value": _lines,
        "label": partial(_label, questionnaire),
        "crossed": partial(_crossed, questionnaire),
        "weighed": partial(_weighed, questionnaire),
        "counted": partial(_counted, questionnaire),
        "denominator": partial(_denominator, questionnaire),
        "level_label": partial(level_label, results.survey),
        "of_step": partial(_of_step, hidden=hidden),
    }


def _lines(value: Any) -> list[Line]:
    if not isinstance(value, Mapping) or not value:
        return [value_in_words(value)]
    lines: list[Line] = []
    for name, part in value.items():
        title = Text(str(name))
        if name in KEYS:
            title = _("{label} ({name})", label=KEYS[name], name=name)
        lines.append(_named(title, value_in_words(part)))
    return lines


def _named(name: Line, value: Line) -> Text:
    return _("{name}: {value}", name=name, value=value)


def _weighed(questionnaire: Questionnaire, weights: Mapping[str, object]) -> list[Text]:
    return [_named(_label(questionnaire, name), str(weight)) for name, weight in weights.items()]


def _counted(questionnaire: Questionnaire, item: str, rate: Rate) -> Text:
    """Name the answers of an item that count in a rate."""
    declared = questionnaire.items[item]
    if isinstance(declared, MultipleItem) and declared.knowledge:
        return _knowledge(declared)
    if isinstance(declared, MultipleItem):
        options = [answer_with_code(code, declared.options[code]) for code in rate.counts or ()]
        return _("chose any of these options: {options}", options=semicolon_list(options))
    answers = questionnaire.answers(item)
    counting = rate.counts or [code for code, answer in answers.items() if answer.counts]
    return _answers(questionnaire, item, counting)


def _denominator(questionnaire: Questionnaire, item: str, rate: Rate) -> list[Text]:
    """Say of every reason for no answer whether it enters the denominator, with the code that stands for it."""
    codes = {}
    for code, special in questionnaire.special(item).items():
        codes[special.reason] = answer_with_code(code, special)
    lines = []
    for reason, way in questionnaire.denominator(item, rate).items():
        named = REASONS[reason]
        if reason in codes:
            named = _("{answer} ({reason})", answer=codes[reason], reason=named)
        lines.append(_named(named, WAYS[way]))
    return lines


def _knowledge(item: MultipleItem) -> Text:
    rule = item.knowledge
    assert rule is not None
    right = [
        answer_with_code(code, option) for code, option in item.options.items() if option.correct
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


def _scores(questionnaire: Questionnaire) -> dict[Text, list[Text]]:
    """Return the items that share the same scores of answers, by these."""
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
    return sharing


def _with_source(what: object, source: object) -> Text:
    return _("{what} ({source})", what=what, source=source)


def _crossed(questionnaire: Questionnaire, names: Iterable[str]) -> Text:
    return in_crosses([_label(questionnaire, name) for name in names])


def _steps(survey: Survey) -> list[Text]:
    steps = []
    for number, step in enumerate(survey.declared.weighting, 1):
        words = VALUES[step.step]
        method = getattr(step, "method", "")
        if method:
            words = _named(words, value_in_words(method))
        steps.append(_("{number}. {step}", number=number, step=words))
    return steps


def _base_weight(questionnaire: Questionnaire, step: BaseStep) -> Line:
    if step.column:
        return _label(questionnaire, step.column)
    if step.replicates is not None:
        return _with_source(VALUES["table-replicates"], step.replicates.source)
    if step.table is not None:
        return _with_source(VALUES["table"], step.table.source)
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
    of_step = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            value = {part: value[part] for part in value if part not in hidden}
        of_step[renamed.get(name, name)] = value
    return of_step


def _who_answered(results: Results) -> dict[str, Any]:
    """Return what is said of a wave whose respondents were not drawn."""
    survey = results.survey
    study = results.selection_study
    model = survey.declared.selection_model
    values: dict[str, Any] = {"study": study, "model": model}
    if study is None or model is None:
        return values
    return values | {
        "methods": [MODELS[method] for method in model.methods],
        "population": population_note(survey),
        "reference": reference_note(study.reference) if study.reference else KNOWN,
        "model_error": MODEL_ERROR,
    }


def _of_rules(survey: Survey) -> dict[str, list[Line]]:
    """Return what the rules set beside the ranking, line by line."""
    rules = survey.rules
    names = survey.area_names()
    targets: list[Line] = []
    for code, of_area in rules.targets.items():
        for target in of_area:
            targets.append(_named(names[code], demand(survey, code, target)))
    thresholds: list[Line] = []
    for threshold in rules.thresholds:
        words = threshold.text
        if threshold.on_list is not None:
            words = _("{words}; {action}", words=words, action=ON_LIST[threshold.on_list])
        thresholds.append(_with_source(words, threshold.source))
    history: list[Line] = []
    gaps: list[Line] = []
    if rules.history and rules.history.file:
        history.append(_with_source(rules.history.file, rules.history.source))
    history += earlier_notes(survey)
    if rules.history:
        gaps += [_named(gap.wave, gap.source) for gap in rules.history.gaps or ()]
    ladder = _ladder(survey, rules.escalation) if rules.escalation else []
    return {
        "targets": targets,
        "thresholds": thresholds,
        "history": history,
        "ladder": ladder,
        "gaps": gaps,
    }


def _ladder(survey: Survey, escalation: Escalation) -> list[Line]:
    """Name the steps of the ladder by their triggers, and what releases an area."""
    lines: list[Line] = []
    for step in escalation.steps:
        when: Line = str(step.listed_in_a_row)
        if step.low is not None:
            kind, measure = measure_labels(survey.questionnaire)[step.low.measure]
            below = unit_of(kind).level(step.low.below)
            when = _("{measure} proven below {below}", measure=measure, below=below)
        elif step.fall is not None:
            when = _("fall of {n} places since the wave before", n=step.fall)
        elif step.rank_from is not None:
            when = _("rank {n} or worse", n=step.rank_from)
        elif step.listed_in_a_year is not None:
            when = _("{n} times within a year", n=step.listed_in_a_year)
        lines.append(_named(when, step.text))
    release = escalation.release
    if release is not None:
        needed = _("waves off the list: {n}", n=release.off_list)
        if release.rank_at_most is not None:
            needed = _("{needed}, rank {rank} or better", needed=needed, rank=release.rank_at_most)
        lines.append(_named(needed, release.text))
    return lines


def _label(questionnaire: Questionnaire, name: str) -> Text:
    """Return label and name of an item, rate or index."""
    declared = (
        questionnaire.items.get(name)
        or questionnaire.rates.get(name)
        or questionnaire.indices[name]
    )
    return _("{label} ({name})", label=declared.text, name=name)


def _answers(questionnaire: Questionnaire, item: str, codes: Iterable[int]) -> Text:
    answers = questionnaire.answers(item)
    return semicolon_list(answer_with_code(code, answers[code]) for code in codes)
