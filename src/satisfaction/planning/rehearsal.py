"""A rehearsal: answers to a wave's own questionnaire, simulated for its own design, before anybody is asked.

Levels, the spread of areas (about 4 points of an index) and design effects (about 1.5) are choices of this project that look
like a resident survey; they are estimated from nothing. Areas, communities and answers lean the same way in every wave.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from satisfaction.declarations.facts import (
    current_areas,
    nonrespondent_columns,
    read_answer_table,
    read_areas,
    read_counts,
    read_frame,
)
from satisfaction.declarations.items import (
    Answer,
    AreaItem,
    DateItem,
    MultipleItem,
    NumberItem,
    SingleItem,
    Special,
    option_column,
)
from satisfaction.declarations.questionnaire import Questionnaire, read_questionnaire
from satisfaction.declarations.survey import read_declared
from satisfaction.declarations.wave import Fielded, SurveyFile
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.index import add_area_indices
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.files import files_below, new_file
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import write_csv
from satisfaction.foundation.yaml import Document
from satisfaction.planning.allocation import whole_sizes
from satisfaction.planning.draw import draw_sample
from satisfaction.planning.planning_files import sample_table
from satisfaction.publication.labels import twelve_digits
from satisfaction.sampling.counted_answers import compile_measures
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.variance import Array

RESPONSES = "rehearsal.csv"
PLACES_SEED = 2026  # leanings and communities are those of the places, not of a wave
COUNTY_SAMPLE = 25  # communities of an area, where no sample is drawn yet
FEWEST = 2  # of them in a stratum
PER_COMMUNITY = 10  # interviews
WITHOUT_COMMUNITIES = 200  # interviews of an area, where no sample and no quota says how many
USUAL_SIZE = 1500  # residents of a community
SIZE_SD = 0.35  # of the logarithm of community sizes

# standard deviations of what an answer leans by
AREA = 0.15
AREA_AND_ITEM = 0.06
ITEM = 0.2
GROUP = 0.08
COMMUNITY = 0.21
PERSON = 0.62
PASSING = 0.72
SPREAD = float(np.hypot(PERSON, PASSING))

CHANCE = {"not_applicable": 0.04, "dont_know": 0.02, "refused": 0.006}
NOTHING_SAID = 0.004
KNOWN = 0.3  # pull towards a right option, away from a wrong one
HARD_TO_FIND = 0.4  # at most that much less readily does a group take part
NOT_INTERVIEWED = 0.6  # of the persons interviewed, where a table of nonrespondents is declared
REDRAWS = 50  # of answers that contradict one another
FAULTS = 5  # rows of each kind, for `check` to find
TRUTH_COMMUNITIES = 200  # of an area, evenly spread; with as many persons each as follow
TRUTH_PERSONS = 50
OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True, repr=False)
class Rehearsed:
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
    questionnaire: Questionnaire
    fielded: Fielded
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
    coded = _without_contradictions(wave, people, random)
    _write(_delivered(coded, wave, random), folder / "responses" / RESPONSES)
    if wave.declared.nonrespondents is not None:
        others = visits.sample(frac=NOT_INTERVIEWED, random_state=random).sort_index()
        not_interviewed = _with_groups(wave, others.reset_index(drop=True), random)
        unknown = _without_contradictions(wave, not_interviewed, random)
        columns = nonrespondent_columns(wave.declared, wave.questionnaire)
        listed = as_delivered(unknown, wave.questionnaire)[columns]
        _write(listed, folder / wave.declared.nonrespondents.file)
    _write(true_values(wave), folder / "truth.csv")


def generator(seed: int, *purpose: object) -> np.random.Generator:
    """Return the random numbers of one purpose: independent between purposes, the same for the same seed."""
    words = [zlib.crc32(str(word).encode()) for word in purpose]
    return np.random.default_rng([seed, *words])


def leanings(keys: Sequence[str] | pd.Series, *purpose: object) -> Array:
    """Return a standard normal deviate for each key, the same for the same key and purpose in every wave."""
    places = pd.Categorical(keys)
    deviates = [
        generator(PLACES_SEED, *purpose, name).standard_normal() for name in places.categories
    ]
    of_rows: Array = np.asarray(deviates)[places.codes]
    return of_rows


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
        shares.append(read_counts(path, margin.by, "population", questionnaire, named=areas))
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
        folder, declared, questionnaire, fielded, sorted(named), frame, shares, used_seed
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
    return read_answer_table(path, (psu, *roles.strata))


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
        counts = read_counts(wave.folder / quota.file, quota.by, "planned", wave.questionnaire)
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


def _without_contradictions(
    wave: Rehearsed, people: pd.DataFrame, random: np.random.Generator
) -> pd.DataFrame:
    """Return everybody's coded answers; those that break a constraint of the questionnaire are drawn anew."""
    coded = _answers(wave, people, random)
    for _attempt in range(REDRAWS):
        against = np.zeros(len(coded), dtype=bool)
        for constraint in wave.questionnaire.constraints.values():
            left = coded[constraint.left]
            right = coded.get(constraint.right, constraint.right)
            holds = OPERATORS[constraint.operator](left, right)
            against |= ~holds.fillna(True).to_numpy(bool)
        if not against.any():
            break
        anew = _answers(wave, people[against], random)
        coded = pd.concat([coded[~against], anew]).sort_index()
    return coded


