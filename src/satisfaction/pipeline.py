"""From a survey folder to results: reads as the methodology, holds no formula."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from satisfaction.collection.responses import Responses, load_responses
from satisfaction.composite.scores import CombinedScores, combined_scores
from satisfaction.declarations.items import AreaItem, SingleItem
from satisfaction.declarations.survey import RankedBy, Survey, read_survey, weighted_as
from satisfaction.declarations.wave import CalibrationStep, NonresponseStep, TrimmingStep
from satisfaction.estimation.domains import Variance
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.index import add_area_indices
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import Engine, Lazy, hold, materialize, scan
from satisfaction.foundation.errors import DesignError, SurveyError, shortened
from satisfaction.foundation.language import NOTHING, Text, _, as_text, use
from satisfaction.foundation.pages import card
from satisfaction.foundation.yaml import refuse_placeholders
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.rules import Rankings, breaking_scores, rank_by_rules, rank_within
from satisfaction.ranking.selection_study import SelectionStudy, study_selection
from satisfaction.ranking.suppression import withhold
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.design import SampleDesign, SurveyDesign
from satisfaction.sampling.measures import Measure, add_columns, only_where, stored
from satisfaction.sampling.tally import Tally, tally
from satisfaction.sampling.variance import LonelyPsu
from satisfaction.weighting.base import RESPONDED, sampled_persons
from satisfaction.weighting.calibration import calibrate, margin_targets
from satisfaction.weighting.nonresponse import adjust_nonresponse
from satisfaction.weighting.trimming import trim

READING = _("reading and checking the responses")
WEIGHING = _("sample design and weights")
COUNTING = _("counting the answers")
ESTIMATING = _("estimates and their errors")
RANKING = _("ranks and their sets")
STEPS = (READING, WEIGHING, COUNTING, ESTIMATING, RANKING)
PARTS = (
    "survey",
    "responses",
    "design",
    "estimates",
    "ranking",
    "rankings",
    "selection_study",
    "combined",
    "declared_first",
)


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """Everything one wave yields.

    Attributes
    ----------
    survey : Survey
    responses : Responses
    design : SampleDesign
        With its weighting steps, if any are declared. Nonrespondents, where a table of them is declared, are rows after
        the respondents: `responded` is 0, no measure is valid, and the final weight is 0.
    estimates : dict of Estimates
        By level of area, the ranked level first, the whole last; what the suppression rule withholds is missing.
    ranking : Ranking
        Of the questionnaire's `ranked` measure at the first level, under the declared rules; or of the score that rules.yaml
        declares the main one.
    rankings : Rankings
        Of the same measure at every level within its parents.
    absent : tuple of str
        Steps and tables the survey does not declare, hence left out.
    counted : Tally
        The one pass over the respondents, by level of area: what all estimates come from.
    base_step : dict or None
        Record of the base weight; None where it is 1, or 1 / inclusion probability.
    declared_first : Results or None
        What the recipe gives that was declared before results were seen, where another one was adopted since.
    selection_study : SelectionStudy or None
        Of a wave whose respondents were not drawn: estimates under the declared model, sensitivity, answering odds. Never part
        of `estimates` or `ranking`.
    combined : CombinedScores or None
        The combined score of every level, where combined.yaml is there.
    further : dict of Results
        The wave's other rankings by name: the same wave, ranked otherwise.
    awaited : dict of Text
        Rankings that could not be made yet by name, and what they wait for.
    computed : dict of str to object
        The parts as `run` computed them, by name; a part put in their place makes a trial.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> list(results.estimates)
    ['county', 'prefecture', 'province']
    >>> results.whole.table[["measure", "estimate", "se", "n"]].round(3)
             measure  estimate     se      n
    0      awareness     0.680  0.039  118.0
    1  participation     0.372  0.067  120.0
    2   satisfaction     0.537  0.063  111.0
    3        streets    64.713  1.831  105.0
    4          parks    62.604  3.167  111.0
    5         safety    67.685  2.452  107.0
    6    topic_index    64.497  1.151  116.0
    7      composite    62.692  2.312  111.0
    """

    survey: Survey
    responses: Responses
    design: SampleDesign
    estimates: dict[str, Estimates]
    ranking: Ranking
    rankings: Rankings
    absent: tuple[str, ...]
    counted: Tally
    base_step: dict[str, Any] | None = None
    declared_first: Results | None = None
    selection_study: SelectionStudy | None = None
    combined: CombinedScores | None = None
    further: dict[str, Results] = field(default_factory=dict)
    awaited: dict[str, Text] = field(default_factory=dict)
    computed: dict[str, object] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        levels = ", ".join(self.estimates)
        return f"Results({self.survey!r}, {self.responses!r}, {self.ranking!r}, levels: {levels})"

    def _repr_html_(self) -> str:
        columns = ["measure", "estimate", "se", "ci_low", "ci_high", "n"]
        whole = self.whole.table[columns]
        facts = {_("not declared"): ", ".join(self.absent)}
        notes = " ".join(map(str, self.ranking.summary["notes"]))
        return card(
            str(self.survey.declared.title),
            facts=facts,
            tables={_("the whole"): whole},
            mark=str(self.survey.marks or ""),
            note=notes,
        )

    @property
    def area(self) -> str:
        """Return the ranked level ('county')."""
        return self.survey.ranked_level

    @property
    def ranked(self) -> Estimates:
        """Return the ranked measure of the ranked level: what the ranking rests on."""
        return self.estimates[self.survey.ranked_level].of(self.survey.ranked)

    @property
    def whole(self) -> Estimates:
        """Return the estimates of all areas together."""
        return self.estimates[self.survey.whole()]


def _silent(_step: Text) -> None:
    """Tell nobody."""


def run(
    survey: Survey, *, engine: Engine = "duckdb", tell: Callable[[Text], object] | None = None
) -> Results:
    """Run a survey from its files to its ranking.

    Parameters
    ----------
    survey : Survey
    engine : str
        What counts the answers; the figures are the same with each.
    tell : function or None
        Called with each of `STEPS` when it begins.

    Raises
    ------
    SatisfactionError
        Whatever a stage refuses; nothing is written by any of them.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> results.ranking.table[["unit", "rank", "simultaneous_low", "simultaneous_high", "status"]]
         unit  rank  simultaneous_low  simultaneous_high    status
    0  990101     1                 1                  4  possible
    1  990102     3                 1                  4  possible
    2  990201     4                 1                  4  possible
    3  990202     2                 1                  4  possible
    """
    with use(None):  # nothing that is computed depends on who reads it
        return _run(survey, engine, tell or _silent)


def _run(survey: Survey, engine: Engine, tell: Callable[[Text], object]) -> Results:
    """Run a survey, stage after stage."""
    if survey.rule_fault:
        raise survey.rule_fault
    refuse_placeholders(survey.sources, SurveyError)
    tell(READING)
    responses = load_responses(survey)
    answered = responses.accepted[survey.questionnaire.roles.area].dropna()
    survey = replace(survey, covered=frozenset(answered.astype(str)))
    results = _from_responses(survey, responses, engine, tell=tell)
    record = survey.weighting_record
    if record is not None and record.in_force:
        before = weighted_as(results.survey, record.declared_first)
        results = replace(results, declared_first=reweighted(results, before))
    return replace(results, computed={name: getattr(results, name) for name in PARTS})


def reweighted(
    results: Results,
    survey: Survey,
    *,
    variance: Variance = "default",
    engine: Engine = "duckdb",
) -> Results:
    """Return what the same responses give under other weighting steps: a trial of another recipe.

    Parameters
    ----------
    results : Results
    survey : Survey
        That of the results with other steps, as `with_weighting` returns it.
    variance : str
        Of the estimates; default that of a run. "linearized" is quick and takes steps before the last calibration as fixed.
    """
    with use(None):
        if variance != "default":
            survey = replace(survey, altered=(*survey.altered, f"variance: {variance}"))
        trial = _from_responses(survey, results.responses, engine, variance)
        return replace(trial, computed={name: getattr(trial, name) for name in PARTS})


def _from_responses(
    survey: Survey,
    responses: Responses,
    engine: Engine,
    variance: Variance = "default",
    *,
    tell: Callable[[Text], object] = _silent,
) -> Results:
    """Weigh, estimate and rank."""
    tell(WEIGHING)
    persons = sampled_persons(survey, responses.accepted)
    design = sample_design(survey, persons.table, engine=engine)
    design = weigh(survey, design)
    tell(COUNTING)
    counted = tally(design, list(design.measures), by=survey.area_levels())
    ranked = rank_design(survey, design, counted, variance=variance, tell=tell)
    survey = ranked.survey
    estimates = ranked.estimates
    ranking = ranked.ranking
    combined = ranked.combined
    rankings = rank_within(survey, estimates, ranking)
    selection_study = study_selection(survey, design, estimates, ranking)
    results = Results(
        survey=survey,
        responses=responses,
        design=design,
        estimates=estimates,
        ranking=ranking,
        rankings=rankings,
        absent=tuple(absent_steps(survey)),
        counted=counted,
        base_step=persons.record,
        selection_study=selection_study,
        combined=combined,
        awaited=ranked.awaited,
    )
    return replace(results, further=_further(results))


@dataclass(frozen=True, slots=True, repr=False)
class Ranked:
    """Estimates and the ranking of a weighted design: what a run and a what-if have in common.

    Attributes
    ----------
    survey : Survey
        As it is ranked: by its main score, or by the next one that waits for nothing.
    design : SampleDesign
    estimates : dict of Estimates
        As in `Results`.
    ranking : Ranking
    combined : CombinedScores or None
    awaited : dict of Text
        As in `Results`.
    """

    survey: Survey
    design: SampleDesign
    estimates: dict[str, Estimates]
    ranking: Ranking
    combined: CombinedScores | None
    awaited: dict[str, Text]

    @property
    def whole(self) -> Estimates:
        """Return the estimates of all areas together."""
        return self.estimates[self.survey.whole()]


def rank_design(
    survey: Survey,
    design: SampleDesign,
    counted: Tally,
    *,
    variance: Variance = "default",
    tell: Callable[[Text], object] = _silent,
) -> Ranked:
    """Estimate and rank a weighted design.

    Parameters
    ----------
    survey : Survey
    design : SampleDesign
    counted : Tally
        Of the design's measures, by the survey's levels of area; more keys do no harm.
    variance : str
        Of the estimates.
    """
    tell(ESTIMATING)
    estimates = estimate_areas(survey, design, counted, variance=variance)
    estimates = withhold(survey, estimates, counted)
    tell(RANKING)
    combined = None
    if survey.combined is not None:
        combined = combined_scores(survey, survey.combined, estimates)
    awaited: dict[str, Text] = {}
    survey = _first_to_be_ranked(survey, combined, awaited)
    estimates = with_composed(survey, estimates, combined)
    ranking = with_notes(rank_areas(survey, estimates), survey, combined, awaited)
    return Ranked(survey, design, estimates, ranking, combined, awaited)


def base_design(survey: Survey, responses: Responses, *, engine: Engine = "duckdb") -> SampleDesign:
    """Declare the sample design of the responses, before any weighting step; see `sample_design`."""
    persons = sampled_persons(survey, responses.accepted)
    return sample_design(survey, persons.table, engine=engine)


def sample_design(
    survey: Survey, persons: pd.DataFrame, *, engine: Engine = "duckdb"
) -> SampleDesign:
    """Declare the sample design, with base weights and the questionnaire's measures, on an engine.

    Without a probability sample there is no sampling error for a lonely PSU to spoil: where survey.yaml says `fail`, `adjust` is
    used then, and `lonely_note` says so.

    Raises
    ------
    DesignError
        D104 for strata of one PSU in a probability sample, with what survey.yaml may say; else as `SurveyDesign`.
    """
    roles = survey.questionnaire.roles
    measures = compile_measures(survey.questionnaire)
    table = _measured(scan(hold(persons, engine)), measures)

    collapse = {}
    for merge in survey.declared.collapse:
        collapse[_stratum(survey, merge.stratum)] = _stratum(survey, merge.into)

    def declared(lonely_psu: LonelyPsu) -> SampleDesign:
        return SurveyDesign(
            table,
            strata=roles.strata,
            psu=roles.psu or roles.respondent,
            base_weight="base_weight" if survey.declared.base else None,
            collapse=collapse,
            lonely_psu=lonely_psu,
            selection=survey.declared.selection,
            measures=stored(measures),
            codes=survey.questionnaire.coded_columns(),
        )

    try:
        return declared(survey.declared.lonely_psu)
    except DesignError as fault:
        if fault.code != "D104":
            raise
        if survey.declared.selection != "probability":
            return declared("adjust")
        raise _in_the_words_of_a_survey(fault, survey) from None


def _measured(rows: Lazy, measures: Sequence[Measure]) -> Any:
    """Return the engine's table with the values of measures; nonrespondents have none."""
    columns = rows.collect_schema().names()
    rows = add_columns(rows, measures)
    if RESPONDED in columns:
        rows = only_where(rows, measures, RESPONDED)
    return materialize(rows)


