"""What became of the weighting after results were seen: recipes adopted, what stood before, every trial looked at.

`weighting_record.yaml` lies beside survey.yaml and is one of the wave's inputs. The steps themselves stand in survey.yaml
alone; here is how they came there. Whoever chooses weights while watching ranks can choose the ranks, so the record keeps
every trial, with the areas that entered the list or left it.
"""

from __future__ import annotations

import datetime
import json
import textwrap
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from pydantic import Field

from satisfaction.declarations.wave import Step, SurveyFile
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.files import encoding_of, new_file, put_bytes, read_bytes
from satisfaction.foundation.language import N_, _
from satisfaction.foundation.tables import write_text
from satisfaction.foundation.yaml import (
    Document,
    Record,
    Statement,
    read_yaml,
    validated,
    yaml_text,
)

RECORD_FILE = "weighting_record.yaml"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TriedRecipe(Record):
    """A weighting recipe that somebody looked at, and what it gave for the ranked measure of all areas together."""

    name: str = Field(description=N_("name of the trial"))
    weighting: list[Step] = Field(description=N_("weighting steps in order"))
    estimate: float | None = Field(description=N_("ranked measure of all areas together"))
    se: float | None = Field(description=N_("its standard error"))
    effective_n: float = Field(description=N_("effective sample size of the weights"))
    entered: list[str] = Field(default=[], description=N_("areas that enter the list"))
    left: list[str] = Field(default=[], description=N_("areas that leave the list"))


class AdoptedRecipe(Record):
    """A recipe that became the declared one after results were seen, and the one it took the place of."""

    name: str = Field(description=N_("name of the trial"))
    reason: Statement = Field(description=N_("why it was adopted"))
    source: Statement = Field(description=N_("what the choice rests on"))
    by: str = Field(min_length=1, description=N_("who adopted it"))
    date: datetime.date = Field(description=N_("day of the adoption"))
    weighting: list[Step] = Field(description=N_("weighting steps in order"))
    lines: str = Field(description=N_("the lines of survey.yaml that were written"))
    before: list[Step] = Field(description=N_("weighting steps declared before"))
    lines_before: str = Field(description=N_("the lines of survey.yaml that stood there before"))
    entered: list[str] = Field(default=[], description=N_("areas that enter the list"))
    left: list[str] = Field(default=[], description=N_("areas that leave the list"))
    withdrawn: bool = Field(default=False, description=N_("whether the adoption was undone"))


class WeightingRecord(Record):
    """The content of weighting_record.yaml: adoptions and trials, oldest first."""

    adopted: list[AdoptedRecipe] = Field(default=[], description=N_("recipes adopted"))
    trials: list[TriedRecipe] = Field(default=[], description=N_("trials looked at"))

    def __repr__(self) -> str:
        return f"WeightingRecord({len(self.adopted)} adopted, {len(self.trials)} trials)"

    __str__ = __repr__

    @property
    def in_force(self) -> AdoptedRecipe | None:
        """Return the adoption that holds; None where every one was undone."""
        return next((recipe for recipe in reversed(self.adopted) if not recipe.withdrawn), None)

    @property
    def declared_first(self) -> list[Step]:
        """Return the steps that were declared before any adoption that holds."""
        return next(recipe.before for recipe in self.adopted if not recipe.withdrawn)

    def with_trials(self, trials: Sequence[TriedRecipe]) -> WeightingRecord:
        """Add trials that are not in the record yet."""
        known = list(self.trials)
        known += [trial for trial in trials if trial not in known]
        return self.model_copy(update={"trials": known})


# what a slider adds to time and again need not be parsed anew
_LAST_WRITTEN: deque[tuple[bytes, WeightingRecord]] = deque(maxlen=2)


def read_weighting_record(path: Path) -> WeightingRecord:
    """Read a record; one without adoptions or trials where there is no file.

    Raises
    ------
    SurveyError
        For a key that does not fit, with file and line.
    """
    if not path.is_file():
        return WeightingRecord()
    content = read_bytes(path)
    for written, record in _LAST_WRITTEN.copy():
        if written == content:
            return record
    return validated(read_yaml(path, SurveyError), WeightingRecord, SurveyError)


def write_weighting_record(record: WeightingRecord, path: Path) -> None:
    """Write a record in the place of the one before."""
    content = record.model_dump(mode="json", exclude_unset=True)
    text = ""
    for key, entries in content.items():
        if not entries:
            text += yaml_text({key: entries})
            continue
        text += f"{key}:\n"
        for entry in entries:
            text += _entry_text(json.dumps(entry))
    with new_file(path, replace=True) as scratch:
        write_text(text, scratch)
    _LAST_WRITTEN.append((text.encode(), record))


@lru_cache(maxsize=512)
def _entry_text(entry: str) -> str:
    """Write one entry of a list, JSON, as lines of YAML; a record grows by one, and keeps the others."""
    return yaml_text({"entries": [json.loads(entry)]}).partition("\n")[2]


