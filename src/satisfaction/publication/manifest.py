"""What a set says of itself, to programs and to people: what it was made from, how, and what is confirmed.

manifest.json; datapackage.json, which describes the csv files as Frictionless table schemas, so that any program can check
them; README.txt; the page on which the office confirms the figures; what is said of a weighting recipe that was adopted
after results were seen.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from satisfaction import __version__
from satisfaction.collection.account import unanswered_areas
from satisfaction.declarations.earlier import earlier_notes
from satisfaction.declarations.survey import Survey, read_survey, what_is_tested
from satisfaction.foundation.figures import unit_of
from satisfaction.foundation.file_sets import FORMAT
from satisfaction.foundation.files import in_order, path_below, read_bytes, refuse_changed, sha256
from satisfaction.foundation.language import Language, Text, _, comma_list, use
from satisfaction.foundation.pages import across, fill
from satisfaction.foundation.personal import masked_names
from satisfaction.foundation.shipped import program_digest
from satisfaction.pipeline import FIGURES, PARTS, Ranked, Results, figures_digest, weighting_log
from satisfaction.publication.columns import COLUMNS
from satisfaction.publication.labels import DIGITS, area_labels, mark, measure_labels
from satisfaction.ranking.suppression import SHIELD, SMALL

Content: TypeAlias = dict[str, Any]
"""Part of a JSON file."""
FORMAT_NAME = "satisfaction-file-set"
PACKAGES = (
    "duckdb",
    "matplotlib",
    "narwhals",
    "numpy",
    "pandas",
    "scipy",
    "xlsxwriter",
)
PROGRAM_FILES = "satisfaction_files"

KEYS = {
    "indices": ["level", "code", "measure"],
    "ranking": ["code"],
    "covariance": ["code", "other_code"],
    "ranking_sentences": ["code"],
    "ranking_within": ["level", "code"],
    "ranking_escalation": ["code"],
    "ranking_ladder": ["code", "step_number"],
    "ranking_waves": ["wave", "code"],
    "ranking_within_waves": ["wave", "code"],
    "ranking_targets": ["code", "target"],
    "ranking_thresholds": ["code", "measure", "threshold"],
    "tests": ["test", "measure", "variable", "first", "second"],
    "reliability": ["part", "measure", "item"],
    "selection_model": ["level", "code", "measure", "model"],
    "selection_sensitivity": ["level", "code", "measure"],
    "selection_odds": ["code"],
    "combined_scores": ["level", "code", "component"],
    "indicators": ["level", "code", "topic"],
    "lost": [],
    "items": ["item"],
    "departments": ["department"],
}
INTO_INDICES = (
    "ranking",
    "ranking_within",
    "ranking_thresholds",
    "selection_model",
    "selection_sensitivity",
)
INTO_RANKING = (
    "covariance",
    "ranking_sentences",
    "ranking_targets",
    "ranking_escalation",
    "selection_odds",
    "ranking_ladder",
)
AREA_CODE = "[0-9]{6}"


def manifest(results: Results, *, revision: int = 1) -> Content:
    """Return what the results were made from and how: inputs with hashes, versions, steps, conventions, counts.

    Holds no clock and no path of the machine: the same inputs give the same manifest.
    """
    survey = results.survey
    declared = survey.declared
    simulated = declared.simulated
    content: Content = {
        "format": {"name": FORMAT_NAME, "version": FORMAT},
        "revision": revision,
        "survey": survey.name,
        "wave": declared.wave,
        "questionnaire": survey.questionnaire.reference,
        "selection": declared.selection,
        "mark": mark(survey),
    }
    content |= _selection_model(results) | _trial(survey)
    content["simulated_seed"] = simulated.seed if simulated else None
    content["inputs"] = inputs(results)
    content |= _rows_account(results)
    content["steps"] = {
        # what survey.yaml leaves to a default stands in the step's record
        "declared": [step.model_dump(exclude_unset=True) for step in declared.weighting],
        "weighting": list(weighting_log(results)),
    }
    adoption = adoption_record(results)
    if adoption:
        content["weighting_record"] = adoption
    content |= _earlier(survey)
    levels = results.estimates.items()
    content |= {
        "absent": results.absent,
        "estimates": {level: estimates.conventions for level, estimates in levels},
    }
    if survey.ranking_name:
        content["ranking_name"] = survey.ranking_name
    content["ranking"] = dict(results.ranking.summary)
    content |= _further(results)
    left_out = []
    for group in results.rankings.left_out:
        record = {"level": group.level, "parent": group.parent, "codes": group.codes}
        left_out.append(record | {"reason": group.reason.both})
    return content | {
        "left_out": left_out,
        "rules": _rules(survey),
        "suppressed": suppressed_counts(results),
        "tests": what_is_tested(survey),
        "digits": DIGITS,
        "versions": versions(),
    }


def _selection_model(results: Results) -> Content:
    """Return the model of who answers as declared, and the wave that it takes for the population; nothing without one."""
    model = results.survey.declared.selection_model
    if model is None:
        return {}
    content = model.model_dump(exclude_none=True)
    study = results.selection_study
    if study is not None and study.reference is not None:
        reference = study.reference
        content["reference_wave"] = {
            "survey": reference.survey.name,
            "wave": reference.survey.declared.wave,
            "questionnaire": reference.survey.questionnaire.reference,
            "respondents": len(reference.people.table),
            "left_out": reference.left_out,
        }
    return {"selection_model": content}


def _trial(survey: Survey) -> Content:
    """Return what is not as the survey's folder has it; nothing where all is."""
    departures = survey.departures()
    if not departures:
        return {}
    return {"trial": list(departures), "used": used_declarations(survey)}


