"""YAML 1.2 files that know their own line numbers, validated into frozen records.

Plain data as YAML 1.2 text that is read back as the same data.

What a key of a declaration means stands in the code as `Field(description=N_("..."))`, its Chinese in the catalogue: one
description, for the JSON Schema and for the comments of a new wave's files.
"""

from __future__ import annotations

import datetime
import functools
import io
import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError, core_schema
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from satisfaction.foundation.errors import SatisfactionError, closest, shortened
from satisfaction.foundation.files import decode, read_bytes
from satisfaction.foundation.language import LANGUAGES, N_, NOTHING, Text, _, comma_list
from satisfaction.foundation.readers_words import what_is_wrong

STATE_THE_SOURCE = _("state the source")
FILL_IN = _("please fill in")
TO_REPLACE = (
    *STATE_THE_SOURCE,
    *FILL_IN,
)  # what `satisfaction new` leaves open, in either language
Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]
MOST_VALUES = 500_000  # of a file; the largest questionnaire has some thousands, and an alias may stand for all before it
DEEPEST = 60  # levels; a tree of assessment items has a dozen
LARGEST = 2**63  # of whole numbers, as the engines hold them


class Record(BaseModel):
    """A frozen record of a declaration: unknown keys are refused, and the known ones named.

    Where it has a text in Chinese and in English (`zh`, `en`), one that is given stands for one that is not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for key in data:
            if key not in cls.model_fields:
                raise PydanticCustomError(
                    "unknown_key", "{key}", {"key": key, "available": list(cls.model_fields)}
                )
        written = [language for language in LANGUAGES if language in data]
        if len(written) != 1 or not {*LANGUAGES} <= cls.model_fields.keys():
            return data
        return dict.fromkeys(LANGUAGES, data[written[0]]) | data


class Label(Record):
    """A declared thing with its words in Chinese and in English."""

    zh: str
    en: str

    @property
    def text(self) -> Text:
        """Its words."""
        return Text(self.zh, self.en)

    def __str__(self) -> str:
        return str(self.text)


def _declared_words(_text: type[Text], handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    """Read words as `Label` does, faults and JSON Schema included, and hold them as a `Text`."""
    label = handler.generate_schema(Label)
    read = core_schema.no_info_after_validator_function(operator.attrgetter("text"), label)
    written = core_schema.plain_serializer_function_ser_schema(_as_declared)
    return core_schema.no_info_before_validator_function(_as_declared, read, serialization=written)


def _as_declared(words: Any) -> Any:
    """Return a `Text` as a file declares it; anything else stays what it is."""
    if isinstance(words, Text):
        return {"zh": words.zh, "en": words.en or words.zh}
    return words


def short_form(key: str, record: type[Record]) -> BeforeValidator:
    """Let a plain text stand for a record with this key alone."""
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value,
        json_schema_input_type=str | record,
    )


def _as_stated(statement: Text | str) -> str | dict[str, str]:
    if isinstance(statement, str):  # a draft, which nobody has checked yet
        return statement
    if statement.zh == statement.in_language("en"):
        return statement.zh
    return statement._asdict()


Words = Annotated[Text, GetPydanticSchema(_declared_words)]
Statement = Annotated[
    Words,
    short_form("zh", Label),  # for both languages
    PlainSerializer(_as_stated),
]
"""Words of a person who declares something, a source for instance: in two languages, or a plain text in one."""
NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,31}$"
Name = Annotated[str, Field(pattern=NAME)]
Code = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file as plain data, with the node tree kept for its line numbers."""

    path: Path
    node: Any
    data: Any
    start: Location = ()

    def below(self, location: Location) -> Document:
        """Return the same file, in which places are counted from a location on."""
        return replace(self, start=(*self.start, *location))

    def place(self, location: Location) -> str:
        """Return 'file:line' of a location, or of the nearest ancestor that has a line."""
        node = self.node
        line = 1
        for key in (*self.start, *location):
            try:
                if isinstance(node, CommentedMap) and key in node:
                    line = node.lc.key(key)[0] + 1
                elif isinstance(node, CommentedSeq):
                    line = node.lc.item(key)[0] + 1
                else:
                    continue
                node = node[key]
            except (KeyError, IndexError, TypeError, AttributeError):
                continue
        return f"{self.path}:{line}"


