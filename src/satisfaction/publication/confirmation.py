"""README.txt of a file set, and the page on which the office confirms the figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from satisfaction import __version__
from satisfaction.foundation.file_sets import FORMAT
from satisfaction.foundation.files import in_order, sha256
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
CONFIRMED = {".csv", ".xlsx", ".parquet", ".json"}


def readme(results: Results, tables: Mapping[str, pd.DataFrame], *, revision: int) -> str:
    """Write README.txt in the current language: the files, how to check and read them, what is withheld, and every column."""
    survey = results.survey
    names = dict.fromkeys(column for table in tables.values() for column in table)
    content = {
        "declared": survey.declared,
        "marks": survey.marks,
        "revision": revision,
        "format": FORMAT,
        "questionnaire": survey.questionnaire.reference,
        "adopted": adoption_notes(results),
        "tables": tables,
        "withheld": _withheld(results),
        "columns": {name: COLUMNS[name] for name in names},
    }
    return fill("readme.txt", content)


def confirm_page(results: Results, folder: Path, *, revision: int, language: Language) -> str:
    """Write the page on which names and dates are filled in: what is confirmed, by fingerprints of the files in `folder`."""
    survey = results.survey
    fingerprints = {}
    for path in in_order(folder.iterdir()):
        if path.suffix in CONFIRMED:
            fingerprints[path.name] = sha256(path)
    content = {
        "title": survey.declared.title,
        "marks": survey.marks,
        "adopted": adoption_notes(results),
        "wave": survey.declared.wave,
        "revision": revision,
        "version": __version__,
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
