"""What commands share: their help in the reader's language, `--lang`, exit codes."""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from satisfaction import __version__
from satisfaction.foundation.language import (
    LOCALE,
    Language,
    Text,
    _,
    pgettext,
    readers_language,
    use,
)

if TYPE_CHECKING:
    from satisfaction.pipeline import Results

FOLDER = click.Path(path_type=Path)
FOLDER_ARGUMENT = click.argument("folder", type=FOLDER)
READER_GONE = 1
USER_FAULT = 2
OWN_FAULT = 3
SURROUNDINGS = 4
DAMAGED_SET = 5
INTERRUPTED = 130
EXIT_CODES: Mapping[str, Text] = {
    "0": _("done"),
    "1": _("the program that read the output has ended (a pipe)"),
    "2": _("the command, a declaration or the data; the message says what to do"),
    "3": _("an internal fault"),
    "4": _("disk, permissions, a file held elsewhere: neither data nor program"),
    "5": _("a file set is damaged"),
    "10-13": _("of verify: see satisfaction verify --help"),
    "130": _("interrupted (128 + the number of the signal)"),
}


class Formatter(click.HelpFormatter):
    """Writes headings with the colon of the reader's language."""

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        titled = _("{heading}:", heading=heading).in_language(reader())
        self.write(f"{' ' * self.current_indent}{titled}\n")


class Context(click.Context):
    """What click knows of a call; its help is written by `Formatter`."""

    formatter_class = Formatter


METAVARS: Mapping[str, Text] = {
    "TEXT": pgettext("what an option takes", "TEXT"),
    "INTEGER": pgettext("what an option takes", "INTEGER"),
    "INTEGER RANGE": pgettext("what an option takes", "INTEGER"),
    "FLOAT": pgettext("what an option takes", "NUMBER"),
    "PATH": pgettext("what an option takes", "PATH"),
    "[%Y-%m-%d]": pgettext("what an option takes", "YYYY-MM-DD"),
    "MEASURE@LEVEL=HALF_WIDTH": pgettext("what an option takes", "MEASURE@LEVEL=HALF_WIDTH"),
    "[OPTIONS]": pgettext("what a command takes", "[OPTIONS]"),
    "COMMAND [ARGS]...": pgettext("what a command takes", "COMMAND [ARGS]..."),
}
"""What click calls the values of options and parts of a command, in the reader's language."""


def metavar(name: str) -> str:
    """Return what click calls a value, in the language of the moment."""
    return METAVARS[name].in_language(reader()) if name in METAVARS else name


class Option(click.Option):
    """An option whose help is read in the language of the moment."""

    def __init__(self, *args: Any, words: Text, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.words = words

    def make_metavar(self, ctx: click.Context) -> str:
        """Return what the option takes."""
        return metavar(super().make_metavar(ctx))

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help."""
        self.help = self.words.in_language(reader())
        return super().get_help_record(ctx)


class InReadersLanguage(click.Command):
    """A command or the program, whose help is read in the language of the moment."""

    context_class = Context
    words: Text
    codes: Mapping[str, Text]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return `--help`, with its own help: click keeps the words of its first use."""
        asks_for_help = super().get_help_option(ctx)
        if asks_for_help is not None:
            asks_for_help.help = _("Show this message and exit.").in_language(reader())
        return asks_for_help

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what the command takes, as the usage line has it."""
        return [metavar(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what it does."""
        self.help = self.words.in_language(reader())
        super().format_help_text(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes."""
        if self.codes:
            codes = [(code, text.in_language(reader())) for code, text in self.codes.items()]
            with formatter.section(_("Exit codes").in_language(reader())):
                formatter.write_dl(codes)


class Command(InReadersLanguage):
    """A command of the program; every one has `--lang`.

    Attributes
    ----------
    words : Text
        What it does.
    codes : mapping of str to Text
        Its own exit codes.
    """

    def __init__(
        self, *args: Any, words: Text, codes: Mapping[str, Text] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.words = words
        self.codes = codes or {}
        self.params.append(language_option())

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return what it does, whole."""
        return self.words.in_language(reader()).split("\n", 1)[0]


def command(
    words: Text, *, name: str | None = None, codes: Mapping[str, Text] | None = None
) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function."""
    return click.command(name, cls=Command, words=words, codes=codes)


def option(*names: str, words: Text, **rest: Any) -> Callable[[Any], Any]:
    """Give a command an option."""
    return click.option(*names, cls=Option, words=words, **rest)


def language_option() -> click.Option:
    """Return `--lang`."""
    return Option(
        ["--lang"],
        type=click.Choice(["zh", "en"]),
        expose_value=False,
        is_eager=True,
        callback=_choose,
        words=_("language of what is shown (default: SATISFACTION_LANG, else that of the system)"),
    )


def _tell_version(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and not ctx.resilient_parsing:
        tell(_("satisfaction, version {version}", version=__version__))
        ctx.exit()


# click's own is put into words before the language is known
VERSION = Option(
    ["--version"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_tell_version,
    words=_("Show the version and exit."),
)


def _choose(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None:
        speak(value)


_READER: list[Language] = []


def reader() -> Language:
    """Return the language of whoever reads the console."""
    return _READER[-1] if _READER else readers_language()


def speak(language: str) -> None:
    """Show everything on the console in a language from now on, the messages of click too.

    What is computed and written does not depend on it.
    """
    _READER[:] = ["zh" if language == "zh" else "en"]
    os.environ["LANGUAGE"] = reader()
    gettext.bindtextdomain("click", str(LOCALE))
    gettext.textdomain("click")


def tell(text: object = "", *, to_stderr: bool = False) -> None:
    """Print words, in the reader's language."""
    with use(reader()):
        click.echo(str(text), err=to_stderr)


def names_in(text: str) -> list[str]:
    """Return names that stand with commas between, Chinese ones too."""
    return [name.strip() for name in text.replace("，", ",").split(",") if name.strip()]


def misused(text: Text) -> click.UsageError:
    """Return the fault of a command that was not written as it should."""
    return click.UsageError(text.in_language(reader()))


def language_asked(arguments: Sequence[str]) -> str:
    """Return what the command line says of the language; read first, since messages come before options."""
    for position, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
        if argument == "--lang" and position + 1 < len(arguments):
            return arguments[position + 1]
    return ""


ENGINE = option(
    "--engine",
    type=click.Choice(["auto", "duckdb", "pandas", "polars", "pyspark"]),
    default="auto",
    show_default=True,
    words=_("what counts the answers; the figures are the same"),
)


def run_folder(folder: Path, engine: str) -> Results:
    """Run the survey in a folder."""
    from satisfaction.declarations.survey import read_survey
    from satisfaction.pipeline import run

    return run(read_survey(folder), engine=engine)  # type: ignore[arg-type]  # click has checked it