def remeasured(survey: Survey, design: SampleDesign, names: Collection[str]) -> SampleDesign:
    """Return a design with the measures of another questionnaire on the same answers: those of the names alone."""
    chosen = []
    for measure in compile_measures(survey.questionnaire):
        if measure.name in names:
            chosen.append(measure)
    design = design.over(_measured(design.table, chosen))
    return replace(design, measures={measure.name: measure for measure in stored(chosen)})


def _stratum(survey: Survey, values: Sequence[str | int]) -> tuple[str | int, ...]:
    """Return a stratum with its values in the types of the respondents' columns."""
    stratum: list[str | int] = []
    for name, value in zip(survey.questionnaire.roles.strata, values, strict=True):
        coded = isinstance(survey.questionnaire.items[name], SingleItem)
        stratum.append(int(value) if coded else str(value))
    return tuple(stratum)


def _in_the_words_of_a_survey(fault: DesignError, survey: Survey) -> DesignError:
    """Return D104 with what stratum and PSU are in this survey, and the lines of survey.yaml that mend it."""
    roles = survey.questionnaire.roles
    strata = ", ".join(roles.strata)
    psu = roles.psu or roles.respondent
    lines = "lonely_psu: adjust"
    if fault.merge:
        stratum, into = map(_as_yaml, fault.merge)
        lines = f"collapse: [{{stratum: {stratum}, into: {into}}}]"
    return DesignError(
        "D104",
        _(
            "{fault} A stratum is a combination of {strata}, a primary sampling unit "
            "(PSU) is a {psu}; with one unit in a stratum the sampling error cannot be "
            "estimated.",
            fault=fault,
            strata=strata,
            psu=psu,
        ),
        where=str(survey.folder / "survey.yaml"),
        available=[f"lonely_psu: {policy}" for policy in fault.available],
        hint=_(
            "Merge with a similar stratum: write {lines} in survey.yaml; or write "
            "lonely_psu: adjust.",
            lines=lines,
        ),
    )


