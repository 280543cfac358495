"""What a team receives of a day: a workbook, a page a county with an index, and all findings; written in one step."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.survey import Survey
from satisfaction.fieldwork.findings import (
    CHECKS,
    COLUMNS,
    LEVELS,
    LIMITS,
    Fields,
    written,
)
from satisfaction.fieldwork.progress import E_FORMULA, Dispositions, by_day
from satisfaction.fieldwork.standing import Standing
from satisfaction.foundation.figures import ABSENT, percent
from satisfaction.foundation.files import dated_folder, sha256
from satisfaction.foundation.language import Language, Text, _, pgettext, semicolon_list, use
from satisfaction.foundation.pages import across, fill, page_name, page_of
from satisfaction.foundation.tables import write_csv, write_json, write_text
from satisfaction.foundation.workbooks import write_explaining
from satisfaction.publication.headings import HEADINGS, in_one_language
from satisfaction.publication.labels import in_crosses, mark, twelve_digits, worded
from satisfaction.publication.manifest import plain

Row = dict[Hashable, Any]
NOTE = _("A flag is a reason to look, never a verdict; no check deletes or changes a row.")
ORIGIN = {"_file": "file", "_sheet": "sheet", "_row": "row"}
NOTES = {
    "day": _("up to this day"),
    "interviews": _("interviews looked at"),
    "note": pgettext("a heading", "note"),
    "false_discovery": _("share of false flags allowed, of checks that test units"),
    "respondent_rate": _("share of a clean county's interviews that may be flagged"),
    "tolerated_rho": _("correlation within interviewers that is tolerated"),
    "speed": _("too fast: below this share of the median"),
    "first_hour": _("first hour allowed"),
    "last_hour": _("last hour allowed"),
    "match": _("near duplicate: share of equal answers"),
    "kappa": _("back-check: least kappa"),
    "progress": _("progress: least share of the interviews due"),
}
"""What the notes of the workbook say: the day, and where the checks draw their lines."""
# levels whose units count once, whatever flags them; a county's own flags are counted one by one
UNITS = {"interviewers": "interviewer", "cells": "cell", "interviews": "respondent"}
# levels that have a table of their own; units of the others are listed where flagged
TABULATED = ("county", "interviewer", "cell")
SHEETS = {
    "notes": pgettext("name of a sheet", "notes"),
    "checks": pgettext("name of a sheet", "checks"),
    "flags": pgettext("name of a sheet", "flags"),
    "counties": pgettext("name of a sheet", "counties"),
    "interviewers": pgettext("name of a sheet", "interviewers"),
    "days": pgettext("name of a sheet", "days"),
    "cells": pgettext("name of a sheet", "cells"),
    "outcomes": pgettext("name of a sheet", "outcomes"),
    "rates": pgettext("name of a sheet", "rates"),
    "progress": pgettext("name of a sheet", "progress"),
    "left_out": pgettext("name of a sheet", "left out"),
}


def check_table(standing: Standing) -> pd.DataFrame:
    """Count units and flags of every check that ran, the most flagged first.

    Returns
    -------
    DataFrame
        check, zh, en, level, level_zh, level_en, units, flagged, share (0-1).
    """
    table = _count_flags(standing.found)
    names = [CHECKS[check].name for check in table["check"]]
    levels = [LEVELS[level] for level in table["level"]]
    table = worded(table, names, zh="zh", en="en")
    table = worded(table, levels, zh="level_zh", en="level_en")
    table["share"] = table["flagged"] / table["units"]
    columns = ["check", "zh", "en", "level", "level_zh", "level_en", "units", "flagged", "share"]
    order = ["flagged", "share"]
    return table[columns].sort_values(order, ascending=False, kind="stable", ignore_index=True)


def county_table(standing: Standing) -> pd.DataFrame:
    """Count the flags of every ranked area, the most flagged first: by the county's own, then interviewers, cells, interviews.

    Returns
    -------
    DataFrame
        code, name_zh, name_en, accepted, planned, share (accepted / planned, 0-1), county (flags of its own), interviewers, cells and
        interviews (flagged at least once), interviews_share (0-1), further (flagged days, devices, addresses).
    """
    columns = ["code", "name_zh", "name_en", "accepted", "planned", "share"]
    table = standing.progress[columns].set_index("code")
    flagged = standing.found[standing.found["flag"]]
    table["county"] = flagged.loc[flagged["level"] == "county", "county"].value_counts()
    for name, level in UNITS.items():
        units = flagged[flagged["level"] == level]
        table[name] = units.groupby("county")["unit"].nunique()
    further = ~flagged["level"].isin(["county", *UNITS.values()])
    table["further"] = flagged.loc[further, "county"].value_counts()
    counts = ["county", *UNITS, "further"]
    table[counts] = table[counts].fillna(0).astype(int)
    share = table["interviews"] / table["accepted"].where(table["accepted"] > 0)
    table.insert(table.columns.get_loc("further"), "interviews_share", share.astype(float))
    order = ["county", *UNITS]
    table = table.sort_index(kind="stable").sort_values(order, ascending=False, kind="stable")
    return table.reset_index()


def _count_flags(found: pd.DataFrame) -> pd.DataFrame:
    flags = found.groupby(["check", "level"], sort=False)["flag"]
    return flags.agg(units="size", flagged="sum").reset_index()


def daily_workbook(
    rows: pd.DataFrame,
    found: pd.DataFrame,
    *,
    fields: Fields,
    day: str,
    mark: str,
    outcomes: Dispositions | None = None,
) -> dict[str, pd.DataFrame]:
    """Arrange a day's findings as the sheets of one workbook.

    Parameters
    ----------
    rows : DataFrame
        Accepted respondents up to that day.
    found : DataFrame
        Findings of `run_checks` and of any other check.
    fields : Fields
    day : str
        The day of the report, ISO text.
    mark : str
        What every output must say about the sample; a column of every sheet.
    outcomes : Dispositions, optional

    Returns
    -------
    dict
        Sheets notes, checks (what was compared and flagged), flags (with file and row), counties and interviewers (one
        column a check), days where the day is recorded, cells where there are quotas, outcomes and rates where given.
    """
    titles = pd.DataFrame([check.figure for check in CHECKS.values()], columns=["zh", "en"])
    titles.insert(0, "check", list(CHECKS))
    checks = titles.merge(_count_flags(found), how="left", on="check")
    # one that was not run, or found no such unit, has none
    checks["level"] = checks["level"].fillna(_("not run, or none").both)
    counts = ["units", "flagged"]
    checks[counts] = checks[counts].fillna(0).astype(int)
    lines = {"day": day, "interviews": len(rows), "note": NOTE.both}
    lines |= asdict(LIMITS)
    sheets = {
        "notes": pd.DataFrame(list(lines.items()), columns=["name", "value"]),
        "checks": checks,
        "flags": _flags(found, rows, fields),
    }
    for level, name in (("county", "counties"), ("interviewer", "interviewers")):
        units = found[found["level"] == level]
        if len(units):
            sheets[name] = _side_by_side(units)
    if fields.day:
        sheets["days"] = by_day(rows, fields=fields)
    cells = found[found["level"] == "cell"]
    if len(cells):
        sheets["cells"] = cells.drop(columns="level")
    if outcomes is not None:
        share = pd.DataFrame({"rate": ["e"], "value": [outcomes.e], "formula": [E_FORMULA]})
        sheets["outcomes"] = outcomes.counts
        sheets["rates"] = pd.concat([outcomes.rates, share], ignore_index=True)
    return _shown(sheets, mark)


def county_page(
    rows: pd.DataFrame, found: pd.DataFrame, county: str, *, fields: Fields, mark: str
) -> dict[str, pd.DataFrame]:
    """Select what one county's page shows.

    Returns
    -------
    dict
        figures (each check of the county beside the other counties), interviewers, cells, flags (respondents, devices and
        days, with file and row), days; every table with the mark. Tables without a row are kept: they say that nothing is there.
    """
    found = found[found["county"] == county]
    titles = [CHECKS[check].figure for check in found["check"]]
    titled = worded(found, titles, zh="figure_zh", en="figure_en")
    level = found["level"]
    titled = titled.drop(columns=["level", "county"])
    tables = {
        "figures": titled[level == "county"].drop(columns="unit"),
        "interviewers": titled[level == "interviewer"],
        "cells": titled[level == "cell"],
        "flags": _flags(found[~level.isin(TABULATED)], rows, fields),
    }
    if fields.day:
        interviews = rows[fields.codes(rows, "county") == county]
        tables["days"] = by_day(interviews, fields=fields)
    return _shown(tables, mark)


def _flags(found: pd.DataFrame, rows: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    """List what is flagged; respondents with the place they were read from, each of several with one number its own."""
    key = ["check", "level", "unit"]
    columns = [name for name in (*COLUMNS, "other") if name != "flag" and name in found]
    flagged = found[columns].assign(time=found.groupby(key, sort=False).cumcount())
    flagged = flagged[found["flag"]]
    respondent = fields.codes(rows, "respondent")
    places = rows[[name for name in ORIGIN if name in rows]].rename(columns=ORIGIN)
    places["unit"] = respondent
    places["level"] = "respondent"
    places["time"] = respondent.groupby(respondent).cumcount()
    listed = flagged.merge(places, how="left", on=["unit", "level", "time"])
    return listed.drop(columns="time")


def _side_by_side(found: pd.DataFrame) -> pd.DataFrame:
    """Set the figures of a level side by side: a column a check, and the names of the checks that flag the unit."""
    keys = ["county", "unit"]
    table = found.pivot_table(
        index=keys, columns="check", values="figure", aggfunc="first", sort=False
    )
    # pivoting drops units whose figures are all missing
    units = pd.MultiIndex.from_frame(found[keys].drop_duplicates())
    table = table.rename_axis(columns=None).reindex(units)
    flagged = found[found["flag"]].groupby(keys)["check"].agg("; ".join)
    table["flagged"] = flagged.reindex(table.index).fillna("")
    return table.reset_index()


def _shown(tables: Mapping[str, pd.DataFrame], mark: str) -> dict[str, pd.DataFrame]:
    """Round to four significant digits and add the mark; the findings themselves are not rounded."""
    shown = {}
    for name, table in tables.items():
        rounded = table.reset_index(drop=True)
        for column in table.select_dtypes("float"):
            rounded[column] = rounded[column].map(lambda value: float(f"{value:.4g}"))
        shown[name] = rounded.assign(mark=mark)
    return shown


def county_pages(standing: Standing, language: Language) -> Iterator[tuple[str, str]]:
    """Yield the file name and the text of every county's page in a language, in order of the areas."""
    languages = standing.survey.declared.languages
    shared = _shared(standing)
    shared["index"] = page_name("index.html", language, languages)
    progress = standing.progress.set_index("code")
    lines = {line["code"]: line for line in _index_lines(standing, language)}
    rows_of = dict(list(standing.rows.groupby(standing.fields.codes(standing.rows, "county"))))
    found_of = dict(list(standing.found.groupby("county")))
    for code in standing.survey.ranked_areas():
        rows = rows_of.get(code, standing.rows.iloc[:0])
        found = found_of.get(code, standing.found.iloc[:0])
        tables = county_page(rows, found, code, fields=standing.fields, mark="")
        days = tables.get("days", pd.DataFrame())
        page = page_of(code)
        of_county = found[found["level"] == "county"]
        by_check = tables["flags"].groupby(["check", "level"], sort=False)
        flags = [units.to_dict("records") for _check, units in by_check]
        values = {
            "across": across(page, language, languages),
            "line": lines[code],
            "beside": of_county["q1"].notna().any(),
            "psus": _psus(progress.loc[code]),
            "found": _cells_in_words(found.to_dict("records"), standing.survey),
            "interviewers": _interviewers(found[found["level"] == "interviewer"]),
            "flags": flags,
            "days": days.to_dict("records"),
        }
        with use(language):
            text = fill("county.html", shared | values)
        yield page_name(page, language, languages), text


