"""One fielding of a questionnaire: survey.yaml, rules.yaml and the tables beside them, read into one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..errors import SurveyError, shortened
from ..io.files import expand
from ..io.tables import read_table
from ..io.yaml import Document, Label, read_yaml, validated
from ..questionnaire import Questionnaire, read_questionnaire
from .declared import BaseStep, CalibrationStep, Margin, Rules, Selection, SurveyFile

__all__ = ["BaseStep", "CalibrationStep", "Rules", "Selection", "Survey", "SurveyFile", "read_declared", "read_survey"]


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

    @property
    def name(self) -> str:
        """Return the survey's name."""
        return self.declared.survey

    @property
    def marks(self) -> Label | None:
        """Return what every output must say about the sample: simulated, or no design error; None if neither."""
        zh, en = [], []
        if self.declared.simulated:
            zh.append("模拟数据，不是真实调查结果")
            en.append("simulated data, not a real survey")
        if self.declared.selection != "probability":
            zh.append("非概率样本：基于模型，无抽样设计误差；名次不作“已确认”判断")
            en.append("not a probability sample: model-based, no design error; no rank is established")
        return Label(zh="；".join(zh), en="; ".join(en)) if zh else None

    def whole(self) -> str:
        """Return the name of the level of all areas together: the table's top level, else 'all'."""
        if self.areas is None:
            return "all"
        return str(self.areas.loc[self.areas["parent"] == "", "level"].iloc[0])

    def area_levels(self) -> list[str]:
        """Return the levels areas are published for, the ranked one first, then its ancestors ('county', 'prefecture')."""
        item = self.questionnaire.roles.area
        if self.areas is None:
            return [item]
        levels = dict(zip(self.areas["code"], self.areas["level"], strict=True))
        parents = dict(zip(self.areas["code"], self.areas["parent"], strict=True))
        found, code = [], next(code for code, level in levels.items() if level == item)
        while code in levels:
            found.append(levels[code])
            code = parents[code]
        return [level for level in found if level != self.whole()]

    def ranked_areas(self) -> list[str]:
        """Return the codes of the areas that are ranked."""
        if self.areas is None:
            return [str(code) for code in self.questionnaire.answers(self.questionnaire.roles.area)]
        current = self.areas[(self.areas["level"] == self.questionnaire.roles.area) & (self.areas["valid_to"] == "")]
        return list(current["code"])

    def area_names(self) -> dict[str, Label]:
        """Return the name of every area by its code; from the table of areas, else from the item's answers."""
        if self.areas is not None:
            current = self.areas[self.areas["valid_to"] == ""]
            english = current["name_en"] if "name_en" in current else current["name"]
            return {c: Label(zh=z, en=e) for c, z, e in zip(current["code"], current["name"], english, strict=True)}
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
    document = read_yaml(path if path.suffix in (".yaml", ".yml") else path / "survey.yaml", SurveyError)
    declared = validated(document, SurveyFile, SurveyError)
    return document, declared, _questionnaire_path(document, declared)


def read_survey(path: str | Path) -> Survey:
    """Read one survey folder (or its survey.yaml).

    Raises
    ------
    SurveyError
        For a key, table, column or reference that does not fit, with file and line.
    QuestionnaireError, InputFileError
        From the files it points to.
    """
    document, declared, instrument = read_declared(path)
    folder = document.path.parent
    questionnaire = read_questionnaire(instrument)
    rules_path = folder / declared.rules
    rules_document = read_yaml(rules_path, SurveyError)
    rules = validated(rules_document, Rules, SurveyError)
    tables = {name: getattr(declared, name) for name in ("areas", "frame", "sample") if getattr(declared, name)}
    loaded = {name: _facts(folder / table.file, _columns(name, questionnaire)) for name, table in tables.items()}
    margins = {
        name: _margin(folder / margin.file, margin, questionnaire, document, name) for name, margin in declared.margins.items()
    }
    sources = [document.path, instrument, rules_path, *(folder / t.file for t in (*tables.values(), *declared.margins.values()))]
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
        tuple(expand(folder, tuple(declared.files))),
    )
    _check_rules(survey, rules_document)
    _check_frame(survey)
    return survey