def _earlier(survey: Survey) -> Content:
    """Return the earlier sets that ranks are compared with; nothing where there are none."""
    if not survey.earlier:
        return {}
    sets = []
    for wave in survey.earlier:
        record = {"wave": wave.wave, "survey": wave.survey, "set": wave.folder.name}
        sets.append(record | {"revision": wave.revision, "handed_over": wave.handed_over})
    return {"earlier": sets, "earlier_notes": [note.both for note in earlier_notes(survey)]}


def used_declarations(survey: Survey) -> Content:
    """Return the declarations of a trial that are not those of the folder, by the names of `Survey.departures`.

    Tables and parts of results that were put in by hand stand in no record.
    """
    declarations = {"survey.yaml": survey.declared, survey.declared.rules: survey.rules}
    used = {}
    for departure in survey.departures():
        file, _colon, key = departure.partition(": ")
        declaration = declarations.get(file)
        if declaration is not None and key in type(declaration).model_fields:
            stated = declaration.model_dump(mode="json", include={key}, exclude_unset=True)
            whole = declaration.model_dump(mode="json", include={key})
            used[departure] = stated.get(key, whole[key])
    return used


def _rules(survey: Survey) -> Content:
    """Return the rules of one ranking as they are declared."""
    rules = survey.rules.model_dump(exclude={"rankings"})
    if rules["ranking"]["tie_break"] is None:
        del rules["ranking"]["tie_break"]
    for threshold in rules["thresholds"]:
        if threshold["on_list"] is None:
            del threshold["on_list"]
    return rules


def versions() -> dict[str, str]:
    """Return the versions of what computes the figures, by name; of this program its files, too.

    A version stays the same while a program is worked on, its files and its catalogue do not.
    """
    packages = {package: importlib.metadata.version(package) for package in PACKAGES}
    packages["satisfaction"] = __version__
    packages[PROGRAM_FILES] = program_digest()
    return {"python": platform.python_version()} | packages


def _further(results: Results) -> Content:
    """Return what the wave's other rankings rest on, the combined score, and what is awaited; nothing where there are none."""
    content: Content = {}
    rankings = {}
    for name, other in results.further.items():
        rules = _rules(other.survey)
        record = {"score": other.survey.ranked, "rules": rules}
        rankings[name] = record | {"ranking": dict(other.ranking.summary)}
    if rankings:
        content["rankings"] = rankings
    if results.combined is not None:
        declared = results.combined.inputs.declared
        content["combined"] = declared.model_dump(mode="json", exclude_none=True)
    if results.awaited:
        content["awaited"] = results.awaited
    return content