def _answers(
    wave: Rehearsed,
    people: pd.DataFrame,
    random: np.random.Generator,
    community: Array | None = None,
) -> pd.DataFrame:
    """Return coded answers in the order of the items: codes as Int64, texts as they are, missing where nothing was said.

    `community` holds what each person's community leans by; absent: by its code.
    """
    questionnaire = wave.questionnaire
    roles = questionnaire.roles
    area = people[roles.area].astype("category")
    if community is None:
        community = np.zeros(len(people))
        if roles.psu is not None:
            community = leanings(people[roles.psu], "community")
    shared = AREA * leanings(area, "area") + COMMUNITY * community
    shared = shared + PERSON * random.standard_normal(len(people))
    groups = people[sorted(set(people) & set(questionnaire.items_of(SingleItem)))].astype(
        "category"
    )
    columns: dict[str, object] = {}
    for name, item in questionnaire.items.items():
        latent = shared + AREA_AND_ITEM * leanings(area, "area", name)
        latent = latent + ITEM * leanings([name], "item")
        for group in groups:
            latent = latent + GROUP * leanings(groups[group], name, group)
        latent = latent + PASSING * random.standard_normal(len(people))
        if isinstance(item, MultipleItem):
            columns |= _several(name, item, latent, random)
        elif name in people and isinstance(item, SingleItem | NumberItem):
            columns[name] = people[name].astype("Int64")
        elif name in people:
            columns[name] = people[name]
        elif name in questionnaire.eligibility:
            eligible = questionnaire.eligibility[name][0]
            columns[name] = pd.array([eligible] * len(people), dtype="Int64")
        elif isinstance(item, SingleItem):
            columns[name] = _single(questionnaire, name, latent, random)
        elif isinstance(item, NumberItem):
            low_more_often = random.random(len(people)) ** 2
            numbers = item.low + np.floor((item.high - item.low + 1) * low_more_often)
            columns[name] = pd.array(numbers.astype(int), dtype="Int64")
        elif isinstance(item, DateItem):
            days = random.integers(
                (wave.fielded.end - wave.fielded.start).days + 1, size=len(people)
            )
            columns[name] = (np.datetime64(wave.fielded.start) + days).astype(str)
        elif isinstance(item, AreaItem):
            columns[name] = people[roles.area]
        elif name == roles.respondent:
            columns[name] = [f"{wave.declared.wave}-{k:06d}" for k in people.index + 1]
        elif name == roles.interviewer:
            number = 1 + people.groupby(roles.area).cumcount() // 60
            columns[name] = people[roles.area] + "-" + number.astype(str)
        else:
            columns[name] = pd.Series("", index=people.index)
    coded = pd.DataFrame(columns, index=people.index)
    return _skipped(coded, questionnaire)


