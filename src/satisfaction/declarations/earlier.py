"""Ranks and lists of the waves before, read from the file sets that were published for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from satisfaction.declarations.facts import read_fact_table, read_history
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.wave import EarlierWave, SurveyFile
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.file_sets import (
    HANDED_OVER,
    handed_over,
    read_manifest,
    refuse_changed_set,
    sets_of,
)
from satisfaction.foundation.files import read_json, unrecorded
from satisfaction.foundation.language import Text, _, ngettext, semicolon_list

if TYPE_CHECKING:
    from satisfaction.declarations.survey import Survey

RANKING = "ranking.csv"


@dataclass(frozen=True, slots=True)
class EarlierSet:
    """What an earlier wave published.

    Attributes
    ----------
    declared : EarlierWave
    folder : Path
        The file set.
    survey, wave, questionnaire, measure : str
        Name, wave, instrument, and the measure that was ranked.
    revision : int
    handed_over : str
        Day on which the set was marked as handed over; empty where it was named otherwise.
    ranking : DataFrame
        As `read_history` returns it.
    sources : tuple of Path
        The files that this wave rests on.
    survey_folder : Path or None
        Where the wave's own survey.yaml lies; None where only its file set is there.
    """

    declared: EarlierWave
    folder: Path
    survey: str
    wave: str
    questionnaire: str
    measure: str
    revision: int
    handed_over: str
    ranking: pd.DataFrame = field(repr=False)
    sources: tuple[Path, ...] = field(repr=False)
    survey_folder: Path | None = field(default=None, repr=False)

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


def read_earlier(folder: Path, declared: SurveyFile, *, where: str) -> tuple[EarlierSet, ...]:
    """Read the ranks that earlier waves published, oldest wave first.

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
    return tuple(sets)


def _read_set(
    folder: Path, earlier: EarlierWave, declared: SurveyFile, *, where: str
) -> EarlierSet:
    place = folder / earlier.survey
    published, date = _published_set(place, earlier, where=where)
    with unrecorded():
        refuse_changed_set(published)
    made = read_manifest(published)
    problem = None
    if made.get("trial"):
        problem = _("The file set {name} is a trial, not an official result.", name=published.name)
    elif made.get("simulated_seed") is not None and declared.simulated is None:
        problem = _(
            "The file set {name} holds simulated data, this wave real ones.", name=published.name
        )
    if problem is not None:
        raise SurveyError(
            "S371", problem, where=where, got=earlier.survey, hint=_("Name another file set.")
        )
    path = published / RANKING
    ranking = read_history(path, wave=declared.wave)
    measure = read_fact_table(path, ("measure",))["measure"].iloc[0]
    sources = [path, published / "manifest.json"]
    if date:
        sources.append(published.parent / HANDED_OVER)
    return EarlierSet(
        declared=earlier,
        folder=published,
        survey=made["survey"],
        wave=made["wave"],
        questionnaire=made["questionnaire"],
        measure=str(measure),
        revision=int(made["revision"]),
        handed_over=date,
        ranking=ranking,
        sources=tuple(sources),
        survey_folder=_survey_folder(place, published),
    )


def _survey_folder(place: Path, published: Path) -> Path | None:
    """Return the folder of the survey that a file set was made from, where it is there."""
    with unrecorded():
        way = str(read_json(published / "run.json").get("survey_folder", ""))
    for folder in (place, published.resolve() / way):
        if (folder / "survey.yaml").is_file():
            return folder
    return None


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
        available.append(f"{folder.name}: revision {read_manifest(folder)['revision']}")
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


def differences_from(survey: Survey, earlier: EarlierSet) -> Text | None:
    """Say in what an earlier wave differs from this one: questionnaire, ranked measure, areas; None where in nothing."""
    questionnaire = survey.questionnaire
    differences = []
    if earlier.questionnaire not in comparable_questionnaires(questionnaire):
        differences.append(
            _(
                "questionnaire {before}, now {now}, not declared comparable",
                before=earlier.questionnaire,
                now=questionnaire.reference,
            )
        )
    if earlier.measure != questionnaire.ranked:
        differences.append(
            _("ranked by {before}, now by {now}", before=earlier.measure, now=questionnaire.ranked)
        )
    before = set(earlier.ranking["code"])
    now = set(survey.ranked_areas())
    gone = len(before - now)
    new = len(now - before)
    if gone or new:
        differences.append(
            ngettext(
                "another set of areas ({gone} area gone, {new} new)",
                "another set of areas ({gone} areas gone, {new} new)",
                gone,
                gone=gone,
                new=new,
            )
        )
    return semicolon_list(differences) if differences else None


def earlier_notes(survey: Survey) -> list[Text]:
    """Say of every earlier wave which file set was read, and in what it differs from this wave."""
    notes = []
    for one in survey.earlier:
        notes.append(_("earlier wave {words}", words=one.words))
        different = differences_from(survey, one)
        if different is None:
            continue
        note = _("{wave} differs: {different}", wave=one.wave, different=different)
        if one.declared.accepted:
            note = _("{note}; accepted by: {source}", note=note, source=one.declared.accepted)
        notes.append(note)
    return notes
