"""The waves that stand side by side: in order of time, ranked by one measure, with PSUs that can be recognised again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.composite.components import deciding_measures
from satisfaction.composite.joint_draws import ScoredWave
from satisfaction.composite.normalising import slopes
from satisfaction.composite.scores import FIELD as RELATIVE
from satisfaction.composite.scores import CombinedScores, drawn_waves, scale_slope
from satisfaction.declarations.combined import COMBINED, CombinedInputs
from satisfaction.declarations.earlier import named_with_successors
from satisfaction.declarations.facts import codes_of_today, period_of
from satisfaction.declarations.survey import RankedBy, Survey, read_survey
from satisfaction.estimation.change import common_units
from satisfaction.estimation.result import Estimates
from satisfaction.estimation.sample import Contributions
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.language import (
    Text,
    _,
    as_text,
    comma_list,
    pgettext,
    semicolon_list,
)
from satisfaction.pipeline import Results, ranked_further
from satisfaction.publication.labels import mark, score_labels
from satisfaction.ranking.waves import Comparability, comparability, require_comparable
from satisfaction.sampling.variance import Members

Compared = TypeVar("Compared")


def read_in_order(folders: Sequence[str | Path]) -> list[Survey]:
    """Read surveys that are given in order of time, the oldest first.

    Raises
    ------
    RankingError
        K171 for a survey that is given twice, K172 for one that came before its predecessor, by dates of fielding or by name.
    SurveyError, QuestionnaireError, InputFileError
        As `read_survey`.
    """
    surveys = [read_survey(folder) for folder in folders]
    names = [one.name for one in surveys]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RankingError(
            "K171",
            _("Survey {twice} is given twice.", twice=twice),
            where=str(surveys[-1].folder),
            hint=_("One folder a wave, each with a name of its own in survey.yaml."),
        )
    for earlier, later in pairwise(surveys):
        if _came_before(later, earlier):
            raise RankingError(
                "K172",
                _(
                    "{later} ({later_wave}) came before {earlier} ({earlier_wave}); give the waves "
                    "oldest first.",
                    later=later.name,
                    later_wave=later.declared.wave,
                    earlier=earlier.name,
                    earlier_wave=earlier.declared.wave,
                ),
                where=str(later.folder),
                hint=_("Swap them: the older one first."),
            )
    return surveys


def _came_before(one: Survey, other: Survey) -> bool:
    """Whether a survey was fielded before another; where that is not declared, whether the name of its wave says so."""
    fielded = one.declared.fielded, other.declared.fielded
    if fielded[0] and fielded[1]:
        return fielded[0].start < fielded[1].start
    periods = period_of(one.declared.wave), period_of(other.declared.wave)
    if periods[0] and periods[1] and periods[0][0] == periods[1][0]:
        return periods[0][1] < periods[1][1]
    return False


def comparable_words(surveys: Sequence[Survey], score: str) -> list[str]:
    """Say why each earlier wave may be compared with the last one.

    Raises
    ------
    RankingError
        K140 for a score that one of them does not declare, K142 where they may not be compared.
    """
    words = []
    for earlier in surveys[:-1]:
        for found in comparability_of(surveys[-1], earlier, score):
            words.append(require_comparable(found))
    return list(dict.fromkeys(words))


def comparability_of(later: Survey, earlier: Survey, score: str) -> list[Comparability]:
    """Compare all that two waves declare about a score: what the questionnaires do about every measure in it, then
    combined.yaml.

    Raises
    ------
    RankingError
        K140 for a score that one of them does not declare.
    """
    if score not in later.composed and score not in earlier.composed:
        return [comparability(later.questionnaire, earlier.questionnaire, score)]
    sides = []
    for survey in (later, earlier):
        if survey.combined is None or score not in survey.composed:
            raise RankingError(
                "K140",
                _("{reference} declares no measure '{name}'.", reference=survey.name, name=score),
                where="measure",
                available=score_labels(survey),
                got=score,
                hint=_("Use a measure of both waves."),
            )
        sides.append(declared_of(survey.combined, score))
    new, old = sides
    found = []
    for name, component in new.items():
        measure = component.get("measure")
        if measure is not None and old.get(name, {}).get("measure") == measure:
            found.append(comparability(later.questionnaire, earlier.questionnaire, measure))
    versions = (f"combined.yaml {later.declared.wave}", f"combined.yaml {earlier.declared.wave}")
    differences = tuple(".".join(one.path) for one in declared_differences(new, old))
    hint = _(
        "Compare the components one by one; if the scores may be compared all the same, write "
        "comparable_with: [{{wave: {wave}, source: ...}}] in combined.yaml of {survey}.",
        wave=earlier.declared.wave,
        survey=later.name,
    )
    of_score = Comparability(
        score, versions, differences, _allowed(later, earlier.declared.wave), hint=hint
    )
    return [*found, of_score]


def _allowed(later: Survey, wave: str) -> str:
    """Return the `comparable_with` of combined.yaml that names an earlier wave; empty where there is none."""
    assert later.combined is not None
    for one in later.combined.declared.comparable_with or ():
        if one.wave == wave:
            return f"comparable_with of combined.yaml: {one}"
    return ""


WITHOUT_MEANING = {
    "zh", "en", "title", "source", "note", "date", "exact", "file", "lost", "sites", "earlier",
    "department", "levels", "comparable_with", "alternatives", "lasting",
}  # fmt: skip
"""Keys of combined.yaml and of a tree of items that change no score: words, sources, names of files."""


def declared_of(inputs: CombinedInputs, score: str) -> dict[str, dict[str, Any]]:
    """Return what decides the value of the combined score or of a component alone, by component.

    Wordings, sources, dates, departments and names of files are left out; how components are put together stands under an
    empty name.
    """
    declared = inputs.declared
    content: dict[str, dict[str, Any]] = {}
    names = [score]
    if score == COMBINED:
        names = list(declared.components)
        content[""] = {"aggregation": declared.aggregation, "above": declared.above}
    for name in names:
        component = declared.components[name]
        kept = _meaning(component.model_dump(exclude={"assessment", "sites"}))
        if score != COMBINED:
            del kept["weight"]
        kept["kind"] = next(kind for kind in KINDS if getattr(component, kind) is not None)
        if name in inputs.assessments:
            kept["tree"] = _meaning(inputs.assessments[name].model_dump())
        content[name] = kept
    return content


KINDS = ("measure", "file", "assessment")


def _meaning(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out, at every depth, what changes no score, and what is not declared."""
    kept = {}
    for key, value in declared.items():
        if key in WITHOUT_MEANING or value is None:
            continue
        kept[key] = _meaning(value) if isinstance(value, Mapping) else value
    return kept


