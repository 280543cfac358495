"""Questionnaires: each refusal names file, line and the way out; what is read is frozen; the shipped ones are whole."""

from __future__ import annotations

import json

import jsonschema
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from conftest import ROOT
from satisfaction import SatisfactionError, read_questionnaire
from satisfaction.declarations.questionnaire import json_schema
from satisfaction.foundation.errors import InputFileError, QuestionnaireError
from satisfaction.foundation.language import Text, use

SHIPPED = sorted((ROOT / "questionnaires").glob("*/*.yaml"))


def refusal(small, old: str, new: str) -> SatisfactionError:
    """Edit the questionnaire, read it, and return the error."""
    small.edit(small.questionnaire, old, new)
    with pytest.raises(SatisfactionError) as refused:
        read_questionnaire(small.questionnaire)
    return refused.value


def line_of(path, text: str) -> int:
    return next(
        number
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if text in line
    )


CHANGES = "changes: [首版 first version]\n"  # a declaration of comparable versions follows it
# code, what is replaced, by what, a text of the line the message must point to
REFUSALS = [
    ("Y101", "rates:\n", "rates: [\n", None),
    ("Y102", "  parks: {type", "  streets: {type: text, zh: a, en: a}\n  parks: {type", "streets: {type: text"),
    ("Y201", "ranked: topic_index", "ranked: topic_index\nrankt: x", "rankt: x"),
    ("Y201", "required: true, unique: true}", "required: true, uniqe: true}", "uniqe"),
    ("Y202", "ranked: topic_index\n", "", None),
    ("Y203", "score: 25,", "score: 101,", "score: 101"),
    ("Y203", "interviewer: {type: text,", "interviewer: {type: txt,", "type: txt"),
    ("Y203", "reason: not_applicable,", "reason: unknown,", "reason: unknown"),
    ("Y203", 'version: "1"', "version: 1", "version: 1"),
    ("Q101", "      97: {zh: 不适用", "      5: {zh: 不适用", "special:"),
    ("Q111", "sex: {type: single, scale: sex,", "sex: {type: single,", "sex: {type: single,"),
    ("Q112", "4: {zh: 享乐, en: Enjoyment, correct: false}", "4: {zh: 享乐, en: Enjoyment}", "options:"),
    ("Q113", "credit: at_least, least: 2,", "credit: at_least,", "knowledge:"),
    ("Q121", "parks: 0.3, safety: 0.2", "parks: 0.3, safety: 0.3", "weights: {streets"),
    ("Q121", "parks: 0.3, safety: 0.2", "parks: 0.8, safety: -0.3", "weights: {streets"),
    ("Q122", "min_valid_items: 2", "min_valid_items: 4", "min_valid_items: 4"),
    ("Q131", "scale: residence, zh", "scale: residense, zh", "scale: residense"),
    ("Q131", "topics: [streets, parks,", "topics: [streets, park,", "topics:"),
    ("Q131", "items: [overall]", "items: [overal]", "overal]"),
    ("Q380", "items: [heard, values], min_valid_items: 1", "items: [took_part_in]", "took_part_in]"),
    ("Q131", "weights: {streets: 0.5", "weights: {street: 0.5", "weights: {street:"),
    ("Q131", "ranked: topic_index", "ranked: topics_index", "ranked:"),
    ("Q131", "eligibility: {lived_here", "eligibility: {livd_here", "eligibility:"),
    ("Q131", "  psu: community", "  psu: comunity", "roles:"),
    ("Q131", "asked_if: {took_part: [1]}", "asked_if: {took_prt: [1]}", "asked_if:"),
    ("Q132", "items: [overall]", "items: [sex]", "satisfaction: {zh"),
    ("Q133", "topics: [streets,", "topics: [heard, streets,", "topics:"),
    ("Q134", "items: [overall]", "items: [overall], counts: [6]", "counts: [6]"),
    ("Q135", "  participation: {zh", "  parks: {zh", "  parks: {zh: 参与率"),
    ("Q151", CHANGES, f"{CHANGES}comparable_with: [small-0]\n", "comparable_with:"),
    ("Q151", CHANGES, f"{CHANGES}comparable_with:\n  - bridge_items: [streets]\n    version: small@\n", "version: small@"),
    ("Q131", CHANGES, f"{CHANGES}comparable_with:\n  - version: small@0\n    bridge_items: [street]\n", "bridge_items: [street]"),
    ("Q152", CHANGES, f"{CHANGES}comparable_with:\n  - small@1\n", "- small@1"),
    ("Q152", CHANGES, f"{CHANGES}comparable_with:\n  - small@0\n  - {{version: small@0, source: a study}}\n", "source: a study"),
    ("Y201", CHANGES, f"{CHANGES}comparable_with:\n  - version: small@0\n    bridge: [streets]\n", "bridge: [streets]"),
    ("Y203", CHANGES, f"{CHANGES}comparable_with:\n  - version: small@0\n    bridge_items: []\n", "bridge_items: []"),
    ("Y203", CHANGES, f"{CHANGES}comparable_with:\n  - 5\n", "- 5"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "old", "new", "line"),
    REFUSALS,
    ids=[f"{code}-{i}" for i, (code, *_) in enumerate(REFUSALS)],
)
def test_refused_with_code_line_and_both_languages(small, code, old, new, line):
    refused = refusal(small, old, new)
    assert isinstance(refused, QuestionnaireError)
    assert refused.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.zh)
    assert refused.en.isascii()
    if line:
        number = (
            line_of(small.questionnaire, line)
            if code != "Q101"
            else _special_of_satisfied(small.questionnaire)
        )
        assert refused.where == f"{small.questionnaire}:{number}"
    assert refused.where.startswith(str(small.questionnaire))
    assert str(refused).startswith(f"[{code}] {refused.where}")


