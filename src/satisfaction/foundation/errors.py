"""One root for every error a user can meet, one class a stage.

A message always says, in Chinese and in English: what is wrong, where, what is available, and what to do next.
The identifier in front ("Q104") is stable: manuals and support notes may refer to it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from satisfaction.foundation.language import NOTHING, Text, _, comma_list, current, rendered


class SatisfactionError(ValueError):
    """Root of the project's errors.

    Parameters
    ----------
    code : str
        Stable identifier, a letter for the stage and three digits.
    text : Text
        What is wrong, in a sentence.
    where : object
        File and line, file and row, or the name of the argument; its text is kept.
    available : iterable of str
        What could have stood there instead.
    got : object
        What stood there; the nearest available name is proposed.
    hint : Text
        What to do next.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A", "B"], "score": [80, 60]})
    >>> try:
    ...     sat.estimate(sat.SurveyDesign(people), "scores")
    ... except sat.SatisfactionError as fault:
    ...     print(fault.code, fault.en)
    E101 Measure or column 'scores' not found.
    """

    def __init__(
        self,
        code: str,
        text: Text,
        *,
        where: object = "",
        available: Iterable[object] = (),
        got: object = "",
        hint: Text = NOTHING,
    ) -> None:
        self.code = code
        self.text = text
        self.where = str(where)
        self.got = str(got)
        self.hint = hint
        self.available = tuple(name if isinstance(name, Text) else str(name) for name in available)
        super().__init__(code, text)

    @property
    def zh(self) -> str:
        """What is wrong, in Chinese."""
        return self.text.zh

    @property
    def en(self) -> str:
        """What is wrong, in English."""
        return self.text.en or self.text.zh

    def __str__(self) -> str:
        """Return the message in the current language; in both where none was set."""
        lines = [f"[{self.code}] {_place_in_words(str(self.where))}".rstrip()]
        lines += indented(self.text)
        if self.available:
            lines += indented(_("Available: {names}", names=shortened(self.available)))
        if near := closest(self.got, self.available):
            lines += indented(_("Did you mean '{near}'?", near=near))
        if self.hint.zh:
            lines += indented(_("Next: {hint}", hint=self.hint))
        return "\n".join(lines)


ROWS = re.compile(r"\b(?:row|line) (\d+(?:, \d+)*(?:, \.\.\. \(\+\d+\))?)")
"""How a place names rows of a table or lines of a file: one, or the first of several."""


def _place_in_words(where: str) -> str:
    """Write the rows of a place in the current language; in English, as they stand, where none was set."""
    language = current()
    if language != "zh":
        return where
    return named_place(where).zh


def named_place(where: str) -> Text:
    """Return a place with the names of its rows in both languages."""
    return Text(ROWS.sub(lambda rows: _("row {number}", number=rows[1]).zh, where), where)


class InputFileError(SatisfactionError):
    """A file that cannot be found, read or decoded (codes F...)."""


class DamagedSetError(InputFileError):
    """A file set of this program that was damaged since it was written (codes F...)."""


class QuestionnaireError(SatisfactionError):
    """A questionnaire that contradicts itself or the format (codes Q...)."""


class SurveyError(SatisfactionError):
    """A survey folder that contradicts itself, its questionnaire or the format (codes S...)."""


class ResponsesError(SatisfactionError):
    """Field responses that cannot be used as a whole (codes R...)."""


class DesignError(SatisfactionError):
    """A sample design that cannot be as declared (codes D...).

    `merge`: of a lonely PSU (D104), the stratum and the one it may join, for whoever declares designs in words of its own.
    """

    merge: tuple[object, object] | None = None


class WeightsError(SatisfactionError):
    """A weighting step that cannot be carried out (codes W...)."""


class EstimatesError(SatisfactionError):
    """An estimate that cannot be formed from the design and measures (codes E...)."""


class RankingError(SatisfactionError):
    """A ranking that cannot be formed from the estimates and rules (codes K...)."""


class EngineError(SatisfactionError):
    """A table no engine can work on (codes G...)."""


class InstallationError(SatisfactionError):
    """A part of the program that is installed apart and is not there (codes Z4..)."""


class ExportError(SatisfactionError):
    """A file set that cannot be written (codes X...)."""


def together(faults: Sequence[SatisfactionError], *, where: str) -> SatisfactionError:
    """Return one error for all that is wrong with the responses: the only fault itself, or R321 that lists them."""
    if len(faults) == 1:
        return faults[0]
    return ResponsesError(
        "R321",
        _(
            "{n} problems with the responses; nothing was computed.{listed}",
            n=len(faults),
            listed=_("\n{faults}", faults=listed(faults, folder=where)),
        ),
        where=where,
        hint=_("Correct them all; `satisfaction check` lists them at once."),
    )


def listed(faults: Sequence[SatisfactionError], *, folder: str = "") -> Text:
    """Write faults as a numbered list: where, what, and what to do next; places are shown below the folder."""

    def numbered() -> str:
        """Write the list in the current language."""
        lines = []
        for number, fault in enumerate(faults, start=1):
            place = fault.where.removeprefix(folder).lstrip("/\\")
            lines.append(f"  {number}. [{fault.code}] {place}".rstrip())
            lines.append(f"     {fault.text}")
            if fault.hint.zh:
                lines.append(f"     {_('Next: {hint}', hint=fault.hint)}")
        return "\n".join(lines)

    return rendered(numbered)


def place_of(*parts: object) -> str:
    """Name a place by its parts, without those that are empty: file, sheet, row."""
    return " ".join(filter(None, map(str, parts)))


def indented(text: Text) -> list[str]:
    """Return words as lines of a message: one, or one a language where none was set."""
    if current() is None:
        return [f"  {text.zh}", f"  {text.en}"]
    return [f"  {text}"]


def closest(got: object, available: Iterable[object]) -> str | None:
    """Return the available name nearest to what was given, if one is near."""
    names = [str(name) for name in available]
    nearest = difflib.get_close_matches(str(got), names, n=1, cutoff=0.6)
    return nearest[0] if nearest else None


def shortened(names: Iterable[object], most: int = 12) -> str:
    """List names for a message; a long list is cut and counted."""
    listed = [str(name) for name in names]
    rest = len(listed) - most
    if rest > 0:
        listed[most:] = [f"... (+{rest})"]
    return ", ".join(listed)


def shortened_list(words: Iterable[object], most: int = 12) -> Text:
    """List words for a message in both languages; a long list is cut and counted."""
    listed = list(words)
    rest = len(listed) - most
    text = comma_list(listed[:most])
    if rest <= 0:
        return text
    return _("{words}, ... (+{rest})", words=text, rest=rest)


def require_names(
    wanted: Iterable[str],
    available: Iterable[object],
    error: type[SatisfactionError],
    *,
    code: str,
    text: str,
    where: str,
    hint: Text,
) -> None:
    """Refuse the first name that is not available, a column of a table for instance.

    Parameters
    ----------
    text : str
        A message of the catalogue, with {name}.

    Raises
    ------
    SatisfactionError
        Of the class given, naming what is not there and what is.
    """
    names = list(available)
    for name in wanted:
        if name not in names:
            raise error(code, _(text, name=name), where=where, available=names, got=name, hint=hint)


def one_of(
    value: str, allowed: Any, *, argument: str, error: type[SatisfactionError], code: str
) -> None:
    """Refuse an option that is not one of the allowed names: those of a `Literal`, or listed.

    Raises
    ------
    SatisfactionError
        Of the class given, naming the argument, what was given and what is allowed.
    """
    allowed = get_args(allowed) or tuple(allowed)
    if value not in allowed:
        raise error(
            code,
            _("{argument}={value!r} is not an option.", argument=argument, value=value),
            where=argument,
            available=allowed,
            got=value,
            hint=_("Use one of the values listed."),
        )