def _as_yaml(stratum: object) -> str:
    """Write a stratum as a list of its values."""
    values = stratum if isinstance(stratum, tuple) else [stratum]
    return json.dumps(values, ensure_ascii=False)


def lonely_note(survey: Survey, design: SampleDesign) -> Text:
    """Say that strata of one PSU were treated otherwise than declared, because the sample is no probability sample; else empty."""
    if design.lonely_psu == survey.declared.lonely_psu:
        return NOTHING
    return _(
        "Some strata have a single primary sampling unit; without a probability "
        "sample there is no sampling error, so nothing stops and lonely_psu is taken "
        "as adjust."
    )


def weigh(survey: Survey, design: SampleDesign) -> SampleDesign:
    """Carry out the declared weighting steps after the base weight, in their order."""
    for step in survey.declared.weighting:
        if isinstance(step, NonresponseStep):
            design = adjust_nonresponse(design, RESPONDED, by=step.by, method=step.method)
        elif isinstance(step, CalibrationStep):
            margins: dict[str | tuple[str, ...], Mapping[Any, float]] = {}
            for name in step.margins or ():
                columns = tuple(survey.declared.margins[name].by)
                margins[columns] = declared_targets(survey, name)
            design = calibrate(
                design, margins, method=step.method, bounds=step.bounds, tolerance=step.tolerance
            )
        elif isinstance(step, TrimmingStep):
            design = trim(
                design,
                lower=step.lower,
                upper=step.upper,
                relative_to=step.relative_to,
                within=step.within,
                spread=step.spread,
                strict=step.strict,
            )
    return design


