"""A file set as the ranking office reads it: checked, typed, with what must be said of it.

The contract: `read_indices(folder)` and the attributes of `FileSet` stay as they are while the first number of the format
version does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.file_sets import read_manifest, refuse_changed_set
from satisfaction.foundation.files import read_json
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import read_table, unguarded
from satisfaction.publication.columns import typed


@dataclass(frozen=True, slots=True)
class FileSet:
    """One wave's published tables.

    Attributes
    ----------
    folder : Path
    survey, wave, questionnaire : str
    mark : str
        What every use of the figures must say ("simulated data ..."); empty for a real probability sample.
    revision : int
        Rises when late or corrected data make new figures.
    format : str
        Version of the file set.
    indices : DataFrame
        level, code, name_zh, name_en, measure, ..., estimate, se, df, ci_low, ci_high, cv, deff (float), n (Int64), note; rates
        are shares 0-1, scores and indices points 0-100. Codes are text.
    ranking : DataFrame
        code, ..., estimate, se, n, rank and rank sets (Int64), listed, status, probabilities; in rank order.
    tables : mapping of str to DataFrame
        Every table of the set by the name of its csv file, `indices` and `ranking` among them.
    provenance : mapping
        The manifest: inputs with hashes, rules, versions, steps, conventions, account of the rows.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> published = sat.read_indices(sat.export(results, "published"))
    >>> published
    FileSet(small-wave, wave 2026T1, small@1, revision 1: 56 figures, 4 ranked areas, 10 tables)
    >>> published.provenance["revision"]
    1
    """

    folder: Path
    survey: str
    wave: str
    questionnaire: str
    mark: str
    revision: int
    format: str
    indices: pd.DataFrame
    ranking: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, Any]

    def __repr__(self) -> str:
        wave = f"{self.survey}, wave {self.wave}, {self.questionnaire}, revision {self.revision}"
        figures = f"{len(self.indices):,} figures, {len(self.ranking)} ranked areas"
        mark = f"; {self.mark}" if self.mark else ""
        return f"FileSet({wave}: {figures}, {len(self.tables)} tables{mark})"

    def measure(self, name: str, *, level: str | None = None) -> pd.DataFrame:
        """Return the rows of one measure, at one level: by default the ranked one; index: code.

        Raises
        ------
        InputFileError
            F125 for a measure or level that the set does not hold.
        """
        level = level or str(
            self.indices.set_index("code").loc[self.ranking["code"].iloc[0], "level"].iloc[0]
        )
        rows = self.indices[(self.indices["measure"] == name) & (self.indices["level"] == level)]
        if not len(rows):
            pairs = (
                self.indices[["level", "measure"]]
                .drop_duplicates()
                .itertuples(index=False, name=None)
            )
            raise InputFileError(
                "F125",
                _("There is no measure '{name}' at level '{level}'.", name=name, level=level),
                where=str(self.folder / "indices.csv"),
                available=[f"{at} {measure}" for at, measure in pairs],
                got=f"{level} {name}",
                hint=_("Use one of those listed."),
            )
        return rows.set_index("code")


def read_indices(folder: str | Path) -> FileSet:
    """Read a file set, checked against SHA256SUMS.

    Parameters
    ----------
    folder : path
        As `satisfaction run` wrote it; `out/latest` will do.

    Raises
    ------
    InputFileError
        F121 for a folder that is no file set, F122 for another format version, F124 for a file that was changed or is missing.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> published = sat.read_indices(sat.export(results, "published"))
    >>> published.ranking[["code", "rank", "estimate"]].round(2)
         code  rank  estimate
    0  990101     1     67.30
    1  990202     2     65.93
    2  990102     3     63.02
    3  990201     4     60.86
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    refuse_changed_set(folder)
    described = read_json(folder / "datapackage.json", ["resources"])["resources"]
    names = [
        Path(resource["path"]).stem
        for resource in described
        if not resource["name"].endswith("-zh")
    ]
    tables = {name: typed(unguarded(read_table(folder / f"{name}.csv"))) for name in names}
    return FileSet(
        folder=folder,
        survey=manifest["survey"],
        wave=manifest["wave"],
        questionnaire=manifest["questionnaire"],
        mark=manifest["mark"],
        revision=int(manifest["revision"]),
        format=manifest["format"]["version"],
        indices=tables["indices"],
        ranking=tables["ranking"],
        tables=MappingProxyType(tables),
        provenance=MappingProxyType(manifest),
    )
