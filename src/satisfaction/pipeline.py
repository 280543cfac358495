"""From a survey folder to results: reads as the methodology, holds no formula."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from satisfaction.collection.responses import Responses, load_responses
from satisfaction.composite.scores import CombinedScores, combined_scores
from satisfaction.declarations.survey import (
    RankedBy,
    Survey,
    weighted_as,
    with_scores_alone,
    with_tables_of_weights,
)
from satisfaction.declarations.wave import CalibrationStep
from satisfaction.estimation.change import WaveBefore
from satisfaction.estimation.domains import Variance
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import Estimates, add_area_indices
from satisfaction.foundation.engines import Engine
from satisfaction.foundation.errors import (
    SurveyError,
    shortened,
)
from satisfaction.foundation.language import Text, _, as_text, use
from satisfaction.foundation.pages import card
from satisfaction.foundation.yaml import refuse_placeholders
from satisfaction.ranking.area_rankings import Rankings, breaking_scores, rank_by_rules, rank_within
from satisfaction.ranking.borrowed_errors import floored
from satisfaction.ranking.list_action import with_thresholds
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.selection_study import (
    DrawnReference,
    SelectionStudy,
    study_selection,
)
from satisfaction.ranking.suppression import withhold
from satisfaction.ranking.table import with_names
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.tally import Tally, tally
from satisfaction.weighting.wave_design import sample_design, sampled_persons, weigh

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
    "all_rankings",
    "selection_study",
    "combined",
    "declared_first",
    "wave_before",
)
FIGURES = "figures"
"""Beside the parts that `run` computed: what `figures_digest` says of them."""


@dataclass(frozen=True, eq=False)
class ScoreRanking:
    """One ranking of a wave.

    Attributes
    ----------
    by : RankedBy
        Which score is ranked, under which rules, and what the ranking is called.
    ranking : Ranking
        Of the ranked level; its notes are what must accompany it.
    survey : Survey
        As ranked by this score.
    estimates : dict of Estimates
        That are ranked, by level of area.
    """

    by: RankedBy
    ranking: Ranking
    survey: Survey
    estimates: dict[str, Estimates]

    @cached_property
    def within(self) -> Rankings:
        """Return the rankings of every level within its parents; made when first asked for.

        They take longer than the ranking itself, and a trial or a change of waves does not need them.
        """
        with use(None):  # nothing that is computed depends on who reads it
            return rank_within(self.survey, self.estimates, self.ranking)

    def __repr__(self) -> str:
        return f"ScoreRanking({self.by.name}: {self.ranking!r})"


@dataclass(frozen=True, repr=False)
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
        By level of area, the ranked level first, the whole last; what the suppression rule withholds is missing. The combined
        score and its components stand beside them, where combined.yaml is there.
    all_rankings : tuple of ScoreRanking
        As rules.yaml declares them; the first one is *the* ranking of the wave.
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
    wave_before : WaveBefore or None
        The wave that a change is tested against; computed when it is asked for.
    awaited : dict of Text
        Rankings that could not be made yet by name, and what they wait for.
    computed : dict of str to object
        The parts as `run` computed them, by name, and a digest of their figures; a part put in their place makes a trial, and
        so do figures that were changed in place.

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
    all_rankings: tuple[ScoreRanking, ...]
    absent: tuple[str, ...]
    counted: Tally
    base_step: dict[str, Any] | None = None
    declared_first: Results | None = None
    selection_study: SelectionStudy | None = None
    combined: CombinedScores | None = None
    wave_before: WaveBefore | None = None
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
    def ranking(self) -> Ranking:
        """Return *the* ranking: of the questionnaire's `ranked` measure, or of the score that rules.yaml declares the main one."""
        return self.all_rankings[0].ranking

    @property
    def rankings(self) -> Rankings:
        """Return the rankings by the same score at every level within its parents."""
        return self.all_rankings[0].within

    @cached_property
    def further(self) -> dict[str, Results]:
        """Return the wave's other rankings by name: the same wave, ranked otherwise."""
        return {other.by.name: self._ranked_by(other) for other in self.all_rankings[1:]}

    def _ranked_by(self, ranking: ScoreRanking) -> Results:
        survey = self.survey.ranked_by(ranking.by)
        return replace(self, survey=survey, all_rankings=(ranking,), selection_study=None)

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


