"""Which figures changed between two file sets, and what changed in what they were made from.

What verify and compare print.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Hashable, Iterator, Mapping, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.comparison.cause_words import ROWS, cause_line
from satisfaction.comparison.wave_files import write_folder
from satisfaction.foundation.file_sets import read_manifest
from satisfaction.foundation.files import path_below, recorded, refuse_existing
from satisfaction.foundation.language import LANGUAGES, N_, Text, _, comma_list, ngettext
from satisfaction.foundation.tables import read_table, unguarded
from satisfaction.publication.columns import COLUMNS, typed
from satisfaction.publication.labels import STATUS, label_of, mark_as_text, twelve_digits
from satisfaction.publication.manifest import PROGRAM_FILES, versions
from satisfaction.publication.ranking_workbook import ASSESSED, LEVELS
from satisfaction.publication.verify import (
    Difference,
    Verification,
    damage_said,
    flat,
    same,
)

CELL = ["level", "code", "measure"]
FIGURES = ["estimate", "se", "ci_low", "ci_high", "n"]
TESTED = {
    "tests": ("test", "measure", "variable", "first", "second"),
    "reliability": ("part", "measure", "item"),
}
"""What a row of these tables stands for."""
TESTED_FIGURES = ("difference", "se", "p", "p_adjusted", "coefficient", "weighted_coefficient")
CORRECTED = "R216"
CONVENTIONS = (
    "bottom",
    "side",
    "level",
    "df",
    "ties",
    "marginal",
    "simultaneous",
    "membership",
    "probabilities",
    "selection",
)
ABSENT = _("not there").both
"""What the columns `old` and `new` hold where a file is not there."""
NULL = "null"
"""How a manifest writes a key that is not declared; one of another program version may not have the key."""
CAUSES = ["kind", "what", "old", "new"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two file sets.

    Attributes
    ----------
    old, new : Path
    causes : DataFrame
        kind ("inputs", "rules", "questionnaire", "trial", "program", "responses", "corrections", "conventions"), what, old, new.
    figures : DataFrame
        level, code, measure, name_zh, name_en, measure_zh, measure_en, unit, old, new, difference (estimates), points (the difference in points 0-100), se_old,
        se_new, n_old, n_new: one row an estimate of which a figure changed, appeared or went; largest first.
    ranks : DataFrame
        code, name_zh, name_en, old, new, moved (positive: to a better rank), status_old, status_new, ranking (name of a further
        ranking, or of one that is not the wave's own in both sets; empty: the wave's own), measure_zh, measure_en; largest first.
    compared : int
        Estimates that both sets hold.
    tests : DataFrame
        file, row, column, old, new, zh, en (what the row is): figures of tests.csv and reliability.csv that changed, appeared or
        went, where both sets hold the table.
    mark : str
        What every use of either set must say.
    inputs : mapping of str to str
        SHA-256 of the files that were read, as "old: indices.csv".
    """

    old: Path
    new: Path
    causes: pd.DataFrame = field(repr=False)
    figures: pd.DataFrame = field(repr=False)
    ranks: pd.DataFrame = field(repr=False)
    compared: int
    tests: pd.DataFrame = field(repr=False)
    mark: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def nothing(self) -> bool:
        """Return whether nothing that is published changed."""
        return not len(self.figures) and not len(self.ranks) and not len(self.tests)


def compare(old: str | Path, new: str | Path) -> Comparison:
    """Compare two file sets.

    Raises
    ------
    InputFileError
        F121 and F122 for a folder that is no file set of this format, F422 and F423 for a damaged one.
    """
    before = Path(old)
    after = Path(new)
    with damage_said(before, after), recorded() as read:
        found = _compared(before, after)
    inputs = {}
    for side, folder in (("old", before), ("new", after)):
        for path, digest in read.items():
            if os.path.dirname(path) == os.path.abspath(folder):
                inputs[f"{side}: {os.path.basename(path)}"] = digest
    return replace(found, inputs=inputs)


def _compared(old: Path, new: Path) -> Comparison:
    made_before = read_manifest(old)
    made_after = read_manifest(new)
    causes = [*_from_manifests(made_before, made_after), *_corrections(old, new)]
    before = _table(old, "indices")
    after = _table(new, "indices")
    titles = _titles(old) | _titles(new)
    marks = dict.fromkeys(filter(None, (made_before["mark"], made_after["mark"])))
    return Comparison(
        old=old,
        new=new,
        causes=pd.DataFrame(causes, columns=CAUSES, dtype=object),
        figures=_changed_figures(before, after),
        ranks=_changed_in_rankings(old, new, titles),
        compared=len(before.merge(after, on=CELL)),
        tests=_changed_tests(old, new, titles),
        mark="; ".join(marks),
    )