class DeclaredDifference(NamedTuple):
    """What two waves declare differently about a score.

    Attributes
    ----------
    path : tuple of str
        Component (empty: how they are put together), then the keys.
    old, new : object
        As declared; None where it is not.
    """

    path: tuple[str, ...]
    old: object
    new: object


def declared_differences(
    new: Mapping[str, Any], old: Mapping[str, Any], *, above: tuple[str, ...] = ()
) -> list[DeclaredDifference]:
    """Return where nested declarations differ; a component that only one of them has is one difference."""
    differences = []
    for key in dict.fromkeys([*new, *old]):
        later = new.get(key)
        earlier = old.get(key)
        path = (*above, key)
        if isinstance(later, Mapping) and isinstance(earlier, Mapping):
            differences += declared_differences(later, earlier, above=path)
        elif later != earlier:
            differences.append(DeclaredDifference(path, earlier, later))
    return differences


DECLARED_KEYS = {
    "weight": _("weight"),
    "normalise": _("normalising"),
    "goalposts": _("goalposts"),
    "aggregation": _("aggregation"),
    "above": _("score of larger areas"),
    "measure": pgettext("heading", "measure"),
    "kind": _("kind of component"),
}


def difference_lines(later: Survey, earlier: Survey, score: str) -> list[Text]:
    """Say what combined.yaml declares differently in two waves, and which scales the areas of each wave set."""
    if later.combined is None or earlier.combined is None or score not in later.composed:
        return []
    new = declared_of(later.combined, score)
    old = declared_of(earlier.combined, score)
    labels = earlier.combined.labels | later.combined.labels
    clauses = []
    trees = set()
    for one in declared_differences(new, old):
        component = one.path[0]
        if "tree" in one.path:
            trees.add(component)
            continue
        clauses.append(_difference(one, labels.get(component, labels[COMBINED])))
    for component in sorted(trees):
        clauses.append(_("{component}: other items or points", component=labels[component]))
    lines = []
    if clauses:
        lines.append(
            _(
                "declared otherwise in {earlier} than in {later}: {what}",
                earlier=earlier.declared.wave,
                later=later.declared.wave,
                what=semicolon_list(clauses),
            )
        )
    for allowed in later.combined.declared.comparable_with or ():
        if clauses and allowed.wave == earlier.declared.wave:
            why = semicolon_list([words for words in (allowed.note, allowed.source) if words])
            lines.append(_("compared as combined.yaml declares: {why}", why=why))
    relative = [labels[name] for name, one in new.items() if one.get("normalise") in RELATIVE]
    if relative:
        lines.append(
            _(
                "{components}: the areas of each wave set the scale, so a change is one relative to "
                "the other areas",
                components=comma_list(relative),
            )
        )
    return lines


