"""Commands: before a wave."""

from __future__ import annotations

from pathlib import Path

import click

from .options import ENGINE, FOLDER


@click.command()
@click.argument("frame", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="新文件夹 a new folder")
@click.option("--psu", default="community", show_default=True, help="初级单元的列 column of PSU codes")
@click.option("--size", default="adults", show_default=True, help="规模的列 column of sizes")
@click.option("--strata", default="county,residence", show_default=True, help="层的列，逗号隔开 columns of strata")
@click.option("--take", type=click.IntRange(min=1), help="每层每期的初级单元数 PSUs a stratum and wave")
@click.option("--take-from", type=FOLDER, help="各层数目的表（层的列与 take） a table of numbers by stratum (column take)")
@click.option(
    "--persons", type=click.IntRange(min=1), default=10, show_default=True, help="每个初级单元的访问数 interviews a PSU"
)
@click.option("--method", type=click.Choice(["systematic", "brewer", "sampford"]), default="systematic", show_default=True)
@click.option("--waves", type=int, default=1, show_default=True, help="一次抽取的期数 waves drawn together")
@click.option("--overlap", type=float, default=0.0, show_default=True, help="下一期保留的比例 share the next wave keeps")
@click.option("--reserve", type=int, default=0, show_default=True, help="每层的备用单元 reserves a stratum")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="随机种子，请保存 random seed: keep it")
@click.option("--simulated", is_flag=True, help="抽样框是模拟的 the frame is simulated")
def draw(
    frame: Path, out: Path, psu: str, size: str, strata: str, take: int | None, take_from: Path | None, persons: int, method: str,
    waves: int, overlap: float, reserve: int, seed: int, simulated: bool,
) -> None:  # fmt: skip
    """从抽样框 FRAME 按规模成比例抽取初级单元。 Draw PSUs with probabilities proportional to size from the table FRAME."""
    import pandas as pd

    from ..io.files import recorded
    from ..io.tables import read_table
    from ..planning.drawing import check_frame_table, draw_sample
    from ..planning.files import read_take, write_draw

    if (take is None) == (take_from is None):
        raise click.UsageError("写明 --take 或 --take-from 之一 give one of --take and --take-from")
    columns = [name.strip() for name in strata.replace("，", ",").split(",") if name.strip()]
    with recorded() as read:
        table = read_table(frame).map(str.strip)
    check_frame_table(table, psu=psu, strata=columns, size=size)
    table[size] = pd.to_numeric(table[size])
    wanted = take if take_from is None else read_take(take_from, columns)
    drawn = draw_sample(
        table, psu=psu, strata=columns, size=size, take=wanted, method=method, waves=waves,  # type: ignore[arg-type]  # click has checked them
        overlap=overlap, reserve=reserve, seed=seed,
    )  # fmt: skip
    mark = "模拟数据，不是真实抽样框 simulated frame, not a real one" if simulated else ""
    written = write_draw(drawn, out, psu=psu, size=size, persons=persons, frame=read, simulated=mark)
    first = drawn.wave(1)
    click.echo(
        "\n".join(
            filter(
                None,
                [
                    mark,
                    f"抽取 drawn: {len(first)} 个初级单元 PSUs，{len(drawn.summary)} 层 strata，{len(first) * persons} 份访问 interviews",
                ],
            )
        )
    )
    click.echo(
        f"样本 sample: {written / 'sample.csv'}\n各期与备用 waves and reserves: {written / 'panel.csv'}\n抽户与抽人 sheets: {written / 'sheets.html'}"
    )


@click.command("next-sample")
@click.argument("panel", type=FOLDER)
@click.option("--wave", type=int, required=True, help="第几期 which wave")
@click.option("--out", type=FOLDER, required=True, help="新的样本表 a new table")
def next_sample(panel: Path, wave: int, out: Path) -> None:
    """由轮换样本 panel.csv 取出以后一期的样本。 Take a later wave's sample from the panel of a draw."""
    from ..io.files import check_new_file
    from ..planning.files import next_sample as taken
    from ..planning.files import write_sample

    check_new_file(out, (".csv",), argument="--out")
    table = taken(panel, wave=wave)
    click.echo(f"样本 sample: {write_sample(table, out)}  {len(table)} 个初级单元 PSUs")


@click.command()
@click.argument("folder", type=FOLDER)
@click.option("--per-psu", type=int, default=10, show_default=True, help="每个初级单元的访问数 interviews a PSU")
@click.option("--budget", type=int, help="要分配的初级单元数，缺省为本期的 PSUs to divide; default: this wave's")
@click.option("--interval", type=float, help="区间半宽 half width of an interval")
@click.option("--difference", type=float, help="要发现的两县之差 a difference to be found")
@click.option("--change", type=float, help="要发现的变化 a change to be found")
@click.option("--reliability", type=float, help="信度 reliability, 0-1")
@click.option("--establish", type=float, help="真正末位中要确认的比例 share of the truly last ones to be established, 0-1")
@click.option("--within", multiple=True, metavar="MEASURE@LEVEL=HALF_WIDTH", help="可多次：同时满足的区间半宽 repeatable: half widths kept together, such as awareness@province=0.01")  # fmt: skip
@click.option("--power", type=float, default=0.8, show_default=True)
@click.option("--overlap", type=float, default=0.25, show_default=True, help="两期共有的初级单元比例 share of PSUs in both waves")
@ENGINE
def plan(
    folder: Path, per_psu: int, budget: int | None, interval: float | None, difference: float | None, change: float | None,
    reliability: float | None, establish: float | None, within: tuple[str, ...], power: float, overlap: float, engine: str,
) -> None:  # fmt: skip
    """由上一期 FOLDER 规划下一期的样本量与分配。 Plan size and allocation of the next wave from the wave in FOLDER.

    例如 for instance: satisfaction plan surveys/guizhou-2026q3 --interval 2 --establish 0.5
    不写要求时只比较各种分法 without a wish only ways of dividing are compared
    """
    from ..pipeline import run
    from ..planning.files import write_plan
    from ..planning.plan import Wishes, make_plan
    from ..planning.several import read_limit
    from ..survey import read_survey

    results = run(read_survey(folder), engine=engine)  # type: ignore[arg-type]  # click has checked it
    limits = tuple(read_limit(text, results) for text in within)
    wishes = Wishes(interval, difference, change, reliability, establish, power, overlap, limits=limits)
    made = make_plan(results, wishes, per_psu=per_psu, budget=budget)
    click.echo("\n".join([*made.lines, "", f"结果 results: {write_plan(results, made)}"]))
