"""README.txt of a file set, and the page on which the office confirms the figures."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from satisfaction.foundation.file_sets import FORMAT
from satisfaction.foundation.files import sha256
from satisfaction.foundation.language import Language, Text, _, use
from satisfaction.foundation.pages import across, fill
from satisfaction.pipeline import Results
from satisfaction.publication.adoption import adoption_notes
from satisfaction.publication.columns import COLUMNS
from satisfaction.publication.manifest import suppressed_counts

ROLES = (
    _("Prepared by"),
    _("Checked by"),
    _("Responsible"),
)
FIGURES = (
    "indices.csv",
    "indices.xlsx",
    "indices-en.xlsx",
    "indices-zh.xlsx",
    "indices.parquet",
    "ranking.csv",
    "ranking.xlsx",
    "ranking-en.xlsx",
    "ranking-zh.xlsx",
    "ranking.parquet",
    "covariance.csv",
    "selection_model.csv",
    "selection_sensitivity.csv",
    "selection_odds.csv",
    "selection.xlsx",
    "selection-en.xlsx",
    "selection-zh.xlsx",
)
FILES = {
    "indices.csv": _("every figure of every level"),
    "indices_zh.csv, ranking_zh.csv": _("the same rows under Chinese headings"),
    "indices.xlsx, ranking.xlsx": _(
        "one sheet for programs, one for people, one that explains the columns"
    ),
    "indices.parquet, ranking.parquet": _("the same tables with their types"),
    "ranking.csv": _("ranks with their sets and statuses"),
    "ranking_*.csv, covariance.csv": _("what else the rules ask for; sampling covariance"),
    "tests.*, reliability.*": _(
        "tests and reliability: as `tests` of survey.yaml declares, else the usual ones"
    ),
    "report.html, reading.html": _("the report; how to read ranks"),
    "confirm.html": _("names and dates of those who confirm; to be printed"),
    "*-en.*, *-zh.*": _("pages, workbooks and this text in the wave's second language"),
    "datapackage.json": _("table schemas of the csv files (Frictionless)"),
    "manifest.json": _("what the figures were made from, and how"),
    "run.json": _("revision, time"),
    "SHA256SUMS": _("checksums of all files"),
    "log.csv, rejected.*": _("rejected rows and blanked answers, for the survey team"),
}
OF_WHO_ANSWERED = {
    "selection_model.csv": _("estimates under the declared model, with the model's errors"),
    "selection_sensitivity.csv": _(
        "what the figures would be if the answer itself decides who answers"
    ),
    "selection_odds.csv": _(
        "how much likelier the satisfied must be to answer for an area to cross the cut; selection.xlsx holds all of these"
    ),
}
CHECKS = {
    "sha256sum -c SHA256SUMS": _("whether a file was changed"),
    "satisfaction verify {folder}": _("recompute from the inputs and compare"),
    "satisfaction compare {earlier} {later}": _("what differs between two sets, and why"),
    "frictionless validate datapackage.json": _("whether the csv files are what their schemas say"),
}
READING = _(
    "Codes are text. csv is UTF-8 with a byte order mark; text that begins with = + - @ "
    "(full-width too), tab, line feed or carriage return has a ' in front, to be taken away when "
    "read; numbers have none. In Python: satisfaction.read_indices(folder)."
)


def readme(results: Results, tables: Mapping[str, pd.DataFrame], *, revision: int) -> str:
    """Write README.txt in the current language: the files, how to check and read them, what is withheld, and every column."""
    survey = results.survey
    about = _(
        "Revision {revision}; format of the file set {format}; questionnaire {questionnaire}",
        revision=revision,
        format=FORMAT,
        questionnaire=survey.questionnaire.reference,
    )
    lines = [str(survey.declared.title)]
    if survey.marks:
        lines.append(str(survey.marks))
    lines.append(str(about))
    lines += map(str, adoption_notes(results))
    files = dict(FILES)
    for name, content in OF_WHO_ANSWERED.items():
        if name.removesuffix(".csv") in tables:
            files[name] = content
    lines += _section(_("Files"), [f"{name}: {content}" for name, content in files.items()])
    lines += _section(_("Checking"), _checks())
    lines += _section(_("Reading"), [str(READING)])
    lines += _section(_("Suppression rule"), [str(_withheld(results))])
    names = dict.fromkeys(column for table in tables.values() for column in table)
    lines += _section(_("Columns"), [_described(name) for name in names])
    return "\n".join(lines) + "\n"


def _section(heading: Text, entries: list[str]) -> list[str]:
    """Return an empty line, a heading, and its entries set in."""
    return ["", str(heading), *(f"  {entry}" for entry in entries)]


def _checks() -> list[str]:
    """Return the commands that check a set, each with what it tells."""
    words = {"folder": _("FOLDER"), "earlier": _("EARLIER"), "later": _("LATER")}
    return [f"{command.format(**words)}: {meaning}" for command, meaning in CHECKS.items()]


def _described(name: str) -> str:
    """Return a column's name, heading, unit and meaning."""
    column = COLUMNS[name]
    heading = f"{name}  {column.title}"
    if column.unit:
        heading += f" [{column.unit}]"
    return f"{heading}: {column.meaning}"


def confirm_page(results: Results, folder: Path, *, revision: int, language: Language) -> str:
    """Write the page on which names and dates are filled in: what is confirmed, by fingerprints of the files in `folder`."""
    survey = results.survey
    fingerprints = {}
    for name in (*FIGURES, "manifest.json"):
        if (folder / name).is_file():
            fingerprints[name] = sha256(folder / name)
    content = {
        "title": survey.declared.title,
        "marks": survey.marks,
        "adopted": adoption_notes(results),
        "wave": survey.declared.wave,
        "revision": revision,
        "version": importlib.metadata.version("satisfaction"),
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