def _difference(one: DeclaredDifference, component: Text) -> Text:
    """Write a difference: a component that only one wave has, or a key with both values."""
    if len(one.path) == 1:
        if one.old is None:
            return _("{component}: new", component=component)
        return _("{component}: no longer there", component=component)
    values = []
    for value in (one.old, one.new):
        words = as_text(str(value))
        if value is None:
            words = _("not declared")
        elif isinstance(value, float):
            words = as_text(f"{value:g}")
        values.append(words)
    return _(
        "{component}: {key} {old} → {new}",
        component=component,
        key=DECLARED_KEYS.get(one.path[-1], as_text(one.path[-1])),
        old=values[0],
        new=values[1],
    )


# ---- the rankings of a wave


def rankings_of(results: Results) -> dict[str, Results]:
    """Return the wave ranked by each of its scores, by the name of the ranking; the wave's own under an empty one."""
    return {"": results, **results.further}


def ranked_by(results: Results, score: str, name: str = "") -> Results:
    """Return results whose ranking is by another score: a declared one, preferably of that name, else under the same rules.

    Raises
    ------
    RankingError
        K317 for a combined score, or a component, that waits for its files.
    """
    by_score = [
        (title, one) for title, one in rankings_of(results).items() if one.survey.ranked == score
    ]
    for title, one in by_score:
        if title == name:
            return one
    for _title, one in by_score:
        return one
    survey = results.survey
    if score in survey.composed and results.combined is not None:
        refuse_awaited(survey, results.combined, score)
    return ranked_further(results, survey.ranked_by(RankedBy("", score, survey.rules)))


def refuse_awaited(survey: Survey, scores: CombinedScores, score: str) -> None:
    """Refuse to rank by a combined score, or a component, that waits for its files or has too few areas (K317)."""
    awaited = scores.awaited(score, survey.rules.ranking.list_size)
    if awaited is not None:
        raise RankingError(
            "K317",
            _("The combined score cannot be ranked: {awaited}.", awaited=awaited),
            where=str(survey.folder),
            hint=_("Complete the scores of the components, or lower `list_size`."),
        )


@dataclass(frozen=True, slots=True, eq=False)
class SharedRanking:
    """One ranking of the last wave, with the same one of every wave before it.

    Attributes
    ----------
    waves : tuple of Results
        In order of time, each ranked by this score.
    comparable : tuple of str
        Why they may be compared.
    notes : tuple of Text
        What differs between them, and what the errors of the score leave out.
    aligned : tuple of Alignment
        Of every wave; the rankings of `waves` have the codes of the last one, their estimates their own.
    """

    waves: tuple[Results, ...] = field(repr=False)
    comparable: tuple[str, ...]
    notes: tuple[Text, ...]
    aligned: tuple[Alignment, ...]

    def estimates(self, made: Callable[[Results], Estimates]) -> list[Estimates]:
        """Return what is made of every wave, of the areas that all of them have, under the codes of the last one."""
        of_waves = zip(self.waves, self.aligned, strict=True)
        found = [alignment.of(made(wave)) for wave, alignment in of_waves]
        return with_shared_psus(found, self.waves[-1].survey)