def _special_of_satisfied(path) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    start = lines.index("  satisfied5:")
    return next(i for i in range(start, len(lines)) if lines[i] == "    special:") + 1


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("required: true, unique: true}", "required: true, uniqe: true}", "unique"),
        ("scale: residence, zh", "scale: residense, zh", "residence"),
        ("weights: {streets: 0.5", "weights: {street: 0.5", "streets"),
        ("ranked: topic_index", "ranked: topics_index", "topic_index"),
        (
            CHANGES,
            f"{CHANGES}comparable_with: [{{version: small@0, bridge_items: [street]}}]\n",
            "streets",
        ),
    ],
)
def test_a_near_miss_is_proposed(small, old, new, meant):
    assert f"Did you mean '{meant}'?" in str(refusal(small, old, new))


def test_several_faults_are_counted(small):
    small.edit(small.questionnaire, "score: 25,", "score: 101,")
    refused = refusal(small, "score: 75,", "score: -1,")
    assert refused.code == "Y203"
    assert "1 more" in refused.hint[1]
    assert f":{line_of(small.questionnaire, 'score: 101')}" in refused.hint[1]


def test_a_file_that_is_not_there_is_refused_with_its_neighbours(small):
    with pytest.raises(InputFileError, match=r"F101[\s\S]*1\.yaml"):
        read_questionnaire(small.questionnaire.with_name("2.yaml"))


@pytest.mark.parametrize("content", ["", "# nothing\n", "- a\n- b\n", "text"])
def test_a_file_that_is_no_mapping_is_refused(small, content):
    small.questionnaire.write_text(content, encoding="utf-8")
    with pytest.raises(QuestionnaireError, match="Y103"):
        read_questionnaire(small.questionnaire)


def test_a_file_in_another_encoding_is_not_read_with_damaged_labels(small):
    text = small.questionnaire.read_text(encoding="utf-8")
    small.questionnaire.write_text(text, encoding="gb18030")
    try:
        found = read_questionnaire(small.questionnaire)
    except SatisfactionError:
        return
    assert found.title.zh == "测试问卷"


def test_a_damaged_byte_is_refused_not_read_as_another_encoding(small):
    content = small.questionnaire.read_bytes()
    small.questionnaire.write_bytes(
        content.replace("测试问卷".encode(), "测试问卷".encode()[:-1], 1)
    )
    with pytest.raises(SatisfactionError):
        read_questionnaire(small.questionnaire)


def test_a_control_character_is_refused(small):
    assert refusal(small, "en: Test questionnaire", "en: Test \x07questionnaire")


def test_an_option_column_never_takes_the_name_of_an_item(small):
    assert refusal(
        small,
        "  streets: {type: single",
        "  values_1: {type: text, zh: 甲, en: A}\n  streets: {type: single",
    )


def test_two_special_codes_of_one_reason_agree_on_the_denominator(small):
    refusal(
        small,
        "      97: {zh: 不适用, en: Not applicable, reason: not_applicable, denominator: out}",
        "      97: {zh: 不适用, en: Not applicable, reason: refused, denominator: in}",
    )


