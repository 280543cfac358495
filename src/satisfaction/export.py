"""The file set of a run: written to a new folder in one step, nothing overwritten, no clock inside the hashed files."""

from __future__ import annotations

import datetime
import importlib.metadata
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
from .io.files import new_folder, point_latest, sha256
from .io.writing import write_csv, write_json, write_parquet, write_text, write_xlsx
from .pipeline import Results, weighting_log
from .published import DIGITS, indices_table, mark, ranking_table, twelve_digits
from .ranking import Ranking
from .responses import Responses
from .survey import Survey

PACKAGES = ("duckdb", "narwhals", "numpy", "pandas", "satisfaction", "scipy", "statsmodels")


def write_responses(survey: Survey, responses: Responses, folder: Path) -> None:
    """Write rejected.csv (one row a rejected row) and log.csv (one row an event)."""
    write_csv(responses.rejected.assign(mark=mark(survey)), folder / "rejected.csv")
    write_csv(responses.log.assign(mark=mark(survey)), folder / "log.csv")


def write_indices(survey: Survey, estimates: dict[str, Estimates], folder: Path) -> pd.DataFrame:
    """Write indices.csv, indices.xlsx (sheet `data`) and indices.parquet; returns the table."""
    table = indices_table(survey, estimates)
    write_csv(table, folder / "indices.csv")
    write_xlsx({"data": table}, folder / "indices.xlsx")
    write_parquet(table, folder / "indices.parquet")
    return table


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


def write_ranking(survey: Survey, estimates: dict[str, Estimates], ranking: Ranking, *, folder: Path) -> pd.DataFrame:
    """Write ranking.csv, ranking.xlsx (sheets `data` and `notes`) and covariance.csv; returns the table."""
    table = ranking_table(survey, estimates, ranking)
    notes = pd.DataFrame({"note": [*filter(None, [mark(survey)]), *ranking.summary["notes"]]})
    write_csv(table, folder / "ranking.csv")
    write_xlsx({"data": table, "notes": notes}, folder / "ranking.xlsx")
    write_covariance(survey, estimates, folder)
    return table


def export(results: Results, folder: str | Path, *, handover: bool = False) -> Path:
    """Write the whole file set into a folder that does not exist yet.

    Parameters
    ----------
    results : Results
    folder : path
        Made in one step when everything is written.
    handover : bool
        Also write the folder handover/ in it, for colleagues who continue in R. It is respondent-level and no part of the
        ranking office's file set, so run.json does not list it.

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
    from .report import render  # brings matplotlib, which `import satisfaction` should not

    with new_folder(folder) as scratch:
        write_responses(results.survey, results.responses, scratch)
        indices = write_indices(results.survey, results.estimates, scratch)
        ranking = write_ranking(results.survey, results.estimates, results.ranking, folder=scratch)
        write_text(render(results, indices, ranking), scratch / "report.html")
        write_json(plain(manifest(results)), scratch / "manifest.json")
        outputs = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
        run = {"mark": mark(results.survey), "finished": _now().isoformat(timespec="seconds"), "outputs": outputs}
        write_json(run, scratch / "run.json")
        if handover:
            hand_over_results(results, scratch / "handover")
    return folder


def export_dated(results: Results, *, handover: bool = False) -> Path:
    """Export to a new dated folder below the survey's `out/`, and let `out/latest` stand for it."""
    stamp = _now().strftime("%Y%m%dT%H%M%SZ")
    shelf = results.survey.folder / "out"
    folder = next(f for f in _names(shelf / stamp) if not f.exists())
    export(results, folder, handover=handover)
    point_latest(folder)
    return folder


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


def _names(first: Path) -> list[Path]:
    return [first, *(first.with_name(f"{first.name}-{i}") for i in range(2, 1000))]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
