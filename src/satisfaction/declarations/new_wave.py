"""A new survey folder: declarations with every block explained, and workbooks to fill in.

What a new wave takes over from an earlier one beside survey.yaml and its tables, and what it does not: both are said.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.declarations.facts import lowest_level, read_areas, short_names
from satisfaction.declarations.new_wave_files import (
    COMMENTS,
    TO_FILL,
    Plan,
    rules_yaml,
    survey_yaml,
    write_responses,
    write_tables,
)
from satisfaction.declarations.questionnaire import read_questionnaire
from satisfaction.declarations.rules import RankingRules
from satisfaction.declarations.survey import read_declared
from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.files import copy_file, decode, new_folder, refuse_existing
from satisfaction.foundation.tables import read_table, write_text
from satisfaction.foundation.yaml import SOURCE, Document, node_text, read_yaml

COMBINED = "combined.yaml"
OF_THE_WHOLE_FIELD = (
    "targets",
    "history",
    "escalation",
)  # ranks among all areas mean nothing among some of them
RENEWED = ("survey", "title", "fielded", "rules")  # keys of survey.yaml that are a wave's own
NOT_COPIED = ("responses", "out")


@dataclass(frozen=True, slots=True)
class Carried:
    """What an earlier wave hands on.

    Attributes
    ----------
    rules : mapping
        What the new rules.yaml declares.
    rules_text : str
        Its text, with the comments of the earlier one.
    copied : tuple of Path
        Files that are copied as they are.
    texts : mapping of str to str
        Further files of the new folder, by name.
    said : tuple of str
        What was taken over, changed and left out: lines for the terminal.
    """

    rules: Mapping[str, Any]
    rules_text: str
    copied: tuple[Path, ...]
    texts: Mapping[str, str]
    said: tuple[str, ...]


def carried_over(
    earlier: Document,
    before: SurveyFile,
    *,
    questionnaire: str,
    areas: int | None,
    tables: set[str],
) -> Carried:
    """Return what the wave of survey.yaml `earlier` hands on.

    Parameters
    ----------
    questionnaire : str
        name@version of the new wave.
    areas : int or None
        How many areas the new wave has, where it has only some of the earlier ones.
    tables : set of str
        Files of the earlier wave that the new wave's workbooks are made from.
    """
    folder = earlier.path.parent
    document = read_yaml(folder / before.rules, SurveyError)
    node = copy.deepcopy(document.node)
    gone = [
        key for key in OF_THE_WHOLE_FIELD if areas is not None and node.pop(key, None) is not None
    ]
    if areas is not None:
        node["ranking"]["list_size"] = min(
            node["ranking"].get("list_size", 10), fitting_list(areas)
        )
    if questionnaire != before.questionnaire and "history" in node:
        node["history"].setdefault("questionnaire", before.questionnaire)
    text = decode(document.path) if node == document.node else node_text(node)
    copied = [folder / node["history"]["file"]] if "history" in node else []
    texts: dict[str, str] = {}
    renewed: list[str] = []
    if (folder / COMBINED).is_file():
        combined = read_yaml(folder / COMBINED, SurveyError).node
        copied += [folder / tree for tree in _trees(combined)]
        renewed = _renewed(combined)
        texts[COMBINED] = node_text(combined)
    copied = [path for path in dict.fromkeys(copied) if path.is_file() and path.parent == folder]
    known = {earlier.path.name, before.rules, *texts, *tables, *(path.name for path in copied)}
    left = sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in (*known, *NOT_COPIED) and path.name[0] not in ".~"
    )
    said = [f"由 {folder} 沿用 taken over from {folder}:"]
    said += [f"  {before.rules}: {', '.join(node)}"]
    said += [
        f"  survey.yaml: {', '.join(key for key in earlier.data if key in COMMENTS and key not in RENEWED)}"
    ]
    said += [f"  {', '.join([*texts, *(path.name for path in copied)])}"] if texts or copied else []
    said += [
        "改变或待填 changed or to be filled in:",
        *(f"  {line}" for line in _changes(before, renewed, areas)),
    ]
    if "history" in node:
        file = node["history"]["file"]
        said.append(
            f"  {file}: 请补上 {before.wave} 公布的排名 add the ranking published for {before.wave}"
        )
    missing = [*(f"{before.rules} {key}" for key in gone), *_left_out(earlier.data)]
    if "#" in decode(earlier.path):
        missing.append("survey.yaml 中的注释 its comments")
    if missing := [*missing, *left]:
        said += ["没有沿用 not taken over:", f"  {', '.join(missing)}"]
    return Carried(node, text, tuple(copied), texts, tuple(said))


def fitting_list(areas: int) -> int:
    """Return a length of the list for so many areas: a fifth of them, at least 1 and at most 10."""
    return min(10, max(1, areas // 5))


def _trees(combined: Mapping[str, Any]) -> list[str]:
    return [
        one["assessment"] for one in combined.get("components", {}).values() if "assessment" in one
    ]


def _renewed(combined: Any) -> list[str]:
    """Leave open the source and date of scores that belong to one wave; returns their files."""
    files = []
    for component in combined.get("components", {}).values():
        if file := component.get("file") or component.get("lost"):
            files.append(file)
            component["source"] = SOURCE
            if "date" in component:
                component["date"] = TO_FILL
    return files


def _changes(before: SurveyFile, renewed: list[str], areas: int | None) -> Iterator[str]:
    yield "survey.yaml: survey, wave, title, fielded"
    for name in ("sample", "nonrespondents", "quota"):
        if getattr(before, name) is not None:
            yield f"survey.yaml {name}: 工作簿、来源与日期 its workbook, source and date"
    if renewed:
        yield f"{COMBINED}: {', '.join(renewed)} 的来源与日期 source and date of these files, which belong to one wave"
    if areas is not None:
        yield f"rules.yaml: list_size，按 {areas} 个地区 for {areas} areas"


def _left_out(declared: Mapping[str, Any]) -> Iterator[str]:
    """Name what survey.yaml declares for its own wave alone."""
    if "simulated" in declared:
        yield "survey.yaml simulated"
    if "backcheck" in declared.get("fieldwork", {}):
        yield "survey.yaml fieldwork.backcheck"
    if "cases" in declared.get("outcomes", {}):
        yield "survey.yaml outcomes.cases"


# block of survey.yaml -> the workbook of a new wave that it names
WORKBOOKS = {
    "areas": "areas", "frame": "frame", "sample": "sample", "nonrespondents": "nonrespondents", "quota": "quotas", "outcomes": "outcomes",
}  # fmt: skip
OF_ONE_WAVE = ("sample", "nonrespondents", "quota")


def new_wave(
    folder: str | Path,
    *,
    questionnaire: str | None = None,
    areas: str | Path | None = None,
    like: str | Path | None = None,
    only: Iterable[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write a new survey folder and return its path; nothing is left behind where that fails.

    Parameters
    ----------
    folder : str or Path
        Its name becomes the survey's name; it must not be there yet.
    questionnaire : str, optional
        name@version below a folder `questionnaires` beside or above; with `like` its questionnaire is the default.
    areas : str or Path, optional
        Table of areas to take over (columns code, name, level, parent; valid_from and valid_to may be absent together).
    like : str or Path, optional
        Survey folder whose declarations, rules, areas, frame and margins are taken over, with its earlier rankings and its
        combined.yaml; its sample, responses and dates are not.
    only : iterable of str
        Codes or names of the areas that are surveyed; the others leave the table of areas, frame and margins. Default all.

    tell : callable
        Is given, line by line, what was taken over from `like`, what changed and what was left out.

    Raises
    ------
    SurveyError
        S195 the folder is there, S196 its name cannot name a survey, S197 no questionnaire given or found, S198 an area in `only`
        that is not in the table; S131 a column
        that the table of areas lacks.
    """
    folder = Path(folder)
    _check_folder(folder)
    complete = _plan(folder, questionnaire, areas=areas, like=like, tell=tell)
    plan = _only(complete, list(only))
    area = plan.questionnaire.roles.area
    count = len(plan.codes(area))
    if like is None:
        carried = Carried(_first_rules(count), "", (), {}, ())
    else:
        fewer = count if count < len(complete.codes(area)) else None
        carried = _carried(like, questionnaire=plan.questionnaire.reference, areas=fewer)
    with new_folder(folder) as scratch:
        write_responses(plan, scratch)
        write_tables(plan, scratch)
        write_text(
            survey_yaml(plan.questionnaire, plan.declared, name=folder.name),
            scratch / "survey.yaml",
        )
        rules = rules_yaml(carried.rules, ranked=plan.questionnaire.ranked, text=carried.rules_text)
        write_text(rules, scratch / "rules.yaml")
        for name, text in carried.texts.items():
            write_text(text, scratch / name)
        for path in carried.copied:
            copy_file(path, scratch / path.name)
    for line in carried.said:
        tell(line)
    return folder