def wave_before(survey: Survey) -> WaveBefore | None:
    """Return the wave that changes are tested against; None where none is declared or its respondents are not there."""
    if not (survey.earlier and survey.declared.tested.change):
        return None
    earlier = survey.earlier[-1]
    if earlier.survey_folder is None:
        return None
    return WaveBefore(earlier, survey.questionnaire, _estimates_alone)


def _estimates_alone(survey: Survey, responses: Responses, score: str) -> dict[str, Estimates]:
    """Estimate one score of a wave without ranking it; its rows are in memory, where they are counted soonest.

    All scores where small cells are withheld, which may shield one another, or where the wave does not know this one.
    """
    measures = None
    if survey.rules.suppression is None and score in survey.questionnaire.measures:
        survey = with_scores_alone(survey, {score})
        measures = survey.questionnaire.measures_of({score})
    design = base_design(survey, responses, engine="pandas", measures=measures)
    design = weigh(survey, design)
    counted = tally(design, list(design.measures), by=survey.area_levels())
    return withhold(survey, estimate_areas(survey, design, counted), counted)


def _silent(_step: Text) -> None:
    """Tell nobody."""


def run(
    survey: Survey, *, engine: Engine = "auto", tell: Callable[[Text], object] | None = None
) -> Results:
    """Run a survey from its files to its ranking.

    Parameters
    ----------
    survey : Survey
    engine : {"auto", "duckdb", "pandas", "polars", "pyspark"}
        What counts the answers; the figures are the same with each. "auto" is pandas for fewer than 50,000 respondents,
        DuckDB for more.
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
    tell(WEIGHING)
    sample = draw_up_sample(survey, responses, engine=engine)
    reference = drawn_reference(survey, engine=engine)
    results = _from_sample(survey, responses, sample, tell=tell, reference=reference)
    record = survey.weighting_record
    if record is not None and record.in_force:
        before = weighted_as(results.survey, record.declared_first)
        before = with_tables_of_weights(before, survey.folder)
        before = replace(before, further=())
        if before.declared.base != survey.declared.base:
            sample = draw_up_sample(before, responses, engine=engine)
        declared_first = _from_sample(before, responses, sample, reference=reference)
        results = replace(results, declared_first=declared_first)
    return _as_computed(results)


def _as_computed(results: Results) -> Results:
    """Let results know their parts, so that a part put in another's place is noticed."""
    computed = {name: getattr(results, name) for name in PARTS}
    return replace(results, computed=computed | {FIGURES: figures_digest(results)})


def figures_digest(results: Results) -> str:
    """Return a digest of the estimates, their covariances and the ranks, so that figures changed in place are noticed."""
    digest = hashlib.sha256()
    for estimates in results.estimates.values():
        digest.update(estimates.table.to_csv().encode())
        digest.update(estimates.cov.tobytes())
    for ranked in results.all_rankings:
        digest.update(ranked.ranking.table.to_csv().encode())
    return digest.hexdigest()


