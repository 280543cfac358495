"""The method as the report prints it: everything declared in questionnaire, survey and rules, every convention used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from satisfaction.declarations.earlier import earlier_notes
from satisfaction.declarations.items import Index, MultipleItem, Rate
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
from satisfaction.foundation.language import Text, _, comma_list, pgettext, semicolon_list
from satisfaction.pipeline import Results, weighting_log
from satisfaction.publication.labels import answer_with_code, measure_labels
from satisfaction.publication.ranking_table import demand
from satisfaction.publication.report.rows import level_label
from satisfaction.publication.selection_tables import (
    CAUTION,
    MODELS,
    ODDS,
    SENSITIVITY,
    reference_note,
    satisfied_label,
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
WHOLE_LIST = ("notes", "listed")  # the report shows them in sections of their own
LEVEL_OF_INDEX = {
    "person": _("per person: weighted mean of the valid items, then the mean"),
    "area": _("per area: weighted sum of the area's estimates"),
}
ERROR_OF_INDEX = {
    "person": _("linearized"),
    "area": _("with their covariance; t interval, Satterthwaite df; no deff"),
}


class Entry(NamedTuple):
    """One convention: what it is called, what it is, and its name in the files."""

    label: Text
    lines: Sequence[Line]
    name: str = ""


MODEL_ERROR = _(
    "the model's standard error: people answer independently of each other, with chances that their "
    "levels of the margins decide; every respondent counts once"
)
KNOWN = _("margins are taken as known")
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
    written = [
        _instrument(questionnaire),
        Section(_("How rates are defined"), [], tuple(rates)),
        Section(_("How indices are defined"), [], tuple(indices)),
        _scores(questionnaire),
    ]
    lonely = lonely_note(survey, results.design)
    written.append(_sample(survey, results.absent, lonely=lonely))
    written.append(_weighting(results))
    written.append(_estimation(results))
    written.append(Section(_("Ranking: conventions and overall results"), ranking))
    if tests := what_is_tested(survey):
        entry = Entry(_("tests.csv, reliability.csv"), [tests])
        written.append(Section(_("Tests and reliability"), [entry]))
    if results.selection_study is not None:
        written.append(_who_answered(results))
    written.append(_rules(survey))
    return written


def _entries(mapping: Mapping[str, Any], without: Iterable[str] = ()) -> list[Entry]:
    return [
        Entry(key(name), _lines(value), name if name in KEYS else "")
        for name, value in mapping.items()
        if name not in without
    ]


def _lines(value: Any) -> list[Line]:
    if isinstance(value, Mapping) and value:
        return [_named(_titled(str(name)), value_in_words(part)) for name, part in value.items()]
    return [value_in_words(value)]


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
    return Section(rate.text, entries)


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
        codes[special.reason] = answer_with_code(code, special)
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
    options = [answer_with_code(code, item.options[code]) for code in rate.counts or ()]
    return _("chose any of these options: {options}", options=semicolon_list(options))


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
    return Section(index.text, entries)


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
    lonely_lines = [value_in_words(declared.lonely_psu)]
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
            words = _named(words, value_in_words(method))
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
        lines: list[Line] = [comma_list(methods), population_note(survey)]
        if study.reference is None:
            lines.append(KNOWN)
        else:
            lines.append(reference_note(study.reference))
        lines += [MODEL_ERROR, CAUTION, _("source: {source}", source=model.source)]
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
    thresholds = []
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
    steps: list[Line] = []
    heading = _("escalation, by waves in a row")
    if rules.escalation:
        steps = _ladder(survey, rules.escalation)
        if rules.escalation.is_ladder:
            heading = _("escalation, step by step")
    further: dict[Text, Sequence[Line]] = {
        _("targets"): targets,
        _("thresholds"): thresholds,
        _("history"): history,
        heading: steps,
        _("waves that were not held; waves in a row count across them"): gaps,
    }
    of_ranking = dict(rules.ranking)
    if survey.declared.selection != "probability":
        del of_ranking["prior"]
    entries = _entries(of_ranking) + _entries(rules.responses.model_dump())
    entries += [Entry(label, lines or [NONE]) for label, lines in further.items()]
    return Section(_("Rules"), entries)


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
