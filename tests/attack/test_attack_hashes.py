"""The hashes of a file set are those of the bytes its figures were computed from; a file changed meanwhile is said."""

from __future__ import annotations

import hashlib
import importlib
import json

import pytest

from satisfaction import export, load_responses, run
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.files import read_bytes, recorded
from satisfaction.publication.manifest import manifest
from satisfaction.publication.verify import verify


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "name", ["responses/all.csv", "county_sex.csv", "survey.yaml", "rules.yaml"]
)
def test_a_file_changed_before_the_end_refuses_the_set(small, tmp_path, name):
    results = run(small.read())
    with (small.folder / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(InputFileError, match=rf"F420[\s\S]*{name.split('/')[-1]}"):
        export(results, tmp_path / "set")
    assert list(tmp_path.glob("set*")) == list(tmp_path.glob(".*")) == []


def test_the_manifest_has_every_input_with_the_hash_of_its_bytes(small):
    head = "file,sheet,row,id,column,old,new,by,date,reason"
    (small.folder / "corrections.csv").write_text(
        f"{head}\nresponses/all.csv,,2,P000,sex,1,2,a,2026-04-20,\n"
    )
    survey = small.read()
    made = manifest(run(survey))
    names = {
        "survey.yaml",
        "rules.yaml",
        "areas.csv",
        "frame.csv",
        "sample.csv",
        "county_sex.csv",
        "county_age.csv",
    }
    names |= {"corrections.csv", "responses/all.csv", "../../questionnaires/small/1.yaml"}
    assert made["inputs"] == {name: digest(small.folder / name) for name in names}
    assert [one["sha256"] for one in made["responses"]] == [digest(small.csv)[:12]]


def test_a_file_exchanged_while_it_is_read_is_said(small, monkeypatch):
    from satisfaction.collection import deliveries

    def slow(path, **options):
        found = reading(path, **options)
        path.write_bytes(path.read_bytes().replace(b"P000", b"P999"))
        return found

    reading = deliveries.read_exports
    monkeypatch.setattr(deliveries, "read_exports", slow)
    with pytest.raises(InputFileError, match=r"F420[\s\S]*all\.csv"):
        load_responses(small.read())


def test_a_file_read_twice_with_different_bytes_is_said(tmp_path):
    path = tmp_path / "areas.csv"
    path.write_bytes(b"one")
    with recorded() as read:
        read_bytes(path)
        path.write_bytes(b"two")
        with pytest.raises(InputFileError, match="F420"):
            read_bytes(path)
    assert list(read) == [str(path)]


def test_the_command_says_it_and_leaves_nothing(small, call, monkeypatch):
    from satisfaction.publication import file_set as folder

    def late(*arguments, **options):
        small.csv.write_bytes(small.csv.read_bytes() + b"\n")
        return writing(*arguments, **options)

    writing = folder._write_indices
    monkeypatch.setattr(folder, "_write_indices", late)
    code, _, err = call("run", small.folder)
    assert (code, "all.csv was changed during the run; nothing was written." in err) == (2, True)
    assert list((small.folder / "out").iterdir()) == []


def test_verify_accuses_nobody_when_an_input_moves_under_its_feet(small, call, monkeypatch):
    module = importlib.import_module("satisfaction.publication.verify")
    assert call("run", small.folder)[0] == 0
    latest = small.folder / "out" / "latest"
    assert verify(latest).code == 0

    def late(survey):
        found = running(survey)
        small.csv.write_bytes(small.csv.read_bytes() + b"\n")
        return found

    running = module.run
    monkeypatch.setattr(module, "run", late)
    code, out, err = call("verify", latest)
    assert (code, "[F420]" in err, "by hand" in out + err) == (2, True, False)


def test_the_hash_of_a_frame_is_that_of_the_table_drawn_from(tmp_path, call, monkeypatch):
    from satisfaction.planning import planning_files as files

    frame = tmp_path / "frame.csv"
    frame.write_text(
        "community,county,residence,adults\n" + "".join(f"C{i},1,1,100\n" for i in range(6))
    )
    before = digest(frame)
    asked = ("draw", frame, "--take", 2, "--seed", 1, "--out")
    assert call(*asked, tmp_path / "one")[0] == 0
    assert json.loads((tmp_path / "one" / "draw.json").read_text())["frame_sha256"] == before
    writing = files.write_csv
    monkeypatch.setattr(
        files, "write_csv", lambda table, path: [frame.write_text("x"), writing(table, path)]
    )
    code, _, err = call(*asked, tmp_path / "two")
    assert (code, "[F420]" in err, (tmp_path / "two").exists()) == (2, True, False)
