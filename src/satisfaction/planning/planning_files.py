"""A draw and a plan as file sets."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import DesignError, require_names
from satisfaction.foundation.files import dated_folder, new_file, new_folder, refuse_changed
from satisfaction.foundation.language import (
    LANGUAGES,
    N_,
    NOTHING,
    Language,
    Text,
    _,
    pgettext,
    use,
)
from satisfaction.foundation.pages import across, fill, page_name
from satisfaction.foundation.tables import (
    read_filled_in,
    refuse_rows,
    write_csv,
    write_json,
    write_text,
    write_xlsx,
)
from satisfaction.pipeline import Results
from satisfaction.planning.draw import Draw
from satisfaction.planning.plan import Plan
from satisfaction.publication.headings import HEADINGS, in_one_language
from satisfaction.publication.labels import label_of, mark, mark_as_text, twelve_digits
from satisfaction.publication.manifest import plain
from satisfaction.sampling.design import level_tuples

SHEETS = {
    "needs": pgettext("name of a sheet", "needs"),
    "allocations": pgettext("name of a sheet", "allocations"),
    "areas": pgettext("name of a sheet", "areas"),
    "notes": pgettext("name of a sheet", "notes"),
}
HOUSEHOLDS = 40  # lines of a selection sheet


def write_draw(
    drawn: Draw,
    folder: Path,
    *,
    psu: str,
    size: str,
    persons: int,
    frame: Mapping[str, str],
    simulated: str = "",
) -> Path:
    """Write a draw into a folder that does not exist yet: sample.csv (the first wave), panel.csv (all waves and reserves), sheets.html, draw.json.

    sample.csv has what survey.yaml's `sample` asks for: psu_probability, person_probability (persons / size) and planned.
    `frame` is the file drawn from and the SHA-256 of what was read, as `io.files.recorded` notes them.

    Raises
    ------
    InputFileError
        F420 for a frame that was changed meanwhile.
    """
    path, digest = next(iter(frame.items()))
    with new_folder(folder) as scratch:
        write_csv(
            sample_table(drawn.wave(1), size=size, persons=persons).assign(mark=simulated),
            scratch / "sample.csv",
        )
        write_csv(drawn.table.assign(persons=persons, mark=simulated), scratch / "panel.csv")
        write_csv(drawn.summary.assign(mark=simulated), scratch / "strata.csv")
        for language in LANGUAGES:
            page = sheets_page(
                drawn, psu=psu, size=size, persons=persons, simulated=simulated, language=language
            )
            write_text(page, scratch / page_name("sheets.html", language, LANGUAGES))
        record = dict(drawn.conventions) | {
            "psu": psu,
            "size": size,
            "persons": persons,
            "frame": Path(path).name,
            "frame_sha256": digest,
        }
        refuse_changed(frame)
        write_json(plain(record | {"mark": simulated}), scratch / "draw.json")
    return folder


def next_sample(panel: Path, *, wave: int) -> pd.DataFrame:
    """Return the sample of a later wave from the panel.csv of an earlier draw, as sample.csv holds it.

    Raises
    ------
    DesignError
        D126 for a wave the panel does not hold, D442 for a file that is no panel, D443 for a number that is none.
    """
    table = read_filled_in(panel)
    _columns(panel, table, ("wave", "probability", "persons", "role", "order"))
    size = list(table)[list(table).index("probability") - 1]
    table["wave"] = _whole_numbers(panel, table, "wave", least=0)
    table["persons"] = _whole_numbers(panel, table, "persons", least=1)
    table[size] = _numbers(panel, table, size, lambda number: number > 0)
    table["probability"] = _numbers(
        panel, table, "probability", lambda number: (number > 0) & (number <= 1)
    )
    waves = sorted(set(table["wave"]) - {0})
    if wave not in waves:
        raise DesignError(
            "D126",
            _("The panel has no wave {wave}.", wave=wave),
            where=str(panel),
            available=waves,
            hint=_("Name a wave that it has; draw anew when they are used up."),
        )
    rows = table[table["wave"] == wave].reset_index(drop=True)
    return sample_table(rows, size=size, persons=rows["persons"]).drop(columns=["persons"])


def write_sample(table: pd.DataFrame, path: Path) -> Path:
    """Write a wave's sample as a new csv file.

    Raises
    ------
    ExportError
        X420 where something lies there.
    """
    with new_file(path) as scratch:
        write_csv(table, scratch)
    return path


def read_take(path: Path, strata: Sequence[str]) -> dict[tuple[str, ...], int]:
    """Read how many PSUs to take by stratum: a table with the columns of the strata and `take`.

    Raises
    ------
    DesignError
        D442 for a column that is not there, D443 for a number that is none, D444 for a stratum that stands twice.
    """
    table = read_filled_in(path)
    _columns(path, table, (*strata, "take"))
    numbers = _whole_numbers(path, table, "take", least=0)
    twice = table.duplicated(list(strata), keep=False)
    repeated = _("A stratum stands in more than one row.")
    refuse_rows(twice, DesignError, "D444", text=repeated, where=path)
    return dict(zip(level_tuples(table, strata), numbers.tolist(), strict=True))


def _columns(path: Path, table: pd.DataFrame, wanted: Sequence[str]) -> None:
    not_there = N_("The table has no column '{name}'.")
    hint = _("Add the column, or correct its name.")
    require_names(
        wanted, table, DesignError, code="D442", text=not_there, where=f"{path} row 1", hint=hint
    )


def _whole_numbers(path: Path, table: pd.DataFrame, column: str, *, least: int) -> pd.Series:
    """Return a column as whole numbers of at least `least`."""
    numbers = _numbers(path, table, column, lambda number: (number >= least) & (number % 1 == 0))
    return numbers.astype(int)


def _numbers(
    path: Path, table: pd.DataFrame, column: str, right: Callable[[pd.Series], pd.Series]
) -> pd.Series:
    """Return a column as numbers; refuse the rows in which it is none, or not one that is `right`."""
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = ~(np.isfinite(numbers) & right(numbers))
    if wrong.any():
        problem = _(
            "Column '{column}' is not the number it should be (such as '{first}').",
            column=column,
            first=table.loc[wrong, column].iloc[0],
        )
        refuse_rows(wrong, DesignError, "D443", text=problem, where=path)
    return numbers.astype(float)


def sample_table(rows: pd.DataFrame, *, size: str, persons: int | pd.Series) -> pd.DataFrame:
    """Return a wave's sample as survey.yaml declares it."""
    table = rows.drop(columns=["wave", "probability", "order"])
    table["psu_probability"] = rows["probability"]
    probability = persons / rows[size].astype(float)
    table["person_probability"] = np.minimum(probability, 1.0)
    table["planned"] = persons
    return twelve_digits(table)