def _tables(found: Comparison) -> dict[str, pd.DataFrame]:
    """Return the tables of a comparison; every row says what the samples are."""
    tables = {}
    for name in ("figures", "causes", "ranks", "tests"):
        tables[name] = getattr(found, name).assign(mark=found.mark)
    return tables


def export_comparison(found: Comparison, folder: Path) -> Path:
    """Write figures.csv, .xlsx and .json, causes.csv, ranks.csv, tests.csv and run.json; returns the folder.

    run.json holds the clock, and the ways to both sets, so that the comparison can be verified.

    Raises
    ------
    ExportError
        X420 where something lies there.
    """
    refuse_existing(folder)
    sets = [found.old.resolve(), found.new.resolve()]
    named = replace(found, old=Path(sets[0].name), new=Path(sets[1].name))
    finished = datetime.datetime.now(datetime.UTC)
    record = {
        "old": sets[0].name,
        "new": sets[1].name,
        "compared": found.compared,
        "inputs": found.inputs,
        "waves": [],
        "versions": versions(),
    }
    return write_folder(
        folder,
        tables=_tables(found),
        lines=comparison_lines(named),
        languages=LANGUAGES,
        mark=found.mark,
        record=record,
        stamp={
            "finished": finished.isoformat(timespec="seconds"),
            "command": "compare",
            "sets": [path_below(folder.resolve(), one) for one in sets],
        },
    )


def _table(folder: Path, name: str) -> pd.DataFrame:
    return typed(unguarded(read_table(folder / f"{name}.csv")))


def _titles(folder: Path) -> dict[str, Text]:
    """Return what the scores and areas of a set are called, by name and code.

    A combined score and its components stand in a file of theirs.
    """
    titles = {}
    kinds = (
        ("indices", "measure", "measure"),
        ("indices", "code", "name"),
        ("combined_scores", "component", "component"),
    )
    for file, key, label in kinds:
        if (folder / f"{file}.csv").is_file():
            for row in _table(folder, file).drop_duplicates(key).to_dict("records"):
                titles[str(row[key])] = label_of(row, label)
    return titles


