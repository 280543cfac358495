"""Commands: pages for readers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import ENGINE, FOLDER

if TYPE_CHECKING:
    from ..report.areas import Language


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--language", type=click.Choice(["both", "zh", "en"]), default="both", show_default=True)
@click.option(
    "--level", "levels", multiple=True, help="只写这些级别的页面，如 county；缺省为全部 only pages of these levels; default all"
)
@click.option("--pdf", is_flag=True, help="同时打印为 PDF（需要 Chromium、Chrome 或 Edge）also print PDF")
@click.option("--out", type=FOLDER, help="新文件夹；缺省 FOLDER/out/<时间>-report a new folder")
@ENGINE
def report(folder: Path, language: str, levels: tuple[str, ...], pdf: bool, out: Path | None, engine: str) -> None:
    """全省报告与每个地区一页（中、英文）。 The report and one page an area, in Chinese and English."""
    from ..errors import ExportError, one_of
    from ..pipeline import run
    from ..report.areas import LANGUAGES
    from ..report.folder import write_report
    from ..survey import read_survey

    survey = read_survey(folder)
    for level in levels:
        one_of(level, survey.area_levels(), argument="--level", error=ExportError, code="X143")
    results = run(survey, engine=engine)  # type: ignore[arg-type]  # click has checked it
    chosen: tuple[Language, ...] = tuple(one for one in LANGUAGES if language in ("both", one))
    written = write_report(results, levels=list(levels) or None, languages=chosen, pdf=pdf, folder=out)
    click.echo(f"页面 pages: {written / ('index.html' if 'zh' in chosen else 'index-en.html')}")
