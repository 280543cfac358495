"""Ranks and lists of the waves before, read from the file sets that were published for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from satisfaction.declarations.combined import COMBINED
from satisfaction.declarations.facts import (
    check_order,
    names_of_areas,
    read_facts,
    read_history,
    read_larger,
    under_codes_of_today,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.wave import EarlierWave, SurveyFile
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.file_sets import (
    handed_over,
    read_manifest,
    refuse_changed_set,
    sets_of,
)
from satisfaction.foundation.files import read_json, unrecorded
from satisfaction.foundation.language import Text, _, comma_list, ngettext, semicolon_list

if TYPE_CHECKING:
    from satisfaction.declarations.survey import Survey

RANKING = "ranking.csv"
WITHIN = "ranking_within.csv"


@dataclass(frozen=True, slots=True, repr=False)
class EarlierSet(Brief):
    """What an earlier wave published, for one of this wave's rankings.

    Attributes
    ----------
    declared : EarlierWave
    folder : Path
        The file set.
    survey, wave, questionnaire : str
        Name, wave and instrument.
    revision : int
    handed_over : str
        Day on which the set was marked as handed over; empty where it was named otherwise.
    manifest : mapping
        As the set holds it.
    survey_folder : Path or None
        Where the wave's own survey.yaml lies; None where only its file set is there.
    measure : str
        The score that was ranked.
    ranking : DataFrame or None
        As `read_history` returns it; None where the set holds no ranking of this name.
    larger : DataFrame or None
        The same of larger areas (prefectures in the province), which have no list.
    recoded : mapping of str to str
        Codes of today by the codes that the set has; `ranking` and `larger` have those of today.
    places : int
        Length of the list that the set declares; 0 where it has no ranking of this name.
    """

    declared: EarlierWave
    folder: Path
    survey: str
    wave: str
    questionnaire: str
    revision: int
    handed_over: str
    manifest: Mapping[str, Any]
    survey_folder: Path | None = None
    measure: str = ""
    ranking: pd.DataFrame | None = None
    larger: pd.DataFrame | None = None
    recoded: Mapping[str, str] = field(default_factory=dict)
    places: int = 0

    @property
    def words(self) -> Text:
        """Say which set it is."""
        which = _("named in survey.yaml")
        if self.handed_over:
            which = _("handed over, marked on {date}", date=self.handed_over)
        return _(
            "{wave}: {survey}, file set {name}, revision {revision}, {which}",
            wave=self.wave,
            survey=self.survey,
            name=self.folder.name,
            revision=self.revision,
            which=which,
        )

    @property
    def prefixes(self) -> dict[str, str]:
        """Return by the name of every ranking that the set holds what its files begin with."""
        further = self.manifest.get("rankings", {})
        prefixes = {name: f"{name}_" for name in further}
        main = self.manifest.get("ranking_name")
        if main is None:
            main = _measure_of(self.folder / RANKING)
        return prefixes | {str(main): ""}

    def ranked_as(self, name: str, codes: Mapping[str, str]) -> EarlierSet:
        """Return the same set with its ranking of a name, where it holds one, under the codes of today (by former code).

        Raises
        ------
        SurveyError
            As `read_history`.
        """
        prefix = self.prefixes.get(name)
        if prefix is None:
            return replace(self, measure="", ranking=None, larger=None, places=0)
        path = self.folder / f"{prefix}{RANKING}"
        ranking = read_history(path, wave="")
        record = self.manifest
        if prefix:
            record = self.manifest["rankings"][name]
        summary = record["ranking"]
        if summary.get("taken_as_exact") and "on_list" not in summary:
            ranking[["p_in", "p_out"]] = float("nan")  # nothing was established by it
        larger = None
        within = self.folder / f"{prefix}{WITHIN}"
        if within.is_file():
            larger = read_larger(within, without=set(ranking["code"]))
        recoded: dict[str, str] = {}
        for before in (ranking, larger):
            if before is not None:
                after = under_codes_of_today(before, codes)
                pairs = zip(before["code"], after["code"], strict=True)
                recoded |= {code: later for code, later in pairs if code != later}
        if larger is not None:
            larger = under_codes_of_today(larger, codes)
        return replace(
            self,
            measure=_measure_of(path),
            ranking=under_codes_of_today(ranking, codes),
            larger=larger,
            recoded=recoded,
            places=summary.get("bottom", 0),
        )


def _measure_of(ranking: Path) -> str:
    return str(read_facts(ranking, ("measure",))["measure"].iloc[0])


def read_earlier(folder: Path, declared: SurveyFile, *, where: str) -> tuple[EarlierSet, ...]:
    """Find the file sets that earlier waves published, oldest wave first; `EarlierSet.ranked_as` reads their ranks.

    Parameters
    ----------
    folder : Path
        Of this survey.
    declared : SurveyFile
    where : str
        Place of `earlier` in survey.yaml.

    Raises
    ------
    SurveyError
        S370 no file set that was handed over, or none of the revision named; S371 a set of a trial, or of simulated data
        where this wave's are real; S177 waves that are not in their order.
    InputFileError
        F121, F122, F124 for a file set that is incomplete, of another format or changed.
    """
    sets = []
    for wave in declared.earlier:
        sets.append(_read_set(folder, wave, declared, where=where))
    check_order(where, [published.wave for published in sets], declared.wave)
    return tuple(sets)


def history_of(
    sets: Sequence[EarlierSet], table: pd.DataFrame | None, *, where: str, wave: str
) -> pd.DataFrame | None:
    """Return the earlier ranks of one ranking, oldest wave first; None where there are none.

    Parameters
    ----------
    sets : sequence of EarlierSet
        With the ranking.
    table : DataFrame or None
        That of `history`: of waves before the sets, or in the place of sets that do not hold the ranking.
    where, wave : str
        Place of `earlier` in survey.yaml; this wave.

    Raises
    ------
    SurveyError
        S177 for waves that are not in their order.
    """
    of_table = {}
    if table is not None:
        of_table = dict(list(table.groupby("wave", sort=False)))
    lacking = [published.wave for published in sets if published.ranking is None]
    parts = [ranks for name, ranks in of_table.items() if name not in lacking]
    for published in sets:
        if published.ranking is not None:
            parts.append(published.ranking)
        elif published.wave in of_table:
            parts.append(of_table[published.wave])
    if not parts:
        return None
    history = pd.concat(parts, ignore_index=True)
    waves = [str(part["wave"].iloc[0]) for part in parts]
    check_order(where, waves, wave)
    return history


def _read_set(
    folder: Path, earlier: EarlierWave, declared: SurveyFile, *, where: str
) -> EarlierSet:
    place = folder / earlier.survey
    published, date = _published_set(place, earlier, where=where)
    with unrecorded():
        refuse_changed_set(published)
        way = str(read_json(published / "run.json").get("survey_folder", ""))
    made_from = (place, published.resolve() / way)
    surveys = [folder for folder in made_from if (folder / "survey.yaml").is_file()]
    manifest = read_manifest(published)
    problem = None
    if manifest.get("trial"):
        problem = _("The file set {name} is a trial, not an official result.", name=published.name)
    elif manifest.get("simulated_seed") is not None and declared.simulated is None:
        problem = _(
            "The file set {name} holds simulated data, this wave real ones.", name=published.name
        )
    if problem is not None:
        raise SurveyError(
            "S371", problem, where=where, got=earlier.survey, hint=_("Name another file set.")
        )
    return EarlierSet(
        declared=earlier,
        folder=published,
        survey=manifest["survey"],
        wave=manifest["wave"],
        questionnaire=manifest["questionnaire"],
        revision=int(manifest["revision"]),
        handed_over=date,
        manifest=manifest,
        survey_folder=next(iter(surveys), None),
    )


def _published_set(place: Path, earlier: EarlierWave, *, where: str) -> tuple[Path, str]:
    """Return the file set that counts, and the day it was marked as handed over."""
    if (place / "manifest.json").is_file():
        return place, ""
    if not place.is_dir():
        raise SurveyError(
            "S370",
            _("There is no folder {folder}.", folder=earlier.survey),
            where=where,
            got=earlier.survey,
            hint=_("Check the path, or put the file there."),
        )
    shelf = place / "out"
    available = []
    for folder in sets_of(shelf):
        revision = read_manifest(folder)["revision"]
        available.append(_("{name}: revision {revision}", name=folder.name, revision=revision))
    if earlier.revision is not None:
        of_revision = sets_of(shelf, earlier.revision)
        if of_revision:
            return of_revision[-1], ""
        problem = _(
            "{survey} has no file set of revision {revision}.",
            survey=earlier.survey,
            revision=earlier.revision,
        )
    else:
        marked = handed_over(shelf)
        if marked is not None:
            return marked.folder, marked.date
        problem = _("No file set of {survey} is marked as handed over.", survey=earlier.survey)
    command = f"satisfaction verify {earlier.survey}/out/... --handed-over"
    raise SurveyError(
        "S370",
        problem,
        where=where,
        available=available,
        got=earlier.survey,
        hint=_(
            "Mark the one that was handed over: {command}; or name its `revision`.", command=command
        ),
    )


def comparable_questionnaires(questionnaire: Questionnaire, measure: str = "") -> list[str]:
    """Return the instruments whose measure (default: the ranked one) may be set beside this one's: itself, and those declared comparable."""
    ranked_items = questionnaire.rests_on(measure or questionnaire.ranked)
    comparable = [questionnaire.reference]
    for other in questionnaire.comparable_with:
        if other.bridge_items is None or ranked_items <= set(other.bridge_items):
            comparable.append(other.version)
    return comparable


