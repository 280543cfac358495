"""What areas are called: in full, in short, behind the names above them; the codes of a table that names its areas."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.personal import AUTONOMOUS, ORDINARY
from satisfaction.foundation.tables import Kept, read_filled_in

_LAST_MEANINGS = Kept(2)  # of names in a table of areas: all tables of a wave name the same ones

NAME = "name"
"""The column of a table that holds names of areas, beside codes or in their place."""

NUMBERING = re.compile(r"^[(\[【]?(?:[a-z]|q?\d{1,3})[)\]】]?\s*[.、:)\]】]\s*(?=\D)")
UNHEARD = re.compile(
    r"(?<!\d)\.|\.(?!\d)|[\s\u200b-\u200d\u2060\ufeff\u202a-\u202e()\[\]{}【】〔〕《》「」『』“”‘’\"'_,;:!?。、·*]"
)
RANGE = re.compile(r"(?<=\d)\s*(?:[‐-―−~∼〜]+|至|到)\s*(?=\d)")


def fold(text: str) -> str:
    """Return the form in which two spellings of one text are the same."""
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    return UNHEARD.sub("", NUMBERING.sub("", RANGE.sub("-", plain)))


def short_names(name: str) -> set[str]:
    """Return the short forms of an area's name, none of which need be unique.

    Of a county its name without "county"; of an autonomous one the same, with "county" or "autonomous county" behind it, and
    without the names of its peoples.
    """
    if autonomous := AUTONOMOUS.fullmatch(name):
        stem, kind, in_full = autonomous.group("stem", "kind", "autonomous")
        return {stem, stem + kind, stem + in_full} - {name}
    if ordinary := ORDINARY.fullmatch(name):
        return {ordinary["stem"]}
    return set()


def area_names(areas: pd.DataFrame, level: str) -> dict[str, str]:
    """Return the code of every area of a level by its folded names; ambiguous ones are left out.

    A name stands alone or after the names above it; a short form counts where no other area of the table, former ones
    included, has it, and never before a name in full. A former area with a `successor` is no other one than that.
    """
    names = {}
    for spelling, codes in area_spellings(areas, level).items():
        if len(codes) == 1:
            (names[spelling],) = codes
    return names


def area_spellings(areas: pd.DataFrame, level: str | None = None) -> dict[str, set[str]]:
    """Return the codes that a folded name may mean, of areas of a level or of all, as `area_names` reads names."""
    # a code that stands twice is refused later
    current = areas[areas["valid_to"] == ""].drop_duplicates("code").set_index("code")
    of_level = current
    if level is not None:
        of_level = current[current["level"] == level]
    full: dict[str, set[str]] = {}
    short: dict[str, set[str]] = {}
    for code, area in of_level.iterrows():
        name = area["name"]
        name_en = area.get("name_en") or name
        brief = {name, *short_names(name)}
        names = {name, name_en}
        short_forms = {*brief, f"{name}人民政府"}
        above = area["parent"]
        chain = ""
        before = {""}
        passed = {code}  # a table whose areas go round in a circle is refused later
        while above in current.index and above not in passed:
            passed.add(above)
            upper = current.loc[above, "name"]
            chain = upper + chain
            names |= {chain + name, chain + name_en}
            between = set(before)
            for upper_name in (upper, *short_names(upper)):
                before |= {upper_name + lower for lower in between}
            above = current.loc[above, "parent"]
        for short_form in brief:
            short_forms |= {upper_names + short_form for upper_names in before}
        for codes_by_name, spellings in ((full, names), (short, short_forms)):
            for spelling in filter(None, map(fold, spellings)):
                codes_by_name.setdefault(spelling, set()).add(str(code))
    successor = areas.get("successor", pd.Series("", index=areas.index))
    for code, name, later in zip(areas["code"], areas["name"], successor, strict=True):
        for spelling in map(fold, {name, *short_names(name)}):
            if spelling in short:
                short[spelling].add(str(later or code))
    meanings = short | full
    return {
        spelling: codes for spelling, codes in meanings.items() if spelling not in current.index
    }


def read_area_table(
    path: Path, areas: pd.DataFrame | None, wanted: Collection[str]
) -> pd.DataFrame:
    """Read a table of text with the codes of its areas in `code`, from the sheet that has the columns wanted.

    Raises
    ------
    SurveyError
        S185-S187 from `with_area_codes`.
    """
    return with_area_codes(read_filled_in(path, wanted), areas, path=path)


def with_area_codes(
    table: pd.DataFrame, areas: pd.DataFrame | None, *, path: Path, column: str = "code"
) -> pd.DataFrame:
    """Return a table that `read_filled_in` read with the codes of areas in `column`, where names stand there or in `name`.

    Names are read as those of respondents are: in full, in a short form that one area alone has, behind the names above.
    What is no name of an area stays in `column`: whoever reads the table knows which codes it may hold.

    Raises
    ------
    SurveyError
        S185 for a name that several areas bear, S186 for one that none bears where no code stands beside it, S187 where name
        and code are those of different areas.
    """
    if areas is None or not {column, NAME} & {*table}:
        return table
    of_code = {
        str(code): str(name) for code, name in zip(areas["code"], areas["name"], strict=True)
    }

    def spellings() -> dict[str, set[str]]:
        """Return the codes that a folded name may mean, of areas and of former ones."""
        meanings = area_spellings(areas)
        for code, name in of_code.items():
            meanings.setdefault(fold(name), {code})
        return meanings

    meanings = _LAST_MEANINGS.of(areas, None, spellings)
    nothing = pd.Series("", index=table.index)
    codes = []
    cells = zip(table.index, table.get(column, nothing), table.get(NAME, nothing), strict=True)
    for row, code, name in cells:
        where = f"{path} row {row}"
        if code and code not in of_code:
            code = _only_meaning(code, meanings, of_code, where=where) or code
        elif not code and name:
            code = _only_meaning(name, meanings, of_code, where=where)
            if not code:
                text = _("No area is called '{name}'.", name=name)
                raise _fault("S186", text, of_code.values(), where=where, got=name)
        elif code and meanings.get(fold(name), {code}).isdisjoint({code}):
            text = _(
                "Code {code} is that of {area}, and the name beside it is '{name}'.",
                code=code,
                area=of_code[code],
                name=name,
            )
            raise _fault("S187", text, (), where=where)
        codes.append(code)
    return table.assign(**{column: pd.Series(codes, index=table.index, dtype=object)})


def _only_meaning(
    name: str, meanings: dict[str, set[str]], of_code: dict[str, str], *, where: str
) -> str:
    """Return the code of the one area that bears a name, nothing where none does."""
    codes = sorted(meanings.get(fold(name), set()))
    if len(codes) > 1:
        text = _("Several areas may be called '{name}'.", name=name)
        candidates = [f"{code} {of_code[code]}" for code in codes]
        raise _fault("S185", text, candidates, where=where)
    return "".join(codes)


def _fault(
    code: str, text: Text, available: Iterable[str], *, where: str, got: str = ""
) -> SurveyError:
    return SurveyError(
        code,
        text,
        where=where,
        available=available,
        got=got,
        hint=_("Write the code of the area, or its name in full."),
    )
