"""The tables of facts beside survey.yaml: areas, frame and sample, margins and quota, nonrespondents, outcomes, rankings.

Each is read as text, and refused where it does not fit the questionnaire or another table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from satisfaction.declarations.area_names import with_area_codes
from satisfaction.declarations.items import AreaItem, NumberItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.tables import Kept, read_filled_in


def read_facts(
    path: Path, wanted: Collection[str], *, areas: pd.DataFrame | None = None, column: str = "code"
) -> pd.DataFrame:
    """Read a table as text, from the sheet of a workbook that has the columns wanted; its index holds the rows of the file.

    Parameters
    ----------
    path : Path
    wanted : collection of str
    areas : DataFrame, optional
        Names of these areas, in `column` or in a column `name`, become codes in `column`.
    column : str

    Raises
    ------
    SurveyError
        S131 a wanted column that is not there, S185-S187 from `with_area_codes`.
    """
    surely = wanted
    if areas is not None:
        surely = [name for name in wanted if name != column]
    table = with_area_codes(read_filled_in(path, surely), areas, path=path, column=column)
    missing = [column for column in wanted if column not in table]
    if missing:
        quoted = [f"'{column}'" for column in missing]
        meant = ""
        if len(missing) == 1:
            meant = missing[0]
        raise SurveyError(
            "S131",
            _("Column {quoted} not found.", quoted=", ".join(quoted)),
            where=f"{path} row 1",
            available=table.columns,
            got=meant,
            hint=_("Add the column or correct its name."),
        )
    return table


def read_answers(
    path: Path, wanted: Collection[str], *, areas: pd.DataFrame | None = None, column: str = "code"
) -> pd.DataFrame:
    """Read a table whose cells are compared with answers: with full-width signs written as plain ones, as theirs are.

    Raises
    ------
    SurveyError
        As `read_facts`.
    """
    table = read_facts(path, wanted, areas=areas, column=column)
    return table.map(partial(unicodedata.normalize, "NFKC"))


def read_weights(path: Path, respondent: str) -> pd.DataFrame:
    """Read final weights made elsewhere: the respondent's column as text, and `weight` as float.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S523 a weight that is no positive number, S524 a respondent who stands twice.
    """
    table = read_answers(path, (respondent, "weight"))[[respondent, "weight"]]
    weight = pd.to_numeric(table["weight"], errors="coerce").astype(float)
    positive = np.isfinite(weight) & (weight > 0)
    _refuse(path, ~positive, "S523", text=_("Weights must be positive"))
    twice = table[respondent].duplicated(keep=False)
    _refuse(path, twice, "S524", text=_("A respondent has one weight"))
    return table.assign(weight=weight).reset_index(drop=True)


BESIDE_REPLICATES = ("weight", "final_weight", "mark")
"""Columns of a table of replicate weights that are none."""


def read_replicates(path: Path, respondent: str) -> pd.DataFrame:
    """Read replicate weights made elsewhere: the respondent's column as text, the replicates as float in their order.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S524 a respondent who stands twice, S534 a weight that is no number.
    """
    table = read_answers(path, (respondent,))
    twice = table[respondent].duplicated(keep=False)
    _refuse(path, twice, "S524", text=_("A respondent has one weight"))
    names = [name for name in table if name not in (respondent, *BESIDE_REPLICATES)]
    weights = table[names].apply(pd.to_numeric, errors="coerce").astype(float)
    known = np.isfinite(weights).all(axis=1)
    _refuse(path, ~known, "S534", text=_("Replicate weights must be numbers"))
    return pd.concat([table[[respondent]], weights], axis="columns").reset_index(drop=True)


def read_rscales(path: Path) -> pd.DataFrame:
    """Read the scales of replicates: the column `rscale` as float.

    Raises
    ------
    SurveyError
        S131 without that column, S534 a scale that is no number of 0 or more.
    """
    scales = pd.to_numeric(read_facts(path, ("rscale",))["rscale"], errors="coerce")
    usable = np.isfinite(scales) & (scales >= 0)
    _refuse(path, ~usable, "S534", text=_("Scales must be numbers"))
    return scales.astype(float).to_frame().reset_index(drop=True)


def _refuse(
    path: Path, wrong: pd.Series, code: str, *, text: Text, available: Iterable[str] = ()
) -> None:
    """Refuse the rows of a table where `wrong`, by their numbers in the file."""
    rows = wrong.index[wrong]
    if len(rows):
        numbers = shortened(rows)
        raise SurveyError(
            code,
            _("{text} (rows {numbers}).", text=text, numbers=numbers),
            where=path,
            available=available,
            hint=_("Correct these rows."),
        )


# ---- areas

AREA_COLUMNS = ("code", "name", "level", "parent")
VALIDITY = {"valid_from", "valid_to"}


def read_areas(path: Path, area: str) -> pd.DataFrame:
    """Read a table of areas; without dates of validity all areas are valid.

    Parameters
    ----------
    path : Path
    area : str
        The item that holds the respondents' area. Where no level of the table is called so, the lowest level is taken for it.

    Raises
    ------
    SurveyError
        S131 columns that are not there, S344 one date of validity without the other.
    """
    table = read_facts(path, AREA_COLUMNS).reset_index(drop=True)
    dated = VALIDITY & set(table)
    if len(dated) == 1:
        (present,) = dated
        (lacking,) = VALIDITY - dated
        raise SurveyError(
            "S344",
            _(
                "The table of areas has `{present}` but no `{lacking}`.",
                present=present,
                lacking=lacking,
            ),
            where=f"{path} row 1",
            hint=_(
                "Give both columns (`valid_to` empty while valid), or neither: then all "
                "areas are valid."
            ),
        )
    if not dated:
        table = table.assign(valid_from="", valid_to="")
    lowest = lowest_level(table)
    if lowest and area not in set(table["level"]):
        renamed = table["level"].where(table["level"] != lowest, area)
        table = table.assign(level=renamed)
    return table


def current_areas(areas: pd.DataFrame, level: str | None = None) -> pd.DataFrame:
    """Return the rows of areas that are valid today, of one level or of all."""
    current = areas[areas["valid_to"] == ""]
    return current if level is None else current[current["level"] == level]


def codes_of_today(areas: pd.DataFrame | None, *, merged: bool = False) -> dict[str, str]:
    """Return by former code the code an area has today: that of its successor, which nobody else has become too.

    `merged`: also that of an area which several have become, in which a former one lies today. Every former area is followed
    from successor to successor, as far as an area of today.
    """
    if areas is None or "successor" not in areas:
        return {}
    today = set(current_areas(areas)["code"])
    former = areas[(areas["successor"] != "") & ~areas["code"].isin(today)]
    if not merged:
        former = former[~former["successor"].duplicated(keep=False)]
    next_code = dict(zip(former["code"], former["successor"], strict=True))
    codes = {}
    for code in next_code:
        passed = {code}
        later = next_code[code]
        while later not in passed and later in next_code:
            passed.add(later)
            later = next_code[later]
        if later in today:
            codes[code] = later
    return codes


def under_codes_of_today(ranks: pd.DataFrame, codes: Mapping[str, str]) -> pd.DataFrame:
    """Return earlier ranks with the codes of `codes_of_today`; where a wave ranked the successor beside it, an area stays."""
    known = set(zip(ranks["wave"], ranks["code"], strict=True))
    new = []
    for wave, code in zip(ranks["wave"], ranks["code"], strict=True):
        later = codes.get(code, code)
        new.append(code if (wave, later) in known else later)
    return ranks.assign(code=new)


@dataclass(frozen=True, eq=False)
class AreaTree:
    """How the areas of a table lie in one another.

    Attributes
    ----------
    table : DataFrame
        As `read_areas` returns it.
    """

    table: pd.DataFrame = field(repr=False)

    @cached_property
    def level_of(self) -> dict[str, str]:
        """Return the level of every area by its code."""
        return self._by_code("level")

    @cached_property
    def parent_of(self) -> dict[str, str]:
        """Return the code of the area that each area lies in, by its code; empty of the top."""
        return self._by_code("parent")

    @cached_property
    def whole(self) -> str:
        """Return the level of the top."""
        return str(self.table.loc[self.table["parent"] == "", "level"].iloc[0])

    @cached_property
    def current(self) -> dict[str, list[str]]:
        """Return the codes of the areas that are valid today by level, in order."""
        table = current_areas(self.table).sort_values("code")
        codes: dict[str, list[str]] = {}
        for code, level in zip(table["code"], table["level"], strict=True):
            codes.setdefault(level, []).append(code)
        return codes

    @cached_property
    def current_names(self) -> dict[str, Text]:
        """Return the names of the areas that are valid today, by their codes."""
        return names_of_areas(current_areas(self.table))

    def _by_code(self, column: str) -> dict[str, str]:
        current_last = self.table.sort_values("valid_to", ascending=False, kind="stable")
        return dict(zip(current_last["code"], current_last[column], strict=True))


_LAST_TREES = Kept(8)


def tree_of(areas: pd.DataFrame) -> AreaTree:
    """Return the tree of a table of areas; the same one while the table is that very one."""
    tree: AreaTree = _LAST_TREES.of(areas, "tree", lambda: AreaTree(areas))
    return tree


def names_of_areas(areas: pd.DataFrame) -> dict[str, Text]:
    """Return the names of areas by their codes: `name`, and `name_en` where the table has it and it is not empty."""
    english = areas["name"]
    if "name_en" in areas:
        english = areas["name_en"].where(areas["name_en"] != "", english)
    words = map(Text, areas["name"], english)
    return dict(zip(map(str, areas["code"]), words, strict=True))


def lowest_level(areas: pd.DataFrame) -> str:
    """Return the level of the areas that no other area lies in; empty where they are of several levels."""
    current = current_areas(areas)
    with_areas_below = current["code"].isin(current["parent"])
    levels = current["level"][~with_areas_below].unique()
    return str(levels[0]) if len(levels) == 1 else ""


def check_areas(areas: pd.DataFrame, ranked: str, path: Path) -> None:
    """Refuse (S146) a table of areas that is no tree with one top and the ranked level in it."""
    current = current_areas(areas)
    levels = set(current["level"])

    def refuse(text: Text) -> None:
        """Refuse the table, with what is wrong in it."""
        raise SurveyError(
            "S146",
            _("The table of areas is not right: {text}.", text=text),
            where=path,
            available=sorted(levels),
            hint=_("Correct `level` and `parent` in the table of areas."),
        )

    tops = int((current["parent"] == "").sum())
    if tops != 1:
        refuse(_("exactly one area has no parent (found {tops})", tops=tops))
    parents = dict(zip(current["code"], current["parent"], strict=True))
    lost = [above for above in current["parent"] if above and above not in parents]
    if lost:
        refuse(_("parents that do not exist: {lost}", lost=shortened(lost)))
    circular = []
    for code in parents:
        passed = {""}
        above = code
        while above not in passed:
            passed.add(above)
            above = parents[above]
        if above:
            circular.append(code)
    if circular:
        refuse(_("parents in a circle: {circular}", circular=shortened(circular)))
    if ranked not in levels:
        refuse(_("there is no level '{ranked}'", ranked=ranked))
    if len(parents) < len(current):
        refuse(_("a current code stands twice"))


def areas_within(codes: Iterable[str], parents: dict[str, str]) -> dict[str, int]:
    """Return how many of some areas lie in every larger one, by its code."""
    counts: dict[str, int] = {}
    for code in codes:
        above = parents.get(code, "")
        while above:
            counts[above] = counts.get(above, 0) + 1
            above = parents.get(above, "")
    return counts


# ---- frame and sample


def read_frame(
    path: Path, strata: list[str], *, areas: pd.DataFrame | None, area: str
) -> pd.DataFrame:
    """Read the population of every stratum, as text; parts of a stratum, in rows that other columns tell apart, add up.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S133 no count, S134 a row that stands twice, S185-S187 from `with_area_codes`.
    """
    table = read_answers(path, (*strata, "population"), areas=areas, column=area)
    _counts(path, table, "population")
    apart = [name for name in table if name != "population"]
    if strata:
        _refuse(path, table[apart].duplicated(), "S134", text=_("A level stands twice"))
    return table.reset_index(drop=True)


def read_sample(
    path: Path, psu: str, strata: list[str], *, areas: pd.DataFrame | None, area: str
) -> pd.DataFrame:
    """Read the sampled PSUs as text: stratum, inclusion probabilities, planned interviews.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S133 planned interviews that are no count, S541 a PSU that stands twice, S185-S187 from `with_area_codes`.
    """
    wanted = (psu, *strata, "psu_probability", "person_probability", "planned")
    table = read_answers(path, wanted, areas=areas, column=area)
    twice = table[psu].duplicated(keep=False)
    problem = _("A PSU stands twice: {psus}", psus=shortened(table.loc[twice, psu].unique()))
    _refuse(path, twice, "S541", text=problem)
    _counts(path, table[table["planned"] != ""], "planned")
    return table.reset_index(drop=True)


def _counts(path: Path, table: pd.DataFrame, column: str) -> pd.Series:
    """Read a column of counts (S133)."""
    counts = pd.to_numeric(table[column], errors="coerce").astype(float)
    wrong = ~(np.isfinite(counts) & (counts >= 0))
    first = "".join(table[column][wrong].head(1))
    no_count = _(
        "`{count}` is no count written in digits alone: '{first}'", count=column, first=first
    )
    _refuse(path, wrong, "S133", text=no_count)
    return counts


def check_frame_and_sample(
    frame: pd.DataFrame,
    sample: pd.DataFrame,
    *,
    strata: list[str],
    frame_path: Path,
    sample_path: Path,
) -> None:
    """Refuse a frame and a sample that do not have the same strata: S144 not sampled, S145 not in the frame."""
    population = pd.to_numeric(frame["population"], errors="coerce")
    inhabited = frame[population != 0]  # a stratum without people does not exist
    framed = set(inhabited[strata].itertuples(index=False, name=None))
    sampled = set(sample[strata].itertuples(index=False, name=None))

    def refuse(code: str, missing: set[tuple[str, ...]], text: Text, *, incomplete: Path) -> None:
        """Refuse strata that one of the two tables lacks."""
        if missing:
            listed = shortened(" / ".join(stratum) for stratum in sorted(missing))
            raise SurveyError(
                code,
                _("{text}: {listed}.", text=text, listed=listed),
                where=incomplete,
                hint=_(
                    "Complete these strata in {name}, or correct the other table.",
                    name=incomplete.name,
                ),
            )

    without_sample = _("Strata of the frame have no sample")
    refuse("S144", framed - sampled, without_sample, incomplete=sample_path)
    not_framed = _("Strata of the sample are not in the frame")
    refuse("S145", sampled - framed, not_framed, incomplete=frame_path)


# ---- margins and quota


def read_counts(
    path: Path,
    by: list[str],
    count: str,
    *,
    questionnaire: Questionnaire,
    areas: pd.DataFrame | None = None,
    named: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Read the cells of a margin or a quota and a count of each: population, or planned interviews.

    Parameters
    ----------
    path : Path
    by : list of str
        Items, single or area, that make the cells.
    count : str
        Column of the counts.
    questionnaire : Questionnaire
    areas : DataFrame, optional
        Table that codes of areas must be found in.
    named : DataFrame, optional
        Table of the areas that the file may name in place of their codes.

    Returns
    -------
    DataFrame
        The columns of `by` as text, and the count as float.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S133 no count, S134 a cell that stands twice, S135 a level nobody knows.
    """
    of_areas = [name for name in by if isinstance(questionnaire.items[name], AreaItem)]
    if len(of_areas) != 1:
        named = None
    table = read_answers(path, (*by, count), areas=named, column="".join(of_areas[:1]))
    numbers = _counts(path, table, count)
    _refuse(path, table[by].duplicated(), "S134", text=_("A level stands twice"))
    for name in by:
        known = _known_codes(name, questionnaire, areas)
        if known is None:
            continue
        if isinstance(questionnaire.items[name], SingleItem):
            problem = _("A level of '{name}' is no answer of it", name=name)
        else:
            problem = _("A code of '{name}' is not in the table of areas", name=name)
        _refuse(path, ~table[name].isin(known), "S135", text=problem, available=known)
    return table[by].assign(**{count: numbers}).reset_index(drop=True)