def _first_rules(areas: int) -> dict[str, Any]:
    """Return the rules of a survey that follows no other one."""
    size = fitting_list(areas) if areas else 10
    floor = {
        name: RankingRules.model_fields[name].default for name in ("minimum_df", "minimum_deff")
    }
    ranking = {
        "list_size": size,
        "side": "last",
        "minimum_n": 30,
        **floor,
        "level": 0.95,
        "source": SOURCE,
    }
    return {
        "ranking": ranking,
        "responses": {"unknown_area": "stop", "outside_scale": "blank_item"},
    }


def _carried(like: str | Path, *, questionnaire: str, areas: int | None) -> Carried:
    document, before, _ = read_declared(like)
    return carried_over(
        document,
        before,
        questionnaire=questionnaire,
        areas=areas,
        tables=set(_files(before).values()),
    )


def _check_folder(folder: Path) -> None:
    refuse_existing(folder, SurveyError, "S195")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", folder.name):
        raise SurveyError(
            "S196",
            f"'{folder.name}' 不能作调查名称。",
            f"'{folder.name}' cannot name a survey.",
            where=str(folder),
            hint=(
                "只用小写字母、数字和连字符，如 guizhou-2026q4。",
                "Use a-z, 0-9 and hyphens: guizhou-2026q4.",
            ),
        )


