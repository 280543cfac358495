"""What several commands share."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path)
ENGINE = click.option(
    "--engine", type=click.Choice(["duckdb", "pandas", "polars", "pyspark"]), default="duckdb", show_default=True
)
USER_FAULT, OWN_FAULT = 2, 3
