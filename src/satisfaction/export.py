"""The file set of a run: written to a new folder in one step, nothing overwritten, no clock inside the hashed files."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .errors import ExportError
from .estimates import Estimates
from .handover import hand_over_results
from .io.files import free_name, new_folder, point_latest, read_bytes, sha256
from .io.writing import write_csv, write_json, write_parquet, write_text, write_xlsx
from .pipeline import Results, weighting_log
from .published import DIGITS, Tables, mark, spoken, tables_of, twelve_digits
from .ranking import Ranking
from .responses import Responses, write_rejected
from .survey import Survey

PACKAGES = ("duckdb", "narwhals", "numpy", "pandas", "satisfaction", "scipy", "statsmodels")


def write_responses(survey: Survey, responses: Responses, folder: Path) -> None:
    """Write rejected.csv (one row a rejected row), log.csv (one row an event) and rejected.xlsx for the team to correct."""
    write_rejected(responses, survey.questionnaire, folder / "rejected.xlsx", mark=mark(survey))
    write_csv(responses.rejected.assign(mark=mark(survey)), folder / "rejected.csv")
    write_csv(responses.log.assign(mark=mark(survey)), folder / "log.csv")


def write_indices(table: pd.DataFrame, folder: Path) -> None:
    """Write indices.csv, indices.xlsx (sheet `data`) and indices.parquet."""
    write_csv(table, folder / "indices.csv")
    write_xlsx({"data": table}, folder / "indices.xlsx")
    write_parquet(table, folder / "indices.parquet")


def write_covariance(survey: Survey, estimates: dict[str, Estimates], folder: Path) -> None:
    """Write covariance.csv: the sampling covariance of the ranked measure between areas, entries that are not zero."""
    ranked = next(iter(estimates.values())).of(survey.questionnaire.ranked)
    codes = ranked.table[ranked.by[0]].astype(str).to_numpy()
    row, column = np.nonzero(np.triu(ranked.cov))
    entries = {"code": codes[row], "other_code": codes[column], "covariance": ranked.cov[row, column]}
    write_csv(
        twelve_digits(pd.DataFrame(entries).assign(measure=survey.questionnaire.ranked, mark=mark(survey))),
        folder / "covariance.csv",
    )


def write_ranking(survey: Survey, published: Tables, ranking: Ranking, *, estimates: dict[str, Estimates], folder: Path) -> None:
    """Write the ranking and what follows from it; tables that nothing is declared for are left out.

    ranking.csv, ranking.xlsx (sheets `data` and `notes`) and covariance.csv; ranking_sentences.csv (what may be said of every
    area), ranking_within.csv (within larger areas), ranking_targets.csv, ranking_thresholds.csv, ranking_escalation.csv and
    ranking_waves.csv (ranks over the waves); reading.html, one page for readers without statistics.
    """
    said = [published.statement.zh, published.statement.en]
    notes = pd.DataFrame({"note": [*filter(None, [mark(survey)]), *ranking.summary["notes"], *said]})
    write_csv(published.ranking, folder / "ranking.csv")
    write_xlsx({"data": published.ranking, "notes": notes}, folder / "ranking.xlsx")
    write_covariance(survey, estimates, folder)
    further = {
        "sentences": published.sentences.assign(mark=mark(survey)),
        "within": published.within,
        "targets": published.targets,
        "thresholds": published.thresholds,
        "escalation": published.escalation,
        "waves": published.paths,
    }
    for name, table in further.items():
        if len(table):
            write_csv(table, folder / f"ranking_{name}.csv")
    from .report.reading import render_reading  # brings matplotlib, which `import satisfaction` should not

    kind, measure = spoken(survey)
    write_text(render_reading(published.ranking, ranking.summary, kind=kind, measure=measure), folder / "reading.html")


def export(results: Results, folder: str | Path, *, handover: bool = False, revision: int = 1) -> Path:
    """Write the whole file set into a folder that does not exist yet.

    Parameters
    ----------
    results : Results
    folder : path
        Made in one step when everything is written.
    handover : bool
        Also write the folder handover/ in it, for colleagues who continue in R. It is respondent-level and no part of the
        ranking office's file set, so run.json does not list it.
    revision : int
        Stands in run.json.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ExportError
        X101 when the folder exists: nothing is ever overwritten.
    """
    folder = Path(folder)
    if folder.exists():
        raise ExportError(
            "X101",
            "目标文件夹已存在；结果从不覆盖。",
            "The folder exists already; results are never overwritten.",
            where=str(folder),
            hint=("换一个文件夹名。", "Choose another folder."),
        )
    from .report import render  # brings matplotlib

    with new_folder(folder) as scratch:
        write_responses(results.survey, results.responses, scratch)
        published = tables_of(results)
        write_indices(published.indices, scratch)
        write_ranking(results.survey, published, results.ranking, estimates=results.estimates, folder=scratch)
        write_text(render(results, published), scratch / "report.html")
        write_json(plain(manifest(results)), scratch / "manifest.json")
        outputs = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
        finished = _now().isoformat(timespec="seconds")
        run = {"mark": mark(results.survey), "revision": revision, "finished": finished, "outputs": outputs}
        write_json(run, scratch / "run.json")
        if handover:
            hand_over_results(results, scratch / "handover")
    return folder


def export_dated(results: Results, *, handover: bool = False) -> Path:
    """Export to a new dated folder below the survey's `out/`, and let `out/latest` stand for it.

    The revision is 1 for the first export, and one more whenever an input (late or corrected data, a rule) differs from that
    of the export before it.
    """
    stamp = _now().strftime("%Y%m%dT%H%M%SZ")
    shelf = results.survey.folder / "out"
    folder = free_name(shelf / stamp)
    export(results, folder, handover=handover, revision=_next_revision(results.survey, shelf / "latest"))
    point_latest(folder)
    return folder


def revision_of(folder: Path) -> int:
    """Return the revision of an exported folder."""
    return int(json.loads(read_bytes(folder / "run.json")).get("revision", 1))


def manifest(results: Results) -> dict[str, Any]:
    """Return what the results were made from and how: inputs with hashes, versions, steps, conventions, counts.

    Holds no clock and no path of the machine: the same inputs give the same manifest.
    """
    survey, declared = results.survey, results.survey.declared
    summary = results.responses.summary
    rows = {name: int(summary[name].sum()) for name in ("rows", "accepted", "rejected", "blanked")}
    return {
        "survey": survey.name,
        "wave": declared.wave,
        "questionnaire": survey.questionnaire.reference,
        "selection": declared.selection,
        "mark": mark(survey),
        "simulated_seed": declared.simulated.seed if declared.simulated else None,
        "inputs": _inputs(survey),
        "responses": summary.to_dict("records"),
        "rows": rows | {"balanced": rows["rows"] == rows["accepted"] + rows["rejected"]},
        "steps": {"declared": _declared_steps(survey), "weighting": list(weighting_log(results))},
        "absent": results.absent,
        "estimates": {level: one.conventions for level, one in results.estimates.items()},
        "ranking": dict(results.ranking.summary),
        "left_out": [
            {"level": one.level, "parent": one.parent, "codes": one.codes, "reason": str(one.reason)}
            for one in results.rankings.left_out
        ],
        "rules": survey.rules.model_dump(),
        "digits": DIGITS,
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
    }


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: numbers to 12 digits, mappings and tuples unfolded, nan as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value


def _declared_steps(survey: Survey) -> list[dict[str, Any]]:
    """Return the steps as survey.yaml writes them; what it leaves to a default stands in the step's record."""
    return [step.model_dump(exclude_unset=True) for step in survey.declared.weighting]


def _inputs(survey: Survey) -> dict[str, str]:
    """Return the SHA-256 of every file that was read, by its path below the survey's folder."""
    return {os.path.relpath(path, survey.folder).replace(os.sep, "/"): sha256(path) for path in (*survey.sources, *survey.files)}


def _next_revision(survey: Survey, latest: Path) -> int:
    if not latest.is_dir():
        return 1
    inputs = json.loads(read_bytes(latest / "manifest.json"))["inputs"]
    return revision_of(latest) + int(inputs != _inputs(survey))


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
