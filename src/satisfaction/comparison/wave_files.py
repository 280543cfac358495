"""File sets of several waves: a new dated folder below the last wave's `out/`, in one step; `latest` stays where it is."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.comparison.changes import WaveChange, WaveRolling, most_improved
from satisfaction.comparison.sides import joint_mark
from satisfaction.comparison.stability import KINDS
from satisfaction.comparison.trial import Trial
from satisfaction.comparison.trial_page import trial_pages
from satisfaction.comparison.wave_pages import change_pages, rolling_pages
from satisfaction.comparison.wave_sheets import change_sheet, improved_sheet, rolling_sheet
from satisfaction.comparison.words import change_lines, change_sentences, rolling_lines, trial_lines
from satisfaction.foundation.file_sets import SUMS
from satisfaction.foundation.files import dated_folder, path_below, sha256
from satisfaction.foundation.language import Language, Text, _, pgettext, use
from satisfaction.foundation.pages import page_name
from satisfaction.foundation.tables import write_csv, write_json, write_text
from satisfaction.foundation.workbooks import ShownSheet, write_explaining
from satisfaction.pipeline import Results
from satisfaction.publication.headings import HEADINGS, in_one_language, title_of
from satisfaction.publication.labels import names_of_scores
from satisfaction.publication.manifest import manifest, plain
from satisfaction.publication.reading_sets import FileSet

SPREAD = {
    "low": _("rank, 5% of the runs"),
    "high": _("rank, 95% of the runs"),
    "mean": _("mean rank"),
    "list": _("share of the runs on the list"),
}
COLUMN_TITLES = {
    "raw_order": _("order by places gained"),
    "shrunk_order": _("order by the shrunk change"),
    "official": _("official survey"),
    "trial": pgettext("a heading", "trial"),
    "beyond_error": _("beyond sampling error"),
    "n_official": _("answers, official"),
    "n_trial": _("answers, trial"),
    "sign": pgettext("a heading", "sign"),
    "mode": _("mode of interview"),
    "share_official": _("share, official"),
    "share_trial": _("share, trial"),
    "mean_official": _("mean score, official"),
    "mean_trial": _("mean score, trial"),
    "mix": _("from the mix of modes"),
    "within": _("from answers within the mode"),
    "side": _("looks coached"),
    "waves": _("waves"),
    "factor": _("choice"),
    "values": _("values tried"),
    "first_shift": _("ranks: this choice alone"),
    "total_shift": _("ranks: with interactions"),
    "first_list": _("list: this choice alone"),
    "total_list": _("list: with interactions"),
    "what": pgettext("a heading", "what"),
    "old": pgettext("a heading", "before"),
    "new": pgettext("a heading", "now"),
    "moved": _("places gained"),
    "ranking": pgettext("a heading", "ranking"),
}
"""Titles of columns that only sets side by side have, or that mean something of their own there."""


def column_titles() -> dict[str, Text]:
    """Return the titles of the columns that people read in a set, by name."""
    titles = HEADINGS | COLUMN_TITLES
    for kind, runs in KINDS.items():
        for figure, words in SPREAD.items():
            titles[f"{kind}_{figure}"] = _("{runs}: {figure}", runs=runs, figure=words)
    for name in ("first_shift", "total_shift", "first_list", "total_list"):
        titles[f"{name}_se"] = _("{figure}, standard error", figure=titles[name])
    for one in ("se", "n", "status"):
        for state in ("old", "new"):
            of_one = title_of(one, titles)
            titles[f"{one}_{state}"] = _("{figure}, {when}", figure=of_one, when=titles[state])
    return titles


SIDE = ("survey", "wave", "questionnaire", "selection", "mark", "simulated_seed", "inputs", "rows")


def export_change(found: WaveChange, folder: Path | None = None) -> Path:
    """Write change.csv, .xlsx and .json, most_improved.csv, change_sentences.csv, a page in every language and run.json.

    Returns the folder. Tables of further rankings have the ranking's name in front: combined_change.csv.

    Parameters
    ----------
    found : WaveChange
    folder : Path, optional
        Default: <later survey>/out/<time>-change-<earlier wave>/. Only run.json holds the clock.
    """
    tables = _change_tables(found)
    record = _change_record(found)
    for name, one in found.further.items():
        tables |= {f"{name}_{title}": table for title, table in _change_tables(one).items()}
    further = {name: _change_record(one) for name, one in found.further.items()}
    return write_set(
        [found.earlier, found.later],
        f"change-{found.earlier.survey.declared.wave}",
        tables=tables,
        lines=change_lines(found),
        record={**record, "further": further, "left_out": found.left_out},
        pages=change_pages(found),
        command=Command("change", found.asked),
        folder=folder,
        shown=partial(_change_sheets, found),
    )


def _change_sheets(found: WaveChange) -> dict[str, ShownSheet]:
    """Return the sheets that people read in place of a wide table, by its name, in the current language."""
    sheets: dict[str, ShownSheet] = {}
    for number, (name, one) in enumerate(_by_prefix(found).items()):
        score = str(names_of_scores(one.later.survey)[one.measure])
        sheet = _score_sheet(score, number)
        most = _score_sheet(score, number, ending=str(_("{score}, most improved", score="")))
        sheets[f"{name}change"] = change_sheet(one, sheet)
        sheets[f"{name}most_improved"] = improved_sheet(one, most)
    return sheets


def _by_prefix(found: Any) -> dict[str, Any]:
    """Return a change, or a mean of waves, with its further ones by what stands before the names of their tables."""
    further = {f"{name}_": one for name, one in found.further.items()}
    return {"": found, **further}


def _score_sheet(title: str, number: int, ending: str = "") -> str:
    """Name a sheet by its score, in the signs that Excel allows.

    What tells it from others is never cut off: the ending, and the ranking's number but for the first.
    """
    allowed = re.sub(r"[\[\]:*?/\\]", " ", title)
    if number > 0:
        ending = f"{ending} {number + 1}"
    return allowed[: LONGEST - len(ending)] + ending


def _change_tables(found: WaveChange) -> dict[str, pd.DataFrame]:
    return {
        "change": found.table,
        "most_improved": most_improved(found.table),
        "change_sentences": change_sentences(found),
    }


def _change_record(found: WaveChange) -> dict[str, Any]:
    return {"measure": found.measure, "whole": found.whole, "change": dict(found.ranks.summary)}


def export_rolling(found: WaveRolling, folder: Path | None = None) -> Path:
    """Write rolling.csv, .xlsx and .json, a page in every language and run.json; returns the folder.

    Tables of further rankings have the ranking's name in front: combined_rolling.csv.

    Parameters
    ----------
    found : WaveRolling
    folder : Path, optional
        Default: <last survey>/out/<time>-rolling-<number of waves>/. Only run.json holds the clock.
    """
    tables = {"rolling": found.table}
    for name, one in found.further.items():
        tables[f"{name}_rolling"] = one.table
    further = {name: _rolling_record(one) for name, one in found.further.items()}
    return write_set(
        found.waves,
        f"rolling-{len(found.waves)}",
        tables=tables,
        lines=rolling_lines(found),
        record={**_rolling_record(found), "further": further, "left_out": found.left_out},
        pages=rolling_pages(found),
        command=Command("rolling", found.asked),
        folder=folder,
        shown=partial(_rolling_sheets, found),
    )


def _rolling_sheets(found: WaveRolling) -> dict[str, ShownSheet]:
    """Return the sheets that people read in place of a wide table, by its name, in the current language."""
    sheets: dict[str, ShownSheet] = {}
    for number, (name, one) in enumerate(_by_prefix(found).items()):
        score = names_of_scores(one.waves[-1].survey)[one.measure]
        sheets[f"{name}rolling"] = rolling_sheet(one, _score_sheet(str(score), number))
    return sheets


def _rolling_record(found: WaveRolling) -> dict[str, Any]:
    return {
        "measure": found.measure,
        "estimates": found.estimates.conventions,
        "ranking": dict(found.ranking.summary),
    }


def export_trial(found: Trial, folder: Path | None = None) -> Path:
    """Write differences.csv, .xlsx and .json, signs.csv, modes.csv, a page in every language and run.json; returns the folder.

    Parameters
    ----------
    found : Trial
    folder : Path, optional
        Default: <trial>/out/<time>-trial/. Only run.json holds the clock.
    """
    tables = {"differences": found.differences, "signs": found.signs, "modes": found.modes}
    record: dict[str, Any] = {"tested": found.tested, "left_out": dict(found.left_out)}
    waves = [found.trial]
    way = None
    if isinstance(found.official, FileSet):
        published = found.official
        of_set = published.folder.resolve()
        way = path_below(found.trial.survey.folder.resolve(), of_set)
        record["official"] = {
            "set": of_set.name,
            "revision": published.revision,
            "files": {name: sha256(of_set / name) for name in (SUMS, *READ_OF_SET)},
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
        command=Command("trial", {"official": way}),
        folder=folder,
    )


READ_OF_SET = ("manifest.json", "indices.csv")
"""What a trial takes from a published set."""


@dataclass(frozen=True, slots=True)
class Command:
    """What wrote a set, so that it can be written again: the command's name and its options."""

    name: str
    options: Mapping[str, Any]


