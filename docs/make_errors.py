"""Write docs/errors.md: every identifier of a message, with its sentences and what to do, in both languages.

The sentences are read from the code: a call that holds an identifier, `KeyError("K123", _("..."), hint=_("..."))`,
or hands one to a function that raises the error. The Chinese is that of the catalogue. What the log of
responses says stands in two tables of the package.
"""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from satisfaction.cli import KINDS
from satisfaction.collection.account import RULES
from satisfaction.collection.forms.xlsform_checks import RULES as OF_FORMS
from satisfaction.collection.platforms.export import NOTES
from satisfaction.foundation.language import CATALOGUE, Text

PAGE = Path(__file__).with_name("errors.md")
PACKAGE = Path(__file__).parents[1] / "src" / "satisfaction"
IDENTIFIER = re.compile(r"[A-Z]\d{3}")
PLACE = re.compile(r"{(\w+)}")
WORDS = {"_", "N_", "both", "ngettext", "pgettext"}
DEEPEST = 7  # functions within functions; a message lies two or three deep, one of a table deeper
STAGES = {
    "F": "Files 文件",
    "Q": "Questionnaire 问卷",
    "S": "Survey 调查声明",
    "Y": "YAML and placeholders YAML 与占位内容",
    "R": "Responses 答卷",
    "D": "Sample design and planning 抽样设计与计划",
    "W": "Weights 权数",
    "E": "Estimates and tests 估计与检验",
    "K": "Ranking 排名",
    "G": "Tables and engines 数据表与计算引擎",
    "X": "Publication 发布",
    "Z": "Surroundings 运行环境",
}
HEAD = """# Identifiers of messages 信息编号

Every message begins with an identifier that stays the same in every version. This page is written by `make docs-pages`
from the code and the catalogue; change it there. Names in braces stand for what the program fills in. Where
one identifier has several sentences, each stands here once. Identifiers of the log of responses
(`log.csv`, `rejected.csv`) are marked "log".

每条信息开头都有编号，各版本不变。本页由 `make docs-pages` 从程序和译文目录生成，请勿直接修改。花括号内为程序填入的内容；
同一编号有几种说法的，各列一次。答卷日志（`log.csv`、`rejected.csv`）所用编号注明“日志”。
"""


@dataclass
class Entry:
    """What is said under one identifier: English sentences, each once, in the order of the code."""

    sentences: dict[str, str] = field(default_factory=dict)
    repairs: dict[str, str] = field(default_factory=dict)
    of_log: bool = False


