"""The file set of a run, for the ranking office and everybody else.

`tables` (csv, Parquet), `people` (workbooks), `manifest` (what it was made from), `descriptor` (datapackage.json), `office`
(README.txt and the page that people sign), `folder` (all of it, in one step).
"""

from __future__ import annotations

from .folder import export, export_dated, revision_of
from .manifest import FORMAT, FORMAT_NAME, manifest, plain
from .tables import covariance_table, write_indices, write_ranking, write_responses

__all__ = [
    "FORMAT",
    "FORMAT_NAME",
    "covariance_table",
    "export",
    "export_dated",
    "manifest",
    "plain",
    "revision_of",
    "write_indices",
    "write_ranking",
    "write_responses",
]