def _tell_level(path: Path, area: str, tell: Callable[[str], None]) -> None:
    """Say which level of the table of areas was taken for the one that respondents belong to, where it is called otherwise."""
    given = read_table(path)
    levels = list(dict.fromkeys(given["level"]))
    if area not in levels:
        lowest = lowest_level(given if "valid_to" in given else given.assign(valid_to=""))
        tell(
            f"地区表中没有级别 '{area}'（问卷中地区题的名称）；最低一级 '{lowest}' 已改为 '{area}'。 "
            f"No level of the table of areas is called '{area}', as the questionnaire's area item is; "
            f"the lowest one, '{lowest}', is called so now."
        )


def _plan(
    folder: Path,
    reference: str | None,
    *,
    areas: str | Path | None,
    like: str | Path | None,
    tell: Callable[[str], None],
) -> Plan:
    tables: dict[str, pd.DataFrame] = {}
    declared: dict[str, Any] = {}
    if like is not None:
        document, before, _ = read_declared(like)
        declared = _taken_over(document.data) | _checking(
            document.data, folder, document.path.parent
        )
        reference = reference or before.questionnaire
        tables = {
            one: read_table(document.path.parent / file) for one, file in _files(before).items()
        }
        areas = areas or (document.path.parent / before.areas.file if before.areas else None)
    questionnaire = read_questionnaire(_questionnaire_path(folder, reference))
    if areas is not None:
        tables["areas"] = read_areas(Path(areas), questionnaire.roles.area)
        _tell_level(Path(areas), questionnaire.roles.area, tell)
    return Plan(questionnaire, tables, declared)


def _only(plan: Plan, wanted: list[str]) -> Plan:
    """Keep the areas wanted, those above them, and their rows in the other tables."""
    if not wanted:
        return plan
    level, areas = (
        plan.questionnaire.roles.area,
        plan.tables.get("areas", pd.DataFrame(columns=["code", "name", "level", "parent"])),
    )
    own = areas[areas["level"] == level]
    codes = _short_forms(own) | dict(
        zip([*own["name"], *own["code"]], [*own["code"], *own["code"]], strict=True)
    )
    if unknown := [name for name in wanted if name not in codes]:
        raise SurveyError(
            "S198",
            f"地区表中没有 '{unknown[0]}'。",
            f"'{unknown[0]}' is not in the table of areas.",
            where="--counties",
            available=[*own["name"], *own["code"]],
            got=unknown[0],
            hint=("写代码或名称，用逗号隔开。", "Give codes or names, commas between them."),
        )
    kept = {codes[name] for name in wanted}
    above, parents = set(kept), dict(zip(areas["code"], areas["parent"], strict=True))
    while further := {parents[code] for code in above if parents.get(code)} - above:
        above |= further
    kept_areas = _counted(areas, level)
    tables = {"areas": kept_areas[kept_areas["code"].isin(above)].reset_index(drop=True)} | {
        name: table[table[level].isin(kept)].reset_index(drop=True) if level in table else table
        for name, table in plan.tables.items()
        if name != "areas"
    }
    return replace(plan, tables=tables, declared=_collapse_of(plan, kept))


