"""What several commands share."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path)
ENGINE = click.option(
    "--engine",
    type=click.Choice(["duckdb", "pandas", "polars", "pyspark"]),
    default="duckdb",
    show_default=True,
)
READER_GONE, USER_FAULT, OWN_FAULT, SURROUNDINGS, DAMAGED_SET, INTERRUPTED = 1, 2, 3, 4, 5, 130
EXIT_CODES = """\b
退出码 exit codes:
0       完成 done
1       接收输出的程序已退出（管道） the program that read the output has ended (a pipe)
2       命令、声明或数据有误，见提示 the command, a declaration or the data; the message says what to do
3       程序内部错误 an internal fault
4       磁盘、权限、文件被占用等，与数据和程序无关 disk, permissions, a file held elsewhere: neither data nor program
5       一套结果文件已损坏 a file set is damaged
10-13   verify: 见 satisfaction verify --help
130     已中断 interrupted (128 + 信号 signal)
"""
