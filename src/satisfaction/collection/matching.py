"""Columns of an export to items of the questionnaire: by name, alias, label, number, or what the platform recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import chain, takewhile

import numpy as np
import pandas as pd

from satisfaction.collection.account import shown
from satisfaction.collection.identifiers import is_personal_title
from satisfaction.collection.platforms.export import SKIPPED, Export, ExportColumn, Role, mapped
from satisfaction.collection.wordings import Answers, labels_of, without_zeros
from satisfaction.declarations.area_names import fold
from satisfaction.declarations.items import Item, MultipleItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.errors import (
    ResponsesError,
    closest,
    place_of,
    shortened,
    shortened_list,
)
from satisfaction.foundation.language import Text, _, comma_list, ngettext

COLUMNS = ("file", "sheet", "column", "item", "how", "near", "note")
NOTHING_CHOSEN = "(未选)"
CHOSEN = frozenset(
    {"1", "true", "yes", "y", "是", "√", "✓", "✔", "选中", "已选", "selected", "checked"}
)
NOT_CHOSEN = frozenset(
    {"0", "false", "no", "n", "否", "未选中", "未选", "notselected", "unchecked"}
)
BEFORE_OPTION = re.compile(
    r"[/／\\_|:：.‐-―－\-(（\[【]+"
)  # what stands between a question and its option in a title
APART = _("Name the column as the item, or tell them apart by `number` or `aliases`.")
ITEMS = _("items")
OF_COLUMNS = _("columns")
SPACED = ("kobo", "odk")  # a space stands between the codes of a select-all answer


Calls = dict[str, set[str]]  # by item what its column may be called


@dataclass(slots=True)
class AnswerSource:
    """Where an item's answers stand in an export.

    Attributes
    ----------
    column : Column or None
        The item's own column.
    options : list of (Column, int or None)
        Columns of single options with their codes.
    former : dict of str to Column
        Columns of earlier versions by the name `replaces` gives them.
    how : str
        By what the item was found; "split" where the titles of its columns name the question and an option.
    """

    column: ExportColumn | None = None
    options: list[tuple[ExportColumn, int | None]] = field(default_factory=list)
    former: dict[str, ExportColumn] = field(default_factory=dict)
    how: str = ""

    @property
    def keys(self) -> set[str]:
        """Return the keys of every column."""
        return {column.key for column, _how in self.columns()}

    def columns(self) -> list[tuple[ExportColumn, str]]:
        """Return every column with how it was found."""
        columns = []
        if self.column:
            columns.append((self.column, self.how))
        for column, _code in self.options:
            columns.append((column, "option"))
        for column in self.former.values():
            columns.append((column, "replaces"))
        return columns


def match_columns(export: Export, questionnaire: Questionnaire) -> dict[str, AnswerSource]:
    """Find the items' columns in an export; names go before aliases, aliases before labels, labels before numbers.

    Raises
    ------
    ResponsesError
        R106 where two columns may be one item, or two items one column, on the same ground; R305 where options stand in
        columns of their own and not each has one.
    """
    sources: dict[str, AnswerSource] = {}
    taken: set[str] = set()
    unfolded = _options_in_titles(export, questionnaire)
    all_columns = [unfolded.get(column.key, column) for column in export.columns]
    for how, calls, texts in _grounds(questionnaire):
        free = [(column, texts(column)) for column in all_columns if column.key not in taken]
        pairs = []
        for name in questionnaire.items:
            if name not in sources:
                called = calls.get(name, set())
                pairs += [(name, column) for column, own in free if not called.isdisjoint(own)]
        for name, columns in _by_item(export, pairs, questionnaire).items():
            whole = [column for column in columns if not column.option]
            if whole or not isinstance(questionnaire.items[name], MultipleItem):
                sources[name] = AnswerSource([*whole, *columns][0], how=how)
                continue
            answers = Answers(questionnaire, name)
            of_options = [(column, answers.code(column.option)) for column in columns]
            sources[name] = AnswerSource(options=of_options, how=how)
        taken.update(column.key for _name, column in pairs)
    options: dict[str, list[ExportColumn]] = {}
    for column in unfolded.values():
        options.setdefault(str(column.name), []).append(column)
    for name, columns in options.items():
        _check_options(export, questionnaire, name, columns=columns)
        if sources[name].options:
            sources[name].how = "split"
    for name, item in questionnaire.items.items():
        for old in item.replaces:
            for column in export.columns:
                if column.key in taken:
                    continue
                if old in (column.name, column.title, column.key):
                    sources.setdefault(name, AnswerSource(how="replaces")).former[old] = column
                    taken.add(column.key)
    return sources


def _grounds(
    questionnaire: Questionnaire,
) -> Iterator[tuple[str, Calls, Callable[[ExportColumn], Iterable[str]]]]:
    """Yield the grounds on which a column is an item's, the surest first: how, what items are called, what a column says."""
    names: Calls = {}
    aliases: Calls = {}
    labels: Calls = {}
    numbers: Calls = {}
    selected: set[str] = set()
    for name, item in questionnaire.items.items():
        names[name] = {name}
        aliases[name] = set(map(fold, item.aliases))
        labels[name] = set(_labels(item)) - {""}
        if item.number:
            numbers[name] = {fold(item.number)}
        if isinstance(item, MultipleItem):
            selected |= labels[name] | {fold(name)}
    folded = cache(fold)

    def last_part(column: ExportColumn) -> Iterator[str]:
        """Yield the last part of a path; behind a select-all question it would be an option."""
        before, _slash, last = column.title.rpartition("/")
        if before and folded(before) not in selected:
            yield folded(last)

    yield "name", names, lambda column: [column.name, column.title, column.key]
    yield "alias", aliases, lambda column: [folded(column.title), folded(column.name)]
    yield "label", labels, lambda column: [folded(column.title), folded(column.key)]
    yield "label", labels, lambda column: list(last_part(column))
    folded_names = {name: {fold(name)} for name in names}
    yield "name", folded_names, lambda column: [folded(column.title), *last_part(column)]
    yield "number", numbers, lambda column: [folded(column.number)]
    roles = questionnaire.roles
    recorded: list[tuple[str | None, Role]] = [
        (roles.respondent, "uuid"),
        (roles.respondent, "id"),
        (roles.interviewer, "interviewer"),
        (roles.interview_date, "started"),
        (roles.interview_date, "submitted"),
    ]
    for of_role, role in recorded:
        yield "role", {of_role or "": {role}}, lambda column: [column.role]