def checks_index_page(standing: Standing, language: Language) -> str:
    """Write the page that lists the checks and the counties with their flags, the most flagged first."""
    languages = standing.survey.declared.languages
    flagged = standing.found[standing.found["flag"]]
    elsewhere = flagged[flagged["county"] == ""]
    values = {
        "across": across("index.html", language, languages),
        "summary": _counted(standing),
        "interviews": len(standing.rows),
        "counties": _index_lines(standing, language),
        "counted": check_table(standing).to_dict("records"),
        "others": elsewhere.to_dict("records"),
        "outcomes": standing.outcomes,
    }
    with use(language):
        return fill("counties.html", _shared(standing) | values)


def _counted(standing: Standing) -> pd.Series[Any]:
    """Count the rows read, accepted and rejected."""
    return standing.responses.summary[["rows", "accepted", "rejected"]].sum()


def _shared(standing: Standing) -> dict[str, object]:
    """Return what every page says of the survey, the limits and the checks that did not run."""
    survey = standing.survey
    return {
        "survey": survey,
        "declared": survey.declared,
        "marks": survey.marks,
        "day": standing.day,
        "limits": LIMITS,
        "note": NOTE,
        "left_out": standing.left_out.to_dict("records"),
        "checks": CHECKS,
        "levels": LEVELS,
        "tabulated": TABULATED,
        "text": Text,
        "written": written,
    }