def shared_ranking(waves: Sequence[Results], score: str, name: str = "") -> SharedRanking:
    """Put the waves side by side as ranked by one score.

    Raises
    ------
    RankingError
        K140, K142 as `comparable_words`, K317 as `ranked_by`.
    """
    surveys = [one.survey for one in waves]
    comparable = comparable_words(surveys, score)
    last = surveys[-1]
    ranked = tuple(ranked_by(one, score, name) for one in waves)
    notes: list[Text] = []
    for earlier in surveys[:-1]:
        notes += difference_lines(last, earlier, score)
    aligned = alignments(ranked)
    for one, alignment in zip(ranked, aligned, strict=True):
        notes += _alignment_lines(one, last, alignment)
    pairs = zip(ranked, aligned, strict=True)
    ranked = tuple(alignment.of_ranking(one) for one, alignment in pairs)
    for one in ranked:
        if one.combined is not None and score in one.survey.composed:
            notes += one.combined.notes(score)
            notes += _barred_lines(one, score)
    drawn = any(one.ranking.units.drawn is not None for one in ranked)
    if score in last.composed and ranked[-1].ranking.summary.proven and not drawn:
        notes += relation_lines(ranked, score)
    return SharedRanking(ranked, tuple(comparable), tuple(dict.fromkeys(notes)), aligned)


def with_shared_psus(waves: Sequence[Estimates], last: Survey) -> list[Estimates]:
    """Return the estimates of waves in which PSUs of recoded and merged areas are recognised; see `psus_of_today`."""
    codes = codes_of_today(last.areas, merged=True)
    *earlier, newest = waves
    known = newest.contributions.units
    found = [newest]
    for wave in reversed(earlier):
        units = psus_of_today(wave.contributions.units, known, codes)
        found.insert(0, replace(wave, contributions=replace(wave.contributions, units=units)))
        known = pd.concat([known, units]).drop_duplicates()
    return found


def psus_of_today(
    units: pd.DataFrame, later: pd.DataFrame, codes: Mapping[str, str]
) -> pd.DataFrame:
    """Return an earlier wave's PSUs, of recoded and merged areas under the names that they have in a later one.

    A PSU stays what it is where its area has another code: the one of the same code in the area of today, or of a code that
    began with the area's and begins with today's. PSUs of merged areas that would become the same one stay apart.

    Parameters
    ----------
    units, later : DataFrame
        Strata and, last, PSU, of both waves.
    codes : mapping of str to str
        The code of the area of today by the former one.
    """
    if not codes or list(units) != list(later):
        return units
    psu = units.columns[-1]
    own = units.astype(str)
    recoded = own.replace(codes)
    begun = recoded.assign(**{psu: [_begun_anew(code, codes) for code in own[psu]]})
    place = {row: number for number, row in enumerate(_rows(later))}
    found = pd.Series(-1, index=range(len(units)))
    for names in (begun, recoded, own):
        known = pd.Series([place.get(row, -1) for row in _rows(names)])
        found = found.mask(known >= 0, known)
    found = found.mask(found.duplicated(keep=False), -1)
    rows = np.where(found >= 0, len(units) + found, np.arange(len(units)))
    return pd.concat([units, later]).iloc[rows].reset_index(drop=True)


def _rows(table: pd.DataFrame) -> list[tuple[str, ...]]:
    return list(table.astype(str).itertuples(index=False, name=None))