def check_record(document: Document, declared: SurveyFile, record: WeightingRecord) -> None:
    """Refuse steps of survey.yaml that are not those of the adoption that holds.

    Raises
    ------
    SurveyError
        S525.
    """
    in_force = record.in_force
    if in_force is None or same_steps(in_force.weighting, declared.weighting):
        return
    raise SurveyError(
        "S525",
        _(
            "The weighting steps are not those that {file} says were adopted ({name}).",
            file=RECORD_FILE,
            name=in_force.name,
        ),
        where=document.place(("weighting",)),
        hint=_("Put the adopted steps back; then adopt others, or undo, in the notebook."),
    )


def same_steps(steps: Sequence[Step], others: Sequence[Step]) -> bool:
    """Tell whether two recipes do the same, whatever they leave to defaults."""
    dumped = [step.model_dump() for step in steps]
    return dumped == [step.model_dump() for step in others]


# ---- the lines of survey.yaml that declare the steps


@dataclass(frozen=True, slots=True)
class StepLines:
    """survey.yaml as its lines, with those that declare the weighting steps.

    Attributes
    ----------
    path : Path
    lines : tuple of str
        All of the file, with their ends.
    start, stop : int
        The steps stand in lines[start:stop].
    encoding : str
    """

    path: Path
    lines: tuple[str, ...]
    start: int
    stop: int
    encoding: str

    @property
    def block(self) -> str:
        """Return the lines that declare the steps."""
        return "".join(self.lines[self.start : self.stop])

    def with_block(self, block: str) -> StepLines:
        """Put other lines in the place of those that declare the steps; all others stay as they are."""
        new = tuple(block.splitlines(keepends=True))
        before = self.lines[: self.start]
        lines = before + new + self.lines[self.stop :]
        return replace(self, lines=lines, stop=self.start + len(new))

    def write(self) -> None:
        """Write the file, in the encoding it had."""
        with new_file(self.path, replace=True) as scratch:
            put_bytes("".join(self.lines).encode(self.encoding), scratch)


def step_lines(document: Document) -> StepLines:
    """Find the lines of survey.yaml that declare the weighting steps; comments before the next key are not among them."""
    content = read_bytes(document.path)
    encoding: str = encoding_of(content, where=document.path)
    if encoding == "utf-8-sig" and not content.startswith(BYTE_ORDER_MARK):
        encoding = "utf-8"
    lines = tuple(content.decode(encoding).splitlines(keepends=True))
    node = document.node
    keys = [node.lc.key(key)[0] for key in node]
    if "weighting" not in node:
        start = max(keys)  # steps will stand before the last key
        while start > 0 and _is_apart(lines[start - 1]):
            start -= 1
        return StepLines(document.path, lines, start, start, encoding)
    start = node.lc.key("weighting")[0]
    stop = min((line for line in keys if line > start), default=len(lines))
    while stop > start + 1 and _is_apart(lines[stop - 1]):
        stop -= 1
    return StepLines(document.path, lines, start, stop, encoding)


def _is_apart(line: str) -> bool:
    """Tell a line that belongs to what follows: empty, or a comment at the margin."""
    return not line.strip() or line.startswith("#")


def block_of(
    document: Document, declared: SurveyFile, steps: Sequence[Step], *, at: StepLines
) -> str:
    """Write weighting steps as lines of survey.yaml.

    A step that stays keeps its lines; one of the same kind as before keeps the comments above it.
    """
    newline = "\n"
    if at.lines[0].endswith("\r\n"):
        newline = "\r\n"
    if not steps:
        return f"weighting: []{newline}"
    earlier = _lines_by_step(document, at)
    free = list(range(len(earlier)))
    indent = "  "
    head = "weighting:"
    if earlier:
        column = document.node["weighting"].lc.item(0)[1]
        indent = " " * (column - len("- "))
        head = at.lines[at.start]
    lines = [head]
    for step in steps:
        same = [k for k in free if same_steps([declared.weighting[k]], [step])]
        alike = [k for k in free if declared.weighting[k].step == step.step]
        if same:
            free.remove(same[0])
            lines += earlier[same[0]]
            continue
        if alike:
            free.remove(alike[0])
            lines += filter(_is_comment, earlier[alike[0]])
        # an entry of a list, in one line unless it is long
        content = step.model_dump(mode="json", exclude_unset=True)
        entry = yaml_text({"weighting": [content]}).partition("\n")[2]
        lines += textwrap.indent(textwrap.dedent(entry), indent).splitlines()
    return "".join(line.rstrip("\r\n") + newline for line in lines)


def _lines_by_step(document: Document, at: StepLines) -> list[list[str]]:
    """Return the lines of every step, comments above it first; none where the steps do not stand a line each."""
    node = document.node.get("weighting")
    if not node or node.fa.flow_style():
        return []
    starts = [node.lc.item(position)[0] for position in range(len(node))]
    for position, start in enumerate(starts):
        while start - 1 > at.start and _is_comment(at.lines[start - 1]):
            start -= 1
        starts[position] = start
    bounds = pairwise([*starts, at.stop])
    return [list(at.lines[start:end]) for start, end in bounds]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")