def declared_targets(survey: Survey, margin: str) -> dict[Any, float]:
    """Return a margin with its levels in the types of the respondents' columns."""
    columns = survey.declared.margins[margin].by
    table = survey.margins[margin]
    for name in columns:
        item = survey.questionnaire.items[name]
        if isinstance(item, SingleItem):
            table = table.assign(**{name: table[name].astype(int)})
        else:
            assert isinstance(item, AreaItem)
    return margin_targets(table, columns)


def weighting_log(results: Results) -> tuple[dict[str, Any], ...]:
    """Return the record of every weighting step in order, and of replicates that could not carry them out.

    A base weight of 1 / inclusion probability has none.
    """
    records = []
    if results.base_step:
        records.append(results.base_step)
    if results.design.weighting:
        records += results.design.weighting.log
    note = replicates_note(results)
    if note:
        conventions = results.estimates[results.area].conventions
        unsolved = {
            "step": "replicates",
            "method": conventions["variance"],
            "unsolved": conventions["replicates_unsolved"],
            "note": note.both,
        }
        records.append(unsolved)
    return tuple(records)


def trimming_notes(results: Results) -> list[Text]:
    """Name the cells that a trimming step cut whole, so that part of their weight went to others: one note a step."""
    notes = []
    for record in weighting_log(results):
        if record["step"] != "trimming" or not record["whole"]:
            continue
        note = _(
            "Trimming left all weights of {count} cells at a bound, and {lost} of all weight went to other cells: {names}.",
            count=len(record["whole"]),
            lost=f"{record['sum_lost']:.2%}",
            names=shortened(record["whole"]),
        )
        notes.append(note)
    return notes


