"""What survey.yaml and rules.yaml declare, checked against the questionnaire, the areas and the earlier rankings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from satisfaction.declarations.earlier import (
    EarlierSet,
    comparable_instruments,
    differences_from,
    lacking_sets,
)
from satisfaction.declarations.facts import missing_between, period_of
from satisfaction.declarations.items import AreaItem, NumberItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.rules import LowMeasure, Target, Threshold
from satisfaction.declarations.wave import (
    BaseStep,
    CalibrationStep,
    NonresponseStep,
    SurveyFile,
    TrimmingStep,
)
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.language import N_, Text, _
from satisfaction.foundation.yaml import Document, Location

if TYPE_CHECKING:
    from satisfaction.declarations.survey import RankedBy, Survey

GROUPS = _("single or area item")
SINGLES = _("single item")
MEASURES = _("measure")
COUNTS = _("number item of 1 or more")  # no weight is zero or infinite
WEIGHTS = _("number item without negative numbers")


def check_declarations(
    document: Document, declared: SurveyFile, questionnaire: Questionnaire
) -> None:
    """Refuse declarations that the questionnaire cannot serve.

    Raises
    ------
    SurveyError
        S123, S124 tables that lack or need a role, S132 an item of a margin or of the quota, S136 a quota without the area,
        S163 an item of a weighting step or of a check of the fieldwork, S522 a model of who answers without margins of areas, S168 a stratum to be collapsed that is none, S340 an overall rate that is none.
    """
    roles = questionnaire.roles
    area_item = questionnaire.items[roles.area]
    if declared.areas is None and isinstance(area_item, AreaItem):
        raise SurveyError(
            "S123",
            _("Item '{area}' is an area code; an `areas` table is needed.", area=roles.area),
            where=document.path,
            hint=_("Declare an `areas` table."),
        )
    if declared.sample is not None and roles.psu is None:
        raise SurveyError(
            "S124",
            _("A `sample` table is declared, but the questionnaire has no role `psu`."),
            where=document.place(("sample",)),
            hint=_("Declare `psu` in the questionnaire, or remove `sample`."),
        )
    groups = questionnaire.items_of(SingleItem, AreaItem)
    for name, margin in declared.margins.items():
        at = ("margins", name, "by")
        _check_cells(document, at, margin.by, groups=groups, text=_("Margin '{name}'", name=name))
    if declared.quota is not None:
        at_quota = ("quota", "by")
        _check_cells(document, at_quota, declared.quota.by, groups=groups, text=_("The quota"))
        first = declared.quota.by[0]
        if first != roles.area:
            raise SurveyError(
                "S136",
                _("`by` of the quota must begin with the area, '{area}'.", area=roles.area),
                where=document.place(at_quota),
                available=[roles.area],
                got=first,
                hint=_("Write '{area}' first.", area=roles.area),
            )
    _check_items(document, declared, questionnaire)
    model = declared.selection_model
    if model is not None and model.reference is None:
        usable = area_margins(declared, roles.area)
        unusable = next((name for name in model.margins or () if name not in usable), "")
        if unusable or not usable:
            raise SurveyError(
                "S522",
                _(
                    "The model of who answers needs margins by '{area}' and at least one item.",
                    area=roles.area,
                ),
                where=document.place(("selection_model",)),
                available=_margins_dividing(declared, roles.area),
                got=unusable,
                hint=_("Declare such a margin: by: [{area}, sex], for instance.", area=roles.area),
            )
    merged = [pair.stratum for pair in declared.collapse]
    for position, pair in enumerate(declared.collapse):
        values = (len(pair.stratum), len(pair.into))
        complete = set(values) == {len(roles.strata)}
        chained = pair.into in merged
        twice = merged.count(pair.stratum) > 1
        if not complete or chained or twice:
            raise SurveyError(
                "S168",
                _(
                    "A stratum in `collapse` gives the values of {strata}, is merged once, and "
                    "not into one that is merged itself.",
                    strata=roles.strata,
                ),
                where=document.place(("collapse", position)),
                available=roles.strata,
                hint=_("Correct the entry."),
            )
    rates = questionnaire.overall_rates()
    overall = declared.overall
    if overall is not None and overall not in rates:
        raise SurveyError(
            "S340",
            _("'{overall}' cannot be the rate of the overall judgement.", overall=overall),
            where=document.place(("overall",)),
            available=rates,
            got=overall,
            hint=_("Name a rate of one single item that is no topic."),
        )


def area_margins(declared: SurveyFile, area: str) -> list[str]:
    """Return the margins that tell an area's residents by items: those of the model of who answers, else all that hold the area.

    None where a wave that was drawn tells them.
    """
    model = declared.selection_model
    if model is not None and model.reference is not None:
        return []
    usable = _margins_dividing(declared, area)
    if model is not None and model.margins is not None:
        usable = [name for name in model.margins if name in usable]
    return usable


def _margins_dividing(declared: SurveyFile, area: str) -> list[str]:
    """Return the margins by the area and at least one item."""
    margins = declared.margins.items()
    return [name for name, margin in margins if area in margin.by and len(margin.by) > 1]


def check_reference(survey: Survey, reference: Survey, document: Document) -> None:
    """Refuse a reference of the model of who answers that cannot stand for the residents of this survey's areas.

    Raises
    ------
    SurveyError
        S528 one whose respondents were not drawn, S529 a simulated one of a real wave, S530 one without weights, S531 an item
        that not both ask alike, S532 one without these areas.
    """
    model = survey.declared.selection_model
    assert model is not None
    where = document.place(("selection_model", "reference"))
    declared = reference.declared
    if declared.selection != "probability":
        raise SurveyError(
            "S528",
            _("The respondents of reference {name} were not drawn.", name=reference.name),
            where=where,
            available=("selection: probability",),
            got=declared.selection,
            hint=_("Name a wave that was drawn, or use margins."),
        )
    if declared.simulated is not None and survey.declared.simulated is None:
        raise SurveyError(
            "S529",
            _("Reference {name} holds simulated data, this wave real ones.", name=reference.name),
            where=where,
            got=model.reference,
            hint=_("Name another wave, or use margins."),
        )
    if not declared.weighting:
        raise SurveyError(
            "S530",
            _("Reference {name} declares no weighting.", name=reference.name),
            where=where,
            got=model.reference,
            hint=_("Declare `weighting` there: its respondents must stand for all residents."),
        )
    ours = survey.questionnaire
    theirs = reference.questionnaire
    asked = _single_items(ours)
    common = [name for name, answers in _single_items(theirs).items() if asked.get(name) == answers]
    for position, item in enumerate(model.by or ()):
        if item not in common:
            raise SurveyError(
                "S531",
                _(
                    "'{item}' is no single item that {questionnaire} and {other} ask with the same answers.",
                    item=item,
                    questionnaire=ours.reference,
                    other=theirs.reference,
                ),
                where=document.place(("selection_model", "by", position)),
                available=common,
                got=item,
                hint=_(
                    "Name an item that both waves ask alike: same name, codes and wording of answers."
                ),
            )
    level = survey.ranked_level
    if level not in reference.area_levels():
        raise SurveyError(
            "S532",
            _(
                "Reference {name} has no areas of level '{level}'.",
                name=reference.name,
                level=level,
            ),
            where=where,
            available=reference.area_levels(),
            hint=_("Name a wave of the same areas, or use margins."),
        )


def _single_items(questionnaire: Questionnaire) -> dict[str, dict[int, Text]]:
    """Return the answers of every single item in words, by their codes."""
    items = {}
    for name in questionnaire.items_of(SingleItem):
        answers = questionnaire.answers(name)
        items[name] = {code: answer.text for code, answer in answers.items()}
    return items


def with_default_margins(
    document: Document, declared: SurveyFile, questionnaire: Questionnaire
) -> SurveyFile:
    """Name the margins of calibration steps that name none: those of `default_margins`.

    Raises
    ------
    SurveyError
        S520 a questionnaire that calibrates by no item, or by one that no margin holds.
    """
    weighting = []
    for position, step in enumerate(declared.weighting):
        if isinstance(step, CalibrationStep) and step.margins is None:
            names = default_margins(declared, questionnaire)
            held = set().union(*(declared.margins[name].by for name in names))
            lacking = [item for item in questionnaire.roles.calibration if item not in held]
            if lacking or not names:
                raise SurveyError(
                    "S520",
                    _(
                        "The calibration step names no margins, and items of the questionnaire's roles.calibration have none: {items}.",
                        items=", ".join(lacking) or "-",
                    ),
                    where=document.place(("weighting", position)),
                    available=declared.margins,
                    hint=_(
                        "Declare margins of these items (within areas, if you like), or name `margins` in the step."
                    ),
                )
            step = step.model_copy(update={"margins": names})
        weighting.append(step)
    return declared.model_copy(update={"weighting": weighting})


def default_margins(declared: SurveyFile, questionnaire: Questionnaire) -> list[str]:
    """Return the margins that `roles.calibration` asks for, in the order survey.yaml declares them.

    They are the margins by one or more of these items, alone or within the area, that no other one of them contains: with
    margins by sex and by county x sex it is county x sex alone.
    """
    roles = questionnaire.roles
    asked = set(roles.calibration)
    usable = {}
    for name, margin in declared.margins.items():
        by = set(margin.by)
        if by & asked and by <= {roles.area, *asked}:
            usable[name] = by
    sets = usable.values()
    return [name for name, by in usable.items() if not any(by < other for other in sets)]


def _check_cells(
    document: Document, at: Location, by: list[str], *, groups: list[str], text: Text
) -> None:
    """Refuse cells of a margin or quota by what does not part respondents into groups."""
    for item in by:
        if item not in groups:
            raise SurveyError(
                "S132",
                _("{text} uses '{item}', which is no single or area item.", text=text, item=item),
                where=document.place(at),
                available=groups,
                got=item,
                hint=_("Use a single or area item."),
            )


def _check_items(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    """Refuse items that weighting steps and checks of the fieldwork name and cannot use."""

    def check(at: Location, names: list[str], usable: list[str], *, kind: Text) -> None:
        """Refuse names at a place of survey.yaml that are no items of the kind."""
        key = at[-1]
        for item in names:
            if item not in usable:
                raise SurveyError(
                    "S163",
                    _(
                        "'{item}' under `{key}` is no {kind} of the questionnaire.",
                        item=item,
                        key=key,
                        kind=kind,
                    ),
                    where=document.place(at),
                    available=usable,
                    got=item,
                    hint=_("Name a {kind}.", kind=kind),
                )

    groups = questionnaire.items_of(SingleItem, AreaItem)
    counts = []
    weights = []
    for name, item in questionnaire.items.items():
        if isinstance(item, NumberItem) and item.low >= 0:
            weights.append(name)
            if item.low >= 1:
                counts.append(name)
    for position, step in enumerate(declared.weighting):
        at = ("weighting", position)
        if isinstance(step, BaseStep):
            check((*at, "multiply"), step.multiply, counts, kind=COUNTS)
            check((*at, "divide"), step.divide, counts, kind=COUNTS)
            if step.column is not None:
                check((*at, "column"), [step.column], weights, kind=WEIGHTS)
        elif isinstance(step, NonresponseStep):
            check((*at, "by"), step.by, groups, kind=GROUPS)
        elif isinstance(step, TrimmingStep):
            check((*at, "within"), step.within or [], groups, kind=GROUPS)
    singles = questionnaire.items_of(SingleItem)
    tests = declared.tests
    if tests is not None:
        check(("tests", "groups"), tests.groups or [], singles, kind=SINGLES)
        check(("tests", "measures"), tests.measures or [], questionnaire.measures, kind=MEASURES)
    backcheck = declared.fieldwork.backcheck
    if backcheck is not None:
        check(("fieldwork", "backcheck", "items"), backcheck.items, singles, kind=SINGLES)
    modes = declared.fieldwork.modes
    if modes is not None:
        check(("fieldwork", "modes", "item"), [modes.item], singles, kind=SINGLES)


PERCENT_DIGITS = 2  # decimal places of a share that are whole percents


def check_rules(survey: Survey, document: Document) -> None:
    """Refuse rules that this survey cannot serve.

    Raises
    ------
    SurveyError
        S141 a target of an area that is not ranked, S142 a target outside the number of places, S171 and S179 a rise since a wave or rank that is not there, S172 a larger area that is none, S173 and S174
        thresholds, S178 areas of earlier rankings that nobody knows, S188 a rate rounded to nothing, S181 escalation without earlier rankings, S182 a rise
        between questionnaires that are not comparable, S341-S343 waves missing from the earlier rankings, S373 a
        wave that differs, S377 one whose set does not hold the ranking, S375 and S376 steps that cannot be decided.
    """
    lists_first = survey.rules.ranking.side == "first"
    for position, threshold in enumerate(survey.rules.thresholds):
        of_threshold = ("thresholds", position)
        _check_threshold(survey, document, of_threshold, threshold=threshold)
        if threshold.on_list is not None and lists_first:
            raise SurveyError(
                "S378",
                _("A threshold acts on a list of the last areas only."),
                where=document.place((*of_threshold, "on_list")),
                available=("side: last",),
                hint=_("Remove `on_list`, or list the last ones."),
            )
    digits = survey.rules.ranking.round_before_ranking
    tens_of_percents = digits != "off" and digits < PERCENT_DIGITS
    if tens_of_percents and survey.ranked in survey.questionnaire.rates:
        raise SurveyError(
            "S188",
            _(
                "'{name}' is a rate, ranked as a share 0-1: {digits} decimal places leave tens of "
                "percents.",
                name=survey.ranked,
                digits=digits,
            ),
            where=document.place(("ranking", "round_before_ranking")),
            hint=_(
                "Give the ranking of the rate its own `round_before_ranking`: 2 for whole percents, "
                "3 for tenths, or off."
            ),
        )
    _check_steps(survey, document)
    _check_history(survey, document)
    ranked = survey.ranked_areas()
    levels = survey.area_levels()
    larger = list(map(str, survey.domain_values(levels[-1])))
    for code, targets in survey.rules.targets.items():
        peers = ranked
        if code not in ranked and code in larger:
            peers = larger
        for position, target in enumerate(targets):
            at = ("targets", code, position)
            if code not in peers:
                raise SurveyError(
                    "S141",
                    _("Target area '{code}' is not ranked.", code=code),
                    where=document.place(at),
                    available=ranked,
                    got=code,
                    hint=_("Use the code of a ranked area."),
                )
            for kind, places in (("top", target.top), ("rise", target.rise)):
                if places is not None and places >= len(peers):
                    raise SurveyError(
                        "S142",
                        _(
                            "A target of {places} places must be below {n}.",
                            places=places,
                            n=len(peers),
                        ),
                        where=document.place((*at, kind)),
                        hint=_("Lower `{kind}`.", kind=kind),
                    )
            # the whole, or the level right above the ranked one where the area lies in such an area
            level_above = survey.levels().get(survey.parents().get(code, ""))
            within = [*(level for level in levels[1:2] if level == level_above), survey.whole()]
            if target.first_in is not None and target.first_in not in within:
                raise SurveyError(
                    "S172",
                    _(
                        "'{code}' is not ranked within a '{first_in}'.",
                        code=code,
                        first_in=target.first_in,
                    ),
                    where=document.place((*at, "first_in")),
                    available=within,
                    got=target.first_in,
                    hint=_("Name the level it lies in."),
                )
            if target.rise is not None:
                _check_rise(survey, document, (*at, "rise"), target=target, code=code)


def check_scores(survey: Survey, document: Document, by: RankedBy) -> None:
    """Refuse to rank by, or to break ties by, what is no score of the wave; S390."""
    known = [*survey.questionnaire.measures, *survey.composed]
    for key, name in (("score", by.score), ("tie_break", by.rules.ranking.tie_break)):
        if name is not None and name not in known:
            raise SurveyError(
                "S390",
                _("There is no score '{name}' to rank by.", name=name),
                where=document.place((key,)),
                available=known,
                got=name,
                hint=_(
                    "Name a rate, index or topic of the questionnaire, or declare combined.yaml."
                ),
            )


def check_names(further: Sequence[RankedBy], document: Document) -> None:
    """Refuse two rankings whose files would have one name, and two that are *the* ranking; S391, S392.

    Capitals do not tell names of files apart on Windows and macOS.
    """
    names = [ranked.name.lower() for ranked in further]
    for ranked in further:
        if names.count(ranked.name.lower()) > 1:
            raise SurveyError(
                "S391",
                _("Two rankings are called '{name}'.", name=ranked.name),
                where=document.place(ranked.at),
                hint=_("Give one of them another `name`."),
            )
    main = [ranking for ranking in document.data.get("rankings", []) if ranking.get("main")]
    if len(main) > 1:
        raise SurveyError(
            "S392",
            _("More than one ranking is declared as the main one."),
            where=document.place(("rankings",)),
            hint=_("Write `main: true` once."),
        )


def _check_rise(
    survey: Survey, document: Document, at: Location, *, target: Target, code: str
) -> None:
    """Refuse a rise since a wave or a rank that is not there, or between questionnaires not declared comparable."""
    where = document.place(at)
    earlier = survey.earlier_waves()
    since = target.since or next(reversed(earlier), "")
    counted = [published.wave for published in survey.earlier]
    if target.since is not None:
        counted = [since]
    elif since in counted:
        counted = counted[counted.index(since) + 1 :]
    lacking = [published for published in lacking_sets(survey) if published.wave in counted]
    _require_held(survey, document, lacking)
    if since not in earlier:
        problem = _("There is no published ranking of an earlier wave to rise from.")
        if since:
            problem = _("There is no published ranking of wave {since} to rise from.", since=since)
        raise SurveyError(
            "S171",
            problem,
            where=where,
            available=earlier,
            got=since,
            hint=_(
                "Name that wave under `earlier` in survey.yaml, or add its ranking to the file of `history`."
            ),
        )
    if survey.published_rank(code, since) is None:
        raise SurveyError(
            "S179",
            _("'{code}' has no published rank in {since}.", code=code, since=since),
            where=where,
            hint=_("Name another wave in `since`, or remove the target."),
        )
    history = survey.rules.history
    from_set = [published for published in survey.earlier if published.wave == since]
    _require_alike(survey, document, from_set)
    if target.since is None:
        _check_gaps(survey, document, [since, survey.declared.wave])
    if from_set or history is None or history.questionnaire is None:
        return
    earlier_questionnaire = history.questionnaire
    comparable = comparable_instruments(survey)
    reference = survey.questionnaire.reference
    if earlier_questionnaire not in comparable:
        raise SurveyError(
            "S182",
            _(
                "The earlier rankings used {earlier_questionnaire}, which {reference} does "
                "not declare comparable.",
                earlier_questionnaire=earlier_questionnaire,
                reference=reference,
            ),
            where=where,
            available=comparable,
            got=earlier_questionnaire,
            hint=_("Remove the target, or write `comparable_with` in the questionnaire."),
        )


def _check_threshold(
    survey: Survey, document: Document, at: Location, *, threshold: Threshold | LowMeasure
) -> None:
    questionnaire = survey.questionnaire
    measure = threshold.measure
    below = threshold.below
    measures = [*questionnaire.measures, *survey.composed]
    if measure not in measures:
        raise SurveyError(
            "S173",
            _("There is no measure '{measure}'.", measure=measure),
            where=document.place((*at, "measure")),
            available=measures,
            got=measure,
            hint=_("Use a rate, index or topic of the questionnaire."),
        )
    bottom = 1  # no points so low decide anything; 0.6 is meant as 60
    top = 100
    form = N_("A threshold of '{measure}' is points 0-100, which {below:g} is not.")
    if measure in questionnaire.rates:
        bottom = 0
        top = 1
        form = N_("A threshold of '{measure}' is a share 0-1, which {below:g} is not.")
    if not bottom < below < top:
        raise SurveyError(
            "S174",
            _(form, measure=measure, below=below),
            where=document.place((*at, "below")),
            hint=_("Write a number between {bottom} and {top}.", bottom=bottom, top=top),
        )


def _check_steps(survey: Survey, document: Document) -> None:
    """Refuse triggers of escalation that this survey cannot decide."""
    escalation = survey.rules.escalation
    if escalation is None:
        return
    ranked = len(survey.ranked_areas())
    waves = [*survey.earlier_waves(), survey.declared.wave]
    untold = [wave for wave in waves if period_of(wave) is None]
    for position, step in enumerate(escalation.steps):
        at = ("escalation", "steps", position)
        if step.low is not None:
            _check_threshold(survey, document, (*at, "low"), threshold=step.low)
        places = step.fall or (step.rank_from or 1) - 1
        if places >= ranked:
            raise SurveyError(
                "S375",
                _(
                    "`{trigger}` leaves the {n} places of the ranking.",
                    trigger=step.trigger,
                    n=ranked,
                ),
                where=document.place((*at, step.trigger)),
                hint=_("Lower `{kind}`.", kind=step.trigger),
            )
        if step.listed_in_a_year is not None and untold:
            raise SurveyError(
                "S376",
                _("The name of wave {wave} does not tell when it took place.", wave=untold[0]),
                where=document.place((*at, "listed_in_a_year")),
                got=untold[0],
                hint=_("Name waves as 2026Q3, 2026H1 or 2026-07, or count `listed_in_a_row`."),
            )


def _check_history(survey: Survey, document: Document) -> None:
    """Refuse rankings of areas that nobody knows, and escalation that cannot count waves in a row."""
    escalation = survey.rules.escalation
    counts_earlier = escalation is not None and escalation.counts_earlier
    if counts_earlier:
        _require_held(survey, document, lacking_sets(survey))
    if survey.history is None:
        if counts_earlier:
            raise SurveyError(
                "S181",
                _("Escalation counts earlier waves; it needs their rankings."),
                where=document.place(("escalation",)),
                hint=_(
                    "Name the waves before under `earlier` in survey.yaml or declare `history`, or keep the first step alone."
                ),
            )
        return
    known: Collection[str] = survey.area_names()
    if survey.areas is not None:
        known = sorted(set(survey.areas["code"]))
    unknown = sorted(set(survey.history["code"]).difference(known))
    if unknown:
        raise SurveyError(
            "S178",
            _("Area '{unknown}' of the earlier rankings does not exist.", unknown=unknown[0]),
            where=document.place(("history",)),
            available=known,
            got=unknown[0],
            hint=_("Correct the code; an area that ended stays in the table of areas."),
        )
    if escalation:
        waves = [*survey.earlier_waves(), survey.declared.wave]
        _check_gaps(survey, document, waves)
    if counts_earlier:
        _require_alike(survey, document, survey.earlier)


def _require_held(survey: Survey, document: Document, lacking: Sequence[EarlierSet]) -> None:
    """Refuse to count on a wave whose file set holds no ranking of this name, unless that is declared."""
    gaps = _declared_gaps(survey) or []
    ranking = survey.ranking_name or survey.ranked
    for published in lacking:
        wave = published.wave
        if wave in gaps:
            continue
        example = f"gaps: [{{wave: {wave}, source: ...}}]"
        raise SurveyError(
            "S377",
            _(
                "A step or target counts on {wave}, whose file set holds no ranking '{ranking}'.",
                wave=wave,
                ranking=ranking,
            ),
            where=document.place(("history",)),
            available=published.prefixes,
            got=published.folder.name,
            hint=_(
                "Give its ranks in the file of this ranking's `history`; or write {example} "
                "there if no such ranking was published.",
                example=example,
            ),
        )


def _declared_gaps(survey: Survey) -> list[str] | None:
    """Return the waves that `history` says did not take place; None where it does not say."""
    history = survey.rules.history
    if history is None or history.gaps is None:
        return None
    return [gap.wave for gap in history.gaps]


def _require_alike(survey: Survey, document: Document, earlier: Iterable[EarlierSet]) -> None:
    """Refuse to count on a wave with another questionnaire or other areas, unless its entry says by what it is accepted."""
    for published in earlier:
        if published.ranking is None or published.declared.accepted:
            continue
        different = differences_from(survey, published)
        if different is None:
            continue
        example = f"{{survey: {published.declared.survey}, accepted: ...}}"
        raise SurveyError(
            "S373",
            _(
                "A step or target counts on {wave}, which differs from this wave: {different}.",
                wave=published.wave,
                different=different,
            ),
            where=document.place(("escalation",)),
            hint=_(
                "If that is accepted, write under `earlier` in survey.yaml by what source: {example}.",
                example=example,
            ),
        )


def _check_gaps(survey: Survey, document: Document, waves: list[str]) -> None:
    """Refuse to count over a wave that is missing from the earlier rankings, unless that is declared."""
    gaps = _declared_gaps(survey)
    whole_history = waves[0] == survey.earlier_waves()[0]
    missing: list[str] = []
    for earlier, later in pairwise(waves):
        between = missing_between(earlier, later)
        if between is None and gaps is None and survey.rules.escalation:
            raise SurveyError(
                "S342",
                _(
                    "The names do not tell whether a wave is missing between {earlier} and "
                    "{later}: waves in a row cannot be counted.",
                    earlier=earlier,
                    later=later,
                ),
                where=document.place(("history",)),
                hint=_(
                    "Name waves as 2026Q3, 2026H1 or 2026-07; where no ranking is missing, write "
                    "`gaps: []` under `history`."
                ),
            )
        missing += between or []
    declared = gaps or []
    explained = set(map(period_of, declared))
    unexplained = [wave for wave in missing if period_of(wave) not in explained]
    if unexplained:
        lacking = shortened(unexplained)
        example = f"gaps: [{{wave: {unexplained[0]}, source: ...}}]"
        raise SurveyError(
            "S341",
            _(
                "The earlier rankings lack {lacking}: waves on the list in a row cannot be counted.",
                lacking=lacking,
            ),
            where=document.place(("history",)),
            available=waves,
            hint=_(
                "Name that wave under `earlier` in survey.yaml, or add its ranking to the file of "
                "`history`; if it did not take place, write {example} under `history`.",
                example=example,
            ),
        )
    gaps_between = {None, *map(period_of, missing)}  # None: a name that does not tell
    lacking_waves = [published.wave for published in lacking_sets(survey)]
    for wave in declared:
        if not whole_history or wave in lacking_waves:
            continue
        if wave in waves or period_of(wave) not in gaps_between:
            raise SurveyError(
                "S343",
                _("{wave} of `gaps` is no wave that the earlier rankings lack.", wave=wave),
                where=document.place(("history", "gaps")),
                available=missing,
                got=wave,
                hint=_("Remove it, or correct the name of the wave."),
            )
