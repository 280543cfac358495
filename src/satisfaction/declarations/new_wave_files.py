"""What a new wave's folder holds: the text of survey.yaml and rules.yaml, and workbooks to fill in."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from satisfaction.declarations.facts import DISPOSITIONS, current_areas, names_of_areas
from satisfaction.declarations.items import AreaItem, DateItem, MultipleItem, NumberItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.rules import Rules
from satisfaction.declarations.wave import DEFAULT_FILES, SurveyFile
from satisfaction.foundation.errors import shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import LANGUAGES, Text, _
from satisfaction.foundation.workbooks import (
    DATA,
    EXAMPLE,
    TEMPLATE,
    TemplateColumn,
    write_template,
)
from satisfaction.foundation.yaml import FILL_IN, STATE_THE_SOURCE, Record, meaning_of, yaml_text

OPTIONAL = "#: "  # in front of every line of a block that is not declared yet
TO_FILL = "YYYY-MM-DD"
START = (
    _("The declarations of one wave."),
    _(
        "Comments explain every block; a block whose lines begin with “#: ” is off until you take "
        "these three characters away."
    ),
)
RULES_START = (
    _("How the list is made and what happens to faulty answers."),
    _("No official rule was found publicly: state yours and its source."),
    _("list_size: length of the list; minimum_n: answers an area needs to be ranked"),
    _(
        "minimum_df, minimum_deff: where an area's own error has less, how certain its rank is "
        "follows from the design effect of a larger area"
    ),
)
ALWAYS_ACTIVE = (
    "survey",
    "title",
    "questionnaire",
    "selection",
    "files",
    "numbering",
    "lonely_psu",
    "level",
    "languages",
    "rules",
)


def sourced() -> dict[str, str]:
    """Return source and date of a table, to be filled in."""
    return {"source": str(STATE_THE_SOURCE), "date": TO_FILL}


def _comments(record: type[Record]) -> dict[str, Text]:
    """Return what is said of the keys of a declaration."""
    comments = {}
    for key in record.model_fields:
        if meaning := meaning_of(record, key):
            comments[key] = meaning
    return comments


COMMENTS = _comments(SurveyFile)
RULE_COMMENTS = _comments(Rules)


def _commented(*lines: Text) -> str:
    return "".join(f"# {line}\n" for line in lines)


def _block(comment: Text, data: dict[str, Any], *, active: bool) -> str:
    lines = yaml_text(data).rstrip("\n")
    if not active:
        lines = textwrap.indent(lines, OPTIONAL)
    return f"\n{_commented(comment)}{lines}\n"


def rules_yaml(rules: Mapping[str, Any], *, ranked: str, text: str = "") -> str:
    """Return rules.yaml: what is declared (as `text`, where it has one), then what else may stand there, as examples that are off."""
    label = {"zh": FILL_IN.zh, "en": FILL_IN.en}
    source = str(STATE_THE_SOURCE)
    examples: dict[str, Any] = {
        "thresholds": [{"measure": ranked, "below": 60, **label, "source": source}],
        "escalation": {"steps": [{"listed_in_a_row": 1, **label}], "source": source},
        "suppression": {
            "minimum_n": 30,
            "minimum_psus": 3,
            "complementary": "smallest",
            "source": source,
        },
    }
    if not text:
        text = _commented(*RULES_START) + yaml_text(dict(rules))
    for key, example in examples.items():
        if key not in rules:
            text += _block(RULE_COMMENTS[key], {key: example}, active=False)
    return text


def survey_yaml(questionnaire: Questionnaire, declared: Mapping[str, Any], *, name: str) -> str:
    """Return survey.yaml: the declared blocks, then the others as examples that are off."""
    roles = questionnaire.roles
    quarter = re.search(r"(\d{4})q([1-4])$", name)
    wave = f"{quarter[1]}Q{quarter[2]}" if quarter else name
    title = _("Resident survey {wave}", wave=wave)
    margins = {}
    for margin, item in margin_items(questionnaire).items():
        by = [roles.area, item]
        margins[margin] = {"file": f"margin_{margin}.xlsx", "by": by, **sourced()}
    weighting: list[dict[str, Any]] = []
    cells = quota_items(questionnaire)
    fieldwork = {
        "survey": name,
        "title": {"zh": title.zh, "en": title.en},
        "questionnaire": questionnaire.reference,
        "selection": "quota",
        "fielded": {"start": TO_FILL, "end": TO_FILL},
        "files": [DEFAULT_FILES],
        "ignore": ["responses/readme.txt"],
        "numbering": "survey",
    }
    tables = {
        "areas": {"file": "areas.xlsx", **sourced()},
        "quota": {"file": "quotas.xlsx", "by": cells, **sourced()},
        "outcomes": {"file": "outcomes.xlsx", **sourced()},
        "margins": margins,
    }
    results = {
        "weighting": weighting,
        "lonely_psu": "fail",
        "level": 0.95,
        "tests": {"pairs": True, "rest": True, "change": True, "reliability": True},
        "languages": list(LANGUAGES),
        "rules": "rules.yaml",
    }
    blocks: dict[str, Any] = fieldwork | tables | results
    if roles.strata:
        blocks["frame"] = {"file": "frame.xlsx", **sourced()}
        base = {"step": "base"}
        if not roles.psu:
            base["source"] = "frame"
        weighting.append(base)
    if roles.psu:
        blocks["sample"] = {"file": "sample.xlsx", **sourced()}
    if margins:
        raking = {"step": "calibration", "method": "raking", "margins": list(margins)}
        weighting.append(raking)
    if roles.calibration:
        reinterviews = {"file": "backcheck.xlsx", "items": roles.calibration, **sourced()}
        blocks["fieldwork"] = {"backcheck": reinterviews}
    if questionnaire.overall is None:
        blocks["overall"] = next(iter(questionnaire.overall_rates()), None)
    blocks |= declared
    active = {*ALWAYS_ACTIVE, *declared}
    if isinstance(questionnaire.items[roles.area], AreaItem):
        active.add("areas")
    text = _commented(*START)
    for key, comment in COMMENTS.items():
        if blocks.get(key):
            data = {key: blocks[key]}
            if key == "survey":
                data["wave"] = wave
            text += _block(comment, data, active=key in active)
    return text


def margin_items(questionnaire: Questionnaire) -> dict[str, str]:
    """Return the items to calibrate by within areas, by the names of their margins."""
    area, *items = quota_items(questionnaire)
    return {f"{area}_{item}": item for item in items}


def quota_items(questionnaire: Questionnaire) -> list[str]:
    """Return the items that make the cells of a quota: the area, and those to calibrate by."""
    roles = questionnaire.roles
    return list(dict.fromkeys([roles.area, *roles.calibration]))


NOT_COUNTED = _(
    "Fill in sheet {data}, leave its row 1 as it is; sheet {example} is not counted.",
    data=DATA,
    example=EXAMPLE,
)
OF_ONE_SAMPLE = ("sample", "nonrespondents")  # an earlier wave hands on their columns, no rows
POPULATION = TemplateColumn("population", _("population"), kind="number", example="12345")
PLANNED = TemplateColumn("planned", _("planned interviews"), kind="number", example="20")
CHANCES = [
    TemplateColumn("psu_probability", _("inclusion probability of the PSU"), example="0.05"),
    TemplateColumn(
        "person_probability",
        _("inclusion probability of a person within the PSU"),
        example="0.05",
    ),
]
AREA_COLUMNS = [
    TemplateColumn("code", _("six-digit code"), example="520102"),
    TemplateColumn("name", _("name"), example=_("Nanming District")),
    TemplateColumn("name_en", _("name in English; optional"), example="Nanming District"),
    TemplateColumn("level", _("level, county for instance"), example="county"),
    TemplateColumn("parent", _("code of the area above"), example="520100"),
    TemplateColumn("valid_from", _("valid from"), example="2010-11-01"),
    TemplateColumn("valid_to", _("valid to; empty while valid")),
]
UNITS_IN_ALL = TemplateColumn(
    "units_in_all",
    _(
        "how many areas of the surveyed level it has, surveyed or not; totals are "
        "named for what they cover"
    ),
)
OUTCOME_COLUMNS = [
    TemplateColumn(
        "code",
        _("outcome code as the telephone system exports it"),
        example="3",
    ),
    TemplateColumn("zh", _("meaning"), example=_("cannot be reached")),
    TemplateColumn("en", _("meaning in English"), example="cannot be reached"),
    TemplateColumn(
        "disposition",
        _("AAPOR category"),
        kind="key",
        choices=DISPOSITIONS,
        example="UH",
    ),
]


@dataclass(frozen=True, slots=True, repr=False)
class NewWaveSource(Brief):
    """What the new folder is made from: a questionnaire, the tables at hand by name, and declarations taken over."""

    questionnaire: Questionnaire
    tables: Mapping[str, pd.DataFrame]
    declared: Mapping[str, Any]

    def codes(self, item: str) -> dict[str, object]:
        """Return what a drop-down for an item offers: codes and their meaning."""
        declared = self.questionnaire.items[item]
        if isinstance(declared, AreaItem) and "areas" in self.tables:
            current = current_areas(self.tables["areas"], item)
            return dict(names_of_areas(current))
        meanings = {**self.questionnaire.choices(item), **self.questionnaire.special(item)}
        return {str(code): meaning for code, meaning in meanings.items()}

    def column(self, name: str) -> TemplateColumn:
        """Return an item's column: its labels, its codes, and a plausible example."""
        item = self.questionnaire.items[name]
        text = (item.wording or item).text
        if isinstance(item, DateItem):
            return TemplateColumn(name, text, kind="date", example="2026-10-08")
        if isinstance(item, NumberItem):
            return TemplateColumn(
                name,
                text,
                kind="number",
                example=str(item.low),
                low=item.low,
                high=item.high,
            )
        codes = self.codes(name)
        kind: Literal["code", "key", "text"] = "text"
        example = next(iter(codes), "A-0001")
        if isinstance(item, MultipleItem):
            example = item.separator.join(list(codes)[:2])
        elif isinstance(item, SingleItem):
            kind = "code"
        elif codes:
            kind = "key"
        return TemplateColumn(name, text, kind=kind, choices=codes, example=example)