def _index_lines(standing: Standing, language: Language) -> list[Row]:
    """Write every county's line of the index, which its own page begins with."""
    of_counties = standing.found[standing.found["level"] == "county"]
    flagged = of_counties[of_counties["flag"]]
    names = standing.survey.area_names()
    response = standing.found[standing.found["check"] == "response_rate"]
    rates = response.set_index("county")["figure"]
    lines = []
    for line in county_table(standing).to_dict("records"):
        code = line["code"]
        page = page_name(page_of(code), language, standing.survey.declared.languages)
        line["href"] = f"counties/{page}"
        line["name"] = names[code]
        if pd.isna(line["planned"]):
            line["planned"] = ABSENT
        line["share"] = written("quota", line["share"])
        line["rate"] = written("response_rate", rates.get(code))
        line["checks"] = flagged.loc[flagged["county"] == code, "check"]
        line["interviews_share"] = _share(line["interviews"], line["accepted"])
        lines.append(line)
    return lines


def _psus(progress: pd.Series[Any]) -> str:
    """Write how many PSUs of the sample were reached; nothing without a sample table."""
    if pd.isna(progress["psus_planned"]):
        return ""
    return f"{int(progress['psus_reached'])} / {int(progress['psus_planned'])}"


def _interviewers(found: pd.DataFrame) -> Row:
    """Set an interviewer's figures side by side: the checks, and rows of a name and cells (text, flagged)."""
    ran = set(found["check"])
    checks = [check for check in CHECKS if check in ran]
    rows = []
    for unit, findings in found.groupby("unit", sort=True):
        by_check = {one["check"]: one for one in findings.to_dict("records")}
        cells = [(ABSENT, False)] * len(checks)
        for place, check in enumerate(checks):
            if one := by_check.get(check):
                cells[place] = (written(check, one["figure"]), bool(one["flag"]))
        flagged = sum(flag for _, flag in cells)
        rows.append(
            {"unit": unit, "n": int(findings["n"].max()), "cells": cells, "flagged": flagged}
        )
    rows.sort(key=lambda row: (-row["flagged"], row["unit"]))
    return {"checks": checks, "rows": rows}


