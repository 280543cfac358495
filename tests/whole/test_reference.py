"""All of R survey's figures in tests/golden, key by key; the table of differences goes to `tests/out`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from golden_values import expected
from reference import CASES, EXCUSED, Comparison, compared

OUT = Path(__file__).parents[1] / "out"
MAY_BE_EXCUSED = ("saddlepoint", "lincom", "likelihood")


@pytest.fixture(scope="session")
def comparisons() -> dict[tuple[str, str], list[Comparison]]:
    """Compare every key once and write the table."""
    found = {key: compared(*key) for key in CASES}
    table = pd.DataFrame([asdict(one) for rows in found.values() for one in rows])
    OUT.mkdir(exist_ok=True)
    write(OUT / "reference.csv", table.to_csv(index=False, lineterminator="\n"))
    write(OUT / "reference.md", readable(table))
    return found


def write(path: Path, text: str) -> None:
    """Replace a file whole: workers of pytest-xdist may write the same one."""
    part = path.with_suffix(f"{path.suffix}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    os.replace(part, path)


def readable(table: pd.DataFrame) -> str:
    """Lay the table out as markdown: worst differences by sample and reason, then every quantity."""
    shown = table.assign(covered=table["covered"].map({True: "yes", False: "no"}))
    worst = table[table["covered"]].groupby(["sample", "tolerance", "reason"], as_index=False)
    summary = worst.agg(quantities=("quantity", "size"), largest=("difference", "max"))
    keys = table.groupby("sample")["key"].nunique()
    return "\n".join(
        [
            "# Compared with R survey 4.1-1",
            "",
            f"Keys: {', '.join(f'{sample} {n}' for sample, n in keys.items())}. Differences are relative; those of covariances "
            "are relative to both standard errors.",
            "",
            *markdown(summary),
            "",
            "# Every quantity",
            "",
            *markdown(shown),
            "",
        ]
    )


def markdown(table: pd.DataFrame) -> list[str]:
    """Return the lines of a markdown table."""
    rows = [[cell(value) for value in row] for row in table.itertuples(index=False, name=None)]
    lines = [list(table.columns), ["---"] * len(table.columns), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def cell(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value).replace("|", "\\|")


@pytest.mark.parametrize(("sample", "key"), CASES)
def test_equals_r(comparisons, sample, key):
    rows = comparisons[sample, key]
    assert any(row.covered for row in rows)
    failing = [
        f"{row.quantity}: {row.difference:.3g} > {row.tolerance:g} ({row.call})"
        for row in rows
        if not row.holds
    ]
    assert not failing, "\n".join(failing)


@pytest.mark.parametrize("sample", ["api", "province"])
def test_every_key_of_the_files_is_compared_or_excused(comparisons, sample):
    whole = {key for where, key, quantity in EXCUSED if where == sample and not quantity}
    assert {key for where, key in comparisons if where == sample} | whole == set(expected(sample))


def test_only_what_r_itself_approximates_is_excused():
    assert all(
        any(name in f"{key} {quantity}" for name in MAY_BE_EXCUSED) for _, key, quantity in EXCUSED
    )


def test_the_table_is_written_whole(comparisons):
    table = pd.read_csv(OUT / "reference.csv")
    assert len(table) == sum(map(len, comparisons.values()))
    assert (OUT / "reference.md").read_text(encoding="utf-8").count("\n| ") >= len(table)
    assert not list(OUT.glob("*.part")) or os.environ.get("PYTEST_XDIST_WORKER")
