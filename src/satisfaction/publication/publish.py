"""From a notebook to the official set: only what a fresh process computes from the folder is official, all else is a trial."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from satisfaction.declarations.survey import read_survey
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.files import scratch_folder
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results, run
from satisfaction.publication.file_set import export, export_as_trial, export_dated
from satisfaction.publication.manifest import beside_folder
from satisfaction.publication.verify import set_differences

CHILD = (
    "import sys; from satisfaction.publication.publish import write_declared; "
    "write_declared(sys.argv[1], sys.argv[2])"
)


def publish(results: Results) -> Path:
    """Write the official set of a wave, or a trial where the results are not what its folder gives.

    A fresh process computes the declared run from the folder, and every file is compared with what these results would write,
    figures to 12 digits. Without a difference the set is written to out/ as `satisfaction run` writes it, the same bytes. With
    one it goes to out/<time>-trial/, every row, page, picture and workbook marked, and its manifest says what was used.

    Parameters
    ----------
    results : Results
        Of `run`, or of a trial.

    Returns
    -------
    Path
        The new folder; the name of a trial's ends in -trial.

    Raises
    ------
    InputFileError
        F420 for a file that changed since it was read.
    ExportError
        X403 where the fresh process could not run the survey.

    Examples
    --------
    >>> folder = sat.publish(sat.run(sat.read_survey("surveys/wave")))
    >>> sat.verify(folder).code
    0
    """
    results = beside_folder(results)
    survey = results.survey
    if not survey.departures():
        with scratch_folder("satisfaction-publish") as scratch:
            _run_afresh(survey.sources[0], scratch / "declared")
            at_hand = export(results, scratch / "given")
            differing = set_differences(scratch / "declared", at_hand)
        if not differing:
            return export_dated(results)
        first = differing[0]
        place = (first.file, first.place, first.unit, first.column)
        where = " ".join(filter(None, place))
        results = replace(results, survey=replace(survey, altered=(f"results: {where}",)))
    return export_as_trial(results)


def write_declared(survey: str, folder: str) -> None:
    """Run a survey as its folder declares it and write the set to a folder."""
    export(run(read_survey(survey)), folder)


def _run_afresh(survey: Path, folder: Path) -> None:
    """Let a process that knows nothing of this one compute the declared run."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, str(survey.resolve()), str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ExportError(
            "X403",
            _("The declared run could not be computed afresh: {fault}", fault="".join(last)),
            where=str(survey),
            hint=_("Run `satisfaction run` on the folder: it says what is wrong."),
        )