def _collapse_of(plan: Plan, kept: set[str]) -> dict[str, Any]:
    """Return the declarations without the strata of areas that are gone."""
    declared, roles = dict(plan.declared), plan.questionnaire.roles
    if "collapse" in declared and roles.area in roles.strata:
        at = roles.strata.index(roles.area)
        declared["collapse"] = [
            one
            for one in declared["collapse"]
            if {str(one[end][at]) for end in ("stratum", "into")} <= kept
        ]
    return {name: one for name, one in declared.items() if one}


def _short_forms(areas: pd.DataFrame) -> dict[str, str]:
    """Return the code of every area by the short forms of its name that no other has."""
    found: dict[str, set[str]] = {}
    for code, name in zip(areas["code"], areas["name"], strict=True):
        for short in short_names(name):
            found.setdefault(short, set()).add(code)
    return {short: next(iter(codes)) for short, codes in found.items() if len(codes) == 1}


def _counted(areas: pd.DataFrame, level: str) -> pd.DataFrame:
    """Write beside every area above the surveyed level how many of these it has, before any are left out."""
    if "units_in_all" in areas:
        return areas
    parents = dict(zip(areas["code"], areas["parent"], strict=True))
    counts: dict[str, int] = {}
    current = areas[(areas["level"] == level) & (areas.get("valid_to", "") == "")]
    for code in current["code"]:
        above = parents[code]
        while above:
            counts[above] = counts.get(above, 0) + 1
            above = parents.get(above, "")
    return areas.assign(units_in_all=[str(counts.get(code, "")) for code in areas["code"]])


def _taken_over(before: dict[str, Any]) -> dict[str, Any]:
    """Return the declarations of an earlier wave that a new one keeps, its tables as the workbooks of the new folder."""
    kept = copy.deepcopy(before)
    for gone in ("survey", "wave", "title", "simulated", "fielded", "questionnaire", "rules"):
        kept.pop(gone, None)
    kept.pop("fieldwork", None)
    kept.get("outcomes", {}).pop("cases", None)
    for name, workbook in WORKBOOKS.items():
        if name in kept:
            kept[name]["file"] = f"{workbook}.xlsx"
            if name in OF_ONE_WAVE:
                kept[name] |= {"source": SOURCE, "date": TO_FILL}
    for name, margin in kept.get("margins", {}).items():
        margin["file"] = f"margin_{name}.xlsx"
    return kept


def _checking(before: dict[str, Any], folder: Path, like: Path) -> dict[str, Any]:
    """Return what the checks of the new wave's fieldwork compare with: the same modes, and the wave taken over from."""
    modes = {name: one for name, one in before.get("fieldwork", {}).items() if name == "modes"}
    return {"fieldwork": modes | {"earlier": os.path.relpath(like, folder).replace(os.sep, "/")}}


def _files(before: SurveyFile) -> dict[str, str]:
    """Return the files of an earlier wave by the name of the new workbook."""
    named = {workbook: getattr(before, name) for name, workbook in WORKBOOKS.items()}
    named |= {f"margin_{name}": margin for name, margin in before.margins.items()}
    return {name: table.file for name, table in named.items() if table is not None}


def _questionnaire_path(folder: Path, reference: str | None) -> Path:
    name, _, version = (reference or "").partition("@")
    shelves = [parent / "questionnaires" for parent in folder.resolve().parents]
    for shelf in shelves:
        if reference and (found := shelf / name / f"{version}.yaml").is_file():
            return found
    there = sorted(
        f"{p.parent.name}@{p.stem}"
        for shelf in shelves
        if shelf.is_dir()
        for p in shelf.glob("*/*.yaml")
    )
    raise SurveyError(
        "S197",
        f"找不到问卷 '{reference}'。" if reference else "没有写明问卷。",
        f"Questionnaire '{reference}' is not there." if reference else "No questionnaire is named.",
        where=str(folder),
        available=there,
        got=reference or "",
        hint=(
            "用 --questionnaire 名称@版本，或 --like 一期已有的调查。",
            "Use --questionnaire name@version, or --like an earlier survey.",
        ),
    )
