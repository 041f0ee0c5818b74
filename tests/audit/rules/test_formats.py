"""What a gate hands to pipelines: JSON, JUnit XML, Markdown, annotations and SARIF, with hostile names in each."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from trialign.api.gates import gate as hold
from trialign.audit.rules.formats import FORMATS, MARK, gate_schema, write_gate
from trialign.audit.rules.result import GateResult, RuleResult

from .conftest import Gate

pytestmark = pytest.mark.integration

HOSTILE = "x\n::error::forged%0A,:|<!-- --><b>&\"'[a](http://evil) @everyone \x1b[2J\u202e\x00]]>`"
BASE = RuleResult(
    rule="worst",
    way=None,
    subject=None,
    outcome="passes",
    figure=0.9,
    low=0.8,
    high=1.0,
    bound=0.5,
    side="at least",
    group="north",
    facts_needed=None,
    sentence="Right answers: 90.0 %.",
    line=2,
)
RULES = (
    BASE,
    replace(BASE, rule="golden", subject=HOSTILE, outcome="fails", sentence=f"Wrong for {HOSTILE}.", line=7),
    replace(BASE, rule="flips", way="words", outcome="unknown", facts_needed=90, sentence="Not known.", line=None),
)


def found(on_unknown: Any = "fail", rules: tuple[RuleResult, ...] = RULES) -> GateResult:
    return GateResult(
        schema_version=1,
        outcome="fails",
        exit_code=3,
        alpha=0.05,
        on_unknown=on_unknown,
        audit=f"{HOSTILE}/audits/step=000004.x.test",
        against=None,
        file="rules/gate, new.yaml",
        rules=rules,
        notes=(f"Of {HOSTILE}.",),
    )


def test_json_obeys_its_schema_and_reads_back_to_the_letter() -> None:
    content = json.loads(FORMATS["json"](found()))
    schema = gate_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema)
    assert content["rules"][1]["subject"] == HOSTILE
    assert (content["outcome"], content["exit_code"], content["passed"]) == ("fails", 3, False)
    assert content["sentence"] == "The gate is not passed: 1 of 3 rules fail; 1 not known."
    for fault in ({"schema_version": 2}, {"outcome": "maybe"}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, **fault}, schema)
    del content["rules"][0]["facts_needed"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


def test_the_schema_in_the_package_is_that_of_the_types() -> None:
    shipped = files("trialign.audit.rules").joinpath("gate.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == gate_schema()


@pytest.mark.parametrize(("on_unknown", "failures", "skipped"), [("fail", 2, 0), ("warn", 1, 1), ("pass", 1, 1)])
def test_junit_has_a_case_for_each_rule(on_unknown: str, failures: int, skipped: int) -> None:
    suites = ElementTree.fromstring(FORMATS["junit"](found(on_unknown)))
    assert suites.tag == "testsuites"
    [suite] = suites.findall("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == [
        "3",
        str(failures),
        "0",
        str(skipped),
    ]
    cases = suite.findall("testcase")
    assert [case.get("classname") for case in cases] == ["trialign.gate"] * 3
    assert [case.get("name") for case in cases][::2] == ["worst", "flips (words)"]
    assert [len(case) for case in cases] == [0, 1, 1]
    broken = cases[1].find("failure")
    assert broken is not None
    assert broken.get("type") == "broken"
    message = broken.get("message") or ""
    assert message.startswith("Wrong for x\\n::error::forged")
    assert message.isprintable()
    assert cases[2][0].tag == ("failure" if on_unknown == "fail" else "skipped")
    if on_unknown == "fail":
        assert cases[2][0].get("type") == "not enough evidence"


def test_markdown_is_one_table_whatever_the_names_are() -> None:
    text = FORMATS["markdown"](found())
    lines = text.splitlines()
    assert lines[0] == MARK == "<!-- trialign gate -->"
    assert lines[1] == "### ✗ The gate is not passed: 1 of 3 rules fail; 1 not known."
    rows = [line for line in lines if line.startswith("| ")]
    assert [row.split(" ")[1] for row in rows] == ["|", "✓", "✗", "?"]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    body = text.removeprefix(MARK)
    assert "<" not in body
    assert "@everyone" not in body
    assert not re.search(r"(?<!\\)\[", body)
    assert "\x1b" not in body
    assert "\u202e" not in body


def test_annotations_are_one_command_a_rule_that_is_not_passed() -> None:
    lines = FORMATS["github"](found()).splitlines()
    assert len(lines) == 3
    place = "file=rules/gate%2C new.yaml"
    assert lines[0].startswith(
        f"::error {place},line=7,title=trialign gate%3A golden x%0A%3A%3Aerror%3A%3Aforged%250A%2C"
    )
    assert lines[0].count("::error ") == 1
    assert lines[1] == f"::error {place},title=trialign gate%3A flips (words)::Not known."
    assert lines[2] == "The gate is not passed: 1 of 3 rules fail; 1 not known."
    assert all(line.isprintable() for line in lines)
    levels = {kind: FORMATS["github"](found(kind)).splitlines()[1].split(" ")[0] for kind in ("warn", "pass")}
    assert levels == {"warn": "::warning", "pass": "::notice"}


def test_sarif_has_what_the_standard_asks_for() -> None:
    content = json.loads(FORMATS["sarif"](found("warn")))
    assert content["version"] == "2.1.0"
    assert content["$schema"].endswith("sarif-2.1.0.json")
    [run] = content["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "TriAlign"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids)) == 3
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"].isprintable()
        # 3.27.9 and 3.27.10: a result of another kind than fail has the level none.
        assert (result["level"] == "none") == (result["kind"] != "fail")
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "rules/gate%2C%20new.yaml"
    assert [(one["kind"], one["level"]) for one in run["results"]] == [
        ("pass", "none"),
        ("fail", "error"),
        ("fail", "warning"),
    ]
    open_one = json.loads(FORMATS["sarif"](found("pass")))["runs"][0]["results"][2]
    assert (open_one["kind"], open_one["level"]) == ("open", "none")
    lines = [one["locations"][0]["physicalLocation"].get("region") for one in run["results"]]
    assert lines == [{"startLine": 2}, {"startLine": 7}, None]


def test_the_command_prints_a_format_and_writes_all(audits: dict[str, Path], gate: Gate, tmp_path: Path) -> None:
    run, out = audits["worse"], tmp_path / "deep" / "out"
    result = hold(run)
    for name, form in FORMATS.items():
        told = gate(run, "--format", name, "--output", out)
        assert (told.code, told.out, told.err) == (result.exit_code, form(result), "")
    assert sorted(path.name for path in out.iterdir()) == [
        "gate.json",
        "gate.md",
        "gate.sarif",
        "gate.schema.json",
        "gate.xml",
    ]
    content = json.loads((out / "gate.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, json.loads((out / "gate.schema.json").read_text(encoding="utf-8")))
    assert "Written: " in gate(run, "--output", out).out
    assert gate(run, "--format", "pdf").code == 2
    assert gate(run, "--output", out / "gate.json").code == 2


def test_annotations_point_at_the_line_that_states_a_rule(
    audits: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gate.yaml").write_text(
        "# what we ask\ngate:\n  verdict: false\n  worst: 0.5\n  golden:\n    - fact-1\n    - fact-0\n"
        "  regression: {accuracy: 0.1}\n",
        encoding="utf-8",
    )
    result = hold(audits["worse"], audits["many"], config="gate.yaml", overrides=["flips=0.4"])
    assert result.file == "gate.yaml"
    assert {one.subject or one.rule: one.line for one in result.rules} == {
        "worst": 4,
        "flips": None,
        "regression.accuracy": 8,
        "fact-1": 6,
        "fact-0": 7,
    }
    assert hold(audits["worse"]).file.endswith("step=000004.house.test/summary.json")


def test_what_was_written_is_the_same_twice(audits: dict[str, Path], tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        write_gate(hold(audits["few"]), tmp_path / name)
        made.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert made[0] == made[1]