def _begun_anew(psu: str, codes: Mapping[str, str]) -> str:
    """Exchange a former area's code that a PSU's begins with."""
    for former, today in codes.items():
        if psu.startswith(former):
            return today + psu.removeprefix(former)
    return psu


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the areas of a wave stand beside those of the last one.

    Attributes
    ----------
    codes : mapping of str to str
        The code that an area has in the last wave by the one it has here, where nothing but its code differs.
    only_here : tuple of str
        Areas, by their code here, that another wave does not have: they are not compared.
    """

    codes: Mapping[str, str]
    only_here: tuple[str, ...]

    def of(self, estimates: Estimates) -> Estimates:
        """Return the estimates of the areas that all waves have, under the codes of the last one."""
        own = estimates.table[estimates.by[0]].astype(str)
        kept = np.flatnonzero(~own.isin(self.only_here))
        if len(kept) < len(own):
            estimates = estimates.of_rows(kept)
        if not self.codes:
            return estimates
        renamed = estimates.table[estimates.by[0]].astype(str).replace(self.codes)
        return replace(estimates, table=estimates.table.assign(**{estimates.by[0]: renamed}))

    def of_ranking(self, wave: Results) -> Results:
        """Return a wave whose ranking has the codes of the last one; its estimates keep their own."""
        if not self.codes:
            return wave
        ranking = wave.ranking
        names = tuple(self.codes.get(name, name) for name in ranking.units.names)
        ranking = replace(
            ranking,
            table=ranking.table.assign(unit=list(names)),
            units=replace(ranking.units, names=names),
        )
        first, *others = wave.all_rankings
        return replace(wave, all_rankings=(replace(first, ranking=ranking), *others))


def alignments(waves: Sequence[Results]) -> tuple[Alignment, ...]:
    """Find which areas of the waves are the same: those of one code, and those that only have another code today."""
    last = waves[-1].survey
    today = codes_of_today(last.areas)
    codes = []
    names = []
    for wave in waves:
        own = wave.ranking.units.names
        recoded = {name: today[name] for name in own if name in today and today[name] not in own}
        codes.append(recoded)
        names.append([recoded.get(name, name) for name in own])
    in_all = set(names[0]).intersection(*names[1:])
    if len(in_all) < FEWEST:  # nothing to compare: refused where the waves are put together
        in_all = set().union(*names)
    found = []
    for wave, recoded, as_today in zip(waves, codes, names, strict=True):
        pairs = zip(wave.ranking.units.names, as_today, strict=True)
        only_here = tuple(name for name, later in pairs if later not in in_all)
        found.append(Alignment(recoded, only_here))
    return tuple(found)


FEWEST = 2
"""Areas that two waves must share."""


def _alignment_lines(wave: Results, last: Survey, alignment: Alignment) -> list[Text]:
    """Say which areas of a wave have another code today, and which are not compared because not every wave has them."""
    name = wave.survey.declared.wave
    lines = []
    if alignment.codes:
        codes = [f"{code} → {today}" for code, today in alignment.codes.items()]
        lines.append(
            _(
                "{wave}: areas under former codes count as those of today: {codes}",
                wave=name,
                codes=shortened(codes),
            )
        )
    if alignment.only_here:
        lines.append(
            _(
                "{wave}: not compared, as another wave does not have them: {areas}",
                wave=name,
                areas=named_with_successors(last, alignment.only_here, wave.survey.area_names()),
            )
        )
    return lines


INDEPENDENT = _(
    "Errors of components that are no measure of the survey count as independent from wave to wave."
)


SAME_SITES = _(
    "Points of inspection: where waves visited the same site, the errors of the area's sites count as "
    "going together fully."
)


def relation_lines(waves: Sequence[Results], score: str) -> list[Text]:
    """Say what the errors of a composed score keep from wave to wave, beside those of the survey."""
    survey = waves[-1].survey
    assert survey.combined is not None
    lines = []
    for name, component in survey.combined.declared.components.items():
        if component.lasting is not None and score in (COMBINED, name):
            lines.append(
                _(
                    "{component}: {share:.0%} of the variance of the error stay from wave to wave "
                    "({source}); what no share is declared of is independent",
                    component=survey.combined.labels[name],
                    share=component.lasting.share,
                    source=component.lasting.source,
                )
            )
    lines = lines or [INDEPENDENT]
    for wave in waves:
        if wave.combined is not None and wave.combined.inputs.sites:
            lines.append(SAME_SITES)
            break
    return lines


def _barred_lines(results: Results, score: str) -> list[Text]:
    """Name the areas that a wave does not rank by a composed score, and why."""
    names = results.survey.area_names()
    barred = results.ranked.conventions["barred"]
    lines = []
    for why in dict.fromkeys(barred.values()):
        areas = comma_list([names[code] for code, reason in barred.items() if reason == why])
        lines.append(
            _("{wave}: {areas}: {why}", wave=results.survey.declared.wave, areas=areas, why=why)
        )
    return lines


@dataclass(frozen=True, slots=True)
class ComparedRankings(Generic[Compared]):
    """The rankings of several waves, compared.

    Attributes
    ----------
    first : Compared
        The wave's own; where that one cannot be compared, the first of the others that can.
    further : mapping
        The others, by name.
    left_out : mapping of str to Text
        Rankings beside the waves' own that cannot be compared, by name, and why.
    notes : tuple of Text
        Why another ranking stands in the place of the waves' own, where one does.
    """

    first: Compared
    further: Mapping[str, Compared]
    left_out: Mapping[str, Text]
    notes: tuple[Text, ...] = ()


def all_compared(
    waves: Sequence[Results], compared: Callable[[SharedRanking], Compared]
) -> ComparedRankings[Compared]:
    """Compare the waves' own ranking and those beside it that all of them declare.

    Raises
    ------
    RankingError
        What is wrong with the waves' own ranking, where no other one can be compared in its place.
    """
    last = waves[-1]
    further, left_out = _further_compared(waves, compared)
    own = last.survey.ranked
    try:
        first = compared(shared_ranking(waves, own))
    except RankingError as fault:
        if not further:
            raise
        name, *others = further
        rest = {other: further[other] for other in others}
        label = score_labels(last.survey)[own][1]
        not_compared = _(
            "The wave's own ranking, {score}, is not compared: {why}", score=label, why=fault.text
        )
        return ComparedRankings(further[name], rest, left_out, (not_compared,))
    return ComparedRankings(first, further, left_out)


def refuse_incomparable(surveys: Sequence[Survey], measure: str | None) -> None:
    """Refuse waves of which no ranking may be compared, or not the `measure` that is asked for.

    Raises
    ------
    RankingError
        K140, K142 as `comparable_words`, of the waves' own ranking.
    """
    last = surveys[-1]
    scores = [measure]
    if measure is None:
        scores = [last.ranked, *(one.score for one in last.further)]
    faults = []
    for score in scores:
        try:
            comparable_words(surveys, str(score))
        except RankingError as fault:
            faults.append(fault)
        else:
            return
    raise faults[0]


def _further_compared(
    waves: Sequence[Results], compared: Callable[[SharedRanking], Compared]
) -> tuple[dict[str, Compared], dict[str, Text]]:
    """Compare the rankings beside the waves' own that all of them declare, by name; and say why others cannot be compared."""
    found = {}
    left_out = {}
    last = waves[-1]
    for name, one in last.further.items():
        score = one.survey.ranked
        lacking = [wave for wave in waves[:-1] if not _is_ranked(wave, score)]
        if lacking:
            left_out[name] = _not_ranked(lacking[0], name)
            continue
        try:
            found[name] = compared(shared_ranking(waves, score, name))
        except RankingError as fault:
            left_out[name] = fault.text
    for wave in waves[:-1]:
        for name, one in wave.further.items():
            if name not in found and not _is_ranked(last, one.survey.ranked):
                left_out.setdefault(name, _not_ranked(last, name))
    return found, left_out


