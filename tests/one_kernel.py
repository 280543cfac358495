"""Many notebooks in one kernel: libraries are imported once, and a survey that was run is not run again.

`satisfaction run --notebooks` starts a kernel for every notebook; one test does that too. The others lay all notebooks
end to end, empty the namespace between them, and take the outputs apart again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

TESTS = Path(__file__).parent
REMEMBER_PICTURES = f"""
import sys

sys.path.append({str(TESTS)!r})
from remembered_pictures import remember_pictures

pictures = remember_pictures()
"""
REMEMBER_RUNS = """
import satisfaction.pipeline


def remembering(run):
    runs = {}

    def remembered(survey, **options):
        from satisfaction.foundation.language import current

        rules = survey.rules and survey.rules.model_dump_json()
        declared = survey.declared.model_dump_json()
        key = survey.folder.resolve(), declared, rules, tuple(options.items()), current()
        if key not in runs:
            runs[key] = run(survey, **options)
        return runs[key]

    return remembered


satisfaction.pipeline.run = remembering(satisfaction.pipeline.run)
"""
WITHOUT_PICTURES = "pictures.blank = True"
EMPTY = "%reset -f"


@dataclass(frozen=True)
class NotebookRun:
    """A notebook on a survey; `folder` receives the notebook, and what it exports unless it is as shipped.

    The kernel is emptied after it, unless the next run is to find what this one left.
    """

    notebook: Path
    survey: Path
    folder: Path
    language: str = "zh"
    exports: bool = True
    emptied: bool = True

    def cells(self) -> list[NotebookNode]:
        from papermill.iorw import load_notebook_node
        from papermill.parameterize import parameterize_notebook

        parameters = {
            "survey": str(self.survey),
            "out": str(self.folder) if self.exports else "",
            "language": self.language,
        }
        return parameterize_notebook(load_notebook_node(str(self.notebook)), parameters).cells


def execute_in_one_kernel(runs: Sequence[NotebookRun], *, pictures_of_pages: bool = True) -> None:
    """Execute the runs one after the other; an error stops nothing and stands in the outputs.

    Pages that notebooks write may go without pictures; what cells show is drawn either way.
    """
    from jupyter_core.utils import ensure_event_loop
    from nbclient import NotebookClient

    first = [REMEMBER_PICTURES, REMEMBER_RUNS, EMPTY]
    if not pictures_of_pages:
        first.insert(1, WITHOUT_PICTURES)
    before = [nbformat.v4.new_code_cell(source) for source in first]
    together = nbformat.v4.new_notebook(cells=before)
    places = []
    for one in runs:
        start = len(together.cells)
        together.cells += one.cells()
        places.append(slice(start, len(together.cells)))
        if one.emptied:
            together.cells.append(nbformat.v4.new_code_cell(EMPTY))
    for number, cell in enumerate(together.cells):
        cell.metadata["id_of_its_own"] = cell.id
        cell.id = f"c{number}"
    loop = ensure_event_loop()
    try:
        NotebookClient(
            together,
            kernel_name="python3",
            allow_errors=True,
            timeout=None,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        ).execute()
    finally:
        loop.close()
    between = [cell for cell in together.cells if cell.source in first]
    assert [cell.outputs for cell in between if cell.outputs] == []
    for one, place in zip(runs, places, strict=True):
        cells = together.cells[place]
        for cell in cells:
            cell.id = cell.metadata.pop("id_of_its_own")
        nbformat.write(nbformat.v4.new_notebook(cells=cells), one.folder / one.notebook.name)