def write_set(
    waves: Sequence[Results],
    suffix: str,
    *,
    tables: Mapping[str, pd.DataFrame],
    lines: Sequence[Text],
    record: Mapping[str, Any],
    command: Command,
    mark: str | None = None,
    pages: Mapping[str, str] | None = None,
    further: Callable[[Path], object] | None = None,
    folder: Path | None = None,
    shown: Callable[[], Mapping[str, ShownSheet]] | None = None,
    words: Mapping[str, Mapping[str, Text]] | None = None,
) -> Path:
    """Write tables (the first names the set), what is said about them, pages, `further` files, and what they were made from.

    The folder is a new dated one below the last wave's `out/`, unless another is named. run.json says by which `command`
    the set is written again. `shown` makes the sheets that people read in place of tables too wide for paper, by table.
    """
    survey = waves[-1].survey
    last = survey.folder
    if mark is None:
        mark = joint_mark([wave.survey for wave in waves])
    finished = datetime.datetime.now(datetime.UTC)
    return write_folder(
        folder or last / "out" / f"{finished:%Y%m%dT%H%M%SZ}-{suffix}",
        tables=tables,
        lines=lines,
        languages=survey.declared.languages,
        mark=mark,
        record={**record, **made_from(waves)},
        pages=pages,
        further=further,
        shown=shown,
        words=words,
        stamp={
            "finished": finished.isoformat(timespec="seconds"),
            "command": command.name,
            "options": dict(command.options),
            "survey_folder": SURVEY_OF_SET,
            "surveys": [path_below(last, wave.survey.folder) for wave in waves],
        },
    )