def _cells_in_words(found: list[Row], survey: Survey) -> list[Row]:
    """Write the cells of the quota among findings in the words of their items in place of codes."""
    if survey.quota is None:
        return found
    items = [name for name in survey.quota if name != "planned"]
    for cell in found:
        if cell["level"] != "cell":
            continue
        pairs = zip(items, cell["unit"].split(" x "), strict=True)
        cell["unit"] = in_crosses([_word_of(item, code, survey) for item, code in pairs])
    return found


def _word_of(item: str, code: str, survey: Survey) -> Text:
    """Return what a code of an item means; the code itself where nobody knows."""
    meanings = dict(survey.area_names())
    if isinstance(survey.questionnaire.items[item], SingleItem):
        answers = survey.questionnaire.answers(item) | survey.questionnaire.special(item)
        meanings = {str(known): answer.text for known, answer in answers.items()}
    return meanings.get(code, Text(code, code))


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else ABSENT


def write_fieldwork(standing: Standing) -> Path:
    """Write the file set into <survey>/out/<time>-fieldwork/, which appears when everything is written.

    fieldwork-<day>.xlsx, index.html and counties/<code>.html in the first of the survey's languages (fieldwork-<day>-en.xlsx,
    index-en.html, counties/<code>-en.html in the other), findings.csv (one row a check and unit) and run.json, which alone holds the clock. Nothing is overwritten, and `out/latest` stays where it is.

    Returns
    -------
    Path
        The folder.
    """
    finished = datetime.datetime.now(datetime.UTC)
    target = standing.survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-fieldwork"
    with dated_folder(target) as folder:
        scratch = folder.scratch
        survey = standing.survey
        where = {"survey": survey.name, "wave": survey.declared.wave, "day": standing.day}
        columns = [*where, *standing.found, "mark"]
        findings = standing.found.assign(**where, mark=mark(survey))[columns]
        write_csv(twelve_digits(findings), scratch / "findings.csv")
        (scratch / "counties").mkdir()
        tables = workbook(standing)
        languages = standing.survey.declared.languages
        for language in languages:
            index = page_name("index.html", language, languages)
            write_text(checks_index_page(standing, language), scratch / index)
            book = scratch / page_name(workbook_name(standing), language, languages)
            with use(language):
                write_explaining(book, _in_words(tables))
            pages = tqdm(
                county_pages(standing, language),
                desc=str(_("pages")),
                total=len(standing.progress),
                disable=None,
                leave=False,
            )
            for name, text in pages:
                write_text(text, scratch / "counties" / name)
        files = [path for path in sorted(scratch.rglob("*")) if path.is_file()]
        outputs = {path.relative_to(scratch).as_posix(): sha256(path) for path in files}
        stamp = {"finished": finished.isoformat(timespec="seconds"), "outputs": outputs}
        write_json(plain(record(standing) | stamp), scratch / "run.json")
    return folder.target


