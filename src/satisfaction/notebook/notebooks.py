"""The notebooks: executed with papermill on a survey, results beside the pipeline's own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ExportError, InputFileError
from satisfaction.foundation.files import new_folder, sha256
from satisfaction.foundation.language import Language, Text, _, comma_list
from satisfaction.foundation.shipped import shipped
from satisfaction.pipeline import Results

WORKING = "0[1-9]_*.ipynb"  # 00 is the door
TRIAL = "trial_"
TESTING = "03_tests.ipynb"
COMPARING = (TESTING, "05_ranking.ipynb")  # notebooks that compare areas


def project_root(start: Path, *, holding: Collection[str] = ("surveys", "notebooks")) -> Path:
    """Return the nearest folder at or above `start` that has `surveys` and `notebooks`.

    Parameters
    ----------
    start : Path
    holding : collection of str
        The folders it must have.

    Raises
    ------
    InputFileError
        F118 when there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if all((folder / name).is_dir() for name in holding):
            return folder
    raise InputFileError(
        "F118",
        _(
            "This is no project folder: {folders} not found in it or above it.",
            folders=comma_list(f"{name}/" for name in holding),
        ),
        where=str(start),
        hint=_(
            "Go to the project folder, or name it: satisfaction lab <folder>. "
            "`satisfaction init <folder>` makes an example project."
        ),
    )


def shelf_of(language: Language) -> Path:
    """Return the folder of a language's notebooks, in the project."""
    if language == "zh":
        return Path("notebooks")
    return Path("notebooks") / language


def find_notebooks(survey: Survey, language: Language = "zh") -> list[Path]:
    """List the numbered notebooks of a language in the `notebooks` folder above the survey, else those the program brings along.

    Raises
    ------
    InputFileError
        F111 when there are none.
    """
    shelves = [parent / shelf_of(language) for parent in survey.folder.resolve().parents]
    shelves.append(shipped(shelf_of(language).as_posix()))
    nearest = next((shelf for shelf in shelves if shelf.is_dir()), None)
    notebooks = list(nearest.glob(WORKING)) if nearest else []
    if not notebooks:
        raise InputFileError(
            "F111",
            _("There is no {shelf}/ folder above the survey.", shelf=shelf_of(language).as_posix()),
            where=str(survey.folder),
            hint=_("Run inside the project folder."),
        )
    return sorted(notebooks)


def nothing_for(results: Results) -> dict[str, Text]:
    """Return the notebooks that have nothing to work on, each with the reason."""
    if not results.ranking.ranks_any:
        return dict.fromkeys(COMPARING, _("no other area to compare with"))
    if results.survey.declared.selection != "probability":
        return {TESTING: _("not a probability sample, nothing can be tested")}
    return {}


def run_notebooks(
    survey: Survey,
    folder: Path,
    *,
    language: Language = "zh",
    official: Path | None = None,
    leave_out: Collection[str] = (),
) -> Path:
    """Execute all notebooks with parameters `survey`, `out` and `language`, into a folder that appears when all are done.

    Parameters
    ----------
    survey : Survey
    folder : Path
        Receives the executed notebooks and what they export.
    language : {"zh", "en"}
        Which notebooks; figures and exports are the same in both.
    official : Path, optional
        The file set of the same run. A notebook whose exports differ from it went its own way: it and its files get names
        that begin with `trial_`.
    leave_out : collection of str
        File names of notebooks that have nothing to work on.

    Raises
    ------
    ExportError
        X111 names the notebook and the cell's error; X401, after everything is written, names the notebooks that went their
        own way.
    """
    every = find_notebooks(survey, language)
    notebooks = [path for path in every if path.name not in leave_out]
    with new_folder(folder) as scratch:
        for notebook in notebooks:
            _exports(scratch, notebook).mkdir()
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            done = pool.map(
                lambda notebook: _execute(notebook, survey, scratch, language=language), notebooks
            )
            for _executed in tqdm(done, total=len(notebooks), desc="notebooks", disable=None):
                pass
        different = [
            name for notebook in notebooks for name in _gather(notebook, scratch, official)
        ]
    if different:
        raise ExportError(
            "X401",
            _(
                "Notebooks gave other results than this run: {different}; renamed to "
                "{TRIAL}..., a trial only.",
                different=comma_list(different),
                TRIAL=TRIAL,
            ),
            where=str(folder),
            hint=_(
                "The set that `satisfaction run` wrote is the official one; to adopt another "
                "way, change survey.yaml or rules.yaml and run again."
            ),
        )
    return folder


def _exports(scratch: Path, notebook: Path) -> Path:
    """Return the folder that one notebook exports to while it runs."""
    return scratch / notebook.stem


def _gather(notebook: Path, scratch: Path, official: Path | None) -> list[str]:
    """Move what a notebook exported beside it; return the names of the files that are not those of the official set."""
    exports = _exports(scratch, notebook)
    different = []
    for path in sorted(exports.iterdir()):
        published = official / path.name if official else None
        if published is not None and published.is_file() and sha256(path) != sha256(published):
            different.append(path.name)
            path.rename(scratch / f"{TRIAL}{path.name}")
        else:
            path.rename(scratch / path.name)
    exports.rmdir()
    if not different:
        return []
    (scratch / notebook.name).rename(scratch / f"{TRIAL}{notebook.name}")
    return [f"{notebook.name} ({', '.join(different)})"]


def _execute(notebook: Path, survey: Survey, folder: Path, *, language: Language) -> None:
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from papermill.exceptions import PapermillExecutionError

    out = str(_exports(folder, notebook).resolve())
    parameters = {"survey": str(survey.folder.resolve()), "out": out, "language": language}
    loop = ensure_event_loop()
    try:  # no `cwd`: papermill would change the whole process's folder, under the other threads' feet
        papermill.execute_notebook(
            str(notebook),
            str(folder / notebook.name),
            parameters,
            progress_bar=False,
            kernel_name="python3",
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    except PapermillExecutionError as fault:
        raise ExportError(
            "X111",
            _(
                "Notebook {name}, cell {cell_index}: {ename}: {evalue}",
                name=notebook.name,
                cell_index=fault.cell_index,
                ename=fault.ename,
                evalue=fault.evalue,
            ),
            where=str(notebook),
            hint=_("Correct the data or the declarations and run again."),
        ) from None
    finally:
        loop.close()


def exported(folder: Path) -> Iterator[Path]:
    """Yield the files that notebooks exported, without the notebooks themselves."""
    for path in sorted(folder.iterdir()):
        if path.suffix != ".ipynb":
            yield path
