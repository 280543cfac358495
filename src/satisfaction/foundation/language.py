"""Words in two languages: English stands in the code, Chinese in the catalogue `locale/zh`.

`_("{n} rows", n=3)` gives a `Text` of both languages at once; the language at the time it is shown decides which
one is read (`use`, `current`). What people declare (questionnaires, surveys, rules) is a `Text`, too.
"""

from __future__ import annotations

import functools
import gettext as _gettext
import locale
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

Language: TypeAlias = Literal["zh", "en"]
LANGUAGES: tuple[Language, Language] = ("zh", "en")

LOCALE = Path(__file__).parent.parent / "locale"
CATALOGUE = LOCALE / "zh" / "LC_MESSAGES" / "satisfaction.mo"


_CURRENT: ContextVar[Language | None] = ContextVar("language", default=None)


class Text(NamedTuple):
    """Words in Chinese and in English; `en` is empty where both are the same."""

    zh: str
    en: str = ""

    def __str__(self) -> str:
        """Return the words in the current language; in both where none was set."""
        language = _CURRENT.get()
        if language is not None:
            return self.in_language(language)
        return self.both

    def __bool__(self) -> bool:
        """Whether there are words."""
        return bool(self.zh or self.en)

    @property
    def text(self) -> Text:
        """Itself: words that are declared alone and things that are declared with words are read alike."""
        return self

    def in_language(self, language: Language) -> str:
        """Return the words in one language."""
        if language == "zh":
            return self.zh
        return self.en or self.zh

    @property
    def both(self) -> str:
        """The words in both languages, for the one column of a data file that all readers share.

        `as_text` gives them back as a `Text`, for those who show them.
        """
        if self.zh == self.en or not self.en:
            return self.zh
        words = f"{self.zh} {self.en}"
        _IN_BOTH[words] = self
        return words

    @classmethod
    def of(cls, zh: object, en: object) -> Text:
        """Return words in two languages, or once where they are the same."""
        return cls(str(zh), "" if zh == en else str(en))


NOTHING = Text("")


def _(message: str, **values: object) -> Text:
    """Return the program's own words in both languages.

    Parameters
    ----------
    message : str
        The English sentence, as it stands in the catalogue, with named places: "{n} rows".
    **values
        What stands in the places; of a `Text`, each language takes its own words.

    Examples
    --------
    >>> _("The key '{key}' stands twice.", key="area").en
    "The key 'area' stands twice."
    """
    return _filled(_catalogue().gettext(message), message, values)


def N_(message: str) -> str:
    """Return a message as it stands: it is in the catalogue, and `_` looks it up where somebody reads it.

    Examples
    --------
    >>> N_("confidence level")
    'confidence level'
    """
    return message


def pgettext(context: str, message: str, **values: object) -> Text:
    """Return words whose Chinese depends on where they stand: `context` says where."""
    return _filled(_catalogue().pgettext(context, message), message, values)


def ngettext(one: str, many: str, n: int, **values: object) -> Text:
    """Return words that depend on a number `n`: "{n} row", "{n} rows"."""
    english = one if n == 1 else many
    return _filled(_catalogue().ngettext(one, many, n), english, {"n": n, **values})


_IN_BOTH: dict[str, Text] = {}
"""What `Text.both` wrote, for those who show it in one language."""


def as_text(words: str) -> Text:
    """Return what `Text.both` wrote as words of two languages; any other words as they stand.

    Examples
    --------
    >>> as_text(Text("名次", "rank").both).in_language("en")
    'rank'
    >>> as_text("rank").in_language("zh")
    'rank'
    """
    return _IN_BOTH.get(words, Text(words))


def comma_list(names: Iterable[object]) -> Text:
    """List names: A、B、C; A, B, C."""
    return _listed(names, "、", ", ")


def semicolon_list(clauses: Iterable[object]) -> Text:
    """List clauses: A；B；C; A; B; C."""
    return _listed(clauses, "；", "; ")


def _listed(words: Iterable[object], between_zh: str, between_en: str) -> Text:
    words = list(words)
    zh = [str(_in_one(word, "zh")) for word in words]
    en = [str(_in_one(word, "en")) for word in words]
    return Text(between_zh.join(zh), between_en.join(en))


def current() -> Language | None:
    """Return the language that words are shown in now."""
    return _CURRENT.get()


def language(name: Language) -> None:
    """Show words in a language from now on: tables, pictures, notes, messages.

    What is computed and what is written into files does not depend on it.

    Parameters
    ----------
    name : {"zh", "en"}

    Raises
    ------
    ExportError
        X151 for another language.

    Examples
    --------
    >>> survey = sat.read_survey("surveys/wave")
    >>> sat.language("en")
    >>> print(survey.declared.title)
    Test survey
    >>> sat.language("zh")
    >>> print(survey.declared.title)
    测试调查
    """
    from satisfaction.foundation.errors import ExportError, one_of  # messages need words

    one_of(name, LANGUAGES, argument="language", error=ExportError, code="X151")
    _CURRENT.set(name)


@contextmanager
def use(language: Language | None) -> Iterator[None]:
    """Show words in a language inside a block: a page, a picture, what the console prints.

    None: in both, as the data files hold them. What computes and writes data does so under None, so that no byte of it
    depends on who runs the program.
    """
    token = _CURRENT.set(language)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def rendered(render: Callable[[], str]) -> Text:
    """Return what a function writes, once in each language."""
    with use("zh"):
        zh = render()
    with use("en"):
        en = render()
    return Text(zh, en)


def readers_language(environment: Mapping[str, str] = os.environ) -> Language:
    """Return the language of whoever sits here: `SATISFACTION_LANG`, else that of the system; Chinese or English."""
    declared = environment.get("SATISFACTION_LANG", "").lower()
    if declared:
        return "zh" if declared.startswith("zh") else "en"
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(name):
            return "zh" if environment[name].lower().startswith("zh") else "en"
    system = (locale.getlocale()[0] or "").lower()
    return "zh" if system.startswith(("zh", "chinese")) else "en"


@functools.cache
def _catalogue() -> _gettext.NullTranslations:
    with CATALOGUE.open("rb") as file:
        return _gettext.GNUTranslations(file)


def _filled(zh: str, en: str, values: dict[str, object]) -> Text:
    if not values:
        return Text(zh, en)
    return Text(_in_language(zh, values, "zh"), _in_language(en, values, "en"))


def _in_language(template: str, values: dict[str, object], language: Language) -> str:
    words = {name: _in_one(value, language) for name, value in values.items()}
    return template.format(**words)


def _in_one(value: object, language: Language) -> object:
    """Return the words of a value in one language: of a `Text`, and of what is declared with `zh` and `en`."""
    zh = getattr(value, "zh", None)
    if zh is None:
        return value
    if language == "zh":
        return zh
    return getattr(value, "en", "") or zh
