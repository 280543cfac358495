"""A rehearsal: answers to a wave's own questionnaire, simulated for its own design, before anybody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from satisfaction.declarations.facts import (
    current_areas,
    nonrespondent_columns,
    read_answers,
    read_areas,
    read_counts,
    read_frame,
)
from satisfaction.declarations.items import (
    SingleItem,
)
from satisfaction.declarations.questionnaire import read_questionnaire
from satisfaction.declarations.survey import read_declared
from satisfaction.declarations.wave import Fielded, SurveyFile
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import add_area_indices
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.files import files_below, new_file
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import write_csv
from satisfaction.foundation.yaml import Document
from satisfaction.planning.allocation import whole_sizes
from satisfaction.planning.draw import draw_sample
from satisfaction.planning.planning_files import sample_table
from satisfaction.planning.rehearsed_answers import (
    PLACES_SEED,
    Interviewing,
    answers,
    as_delivered,
    consistent_answers,
    generator,
    leanings,
)
from satisfaction.publication.labels import twelve_digits
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.design import SurveyDesign

RESPONSES = "rehearsal.csv"
COUNTY_SAMPLE = 25  # communities of an area, where no sample is drawn yet
FEWEST = 2  # of them in a stratum
PER_COMMUNITY = 10  # interviews
WITHOUT_COMMUNITIES = 200  # interviews of an area, where no sample and no quota says how many
USUAL_SIZE = 1500  # residents of a community
SIZE_SD = 0.35  # of the logarithm of community sizes

HARD_TO_FIND = 0.4  # at most that much less readily does a group take part
NOT_INTERVIEWED = 0.6  # of the persons interviewed, where a table of nonrespondents is declared
FAULTS = 5  # rows of each kind, for `check` to find
TRUTH_COMMUNITIES = 200  # of an area, evenly spread; with as many persons each as follow
TRUTH_PERSONS = 50


@dataclass(frozen=True, slots=True, repr=False)
class Rehearsed(Interviewing):
    """What a rehearsal starts from: declarations and tables of facts.

    Attributes
    ----------
    areas : list of str
        Codes of the ranked level.
    shares : list of DataFrame
        Population by items, from the frame and the margins: the columns of the items, and `population`.
    """

    folder: Path
    declared: SurveyFile
    areas: list[str]
    frame: pd.DataFrame | None
    shares: list[pd.DataFrame]
    seed: int


def simulate_survey(folder: Path, *, seed: int | None = None) -> None:
    """Write responses/rehearsal.csv and truth.csv of a wave; its sample and its nonrespondents where they are declared.

    A sample that is there is visited and stays as it is; one that is declared but not there is drawn from simulated
    communities. A few rows carry the faults that files from the field have.

    Parameters
    ----------
    folder : Path
        Holds survey.yaml with a `simulated` mark, and the tables of facts that it declares.
    seed : int, optional
        In place of survey.yaml's. The places and what they lean by stay, so does the truth.

    Raises
    ------
    SurveyError
        S155 for a wave that is not marked as simulated, S199 for one whose folder of responses holds other files, S151
        where nothing says which areas there are; further ones from the tables.
    """
    wave = _read(folder, seed)
    communities = pd.DataFrame()
    if wave.declared.sample is not None:
        communities = _sample(wave, folder / wave.declared.sample.file)
    random = generator(wave.seed, "interviews")
    visits = _visits(wave, communities)
    people = _with_groups(wave, visits, random, ready=True)
    coded = consistent_answers(wave, people, random)
    _write(_delivered(coded, wave, random), folder / "responses" / RESPONSES)
    if wave.declared.nonrespondents is not None:
        others = visits.sample(frac=NOT_INTERVIEWED, random_state=random).sort_index()
        not_interviewed = _with_groups(wave, others.reset_index(drop=True), random)
        unknown = consistent_answers(wave, not_interviewed, random)
        columns = nonrespondent_columns(wave.declared, wave.questionnaire)
        listed = as_delivered(unknown, wave.questionnaire)[columns]
        _write(listed, folder / wave.declared.nonrespondents.file)
    _write(true_values(wave), folder / "truth.csv")


def simulated_communities(frame: pd.DataFrame, strata: Sequence[str], psu: str) -> pd.DataFrame:
    """Spread the population of every stratum over communities: a frame to draw from.

    Parameters
    ----------
    frame : DataFrame
        The columns of the strata, and `population`.
    strata : sequence of str
    psu : str
        Column of the communities' codes.

    Returns
    -------
    DataFrame
        The strata, the community's code, and `adults`, which add to the population of the stratum.
    """
    parts = []
    for place, (stratum, rows) in enumerate(frame.groupby(list(strata))):
        people = int(rows["population"].astype(float).sum())
        if not people:
            continue
        number = int(np.clip(people // USUAL_SIZE, 60, 200))
        number = min(number, max(people // 30, 1))
        random = generator(PLACES_SEED, "communities", *stratum)
        relative = np.exp(SIZE_SD * np.clip(random.standard_normal(number), -2, 2))
        part = pd.DataFrame([stratum] * number, columns=list(strata))
        part.insert(0, psu, [f"{stratum[0]}-{place + 1}-{k:03d}" for k in range(1, number + 1)])
        part["adults"] = whole_sizes(people * relative / relative.sum(), people)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _read(folder: Path, seed: int | None) -> Rehearsed:
    """Read declarations and tables; refuse what must not or cannot be simulated."""
    document, declared, instrument = read_declared(folder)
    questionnaire = read_questionnaire(instrument)
    fielded = _checked(document, declared)
    roles = questionnaire.roles
    areas = frame = None
    if declared.areas is not None:
        areas = read_areas(folder / declared.areas.file, roles.area)
    shares = []
    if declared.frame is not None:
        path = folder / declared.frame.file
        frame = read_frame(path, roles.strata, areas=areas, area=roles.area)
        frame["population"] = frame["population"].astype(float)
        shares.append(frame[[*roles.strata, "population"]])
    for margin in declared.margins.values():
        path = folder / margin.file
        shares.append(
            read_counts(path, margin.by, "population", questionnaire=questionnaire, named=areas)
        )
    named: set[str] = set()
    for share in shares:
        named |= set(share.get(roles.area, ()))
    if not named and areas is not None:
        named = set(current_areas(areas, roles.area)["code"])
    if not named:
        raise SurveyError(
            "S151",
            _("survey.yaml declares no table that names the areas to simulate."),
            where=document.place(("survey",)),
            hint=_("Declare it under areas, frame or margins."),
        )
    assert declared.simulated is not None
    used_seed = declared.simulated.seed if seed is None else seed
    return Rehearsed(
        questionnaire=questionnaire,
        wave=declared.wave,
        fielded=fielded,
        folder=folder,
        declared=declared,
        areas=sorted(named),
        frame=frame,
        shares=shares,
        seed=used_seed,
    )


def _checked(document: Document, declared: SurveyFile) -> Fielded:
    """Refuse a wave that is not marked, or that has other responses; return its first and last day."""
    if declared.simulated is None or declared.fielded is None:
        raise SurveyError(
            "S155",
            _(
                "The wave declares no `simulated` or no `fielded`; responses of people are "
                "never written over."
            ),
            where=document.place(("survey",)),
            hint=_("If it is simulated, declare `simulated` and `fielded`."),
        )
    responses = document.path.parent / "responses"
    others = [path.name for path in files_below(responses) if path.name != RESPONSES]
    if others:
        raise SurveyError(
            "S199",
            _("There are other responses beside those of a rehearsal."),
            where=str(responses),
            got=shortened(others),
            hint=_("Rehearse in a copy of the folder, or move these files away."),
        )
    return declared.fielded


def _sample(wave: Rehearsed, path: Path) -> pd.DataFrame:
    """Read the sampled communities; draw them from simulated ones where there are none yet."""
    roles = wave.questionnaire.roles
    psu = str(roles.psu)
    if not path.is_file() and wave.frame is not None:
        frame = simulated_communities(wave.frame, roles.strata, psu)
        drawn = draw_sample(
            frame,
            psu=psu,
            strata=roles.strata,
            size="adults",
            take=_allocation(wave.frame, roles.strata, roles.area),
            seed=wave.seed,
        )
        table = sample_table(drawn.wave(1), size="adults", persons=PER_COMMUNITY)
        _write(table.drop(columns="role"), path)
    return read_answers(path, (psu, *roles.strata)).reset_index(drop=True)


def _allocation(
    frame: pd.DataFrame, strata: Sequence[str], area: str
) -> dict[tuple[str, ...], int]:
    """Return the communities to draw of every stratum where people live: by population, two at least."""
    people = frame.groupby(list(strata))["population"].sum()
    people = people[people > 0]
    whole = people.groupby(level=area).transform("sum")
    wanted = np.rint(COUNTY_SAMPLE * people / whole).clip(lower=FEWEST)
    keys = people.index.to_frame().itertuples(index=False, name=None)
    return dict(zip(keys, wanted.astype(int), strict=True))


def _visits(wave: Rehearsed, communities: pd.DataFrame) -> pd.DataFrame:
    """Return a row a planned interview: where it is, as sample, quota or table of areas say."""
    roles = wave.questionnaire.roles
    if not communities.empty:
        cells = communities[[str(roles.psu), *roles.strata]]
        planned = communities.get("planned", pd.Series(PER_COMMUNITY, index=communities.index))
    elif wave.declared.quota is not None:
        quota = wave.declared.quota
        counts = read_counts(
            wave.folder / quota.file, quota.by, "planned", questionnaire=wave.questionnaire
        )
        cells = counts[quota.by]
        planned = counts["planned"]
    else:
        cells = pd.DataFrame({roles.area: wave.areas})
        planned = pd.Series(WITHOUT_COMMUNITIES, index=cells.index)
    visits = cells.loc[cells.index.repeat(planned.astype(float).astype(int))]
    visits = visits.reset_index(drop=True)
    if roles.area not in visits:
        raise SurveyError(
            "S151",
            _("The sample or quota does not say in which area an interview is."),
            where=str(wave.folder / "survey.yaml"),
            hint=_("Name the area among the strata, or in the cells of the quota."),
        )
    if roles.psu is not None and roles.psu not in visits:
        visits[roles.psu] = visits[roles.area] + "-" + (visits.index % COUNTY_SAMPLE).astype(str)
    return visits


def _with_groups(
    wave: Rehearsed, visits: pd.DataFrame, random: np.random.Generator, *, ready: bool = False
) -> pd.DataFrame:
    """Draw the items that frame and margins know the population by; with `ready` some groups take part less readily."""
    people = visits
    area = wave.questionnaire.roles.area
    for share in wave.shares:
        by = [name for name in share if name != "population"]
        drawn = [name for name in by if name not in people]
        if not drawn:
            continue
        given = [name for name in by if name in people]
        chance = share["population"].to_numpy(float)
        if ready:
            for name in drawn:
                harder = np.tanh(np.abs(leanings(share[name], "readiness", name)))
                chance = chance * (1 - HARD_TO_FIND * harder)
        cells = share[by].assign(_chance=chance)
        parts = []
        for _place, rows in people.groupby(given or [lambda _row: 0]):
            fitting = cells
            if given:
                fitting = cells.merge(rows[given].drop_duplicates())
            weights = fitting["_chance"].to_numpy()
            if weights.sum() == 0:
                continue
            chosen = random.choice(len(fitting), len(rows), p=weights / weights.sum())
            groups = fitting[drawn].iloc[chosen].set_axis(rows.index)
            parts.append(groups)
        people = people.join(pd.concat(parts))
    assert area in people
    return people


def true_values(wave: Rehearsed) -> pd.DataFrame:
    """Return what the measures are where everybody is asked, in very many communities evenly spread.

    Returns
    -------
    DataFrame
        The area, measure, value. Rates: share 0-1. Topics and indices: points 0-100.
    """
    questionnaire = wave.questionnaire
    area = questionnaire.roles.area
    places = np.repeat(wave.areas, TRUTH_COMMUNITIES * TRUTH_PERSONS)
    number = np.tile(np.repeat(np.arange(TRUTH_COMMUNITIES), TRUTH_PERSONS), len(wave.areas))
    even = ndtri((np.arange(TRUTH_COMMUNITIES) + 0.5) / TRUTH_COMMUNITIES)
    random = generator(PLACES_SEED, "everybody")
    people = _with_groups(wave, pd.DataFrame({area: places}), random)
    coded = answers(wave, people, random, even[number])
    measures = compile_measures(questionnaire)
    everybody = SurveyDesign(coded.assign(_number=number), psu="_number", measures=measures)
    names = [measure.name for measure in measures]
    estimates = add_area_indices(estimate(everybody, names, by=area), questionnaire)
    values = estimates.table[[area, "measure", "estimate"]]
    return twelve_digits(values.rename(columns={"estimate": "value"}))


def _delivered(coded: pd.DataFrame, wave: Rehearsed, random: np.random.Generator) -> pd.DataFrame:
    """Return the rows of the file of responses, with a few that are repeated or incomplete."""
    questionnaire = wave.questionnaire
    rows = as_delivered(coded, questionnaire)
    singles = questionnaire.items_of(SingleItem)
    required = [name for name in singles if questionnaire.items[name].required]
    faulty = random.choice(len(rows), min(2 * FAULTS, len(rows)), replace=False)
    repeated, incomplete = np.array_split(faulty, 2)
    rows.loc[incomplete, required[-1:]] = ""
    return pd.concat([rows, rows.loc[repeated]], ignore_index=True)


def _write(table: pd.DataFrame, path: Path) -> None:
    with new_file(path, replace=True) as scratch:
        write_csv(table, scratch)
