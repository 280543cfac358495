"""The Chinese catalogue: `python -m tests.catalogue` (make words) reads every `_("...")` of the package into it.

So it does every `words("...")` of the notebooks.

Messages that are new stand in the catalogue without Chinese, for somebody to fill in; those that are gone go.
The compiled catalogue is written beside it. `tests/foundation/test_catalogue.py` refuses one that is behind.
"""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "satisfaction"
NOTEBOOKS = ROOT / "notebooks"
FOLDER = PACKAGE / "locale" / "zh" / "LC_MESSAGES"
PO = FOLDER / "satisfaction.po"
MO = FOLDER / "satisfaction.mo"
CLICK_PO = FOLDER / "click.po"  # what the library of the command line says of its own
CLICK_MO = FOLDER / "click.mo"
NO_DATE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TEMPLATES = [f"foundation/templates/**.{ending}" for ending in ("html", "R", "txt")]
METHODS = [("**.py", "python"), *((template, "jinja2") for template in TEMPLATES)]
OPTIONS = {template: {"trimmed": "true", "silent": "false"} for template in TEMPLATES}
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}


def read(path: Path = PO) -> Catalog:
    """Return a catalogue as it stands."""
    with path.open("rb") as file:
        return read_po(file, locale="zh")


def extracted() -> Catalog:
    """Return the messages of the package, without Chinese."""
    messages = Catalog(project="satisfaction", charset="utf-8")
    found = extract_from_dir(PACKAGE, METHODS, OPTIONS, KEYWORDS, comment_tags=("Words:",))
    for _file, _line, message, comments, context in found:
        messages.add(message, auto_comments=comments, context=context)
    for code in (notebook_code(), module_code()):
        for _line, message, _comments, _context in extract(
            "python", code, keywords={"words": None}
        ):
            messages.add(message)
    return messages


def notebook_code() -> io.BytesIO:
    """Return the code of all notebooks; the cells are the same in every language."""
    sources = []
    for path in sorted(NOTEBOOKS.rglob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return io.BytesIO("\n".join(sources).encode("utf-8"))


def module_code() -> io.BytesIO:
    """Return the code of the module that offers `words` to notebooks."""
    return io.BytesIO((PACKAGE / "notebook" / "show.py").read_bytes())


def updated(catalogue: Catalog) -> Catalog:
    """Return the catalogue with the messages of the package: new ones are empty, old ones gone."""
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    return catalogue


def as_po(catalogue: Catalog) -> bytes:
    """Return the text of the catalogue, sorted by message: no times, no places in the code."""
    stream = io.BytesIO()
    write_po(
        stream,
        catalogue,
        width=0,
        no_location=True,
        omit_header=True,
        sort_output=True,
        ignore_obsolete=True,
    )
    header = (
        b'msgid ""\nmsgstr ""\n"Language: zh\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    )
    return header + b'"Plural-Forms: nplurals=1; plural=0;\\n"\n\n' + stream.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """Return the compiled catalogue, always with the same date, so that it is known by its bytes."""
    catalogue.creation_date = catalogue.revision_date = NO_DATE
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


def main() -> None:
    """Update the catalogue and compile it; say what has no Chinese."""
    catalogue = updated(read())
    PO.write_bytes(as_po(catalogue))
    compiled = read()
    MO.write_bytes(as_mo(compiled))
    CLICK_MO.write_bytes(as_mo(read(CLICK_PO)))
    empty = [message for message in compiled if message.id and not any(message.string)]
    print(f"{len(compiled)} messages, {len(empty)} without Chinese")
    for message in empty:
        print(f"  {message.id}")


if __name__ == "__main__":
    main()
