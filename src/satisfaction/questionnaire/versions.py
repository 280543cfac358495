"""Which other versions a questionnaire's figures may be compared with: what may stand in `comparable_with`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from ..io.yaml import Label, Name, Record, fault

REFERENCE = re.compile(r"[a-z0-9][a-z0-9-]*@[0-9A-Za-z][0-9A-Za-z.-]*")


class ComparableVersion(Record):
    """A questionnaire declared comparable: in every measure, or in those that rest on `bridge_items` alone."""

    version: str
    bridge_items: Annotated[list[Name], Field(min_length=1)] | None = None
    note: Label | None = None
    source: str | None = None

    @model_validator(mode="after")
    def _names_a_version(self) -> ComparableVersion:
        if not REFERENCE.fullmatch(self.version):
            raise fault(
                "Q151",
                f"'{self.version}' 不是问卷版本，须写作 名称@版本。",
                f"'{self.version}' is no version of a questionnaire; write name@version.",
                at=("version",),
                hint=("例如 civilised-city@2026-1。", "For example civilised-city@2026-1."),
            )
        return self

    def __str__(self) -> str:
        return "; ".join(str(part) for part in (self.version, self.note, self.source) if part)


def _written_short(value: Any) -> Any:
    """Read 'name@version' alone as the version declared comparable in every measure."""
    return {"version": value} if isinstance(value, str) else value


Comparable = Annotated[ComparableVersion, BeforeValidator(_written_short, json_schema_input_type=str | ComparableVersion)]