def write_folder(
    target: Path,
    *,
    tables: Mapping[str, pd.DataFrame],
    lines: Sequence[Text],
    languages: Sequence[Language],
    mark: str,
    record: Mapping[str, Any],
    stamp: Mapping[str, Any],
    pages: Mapping[str, str] | None = None,
    further: Callable[[Path], object] | None = None,
    shown: Callable[[], Mapping[str, ShownSheet]] | None = None,
    words: Mapping[str, Mapping[str, Text]] | None = None,
) -> Path:
    """Write a set in one step: its tables as csv and in a workbook a language, the record as json, pages, run.json with the `stamp`.

    Returns the folder: `target`, or that with a number behind it where something lies there.
    """
    name = next(iter(tables))
    with dated_folder(target) as made:
        scratch = made.scratch
        for title, table in tables.items():
            write_csv(table, scratch / f"{title}.csv")
        for language in languages:
            with use(language):
                for_people = shown() if shown is not None else {}
                wide = {title: tables[title] for title in tables if title not in for_people}
                sheets = _sheets(wide, lines, words or {})
            sheets["data"] = tables[name]
            workbook = page_name(f"{name}.xlsx", language, languages)
            write_explaining(scratch / workbook, sheets, list(for_people.values()))
        notes = [line.both for line in lines]
        write_json(plain({"mark": mark, "notes": notes, **record}), scratch / f"{name}.json")
        for title, page in (pages or {}).items():
            write_text(page, scratch / title)
        if further is not None:
            further(scratch)
        written = sorted(scratch.iterdir())
        outputs = {path.name: sha256(path) for path in written}
        write_json({"mark": mark, "outputs": outputs, **stamp}, scratch / "run.json")
    return made.target


def _sheets(
    tables: Mapping[str, pd.DataFrame],
    lines: Sequence[Text],
    words: Mapping[str, Mapping[str, Text]],
) -> dict[str, pd.DataFrame]:
    """Return tables and what is said of them for people, in the current language; `words` of codes by column."""
    sheets = {}
    titles = column_titles()
    for number, (title, table) in enumerate(tables.items(), start=1):
        in_words = table.copy()
        for column in words.keys() & set(table):
            in_words[column] = table[column].map(words[column])
        sheets[_sheet_name(title, number)] = in_one_language(in_words, titles)
    sheets[str(_("notes"))] = pd.DataFrame({str(_("note")): list(map(str, lines))})
    return sheets


SURVEY_OF_SET = "../.."
"""The way from a dated folder to its survey's."""
SHEETS = {
    "change_sentences": pgettext("name of a sheet", "sentences"),
    "differences": pgettext("name of a sheet", "differences"),
    "signs": pgettext("name of a sheet", "signs of coaching"),
    "modes": pgettext("name of a sheet", "modes of interview"),
    "stability": pgettext("name of a sheet", "stability"),
    "sources": pgettext("name of a sheet", "where it comes from"),
    "figures": pgettext("name of a sheet", "figures"),
    "causes": pgettext("name of a sheet", "causes"),
    "ranks": pgettext("name of a sheet", "ranks"),
    "tests": pgettext("name of a sheet", "tests"),
    "lost": pgettext("name of a sheet", "lost points"),
    "items": pgettext("name of a sheet", "points lost by item"),
    "departments": pgettext("name of a sheet", "points lost by department"),
}
"""What people read over a table of a set, by the name of its file or by the end of it."""
LONGEST = 31
"""Characters of a sheet's name."""


def _sheet_name(title: str, number: int) -> str:
    """Name a sheet by what its table holds; of another ranking, and where a name is too long, with the sheet's number."""
    for table, words in SHEETS.items():
        if title == table:
            return str(words)
        if title.endswith(f"_{table}"):
            return f"{words} {number}"
    if len(title) <= LONGEST:
        return title
    return f"{title[: LONGEST - 4]} {number}"


def made_from(waves: Sequence[Results]) -> dict[str, Any]:
    """Return each wave's inputs with their hashes, and the versions of what computed the figures."""
    sides = []
    for wave in waves:
        run = manifest(wave)
        sides.append({name: run[name] for name in SIDE})
    return {"waves": sides, "digits": run["digits"], "versions": run["versions"]}