def _check_frame(survey: Survey) -> None:
    """Refuse a frame and a sample that do not have the same strata."""
    if survey.frame is None or survey.sample is None:
        return
    columns = survey.questionnaire.roles.strata
    frame, sample = ({*table[columns].itertuples(index=False, name=None)} for table in (survey.frame, survey.sample))
    for code, strata, zh, en in (
        ("S144", frame - sample, "抽样框中的层没有样本", "Strata of the frame have no sample"),
        ("S145", sample - frame, "样本中的层不在抽样框中", "Strata of the sample are not in the frame"),
    ):
        if strata:
            listed = shortened(" / ".join(stratum) for stratum in sorted(strata))
            raise SurveyError(
                code,
                f"{zh}: {listed}。",
                f"{en}: {listed}.",
                where=f"{survey.folder}: frame, sample",
                hint=("补全样本表，或改正抽样框。", "Complete the sample table, or correct the frame."),
            )


def _check_rules(survey: Survey, document: Document) -> None:
    """Refuse targets of areas that are not ranked, or outside the number of places."""
    ranked = survey.ranked_areas()
    for code, target in survey.rules.targets.items():
        if code not in ranked:
            raise SurveyError(
                "S141",
                f"targets 中的地区 '{code}' 不参与排名。",
                f"Target area '{code}' is not ranked.",
                where=document.place(("targets", code)),
                available=ranked,
                got=code,
                hint=("改为参与排名的地区代码。", "Use the code of a ranked area."),
            )
        if target.top >= len(ranked):
            raise SurveyError(
                "S142",
                f"目标名次 {target.top} 须小于 {len(ranked)}。",
                f"A target of {target.top} places must be below {len(ranked)}.",
                where=document.place(("targets", code, "top")),
                hint=("改小 top。", "Lower `top`."),
            )
    if survey.rules.ranking.list_size >= len(ranked):
        raise SurveyError(
            "S143",
            f"list_size 须小于 {len(ranked)}。",
            f"list_size must be below {len(ranked)}.",
            where=document.place(("ranking", "list_size")),
            hint=("改小 list_size。", "Lower `list_size`."),
        )


def _questionnaire_path(document: Document, declared: SurveyFile) -> Path:
    """Look for questionnaires/<name>/<version>.yaml in the folders above the survey."""
    name, version = declared.questionnaire.split("@")
    shelves = [parent / "questionnaires" for parent in document.path.resolve().parents]
    for shelf in shelves:
        if (found := shelf / name / f"{version}.yaml").is_file():
            return found
    there = sorted(f"{p.parent.name}@{p.stem}" for shelf in shelves if shelf.is_dir() for p in shelf.glob("*/*.yaml"))
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


def _columns(table: str, questionnaire: Questionnaire) -> tuple[str, ...]:
    roles = questionnaire.roles
    return {
        "areas": ("code", "name", "level", "parent", "valid_from", "valid_to"),
        "frame": (*roles.strata, "population"),
        "sample": (str(roles.psu), *roles.strata, "psu_probability", "person_probability", "planned"),
    }[table]


def _facts(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    table = read_table(path)
    for column in columns:
        if column not in table:
            raise SurveyError(
                "S131",
                f"表中没有列 '{column}'。",
                f"Column '{column}' not found.",
                where=f"{path} row 1",
                available=table.columns,
                got=column,
                hint=("补上或改正该列名。", "Add the column or correct its name."),
            )
    return table.map(str.strip)


def _margin(path: Path, margin: Margin, questionnaire: Questionnaire, document: Document, name: str) -> pd.DataFrame:
    if unknown := [item for item in margin.by if item not in questionnaire.items]:
        raise SurveyError(
            "S132",
            f"边际 '{name}' 用到了问卷中没有的题目 '{unknown[0]}'。",
            f"Margin '{name}' uses '{unknown[0]}', which is no item.",
            where=document.place(("margins", name, "by")),
            available=questionnaire.items,
            got=unknown[0],
            hint=("改为问卷中的题目。", "Use an item of the questionnaire."),
        )
    table = _facts(path, (*margin.by, "population"))
    counts = pd.to_numeric(table["population"], errors="coerce")
    if (wrong := table.index[counts.isna() | (counts < 0)]).size:
        raise SurveyError(
            "S133",
            f"population 不是非负数（第 {shortened(wrong + 2)} 行）。",
            f"`population` is no count (rows {shortened(wrong + 2)}).",
            where=str(path),
            hint=("改为人数。", "Write the number of people."),
        )
    return table[margin.by].assign(population=counts.astype(float))
