"""The same name or answer in another spelling: brackets, spaces, full-width characters and numbering do not count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..io.yaml import Label
from ..questionnaire import MultipleItem, Questionnaire, SingleItem

NUMBERING = re.compile(r"^[(\[【]?(?:[a-z]|q?\d{1,3})[)\]】]?\s*[.、:)\]】]\s*(?=\D)")
UNHEARD = re.compile(r"(?<!\d)\.|\.(?!\d)|[\s()\[\]{}【】〔〕《》「」『』“”‘’\"'_,;:!?。、·*]")
INTEGER = re.compile(r"[+-]?\d+")


def fold(text: str) -> str:
    """Return the form in which two spellings of one text are the same."""
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    return UNHEARD.sub("", NUMBERING.sub("", plain))


def labels_of(label: Label) -> tuple[str, ...]:
    """Return the texts by which an answer or item may be called, folded; numbers alone are none."""
    texts = (label.zh, label.en, *getattr(label, "aliases", ()))
    return tuple(folded for text in texts if (folded := fold(text)) and not INTEGER.fullmatch(folded))


class Answers:
    """The codes of a single or multiple item by every spelling that has one meaning only.

    Attributes
    ----------
    codes : dict of str to int
        The codes as text.
    labels : dict of str to int
        Folded labels and aliases.
    """

    def __init__(self, questionnaire: Questionnaire, name: str) -> None:
        item = questionnaire.items[name]
        assert isinstance(item, SingleItem | MultipleItem)
        own: Mapping[int, Label] = questionnaire.answers(name) if isinstance(item, SingleItem) else item.options
        special = questionnaire.special(name)
        self.options, self.special = frozenset(own), frozenset(special)
        declared: dict[int, Label] = {**own, **special}
        self.codes = {str(code): code for code in declared}
        self.labels = _unambiguous((text, code) for code, label in declared.items() for text in labels_of(label))
        self.texts = (*self.codes, *(text for label in declared.values() for text in (label.zh, label.en)))

    def code(self, value: str) -> int | None:
        """Return the code of a text that is one, or the label of one."""
        found = self.codes.get(value)
        return found if found is not None else self.labels.get(fold(value))


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


def integers(found: Sequence[int | None], place: npt.NDArray[np.integer], index: pd.Index) -> pd.Series:
    """Return an Int64 column that holds `found[place]`; None becomes null."""
    numbers = np.array([0 if number is None else number for number in found], dtype=np.int64)
    absent = np.array([number is None for number in found], dtype=bool)
    return pd.Series(pd.arrays.IntegerArray(numbers[place], absent[place]), index=index)