def comparable_instruments(survey: Survey) -> list[str]:
    """Return the instruments whose answers may be set beside this wave's, for all that its ranked score takes from the survey."""
    comparable = [survey.questionnaire.reference]
    for other in survey.questionnaire.comparable_with:
        comparable.append(other.version)
    for measure in _measures_of(survey):
        of_measure = comparable_questionnaires(survey.questionnaire, measure)
        comparable = [version for version in comparable if version in of_measure]
    return comparable


def _measures_of(survey: Survey) -> list[str]:
    """Return the questionnaire's measures that the ranked score rests on; none of a component from a file."""
    if survey.ranked not in survey.composed:
        return [survey.ranked]
    assert survey.combined is not None
    components = survey.combined.declared.components
    if survey.ranked != COMBINED:
        components = {survey.ranked: components[survey.ranked]}
    return [component.measure for component in components.values() if component.measure]


MOST_NAMED = 6


def differences_from(survey: Survey, earlier: EarlierSet) -> Text | None:
    """Say in what an earlier wave differs from this one: questionnaire, ranked score, areas; None where in nothing."""
    differences = []
    if _measures_of(survey) and earlier.questionnaire not in comparable_instruments(survey):
        differences.append(
            _(
                "questionnaire {before}, now {now}, not declared comparable",
                before=earlier.questionnaire,
                now=survey.questionnaire.reference,
            )
        )
    if earlier.measure != survey.ranked:
        differences.append(
            _("ranked by {before}, now by {now}", before=earlier.measure, now=survey.ranked)
        )
    elif survey.ranked == COMBINED:
        assert survey.combined is not None
        now_declared = survey.combined.declared.model_dump(mode="json", exclude_none=True)
        if _parts(now_declared) != _parts(earlier.manifest.get("combined", {})):
            differences.append(_("combined score of other components, weights or scales"))
    assert earlier.ranking is not None
    before = set(earlier.ranking["code"])
    now = set(survey.ranked_areas())
    if earlier.larger is not None:
        before |= set(earlier.larger["code"])
        for level in survey.area_levels()[1:]:
            now |= set(map(str, survey.domain_values(level)))
    gone = sorted(before - now)
    new = sorted(now - before)
    if gone or new:
        words = ngettext(
            "another set of areas ({gone} area gone, {new} new)",
            "another set of areas ({gone} areas gone, {new} new)",
            len(gone),
            gone=len(gone),
            new=len(new),
        )
        differences.append(
            _("{words}: {areas}", words=words, areas=named_with_successors(survey, gone + new))
        )
    return semicolon_list(differences) if differences else None


