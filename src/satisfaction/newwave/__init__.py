"""A new survey folder: declarations with every block explained, and workbooks to fill in."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import SurveyError
from ..io.files import copy_file, new_folder, refuse_existing
from ..io.tables import read_table
from ..io.writing import write_text
from ..io.yaml import SOURCE
from ..questionnaire import read_questionnaire
from ..survey import RankingRules, SurveyFile, read_declared
from ..survey.facts import lowest_level, read_areas
from ..survey.short_names import short_names
from .carried import Carried, carried_over, fitting_list
from .declarations import COMMENTS, TO_FILL, rules_yaml, survey_yaml
from .templates import Plan, write_responses, write_tables

__all__ = ["COMMENTS", "new_wave"]

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
        write_text(survey_yaml(plan.questionnaire, plan.declared, name=folder.name), scratch / "survey.yaml")
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
    floor = {name: RankingRules.model_fields[name].default for name in ("minimum_df", "minimum_deff")}
    ranking = {"list_size": size, "side": "last", "minimum_n": 30, **floor, "level": 0.95, "source": SOURCE}
    return {"ranking": ranking, "responses": {"unknown_area": "stop", "outside_scale": "blank_item"}}


def _carried(like: str | Path, *, questionnaire: str, areas: int | None) -> Carried:
    document, before, _ = read_declared(like)
    return carried_over(document, before, questionnaire=questionnaire, areas=areas, tables=set(_files(before).values()))


def _check_folder(folder: Path) -> None:
    refuse_existing(folder, SurveyError, "S195")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", folder.name):
        raise SurveyError(
            "S196",
            f"'{folder.name}' 不能作调查名称。",
            f"'{folder.name}' cannot name a survey.",
            where=str(folder),
            hint=("只用小写字母、数字和连字符，如 guizhou-2026q4。", "Use a-z, 0-9 and hyphens: guizhou-2026q4."),
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
        declared = _taken_over(document.data) | _checking(document.data, folder, document.path.parent)
        reference = reference or before.questionnaire
        tables = {one: read_table(document.path.parent / file) for one, file in _files(before).items()}
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
    codes = _short_forms(own) | dict(zip([*own["name"], *own["code"]], [*own["code"], *own["code"]], strict=True))
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
        declared["collapse"] = [one for one in declared["collapse"] if {str(one[end][at]) for end in ("stratum", "into")} <= kept]
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
    there = sorted(f"{p.parent.name}@{p.stem}" for shelf in shelves if shelf.is_dir() for p in shelf.glob("*/*.yaml"))
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
