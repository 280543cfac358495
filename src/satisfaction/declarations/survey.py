"""One fielding of a questionnaire: survey.yaml, rules.yaml and the tables beside them, read into one frozen record.

Where a survey in memory departs from the files of its folder: what follows from it is a trial, not an official result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.declarations import facts
from satisfaction.declarations.checks import check_declarations, check_rules
from satisfaction.declarations.facts import (
    Unread,
    find_delivered,
    read_cases,
    read_nonrespondents,
    read_outcomes,
)
from satisfaction.declarations.history import read_history
from satisfaction.declarations.questionnaire import Questionnaire, read_questionnaire
from satisfaction.declarations.rules import Rules
from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.files import recorded
from satisfaction.foundation.pages import card
from satisfaction.foundation.yaml import Document, Label, Record, read_yaml, validated

TRIAL = Label(zh="试算，不是正式结果", en="trial, not an official result")
TABLES = (
    "areas",
    "frame",
    "sample",
    "nonrespondents",
    "history",
    "quota",
    "outcomes",
    "cases",
    "backcheck",
)


def departures(survey: Any, original: Any) -> Iterator[str]:
    """Name what two records of one survey have different, as the files of the folder call it.

    Parameters
    ----------
    survey, original : Survey
        As it was computed with, and as its folder says.
    """
    yield from _keys("survey.yaml", survey.declared, original.declared)
    yield from _keys(original.declared.rules, survey.rules, original.rules)
    yield from _keys(original.declared.questionnaire, survey.questionnaire, original.questionnaire)
    for name in TABLES:
        if not _same(getattr(survey, name), getattr(original, name)):
            yield name
    for name in sorted(survey.margins.keys() | original.margins.keys()):
        if not _same(survey.margins.get(name), original.margins.get(name)):
            yield f"margins: {name}"
    if survey.files != original.files:
        yield "responses"


def _keys(file: str, used: Record, written: Record) -> Iterator[str]:
    """Name the keys of a declaration that differ."""
    if used is written:
        return
    for key in type(written).model_fields:
        if getattr(used, key) != getattr(written, key):
            yield f"{file}: {key}"


def _same(used: Any, written: Any) -> bool:
    if isinstance(used, pd.DataFrame) and isinstance(written, pd.DataFrame):
        return used is written or used.equals(written)
    return used is written or bool(type(used) is type(written) and used == written)


CORRECTIONS_FILE = "corrections.csv"
WORDINGS_FILE = "wordings.csv"


@dataclass(frozen=True, slots=True)
class Survey:
    """One wave, complete: declarations, instrument, rules and tables of facts.

    Attributes
    ----------
    folder : Path
        Where survey.yaml lies.
    declared : SurveyFile
        survey.yaml.
    questionnaire : Questionnaire
    rules : Rules
    areas : DataFrame or None
        code, name, level, parent, valid_from, valid_to; text.
    frame, sample : DataFrame or None
        Strata with their population; sampled PSUs with their inclusion probabilities.
    margins : dict of DataFrame
        By name; the `by` columns as text and `population` as float.
    sources : tuple of Path
        Every file read, for the manifest; the responses are listed in `files`.
    files : tuple of Path
        The response files, in reading order.
    nonrespondents : DataFrame or None
        Sampled persons who did not answer, one row each: strata, PSU and the items their weight and the nonresponse
        step need, coded as the respondents'.
    quota : DataFrame or None
        The cells of the quota (the `by` columns as text, the area first) and `planned` interviews.
    outcomes : dict of str to str or None
        Outcome code -> AAPOR disposition.
    cases : DataFrame or None
        Sampled cases, one row each: the area's column and `outcome`, as text.
    backcheck : DataFrame or None
        Re-interviews, one row each: the respondent's column and the items declared, as text.
    read : dict of str to str
        SHA-256 of the bytes of every file that was read for all this, by absolute path; responses and corrections apart.
    unread : tuple of Unread
        Files beside the responses that are not read, with the reason.
    unmatched : tuple of str
        Patterns of `files` without a file; reading the responses refuses them.
    covered : frozenset of str or None
        Ranked areas with answers; None before the responses are read: all in the table of areas.
    history : DataFrame or None
        Published rankings of earlier waves, oldest first: wave, code, rank, marginal_low, marginal_high, n, listed.
    rule_fault : SurveyError or None
        What rules.yaml asks of the ranking that this survey cannot serve; a survey that has one is not run.
    as_read : Survey or None
        The survey as its folder says it: whatever differs from it makes the survey a trial.
    altered : tuple of str
        Parts of the results that `run` did not compute from this survey; they make it a trial too.
    """

    folder: Path
    declared: SurveyFile
    questionnaire: Questionnaire
    rules: Rules
    areas: pd.DataFrame | None
    frame: pd.DataFrame | None
    sample: pd.DataFrame | None
    margins: dict[str, pd.DataFrame]
    sources: tuple[Path, ...]
    files: tuple[Path, ...]
    nonrespondents: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    quota: pd.DataFrame | None = None
    outcomes: dict[str, str] | None = None
    cases: pd.DataFrame | None = None
    backcheck: pd.DataFrame | None = None
    read: Mapping[str, str] = field(default_factory=dict)
    rule_fault: SurveyError | None = None
    as_read: Survey | None = field(default=None, repr=False, compare=False)
    altered: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    unmatched: tuple[str, ...] = ()
    covered: frozenset[str] | None = None

    def _repr_html_(self) -> str:
        declared = self.declared
        steps = pd.DataFrame(
            [
                {key: str(value) for key, value in one.model_dump(exclude_none=True).items()}
                for one in declared.weighting
            ]
        )
        facts = {
            "wave": declared.wave,
            "questionnaire": declared.questionnaire,
            "selection": declared.selection,
            "fielded": f"{declared.fielded.start} – {declared.fielded.end}"
            if declared.fielded
            else "",
            "files": len(self.files),
            "areas ranked": len(self.ranked_areas()),
            "ranking rule": self.rules.ranking.source,
        }
        return card(
            str(declared.title),
            facts=facts,
            tables={"加权步骤 weighting": steps},
            mark=str(self.marks or ""),
        )

    @property
    def name(self) -> str:
        """Return the survey's name."""
        return self.declared.survey

    @property
    def overall(self) -> str | None:
        """Return the rate of the overall judgement, as declared by the survey, else by its questionnaire; None without one."""
        return self.declared.overall or self.questionnaire.overall

    @property
    def marks(self) -> Label | None:
        """Return what every output must say: a trial, simulated, or no design error; None if none of them."""
        zh, en = [], []
        if self.departures():
            zh.append(TRIAL.zh)
            en.append(TRIAL.en)
        if self.declared.simulated:
            zh.append("模拟数据，不是真实调查结果")
            en.append("simulated data, not a real survey")
        if self.declared.selection != "probability":
            zh.append("非概率样本：没有抽样误差，名次的确定程度未知")
            en.append(
                "not a probability sample: no sampling error; how certain ranks are is unknown"
            )
        return Label(zh="；".join(zh), en="; ".join(en)) if zh else None

    def departures(self) -> tuple[str, ...]:
        """Name what is not as the files of the folder say; nothing for a survey that nobody changed."""
        read = () if self.as_read is None else tuple(departures(self, self.as_read))
        return (*read, *self.altered)

    def whole(self) -> str:
        """Return the name of the level of all areas together: the table's top level, else 'all'."""
        if self.areas is None:
            return "all"
        return str(self.areas.loc[self.areas["parent"] == "", "level"].iloc[0])

    @property
    def ranked_level(self) -> str:
        """Return the level of the areas that are ranked ('county')."""
        return self.area_levels()[0]

    def area_levels(self) -> list[str]:
        """Return the levels areas are published for, the ranked one first, then its ancestors ('county', 'prefecture')."""
        item = self.questionnaire.roles.area
        if self.areas is None:
            return [item]
        levels, parents = self.levels(), self.parents()
        found, code = [], str(self.domain_values(item)[0])
        while code in levels:
            found.append(levels[code])
            code = parents[code]
        return [level for level in found if level != self.whole()]

    def levels(self) -> dict[str, str]:
        """Return the level of every area by its code; empty without a table of areas."""
        return self._by_code("level")

    def parents(self) -> dict[str, str]:
        """Return the code of the area that each area lies in; empty without a table of areas."""
        return self._by_code("parent")

    def _by_code(self, column: str) -> dict[str, str]:
        if self.areas is None:
            return {}
        current_last = self.areas.sort_values("valid_to", ascending=False, kind="stable")
        return dict(zip(current_last["code"], current_last[column], strict=True))

    def earlier_waves(self) -> list[str]:
        """Return the waves with a published ranking, oldest first."""
        return [] if self.history is None else list(dict.fromkeys(self.history["wave"]))

    def published_rank(self, code: str, wave: str) -> float | None:
        """Return the rank an area was published with, None where it has none."""
        assert self.history is not None
        rows = self.history[(self.history["wave"] == wave) & (self.history["code"] == code)]
        return float(rows["rank"].iloc[0]) if rows["rank"].notna().any() else None

    def ranked_areas(self) -> list[str]:
        """Return the codes of the areas that are ranked."""
        return [str(code) for code in self.domain_values(self.questionnaire.roles.area)]

    def domain_values(self, level: str) -> list[str] | list[int]:
        """Return the areas of a level as the respondents' column holds them: codes as text, or an item's own codes."""
        if self.areas is None:
            return list(self.questionnaire.answers(level))
        current = self.areas[(self.areas["level"] == level) & (self.areas["valid_to"] == "")]
        return sorted(current["code"])

    def coverage(self) -> dict[str, tuple[int, int]]:
        """Return for every area above the ranked ones how many of these have answers, and how many there are in all.

        Column `units_in_all` of the table of areas says how many there are where the table holds only those surveyed.
        """
        if self.areas is None:
            return {}
        ranked, parents = self.ranked_areas(), self.parents()
        covered = self.covered if self.covered is not None else frozenset(ranked)
        have: dict[str, int] = {}
        there: dict[str, int] = {}
        for code in ranked:
            above = parents[code]
            while above:
                there[above] = there.get(above, 0) + 1
                have[above] = have.get(above, 0) + (code in covered)
                above = parents[above]
        if "units_in_all" in self.areas:
            declared = dict(zip(self.areas["code"], self.areas["units_in_all"], strict=True))
            there |= {
                code: max(n, int(declared[code]))
                for code, n in there.items()
                if declared[code].isdigit()
            }
        return {code: (have[code], there[code]) for code in there}

    def area_names(self) -> dict[str, Label]:
        """Return the name of every area by its code; from the table of areas, else from the item's answers."""
        if self.areas is not None:
            current = self.areas[self.areas["valid_to"] == ""]
            english = current["name_en"] if "name_en" in current else current["name"]
            return {
                c: Label(zh=z, en=e)
                for c, z, e in zip(current["code"], current["name"], english, strict=True)
            }
        answers = self.questionnaire.answers(self.questionnaire.roles.area)
        return {str(code): Label(zh=answer.zh, en=answer.en) for code, answer in answers.items()}