@pytest.mark.parametrize("area", ["day", "interviewer", "age", "values"])
def test_the_area_role_is_an_area_or_a_single_item(small, area):
    refusal(small, "  area: county", f"  area: {area}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("asked_if: {took_part: [1]}", "asked_if: {took_part: [7]}"),
        ("eligibility: {lived_here: [1]}", "eligibility: {lived_here: [7]}"),
    ],
)
def test_codes_that_are_no_answers_are_refused_in_conditions(small, old, new):
    refusal(small, old, new)


def test_a_rate_cannot_ask_for_more_valid_items_than_it_has(small):
    refusal(small, "items: [took_part]}", "items: [took_part], min_valid_items: 2}")


def test_counts_for_a_knowledge_item_are_refused(small):
    refusal(small, "items: [overall]", "items: [values], counts: [1]")


@pytest.mark.parametrize("name", ["_row", "_file", "base_weight"])
def test_names_the_package_uses_itself_are_refused_for_items(small, name):
    refusal(
        small,
        "  streets: {type: single",
        f"  {name}: {{type: text, zh: 甲, en: A}}\n  streets: {{type: single",
    )


# ---- what is read ----


def test_an_item_takes_answers_and_special_codes_from_its_scale(unchanged):
    q = unchanged.questionnaire
    assert list(q.answers("streets")) == [5, 4, 3, 2, 1]
    assert list(q.special("streets")) == [97, 98, 99]
    assert list(q.answers("age_group")) == [1, 2]
    assert q.special("age_group") == {}
    assert q.special("id") == {}
    assert q.reference == "small@1"


def test_the_denominator_of_a_rate(unchanged):
    q = unchanged.questionnaire
    assert q.denominator("heard", q.rates["awareness"]) == {
        "no_answer": "out",
        "skipped": "out",
        "dont_know": "in",
        "refused": "out",
    }


def test_comparable_versions_in_short_and_in_full(small):
    full = "{version: other@3, bridge_items: [streets, overall], note: {zh: 衔接, en: bridge}, source: a study}"
    path = small.edit(
        small.questionnaire, CHANGES, f"{CHANGES}comparable_with: [small@0, {full}]\n"
    )
    short, long = read_questionnaire(path).comparable_with
    assert (short.version, short.bridge_items, str(short)) == ("small@0", None, "small@0")
    assert (long.version, long.bridge_items) == ("other@3", ["streets", "overall"])
    assert str(long) == "other@3; 衔接 bridge; a study"
    jsonschema.validate(_plain(path), json_schema())


def test_no_version_is_comparable_unless_declared(unchanged):
    assert unchanged.questionnaire.comparable_with == []


def test_the_items_a_measure_rests_on(unchanged):
    q = unchanged.questionnaire
    assert q.rests_on("streets") == {"streets"}
    assert q.rests_on("awareness") == {"heard", "values"}
    assert q.rests_on("composite") == {"heard", "values", "overall", "streets", "parks", "safety"}


def test_weights_as_whole_numbers_in_proportion(unchanged):
    assert unchanged.questionnaire.indices["topic_index"].whole_weights() == {
        "streets": 5,
        "parks": 3,
        "safety": 2,
    }


def test_nothing_read_can_be_changed(unchanged):
    q = unchanged.questionnaire
    for record, field in (
        (q, "ranked"),
        (q.items["id"], "unique"),
        (q.scales["sex"], "special"),
        (q.rates["awareness"], "items"),
        (q.roles, "area"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(record, field, None)


# ---- JSON Schema ----


def _plain(path):
    """YAML as editors hand it to a schema: keys are text, dates are text."""

    def text_keys(node):
        if isinstance(node, dict):
            return {str(key): text_keys(value) for key, value in node.items()}
        return [text_keys(value) for value in node] if isinstance(node, list) else node

    return text_keys(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "path",
    [*SHIPPED, ROOT / "tests/small/questionnaires/small/1.yaml"],
    ids=lambda p: f"{p.parent.name}@{p.stem}",
)
def test_the_json_schema_accepts_questionnaires_that_are_read(path):
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(_plain(path), json_schema())
    read_questionnaire(path)


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ((), "rankt", 1),
        (("items", "id"), "uniqe", True),
        (("items", "id"), "type", "txt"),
        (("roles",), "area", 5),
    ],
)
def test_the_json_schema_refuses_what_the_reader_refuses(where, key, value):
    data = _plain(ROOT / "tests/small/questionnaires/small/1.yaml")
    node = data
    for part in where:
        node = node[part]
    node[key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json_schema())


# ---- the shipped ones ----


def test_three_questionnaires_are_shipped():
    names = [f"{path.parent.name}@{path.stem}" for path in SHIPPED]
    assert names == [
        "civilised-city@2026-1",
        "phone-satisfaction@2026-1",
        "san-diego-resident@2015",
    ]


