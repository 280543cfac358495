"""Every row accounted for: rows read = rows accepted + rows rejected, by file, by area, by interviewer."""

from __future__ import annotations

import pandas as pd

from satisfaction.collection.deliveries import Delivery
from satisfaction.collection.log import LOG
from satisfaction.declarations.delivered import Unread
from satisfaction.foundation.errors import ResponsesError, number_of, shortened

SUMMARY = (
    "file", "sheet", "rows", "accepted", "rejected", "blanked", "ignored_columns", "sha256", "platform", "team", "submitted_first",
    "submitted_last", "note",
)  # fmt: skip
DIGEST = 12
ASIDE = ("R215", "R219")  # no answers that a team could correct: the same file again, totals
ROW = ("file", "sheet", "row")
REJECTED, BLANKED = "拒收 rejected", "有答案被空白 answers blanked"
STATES = (BLANKED, REJECTED)  # the graver one last


def refused_rows(log: pd.DataFrame) -> pd.Index:
    """Return the places of rejected rows in the raw table."""
    return pd.Index(log.index[log["action"] == "reject_row"].unique())


def refuse_nothing_accepted(raw: pd.DataFrame, log: pd.DataFrame) -> None:
    """Refuse responses of which no row is accepted.

    Raises
    ------
    ResponsesError
        R104.
    """
    reasons = log.loc[log["action"] == "reject_row", "rule"]
    if len(refused_rows(log)) == len(raw):
        raise ResponsesError(
            "R104",
            f"{len(raw)} 行全部被拒收。",
            f"Rejected: {number_of(len(raw), 'row')}, which is all there are.",
            where=shortened(sorted(set(raw["_file"]))),
            available=[f"{rule}: {count}" for rule, count in reasons.value_counts().items()],
            hint=("按规则编号检查文件。", "Check the files against the rules named."),
        )


def rejected_table(log: pd.DataFrame) -> pd.DataFrame:
    """Return one row a rejected row with all its reasons."""
    return _reasons(log[log["action"] == "reject_row"])


def correctable(log: pd.DataFrame) -> pd.DataFrame:
    """Return the entries about answers that a team can correct."""
    return log[log["action"].isin(["reject_row", "blank_item"]) & ~log["rule"].isin(ASIDE)]


def correctable_table(faults: pd.DataFrame) -> pd.DataFrame:
    """Return one row a row with something rejected or blanked, in the order of the rows: state, and all that is wrong with it."""
    state = faults["action"].map({"reject_row": REJECTED, "blank_item": BLANKED})
    by_row = state.groupby([faults[name] for name in ROW], sort=False).agg(
        lambda found: max(found, key=STATES.index)
    )
    return _reasons(faults).join(by_row.rename("state"), on=list(ROW))


def _reasons(faults: pd.DataFrame) -> pd.DataFrame:
    """Put everything that is wrong with a row into one, each reason with the item it concerns."""
    reasons = faults.drop_duplicates([*ROW, "column", "rule"])
    named = (reasons["column"] + ": ").where(reasons["column"] != "", "")
    told = {side: named + reasons[side] + _advice(reasons, side) for side in ("zh", "en")}
    said = {
        "id": ("id", "first"),
        "rules": ("rule", _once),
        "zh": ("zh", "；".join),
        "en": ("en", "; ".join),
    }
    return reasons.assign(**told).groupby(list(ROW), sort=False).agg(**said).reset_index()


def _advice(reasons: pd.DataFrame, side: str) -> pd.Series:
    """Say behind a reason where the other row stands, or what could have been meant; nothing where neither is known."""
    nearest, twin = ("（是否 ", "（见 ") if side == "zh" else (" (did you mean ", " (see ")
    ends = {"zh": ("？）", "）"), "en": ("?)", ")")}[side]
    is_twin = reasons["rule"] == "R203"
    asked = nearest + reasons["suggestion"] + ends[0]
    told = asked.mask(is_twin, twin + reasons["suggestion"] + ends[1])
    return told.where(reasons["suggestion"] != "", "")


def _once(rules: pd.Series) -> str:
    return "; ".join(dict.fromkeys(rules))


def unread_table(unread: list[Unread]) -> pd.DataFrame:
    """Return one row a file that is not read: file, zh, en."""
    return pd.DataFrame(
        [(one.file, one.zh, one.en) for one in unread], columns=["file", "zh", "en"]
    )


def counts_by(raw: pd.DataFrame, log: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Count rows, accepted, rejected and blanked answers by a grouping of the rows; rows without one stand under ''."""
    rejected = raw.index.isin(refused_rows(log))
    blanked = (
        log.index[log["action"] == "blank_item"].value_counts().reindex(raw.index, fill_value=0)
    )
    by = group.astype(object).where(group.notna(), "").astype(str)
    table = pd.DataFrame(
        {"value": by, "rejected": rejected.astype(int), "blanked": blanked}, index=raw.index
    )
    found = table.groupby("value").agg(
        rows=("rejected", "size"), rejected=("rejected", "sum"), blanked=("blanked", "sum")
    )
    return found.assign(accepted=found["rows"] - found["rejected"]).reset_index()[
        ["value", "rows", "accepted", "rejected", "blanked"]
    ]


def summary_table(
    raw: pd.DataFrame, log: pd.DataFrame, deliveries: list[Delivery], columns: pd.DataFrame
) -> pd.DataFrame:
    """Return one row a table of respondents: counts, what was not kept, and what is known of the file."""
    origin = raw[["_file", "_sheet"]].assign(rejected=raw.index.isin(refused_rows(log)))
    counts = origin.groupby(["_file", "_sheet"], sort=False)["rejected"].agg(["size", "sum"])
    blanked = log[log["action"] == "blank_item"].groupby(["file", "sheet"]).size()
    unread = (
        columns[(columns["item"] == "") & (columns["how"] == "")]
        .groupby(["file", "sheet"])["column"]
        .agg("; ".join)
    )
    days = raw["_submitted"] if "_submitted" in raw else pd.Series("", index=raw.index)
    submitted = days[days != ""].groupby([raw["_file"], raw["_sheet"]]).agg(["min", "max"])
    first: dict[str, str] = {}
    rows = []
    for one in deliveries:
        key = (one.file, one.export.sheet)
        size, refused = (int(number) for number in counts.loc[key])
        earlier = first.setdefault(one.digest, one.file)
        note = f"与 {earlier} 完全相同 identical to {earlier}" if one.again else ""
        when = [str(day)[:10] for day in submitted.loc[key]] if key in submitted.index else ["", ""]
        known = (one.digest[:DIGEST], one.export.platform, one.team, *when, note)
        rows.append(
            (
                *key,
                size,
                size - refused,
                refused,
                int(blanked.get(key, 0)),
                unread.get(key, ""),
                *known,
            )
        )
    return pd.DataFrame(rows, columns=list(SUMMARY))


def ordered_log(events: list[pd.DataFrame]) -> pd.DataFrame:
    """Bring the events into the order of the rows they concern; the index is their place in the raw table."""
    return pd.concat(events).sort_index(kind="stable")[list(LOG)]