def replicates_note(results: Results) -> Text:
    """Return what is to be said of replicates that no weights solve; empty where there are none."""
    return as_text(results.estimates[results.area].conventions.get("replicates_note", ""))


def estimate_areas(
    survey: Survey,
    design: SampleDesign,
    counted: Tally | None = None,
    *,
    variance: Variance = "default",
) -> dict[str, Estimates]:
    """Estimate every measure and index for each level of area, and for all together."""
    measures = list(design.measures)
    if counted is None:
        counted = tally(design, measures, by=survey.area_levels())
    estimates = {}
    for area_level in survey.area_levels():
        estimates[area_level] = estimate(
            design,
            measures,
            by=area_level,
            level=survey.declared.level,
            domains=survey.domain_values(area_level),
            counted=counted,
            variance=variance,
        )
    whole = estimate(
        design, measures, level=survey.declared.level, counted=counted, variance=variance
    )
    estimates[survey.whole()] = whole
    for area_level, of_level in estimates.items():
        estimates[area_level] = add_area_indices(of_level, survey.questionnaire)
    return estimates


def rank_areas(survey: Survey, estimates: dict[str, Estimates]) -> Ranking:
    """Rank the areas by the questionnaire's ranked measure, under the declared rules."""
    level = survey.ranked_level
    rules = survey.rules.ranking
    ranked = estimates[level].of(survey.ranked)
    floor = floored(survey, estimates, level)
    breaking = breaking_scores(rules, estimates[level])
    return rank_by_rules(ranked, rules, floor=floor, breaking=breaking)


def with_composed(
    survey: Survey, estimates: dict[str, Estimates], combined: CombinedScores | None
) -> dict[str, Estimates]:
    """Return the estimates with the combined score and its components beside them, where the rules use one of these."""
    thresholds = {threshold.measure for threshold in survey.rules.thresholds}
    if combined is None or not (thresholds | ranked_scores(survey)) & survey.composed.keys():
        return estimates
    return combined.beside(survey, estimates)


