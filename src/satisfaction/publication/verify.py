"""Recompute a file set from its inputs, and say whether it is the same and, if not, why it may differ.

The first place where two files of the same name differ: numbers to 12 significant digits, everything else exactly. From a
notebook only what a fresh process computes from the folder becomes the official set; all else is a trial.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

from satisfaction.declarations.rules import Rules
from satisfaction.declarations.survey import Survey, read_survey
from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import (
    DamagedSetError,
    ExportError,
    InputFileError,
    SatisfactionError,
    shortened,
)
from satisfaction.foundation.file_sets import FORMAT, SUMS, lacking_refused, read_manifest
from satisfaction.foundation.files import changed_since, decode, read_json, scratch_folder, sha256
from satisfaction.foundation.grids import Grid, read_grids
from satisfaction.foundation.language import _, current, readers_language, use
from satisfaction.foundation.yaml import Record
from satisfaction.pipeline import Results, run
from satisfaction.publication.columns import COLUMNS
from satisfaction.publication.file_set import export, export_as_trial, next_revision, official_set
from satisfaction.publication.labels import DIGITS
from satisfaction.publication.manifest import PROGRAM_FILES, beside_folder, input_names, manifest

UNIT = tuple(
    title
    for name in ("wave", "level", "code", "measure")
    for title in (name, COLUMNS[name].title.zh)
)
TABLES = (".csv", ".xlsx", ".parquet")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two files differ.

    Attributes
    ----------
    file, place : str
        File, and sheet, key or line in it.
    unit : str
        What the row stands for: wave, level, code, measure, as far as the file has them; else the row's number.
    column : str
    old, new : str
        As they stand there.
    """

    file: str
    place: str
    unit: str
    column: str
    old: str
    new: str


def first_difference(old: Path, new: Path) -> Difference | None:
    """Return the first difference between two files of one name, None where they say the same.

    Inputs and versions, which a manifest records, are not looked at.
    """
    if not old.is_file() or not new.is_file():
        return Difference(old.name, "", "", "", *_presence(old.is_file(), new.is_file()))
    if sha256(old) == sha256(new):
        return None
    if old.suffix in TABLES:
        return next(_in_tables(old, new), None)
    if old.suffix == ".json":
        sides = (dict(flat(read_json(path), ignored=("inputs", "versions"))) for path in (old, new))
        return next(_in_mappings(*sides, file=old.name), None)
    return next(_in_lines(old, new), None)


def same(old: str, new: str) -> bool:
    """Tell whether two cells say the same."""
    if old == new:
        return True
    try:
        return f"{float(old):.{DIGITS}g}" == f"{float(new):.{DIGITS}g}"
    except ValueError:
        return False


def _in_tables(old: Path, new: Path) -> Iterator[Difference]:
    before, after = ({grid.sheet: grid for grid in read_grids(path)[0]} for path in (old, new))
    for sheet in before | after:
        if sheet not in before or sheet not in after:
            yield Difference(old.name, sheet, "", "", *_presence(sheet in before, sheet in after))
        else:
            yield from _in_grids(old.name, before[sheet], after[sheet])


def _in_grids(file: str, old: Grid, new: Grid) -> Iterator[Difference]:
    header = list(old.record(0))
    for row, (before, after) in enumerate(zip_longest(_records(old), _records(new))):
        if before is None or after is None:
            known = before or after or []
            yield Difference(
                file,
                old.sheet,
                _unit(header, known, row),
                "",
                *_presence(before is not None, after is not None),
            )
            return
        for place, (one, other) in enumerate(zip_longest(before, after, fillvalue="")):
            if not same(one, other):
                column = (
                    header[place]
                    if place < len(header) and header[place]
                    else f"column {place + 1}"
                )
                yield Difference(file, old.sheet, _unit(header, before, row), column, one, other)


def _records(grid: Grid) -> Iterator[list[str]]:
    yield from (list(record) for record in zip(*grid.columns, strict=True))