def _single(
    questionnaire: Questionnaire, name: str, latent: Array, random: np.random.Generator
) -> pd.api.extensions.ExtensionArray:
    """Cut a leaning into answers from the worst to the best; answers without an order come equally often."""
    declared = questionnaire.answers(name)
    answers = sorted(declared, key=lambda code: _worth(declared[code]))
    if any(_worth(answer) > (0, 0) for answer in declared.values()):
        upper = np.arange(1, len(answers)) / len(answers)
        step = np.searchsorted(SPREAD * ndtri(upper**2), latent)
    else:
        step = random.integers(len(answers), size=len(latent))
    codes = np.array(answers)[step]
    special = _special_codes(questionnaire.special(name), len(codes), random)
    said = np.ones(len(codes), dtype=bool)
    if not questionnaire.items[name].required:
        said = random.random(len(codes)) >= NOTHING_SAID
    return _known(np.where(special > 0, special, codes), said)


def _worth(answer: Answer) -> tuple[int, int]:
    return answer.score or 0, int(answer.counts or False)


def _several(
    name: str, item: MultipleItem, latent: Array, random: np.random.Generator
) -> dict[str, object]:
    """Tick options of a select-all item: those who lean higher know more of the right ones and fewer of the wrong."""
    left = np.full(len(latent), item.max_selected or len(item.options))
    ticks = {}
    for code, option in item.options.items():
        pull = -KNOWN + random.standard_normal(len(latent))
        if option.correct is not None:
            sign = 1 if option.correct else -1
            pull = pull + sign * (latent + KNOWN) + KNOWN
        ticks[code] = (pull > 0) & (left > 0)
        left = left - ticks[code]
    nothing = ~np.any(list(ticks.values()), axis=0)
    first = next(iter(ticks))
    ticks[first] = ticks[first] | nothing
    special = _special_codes(item.special, len(latent), random)
    columns: dict[str, object] = {name: _known(special, special > 0)}
    for code, ticked in ticks.items():
        columns[option_column(name, code)] = _known(ticked, special == 0)
    return columns


def _special_codes(
    special: Mapping[int, Special], count: int, random: np.random.Generator
) -> Array:
    """Return the special code that a person gives in place of an answer, 0 for most."""
    draw = random.random(count)
    codes = np.zeros(count, dtype=int)
    bound = 0.0
    for code, declared in special.items():
        chance = CHANCE[declared.reason]
        codes[(draw >= bound) & (draw < bound + chance)] = code
        bound += chance
    return codes


def _known(codes: Array, known: Array) -> pd.arrays.IntegerArray:
    return pd.arrays.IntegerArray(codes.astype(np.int64), ~known)


def _skipped(coded: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Leave out what a person was not asked."""
    for name, item in questionnaire.items.items():
        for asked, codes in item.asked_if.items():
            not_asked = ~coded[asked].isin(codes)
            if not_asked.any():
                columns = questionnaire.columns(name)
                coded[columns] = coded[columns].mask(not_asked)
    return coded


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
    coded = _answers(wave, people, random, even[number])
    measures = compile_measures(questionnaire)
    everybody = SurveyDesign(coded.assign(_number=number), psu="_number", measures=measures)
    names = [measure.name for measure in measures]
    estimates = add_area_indices(estimate(everybody, names, by=area), questionnaire)
    values = estimates.table[[area, "measure", "estimate"]]
    return twelve_digits(values.rename(columns={"estimate": "value"}))


def as_delivered(coded: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Turn coded answers into the columns of a file: text, one column an item, options joined."""
    columns = {}
    for name, item in questionnaire.items.items():
        text = coded[name].astype(object).where(coded[name].notna(), "").astype(str)
        if isinstance(item, MultipleItem):
            options = [option_column(name, code) for code in item.options]
            codes = np.array([str(code) for code in item.options])
            ticked = coded[options].fillna(0).to_numpy(dtype=bool)
            joined = [item.separator.join(codes[ticks]) for ticks in ticked]
            text = text.where(text != "", joined)
        columns[name] = text
    return pd.DataFrame(columns, dtype=object)


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