def _rows_account(results: Results) -> Content:
    """Account for every row that was read: by file, not read, areas without answers, sums."""
    responses = results.responses
    counted = ("rows", "accepted", "rejected", "blanked")
    rows = {name: int(responses.summary[name].sum()) for name in counted}
    silent = unanswered_areas(results.survey, responses.by_area)
    balanced = rows["rows"] == rows["accepted"] + rows["rejected"]
    return {
        "responses": responses.summary.to_dict("records"),
        "not_read": responses.not_read.to_dict("records"),
        "areas_without_answers": list(silent["code"]),
        "rows": rows | {"balanced": balanced},
    }


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: numbers to 12 digits, mappings and tuples unfolded, nan as null, words in both languages."""
    if isinstance(value, Text):
        return value.both
    if isinstance(value, Mapping) and set(value) == {"zh", "en"}:
        return Text(**value).both
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value


def beside_folder(results: Results) -> Results:
    """Return results whose survey knows where they depart from its folder as it is now: they are a trial then."""
    official = read_survey(results.survey.sources[0]).without_rankings(results.awaited)
    foreign = [name for name in PARTS if getattr(results, name) is not results.computed.get(name)]
    of_figures = {"estimates", "all_rankings"}
    is_own = FIGURES in results.computed and not of_figures & set(foreign)
    if is_own and figures_digest(results) != results.computed[FIGURES]:
        foreign.append("results: figures changed in place")
    altered = tuple(dict.fromkeys([*results.survey.altered, *foreign]))
    survey = replace(results.survey, as_read=official, altered=altered)
    if survey.departures() == altered:  # every table asks for the mark: compared once is enough
        survey = replace(survey, as_read=None)
    return replace(results, survey=survey, computed=results.computed | {"survey": survey})


def suppressed_counts(results: Results) -> dict[str, int]:
    """Count the cells that the suppression rule withholds, by reason."""
    notes = [note for estimates in results.estimates.values() for note in estimates.table["note"]]
    return {"small": notes.count(SMALL.both), "complementary": notes.count(SHIELD.both)}


def inputs(results: Results) -> dict[str, str]:
    """Return the SHA-256 of the bytes that were read of every file, by its name as `input_names` has it.

    Raises
    ------
    InputFileError
        F420 for a file that is no longer what was read.
    """
    read = {**results.survey.read, **results.responses.read}
    study = results.selection_study
    if study is not None and study.reference is not None:
        read |= study.reference.read
    if results.wave_before is not None:
        read |= results.wave_before.computed.read
    refuse_changed(read)
    names = _names_in_set(results.survey, read)
    return {names[path]: digest for path, digest in read.items()}


def input_names(survey: Survey) -> set[str]:
    """Return the names of a survey's input files: their paths below its folder, personal data masked."""
    paths = [os.path.abspath(path) for path in (*survey.sources, *survey.files)]
    return set(_names_in_set(survey, paths).values())


def _names_in_set(survey: Survey, paths: Iterable[str]) -> dict[str, str]:
    ordered = sorted(paths)
    below = [path_below(survey.folder, path) for path in ordered]
    return dict(zip(ordered, masked_names(below), strict=True))


def datapackage(
    results: Results, tables: dict[str, pd.DataFrame], folder: Path, *, revision: int
) -> Content:
    """Describe the csv files of a set.

    Parameters
    ----------
    results : Results
    tables : mapping
        The published tables by file name without ending, `indices` and `ranking` among them.
    folder : Path
        Where their files lie: sizes and hashes come from there.
    revision : int
    """
    survey = results.survey
    area_codes = tables["indices"]["code"]
    patterns = {}
    if area_codes.str.fullmatch(AREA_CODE).all():
        patterns = dict.fromkeys(("code", "other_code", "within"), AREA_CODE)
    composed = set(survey.composed)
    described = [
        _resource(name, tables, folder, patterns=patterns, composed=composed) for name in tables
    ]
    in_chinese = [
        _in_chinese(resource, folder)
        for resource in described
        if resource["name"].split("-")[-1] in ("indices", "ranking")
    ]
    return {
        "profile": "tabular-data-package",
        "name": FORMAT_NAME,
        "version": FORMAT,
        "title": survey.declared.title.text.both,
        "description": mark(survey),
        "revision": revision,
        "survey": survey.name,
        "wave": survey.declared.wave,
        "resources": [*described, *in_chinese],
    }


