"""A questionnaire as other people need it: an XLSForm, a codebook, a printed page, and YAML again."""

from __future__ import annotations

from pathlib import Path

from satisfaction.collection.forms.codebook import (
    codebook_html,
    codebook_sheets,
    printable_html,
)
from satisfaction.collection.forms.xlsform import (
    read_xlsform,
    write_xlsform,
)
from satisfaction.collection.forms.xlsform_checks import check_xlsform
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.files import check_new_file, new_file, new_folder
from satisfaction.foundation.language import LANGUAGES, use
from satisfaction.foundation.pages import page_name
from satisfaction.foundation.tables import write_text
from satisfaction.foundation.workbooks import write_explaining
from satisfaction.foundation.yaml import yaml_text

__all__ = [
    "check_xlsform",
    "questionnaire_yaml",
    "read_xlsform",
    "write_forms",
    "write_yaml",
]


def write_forms(questionnaire: Questionnaire, folder: str | Path) -> Path:
    """Write xlsform.xlsx, codebook.html, codebook.xlsx and printable.html into a new folder and return its path.

    Codebook and page stand in Chinese there, and in English in codebook-en.html, codebook-en.xlsx and printable-en.html.

    Raises
    ------
    ExportError
        X101 when the folder is there already.
    QuestionnaireError
        Q201 from `write_xlsform`; nothing is written then.
    """
    folder = Path(folder)
    with new_folder(folder) as scratch:
        write_xlsform(questionnaire, scratch / "xlsform.xlsx")
        for language in LANGUAGES:
            workbook = page_name("codebook.xlsx", language, LANGUAGES)
            page = page_name("codebook.html", language, LANGUAGES)
            with use(language):
                write_explaining(scratch / workbook, codebook_sheets(questionnaire))
                write_text(codebook_html(questionnaire), scratch / page)
            printable = page_name("printable.html", language, LANGUAGES)
            write_text(printable_html(questionnaire, language), scratch / printable)
    return folder


def questionnaire_yaml(questionnaire: Questionnaire) -> str:
    """Return a questionnaire as YAML that `read_questionnaire` reads as an equal one; defaults are left out."""
    return yaml_text(questionnaire.model_dump(exclude_defaults=True))


def write_yaml(questionnaire: Questionnaire, path: str | Path) -> Path:
    """Write a questionnaire as a new YAML file and return its path.

    Raises
    ------
    ExportError
        X420 when the file is there already: a version that was fielded does not change; X102 for another ending.
    """
    path = Path(path)
    check_new_file(path, (".yaml", ".yml"), argument="--out")
    with new_file(path) as scratch:
        write_text(questionnaire_yaml(questionnaire), scratch)
    return path
