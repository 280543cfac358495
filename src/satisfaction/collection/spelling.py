"""The same name or answer in another spelling: brackets, spaces, full-width characters and numbering do not count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from satisfaction.declarations.items import MultipleItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.yaml import Label

NUMBERING = re.compile(r"^[(\[【]?(?:[a-z]|q?\d{1,3})[)\]】]?\s*[.、:)\]】]\s*(?=\D)")
UNHEARD = re.compile(r"(?<!\d)\.|\.(?!\d)|[\s()\[\]{}【】〔〕《》「」『』“”‘’\"'_,;:!?。、·*]")
INTEGER = re.compile(r"[+-]?\d+")
WITH_ZEROS = re.compile(
    r"(-?\d+)\.0+"
)  # a whole number as pandas and R write it beside missing values
RANGE = re.compile(r"(?<=\d)\s*(?:[‐-―−~∼〜]+|至|到)\s*(?=\d)")
LONGEST = 200  # characters of an answer that may be written with its code
POINTS = re.compile(r"(\d+)\s*分")
CODE_FIRST = re.compile(r"[(\[]?(-?\d+)[)\]]?[\s_‐-―−-]*([^\d\s].*)")
CODE_LAST = re.compile(r"(.*[^\d\s(\[-])[\s_‐-―−-]*[(\[]?(\d+)\s*分?[)\]]?")


def fold(text: str) -> str:
    """Return the form in which two spellings of one text are the same."""
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    return UNHEARD.sub("", NUMBERING.sub("", RANGE.sub("-", plain)))


def without_zeros(text: str) -> str:
    """Return 5 for 5.0 and 5.00, any other text as it stands."""
    found = WITH_ZEROS.fullmatch(text)
    return found[1] if found else text


def labels_of(label: Label) -> tuple[str, ...]:
    """Return the texts by which an answer or item may be called, folded; numbers alone are none."""
    texts = (label.zh, label.en, *getattr(label, "aliases", ()))
    return tuple(
        folded for text in texts if (folded := fold(text)) and not INTEGER.fullmatch(folded)
    )


class Answers:
    """The codes of a single or multiple item by every spelling that has one meaning only.

    Attributes
    ----------
    codes : dict of str to int
        The codes as text.
    labels : dict of str to int
        Folded labels and aliases.
    scale : tuple of str
        The folded Chinese labels of the answers, without special codes; what tells scales apart.
    """

    def __init__(self, questionnaire: Questionnaire, name: str) -> None:
        item = questionnaire.items[name]
        assert isinstance(item, SingleItem | MultipleItem)
        own: Mapping[int, Label] = (
            questionnaire.answers(name) if isinstance(item, SingleItem) else item.options
        )
        special = questionnaire.special(name)
        self.options, self.special = frozenset(own), frozenset(special)
        self.multiple = isinstance(item, MultipleItem)
        declared: dict[int, Label] = {**own, **special}
        self.codes = {str(code): code for code in declared}
        self.labels = _unambiguous(
            (text, code) for code, label in declared.items() for text in labels_of(label)
        )
        self.spelt = frozenset(text for label in declared.values() for text in labels_of(label))
        self.texts = (
            *self.codes,
            *(text for label in declared.values() for text in (label.zh, label.en)),
        )
        self.declared = declared
        self.scale = tuple(fold(label.zh) for label in own.values())
        self._scores = {code: getattr(label, "score", None) for code, label in own.items()}
        by_code = [self._scores[code] for code in sorted(own)]
        scored = [score for score in by_code if score is not None]
        self._rising = len(scored) == len(by_code) and scored == sorted(set(scored))

    def code(self, value: str) -> int | None:
        """Return the code of a text that is one, or the label of one, or both where they agree ("5 非常满意", "5分")."""
        plain = without_zeros(value)
        found = self.codes.get(plain)
        if found is None:
            found = self.labels.get(fold(plain))
        return found if found is not None else self._spelt_with_code(plain)

    def _spelt_with_code(self, value: str) -> int | None:
        """Return the code of an answer written with its code or score.

        "5分" is a code only where a higher code scores higher; on a scale that counts down it may mean either end.
        """
        plain = unicodedata.normalize("NFKC", value).strip()
        if len(plain) > LONGEST:
            return None
        if points := POINTS.fullmatch(plain):
            code = int(points[1])
            return code if self._rising and code in self._scores else None
        pairs = []
        if first := CODE_FIRST.fullmatch(plain):
            pairs.append((first[1], first[2]))
        if last := CODE_LAST.fullmatch(plain):
            pairs.append((last[2], last[1]))
        for number, text in pairs:
            labelled = self.labels.get(fold(text))
            if labelled is not None and int(number) in (labelled, self._scores.get(labelled)):
                return labelled
        return None

    def is_unknown(self, value: str) -> bool:
        """Tell a text that is no answer; of a select-all item any that is not one answer alone."""
        return bool(value) and self.code(value) is None

    def named(self, code: int) -> str:
        """Return a code with its Chinese label, as messages show it."""
        return f"{code} {self.declared[code].zh}"


def _unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, set[int]] = {}
    for text, code in pairs:
        found.setdefault(text, set()).add(code)
    return {text: next(iter(codes)) for text, codes in found.items() if len(codes) == 1}


def numbered(values: pd.Series) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.object_]]:
    """Return a column of texts, none of them null, as numbers and the different texts these stand for."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy(), values.cat.categories.to_numpy(dtype=object)
    codes, different = pd.factorize(values.to_numpy(dtype=object))
    return codes, different


def exchanged(values: pd.Series, change: Callable[[str], object]) -> pd.Series:
    """Return a column of objects with each different text changed once."""
    codes, different = numbered(values)
    new = np.empty(len(different), dtype=object)
    new[:] = [change(value) for value in different]
    return pd.Series(new[codes], index=values.index, dtype=object)


def whole_numbers(values: pd.Series, look_up: Callable[[str], int | None]) -> pd.Series:
    """Return an Int64 column with each different text looked up once; None becomes null."""
    place, different = numbered(values)
    return integers([look_up(value) for value in different], place, values.index)


def integers(
    found: Sequence[int | None], place: npt.NDArray[np.integer], index: pd.Index
) -> pd.Series:
    """Return an Int64 column that holds `found[place]`; None becomes null."""
    numbers = np.array([0 if number is None else number for number in found], dtype=np.int64)
    absent = np.array([number is None for number in found], dtype=bool)
    return pd.Series(pd.arrays.IntegerArray(numbers[place], absent[place]), index=index)