def workbook_name(standing: Standing) -> str:
    """Return the file name of the day's workbook, without the day where none is recorded."""
    return f"fieldwork-{standing.day}.xlsx" if standing.day else "fieldwork.xlsx"


def _in_words(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the sheets of the day as a reader of the current language sees them; figures stay."""
    headings = HEADINGS | {name: check.name for name, check in CHECKS.items()}
    of_the_planned = headings | {"share": pgettext("a heading", "share of the planned")}
    sheets = {}
    for name, table in tables.items():
        worded = table.copy()
        if "level" in table:
            worded["level"] = [LEVELS.get(level, level) for level in table["level"]]
        if "check" in table:
            worded["check"] = [CHECKS[check].name for check in table["check"]]
        if "flagged" in table and name in ("counties", "interviewers"):
            worded["flagged"] = [
                semicolon_list(CHECKS[check].name for check in checks.split("; ") if check)
                for checks in table["flagged"]
            ]
        if name == "notes":
            worded["name"] = [NOTES.get(note, note) for note in table["name"]]
        titles = of_the_planned if "planned" in table else headings
        sheets[str(SHEETS[name])] = in_one_language(worded, titles)
    return sheets


def workbook(standing: Standing) -> dict[str, pd.DataFrame]:
    """Return the sheets of the day: those of `daily_workbook`, progress by area, and the checks left out."""
    marked = mark(standing.survey)
    sheets = daily_workbook(
        standing.rows,
        standing.found,
        fields=standing.fields,
        day=standing.day,
        mark=marked,
        outcomes=standing.outcomes,
    )
    further = {"progress": standing.progress, "left_out": standing.left_out}
    return sheets | {name: table.assign(mark=marked) for name, table in further.items()}


def record(standing: Standing) -> dict[str, Any]:
    """Return what the files were made from: survey, counts, limits, and which checks ran and flagged what."""
    survey = standing.survey
    about = {
        "survey": survey.name,
        "wave": survey.declared.wave,
        "questionnaire": survey.questionnaire.reference,
        "mark": mark(survey),
        "day": standing.day,
    }
    checks = check_table(standing)[["check", "level", "units", "flagged"]]
    files = standing.responses.summary[["file", "sheet", "sha256"]]
    return about | {
        "rows": {str(name): int(count) for name, count in _counted(standing).items()},
        "looked_at": len(standing.rows),
        "limits": asdict(LIMITS),
        "checks": checks.to_dict("records"),
        "left_out": standing.left_out.to_dict("records"),
        "responses": files.to_dict("records"),
    }


def summary_lines(standing: Standing, folder: Path) -> list[Text]:
    """Say in a few lines what was read, what is flagged and what to do, and where the files lie."""
    survey = standing.survey
    counts = _counted(standing)
    lines = [survey.declared.title]
    if survey.marks:
        lines.append(_("*** {mark} ***", mark=survey.marks))
    lines.append(
        _(
            "read {rows} = accepted {accepted} + rejected {rejected}",
            rows=counts.rows,
            accepted=counts.accepted,
            rejected=counts.rejected,
        )
    )
    day = standing.day or ABSENT
    lines.append(_("up to {day}: interviews looked at {n}", day=day, n=len(standing.rows)))
    checks = check_table(standing)
    flagged = checks[checks["flagged"] > 0]
    if flagged.empty:
        lines.append(_("nothing is flagged"))
    else:
        lines.append(_("flags (reasons to look, not verdicts):"))
    for row in flagged.itertuples():
        check = CHECKS[row.check]
        lines.append(
            _(
                "  {check}: {flagged} / {units} {level}",
                check=check.name,
                flagged=row.flagged,
                units=row.units,
                level=LEVELS[row.level],
            )
        )
        lines.append(_("    {advice}", advice=check.advice))
    if len(standing.left_out):
        names = map(Text, standing.left_out["zh"], standing.left_out["en"])
        lines.append(_("checks left out: {checks}", checks=semicolon_list(names)))
    lines.append(_("workbook: {path}", path=folder / workbook_name(standing)))
    lines.append(_("pages: {path}", path=folder / "index.html"))
    lines.append(_("all: {path}", path=folder / "findings.csv"))
    return lines