def _from_manifests(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield what differs between what two sets were made from."""
    for name in old["inputs"] | new["inputs"]:
        before = _short(old["inputs"].get(name))
        after = _short(new["inputs"].get(name))
        if before != after:
            yield "inputs", name, before, after
    yield from _differing("questionnaire", _only(old, "questionnaire"), _only(new, "questionnaire"))
    yield from _differing("rules", old["rules"], new["rules"])
    yield from _differing("trial", _only(old, "trial"), _only(new, "trial"))
    yield from _differing("rules", _further_rules(old), _further_rules(new))
    yield from _differing("program", old["versions"], new["versions"])
    yield from _differing("responses", _counts(old), _counts(new))
    yield from _differing("conventions", _conventions(old), _conventions(new))


def _only(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return one key of a manifest; an empty list where it is not there."""
    return {key: record.get(key, [])}


def _short(digest: str | None) -> str:
    if digest:
        return digest[:12]
    return ABSENT


def _differing(
    kind: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    before = dict(flat(old))
    after = dict(flat(new))
    for key in before | after:
        was = before.get(key, "")
        becomes = after.get(key, "")
        neither_is_declared = {was, becomes} == {"", NULL}
        if not neither_is_declared and not same(was, becomes):
            yield kind, key, was, becomes


def _further_rules(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules of a wave's further rankings, and what makes its combined score."""
    rules = {}
    for name, ranking in record.get("rankings", {}).items():
        rules[name] = ranking["rules"]
    return {"rankings": rules, "combined": record.get("combined", {})}


def _counts(record: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the account of the rows, by response file."""
    counts = {}
    for source in record["responses"]:
        place = f"{source['file']} {source['sheet']}".strip()
        counts[place] = {name: source[name] for name in ROWS}
    return counts


def _conventions(record: Mapping[str, Any]) -> dict[str, Any]:
    ranking = {name: record["ranking"].get(name) for name in CONVENTIONS}
    return {
        "estimates": record["estimates"],
        "ranking": ranking,
        "steps": record["steps"]["declared"],
        "selection": record["selection"],
        "tests": record.get("tests", ""),
    }


def _corrections(old: Path, new: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield the corrected answers that only one of the sets has."""
    before = _corrected(old)
    after = _corrected(new)
    for place in before | after:
        was = before.get(place, "")
        becomes = after.get(place, "")
        if was != becomes:
            yield "corrections", place, was, becomes


def _corrected(folder: Path) -> dict[str, str]:
    log = unguarded(read_table(folder / "log.csv"))
    values = {}
    for entry in log[log["rule"] == CORRECTED].to_dict("records"):
        place = f"{entry['file']} {entry['sheet']} row {entry['row']} {entry['column']}"
        values[place.replace("  ", " ")] = str(entry["value"])
    return values


def _changed_figures(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    both = old.merge(new, on=CELL, how="outer", suffixes=("_old", "_new"), sort=False)
    unlike = [_unlike(both[f"{name}_old"], both[f"{name}_new"]) for name in FIGURES]
    both = both[np.logical_or.reduce(unlike)]
    unit = both["unit_new"].fillna(both["unit_old"])
    difference = both["estimate_new"] - both["estimate_old"]
    table = both[CELL].copy()
    for name in ("name_zh", "name_en", "measure_zh", "measure_en"):
        table[name] = both[f"{name}_new"].fillna(both[f"{name}_old"])
    table["unit"] = unit
    table["old"] = both["estimate_old"]
    table["new"] = both["estimate_new"]
    table["difference"] = difference
    table["points"] = difference.where(unit != "share 0-1", difference * 100)
    for name in ("se_old", "se_new", "n_old", "n_new"):
        table[name] = both[name]
    return twelve_digits(_largest_first(table, "points"))


def _changed_in_rankings(old: Path, new: Path, titles: Mapping[str, Text]) -> pd.DataFrame:
    """Return the changed ranks of every ranking; one that a single set holds appears or goes with all its ranks.

    A ranking is what it is ranked by: the wave's own may be by another score in the other set.
    """
    before = _rankings_of(old)
    after = _rankings_of(new)
    parts: list[pd.DataFrame] = []
    for measure in before | after:
        name, table = before.get(measure) or after[measure]
        there, other = after.get(measure) or before[measure]
        if there != name or measure not in before or measure not in after:
            name = measure
        was = table if measure in before else table.iloc[:0]
        becomes = other if measure in after else other.iloc[:0]
        title = titles.get(measure, Text(measure))
        changed = _changed_ranks(was, becomes)
        parts.append(changed.assign(ranking=name, measure_zh=title.zh, measure_en=title.en))
    return _together(parts)


def _rankings_of(folder: Path) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return the rankings of a set by what they rank: the name that their files begin with, and the table."""
    rankings = {}
    for path in [folder / "ranking.csv", *sorted(folder.glob("*_ranking.csv"))]:
        table = _table(folder, path.stem)
        name = path.stem.removesuffix("ranking").rstrip("_")
        rankings[str(table["measure"].iloc[0])] = (name, table)
    return rankings


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Put the rows of tables of the same columns below one another; the first one where all are empty."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled or parts[:1], ignore_index=True)


def _changed_ranks(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    both = old.merge(new, on="code", how="outer", suffixes=("_old", "_new"), sort=False)
    other_status = both["status_old"] != both["status_new"]
    other_rank = _unlike(both["rank_old"], both["rank_new"])
    both = both[other_rank | other_status]
    table = both[["code"]].copy()
    for name in ("name_zh", "name_en"):
        table[name] = both[f"{name}_new"].fillna(both[f"{name}_old"])
    table["old"] = both["rank_old"]
    table["new"] = both["rank_new"]
    table["moved"] = both["rank_old"] - both["rank_new"]
    table["status_old"] = both["status_old"]
    table["status_new"] = both["status_new"]
    return _largest_first(table, "moved")


def _changed_tests(old: Path, new: Path, titles: Mapping[str, Text]) -> pd.DataFrame:
    """Return the changed figures of tests and of reliability."""
    parts = [pd.DataFrame(columns=["file", "row", "column", "old", "new", "zh", "en"])]
    for name, keys in TESTED.items():
        file = f"{name}.csv"
        if not (old / file).is_file() or not (new / file).is_file():
            continue
        before = _table(old, name)
        after = _table(new, name)
        both = before.merge(after, on=list(keys), how="outer", suffixes=("_old", "_new"))
        row = both[list(keys)].astype(str).agg(" ".join, axis="columns")
        words = [_tested(record, keys, titles) for record in both.to_dict("records")]
        said = {"zh": [one.zh for one in words], "en": [one.en for one in words]}
        for column in TESTED_FIGURES:
            if column not in before or column not in after:
                continue
            was = both[f"{column}_old"]
            becomes = both[f"{column}_new"]
            changed = pd.DataFrame({"file": name, "row": row, "column": column})
            changed = changed.assign(old=was, new=becomes, **said)
            parts.append(changed[_unlike(was, becomes)])
    return _together(parts)


def _tested(row: Mapping[Hashable, Any], keys: tuple[str, ...], titles: Mapping[str, Text]) -> Text:
    """Name what a row of tests or reliability is about: the kind, the measure by its title, what is compared."""
    kind, measure, *compared = (str(row[key]) for key in keys)
    words = [titles.get(word) or LEVELS.get(word) or Text(word) for word in compared if word]
    return _(
        "{kind}, {measure}: {compared}",
        kind=ASSESSED[kind],
        measure=titles.get(measure, Text(measure)),
        compared=comma_list(words),
    )


def _unlike(old: pd.Series, new: pd.Series) -> np.ndarray[Any, Any]:
    """Tell where two columns of published numbers differ; both are written with 12 digits."""
    before = old.astype("Float64").to_numpy(float, na_value=np.nan)
    after = new.astype("Float64").to_numpy(float, na_value=np.nan)
    missing = np.isnan(before) & np.isnan(after)
    return np.asarray((before != after) & ~missing)


def _largest_first(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Put the largest change first; what appeared or went, before all."""
    numbers = table[by].astype("Float64")
    size = np.abs(numbers.to_numpy(float, na_value=np.inf))
    order = np.argsort(-size, kind="stable")
    return table.iloc[order].reset_index(drop=True)


MOST = 20
STATES = {
    "changed": _("changed"),
    "missing": _("missing"),
    "unlisted": _("not listed"),
    "added": _("added"),
}
CAUSE_KINDS = {
    "inputs": _("input files"),
    "questionnaire": _("questionnaire"),
    "rules": _("rules"),
    "trial": _("what makes a trial"),
    "program": _("program version"),
    "responses": _("rows of responses"),
    "corrections": _("corrected answers"),
    "conventions": _("conventions"),
}
NO_CAUSE = _(
    "No cause is recorded: a file may have been changed by hand; run `satisfaction verify`."
)
NOT_FROM_INPUTS = _("  Inputs and program are the same: the file is not what they give.")


def verification_lines(found: Verification) -> list[Text]:
    """Say whether a file set is what its inputs give; if not, where it differs first and what may explain it."""
    lines = [_("verify: {folder}", folder=found.folder)]
    for name, state in found.files.items():
        lines.append(
            _(
                "  file changed by hand since it was written: {name} {state}",
                name=name,
                state=STATES[state],
            )
        )
    for name, state in found.inputs.items():
        lines.append(
            _("  input is not what it was: {name} {state}", name=name, state=STATES[state])
        )
    for name, (old, new) in found.versions.items():
        if name != PROGRAM_FILES:
            lines.append(
                _("  another program version: {name} {old} → {new}", name=name, old=old, new=new)
            )
        elif "satisfaction" not in found.versions:
            lines.append(_("  the version of the program is the same, its files are not"))
    if found.trial:
        lines.append(
            _(
                "  a trial, made from other declarations than the survey's folder: {declarations}",
                declarations=", ".join(found.trial),
            )
        )
    if found.unrecorded:
        lines.append(
            _(
                "  put in by hand and in no record, so not to be recomputed: {parts}",
                parts=", ".join(found.unrecorded),
            )
        )
    return lines + _recomputed_lines(found)


def _recomputed_lines(found: Verification) -> list[Text]:
    """Say what came of computing a file set again."""
    if found.fault:
        return [_("cannot be recomputed:\n{fault}", fault=found.fault)]
    if not found.differing:
        return [
            ngettext(
                "identical: {n} file recomputed, the same to 12 digits",
                "identical: {n} files recomputed, the same to 12 digits",
                found.compared,
            )
        ]
    lines = [
        _(
            "differs: {differing} of {compared} files; the first difference of each:",
            differing=len(found.differing),
            compared=found.compared,
        ),
    ]
    lines += [_difference_line(one) for one in found.differing[:MOST]]
    lines += _rest(found.differing)
    explained = found.files or found.inputs or found.versions or found.trial
    if not explained:
        lines.append(NOT_FROM_INPUTS)
    return lines


NUMBERED = {
    "line": N_("line {number}"),
    "row": N_("row {number}"),
    "column": N_("column {number}"),
}
"""How a place without a name is called, by the word that `Difference` has for it."""


def _numbered(place: str) -> Text:
    """Write "line 3" in the reader's language; any other place as it stands."""
    word, _space, number = place.partition(" ")
    if word in NUMBERED and number.isdigit():
        return _(NUMBERED[word], number=number)
    return Text(place)


def _difference_line(difference: Difference) -> Text:
    """Write a difference in one line."""
    words = [difference.file, difference.place, difference.unit, difference.column]
    places = [_numbered(word) for word in words if word]
    place = Text(
        " ".join(word.zh for word in places), " ".join(word.in_language("en") for word in places)
    )
    return _(
        "  {place}: file {old!r}, recomputed {new!r}",
        place=place,
        old=difference.old,
        new=difference.new,
    )


def comparison_lines(found: Comparison) -> list[Text]:
    """Say which figures changed between two file sets, and why."""
    lines = [_("compare: {old} → {new}", old=found.old, new=found.new)]
    if found.mark:
        lines.append(_("*** {mark} ***", mark=mark_as_text(found.mark)))
    if found.nothing:
        lines.append(
            _(
                "Nothing changed: {compared} estimates and all ranks are the same.",
                compared=found.compared,
            )
        )
    for kind, rows in found.causes.groupby("kind", sort=False):
        lines.append(_("{cause}: {n}", cause=CAUSE_KINDS[str(kind)], n=len(rows)))
        for row in rows.head(MOST).to_dict("records"):
            lines.append(cause_line(row))
        lines += _rest(rows)
    if not found.nothing and not len(found.causes):
        lines.append(NO_CAUSE)
    if len(found.figures):
        lines.append(
            _("changed estimates: {n} of {compared}", n=len(found.figures), compared=found.compared)
        )
        for row in found.figures.head(MOST).to_dict("records"):
            lines.append(_figure(row))
        lines += _rest(found.figures)
    if len(found.ranks):
        lines.append(_("changed ranks or statuses: {n}", n=len(found.ranks)))
        for row in found.ranks.head(MOST).to_dict("records"):
            lines.append(_rank(row))
        lines += _rest(found.ranks)
    if len(found.tests):
        lines.append(_("changed figures of tests and reliability: {n}", n=len(found.tests)))
        for row in found.tests.head(MOST).to_dict("records"):
            lines.append(_test(row))
        lines += _rest(found.tests)
    return lines


def _figure(row: Mapping[Hashable, Any]) -> Text:
    change = ""
    if pd.notna(row["difference"]):
        change = f"  ({row['difference']:+.4g})"
    level = LEVELS.get(str(row["level"]), row["level"])
    measure = Text(row["measure_zh"], row["measure_en"])
    return _(
        "  {level} {code} {name} {measure}: {old} → {new}{change}",
        level=level,
        code=row["code"],
        name=Text(row["name_zh"], row["name_en"]),
        measure=measure,
        old=_shown(row["old"]),
        new=_shown(row["new"]),
        change=change,
    )


def _rank(row: Mapping[Hashable, Any]) -> Text:
    ranks = _(
        "  {code} {name}: {old} → {new}",
        code=row["code"],
        name=label_of(row, "name"),
        old=_shown(row["old"]),
        new=_shown(row["new"]),
    )
    if row["ranking"]:
        ranks = _("{ranks}  ({measure})", ranks=ranks, measure=label_of(row, "measure"))
    if row["status_old"] == row["status_new"]:
        return ranks
    return _(
        "{ranks}  {old} → {new}",
        ranks=ranks,
        old=_status(row["status_old"]),
        new=_status(row["status_new"]),
    )


def _test(row: Mapping[Hashable, Any]) -> Text:
    return _(
        "  {test}, {column}: {old} → {new}",
        test=Text(row["zh"], row["en"]),
        column=COLUMNS[row["column"]].title,
        old=_shown(row["old"]),
        new=_shown(row["new"]),
    )


def _status(word: object) -> object:
    if pd.isna(word):
        return "—"
    return STATUS.get(str(word), word)


def _shown(value: float) -> str:
    if pd.isna(value):
        return "—"
    return f"{value:.6g}"


def _rest(rows: Sized) -> list[Text]:
    """Say how many further rows there are."""
    if len(rows) <= MOST:
        return []
    return [Text(f"  ... (+{len(rows) - MOST})")]
