"""What a new wave takes over from an earlier one beside survey.yaml and its tables, and what it does not: both are said."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SurveyError
from ..io.files import decode
from ..io.yaml import SOURCE, Document, read_yaml
from ..io.yaml_text import node_text
from ..survey import SurveyFile
from .declarations import COMMENTS, TO_FILL

COMBINED = "combined.yaml"
OF_THE_WHOLE_FIELD = ("targets", "history", "escalation")  # ranks among all areas mean nothing among some of them
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


def carried_over(earlier: Document, before: SurveyFile, *, questionnaire: str, areas: int | None, tables: set[str]) -> Carried:
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
    gone = [key for key in OF_THE_WHOLE_FIELD if areas is not None and node.pop(key, None) is not None]
    if areas is not None:
        node["ranking"]["list_size"] = min(node["ranking"].get("list_size", 10), fitting_list(areas))
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
    left = sorted(path.name for path in folder.iterdir() if path.name not in (*known, *NOT_COPIED) and path.name[0] not in ".~")
    said = [f"由 {folder} 沿用 taken over from {folder}:"]
    said += [f"  {before.rules}: {', '.join(node)}"]
    said += [f"  survey.yaml: {', '.join(key for key in earlier.data if key in COMMENTS and key not in RENEWED)}"]
    said += [f"  {', '.join([*texts, *(path.name for path in copied)])}"] if texts or copied else []
    said += ["改变或待填 changed or to be filled in:", *(f"  {line}" for line in _changes(before, renewed, areas))]
    if "history" in node:
        file = node["history"]["file"]
        said.append(f"  {file}: 请补上 {before.wave} 公布的排名 add the ranking published for {before.wave}")
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
    return [one["assessment"] for one in combined.get("components", {}).values() if "assessment" in one]


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