def _is_ranked(results: Results, score: str) -> bool:
    scores = [one.survey.ranked for one in rankings_of(results).values()]
    return score in scores


def _not_ranked(results: Results, name: str) -> Text:
    """Say that a wave has no such ranking, or what it waits for there."""
    wave = results.survey.declared.wave
    if name in results.awaited:
        return _("{wave}: {why}", wave=wave, why=results.awaited[name])
    return _("not ranked in {wave}", wave=wave)


def estimates_of(
    results: Results, measure: str, *, level: str, codes: Mapping[str, str] | None = None
) -> Estimates:
    """Return the estimates of one score at one level of areas; only declared PSUs can be recognised in another wave.

    Without PSUs the respondents take their place. Their numbers start anew in every wave, so that equal numbers are not the
    same person. The lasting errors of the components of a combined score are recognised too, by component and area
    (`codes`: of today by former code).
    """
    found = results.estimates[level].of(measure)
    contributions = found.contributions
    if not results.survey.questionnaire.roles.psu:
        last = contributions.units.columns[-1]
        units = contributions.units.copy()
        units[last] = units[last].astype(str) + f"@{results.survey.name}"
        contributions = replace(contributions, units=units)
    if results.combined is not None and measure in results.survey.composed:
        contributions = _with_lasting(contributions, results.combined, measure, level, codes or {})
    return replace(found, contributions=contributions)