def _options_in_titles(export: Export, questionnaire: Questionnaire) -> dict[str, ExportColumn]:
    """Return the columns whose titles name a select-all question and one of its options ("question/option", "name_1"), by key.

    Both must be named in full: nothing is guessed from a part.

    Raises
    ------
    ResponsesError
        R106 for a title that names options of two questions.
    """
    whole: set[str] = set()
    calls: dict[str, set[str]] = {}
    answers: dict[str, Answers] = {}
    for name, item in questionnaire.items.items():
        calls[name] = set(_called(name, item))
        whole |= calls[name]
        if isinstance(item, MultipleItem):
            answers[name] = Answers(questionnaire, name)
    options: dict[str, ExportColumn] = {}
    for column in export.columns:
        if column.option or column.role or fold(column.title) in whole:
            continue
        for mark in BEFORE_OPTION.finditer(column.title):
            question = fold(column.title[: mark.start()])
            option = column.title[mark.end() :].strip(" )）]】")
            for name in answers:
                if question not in calls[name] or answers[name].code(option) is None:
                    continue
                of_option = replace(column, name=name, option=option)
                earlier = str(options.setdefault(column.key, of_option).name)
                if earlier != name:
                    what = f"'{shown(column.key)}'"
                    raise _ambiguous(export, what, (earlier, name), kind=ITEMS)
    return options


def _called(name: str, item: Item) -> Iterator[str]:
    """Yield what a question may be called in a title, folded."""
    yield fold(name)
    yield from _labels(item)
    if item.number:
        yield fold(f"Q{item.number}")


def _labels(item: Item) -> Iterator[str]:
    """Yield the label and the wording of a question, folded."""
    yield from labels_of(item)
    if item.wording:
        yield from labels_of(item.wording)


