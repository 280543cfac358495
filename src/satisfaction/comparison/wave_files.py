"""File sets of several waves: a new dated folder below the last wave's `out/`, in one step; `latest` stays where it is."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.comparison.changes import WaveChange, WaveRolling, most_improved
from satisfaction.comparison.sides import joint_mark
from satisfaction.comparison.trial import Trial
from satisfaction.comparison.trial_page import trial_pages
from satisfaction.comparison.words import change_lines, rolling_lines, trial_lines
from satisfaction.foundation.files import dated_folder, sha256
from satisfaction.foundation.language import Text
from satisfaction.foundation.tables import write_csv, write_json, write_text, write_xlsx
from satisfaction.pipeline import Results
from satisfaction.publication.manifest import manifest, plain
from satisfaction.publication.reading_sets import FileSet

SIDE = ("survey", "wave", "questionnaire", "selection", "mark", "simulated_seed", "inputs", "rows")


def export_change(found: WaveChange) -> Path:
    """Write change.csv, .xlsx and .json, most_improved.csv and run.json; returns the folder.

    The folder is <later survey>/out/<time>-change-<earlier wave>/. Only run.json holds the clock.
    """
    waves = [found.earlier, found.later]
    tables = {"change": found.table, "most_improved": most_improved(found.table)}
    record = {"measure": found.measure, "whole": found.whole, "change": dict(found.ranks.summary)}
    suffix = f"change-{found.earlier.survey.declared.wave}"
    return write_set(waves, suffix, tables=tables, lines=change_lines(found), record=record)


def export_rolling(found: WaveRolling) -> Path:
    """Write rolling.csv, .xlsx and .json and run.json; returns the folder.

    The folder is <last survey>/out/<time>-rolling-<number of waves>/. Only run.json holds the clock.
    """
    record = {
        "measure": found.measure,
        "estimates": found.estimates.conventions,
        "ranking": dict(found.ranking.summary),
    }
    return write_set(
        found.waves,
        f"rolling-{len(found.waves)}",
        tables={"rolling": found.table},
        lines=rolling_lines(found),
        record=record,
    )


def export_trial(found: Trial) -> Path:
    """Write differences.csv, .xlsx and .json, signs.csv, modes.csv, a page in every language and run.json; returns the folder.

    The folder is <trial>/out/<time>-trial/. Only run.json holds the clock.
    """
    tables = {"differences": found.differences, "signs": found.signs, "modes": found.modes}
    record: dict[str, Any] = {"tested": found.tested, "left_out": dict(found.left_out)}
    waves = [found.trial]
    if isinstance(found.official, FileSet):
        published = found.official
        record["official"] = {
            "set": published.folder.name,
            "revision": published.revision,
            **{name: published.provenance[name] for name in SIDE},
        }
    else:
        waves.insert(0, found.official)
    return write_set(
        waves,
        "trial",
        tables=tables,
        lines=trial_lines(found),
        record=record,
        mark=found.differences["mark"].iloc[0],
        pages=trial_pages(found),
    )


def write_set(
    waves: Sequence[Results],
    suffix: str,
    *,
    tables: Mapping[str, pd.DataFrame],
    lines: Sequence[Text],
    record: Mapping[str, Any],
    mark: str | None = None,
    pages: Mapping[str, str] | None = None,
) -> Path:
    """Write tables (the first names the set), what is said about them, pages, and what they were made from."""
    name = next(iter(tables))
    if mark is None:
        mark = joint_mark([wave.survey for wave in waves])
    notes = [line.both for line in lines]
    further = dict(list(tables.items())[1:])
    finished = datetime.datetime.now(datetime.UTC)
    with dated_folder(
        waves[-1].survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-{suffix}"
    ) as made:
        scratch = made.scratch
        for title, table in tables.items():
            write_csv(table, scratch / f"{title}.csv")
        write_xlsx(
            {"data": tables[name], **further, "notes": pd.DataFrame({"note": notes})},
            scratch / f"{name}.xlsx",
        )
        write_json(
            plain({"mark": mark, "notes": notes, **record, **made_from(waves)}),
            scratch / f"{name}.json",
        )
        for title, page in (pages or {}).items():
            write_text(page, scratch / title)
        outputs = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
        stamp = {
            "mark": mark,
            "finished": finished.isoformat(timespec="seconds"),
            "outputs": outputs,
        }
        write_json(stamp, scratch / "run.json")
    return made.target


def made_from(waves: Sequence[Results]) -> dict[str, Any]:
    """Return each wave's inputs with their hashes, and the versions of what computed the figures."""
    sides = []
    for wave in waves:
        run = manifest(wave)
        sides.append({name: run[name] for name in SIDE})
    return {"waves": sides, "digits": run["digits"], "versions": run["versions"]}