def named_with_successors(
    survey: Survey, codes: Sequence[str], known: Mapping[str, Text] | None = None
) -> Text:
    """Name areas behind their codes, with the successor of those that have one; the first ones of many.

    `known`: names of areas that the survey's table does not hold.
    """
    names = dict(known or {})
    successors: Mapping[str, str] = {}
    if survey.areas is not None:
        names |= names_of_areas(survey.areas)
        if "successor" in survey.areas:
            successors = dict(zip(survey.areas["code"], survey.areas["successor"], strict=True))
    areas = []
    for code in codes[:MOST_NAMED]:
        area = Text(code)
        if code in names:
            area = _("{code} {name}", code=code, name=names[code])
        if successors.get(code):
            area = _("{area}, now {successor}", area=area, successor=successors[code])
        areas.append(area)
    if len(codes) > MOST_NAMED:
        areas.append(Text(f"... (+{len(codes) - MOST_NAMED})"))
    return comma_list(areas)


def _parts(combined: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides a combined score beside the data: of every component weight, scale and measure."""
    parts: dict[str, Any] = {"aggregation": combined.get("aggregation")}
    decisive = ("weight", "normalise", "goalposts", "measure")
    for name, component in combined.get("components", {}).items():
        parts[name] = list(map(component.get, decisive))
    return parts


def lacking_sets(survey: Survey) -> list[EarlierSet]:
    """Return the earlier waves that hold no ranking of this name, and whose ranks no table gives."""
    waves = survey.earlier_waves()
    without_ranking = [published for published in survey.earlier if published.ranking is None]
    return [published for published in without_ranking if published.wave not in waves]


def earlier_notes(survey: Survey) -> list[Text]:
    """Say of every earlier wave which file set was read, in what it differs from this wave, and what it does not hold.

    Of the wave's other rankings only what is not the same for all of them.
    """
    notes = [_("earlier wave {words}", words=published.words) for published in survey.earlier]
    notes += _particular_notes(survey)
    questionnaire = survey.questionnaire
    titles = {**questionnaire.rates, **questionnaire.indices, **survey.composed}
    for other in survey.further:
        title = titles.get(other.score, other.name)
        for note in _particular_notes(survey.ranked_by(other)):
            if note not in notes:
                notes.append(_("ranking {name}: {waits}", name=title, waits=note))
    return notes


def _particular_notes(survey: Survey) -> list[Text]:
    """Say of the earlier waves of one ranking in what they differ from this wave, and which of them do not hold it."""
    notes = []
    lacking = lacking_sets(survey)
    for published in survey.earlier:
        wave = published.wave
        if published in lacking:
            notes.append(_("{wave}: its file set holds no ranking of this name", wave=wave))
        if published.ranking is None:
            continue
        if published.recoded:
            codes = [f"{code} → {later}" for code, later in sorted(published.recoded.items())]
            note = _(
                "{wave}: ranks of former codes count for those of today: {codes}",
                wave=wave,
                codes=shortened(codes),
            )
            notes.append(note)
        places = survey.rules.ranking.list_size
        if published.places not in (0, places):
            note = _(
                "{wave}: length of the list {before}, now {now}",
                wave=wave,
                before=published.places,
                now=places,
            )
            notes.append(note)
        different = differences_from(survey, published)
        if different is None:
            continue
        note = _("{wave} differs: {different}", wave=wave, different=different)
        if source := published.declared.accepted:
            note = _("{note}; accepted by: {source}", note=note, source=source)
        notes.append(note)
    return notes