def _check_options(
    export: Export, questionnaire: Questionnaire, name: str, *, columns: list[ExportColumn]
) -> None:
    """Refuse options in columns of their own where one has none: nobody knows whether it was not asked or not chosen."""
    item = questionnaire.items[name]
    answers = Answers(questionnaire, name)
    by_code: dict[int | None, list[str]] = {}
    for column in columns:
        by_code.setdefault(answers.code(column.option), []).append(shown(column.key))
    for keys in by_code.values():
        if len(keys) > 1:
            raise _ambiguous(export, f"'{name}'", keys, kind=OF_COLUMNS)
    lacking = sorted(answers.options - by_code.keys())
    if lacking:
        listed = comma_list([answers.named(code) for code in lacking])
        raise ResponsesError(
            "R305",
            _(
                "The options of '{item}' ({name}) stand in columns of their own, but these "
                "have none: {listed}.",
                item=item,
                name=name,
                listed=listed,
            ),
            where=header_place(export),
            available=[shown(column.key) for column in export.columns],
            hint=_(
                "Add a column for each (empty if nobody chose it). {how}",
                how=how_options_are_named(name, item),
            ),
        )


def refuse_second_columns(
    export: Export, sources: dict[str, AnswerSource], questionnaire: Questionnaire
) -> None:
    """Refuse a column that is called as an item, is not read as it, and answers otherwise or where the other one is empty.

    Raises
    ------
    ResponsesError
        R106.
    """
    taken = set().union(*(source.keys for source in sources.values()))
    free = [column for column in export.columns if column.key not in taken and not column.role]
    for name, source in sources.items():
        item = questionnaire.items[name]
        calls = {fold(name), *map(fold, item.aliases), *_labels(item)} - {""}
        for column in free:
            called = {fold(column.title), fold(column.name)}
            if source.column is None or calls.isdisjoint(called):
                continue
            read = export.rows[source.column.key].str.strip().replace(SKIPPED, "")
            left = export.rows[column.key].str.strip().replace(SKIPPED, "")
            contrary = (left != "") & (read == "")
            if isinstance(item, SingleItem):
                answers = Answers(questionnaire, name)
                codes = [values.map(answers.code).astype("Int64") for values in (read, left)]
                contrary |= (codes[0] != codes[1]).fillna(False).astype(bool)
            if contrary.any():
                problem = _(
                    "'{item}' ({name}) is read from column '{read}'; column '{left}' is called as "
                    "it too and has other answers (rows {rows}).",
                    item=item,
                    name=name,
                    read=shown(source.column.key),
                    left=shown(column.key),
                    rows=shortened(export.numbers[contrary]),
                )
                hint = _("Bring the answers into one column, and take the other away.")
                raise ResponsesError("R106", problem, where=header_place(export), hint=hint)


def refuse_other_labels(
    export: Export, sources: dict[str, AnswerSource], questionnaire: Questionnaire
) -> None:
    """Refuse a file that says itself that its codes mean other answers than they do in the questionnaire.

    Raises
    ------
    ResponsesError
        R341.
    """
    contrary = []
    for name, source in sources.items():
        item = questionnaire.items[name]
        if source.column is None or not isinstance(item, SingleItem | MultipleItem):
            continue
        answers = Answers(questionnaire, name)
        present = set(export.rows[source.column.key])
        for value, label in source.column.labels.items():
            code = answers.code(value)
            meant = answers.code(label)
            if value in present and None not in (code, meant) and code != meant:
                contrary.append(f"{name} {value} = {shown(label)}")
    if contrary:
        raise ResponsesError(
            "R341",
            _(
                "The file says itself that its codes mean other answers than those of the "
                "questionnaire: {labels}.",
                labels=shortened(contrary),
            ),
            where=header_place(export),
            hint=_(
                "Save it as csv with the value labels in place of the codes, or recode these "
                "variables as the questionnaire does."
            ),
        )