def redrawn(shared: SharedRanking, score: str) -> list[Estimates]:
    """Return a composed score of every wave, drawn together with those of the others; the areas as `SharedRanking.estimates`."""
    drawn = zip(shared.waves, drawn_waves(scored_waves(shared)), strict=True)
    estimates = []
    for (wave, scores), alignment in zip(drawn, shared.aligned, strict=True):
        beside = scores.beside(wave.survey, wave.estimates)
        estimates.append(alignment.of(beside[wave.area].of(score)))
    return estimates


def scored_waves(shared: SharedRanking) -> list[ScoredWave]:
    """Return the components of the ranked areas of every wave, with the sampling units that waves share."""
    surveyed = []
    for wave in shared.waves:
        own = wave.survey.questionnaire.ranked
        surveyed.append(estimates_of(wave, own, level=wave.area))
    surveyed = with_shared_psus(surveyed, shared.waves[-1].survey)
    places = common_units([one.contributions for one in surveyed]).places
    scored = []
    for wave, place, alignment in zip(shared.waves, places, shared.aligned, strict=True):
        assert wave.combined is not None
        inputs = wave.combined.inputs
        levels = {wave.area: wave.combined.ranked.parts}
        measures = deciding_measures(wave.survey, inputs, wave.estimates)
        scored.append(ScoredWave(wave.survey, inputs, levels, measures, place, alignment.codes))
    return scored


def _with_lasting(
    contributions: Contributions,
    combined: CombinedScores,
    score: str,
    level: str,
    codes: Mapping[str, str],
) -> Contributions:
    """Add, as units with names of their own, what the components' errors keep from wave to wave.

    What stands here relates waves; a wave's own covariance is not made of it (`combine_waves`).
    """
    scores = combined.levels[level]
    declared = combined.inputs.declared
    slope = np.ones((len(scores.codes), len(scores.parts)))
    if score == COMBINED:
        weights = np.array([part.declared.weight for part in scores.parts])
        slope = slopes(scores.scaled, weights, declared.aggregation)
    columns = contributions.units.columns
    units = [contributions.units.astype(object)]
    rows = []
    for k, part in enumerate(scores.parts):
        if (
            part.declared.lasting is None
            or part.errors is None
            or score not in (COMBINED, part.name)
        ):
            continue
        carried = np.nan_to_num(slope[:, k] * scale_slope(part) * part.se)
        rows.append(sp.diags_array(np.sqrt(part.declared.lasting.share) * carried))
        named = pd.DataFrame(dict.fromkeys(columns, f"component {part.name}"), index=scores.codes)
        areas = [codes.get(code, code) for code in scores.codes]
        units.append(named.assign(**{columns[-1]: areas}))
    number = len(contributions.units)
    added = len(rows) * len(scores.codes)
    matrix = sp.csr_array(contributions.matrix)
    members = contributions.members
    nobody = sp.csr_array((added, members.inside.shape[1]))
    stratum = np.concatenate([members.stratum, np.full(added, members.stratum.max() + 1)])
    return replace(
        contributions,
        units=pd.concat(units, ignore_index=True),
        matrix=sp.vstack([matrix[:number], *rows, matrix[number:]], format="csr"),
        members=Members(sp.vstack([members.inside, nobody], format="csr"), stratum),
    )


def joint_mark(surveys: Sequence[Survey]) -> str:
    """Return what every row must say about the samples of several waves."""
    return "; ".join(dict.fromkeys(filter(None, map(mark, surveys))))
