"""Commands: is a file set what its inputs give, what differs between two, and JupyterLab."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from satisfaction.cli.options import FOLDER, command, option, reader, tell
from satisfaction.foundation.language import _

DIFFERENT = 1


@command(
    _("Recompute a file set from its inputs and compare."),
    codes={
        "0": _("identical"),
        "10": _("a file was changed by hand"),
        "11": _("inputs changed"),
        "12": _("another program version"),
        "13": _("differs without a known cause"),
    },
)
@click.argument("folder", type=FOLDER)
@option(
    "--survey",
    type=FOLDER,
    default=None,
    words=_("default: the one recorded in the set"),
)
@option(
    "--handed-over",
    "mark",
    is_flag=True,
    words=_(
        "where it is identical, mark it as handed over; later waves read their history from it"
    ),
)
def verify(folder: Path, survey: Path | None, mark: bool) -> None:
    """Recompute a file set from its inputs and compare."""
    from satisfaction.comparison.again import verify_any
    from satisfaction.comparison.compare import verification_lines
    from satisfaction.foundation.file_sets import mark_handed_over

    found = verify_any(folder, survey=survey)
    for line in verification_lines(found):
        tell(line)
    if found.code:
        if mark:
            tell(_("not marked as handed over"))
        sys.exit(found.code)
    if mark:
        marked = mark_handed_over(folder)
        line = _(
            "marked as handed over on {date}: {name}, revision {revision}",
            date=marked.date,
            name=marked.folder.name,
            revision=marked.revision,
        )
        tell(line)


@command(
    _("Which figures changed between two file sets, and why."),
    codes={
        "0": _("the same estimates and ranks"),
        "1": _("some differ"),
        "2": _("cannot be compared"),
    },
)
@click.argument("old", type=FOLDER)
@click.argument("new", type=FOLDER)
@option(
    "--out",
    type=FOLDER,
    default=None,
    words=_("also write an .xlsx or .csv file, or a folder that `verify` can recompute"),
)
def compare(old: Path, new: Path, out: Path | None) -> None:
    """Which figures changed between two file sets, and why."""
    from satisfaction.comparison.compare import check_written, comparison_lines, write_comparison
    from satisfaction.comparison.compare import compare as compare_sets

    if out is not None:
        check_written(out)
    found = compare_sets(old, new)
    for line in comparison_lines(found):
        tell(line)
    if out is not None:
        tell(_("written: {path}", path=write_comparison(found, out)))
    if not found.nothing:
        sys.exit(DIFFERENT)


@command(_("Open the project in JupyterLab: choose a wave, run it."))
@click.argument("folder", type=FOLDER, default=Path())
@option("--no-browser", is_flag=True, words=_("only print the address"))
def lab(folder: Path, no_browser: bool) -> None:
    """Open the project in JupyterLab: choose a wave, run it."""
    from satisfaction.notebook.server import serve

    # as Ctrl+C does: the server and its temporary folder go with the command
    for name in ("SIGTERM", "SIGHUP"):  # the second where there are terminals that hang up
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _frame: sys.exit(128 + number))
    if code := serve(folder, language=reader(), browser=not no_browser, tell=tell):
        sys.exit(code)