def how_options_are_named(name: str, item: Item) -> Text:
    """Say how the columns of single options are named."""
    assert isinstance(item, MultipleItem)
    code, option = next(iter(item.options.items()))
    return _(
        "Options stand in one column ('{separator}' between them), or each in its "
        "own, called '{item}/{option}' or '{name}/{code}', with 1 or √ where chosen, "
        "0 or nothing where not; never name one option's column as the item.",
        separator=item.separator,
        item=item,
        option=option,
        name=name,
        code=code,
    )


def _by_item(
    export: Export, pairs: list[tuple[str, ExportColumn]], questionnaire: Questionnaire
) -> dict[str, list[ExportColumn]]:
    """Gather the columns of each item; refuse what has two meanings."""
    items: dict[str, list[ExportColumn]] = {}
    owner: dict[str, str] = {}
    for name, column in pairs:
        if (other := owner.setdefault(column.key, name)) != name:
            what = f"'{shown(column.key)}'"
            raise _ambiguous(export, what, (other, name), kind=ITEMS)
        items.setdefault(name, []).append(column)
    for name, columns in items.items():
        item = questionnaire.items[name]
        whole = [column for column in columns if not column.option]
        if whole and isinstance(item, MultipleItem):
            # columns without a name that hold anything: options below a title that covers them
            behind = export.columns[export.columns.index(whole[-1]) + 1 :]
            unnamed = takewhile(lambda column: not column.title, behind)
            whole += [column for column in unnamed if export.rows[column.key].str.strip().any()]
        if len(whole) > 1:
            keys = [shown(column.key) for column in whole]
            hint = how_options_are_named(name, item) if isinstance(item, MultipleItem) else APART
            raise _ambiguous(export, f"'{name}'", keys, kind=OF_COLUMNS, hint=hint)
    return items


def _ambiguous(
    export: Export,
    what: str,
    both: Sequence[str],
    *,
    kind: Text,
    hint: Text = APART,
) -> ResponsesError:
    first, second, *_further = both
    problem = _(
        "{what} fits two {kind}: {one} and {other}.", what=what, kind=kind, one=first, other=second
    )
    return ResponsesError("R106", problem, where=header_place(export), hint=hint)


def header_place(export: Export) -> str:
    """Return file, sheet and header row for a message."""
    return place_of(export.path, export.sheet, "row 1")


def missing_items(
    export: Export,
    sources: dict[str, AnswerSource],
    questionnaire: Questionnaire,
    *,
    needless: Container[str] = (),
) -> list[ResponsesError]:
    """Return a fault (R101) for every item without a column, with what is near among the columns that no item has.

    Parameters
    ----------
    needless : container of str
        Items that the survey can do without.
    """
    items = questionnaire.items
    absent = [name for name in items if name not in sources and name not in needless]
    if 2 * len(sources) < len(items) and len(absent) > 1:
        listed = [_("{name} ({item})", name=name, item=items[name].text) for name in absent]
        no_responses = ResponsesError(
            "R101",
            ngettext(
                "{n} column of the questionnaire not found: {items}.",
                "{n} columns of the questionnaire not found: {items}.",
                len(absent),
                items=shortened_list(listed),
            ),
            where=header_place(export),
            available=[shown(column.key) for column in export.columns],
            hint=_(
                "Give the columns their names; a file without responses is taken away or "
                "named under `ignore` in survey.yaml."
            ),
        )
        return [no_responses]
    faults: list[ResponsesError] = []
    taken = set().union(*(source.keys for source in sources.values()))
    free = [column for column in export.columns if column.key not in taken]
    columns = [shown(column.key) for column in free]
    titles = [shown(column.title) for column in free]
    names = list(filter(None, chain.from_iterable(zip(columns, titles, strict=True))))
    for name in absent:
        item = items[name]
        near = closest(name, names) or closest(item.zh, names) or closest(item.en, names)
        got = name
        hint = _(
            "Add the column; leave it empty where there is no answer. It may be called "
            "'{name}' or '{item}'.",
            name=name,
            item=item,
        )
        if item.required:
            hint = _(
                "Add the column and fill it in every row, without it no row is accepted. It may be "
                "called '{name}' or '{item}'.",
                name=name,
                item=item,
            )
        if near:
            hint = _(
                "Rename column '{near}' to '{item}' or '{name}'.", near=near, item=item, name=name
            )
        if isinstance(item, MultipleItem):  # what is near may be the column of one option
            got = ""
            hint = how_options_are_named(name, item)
        if name == questionnaire.roles.respondent:
            hint = _(
                "{hint} Without numbers write `numbering: row` in survey.yaml: file and row are "
                "then the number.",
                hint=hint,
            )
        fault = ResponsesError(
            "R101",
            _("There is no column for '{item}' ({name}).", item=item, name=name),
            where=header_place(export),
            available=columns,
            got=got,
            hint=hint,
        )
        faults.append(fault)
    return faults


