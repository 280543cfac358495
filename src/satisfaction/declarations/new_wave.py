"""A new survey folder: declarations with every block explained, and workbooks to fill in.

What a new wave takes over from an earlier one, and what it does not: both are said.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.declarations.area_names import area_names, fold
from satisfaction.declarations.facts import areas_within, check_areas, read_areas
from satisfaction.declarations.new_wave_files import (
    COMMENTS,
    TO_FILL,
    NewWaveSource,
    rules_yaml,
    sourced,
    survey_yaml,
    write_blank_responses,
    write_tables,
)
from satisfaction.declarations.questionnaire import questionnaires_above, read_questionnaire
from satisfaction.declarations.rules import RankingRules
from satisfaction.declarations.survey import read_declared
from satisfaction.declarations.wave import BaseStep, SurveyFile
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.file_sets import handed_over
from satisfaction.foundation.files import (
    DEVICE,
    copy_file,
    decode,
    new_folder,
    path_below,
    refuse_existing,
)
from satisfaction.foundation.language import Text, _, comma_list, current, readers_language, use
from satisfaction.foundation.shipped import shipped_questionnaires
from satisfaction.foundation.tables import read_table, write_text
from satisfaction.foundation.yaml import STATE_THE_SOURCE, Document, node_text, read_yaml

COMBINED = "combined.yaml"
# ranks among all areas mean nothing among some of them
OF_THE_WHOLE_FIELD = ("targets", "history", "escalation")
# keys of survey.yaml that are a wave's own
NEW_KEYS = ("survey", "wave", "title", "simulated", "fielded", "rules")
# block of survey.yaml -> the workbook of a new wave that it names
WORKBOOKS = {
    "areas": "areas",
    "frame": "frame",
    "sample": "sample",
    "nonrespondents": "nonrespondents",
    "quota": "quotas",
    "outcomes": "outcomes",
}
OF_ONE_WAVE = ("sample", "nonrespondents", "quota")
NOT_COPIED = ("responses", "out")


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

    Comments and workbooks are in the current language, or in that of whoever sits here.

    Parameters
    ----------
    folder : str or Path
        Its name becomes the survey's name; it must not be there yet.
    questionnaire : str, optional
        name@version below a folder `questionnaires` beside or above, else one that the program brings along, which is then
        copied into the new folder; with `like` its questionnaire is the default.
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
        that is not in the table; S131 a column that the table of areas lacks.
    """
    folder = Path(folder)
    with use(current() or readers_language()):
        refuse_existing(folder, SurveyError, "S195")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", folder.name) or DEVICE.fullmatch(folder.name):
            raise SurveyError(
                "S196",
                _("'{name}' cannot name a survey.", name=folder.name),
                where=folder,
                hint=_(
                    "Use a-z, 0-9 and hyphens, no device of Windows (con, aux): guizhou-2026q4."
                ),
            )
        tables: dict[str, pd.DataFrame] = {}
        declared: dict[str, Any] = {}
        if like is not None:
            document, earlier, _questionnaire = read_declared(like)
            before = document.path.parent
            declared = _taken_over(document.data)
            _name_waves_before(declared, earlier, before, folder=folder)
            for name, file in _tables_of(earlier).items():
                tables[name] = read_table(before / file)
            questionnaire = questionnaire or earlier.questionnaire
            if areas is None and earlier.areas is not None:
                areas = before / earlier.areas.file
        instrument_path = _questionnaire_path(folder, questionnaire)
        instrument = read_questionnaire(instrument_path)
        if areas is not None:
            tables["areas"] = _areas(Path(areas), instrument.roles.area, tell)
        plan = NewWaveSource(instrument, tables, declared)
        all_areas = len(plan.codes(instrument.roles.area))
        wanted = list(only)
        if wanted:
            plan = _only(plan, wanted)
        surveyed = len(plan.codes(instrument.roles.area))
        if surveyed < all_areas or not declared.get("earlier"):
            kept = {key: value for key, value in plan.declared.items() if key != "earlier"}
            plan = replace(plan, declared=kept)
        if like is None:
            carried = Carried(_first_rules(surveyed))
        else:
            carried = _carried_over(
                document,
                earlier,
                questionnaire=instrument.reference,
                target=folder,
                areas=surveyed if surveyed < all_areas else None,
            )
        _write(folder, plan, carried, instrument_path=instrument_path)
    for line in carried.report:
        tell(line)
    return folder