def test_the_telephone_questionnaire_keeps_the_wording_of_the_long_one():
    long, short = (read_questionnaire(path) for path in SHIPPED[:2])
    own = {"mode", "household_adults", "phone_lines"}
    assert set(short.items) - set(long.items) == own
    for name in set(short.items) - own:
        assert (short.items[name].zh, short.items[name].en) == (
            long.items[name].zh,
            long.items[name].en,
        )
    for name in set(short.scales) - {"mode"}:
        assert short.scales[name] == long.scales[name]
    assert list(short.rates) == ["awareness", "participation", "support_rate", "satisfaction"]
    assert (short.roles.psu, short.roles.strata, short.ranked) == (
        None,
        ["county"],
        "satisfaction_index",
    )


def test_the_civilised_city_questionnaire_is_whole():
    q = read_questionnaire(SHIPPED[0])
    assert q.reference == "civilised-city@2026-1"
    assert list(q.rates) == ["awareness", "participation", "support_rate", "satisfaction"]
    assert len(q.topics) == 10
    assert q.indices["satisfaction_index"].min_valid_items == 6
    assert q.indices["composite"].level == "area"
    assert sum(option.correct for option in q.items["core_values"].options.values()) == 5
    assert [special.reason for special in q.special("overall").values()] == [
        "not_applicable",
        "dont_know",
        "refused",
    ]


def test_the_san_diego_questionnaire_declares_both_denominators():
    q = read_questionnaire(SHIPPED[2])
    assert q.denominator("Q3_5", q.rates["fire_rescue"])["dont_know"] == "out"
    assert q.denominator("Q3_5", q.rates["fire_rescue_with_dont_know"])["dont_know"] == "in"
    assert (q.roles.psu, q.roles.strata) == (None, [])


def test_one_language_suffices_for_a_label(small):
    path = small.edit(
        small.questionnaire,
        "title: {zh: 测试问卷, en: Test questionnaire}",
        "title: {en: Test questionnaire}",
    )
    small.edit(path, "universe: {zh: 居民, en: Residents}", "universe: {zh: 居民}")
    small.edit(
        path,
        "satisfaction: {zh: 满意率, en: Satisfaction rate,",
        "satisfaction: {en: Satisfaction rate,",
    )
    found = read_questionnaire(path)
    assert (found.title.zh, str(found.title)) == ("Test questionnaire", "Test questionnaire")
    assert found.universe.en == "居民"
    assert found.rates["satisfaction"].zh == "Satisfaction rate"


def test_declared_words_are_a_text_and_are_written_as_they_were_declared(small):
    found = read_questionnaire(small.questionnaire)
    title = found.title
    assert isinstance(title, Text)
    for language, words in (("zh", "测试问卷"), ("en", "Test questionnaire")):
        with use(language):
            assert str(title) == words
    declared = found.model_dump(exclude_defaults=True)
    assert declared["title"] == {"zh": "测试问卷", "en": "Test questionnaire"}
    assert type(found).model_validate(declared) == found
    written = json.loads(found.model_dump_json())
    assert written["universe"] == {"zh": "居民", "en": "Residents"}
    assert found.rates["satisfaction"].text == Text("满意率", "Satisfaction rate")


@pytest.mark.parametrize(
    ("title", "code", "available"),
    [
        ("{zh: 测试问卷, eng: Test}", "Y201", ("zh", "en")),
        ("{}", "Y202", ()),
        ("Test", "Y203", ()),
        ("{zh: 1, en: Test}", "Y203", ()),
    ],
)
def test_words_that_are_none_are_refused_where_they_stand(small, title, code, available):
    refused = refusal(small, "title: {zh: 测试问卷, en: Test questionnaire}", f"title: {title}")
    assert refused.code == code
    assert refused.where.endswith(f":{line_of(small.questionnaire, 'title:')}")
    assert tuple(refused.available) == available


def test_the_schema_asks_of_declared_words_what_it_asks_of_a_label():
    schema = json_schema()
    for key in ("title", "universe"):
        assert schema["properties"][key] == {"$ref": "#/$defs/Label"}
    assert set(schema["$defs"]["Label"]["properties"]) == {"zh", "en"}


def test_a_label_without_any_language_is_refused(small):
    path = small.edit(
        small.questionnaire, "title: {zh: 测试问卷, en: Test questionnaire}", "title: {}"
    )
    with pytest.raises(QuestionnaireError, match="Y202"):
        read_questionnaire(path)