def _resource(
    name: str,
    tables: dict[str, pd.DataFrame],
    folder: Path,
    *,
    patterns: dict[str, str],
    composed: set[str],
) -> Content:
    table = tables[name]
    fields = [_field(column, table[column], patterns.get(column, "")) for column in table]
    kind = kind_of(name)
    schema: Content = {"fields": fields, "missingValues": [""]}
    if KEYS[kind]:
        schema["primaryKey"] = KEYS[kind]
    beside_indices = kind != name and "measure" in table and composed.intersection(table["measure"])
    if kind in INTO_INDICES and not beside_indices:
        schema["foreignKeys"] = [_reference(["code", "measure"], "indices")]
    elif kind in INTO_RANKING:
        ranking = f"{name.removesuffix(kind)}ranking"
        # a target may be a larger area's, which is ranked within the whole
        if table["code"].isin(tables[ranking]["code"]).all():
            schema["foreignKeys"] = [_reference(["code"], ranking.replace("_", "-"))]
    return {"name": name.replace("_", "-"), **_file(folder / f"{name}.csv"), "schema": schema}


def kind_of(name: str) -> str:
    """Return which table a file holds: that of another ranking has the ranking's name in front."""
    kinds = [kind for kind in KEYS if name == kind or name.endswith(f"_{kind}")]
    return max(kinds, key=len)


def _in_chinese(resource: Content, folder: Path) -> Content:
    """Describe the file that holds the same rows under Chinese headings."""
    schema = resource["schema"]
    name = resource["name"]
    file = Path(resource["path"]).stem
    fields = [field | {"name": COLUMNS[field["name"]].title.zh} for field in schema["fields"]]
    key = [COLUMNS[column].title.zh for column in schema["primaryKey"]]
    chinese_schema = {"fields": fields, "missingValues": [""], "primaryKey": key}
    return {"name": f"{name}-zh", **_file(folder / f"{file}_zh.csv"), "schema": chinese_schema}


def _file(path: Path) -> Content:
    return {
        "path": path.name,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8-sig",
        "dialect": {
            "delimiter": ",",
            "lineTerminator": "\n",
            "quoteChar": '"',
            "doubleQuote": True,
        },
        "bytes": len(read_bytes(path)),
        "hash": f"sha256:{sha256(path)}",
    }


def _field(name: str, values: pd.Series, pattern: str) -> Content:
    """Describe a column; whole numbers that a rule makes fractional (ranks of tied units) are numbers."""
    column = COLUMNS[name]
    fractional = column.type == "integer" and pd.api.types.is_float_dtype(values)
    constraints = {
        "minimum": column.low,
        "maximum": column.high,
        "required": column.filled or None,
        "enum": list(column.allowed) or None,
        "pattern": pattern or None,
    }
    constraints = {name: bound for name, bound in constraints.items() if bound is not None}
    field: Content = {
        "name": name,
        "type": "number" if fractional else column.type,
        "title": f"{column.title.zh} {column.title.en}",
        "description": column.meaning.both,
    }
    if column.unit:
        field["unit"] = column.unit.both
    if constraints:
        field["constraints"] = constraints
    return field


def _reference(key: list[str], resource: str) -> Content:
    """Refer to the rows of another resource by columns of the same names."""
    return {"fields": key, "reference": {"resource": resource, "fields": key}}


@dataclass(frozen=True, slots=True)
class ListMoves:
    """Codes of the areas that enter the list, and of those that leave it."""

    entered: tuple[str, ...]
    left: tuple[str, ...]

    def in_words(self, survey: Survey) -> Text:
        """Say who enters and who leaves."""
        if not self.entered and not self.left:
            return _("the list stays as it is")
        names = area_labels(survey)
        return _(
            "enter the list: {entered}; leave it: {left}",
            entered=comma_list([names[code] for code in self.entered]) or _("none"),
            left=comma_list([names[code] for code in self.left]) or _("none"),
        )


def adoption_record(results: Results) -> Content | None:
    """Return the adoption for the manifest, with what the recipe declared before gives; None without one."""
    record = results.survey.weighting_record
    if record is None:
        return None
    content: Content = {
        "adoptions": len(record.adopted),
        "withdrawn": sum(recipe.withdrawn for recipe in record.adopted),
        "trials_looked_at": [
            trial.model_dump(mode="json", exclude_unset=True) for trial in record.trials
        ],
        "in_force": None,
    }
    recipe = record.in_force
    before = results.declared_first
    if recipe is None or before is None:
        return content
    moves = list_moves(results, before)
    content["in_force"] = recipe.model_dump(
        mode="json", include={"name", "reason", "source", "by", "date"}
    ) | {
        "after_results_were_seen": True,
        "entered_the_list": moves.entered,
        "left_the_list": moves.left,
    }
    row = before.whole.of(before.survey.questionnaire.ranked).table.iloc[0]
    content["declared_before"] = {
        "steps": [step.model_dump(exclude_unset=True) for step in record.declared_first],
        "measure": row["measure"],
        "estimate": row["estimate"],
        "se": row["se"],
        "listed": list(before.ranking.summary.filed),
    }
    return content