def _known_codes(
    name: str, questionnaire: Questionnaire, areas: pd.DataFrame | None
) -> list[str] | None:
    """Return what may stand in the column of an item, None where that is not a list of codes."""
    item = questionnaire.items[name]
    if isinstance(item, SingleItem):
        return [str(code) for code in questionnaire.answers(name)]
    if isinstance(item, AreaItem) and areas is not None:
        return sorted(current_areas(areas, name)["code"])
    return None


# ---- nonrespondents


def nonrespondent_columns(declared: SurveyFile, questionnaire: Questionnaire) -> list[str]:
    """Return the items that are needed of persons who did not answer: of design, nonresponse step and base weight."""
    wanted = [*questionnaire.roles.strata]
    if questionnaire.roles.psu:
        wanted.append(questionnaire.roles.psu)
    if declared.nonresponse:
        wanted += declared.nonresponse.by
    if declared.base:
        wanted += declared.base.items
    return list(dict.fromkeys(wanted))


def read_nonrespondents(
    path: Path,
    declared: SurveyFile,
    questionnaire: Questionnaire,
    *,
    areas: pd.DataFrame | None,
    sample: pd.DataFrame | None,
) -> pd.DataFrame:
    """Read the sampled persons who did not answer, coded like the respondents; other columns are not kept anywhere.

    Parameters
    ----------
    path : Path
    declared : SurveyFile
    questionnaire : Questionnaire
    areas, sample : DataFrame or None
        Tables of the survey that codes of areas and PSUs must be found in.

    Returns
    -------
    DataFrame
        One row a person, its index the rows of the file: strata, PSU, the items of the nonresponse step and of the base step;
        the respondents' number where the file has it, empty where it is not known.
        Single and number items as the respondents', others as text; a value that is not known is missing, which only
        `multiply` and `divide` allow.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S167 values that the item does not know, S169 a PSU that is not in the sample or
        not in that stratum of it, S542 a person who stands twice.
    """
    roles = questionnaire.roles
    base = declared.base
    wanted = nonrespondent_columns(declared, questionnaire)
    table = read_answers(path, wanted)
    text = table[wanted]
    columns = {}
    if roles.respondent in table:
        numbers = table[roles.respondent]
        twice = (numbers != "") & numbers.duplicated(keep=False)
        _refuse(path, twice, "S542", text=_("A person who did not answer stands twice"))
        columns[roles.respondent] = numbers.astype(object)
    for name in wanted:
        item = questionnaire.items[name]
        values = text[name]
        column = values.astype(object)
        is_weight = base is not None and name == base.column
        is_optional = base is not None and name in (*base.multiply, *base.divide)
        empty = values == ""
        wrong = empty & (not is_optional)
        known = _known_codes(name, questionnaire, areas)
        if isinstance(item, NumberItem):
            column = pd.to_numeric(values, errors="coerce")
            wrong |= ~empty & ~item.allows(column, weight=is_weight)
            known = [f"{item.low}-{item.high}"]
        elif known:
            wrong |= ~values.isin(known)
        problem = _("Values of '{name}' are missing or invalid", name=name)
        _refuse(path, wrong, "S167", text=problem, available=known or ())
        if isinstance(item, NumberItem) and (is_weight or item.step != 1):
            column = column.astype("Float64")
        elif isinstance(item, SingleItem | NumberItem):
            column = column.astype("Int64")
        columns[name] = column
    if roles.psu and sample is not None:
        drawn = sample[[roles.psu, *roles.strata]].drop_duplicates()
        compared = text.merge(drawn, how="left", indicator="_drawn").set_axis(text.index)
        undrawn = compared["_drawn"] == "left_only"
        problem = _("The PSU is not in that stratum of the sample table")
        _refuse(path, undrawn, "S169", text=problem, available=sample[roles.psu])
    return pd.DataFrame(columns)