def sheets_page(
    drawn: Draw,
    *,
    psu: str,
    size: str,
    persons: int,
    simulated: str,
    language: Language = "zh",
) -> str:
    """Return the printable selection sheets: which households of every PSU, which adult of a household.

    Households: a random start and an interval on the list of households; adults by a table of random numbers for one to ten
    adults, in order of age (Kish 1949 in its plain form: every adult of a household has the same chance).
    """
    seed = int(drawn.conventions["seed"])
    sheets = []
    for place, row in enumerate(drawn.wave(1).to_dict("records")):
        rng = np.random.default_rng([seed, 1, place])
        interval = row[size] / persons
        steps = rng.random() * interval + interval * np.arange(persons)
        lines = (np.floor(steps) + 1).astype(int).tolist()
        picks = []
        for _household in range(min(persons, HOUSEHOLDS)):
            picks.append(rng.integers(1, np.arange(1, 11) + 1).tolist())
        sheets.append(
            {
                "row": row,
                "psu": row[psu],
                "size": row[size],
                "lines": lines,
                "picks": picks,
                "interval": f"{interval:.2f}",
            }
        )
    shown_apart = ("wave", psu, size, "probability", "role", "order")
    keys = [name for name in drawn.table.columns if name not in shown_apart]
    values = {
        "sheets": sheets,
        "keys": keys,
        "persons": persons,
        "mark": mark_as_text(simulated) if simulated else None,
        "across": across("sheets.html", language, LANGUAGES),
    }
    with use(language):
        return fill("sheets.html", values)