def read_declared(path: str | Path) -> tuple[Document, SurveyFile, Path]:
    """Read survey.yaml alone: the document, its record, and the path of the questionnaire it names.

    Raises
    ------
    SurveyError
        For a key or reference that does not fit, with file and line.
    """
    path = Path(path)
    document = read_yaml(
        path if path.suffix in (".yaml", ".yml") else path / "survey.yaml", SurveyError
    )
    declared = validated(document, SurveyFile, SurveyError)
    return document, declared, _questionnaire_path(document, declared)


def read_survey(path: str | Path, *, ranking: bool = True) -> Survey:
    """Read one survey folder (or its survey.yaml).

    Parameters
    ----------
    path : str or Path
    ranking : bool
        Whether rules of the ranking that the survey cannot serve are refused; else they stand in `rule_fault`, for whoever
        looks at the responses alone.

    Raises
    ------
    SurveyError
        For a key, table, column or reference that does not fit, with file and line.
    QuestionnaireError, InputFileError
        From the files it points to.
    """
    with recorded() as read:
        return replace(_read_survey(path, ranking=ranking), read=read)


def _read_survey(path: str | Path, *, ranking: bool) -> Survey:
    document, declared, instrument = read_declared(path)
    folder = document.path.parent
    questionnaire = read_questionnaire(instrument)
    rules_path = folder / declared.rules
    rules_document = read_yaml(rules_path, SurveyError)
    rules = validated(rules_document, Rules, SurveyError)
    check_declarations(document, declared, questionnaire)
    tables = {
        name: getattr(declared, name)
        for name in ("areas", "frame", "sample")
        if getattr(declared, name)
    }
    loaded: dict[str, pd.DataFrame] = {}
    for name, table in tables.items():
        if name == "areas":
            loaded[name] = facts.read_areas(folder / table.file, questionnaire.roles.area)
        else:
            loaded[name] = facts.read_facts(folder / table.file, facts.columns(name, questionnaire))
    margins = {
        name: facts.read_margin(folder / one.file, one, questionnaire)
        for name, one in declared.margins.items()
    }
    absent = _read_nonrespondents(folder, declared, questionnaire, loaded)
    further = list(filter(None, [declared.nonrespondents, declared.quota, declared.outcomes]))
    listed = (*tables.values(), *declared.margins.values(), *further)
    history = (
        read_history(folder / rules.history.file, wave=declared.wave) if rules.history else None
    )
    listed = (*listed, *filter(None, [rules.history]))
    sources = [document.path, instrument, rules_path, *(folder / table.file for table in listed)]
    sources += [
        path for path in (folder / CORRECTIONS_FILE, folder / WORDINGS_FILE) if path.is_file()
    ]
    delivered = find_delivered(folder, declared)
    survey = Survey(
        folder,
        declared,
        questionnaire,
        rules,
        loaded.get("areas"),
        loaded.get("frame"),
        loaded.get("sample"),
        margins,
        tuple(sources),
        delivered.files,
        absent,
        history,
        unread=delivered.unread,
        unmatched=delivered.unmatched,
    )
    if survey.areas is not None:
        facts.check_areas(survey.areas, questionnaire.roles.area, folder / tables["areas"].file)
    if survey.frame is not None and survey.sample is not None:
        facts.check_frame(
            survey.frame,
            survey.sample,
            strata=questionnaire.roles.strata,
            frame_path=folder / tables["frame"].file,
            sample_path=folder / tables["sample"].file,
        )
    try:
        check_rules(survey, rules_document)
    except SurveyError as fault:
        if ranking:
            raise
        survey = replace(survey, rule_fault=fault)
    complete = _with_fieldwork(survey)
    return replace(complete, as_read=complete)