def _unit(header: list[str], record: list[str], row: int) -> str:
    named = [value for title, value in zip(header, record, strict=False) if title in UNIT and value]
    return " ".join(named) if row and named else f"row {row + 1}"


def _presence(before: bool, after: bool) -> tuple[str, str]:
    words = {True: str(_("there")), False: str(_("not there"))}
    return words[before], words[after]


def flat(value: Any, way: str = "", *, ignored: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the leaves of a JSON value by the way to them."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if way or key not in ignored:
                yield from flat(one, f"{way}.{key}" if way else key)
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from flat(one, f"{way}[{place}]")
    else:
        yield way, json.dumps(value, ensure_ascii=False)


def _in_mappings(old: dict[str, str], new: dict[str, str], *, file: str) -> Iterator[Difference]:
    for key in old | new:
        before = old.get(key, "")
        after = new.get(key, "")
        if not same(before, after):
            yield Difference(file, key, "", "", before, after)


def _in_lines(old: Path, new: Path) -> Iterator[Difference]:
    pairs = zip_longest(decode(old).splitlines(), decode(new).splitlines(), fillvalue="")
    for number, (before, after) in enumerate(pairs, start=1):
        if before != after:
            yield Difference(old.name, f"line {number}", "", "", *_around(before, after))


def _around(before: str, after: str) -> tuple[str, str]:
    """Cut two long lines to where they part."""
    start = next(
        (at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), 0
    )
    first = max(start - 15, 0)
    return before[first : first + 60], after[first : first + 60]


UNCHECKED = (SUMS, "run.json")
CONSEQUENCES = (
    "manifest.json",
    "datapackage.json",
    "README.txt",
    "README-en.txt",
    "README-zh.txt",
    "confirm.html",
    "confirm-en.html",
    "confirm-zh.html",
)  # differ when a table does; looked at last
IDENTICAL = 0
BY_HAND = 10
OTHER_INPUTS = 11
OTHER_VERSION = 12
UNEXPLAINED = 13


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes
    ----------
    folder : Path
    files : dict of str to str
        Files that no longer match SHA256SUMS: "changed", "missing" or "unlisted".
    inputs : dict of str to str
        Inputs that are not those of the set: "changed", "missing" or "added".
    versions : dict of str to (str, str)
        Programs whose version differs: the set's, and the one at hand.
    differing : tuple of Difference
        The first difference of every file that says something else.
    compared : int
        Files that were recomputed and compared.
    trial : tuple of str
        What the set was computed with that is not as the survey's folder says, as its manifest records.
    unrecorded : tuple of str
        Of these, what the manifest holds no value of: tables and parts that were put in by hand.
    fault : str
        Why the figures could not be recomputed; "" if they could.
    """

    folder: Path
    files: dict[str, str]
    inputs: dict[str, str]
    versions: dict[str, tuple[str, str]]
    differing: tuple[Difference, ...]
    compared: int
    fault: str = ""
    trial: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()

    def __repr__(self) -> str:
        changed = f"{len(self.files)} changed by hand, {len(self.inputs)} other inputs"
        outcome = f"{self.compared} files compared, {len(self.differing)} differ"
        return f"Verification(code {self.code}: {outcome}; {changed}, {len(self.versions)} other versions)"

    @property
    def code(self) -> int:
        """Return the exit code: 0 identical, 10 changed by hand, 11 other inputs, 12 another version, 13 no known cause."""
        if self.files:
            return BY_HAND
        if not self.differing and not self.fault:
            return OTHER_INPUTS if self.inputs else IDENTICAL
        if self.inputs or self.trial:
            return OTHER_INPUTS
        return OTHER_VERSION if self.versions else UNEXPLAINED


def verify(folder: str | Path, *, survey: str | Path | None = None) -> Verification:
    """Recompute a file set from its inputs and compare every file with it.

    Parameters
    ----------
    folder : path
        A file set as `export` wrote it.
    survey : path, optional
        The survey's folder; by default the one that run.json records.

    Raises
    ------
    InputFileError
        F121 for a folder that is no file set, F122 for another format, F123 where the survey's folder is not known.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> found = sat.verify(sat.export(results, "published"), survey="surveys/wave")
    >>> found
    Verification(code 0: 38 files compared, 0 differ; 0 changed by hand, 0 other inputs, 0 other
     versions)
    >>> found.code
    0
    """
    folder = Path(folder)
    lacking_refused(folder)
    trial: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    found = changed_since(folder, folder / SUMS)
    changed: dict[str, str] = {}
    try:
        with damage_said(folder):
            made = read_manifest(folder)
            trial = tuple(made.get("trial", ()))
            used = dict(made.get("used", {}))
            unrecorded = tuple(part for part in trial if part not in used)
            then = dict(made["inputs"])
            programs = dict(made["versions"])
            revision = int(made["revision"])
            at = survey_folder(folder, survey)
            changed = {
                name: state for name, digest in then.items() if (state := _state(at / name, digest))
            }
        wave = read_survey(at)
        changed |= dict.fromkeys(sorted(input_names(wave) - then.keys()), "added")
        results = run(as_used(wave, used, unrecorded))
        made_now = manifest(results)
        changed = unlike(then, made_now["inputs"])
        versions = other_versions(programs, made_now["versions"])
        written_as = str(made["format"]["version"])
        if written_as != FORMAT:
            versions["format"] = (written_as, FORMAT)
        with scratch_folder("satisfaction-verify") as scratch:
            again = export(results, scratch / "again", revision=revision)
            names = set_names(folder) | set_names(again)
            with damage_said(folder):
                differing = set_differences(folder, again)
    except SatisfactionError as fault:
        if not changed and not found and not trial:
            raise
        with use(current() or readers_language()):
            message = str(fault)
        return Verification(folder, found, changed, {}, (), 0, message, trial, unrecorded)
    return Verification(
        folder, found, changed, versions, tuple(differing), len(names), "", trial, unrecorded
    )


def as_used(wave: Survey, used: Mapping[str, Any], unrecorded: tuple[str, ...]) -> Survey:
    """Return a wave with the declarations that a trial's manifest records; what it does not record stays the folder's.

    Parameters
    ----------
    wave : Survey
    used : mapping
        As `used_declarations` returns it.
    unrecorded : tuple of str
        What else made the set a trial: it is marked so again.
    """
    written: dict[str, Record] = {"survey.yaml": wave.declared, wave.declared.rules: wave.rules}
    for departure, value in used.items():
        file, _colon, key = departure.partition(": ")
        content = written[file].model_dump(mode="json", exclude_unset=True)
        written[file] = type(written[file]).model_validate(content | {key: value})
    declared = cast(SurveyFile, written["survey.yaml"])
    rules = cast(Rules, written[wave.declared.rules])
    return replace(wave, declared=declared, rules=rules, altered=unrecorded)


def set_differences(old: Path, new: Path) -> list[Difference]:
    """Return the first difference of every file of two sets, figures compared to 12 digits; tables first."""
    names = sorted(set_names(old) | set_names(new), key=lambda name: (name in CONSEQUENCES, name))
    differences = (first_difference(old / name, new / name) for name in names)
    return [difference for difference in differences if difference]


@contextmanager
def damage_said(*folders: Path) -> Iterator[None]:
    """Say of a file set whose checksums do not fit that it is damaged, where reading it fails in whatever way.

    Raises
    ------
    DamagedSetError
        F423.
    """
    try:
        yield
    except SatisfactionError:
        raise
    except Exception:
        for folder in folders:
            if found := changed_since(folder, folder / SUMS):
                raise DamagedSetError(
                    "F423",
                    _(
                        "Files that do not fit their checksums make the set unreadable: {found}.",
                        found=shortened(found),
                    ),
                    where=str(folder),
                    hint=_("Restore these files, or run the survey again."),
                ) from None
        raise


def unlike(then: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """Return the inputs that are not those of the set, with their state."""
    states = {
        name: "changed" if name in now else "missing"
        for name, digest in then.items()
        if now.get(name) != digest
    }
    return states | dict.fromkeys(sorted(now.keys() - then.keys()), "added")


def other_versions(then: dict[str, str], now: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return the programs whose version differs: the set's, and the one at hand.

    A set that does not record the files of this program was made by a program of other files.
    """
    recorded = {PROGRAM_FILES: ""} | then
    return {
        name: (old, str(now.get(name, "")))
        for name, old in recorded.items()
        if old != now.get(name)
    }


def survey_folder(folder: Path, named: str | Path | None) -> Path:
    """Return the survey's folder: as named, else as run.json records it relative to the set.

    Raises
    ------
    InputFileError
        F123.
    """
    way = str(read_json(folder / "run.json").get("survey_folder", "")) if named is None else ""
    at = Path(named) if named is not None else folder.resolve() / way if way else None
    if at is None or not (at / "survey.yaml" if at.suffix == "" else at).is_file():
        raise InputFileError(
            "F123",
            _("The survey folder of this file set is not found."),
            where=str(at or folder),
            hint=_("Name the survey's folder with --survey."),
        )
    return at if at.is_dir() else at.parent


def set_names(folder: Path) -> set[str]:
    """Return the files of a set that are compared."""
    return {path.name for path in folder.iterdir() if path.is_file() and path.name not in UNCHECKED}


def _state(path: Path, digest: str) -> str:
    if not path.is_file():
        return "missing"
    return "" if sha256(path) == digest else "changed"


CHILD = (
    "import sys; from satisfaction.publication.verify import write_declared; "
    "write_declared(sys.argv[1], sys.argv[2])"
)


def publish(results: Results) -> Path:
    """Write the official set of a wave, or a trial where the results are not what its folder gives.

    A fresh process computes the declared run from the folder, and every file is compared with what these results would write,
    figures to 12 digits. Without a difference the set is written to out/ as `satisfaction run` writes it, the same bytes. With
    one it goes to out/<time>-trial/, every row, page, picture and workbook marked, and its manifest says what was used.

    Parameters
    ----------
    results : Results
        Of `run`, or of a trial.

    Returns
    -------
    Path
        The new folder; the name of a trial's ends in -trial.

    Raises
    ------
    InputFileError
        F420 for a file that changed since it was read.
    ExportError
        X403 where the fresh process could not run the survey.

    Examples
    --------
    >>> folder = sat.publish(sat.run(sat.read_survey("surveys/wave")))
    >>> sat.verify(folder).code
    0
    """
    results = beside_folder(results)
    survey = results.survey
    if survey.departures():
        return export_as_trial(results)
    with scratch_folder("satisfaction-publish") as scratch:
        declared = scratch / "declared"
        _run_afresh(survey.sources[0], declared)
        try:
            with official_set(results) as at_hand:
                _refuse_other_figures(declared, at_hand.scratch)
        except _OtherFigures as other:
            results = replace(results, survey=replace(survey, altered=(f"results: {other}",)))
            return export_as_trial(results)
    return at_hand.target


class _OtherFigures(Exception):
    """What is written is not what a fresh process computes; no reader sees this."""


def _refuse_other_figures(declared: Path, at_hand: Path) -> None:
    """Raise where two sets differ, with the first place."""
    differing = set_differences(declared, at_hand)
    if differing:
        first = differing[0]
        place = (first.file, first.place, first.unit, first.column)
        raise _OtherFigures(" ".join(filter(None, place)))


def write_declared(survey: str, folder: str) -> None:
    """Run a survey as its folder declares it and write the set to a folder."""
    results = run(read_survey(survey))
    export(results, folder, revision=next_revision(results))


def _run_afresh(survey: Path, folder: Path) -> None:
    """Let a process that knows nothing of this one compute the declared run."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, str(survey.resolve()), str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ExportError(
            "X403",
            _("The declared run could not be computed afresh: {fault}", fault="".join(last)),
            where=str(survey),
            hint=_("Run `satisfaction run` on the folder: it says what is wrong."),
        )