def read_yaml(path: Path, error: type[SatisfactionError]) -> Document:
    """Read one YAML 1.2 file.

    Raises
    ------
    InputFileError
        When the file is not there or not text.
    SatisfactionError
        Of the class given, for a syntax fault or a key that stands twice, with file and line.
    """
    text = ""
    if read_bytes(path).strip():
        text = decode(path)
    return parse_yaml(text, path, error)


def parse_yaml(text: str, path: Path, error: type[SatisfactionError]) -> Document:
    """Read the text of a YAML 1.2 file, for `path` to be named in errors; see `read_yaml`."""
    try:
        node = _parsed(text)
    except DuplicateKeyError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        key = str(fault.problem).split('"')[1]
        raise error(
            "Y102",
            _("The key '{key}' stands twice.", key=key),
            where=f"{path}:{line}",
            hint=_("Remove or rename one of the two."),
        ) from None
    except (
        Exception
    ) as fault:  # ruamel raises several unrelated types for tags and nesting that it cannot follow
        problem = getattr(fault, "problem", None) or getattr(fault, "reason", None) or fault
        if isinstance(fault, RecursionError):
            problem = "maximum depth"
        raise error(
            "Y101",
            _("Not valid YAML: {problem}.", problem=what_is_wrong(problem)),
            where=f"{path}:{_fault_line(fault, text)}",
            hint=_("Check indentation, colons, quotes and dates."),
        ) from None
    if not isinstance(node, CommentedMap):
        raise error(
            "Y103",
            _("The file is empty or not a mapping of keys."),
            where=f"{path}:1",
            hint=_(
                "Write a key, a colon with a space behind it, and its value; a full-width one is none."
            ),
        )
    try:
        return Document(path, node, _plain(node, count()))
    except _Unusable as fault:
        raise error(
            "Y440",
            _("{fault}.", fault=fault.args[0]),
            where=path,
            hint=_("Correct the file."),
        ) from None


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """Return the node tree, which nobody changes: commands on several waves read one questionnaire time and again."""
    return YAML(typ="rt").load(text)


class _Unusable(Exception):
    """Valid YAML that no declaration needs and no machine may hold."""