# ---- re-interviews and outcomes


def read_reinterviews(path: Path, respondent: str, items: list[str]) -> pd.DataFrame:
    """Read re-interviews as text: the respondent's number and the items asked again.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S544 a respondent who stands twice.
    """
    columns = [respondent, *items]
    table = read_answers(path, columns)[columns]
    numbers = table[respondent]
    twice = (numbers != "") & numbers.duplicated(keep=False)
    _refuse(path, twice, "S544", text=_("A respondent has one re-interview"))
    return table


DISPOSITIONS = {
    "I": _("complete interview"),
    "P": _("partial interview"),
    "R": _("refusal and break-off"),
    "NC": _("non-contact"),
    "O": _("other, eligible"),
    "UH": _("unknown whether an eligible household"),
    "UO": _("unknown eligibility, other"),
    "NE": _("not eligible"),
}
INTERVIEWS = ("I", "P")


def read_outcomes(path: Path) -> dict[str, str]:
    """Read what outcome codes mean: AAPOR's disposition of each (columns code and disposition, others are for readers).

    Raises
    ------
    InputFileError, SurveyError
        For a file or column that is not there; S191 a code stands twice, S192 an unknown disposition.
    """
    table = read_facts(path, ("code", "disposition"))
    twice = table["code"].duplicated()
    _refuse(path, twice, "S191", text=_("An outcome code stands twice"))
    unknown = ~table["disposition"].isin(list(DISPOSITIONS))
    problem = _("`disposition` is none of AAPOR's")
    _refuse(path, unknown, "S192", text=problem, available=DISPOSITIONS)
    return dict(zip(table["code"], table["disposition"], strict=True))