def reweighted(
    results: Results,
    survey: Survey,
    *,
    variance: Variance = "default",
    engine: Engine = "auto",
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
        sample = draw_up_sample(survey, results.responses, engine=engine)
        study = results.selection_study
        reference = study.reference if study is not None else None
        trial = _from_sample(survey, results.responses, sample, variance, reference=reference)
        return _as_computed(replace(trial, wave_before=results.wave_before))


@dataclass(frozen=True, slots=True)
class BaseSample:
    """Everybody who was sampled, before any weighting step but the first.

    Attributes
    ----------
    design : SampleDesign
        With the base weights and the questionnaire's measures.
    base_step : dict or None
        As `Results.base_step`.
    """

    design: SampleDesign
    base_step: dict[str, Any] | None


def draw_up_sample(
    survey: Survey,
    responses: Responses,
    *,
    engine: Engine = "auto",
    measures: Collection[str] | None = None,
) -> BaseSample:
    """Give everybody who was sampled a base weight, and declare the sample design; see `sample_design`."""
    persons = sampled_persons(survey, responses.accepted)
    design = sample_design(survey, persons.table, engine=engine, only=measures)
    return BaseSample(design, persons.record)


def _from_sample(
    survey: Survey,
    responses: Responses,
    sample: BaseSample,
    variance: Variance = "default",
    *,
    tell: Callable[[Text], object] = _silent,
    reference: DrawnReference | None,
) -> Results:
    """Weigh, estimate and rank; `reference` is the wave that stands for the population, read and weighed."""
    design = weigh(survey, sample.design)
    tell(COUNTING)
    counted = tally(design, list(design.measures), by=survey.area_levels())
    scored = _scored(survey, design, counted, variance=variance, tell=tell)
    survey = scored.survey
    estimates = scored.estimates
    combined = scored.combined
    all_rankings = rank_scores(survey, estimates, combined, awaited=scored.awaited)
    ranking = all_rankings[0].ranking
    return Results(
        survey=survey,
        responses=responses,
        design=design,
        estimates=estimates,
        all_rankings=all_rankings,
        absent=tuple(absent_steps(survey)),
        counted=counted,
        base_step=sample.base_step,
        selection_study=study_selection(
            survey, design, estimates, ranking=ranking, reference=reference
        ),
        combined=combined,
        wave_before=wave_before(survey),
        awaited=scored.awaited,
    )


def drawn_reference(survey: Survey, *, engine: Engine = "auto") -> DrawnReference | None:
    """Read and weigh the wave that stands for the population in the model of who answers; None without one."""
    reference = survey.reference
    if reference is None:
        return None
    responses = load_responses(reference)
    design = weigh(reference, base_design(reference, responses, engine=engine))
    return DrawnReference.of(survey, reference, design, read=responses.read)


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
    scored = _scored(survey, design, counted, variance=variance, tell=tell)
    ranking = rank_areas(scored.survey, scored.estimates)
    return Ranked(scored.survey, design, scored.estimates, ranking, scored.combined, scored.awaited)


@dataclass(frozen=True, slots=True)
class _Scored:
    """All that is ranked: estimates, the combined score beside them, and the survey without the rankings that are awaited."""

    survey: Survey
    estimates: dict[str, Estimates]
    combined: CombinedScores | None
    awaited: dict[str, Text]


def _scored(
    survey: Survey,
    design: SampleDesign,
    counted: Tally,
    *,
    variance: Variance,
    tell: Callable[[Text], object],
) -> _Scored:
    """Estimate, withhold small cells, and put the combined score beside what it is made of."""
    tell(ESTIMATING)
    estimates = estimate_areas(survey, design, counted, variance=variance)
    estimates = withhold(survey, estimates, counted)
    tell(RANKING)
    combined = None
    if survey.combined is not None:
        combined = combined_scores(survey, survey.combined, estimates)
        estimates = combined.beside(survey, estimates)
    awaited = awaited_rankings(survey, combined)
    return _Scored(survey.without_rankings(awaited), estimates, combined, awaited)


def base_design(
    survey: Survey,
    responses: Responses,
    *,
    engine: Engine = "auto",
    measures: Collection[str] | None = None,
) -> SampleDesign:
    """Declare the sample design of the responses, before any weighting step; see `sample_design`."""
    return draw_up_sample(survey, responses, engine=engine, measures=measures).design


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
    """Say where a trimming step changed the sum of all weights, and name the cells that it cut whole, so that part of their
    weight went to others.
    """
    notes = []
    steps = [record for record in weighting_log(results) if record["step"] == "trimming"]
    for record in steps:
        if "sum_change" in record:
            changed = _(
                "Trimming changed the sum of all weights by {change}: no weight was left that may take the rest. Widen the "
                "bounds, leave out `strict`, or calibrate again after trimming.",
                change=f"{record['sum_change']:+.2%}",
            )
            notes.append(changed)
            continue
        if not record["whole"]:
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
    """Rank the areas by the questionnaire's ranked measure, under the declared rules; see `rank_by_rules`."""
    level = survey.ranked_level
    rules = survey.rules.ranking
    ranked = estimates[level].of(survey.ranked)
    floor = floored(survey, estimates, level)
    breaking = breaking_scores(rules, estimates[level])
    ranking = rank_by_rules(ranked, rules, floor=floor, breaking=breaking)
    if survey.ranked in survey.composed:
        ranking = replace(ranking, options=replace(ranking.options, graded=False))
    return with_thresholds(ranking, survey, estimates)


def ranked_scores(survey: Survey) -> set[str | None]:
    """Return the scores that decide ranks and list: the ranked one, what breaks ties, and thresholds that act on the list."""
    acting = [threshold for threshold in survey.rules.thresholds if threshold.on_list is not None]
    return {survey.ranked, survey.rules.ranking.tie_break, *(one.measure for one in acting)}


def awaited_rankings(survey: Survey, combined: CombinedScores | None) -> dict[str, Text]:
    """Return what rankings wait for that cannot be made yet, by name."""
    awaited = {}
    for by in survey.all_rankings:
        if combined is None or by.score not in survey.composed:
            continue
        waits = combined.awaited(by.score, by.rules.ranking.list_size)
        if waits is not None:
            awaited[by.name] = waits
    return awaited


def rank_scores(
    survey: Survey,
    estimates: dict[str, Estimates],
    combined: CombinedScores | None,
    *,
    awaited: Mapping[str, Text],
) -> tuple[ScoreRanking, ...]:
    """Rank the areas by every score that rules.yaml declares; the first ranking says which other ones are awaited.

    One area alone waits for files, never for others to be ranked with.
    """
    titles = survey.composed
    waiting = []
    if survey.several_areas or (combined is not None and combined.inputs.awaited):
        for name, waits in awaited.items():
            title = titles.get(name, Text(name))
            waiting.append(_("ranking {name}: {waits}", name=title, waits=waits))
    first, *others = survey.all_rankings
    all_rankings = [rank_score(survey, first, estimates, combined=combined, notes=waiting)]
    for other in others:
        all_rankings.append(rank_score(survey, other, estimates, combined=combined))
    return tuple(all_rankings)


def rank_score(
    survey: Survey,
    by: RankedBy,
    estimates: dict[str, Estimates],
    *,
    combined: CombinedScores | None,
    notes: Sequence[Text] = (),
) -> ScoreRanking:
    """Rank the areas by one score.

    The ranking is accompanied by `notes`, and by what a combined score rests on.
    """
    survey = survey.ranked_by(by)
    ranking = rank_areas(survey, estimates)
    accompanying = [*notes_with_names(survey, ranking), *notes]
    if combined is not None and survey.ranked in survey.composed:
        accompanying += combined.notes(survey.ranked)
    summary = replace(ranking.summary, notes=tuple(accompanying))
    ranking = replace(ranking, summary=summary)
    return ScoreRanking(by, ranking, survey, estimates)


def notes_with_names(survey: Survey, ranking: Ranking) -> list[Text]:
    """Return what must accompany a ranking, with the names of areas and scores in place of their codes."""
    names = survey.area_names() | _name_of_tie_break(survey)
    return [with_names(note, ranking.summary, names) for note in ranking.summary.notes]


def _name_of_tie_break(survey: Survey) -> dict[str, Text]:
    """Return what the score that breaks ties is called, by its name; nothing where none does."""
    breaking = survey.rules.ranking.tie_break
    if breaking is None:
        return {}
    questionnaire = survey.questionnaire
    titles = dict(survey.composed)
    for group in (questionnaire.items, questionnaire.indices, questionnaire.rates):
        if breaking in group:
            titles[breaking] = group[breaking].text
    return {breaking: titles[breaking]} if breaking in titles else {}


def ranked_further(results: Results, survey: Survey) -> Results:
    """Rank a wave as another survey of it says: by another score, under other rules."""
    first = survey.all_rankings[0]
    ranking = rank_score(survey, first, results.estimates, combined=results.combined)
    return replace(results, survey=survey, all_rankings=(ranking,), selection_study=None)


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
