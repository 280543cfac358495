"""Verify for every set: that of a wave, and those that set waves or rankings side by side, written again by their command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from satisfaction.comparison.assessments import assessments_of, export_assessments
from satisfaction.comparison.changes import run_change, run_rolling
from satisfaction.comparison.combined import combine, export_combined
from satisfaction.comparison.compare import compare, export_comparison
from satisfaction.comparison.stability_files import export_stability, study_stability
from satisfaction.comparison.trial import run_trial
from satisfaction.comparison.wave_files import export_change, export_rolling, export_trial
from satisfaction.declarations.survey import read_survey
from satisfaction.foundation.errors import SatisfactionError
from satisfaction.foundation.file_sets import SUMS
from satisfaction.foundation.files import read_json, scratch_folder, sha256
from satisfaction.pipeline import run
from satisfaction.publication.verify import (
    Verification,
    other_versions,
    set_differences,
    set_names,
    survey_folder,
    unlike,
    verify,
)


def verify_any(folder: str | Path, *, survey: str | Path | None = None) -> Verification:
    """Recompute a file set of any command from its inputs and compare every file with it.

    Parameters
    ----------
    folder : path
        A set of `run`, or of `change`, `rolling`, `combined`, `stability`, `assessment`, `trial` or `compare`.
    survey : path, optional
        The (last) survey's folder; by default the one that run.json records. Earlier waves lie beside it as they did, and
        the sets of a comparison beside the comparison.

    Raises
    ------
    InputFileError
        F121-F123 as `verify`.
    """
    folder = Path(folder)
    command = _stamp(folder).get("command", "")
    if command not in AGAIN:
        return verify(folder, survey=survey)
    of_sets = command == "compare"
    ways = "sets" if of_sets else "surveys"
    stamp = read_json(folder / "run.json", ["outputs", ways])
    start = folder.resolve()
    if not of_sets:
        start = survey_folder(folder, survey)
    waves = [(start / way).resolve() for way in stamp[ways]]
    changed = _changed_by_hand(folder, stamp["outputs"])
    try:
        record = _record(folder, stamp["outputs"])
        with scratch_folder("satisfaction-verify") as scratch:
            new = AGAIN[command](waves, stamp.get("options", {}), scratch / "again")
            record_now = _record(new, read_json(new / "run.json")["outputs"])
            compared = len(set_names(folder) | set_names(new))
            differing = tuple(set_differences(folder, new))
    except SatisfactionError as fault:
        if not changed:
            raise
        return Verification(folder, changed, {}, {}, (), 0, str(fault))
    inputs = unlike(_inputs(record), _inputs(record_now))
    versions = other_versions(record["versions"], record_now["versions"])
    return Verification(folder, changed, inputs, versions, differing, compared)


def _stamp(folder: Path) -> dict[str, Any]:
    """Return run.json; empty where there is none, or where it is damaged and checksums can say so."""
    path = folder / "run.json"
    if not path.is_file():
        return {}
    try:
        stamp: dict[str, Any] = read_json(path)
    except SatisfactionError:
        if (folder / SUMS).is_file():
            return {}
        raise
    return stamp


def _changed_by_hand(folder: Path, outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the files that are not what run.json lists: "changed", "missing" or "unlisted"."""
    names = sorted(set_names(folder))
    present = {name: sha256(folder / name) for name in names}
    states = {}
    for name, digest in outputs.items():
        if name not in present:
            states[name] = "missing"
        elif present[name] != digest:
            states[name] = "changed"
    unlisted = [name for name in names if name not in outputs]
    return states | dict.fromkeys(unlisted, "unlisted")


def _record(folder: Path, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return what a set says it was made from: its JSON file."""
    (name,) = (name for name in outputs if name.endswith(".json"))
    return read_json(folder / name, ["waves", "versions"])


def _inputs(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the hashes of all inputs, by wave and name."""
    inputs = dict(record.get("inputs", {}))
    official = record.get("official", {})
    for name, digest in official.get("files", {}).items():
        inputs[f"{official['set']}: {name}"] = digest
    for wave in record["waves"]:
        for name, digest in wave["inputs"].items():
            inputs[f"{wave['survey']}: {name}"] = digest
    return inputs


def _change(waves: Sequence[Path], options: Mapping[str, Any], folder: Path) -> Path:
    return export_change(run_change(*waves, **options), folder)


def _rolling(waves: Sequence[Path], options: Mapping[str, Any], folder: Path) -> Path:
    return export_rolling(run_rolling(waves, **options), folder)


def _combined(waves: Sequence[Path], options: Mapping[str, Any], folder: Path) -> Path:
    (wave,) = waves
    results = run(read_survey(wave))
    return export_combined(combine(results, wave / options["declared"]), folder)


def _assessment(waves: Sequence[Path], options: Mapping[str, Any], folder: Path) -> Path:
    (wave,) = waves
    drawing = {name: options[name] for name in ("draws", "seed") if name in options}
    found = assessments_of(run(read_survey(wave)), wave / options["declared"], **drawing)
    return export_assessments(found, folder)


def _stability(waves: Sequence[Path], options: Mapping[str, Any], folder: Path) -> Path:
    (wave,) = waves
    return export_stability(study_stability(run(read_survey(wave)), **options), options, folder)


def _trial(waves: Sequence[Path], options: Mapping[str, Any], folder: Path) -> Path:
    official = waves[0]
    if options["official"] is not None:
        official = (waves[-1] / options["official"]).resolve()
    return export_trial(run_trial(official, waves[-1]), folder)


def _compare(sets: Sequence[Path], _options: Mapping[str, Any], folder: Path) -> Path:
    return export_comparison(compare(*sets), folder)


AGAIN: Mapping[str, Callable[[Sequence[Path], Mapping[str, Any], Path], Path]] = MappingProxyType(
    {
        "change": _change,
        "rolling": _rolling,
        "combined": _combined,
        "assessment": _assessment,
        "stability": _stability,
        "trial": _trial,
        "compare": _compare,
    }
)
"""How each command's set is written again."""