def read_cases(
    path: Path,
    *,
    area: str,
    areas: list[str],
    outcomes: dict[str, str],
    named: pd.DataFrame | None = None,
    respondent: str = "",
) -> pd.DataFrame:
    """Read the sampled cases, one row each: the area and its outcome; other columns of the file are not kept anywhere.

    Parameters
    ----------
    path : Path
    area : str
        Column of the area.
    areas : list of str
        Its codes.
    outcomes : dict of str to str
        As `read_outcomes` returns them.
    named : DataFrame, optional
        Table of the areas that the file may name in place of their codes.
    respondent : str
        Column of the respondents' numbers; where the file has it, a case stands once.

    Returns
    -------
    DataFrame
        The area's column and `outcome`, as text.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S193 an area or S194 an outcome code that is not known, S543 a case that stands twice.
    """
    table = read_facts(path, (area, "outcome"), areas=named, column=area)
    if respondent in table:
        numbers = table[respondent]
        twice = (numbers != "") & numbers.duplicated(keep=False)
        _refuse(path, twice, "S543", text=_("A case stands twice; its last outcome alone counts"))
    table = table[[area, "outcome"]]
    nowhere = ~table[area].isin(areas)
    problem = _("The area is not in the table of areas")
    _refuse(path, nowhere, "S193", text=problem, available=areas)
    unknown = ~table["outcome"].isin(list(outcomes))
    problem = _("The outcome code is not in the map")
    _refuse(path, unknown, "S194", text=problem, available=outcomes)
    return table.reset_index(drop=True)