def adoption_notes(results: Results) -> list[Text]:
    """Say that the recipe was adopted after results were seen, why, and what the one before gives; empty without adoption."""
    record = results.survey.weighting_record
    before = results.declared_first
    recipe = record.in_force if record else None
    if record is None or recipe is None or before is None:
        return []
    adopted = _(
        "The weighting “{name}” was adopted after results were seen, by {by} on {date}. Reason: {reason}. Rests on: "
        "{source}. Trials looked at: {trials}.",
        name=recipe.name,
        by=recipe.by,
        date=recipe.date,
        reason=recipe.reason,
        source=recipe.source,
        trials=len(record.trials),
    )
    measure = results.survey.questionnaire.ranked
    kind, label = measure_labels(results.survey.questionnaire)[measure]
    unit = unit_of("rate" if kind == "rate" else "index")
    beside = _(
        "{measure}, all together: {now} with it, {then} with the weighting declared before. Beside that one: {moves}.",
        measure=label,
        now=unit.level(results.whole.of(measure).table["estimate"].iloc[0]),
        then=unit.level(before.whole.of(measure).table["estimate"].iloc[0]),
        moves=list_moves(results, before).in_words(results.survey),
    )
    return [adopted, beside]


def list_moves(results: Results | Ranked, before: Results) -> ListMoves:
    """Compare the list of one recipe with that of another, before it."""
    now = set(map(str, results.ranking.summary.filed))
    then = set(map(str, before.ranking.summary.filed))
    return ListMoves(tuple(sorted(now - then)), tuple(sorted(then - now)))


ROLES = (
    _("Prepared by"),
    _("Checked by"),
    _("Responsible"),
)
CONFIRMED = {".csv", ".xlsx", ".parquet", ".json"}


def readme(results: Results, tables: Mapping[str, pd.DataFrame], *, revision: int) -> str:
    """Write README.txt in the current language: the files, how to check and read them, what is withheld, and every column."""
    survey = results.survey
    names = dict.fromkeys(column for table in tables.values() for column in table)
    content = {
        "declared": survey.declared,
        "marks": survey.marks,
        "revision": revision,
        "format": FORMAT,
        "questionnaire": survey.questionnaire.reference,
        "adopted": adoption_notes(results),
        "tables": tables,
        "withheld": _withheld(results),
        "columns": {name: COLUMNS[name] for name in names},
        "has_reading": results.ranking.ranks_any and results.ranking.summary.proven,
    }
    return fill("readme.txt", content)


def confirm_page(results: Results, folder: Path, *, revision: int, language: Language) -> str:
    """Write the page on which names and dates are filled in: what is confirmed, by fingerprints of the files in `folder`."""
    survey = results.survey
    fingerprints = {}
    for path in in_order(folder.iterdir()):
        if path.suffix in CONFIRMED:
            fingerprints[path.name] = sha256(path)
    content = {
        "title": survey.declared.title,
        "marks": survey.marks,
        "adopted": adoption_notes(results),
        "wave": survey.declared.wave,
        "revision": revision,
        "version": __version__,
        "questionnaire": survey.questionnaire.reference,
        "files": fingerprints,
        "roles": ROLES,
        "across": across("confirm.html", language, survey.declared.languages),
    }
    with use(language):
        return fill("confirm.html", content)


def _withheld(results: Results) -> Text:
    """Say what the suppression rule is and how much it withholds."""
    rule = results.survey.rules.suppression
    if rule is None:
        return _("None is declared; nothing is withheld.")
    counts = suppressed_counts(results)
    return _(
        "Withheld because of fewer answers than {minimum_n} or fewer PSUs than {minimum_psus}: "
        "{small}; to protect those: {complementary}; source: {source}",
        minimum_n=rule.minimum_n,
        minimum_psus=rule.minimum_psus,
        small=counts["small"],
        complementary=counts["complementary"],
        source=rule.source,
    )