def ranked_scores(survey: Survey) -> set[str | None]:
    """Return the scores that decide the ranks: the ranked one, and the one that breaks ties, if any."""
    return {survey.ranked, survey.rules.ranking.tie_break}


def with_notes(
    ranking: Ranking,
    survey: Survey,
    combined: CombinedScores | None,
    awaited: Mapping[str, Text],
) -> Ranking:
    """Add to what accompanies a ranking: what a combined score rests on, and which rankings are awaited."""
    notes = list(ranking.summary.notes)
    for name, waits in awaited.items():
        notes.append(_("ranking {name}: {waits}", name=name, waits=waits))
    if combined is not None and survey.ranked in survey.composed:
        notes += combined.notes(survey.ranked)
    return replace(ranking, summary=replace(ranking.summary, notes=tuple(notes)))


def _first_to_be_ranked(
    survey: Survey, combined: CombinedScores | None, awaited: dict[str, Text]
) -> Survey:
    """Return the survey ranked by its main score, or by the next one that waits for nothing; note in `awaited` what waits."""
    rankings = [RankedBy(survey.ranked, survey.score, survey.rules, survey.history)]
    rankings += survey.further
    ready = []
    for one in rankings:
        waits = None
        if combined is not None and one.score in survey.composed:
            waits = combined.awaited(one.score, one.rules.ranking.list_size)
        if waits is None:
            ready.append(one)
        else:
            awaited[one.name] = waits
    if not awaited:
        return survey
    first, *others = ready
    as_read = survey.as_read
    if as_read is not None and as_read is not survey:
        as_read = _first_to_be_ranked(as_read, combined, {})
    return replace(
        survey,
        score=first.score,
        rules=first.rules,
        history=first.history,
        further=tuple(others),
        as_read=as_read,
    )


def _further(results: Results) -> dict[str, Results]:
    """Rank the same wave by every other score that is declared."""
    survey = results.survey
    return {
        other.name: ranked_further(results, survey.ranked_by(other)) for other in survey.further
    }


def ranked_further(results: Results, survey: Survey) -> Results:
    """Rank a wave as another survey of it says: by another score, under other rules."""
    estimates = with_composed(survey, results.estimates, results.combined)
    ranking = with_notes(rank_areas(survey, estimates), survey, results.combined, {})
    rankings = rank_within(survey, estimates, ranking)
    return replace(
        results,
        survey=survey,
        estimates=estimates,
        ranking=ranking,
        rankings=rankings,
        selection_study=None,
    )


def absent_steps(survey: Survey) -> Iterator[str]:
    """Name what the survey does not declare."""
    declared = survey.declared
    roles = survey.questionnaire.roles
    calibrations = [step for step in declared.weighting if isinstance(step, CalibrationStep)]
    is_declared = {
        "areas": declared.areas,
        "fielding period": declared.fielded or not roles.interview_date,
        "strata": roles.strata,
        "psu": roles.psu,
        "base weights": declared.base,
        "margins": declared.margins,
        "calibration": calibrations,
        "overall rate": survey.overall or not survey.questionnaire.topics,
    }
    return (name for name, declaration in is_declared.items() if not declaration)


def beside_folder(results: Results) -> Results:
    """Return results whose survey knows where they depart from its folder as it is now: they are a trial then."""
    official = _first_to_be_ranked(read_survey(results.survey.sources[0]), results.combined, {})
    foreign = [name for name in PARTS if getattr(results, name) is not results.computed.get(name)]
    altered = tuple(dict.fromkeys([*results.survey.altered, *foreign]))
    survey = replace(results.survey, as_read=official, altered=altered)
    further = {}
    by_name = {other.name: other for other in survey.further}
    for name, other in results.further.items():
        further[name] = replace(other, survey=survey.ranked_by(by_name[name]))
    computed = results.computed | {"survey": survey}
    return replace(results, survey=survey, further=further, computed=computed)