def _name_waves_before(
    declared: dict[str, Any], earlier: SurveyFile, before: Path, *, folder: Path
) -> None:
    """Put the waves before a new one into its declarations, as seen from its folder: `earlier` in the folder `before` last."""
    path_back = path_below(folder, before)
    declared.setdefault("fieldwork", {})["earlier"] = path_back
    declared["earlier"] = _earlier_waves(earlier, before, folder)
    model = declared.get("selection_model", {})
    if "reference" in model:
        model["reference"] = path_below(folder, before / model["reference"])
    if handed_over(before / "out") is not None:
        declared["earlier"].append(path_back)


def _areas(path: Path, area: str, tell: Callable[[str], None]) -> pd.DataFrame:
    """Read and check a table of areas; say where a level is called as the questionnaire's area item is."""
    table = read_areas(path, area)
    levels_as_read = read_table(path)["level"].str.strip()
    for lowest in set(levels_as_read) - set(table["level"]):
        renaming = _(
            "No level of the table of areas is called '{area}', as the questionnaire's area "
            "item is; the lowest one, '{lowest}', is called so now.",
            area=area,
            lowest=lowest,
        )
        tell(str(renaming))
    check_areas(table, area, path)
    return table


def _write(folder: Path, plan: NewWaveSource, carried: Carried, *, instrument_path: Path) -> None:
    """Write all that the new folder holds."""
    instrument = plan.questionnaire
    with new_folder(folder) as scratch:
        write_blank_responses(plan, scratch)
        write_tables(plan, scratch)
        copied = dict(carried.copied)
        if instrument.reference not in questionnaires_above(folder):
            name = f"questionnaires/{instrument.questionnaire}/{instrument_path.name}"
            copied[name] = instrument_path
        survey_text = survey_yaml(instrument, plan.declared, name=folder.name)
        rules_text = rules_yaml(carried.rules, ranked=instrument.ranked, text=carried.rules_text)
        texts = {"survey.yaml": survey_text, "rules.yaml": rules_text}
        for name, text in {**texts, **carried.texts}.items():
            write_text(text, scratch / name)
        for name, path in copied.items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            copy_file(path, scratch / name)


def _questionnaire_path(folder: Path, reference: str | None) -> Path:
    questionnaires = shipped_questionnaires() | questionnaires_above(folder)
    if reference in questionnaires:
        return questionnaires[reference]
    problem = _("No questionnaire is named.")
    if reference:
        problem = _("Questionnaire '{reference}' is not there.", reference=reference)
    raise SurveyError(
        "S197",
        problem,
        where=folder,
        available=sorted(questionnaires),
        got=reference or "",
        hint=_("Use --questionnaire name@version, or --like an earlier survey."),
    )


def _first_rules(areas: int) -> dict[str, Any]:
    """Return the rules of a survey that follows no other one."""
    defaults = RankingRules.model_fields
    return {
        "ranking": {
            "list_size": _fitting_list(areas) if areas else 10,
            "side": "last",
            "minimum_n": 30,
            "minimum_df": defaults["minimum_df"].default,
            "minimum_deff": defaults["minimum_deff"].default,
            "level": 0.95,
            "source": str(STATE_THE_SOURCE),
        },
        "responses": {"unknown_area": "stop", "outside_scale": "blank_item"},
    }


