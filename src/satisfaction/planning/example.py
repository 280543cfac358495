"""An example project: a questionnaire, one simulated wave of three prefectures, tables of Guizhou, the notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from satisfaction.declarations.facts import areas_within
from satisfaction.foundation.files import copy_file, new_folder
from satisfaction.foundation.language import Language, Text, _
from satisfaction.foundation.shipped import (
    FACTS,
    shipped,
    shipped_questionnaires,
    write_notebooks,
)
from satisfaction.foundation.tables import read_table, write_csv, write_text
from satisfaction.planning.rehearsal import simulate_survey, simulated_communities

DECLARATIONS = Path(__file__).parent / "example_files"
SURVEY = "demo-2026q3"
QUESTIONNAIRE = "civilised-city@2026-1"
PROVINCE = "520000"
PREFECTURES = ("520100", "520200", "520400")  # Guiyang, Liupanshui, Anshun: 20 counties
TABLES_BY_COUNTY = ("frame.csv", "margin_county_sex.csv", "margin_county_age.csv")


@dataclass(frozen=True, slots=True)
class ExampleProject:
    """What an example project holds.

    Attributes
    ----------
    folder, survey, areas, communities : Path
        The project, its wave, the table of areas of the whole province, a frame of communities to draw from.
    """

    folder: Path
    survey: Path
    areas: Path
    communities: Path


def write_example(folder: str | Path, *, language: Language = "zh") -> ExampleProject:
    """Write an example project; nothing is left behind where that fails.

    The wave is simulated with the seed in its survey.yaml: two projects are the same byte for byte.

    Parameters
    ----------
    folder : str or Path
        It must not be there yet.
    language : {"zh", "en"}
        Of README.md and of the notebooks' prose.

    Raises
    ------
    ExportError
        X101 the folder is there.
    """
    project = _places(Path(folder))
    with new_folder(project.folder) as scratch:
        unfinished = _places(scratch)
        _write_questionnaire(scratch)
        _write_declarations(unfinished.survey)
        simulate_survey(unfinished.survey)
        unfinished.areas.parent.mkdir()
        copy_file(shipped(FACTS) / "areas.csv", unfinished.areas)
        write_csv(_communities(unfinished.survey), unfinished.communities)
        write_notebooks(scratch, survey=SURVEY)
        write_text(_readme().in_language(language), scratch / "README.md")
    return project


def _places(folder: Path) -> ExampleProject:
    tables = folder / "tables"
    survey = folder / "surveys" / SURVEY
    return ExampleProject(folder, survey, tables / "areas.csv", tables / "communities.csv")


def _write_questionnaire(folder: Path) -> None:
    source = shipped_questionnaires()[QUESTIONNAIRE]
    target = folder / "questionnaires" / source.parent.name / source.name
    target.parent.mkdir(parents=True)
    copy_file(source, target)


def _write_declarations(survey: Path) -> None:
    """Write survey.yaml, rules.yaml and the tables of facts, for the counties of `PREFECTURES` alone."""
    survey.mkdir(parents=True)
    for name in ("survey.yaml", "rules.yaml"):
        copy_file(DECLARATIONS / name, survey / name)
    facts = shipped(FACTS)
    areas = read_table(facts / "areas.csv")
    inside = areas["parent"].isin(PREFECTURES)
    above = areas["code"].isin([PROVINCE, *PREFECTURES])
    parents = dict(zip(areas["code"], areas["parent"], strict=True))
    of_today = areas[(areas["level"] == "county") & (areas["valid_to"] == "")]
    in_all = areas_within(of_today["code"], parents)
    areas["units_in_all"] = [str(in_all.get(code, "")) for code in areas["code"]]
    write_csv(areas[above | inside], survey / "areas.csv")
    counties = areas.loc[inside, "code"]
    for name in TABLES_BY_COUNTY:
        table = read_table(facts / name)
        write_csv(table[table["county"].isin(counties)], survey / name)


def _communities(survey: Path) -> pd.DataFrame:
    """Return all simulated communities of the wave's counties: a frame to draw from."""
    frame = read_table(survey / "frame.csv")
    return simulated_communities(frame, ["county", "residence"], "community")


def _readme() -> Text:
    """Return the text of README.md."""
    return _(
        "# An example project of satisfaction\n\n"
        "Areas and population are real; communities, respondents and answers are simulated.\n\n"
        "- `surveys/{survey}/`: one wave, 20 counties in three prefectures, 5,000 interviews; "
        "truth.csv holds the true values\n"
        "- `questionnaires/`: the questionnaire of the wave\n"
        "- `tables/areas.csv`: all areas of Guizhou, for waves of your own\n"
        "- `tables/communities.csv`: a simulated frame of communities, to draw samples from\n"
        "- `notebooks/`: the steps one by one (they need `satisfaction[lab]`)\n\n"
        "In this folder:\n\n"
        "```\n"
        "satisfaction check surveys/{survey}\n"
        "satisfaction run surveys/{survey}\n"
        "satisfaction report surveys/{survey}\n"
        "satisfaction new surveys/mine-2026q4 --questionnaire {questionnaire} --areas tables/areas.csv\n"
        "satisfaction draw tables/communities.csv --take 3 --seed 1 --simulated --out sample\n"
        "satisfaction lab\n"
        "```\n",
        survey=SURVEY,
        questionnaire=QUESTIONNAIRE,
    )