# ---- earlier rankings

LISTED = ("yes", "no", "tied")


def read_history(path: Path, *, wave: str, areas: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read the rankings of earlier waves as they were published, oldest wave first; other columns are not kept.

    Parameters
    ----------
    path : Path
    wave : str
        The wave that is being ranked: it comes after all in the file; empty where that is looked at elsewhere.
    areas : DataFrame, optional
        Table of the areas that the file may name in place of their codes.

    Returns
    -------
    DataFrame
        One row an area and wave: wave, code, rank, marginal_low, marginal_high, n, p_in, p_out (float; missing = not
        published), listed ("yes", "no", "tied"). p_in and p_out are those of belonging to that wave's list and of not
        belonging to it.

    Raises
    ------
    SurveyError
        S131 a column that is not there, S175 values that no ranking has, S176 an area twice in a wave, S177 waves that are
        not in their order.
    """
    columns = ("wave", "code", "rank", "listed")
    return _history(path, read_facts(path, columns, areas=areas), wave)


def read_larger(path: Path, *, without: set[str]) -> pd.DataFrame:
    """Read the published ranks of larger areas among their like; as `read_history`, with nobody on a list.

    Parameters
    ----------
    path : Path
        ranking_within.csv of a file set.
    without : set of str
        Codes of the areas that are ranked among all.
    """
    text = read_facts(path, ("wave", "code", "rank"))
    larger = text[~text["code"].isin(without)].assign(listed="no")
    return _history(path, larger, "")


def _history(path: Path, text: pd.DataFrame, wave: str) -> pd.DataFrame:
    """Return published ranks, checked and typed."""
    table = text[["wave", "code"]].copy()
    for name in ("p_in", "p_out"):  # where a multiplicity was declared, the adjusted ones decide
        if f"{name}_adjusted" in text:
            text[name] = text[f"{name}_adjusted"]
    for name, of_list in (("p_in", "p_listed"), ("p_out", "p_not_listed")):
        if of_list in text:  # thresholds acted on the list
            text[name] = text[of_list]
    for name in ("rank", "marginal_low", "marginal_high", "n", "p_in", "p_out"):
        if name not in text:
            text[name] = ""
        table[name] = pd.to_numeric(text[name], errors="coerce")
    table["listed"] = text["listed"]
    for wrong, name, problem in _no_ranking(table, text != ""):
        _refuse(path, wrong, "S175", text=_("`{name}` {text}", name=name, text=problem))
    twice = table.duplicated(["wave", "code"])
    _refuse(path, twice, "S176", text=_("An area stands twice in a wave"))
    waves = table["wave"]
    if wave:
        in_order = waves[waves != waves.shift()]
        check_order(str(path), list(in_order), wave)
    return table.reset_index(drop=True)


def _no_ranking(table: pd.DataFrame, stated: pd.DataFrame) -> Iterator[tuple[pd.Series, str, Text]]:
    """Yield the rows whose values no ranking has, with the column and what is wrong; `stated` are the cells that are not empty."""
    rank = table["rank"]
    low = table["marginal_low"]
    high = table["marginal_high"]
    below_one = {}
    for name in ("rank", "marginal_low", "marginal_high"):
        below_one[name] = stated[name] & ~(table[name] >= 1)
    yield ~stated["wave"], "wave", _("is empty")
    yield ~stated["code"], "code", _("is empty")
    no_half = rank.notna() & (rank * 2 % 1 != 0)
    yield below_one["rank"] | no_half | np.isinf(rank), "rank", _("is no rank")
    yield below_one["marginal_low"], "marginal_low", _("is no rank")
    half_a_set = low.isna() != high.isna()
    no_set = half_a_set | (low > high) | (low.notna() & rank.isna())
    incomplete = _("is no set (low, high and rank go together)")
    yield below_one["marginal_high"] | no_set, "marginal_high", incomplete
    n = table["n"]
    yield stated["n"] & ~((n >= 0) & (n % 1 == 0)), "n", _("is no count")
    for name in ("p_in", "p_out"):
        yield stated[name] & ~table[name].between(0, 1), name, _("is no probability")
    listed = table["listed"]
    values = ", ".join(LISTED)
    yield ~listed.isin(LISTED), "listed", _("is one of {values}", values=values)
    without_rank = (listed != "no") & rank.isna()
    yield without_rank, "listed", _("needs a rank where it is yes or tied")


def check_order(where: str, earlier: list[str], wave: str) -> None:
    """Refuse a wave in two places, this wave itself, and names alike but for numbers that do not rise (2026Q3, 2026Q2)."""
    names = [*earlier, wave]
    in_order = len(set(names)) == len(names)
    last_numbers: dict[str, list[int]] = {}
    for name in names:
        shape = re.sub(r"\d+", "#", name)
        numbers = [int(digits) for digits in re.findall(r"\d+", name)]
        if numbers < last_numbers.get(shape, numbers):
            in_order = False
        last_numbers[shape] = numbers
    if not in_order:
        raise SurveyError(
            "S177",
            _(
                "Earlier rankings stand wave by wave, oldest first, all before this wave {wave}.",
                wave=wave,
            ),
            where=where,
            available=dict.fromkeys(earlier),
            hint=_("Order them by wave, each once; take this wave out."),
        )


class Period(NamedTuple):
    """When a wave took place, where its name tells.

    Attributes
    ----------
    a_year : int
        Periods of its kind in a year.
    number : int
        Its own, counted from the first of year 0.
    """

    a_year: int
    number: int


PERIOD = re.compile(r"(?P<year>\d{4})(?:-?(?P<kind>[QHM])(?P<number>\d{1,2})|-?(?P<month>\d{2}))?")
A_YEAR = {"Q": 4, "H": 2, "M": 12}


def period_of(wave: str) -> Period | None:
    """Return the period that a wave's name tells (2026Q3, 2026H1, 2026-07, 2026), None for other names."""
    named = PERIOD.fullmatch(wave.upper())
    if named is None:
        return None
    kind = "M" if named["month"] else named["kind"]
    a_year = A_YEAR.get(kind or "", 1)
    number = int(named["month"] or named["number"] or 1)
    if not 1 <= number <= a_year:
        return None
    before_this_year = int(named["year"]) * a_year
    return Period(a_year, before_this_year + number - 1)


def missing_between(earlier: str, later: str) -> list[str] | None:
    """Return the waves that lie between two; None where their names do not tell."""
    before = period_of(earlier)
    after = period_of(later)
    if before is None or after is None or before.a_year != after.a_year:
        return None
    form = {1: "{}", 2: "{}H{}", 4: "{}Q{}", 12: "{}-{:02d}"}[before.a_year]
    missing = []
    for number in range(before.number + 1, after.number):
        year, place = divmod(number, before.a_year)
        missing.append(form.format(year, place + 1))
    return missing