def write_blank_responses(plan: NewWaveSource, folder: Path) -> None:
    """Write responses/responses.xlsx in the current language: a column an item, in the questionnaire's order."""
    questionnaire = plan.questionnaire
    required = [name for name, item in questionnaire.items.items() if item.required]
    notes = [
        _(
            "{template}: {title} ({questionnaire})",
            template=TEMPLATE,
            title=questionnaire.title,
            questionnaire=questionnaire.reference,
        ),
        _("One row of sheet {data} is one respondent; leave row 1 as it is.", data=DATA),
        _(
            "Single answers: choose a code from the drop-down. Several answers: codes with "
            "semicolons between, as in 1;3."
        ),
        _("Leave empty what was not answered; sheet {example} is not counted.", example=EXAMPLE),
        _("No names, telephone numbers, addresses or identity numbers."),
        _("Required: {columns}", columns=shortened(required, 99)),
        _("When it is filled in, run: satisfaction check {folder}", folder=_("FOLDER")),
    ]
    columns = [plan.column(name) for name in questionnaire.items]
    write_template(folder / "responses" / "responses.xlsx", columns, notes=notes)


def write_tables(plan: NewWaveSource, folder: Path) -> None:
    """Write the workbooks of the tables of facts in the current language, each with the rows that are known already."""
    questionnaire = plan.questionnaire
    roles = questionnaire.roles
    written = set()

    def write(
        name: str, columns: list[TemplateColumn], note: Text, *, rows: list[list[str]] | None = None
    ) -> None:
        """Write a workbook to fill in, under the columns and rows of the table that is taken over, if one is."""
        written.add(name)
        table = plan.tables.get(name)
        if table is not None:
            known = {column.name: column for column in (*columns, UNITS_IN_ALL)}
            columns = [known.get(title, TemplateColumn(title, Text(title))) for title in table]
            rows = None if name in OF_ONE_SAMPLE else table.to_numpy().tolist()
        notes = [note, NOT_COUNTED]
        write_template(folder / f"{name}.xlsx", columns, notes=notes, rows=rows or [])

    def write_cells(name: str, items: list[str], count: TemplateColumn, *, note: Text) -> None:
        """Write every combination of the items' codes, its count left empty; no rows where a code is not known."""
        cells = list(map(plan.column, items))
        levels = []
        for cell in cells:
            special = {str(code) for code in questionnaire.special(cell.name)}
            levels.append([code for code in cell.choices or {} if code not in special])
        rows = [[*codes, ""] for codes in itertools.product(*levels)]
        write(name, [*cells, count], note, rows=rows)

    write("areas", AREA_COLUMNS, _("Table of areas; `parent` of the top one is left empty."))
    note = _("Quotas: planned interviews of every cell.")
    write_cells("quotas", quota_items(questionnaire), PLANNED, note=note)
    write(
        "outcomes",
        OUTCOME_COLUMNS,
        _("Which AAPOR category each outcome code belongs to; the team decides."),
    )
    if roles.calibration:
        asked_again = list(map(plan.column, [roles.respondent, *roles.calibration]))
        note = _(
            "Re-interviews: the number, and items asked again that do not change. Where "
            "`numbering` in survey.yaml is area or file, write the number in full, as in 520121:7."
        )
        write("backcheck", asked_again, note)
    if roles.strata:
        note = _("Sampling frame: population of every stratum.")
        write_cells("frame", roles.strata, POPULATION, note=note)
    if roles.psu:
        sampled = list(map(plan.column, [roles.psu, *roles.strata]))
        note = _("Sample: PSUs and their inclusion probabilities.")
        write("sample", [*sampled, *CHANCES, PLANNED], note)
    if "margins" not in plan.declared:
        for name, item in margin_items(questionnaire).items():
            note = _("Calibration margin: population counts.")
            write_cells(f"margin_{name}", [roles.area, item], POPULATION, note=note)
    for name in plan.tables.keys() - written:
        write(name, [], _("Columns as in the earlier wave."))