def _with_fieldwork(survey: Survey) -> Survey:
    """Add quota and outcome codes, where declared: the fieldwork is compared with them."""
    folder, declared, questionnaire = survey.folder, survey.declared, survey.questionnaire
    if declared.quota is not None:
        quota = facts.read_quota(
            folder / declared.quota.file, declared.quota, questionnaire, areas=survey.areas
        )
        survey = replace(survey, quota=quota)
    if declared.outcomes is not None:
        survey = replace(survey, outcomes=read_outcomes(folder / declared.outcomes.file))
        if survey.outcomes is not None and declared.outcomes.cases is not None:
            path, area = folder / declared.outcomes.cases, questionnaire.roles.area
            cases = read_cases(
                path, area=area, areas=survey.ranked_areas(), outcomes=survey.outcomes
            )
            survey = replace(survey, cases=cases, sources=(*survey.sources, path))
    if (again := declared.fieldwork.backcheck) is not None:
        path, wanted = folder / again.file, (questionnaire.roles.respondent, *again.items)
        survey = replace(
            survey,
            backcheck=facts.read_facts(path, wanted)[list(wanted)],
            sources=(*survey.sources, path),
        )
    return survey


def _read_nonrespondents(
    folder: Path,
    declared: SurveyFile,
    questionnaire: Questionnaire,
    loaded: dict[str, pd.DataFrame],
) -> pd.DataFrame | None:
    if declared.nonrespondents is None:
        return None
    path = folder / declared.nonrespondents.file
    return read_nonrespondents(
        path, declared, questionnaire, areas=loaded.get("areas"), sample=loaded.get("sample")
    )


def _questionnaire_path(document: Document, declared: SurveyFile) -> Path:
    """Look for questionnaires/<name>/<version>.yaml in the folders above the survey."""
    name, version = declared.questionnaire.split("@")
    shelves = [parent / "questionnaires" for parent in document.path.resolve().parents]
    for shelf in shelves:
        if (found := shelf / name / f"{version}.yaml").is_file():
            return found
    there = sorted(
        f"{p.parent.name}@{p.stem}"
        for shelf in shelves
        if shelf.is_dir()
        for p in shelf.glob("*/*.yaml")
    )
    raise SurveyError(
        "S101",
        f"找不到问卷 {declared.questionnaire}。",
        f"Questionnaire {declared.questionnaire} is not there.",
        where=document.place(("questionnaire",)),
        available=there,
        got=declared.questionnaire,
        hint=(
            "改为已有的问卷版本，或把文件放入 questionnaires/。",
            "Name a version that exists, or put the file under questionnaires/.",
        ),
    )