def _fitting_list(areas: int) -> int:
    """Return a length of the list for so many areas: a fifth of them, at least 1 and at most 10."""
    return min(10, max(1, areas // 5))


def _taken_over(before: dict[str, Any]) -> dict[str, Any]:
    """Return the declarations of an earlier wave that a new one keeps, its tables as the workbooks of the new folder."""
    declared = copy.deepcopy(before)
    for key in (*NEW_KEYS, "questionnaire"):
        declared.pop(key, None)
    declared.get("outcomes", {}).pop("cases", None)
    fieldwork = declared.pop("fieldwork", {})
    if "modes" in fieldwork:
        declared["fieldwork"] = {"modes": fieldwork["modes"]}
    for name, workbook in WORKBOOKS.items():
        if name in declared:
            declared[name]["file"] = f"{workbook}.xlsx"
            if name in OF_ONE_WAVE:
                declared[name] |= sourced()
    for name, margin in declared.get("margins", {}).items():
        margin["file"] = f"margin_{name}.xlsx"
    return declared


def _earlier_waves(earlier: SurveyFile, before: Path, folder: Path) -> list[Any]:
    """Return the waves that an earlier wave names before it, seen from the new folder."""
    waves: list[Any] = []
    for wave in earlier.earlier:
        path = path_below(folder, before / wave.survey)
        entry = wave.model_dump(exclude_none=True) | {"survey": path}
        waves.append(path if set(entry) == {"survey"} else entry)
    return waves


def _tables_of(earlier: SurveyFile) -> dict[str, str]:
    """Return the files of an earlier wave's tables by the name of the new workbook."""
    files = {}
    for block, workbook in WORKBOOKS.items():
        table = getattr(earlier, block)
        if table is not None:
            files[workbook] = table.file
    for name, margin in earlier.margins.items():
        files[f"margin_{name}"] = margin.file
    return files


def _only(plan: NewWaveSource, wanted: list[str]) -> NewWaveSource:
    """Keep the areas wanted, those above them, and their rows in the other tables."""
    roles = plan.questionnaire.roles
    no_areas = pd.DataFrame(columns=["code", "name", "level", "parent", "valid_to"])
    areas = plan.tables.get("areas", no_areas)
    of_level = areas[areas["level"] == roles.area]
    called = {}
    if len(areas):
        called = area_names(areas, roles.area)
    surveyed: set[str] = set()
    for name in wanted:
        code = name if name in set(of_level["code"]) else called.get(fold(name))
        if code is None:
            raise SurveyError(
                "S198",
                _("'{name}' is not in the table of areas.", name=name),
                where="--counties",
                available=[*of_level["name"], *of_level["code"]],
                got=name,
                hint=_("Give codes or names, commas between them."),
            )
        surveyed.add(code)
    parents = dict(zip(areas["code"], areas["parent"], strict=True))
    if "units_in_all" not in areas:
        valid = of_level[of_level["valid_to"] == ""]
        in_all = areas_within(valid["code"], parents)
        units = [str(in_all.get(code, "")) for code in areas["code"]]
        areas = areas.assign(units_in_all=units)
    remaining = surveyed | set(areas_within(surveyed, parents))
    areas = areas[areas["code"].isin(remaining)]
    tables = {"areas": areas.reset_index(drop=True)}
    for name, table in plan.tables.items():
        if name == "areas":
            continue
        if roles.area in table:
            of_surveyed = table[table[roles.area].isin(surveyed)]
            table = of_surveyed.reset_index(drop=True)
        tables[name] = table
    declared = dict(plan.declared)
    if "collapse" in declared and roles.area in roles.strata:
        place = roles.strata.index(roles.area)
        collapse = []
        for pair in declared["collapse"]:
            joined = {str(pair[key][place]) for key in ("stratum", "into")}
            if joined <= surveyed:
                collapse.append(pair)
        declared["collapse"] = collapse
    declared = {key: value for key, value in declared.items() if value}
    return replace(plan, tables=tables, declared=declared)


@dataclass(frozen=True, slots=True, repr=False)
class Carried(Brief):
    """What an earlier wave hands on beside survey.yaml and its tables.

    Attributes
    ----------
    rules : mapping
        What the new rules.yaml declares.
    rules_text : str
        Its text, with the comments of the earlier one; empty where there is none.
    copied : mapping of str to Path
        Files that are copied as they are, by their names in the new folder.
    texts : mapping of str to str
        Further files of the new folder, by name.
    report : tuple of str
        What was taken over, changed and left out: lines for the terminal.
    """

    rules: Mapping[str, Any]
    rules_text: str = ""
    copied: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    report: tuple[str, ...] = ()


@dataclass(slots=True, repr=False)
class _TakingOver:
    """An earlier wave, and what is noted while its files are taken over.

    Attributes
    ----------
    earlier : SurveyFile
    folder, target : Path
        Its folder, and the new one.
    areas : int or None
        How many areas the new wave has, where it has only some of the earlier ones.
    copied : dict of str to Path
    changed, left_out : list
        For the report.
    """

    earlier: SurveyFile
    folder: Path
    target: Path
    areas: int | None
    copied: dict[str, Path] = field(default_factory=dict)
    changed: list[object] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def carry(self, declared: dict[str, Any], key: str) -> str:
        """Take a file over that a declaration names, and return its name in the new folder.

        A file below the wave's folder is copied; one that several waves share, outside of it, stays where it is.
        """
        name = str(declared[key])
        path = self.folder / name
        if self.folder.resolve() in path.resolve().parents:
            self.copied[name] = path
            return name
        declared[key] = path_below(self.target, path)
        return str(declared[key])

    def leave_out(self, declared: dict[str, Any], key: str, *, place: str) -> None:
        """Take a key out of a declaration, if it stands there."""
        if declared.pop(key, None) is not None:
            self.left_out.append(place)

    def rules(self, before: Any, *, questionnaire: str) -> Any:
        """Return rules.yaml for the areas and the questionnaire of the new wave."""
        earlier = self.earlier
        rules = copy.deepcopy(before)
        rankings = rules.get("rankings", [])
        if self.areas is not None:
            fitting = _fitting_list(self.areas)
            for key in OF_THE_WHOLE_FIELD:
                self.leave_out(rules, key, place=f"{earlier.rules} {key}")
            for further in rankings:
                for key in OF_THE_WHOLE_FIELD:
                    place = f"{earlier.rules} rankings {further['score']} {key}"
                    self.leave_out(further, key, place=place)
                if "list_size" in further:
                    further["list_size"] = min(further["list_size"], fitting)
            size = rules["ranking"].get("list_size", 10)
            rules["ranking"]["list_size"] = min(size, fitting)
        history = rules.get("history") or {}
        if "file" in history:
            if questionnaire != earlier.questionnaire:
                history.setdefault("questionnaire", earlier.questionnaire)
            self.carry(history, "file")
        for further in rankings:
            of_ranking = further.get("history") or {}
            if "file" in of_ranking:
                self.changed.append(_history_to_add(self.carry(of_ranking, "file"), earlier.wave))
        return rules

    def combined(self) -> Any:
        """Return combined.yaml, empty without one; source and date of scores that belong to one wave are left open."""
        if not (self.folder / COMBINED).is_file():
            return {}
        combined = copy.deepcopy(read_yaml(self.folder / COMBINED, SurveyError).node)
        renewed: list[str] = []
        for name, component in combined.get("components", {}).items():
            if "assessment" in component:
                self.carry(component, "assessment")
            if self.areas is not None:
                self.leave_out(component, "earlier", place=f"{COMBINED} {name} earlier")
            elif "lost" in component:
                self.hand_on_sheets(component, name)
            scores = [component[key] for key in ("file", "lost", "sites") if key in component]
            if scores:
                renewed += scores
                component["source"] = str(STATE_THE_SOURCE)
                if "date" in component:
                    component["date"] = TO_FILL
        if renewed:
            line = _(
                "{combined}: source and date of {files}, which belong to one wave",
                combined=COMBINED,
                files=comma_list(renewed),
            )
            self.changed.append(line)
        return combined

    def hand_on_sheets(self, component: dict[str, Any], name: str) -> None:
        """Put the sheets of the wave behind those of the waves before it.

        Only where the component follows lost points already, and its own sheet is there.
        """
        wave = self.earlier.wave
        if "earlier" not in component or not (self.folder / component["lost"]).is_file():
            line = _(
                "{combined} {name}: to follow lost points, add {file} of {wave} under `earlier`",
                combined=COMBINED,
                name=name,
                file=component["lost"],
                wave=wave,
            )
            self.changed.append(line)
            return
        sheets = ("lost", "sites")
        for before in component["earlier"]:
            for key in sheets:
                if key in before:
                    self.carry(before, key)
        entry = {"wave": wave}
        for key in sheets:
            if key in component:
                file = Path(component[key])
                entry[key] = f"{file.stem}_{wave.lower()}{file.suffix}"
                self.copied[entry[key]] = self.folder / file
        component["earlier"].append(entry | {"source": component["source"]})


def _carried_over(
    document: Document,
    earlier: SurveyFile,
    *,
    questionnaire: str,
    target: Path,
    areas: int | None,
) -> Carried:
    """Return what an earlier wave hands on, and say it.

    Parameters
    ----------
    document, earlier : Document, SurveyFile
        Its survey.yaml.
    questionnaire : str
        name@version of the new wave.
    target : Path
        The new folder.
    areas : int or None
        How many areas the new wave has, where it has only some of the earlier ones.
    """
    folder = document.path.parent
    taking = _TakingOver(earlier, folder, target, areas)
    taking.changed.append("survey.yaml: survey, wave, title, fielded")
    for name in OF_ONE_WAVE:
        if getattr(earlier, name) is not None:
            line = _("survey.yaml {name}: its workbook, source and date", name=name)
            taking.changed.append(line)
    rules_document = read_yaml(folder / earlier.rules, SurveyError)
    rules = taking.rules(rules_document.node, questionnaire=questionnaire)
    rules_text = decode(rules_document.path)
    if rules != rules_document.node:
        rules_text = node_text(rules)
    combined = taking.combined()
    texts = {COMBINED: node_text(combined)} if combined else {}
    if areas is not None:
        taking.changed.append(_("rules.yaml: list_size, for so many areas: {n}", n=areas))
    copied = {name: path for name, path in taking.copied.items() if path.is_file()}
    taken = [*texts, *copied]
    used = {document.path.name, earlier.rules, *taken, *_tables_of(earlier).values()}
    used.update(path.relative_to(folder).as_posix() for path in copied.values())
    left_out = [*taking.left_out, *_left_out_of_survey(document, earlier, areas)]
    left_out += [name for name in _files_of(folder) if name not in used]

    keys = [key for key in document.data if key in COMMENTS and key not in NEW_KEYS]
    if areas is not None and "earlier" in keys:
        keys.remove("earlier")
    report = [
        str(_("Taken over from {folder}:", folder=folder)),
        f"  {earlier.rules}: {', '.join(rules)}",
        f"  survey.yaml: {', '.join(keys)}",
    ]
    if taken:
        report.append(f"  {', '.join(taken)}")
    changed = taking.changed
    if areas is None:
        changed += _history_lines(earlier, folder, target, history=rules.get("history") or {})
    report.append(str(_("Changed, or to be filled in:")))
    report += [f"  {line}" for line in changed]
    looked_at = _to_look_at(rules, combined, earlier)
    if looked_at:
        report.append(str(_("Taken over as it stands, to be looked at:")))
        report += [f"  {line}" for line in looked_at]
    if left_out:
        report += [str(_("Not taken over:")), f"  {', '.join(left_out)}"]
    return Carried(rules, rules_text, copied, texts, tuple(report))


def _left_out_of_survey(document: Document, earlier: SurveyFile, areas: int | None) -> list[str]:
    """Name what a new wave does not take over from survey.yaml."""
    declared = document.data
    left_out = []
    if areas is not None and earlier.earlier:
        left_out.append("survey.yaml earlier")
    if "simulated" in declared:
        left_out.append("survey.yaml simulated")
    if "backcheck" in declared.get("fieldwork", {}):
        left_out.append("survey.yaml fieldwork.backcheck")
    if "cases" in declared.get("outcomes", {}):
        left_out.append("survey.yaml outcomes.cases")
    if "#" in decode(document.path):
        left_out.append(str(_("comments in survey.yaml")))
    return left_out


def _files_of(folder: Path) -> list[str]:
    """Return the files of a wave but for its responses and results, as they are named from its folder."""
    names = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part[0] in ".~" for part in parts)
        if path.is_file() and parts[0] not in NOT_COPIED and not hidden:
            names.append("/".join(parts))
    return names


def _to_look_at(
    rules: Mapping[str, Any], combined: Mapping[str, Any], earlier: SurveyFile
) -> list[Text]:
    """Name what was decided for the wave before and stands in the new one unchanged."""
    lines = []
    of_rankings = [("", rules)]
    of_rankings += [(f" {one['score']}", one) for one in rules.get("rankings", [])]
    for name, declared in of_rankings:
        targets = declared.get("targets")
        if targets:
            place = f"rules.yaml{name} targets"
            lines.append(_("{place}: are they those of the new wave?", place=place))
        if (declared.get("history") or {}).get("gaps"):
            place = f"rules.yaml{name} history.gaps"
            lines.append(_("{place}: waves that did not take place", place=place))
    for key in ("comparable_with", "alternatives"):
        if combined.get(key):
            place = f"{COMBINED} {key}"
            lines.append(_("{place}: does it hold for the new wave too?", place=place))
    for name, component in combined.get("components", {}).items():
        for key in ("exact", "lasting"):
            if component.get(key):
                place = f"{COMBINED} {name} {key}"
                lines.append(_("{place}: does it hold for the new wave too?", place=place))
    for step in earlier.weighting:
        if isinstance(step, BaseStep) and step.files:
            files = ", ".join(step.files)
            lines.append(_("survey.yaml weighting: {files} of the new wave", files=files))
    return lines


def _history_to_add(file: str, wave: str) -> Text:
    return _("{file}: add the ranking published for {wave}", file=file, wave=wave)


def _history_lines(
    earlier: SurveyFile, folder: Path, target: Path, *, history: Mapping[str, Any]
) -> list[Text]:
    """Say where the ranks of the wave before come from, or what is to be done that they do."""
    back = path_below(target, folder)
    marked = handed_over(folder / "out")
    if marked is not None:
        return [
            _(
                "survey.yaml earlier: {path}, file set handed over on {date}",
                path=back,
                date=marked.date,
            )
        ]
    if not history and not earlier.earlier:
        return []
    lines = []
    if "file" in history:
        lines.append(_history_to_add(history["file"], earlier.wave))
    lines.append(
        _(
            "survey.yaml earlier: add {path} once its file set is marked: satisfaction verify "
            "{here}/out/latest --handed-over",
            path=back,
            here=folder,
        )
    )
    return lines