def gather(
    export: Export, sources: dict[str, AnswerSource], questionnaire: Questionnaire
) -> pd.DataFrame:
    """Return one text column an item, in the questionnaire's order; options in columns of their own become one answer."""
    columns: dict[str, np.ndarray] = {}
    for name, item in questionnaire.items.items():
        source = sources.get(name, AnswerSource())
        separator = getattr(item, "separator", "")
        if source.column is not None:
            texts = export.rows[source.column.key].to_numpy(dtype=object)
            if separator and export.platform in SPACED:
                words = {text: separator.join(text.split()) for text in set(texts)}
                texts = mapped(texts, words)
        elif source.options:
            texts = _joined_options(export, source, separator)
        else:
            texts = np.full(len(export.rows), "", dtype=object)
        columns[name] = texts
    return pd.DataFrame(columns, index=range(len(export.rows)), dtype=object)


def _joined_options(export: Export, source: AnswerSource, separator: str) -> np.ndarray:
    """Join the options marked in columns of their own; a cell that is neither yes nor no makes the answer no answer."""
    parts = []
    for column, code in source.options:
        option = column.option
        if code is not None:
            option = str(code)
        change = partial(_option_text, option=option, label=column.option)
        cells_of_option = export.rows[column.key].to_numpy(dtype=object)
        parts.append(mapped(cells_of_option, change).tolist())
    answers: dict[tuple[str, ...], str] = {}
    joined = np.empty(len(export.rows), dtype=object)
    for row, cells in enumerate(zip(*parts, strict=True)):
        if cells not in answers:
            chosen = [cell for cell in cells if cell not in ("", NOTHING_CHOSEN)]
            answers[cells] = separator.join(chosen) or max(cells, key=len)
        joined[row] = answers[cells]
    return joined


def _option_text(cell: str, *, option: str, label: str) -> str:
    """Return the option where a cell says that it was chosen; "label=2" where it says neither, which no item has."""
    folded = fold(without_zeros(cell.strip()))
    if not folded or cell.strip() == SKIPPED:
        return ""
    if folded in NOT_CHOSEN:
        return NOTHING_CHOSEN
    if folded in {*CHOSEN, fold(label), fold(option)}:
        return option
    return f"{label}={cell}"


def columns_table(
    tables: Iterable[tuple[str, Export, dict[str, AnswerSource]]], questionnaire: Questionnaire
) -> pd.DataFrame:
    """Return one row a column of some tables: the item it was matched to and how, or what is near and that it is not kept.

    Parameters
    ----------
    tables : iterable of (str, Export, dict of str to AnswerSource)
        File, table and where the answers stand; without any, the table was not read.
    """
    rows = []
    for file, export, sources in tables:
        items: dict[str, tuple[str, str]] = {}
        for name, source in sources.items():
            for column, how in source.columns():
                items[column.key] = (name, how)
        free = [name for name in questionnaire.items if name not in sources]
        for column in export.columns:
            item, how = items.get(column.key, ("", ""))
            near = ""
            note = ""
            if not item and column.role:
                how = "role"
                note = _("recorded by the platform").both
            elif not item:
                near = closest(column.name or column.title, free) or ""
                note = _("not kept").both
            if not item and is_personal_title(column.title):
                note = _("personal data; not kept").both
            rows.append((file, export.sheet, shown(column.key), item, how, near, note))
    return pd.DataFrame(rows, columns=list(COLUMNS))