def write_plan(results: Results, plan: Plan) -> Path:
    """Write a plan below <survey>/out/: plan.xlsx, plan.csv (areas), needs.csv, allocations.csv, plan.html, plan.json."""
    finished = datetime.datetime.now(datetime.UTC)
    simulated = mark(results.survey)
    tables: Mapping[str, pd.DataFrame] = {
        "needs": plan.needs,
        "allocations": plan.allocations,
        "areas": plan.areas,
    }
    marked = {name: twelve_digits(table).assign(mark=simulated) for name, table in tables.items()}
    folder = results.survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-plan"
    with dated_folder(folder) as dated:
        scratch = dated.scratch
        for name, table in marked.items():
            write_csv(table, scratch / f"{name}.csv")
        languages = results.survey.declared.languages
        for language in languages:
            with use(language):
                notes = pd.DataFrame({str(_("note")): [str(line) for line in plan.lines]})
                titles = HEADINGS | _headings_of_areas(plan)
                sheets = {
                    str(SHEETS[name]): in_one_language(table, titles)
                    for name, table in marked.items()
                }
                sheets[str(SHEETS["notes"])] = notes
            workbook = scratch / page_name("plan.xlsx", language, languages)
            write_xlsx(sheets, workbook)
            page = plan_page(results, plan, language)
            write_text(page, scratch / page_name("plan.html", language, languages))
        notes_of_both = [line.both for line in plan.lines]
        record = {"mark": simulated, "notes": notes_of_both, **plan.conventions}
        write_json(plain(record), scratch / "plan.json")
    return dated.target


def _headings_of_areas(plan: Plan) -> dict[str, Text]:
    """Return what the columns of numbers of PSUs by area are called: by the wish, by the way of dividing."""
    headings = {"psus_now": _("PSUs of the wave before")}
    wishes = [name for name in plan.areas if name.startswith("wish_")]
    ways = [name for name in plan.areas if name.startswith("plan_")]
    for name, row in zip(wishes, _records(plan.needs), strict=True):
        headings[name] = _("PSUs: {purpose}", purpose=label_of(row, "wish"))
    for name, row in zip(ways, _records(plan.allocations), strict=True):
        headings[name] = _("PSUs: {purpose}", purpose=label_of(row, "name"))
    return headings


def plan_page(results: Results, plan: Plan, language: Language) -> str:
    """Return the page for a budget office: what each wish needs, what each way of dividing the budget brings."""
    from satisfaction.planning.plan import needs_plot
    from satisfaction.publication.plots.canvas import picture

    survey = results.survey
    alt = _("Interviews each wish needs; the values stand in the table below.")
    needs = [_worded(row, "wish") for row in _records(plan.needs)]
    allocations = [_worded(row, "name") for row in _records(plan.allocations)]
    values: dict[str, Any] = {
        "declared": survey.declared,
        "marks": survey.marks,
        "plan": plan,
        "needs": needs,
        "allocations": allocations,
        "across": across("plan.html", language, survey.declared.languages),
    }
    with use(language):
        figure = needs_plot(plan, mark=survey.marks or NOTHING)
        values["picture"] = picture(figure, alt) if figure else None
        return fill("plan.html", values)


def _worded(row: dict[str, Any], what: str) -> dict[str, Any]:
    """Give a row of a table its words in two columns as one text."""
    return row | {what: Text(row[f"{what}_zh"], row[f"{what}_en"])}


def _records(table: pd.DataFrame) -> Sequence[dict[str, Any]]:
    records: list[dict[str, Any]] = table.rename(columns=str).to_dict("records")
    return records