def _fault_line(fault: Exception, text: str) -> int:
    """Return the line a YAML fault stands on, as far as the parser tells (a date that does not exist has no place)."""
    if isinstance(fault, MarkedYAMLError) and fault.problem_mark:
        return int(fault.problem_mark.line) + 1
    if isinstance(fault, ReaderError):
        return text.count("\n", 0, fault.position) + 1
    for line, content in enumerate(text.splitlines(), start=1):
        for parts in re.findall(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b", content):
            try:
                datetime.date(*map(int, parts))
            except ValueError:
                return line
    return 1


def validated(document: Document, model: type[Model], error: type[SatisfactionError]) -> Model:
    """Turn a document into its frozen record.

    Raises
    ------
    SatisfactionError
        Of the class given: the first fault in full with file and line, the places of the others.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as fault:
        first, *others = [_describe(document, detail) for detail in fault.errors()]
    if others:
        first["hint"] = _(
            "{hint} {n} more: {places}",
            hint=first["hint"],
            n=len(others),
            places=shortened((other["where"] for other in others), 5),
        )
    raise error(**first)


def leaves(
    declared: Mapping[Any, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value of nested declarations with its path; lists and empty mappings are values."""
    for key, value in declared.items():
        path = (*above, str(key))
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def placeholders(paths: Iterable[Path]) -> list[str]:
    """Return 'file:line' of every text of a template that nobody has replaced, in the YAML files among some paths."""
    places = []
    for path in paths:
        if path.suffix not in (".yaml", ".yml"):
            continue
        for number, line in enumerate(decode(path).splitlines(), start=1):
            declared = re.split(r"(?:^|\s)#", line)[0]
            if any(text in declared for text in TO_REPLACE):
                places.append(f"{path}:{number}")
    return places


def refuse_placeholders(paths: Iterable[Path], error: type[SatisfactionError]) -> None:
    """Refuse to publish what a template has left open: the source of a rule, a label.

    Raises
    ------
    SatisfactionError
        Y340, of the class given.
    """
    if places := placeholders(paths):
        raise error(
            "Y340",
            _(
                "Words of the template still stand here (places: {places}); they are not "
                "published.",
                places=len(places),
            ),
            where=shortened(places, 5),
            hint=_("Write the real source or name."),
        )


def _plain(node: Any, seen: Iterator[int], depth: int = 0) -> Any:
    """Drop ruamel's own types, so that records hold nothing but plain Python values; aliases are written out."""
    if next(seen) > MOST_VALUES or depth > DEEPEST:
        raise _Unusable(
            _(
                "More than {MOST_VALUES:,} values with aliases written out, or nested more "
                "than {DEEPEST} deep",
                MOST_VALUES=MOST_VALUES,
                DEEPEST=DEEPEST,
            ),
        )
    if isinstance(node, CommentedMap):
        return {
            _plain(key, seen, depth + 1): _plain(value, seen, depth + 1)
            for key, value in node.items()
        }
    if isinstance(node, CommentedSeq):
        return [_plain(value, seen, depth + 1) for value in node]
    if isinstance(node, str):
        return _text(node)
    if isinstance(node, int) and abs(node) > LARGEST:
        raise _Unusable(_("A whole number is too large"))
    for plain in (bool, int, float):
        if isinstance(node, plain):
            return plain(node)
    return node


def _text(value: str) -> str:
    """Return a text with characters that JSON escapes as two halves put together."""
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise _Unusable(
            _("A text holds half a character (\\ud800 to \\udfff)"),
        ) from None


def _describe(document: Document, detail: ErrorDetails) -> dict[str, Any]:
    """Put one pydantic fault into the words of SatisfactionError."""
    kind = detail["type"]
    location = detail["loc"]
    context = detail.get("ctx", {})
    key = ".".join(str(part) for part in location)
    if kind == "unknown_key":
        name = str(context["key"])
        available = context["available"]
        near = closest(name, available)
        hint = _("Remove the key.")
        if near:
            hint = _("Write '{near}', or remove it.", near=near)
        return {
            "code": "Y201",
            "text": _("Unknown key '{name}'.", name=name),
            "got": name,
            "available": available,
            "where": document.place((*location, context["key"])),
            "hint": hint,
        }
    if kind == "missing":
        return {
            "code": "Y202",
            "text": _("Required key '{key}' is missing.", key=location[-1]),
            "where": document.place(location[:-1]),
            "hint": _("Add the key."),
        }
    if kind == "declared":
        at = context.pop("at")
        return context | {"where": document.place((*location, *at))}
    if kind == "literal_error":  # pydantic lists them by "or"
        context = {"expected": comma_list(re.split(", | or ", context["expected"]))}
    pattern = context.get("pattern")
    if pattern in FORMS:
        wanted = FORMS[pattern]
    elif kind in WANTED_WITH:
        wanted = _(WANTED_WITH[kind], **context)
    else:
        wanted = WANTED.get(kind.partition("_")[0], _("it is not allowed here"))
    value = detail["input"]
    text = _("Invalid value {value!r} at '{key}': {wanted}.", value=value, key=key, wanted=wanted)
    if isinstance(value, dict | list):
        text = _("Invalid value at '{key}': {wanted}.", key=key, wanted=wanted)
    return {
        "code": "Y203",
        "text": text,
        "where": document.place(location),
        "hint": _("Correct the value."),
    }


WANTED = {
    "int": _("it must be a whole number"),
    "float": _("it must be a number"),
    "string": _("it must be text; digits alone stand in quotes"),
    "bool": _("it must be true or false"),
    "list": _("it must be a list"),
    "tuple": _("it must be a list"),
    "dict": _("it must be a mapping of keys to values"),
    "model": _("it must be a mapping of keys to values"),
    "date": _("it must be a date YYYY-MM-DD"),
    "none": _("it must be left empty"),
}
"""What a value must be, by the beginning of pydantic's name of the fault."""

WANTED_WITH = {
    "greater_than": N_("it must be greater than {gt}"),
    "greater_than_equal": N_("it must be at least {ge}"),
    "less_than": N_("it must be less than {lt}"),
    "less_than_equal": N_("it must be at most {le}"),
    "too_short": N_("it must have at least {min_length} entries"),
    "too_long": N_("it may have at most {max_length} entries"),
    "literal_error": N_("it must be one of {expected}"),
    "string_pattern_mismatch": N_("its form must be {pattern}"),
    "union_tag_invalid": N_("it must be one of {expected_tags}"),
    "union_tag_not_found": N_("{discriminator} is missing"),
    "finite_number": N_("it must be a finite number"),
}
"""The same with details, by the name of the fault."""


FORMS = {
    r"^[0-9A-Za-z-]+$": _("plain letters, digits and hyphens alone, such as 2026Q3"),
    r"^[a-z0-9][a-z0-9-]*$": _(
        "plain small letters, digits and hyphens alone, such as guizhou-2026q3"
    ),
    r"^[a-z0-9-]+@[0-9A-Za-z.-]+$": _("name@version, such as civilised-city@2026-1"),
    r"^[0-9A-Za-z]{1,12}$": _("a code of plain letters and digits, such as '520102'"),
    NAME: _("plain letters, digits and underscores alone, such as county; one name an entry"),
}
"""What the patterns of values ask for, in words."""


def fault(
    code: str,
    text: Text,
    *,
    at: Location = (),
    available: Iterable[object] = (),
    got: object = "",
    hint: Text,
) -> PydanticCustomError:
    """Build a fault that a record's own validator raises; the reader adds file and line."""
    return PydanticCustomError(
        "declared",
        "{code}",
        {
            "code": code,
            "text": text,
            "at": at,
            "available": tuple(available),
            "got": got,
            "hint": hint,
        },
    )


LONGEST_LINE = 120
NO_FOLDING = 10_000  # characters a line: a line of a person's own file stays one line


def yaml_text(data: dict[str, Any]) -> str:
    """Return data as YAML: one key a line, the innermost mappings and lists in brackets, Chinese as it is."""
    top = _ordered(data)
    top.fa.set_block_style()
    return node_text(top, width=LONGEST_LINE, flow_style=None)


def node_text(
    node: CommentedMap, *, width: int = NO_FOLDING, flow_style: bool | None = False
) -> str:
    """Return the node tree of a YAML file as text, with its comments."""
    yaml = YAML()
    yaml.default_flow_style = flow_style
    yaml.width = width
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump(node, stream)
    return stream.getvalue()


def _ordered(value: Any) -> Any:
    """Put mappings into ruamel's own type: the innermost in one line, unless that would be longer than a line."""
    if isinstance(value, dict):
        mapping = CommentedMap()
        for key, content in value.items():
            mapping[key] = _ordered(content)
        nested = any(isinstance(content, dict) for content in value.values())
        if value and not nested and len(str(value)) < LONGEST_LINE:
            mapping.fa.set_flow_style()
        else:
            mapping.fa.set_block_style()
        return mapping
    if isinstance(value, str) and (not value.isprintable() or value.startswith("?")):
        return DoubleQuotedScalarString(
            value
        )  # plain, ruamel folds line breaks that are not "\n" and misreads "[?"
    if isinstance(value, list | tuple):
        return [_ordered(entry) for entry in value]
    return value


def meaning_of(model: type[Record], key: str) -> Text:
    """Return what a key means; nothing where its record does not say.

    Parameters
    ----------
    model : type of Record
        The declaration: `SurveyFile`, `Rules`.
    key : str

    Examples
    --------
    >>> from satisfaction.declarations.wave import SurveyFile
    >>> meaning_of(SurveyFile, "level").in_language("en")
    'confidence level'
    """
    description = model.model_fields[key].description
    return _(description) if description else NOTHING


def schema_of(model: type[Record]) -> dict[str, Any]:
    """Return the JSON Schema of a declaration, with its descriptions in the current language."""
    schema: dict[str, Any] = _translated(model.model_json_schema())
    return schema


def _translated(part: Any) -> Any:
    """Put the descriptions of a part of a schema into the current language; docstrings have no Chinese and stay."""
    if isinstance(part, list):
        return [_translated(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    translated = {}
    for key, value in part.items():
        if key == "description" and isinstance(value, str):
            translated[key] = str(_(value))
        else:
            translated[key] = _translated(value)
    return translated
