"""The files a team receives: a workbook of the day, a page a county, all findings; written in one step."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from satisfaction.fieldwork.checks import CHECKS
from satisfaction.fieldwork.daily import daily_workbook
from satisfaction.fieldwork.pages import check_table, county_pages, index_page
from satisfaction.fieldwork.standing import Standing
from satisfaction.foundation.files import dated_folder, sha256
from satisfaction.foundation.tables import write_csv, write_json, write_text, write_xlsx
from satisfaction.publication.labels import mark, twelve_digits
from satisfaction.publication.manifest import plain


def write_fieldwork(standing: Standing) -> Path:
    """Write the file set into <survey>/out/<time>-fieldwork/, which appears when everything is written.

    fieldwork-<day>.xlsx, index.html, counties/<code>.html, findings.csv (one row a check and unit) and run.json, which alone
    holds the clock. Nothing is overwritten, and `out/latest` stays where it is.

    Returns
    -------
    Path
        The folder.
    """
    survey, finished = standing.survey, datetime.datetime.now(datetime.UTC)
    with dated_folder(survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-fieldwork") as made:
        scratch = made.scratch
        write_xlsx(workbook(standing), scratch / f"{workbook_name(standing)}.xlsx")
        write_csv(findings_table(standing), scratch / "findings.csv")
        write_text(index_page(standing), scratch / "index.html")
        (scratch / "counties").mkdir()
        pages = tqdm(
            county_pages(standing),
            desc="县页 pages",
            total=len(standing.progress),
            disable=None,
            leave=False,
        )
        for name, text in pages:
            write_text(text, scratch / "counties" / name)
        written = sorted(path for path in scratch.rglob("*") if path.is_file())
        outputs = {path.relative_to(scratch).as_posix(): sha256(path) for path in written}
        stamp = {"finished": finished.isoformat(timespec="seconds"), "outputs": outputs}
        write_json(plain(record(standing) | stamp), scratch / "run.json")
    return made.target


def workbook_name(standing: Standing) -> str:
    """Return the name of the day's workbook, without the day where none is recorded."""
    return "-".join(filter(None, ["fieldwork", standing.day]))


def workbook(standing: Standing) -> dict[str, pd.DataFrame]:
    """Return the sheets of the day: those of `daily_workbook`, progress by area, and the checks left out."""
    said = mark(standing.survey)
    sheets = dict(
        daily_workbook(
            standing.rows, standing.found, fields=standing.fields, day=standing.day, mark=said, limits=standing.limits,
            outcomes=standing.outcomes,
        )
    )  # fmt: skip
    return sheets | {
        "progress": standing.progress.assign(mark=said),
        "left_out": standing.left_out.assign(mark=said),
    }


def findings_table(standing: Standing) -> pd.DataFrame:
    """Return all findings with the survey, the day and the mark, to 12 digits."""
    survey = standing.survey
    about = pd.DataFrame(
        {"survey": survey.name, "wave": survey.declared.wave, "day": standing.day},
        index=standing.found.index,
    )
    return twelve_digits(about.join(standing.found).assign(mark=mark(survey)))


def record(standing: Standing) -> dict[str, Any]:
    """Return what the files were made from: survey, counts, limits, and which checks ran and flagged what."""
    survey, summary = standing.survey, standing.responses.summary
    return {
        "survey": survey.name,
        "wave": survey.declared.wave,
        "questionnaire": survey.questionnaire.reference,
        "mark": mark(survey),
        "day": standing.day,
        "rows": {name: int(summary[name].sum()) for name in ("rows", "accepted", "rejected")},
        "looked_at": len(standing.rows),
        "limits": asdict(standing.limits),
        "checks": check_table(standing)[["check", "level", "units", "flagged"]].to_dict("records"),
        "left_out": standing.left_out.to_dict("records"),
        "responses": summary[["file", "sheet", "sha256"]].to_dict("records"),
    }


def summary_lines(standing: Standing, folder: Path) -> list[str]:
    """Say in a few lines what was read, what is flagged and what to do, and where the files lie."""
    survey, rows = (
        standing.survey,
        standing.responses.summary[["rows", "accepted", "rejected"]].sum(),
    )
    lines = [
        str(survey.declared.title),
        *filter(None, [f"*** {mark(survey)} ***" if survey.marks else ""]),
    ]
    lines.append(
        f"读入 read {rows.rows} = 接受 accepted {rows.accepted} + 拒收 rejected {rows.rejected}"
    )
    lines.append(
        f"截至 up to {standing.day or '–'}: 所看答卷 interviews looked at {len(standing.rows)}"
    )
    checks = check_table(standing)
    flagged = checks[checks["flagged"] > 0]
    lines.append(
        "标记（线索，不是结论） flags (reasons to look, not verdicts):"
        if len(flagged)
        else "没有标记 nothing is flagged"
    )
    for one in flagged.itertuples():
        what = f"{one.zh} {one.en}: {one.flagged} / {one.units} {one.level_zh} {one.level_en}"
        lines += [f"  {what}", f"    {' '.join(CHECKS[one.check][2:])}"]
    if len(standing.left_out):
        named = "; ".join(
            f"{zh} {en}" for zh, en in standing.left_out[["zh", "en"]].itertuples(index=False)
        )
        lines.append(f"未做的检查 checks left out: {named}")
    sheets = folder / f"{workbook_name(standing)}.xlsx"
    return [
        *lines,
        f"工作簿 workbook: {sheets}",
        f"县页 pages: {folder / 'index.html'}",
        f"全部 all: {folder / 'findings.csv'}",
    ]