@dataclass(frozen=True)
class Place:
    """Where an expression stands: the functions around it, and what a caller handed in for each name."""

    functions: tuple[ast.FunctionDef, ...] = ()
    handed_in: dict[str, Placed] = field(default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """An expression and where it stands."""

    expression: ast.expr
    place: Place


class Package:
    """The code of the package: its functions by name, its words in Chinese."""

    def __init__(self) -> None:
        self.trees = {path: _parsed(path) for path in sorted(PACKAGE.rglob("*.py"))}
        self.functions: dict[Path, dict[str, ast.FunctionDef]] = {}
        self.constants: dict[Path, dict[str, ast.expr]] = {}
        for path, tree in self.trees.items():
            functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            self.functions[path] = {function.name: function for function in functions}
            self.constants[path] = dict(_assignments(tree))
        with CATALOGUE.open("rb") as file:
            self.chinese = gettext.GNUTranslations(file)
        self.entries: dict[str, Entry] = {}
        for identifier, rule in RULES.items():
            self._of_log(identifier, rule.text(rule.action))
        for identifier, text in {**NOTES, **OF_FORMS}.items():
            self._of_log(identifier, Text(*text))
        surroundings = Entry()
        for fault in KINDS:
            surroundings.sentences[fault.text.en] = fault.text.zh
            surroundings.repairs[fault.hint.en] = fault.hint.zh
        self.entries["Z420"] = surroundings
        for path, tree in self.trees.items():
            self.path = path
            self._walk(tree, Place())

    def identifiers(self) -> set[str]:
        """Return every identifier that stands in the code as a text of its own."""
        nodes = [node for tree in self.trees.values() for node in ast.walk(tree)]
        return {node.value for node in nodes if is_identifier(node)}

    def _of_log(self, identifier: str, text: Text) -> None:
        entry = self.entries.setdefault(identifier, Entry(of_log=True))
        entry.sentences[text.en or text.zh] = text.zh

    def _walk(self, node: ast.AST, place: Place) -> None:
        for child in ast.iter_child_nodes(node):
            inner = place
            if isinstance(child, ast.FunctionDef):
                inner = Place((*place.functions, child))
                self._read_defaults(child)
            if isinstance(child, ast.Call):
                self._read(child, inner)
            if isinstance(child, ast.Tuple):
                self._read_listed(child, inner)
            if isinstance(child, ast.Dict):
                self._read_fields(child, inner)
            self._walk(child, inner)

    def _read(self, call: ast.Call, place: Place) -> None:
        arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
        for argument in arguments:
            if is_identifier(argument):
                self._record(argument.value, call, argument, place, 0)

    def _read_defaults(self, function: ast.FunctionDef) -> None:
        """Read what a function says under the identifier that it takes where none is handed in."""
        for argument, default in _defaults(function):
            if is_identifier(default):
                self._hands_on(default.value, function, argument, Place((function,)), 0)

    def _read_listed(self, row: ast.Tuple, place: Place) -> None:
        """Read an identifier of a list that a function goes through: (code, ...)."""
        for value in row.elts:
            if is_identifier(value):
                for function in place.functions:
                    self._hands_on(value.value, function, "code", place, 0)

    def _read_fields(self, record: ast.Dict, place: Place) -> None:
        """Read the fields of an error that is still to be built: {"code": ..., "text": ..., "hint": ...}."""
        values = {
            key.value: value
            for key, value in zip(record.keys, record.values, strict=True)
            if isinstance(key, ast.Constant)
        }
        if is_identifier(values.get("code")):
            entry = self.entries.setdefault(values["code"].value, Entry())
            self._note(entry, [values["text"]], [values["hint"]], place)

    def _record(
        self, identifier: str, call: ast.Call, code: ast.expr, place: Place, depth: int
    ) -> None:
        """Note what a call says that holds an identifier: in its own words, else in those of the function called."""
        function = self._function(call, place)
        if function is not None and depth < DEEPEST:
            inner = Place((function,), _bound(call, function, place))
            name = next(key for key, value in inner.handed_in.items() if value.expression is code)
            if self._hands_on(identifier, function, name, inner, depth):
                return
        entry = self.entries.setdefault(identifier, Entry())
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        position = call.args.index(code) + 1 if code in call.args else 0
        texts = [
            *call.args[position : position + 1],
            *(v for k, v in keywords.items() if k == "text"),
        ]
        hints = [keywords["hint"]] if "hint" in keywords else call.args[position + 1 : position + 2]
        self._note(entry, texts, hints, place)

    def _note(
        self, entry: Entry, texts: list[ast.expr], hints: list[ast.expr], place: Place
    ) -> None:
        for text in texts:
            for message in self._messages(text, place, 0):
                entry.sentences.setdefault(message.en, message.zh)
        for hint in hints:
            for message in self._messages(hint, place, 0):
                entry.repairs.setdefault(message.en, message.zh)

    def _hands_on(
        self, identifier: str, function: ast.FunctionDef, name: str, place: Place, depth: int
    ) -> bool:
        """Follow an identifier into a function that hands it on; whether it does."""
        handed_on = False
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if isinstance(argument, ast.Name) and argument.id == name:
                    self._record(identifier, node, argument, place, depth + 1)
                    handed_on = True
        return handed_on

    def _messages(self, expression: ast.expr, place: Place, depth: int) -> Iterator[Text]:
        """Yield the messages that an expression can be."""
        if depth > DEEPEST:
            return
        match expression:
            case ast.Call(func=ast.Name(id=called)) if called in WORDS:
                yield from self._filled(expression, place, depth)
            case ast.Call(func=ast.Name(id="Text"), args=[chinese, english]):
                pairs = zip(_templates(chinese, place), _templates(english, place), strict=False)
                for zh, en in pairs:
                    yield from self._with_handed_in(Text(zh, en), {}, place, depth)
                if isinstance(chinese, ast.Name):
                    yield from self._named(chinese.id, place, depth + 1)
            case ast.Call():
                function = self._function(expression, place)
                if function is not None:
                    inner = Place((function,), _bound(expression, function, place))
                    for node in ast.walk(function):
                        if isinstance(node, ast.Return) and node.value is not None:
                            yield from self._messages(node.value, inner, depth + 1)
            case ast.IfExp():
                yield from self._messages(expression.body, place, depth)
                yield from self._messages(expression.orelse, place, depth)
            case ast.BoolOp():
                for value in expression.values:
                    yield from self._messages(value, place, depth)
            case ast.Name():
                yield from self._named(expression.id, place, depth + 1)
            case ast.Attribute(value=ast.Name() as record):
                yield from self._messages(record, place, depth + 1)
            case ast.Subscript(value=ast.Name() as table):
                yield from self._messages(table, place, depth + 1)
            case ast.Dict():
                for value in expression.values:
                    yield from self._messages(value, place, depth + 1)

    def _filled(self, call: ast.Call, place: Place, depth: int) -> Iterator[Text]:
        """Yield a message; what a caller hands in for one of its places stands there."""
        written = [a.value for a in call.args if isinstance(a, ast.Constant)]
        texts = [text for text in written if isinstance(text, str)]
        if not texts:  # a message of the catalogue that stands elsewhere
            yield from self._messages(call.args[0], place, depth + 1)
            return
        english = texts[-1]
        match call.func:
            case ast.Name(id="ngettext"):
                chinese = self.chinese.ngettext(*texts, 2)
            case ast.Name(id="pgettext"):
                chinese = self.chinese.pgettext(*texts)
            case _:
                chinese = self.chinese.gettext(english)
        names = {}
        for keyword in call.keywords:
            value = keyword.value
            if isinstance(value, ast.Attribute) and value.attr == "text":
                value = value.value
            if keyword.arg is not None and isinstance(value, ast.Name):
                names[keyword.arg] = value.id
        yield from self._with_handed_in(Text(chinese, english), names, place, depth)

    def _with_handed_in(
        self, message: Text, names: dict[str, str], place: Place, depth: int
    ) -> Iterator[Text]:
        """Yield a message once for each thing that a caller hands in for one of its places."""
        filled = []
        for of_message in PLACE.findall(message.en):
            name = names.get(of_message, of_message)
            if name in place.handed_in:
                inner = self._named(name, place, depth + 1)
            else:
                inner = self._of_faults(name, place, depth + 1)
            for words in inner:
                pattern = "{" + of_message + "}"
                zh = message.zh.replace(pattern, words.zh)
                filled.append(Text(zh, message.en.replace(pattern, words.en)))
        yield from filled or [message]

    def _named(self, name: str, place: Place, depth: int) -> Iterator[Text]:
        """Yield the messages that a name can stand for: what was handed in, else what was assigned."""
        if name in place.handed_in:
            placed = place.handed_in[name]
            yield from self._messages(placed.expression, placed.place, depth)
        assigned = [value for f in place.functions for key, value in _assignments(f) if key == name]
        if not assigned and name not in place.handed_in:
            assigned = [names[name] for names in self._homes(self.constants) if name in names][:1]
        for value in assigned:
            yield from self._messages(value, place, depth)
        if not assigned and place.functions and name not in place.handed_in:
            yield from self._from_callers(name, place.functions[-1], depth)

    def _of_faults(self, name: str, place: Place, depth: int) -> Iterator[Text]:
        """Yield the messages of the private faults that are caught under a name: `except _Fault as name`."""
        handlers = [node for f in place.functions for node in ast.walk(f)]
        for handler in handlers:
            match handler:
                case ast.ExceptHandler(type=ast.Name(id=fault), name=caught) if caught == name:
                    for node in ast.walk(self.trees[self.path]):
                        match node:
                            case ast.Call(func=ast.Name(id=made), args=[text]) if made == fault:
                                yield from self._messages(text, Place(), depth)

    def _from_callers(self, name: str, function: ast.FunctionDef, depth: int) -> Iterator[Text]:
        """Yield the messages that the calls of a function hand in for one of its arguments."""
        defaults = dict(_defaults(function))
        if name in defaults and defaults[name] is not None:
            yield from self._messages(defaults[name], Place((function,)), depth)
        for around in ast.walk(self.trees[self.path]):
            if not isinstance(around, ast.FunctionDef):
                continue
            for node in ast.walk(around):
                called = isinstance(node, ast.Call) and self._function(node, Place((around,)))
                if called is function:
                    placed = _bound(node, function, Place((around,))).get(name)
                    if placed is not None:
                        yield from self._messages(placed.expression, placed.place, depth + 1)

    def _function(self, call: ast.Call, place: Place) -> ast.FunctionDef | None:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if isinstance(call.func, ast.Name):
            name = call.func.id
        if not name or name in WORDS:
            return None
        for around in reversed(place.functions):
            for node in ast.walk(around):
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    return node
        for functions in self._homes(self.functions):
            if name in functions:
                return functions[name]
        return None

    def _homes(self, by_file: dict[Path, dict[str, object]]) -> Iterator[dict[str, object]]:
        """Yield the names of the file being read, then those of all others."""
        yield by_file[self.path]
        yield from by_file.values()


def is_identifier(node: ast.AST | None) -> bool:
    """Whether a node is an identifier, and nothing else."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_text and IDENTIFIER.fullmatch(node.value) is not None and node.value[0] in STAGES


def _templates(expression: ast.expr, place: Place) -> list[str]:
    """Return the texts that an expression can be, with the names of what it fills in."""
    expressions = [expression]
    if isinstance(expression, ast.Name):
        names = [pair for function in place.functions for pair in _assignments(function)]
        expressions = [value for name, value in names if name == expression.id]
    templates = []
    for text in expressions:
        if isinstance(text, ast.JoinedStr):
            templates.append("".join(_piece(piece) for piece in text.values))
        elif isinstance(text, ast.Constant) and text.value:
            templates.append(str(text.value))
    return templates


def _piece(piece: ast.expr) -> str:
    if isinstance(piece, ast.Constant):
        return str(piece.value)
    names = [node for node in ast.walk(piece) if isinstance(node, ast.Name | ast.Attribute)]
    first = names[0] if names else None
    if isinstance(first, ast.Attribute) and first.attr in ("zh", "en"):
        first = first.value
    name = first.attr if isinstance(first, ast.Attribute) else getattr(first, "id", "...")
    return "{" + name.removesuffix("_zh").removesuffix("_en") + "}"


def _defaults(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr | None]]:
    arguments = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    defaults = function.args.defaults
    yield from zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    keywords = [argument.arg for argument in function.args.kwonlyargs]
    yield from zip(keywords, function.args.kw_defaults, strict=True)


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    body = node.body if isinstance(node, ast.Module) else ast.walk(node)
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name, statement.value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Call() as value):
                for target in names:
                    if isinstance(target, ast.Name):
                        yield target.id, value
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for target, value in zip(names, values, strict=True):
                    if isinstance(target, ast.Name):
                        yield target.id, value


def _bound(call: ast.Call, function: ast.FunctionDef, place: Place) -> dict[str, Placed]:
    """Match the arguments of a call with the names of a function."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    if names[:1] in (["self"], ["cls"]) and isinstance(call.func, ast.Attribute):
        names = names[1:]
    bound = {name: Placed(a, place) for name, a in zip(names, call.args, strict=False)}
    for keyword in call.keywords:
        if keyword.arg is not None:
            bound[keyword.arg] = Placed(keyword.value, place)
    return bound


def page(package: Package) -> str:
    """Return the whole page."""
    entries = package.entries
    parts = [HEAD]
    for letter, stage in STAGES.items():
        of_stage = sorted(identifier for identifier in entries if identifier[0] == letter)
        if of_stage:
            parts.append(f"## {letter} · {stage}\n")
        parts += [_entry(identifier, entries[identifier]) for identifier in of_stage]
    return "\n".join(parts)


def _entry(identifier: str, entry: Entry) -> str:
    mark = " (log 日志)" if entry.of_log else ""
    lines = [f"### {identifier}{mark}\n"]
    for english, chinese in entry.sentences.items():
        lines += [f"- {_on_a_line(english)}", f"  {_on_a_line(chinese)}"]
    for english, chinese in entry.repairs.items():
        lines += [f"- *Next:* {_on_a_line(english)}", f"  *处理：*{_on_a_line(chinese)}"]
    return "\n".join(lines) + "\n"


def _on_a_line(sentence: str) -> str:
    return " ".join(sentence.split()).replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(Package()), encoding="utf-8")
