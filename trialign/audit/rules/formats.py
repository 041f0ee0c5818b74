"""A gate's outcome for machines and pipelines: JSON, JUnit XML, Markdown, GitHub annotations, SARIF 2.1.0.

Names of runs, groups and questions come from others: each format escapes them by its own rules, and shows what would
not be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from xml.etree import ElementTree

from trialign import __version__
from trialign.audit.rules.result import GATE_SCHEMA_VERSION, GateResult, RuleResult
from trialign.audit.rules.words import SIGNS, WORDS
from trialign.safe_output import json_text, markdown_cell, visible
from trialign.storage import write_text_atomic

Format = Literal["json", "junit", "markdown", "github", "sarif"]
SCHEMA = "gate.schema.json"
MARK = "<!-- trialign gate -->"  # by which a later comment finds the one that it replaces
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
Level = Literal["error", "warning", "notice"]


def as_json(result: GateResult) -> str:
    """All of it, as ``gate.schema.json`` describes it."""
    return json_text({**asdict(result), "sentence": result.sentence, "passed": result.passed}, indent=1) + "\n"


def gate_schema() -> dict[str, Any]:
    """The JSON schema of `as_json`: every key is required, and no other allowed."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(GateResult).json_schema(mode="serialization")
    schema["properties"] |= {"sentence": {"type": "string"}, "passed": {"type": "boolean"}}
    schema["properties"]["schema_version"] = {"const": GATE_SCHEMA_VERSION}
    for part in (schema, *schema["$defs"].values()):
        part["required"], part["additionalProperties"] = sorted(part["properties"]), False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def as_junit(result: GateResult) -> str:
    """JUnit XML, a test case a rule: failed where it stops the pipeline, skipped where it is not known and does not."""
    cases = [_case(one, result) for one in result.rules]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
    }
    suites = ElementTree.Element("testsuites", {"name": "trialign gate", **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": visible(result.audit, keep=""), **counts})
    suite.extend(cases)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(one: RuleResult, result: GateResult) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"classname": "trialign.gate", "name": visible(one.name, keep="")})
    if one.outcome != "passes":
        stops = one.outcome == "fails" or result.on_unknown == "fail"
        kind = {"type": "broken" if one.outcome == "fails" else "not enough evidence"} if stops else {}
        words = {"message": visible(one.sentence, keep=""), **kind}
        ElementTree.SubElement(case, "failure" if stops else "skipped", words)
    return case


def as_markdown(result: GateResult) -> str:
    """A comment on a pull request: the outcome and a row a rule."""
    against = f", against {_comment(result.against)}" if result.against else ""
    lines = [
        MARK,
        f"### {SIGNS[result.outcome]} {_comment(result.sentence)}",
        "",
        f"Audit {_comment(result.audit)}{against}; alpha {result.alpha:g}.",
        "",
        "| | rule | | what was seen |",
        "|---|---|---|---|",
        *(
            f"| {SIGNS[one.outcome]} | {_comment(one.name)} | {WORDS[one.outcome]} | {_comment(one.sentence)} |"
            for one in result.rules
        ),
    ]
    lines += ["", *(f"- {_comment(note)}" for note in result.notes)] if result.notes else []
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """A cell that calls nobody: the name behind an at sign is no mention."""
    return markdown_cell(text).replace("@", "@&#8203;")


def as_github(result: GateResult) -> str:
    """Workflow commands, which GitHub shows beside the file: an annotation for each rule that is not passed."""
    lines = [
        f"::{level} {_place(one, result)}title={_property(f'trialign gate: {one.name}')}::{_message(one.sentence)}"
        for one in result.rules
        if (level := _level(one, result)) is not None
    ]
    return "\n".join([*lines, _line(result.sentence)]) + "\n"


def _level(one: RuleResult, result: GateResult) -> Level | None:
    if one.outcome == "passes":
        return None
    if one.outcome == "fails":
        return "error"
    levels: Mapping[str, Level] = {"fail": "error", "warn": "warning", "pass": "notice"}
    return levels[result.on_unknown]


def _place(one: RuleResult, result: GateResult) -> str:
    line = f"line={one.line}," if one.line is not None else ""
    return f"file={_property(result.file)},{line}"


def _message(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _line(text: str) -> str:
    """A line of the log that is no command."""
    return visible(text, keep="").replace("::", ": :")


def as_sarif(result: GateResult) -> str:
    """SARIF 2.1.0: a result for each rule, at the place where the rule is stated."""
    keys = list(dict.fromkeys(one.rule for one in result.rules))
    run = {
        "tool": {
            "driver": {
                "name": "TriAlign",
                "version": __version__,
                "rules": [{"id": key, "shortDescription": {"text": f"The gate's rule {key}"}} for key in keys],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(one, keys.index(one.rule), result) for one in result.rules],
    }
    return json_text({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _sarif_result(one: RuleResult, index: int, result: GateResult) -> dict[str, Any]:
    level = _level(one, result)
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(result.file)}}
    if one.line is not None:
        place["region"] = {"startLine": one.line}
    # By the standard, what is no failure has the level none; open: too little is known to decide.
    shown = level in ("error", "warning")
    return {
        "ruleId": one.rule,
        "ruleIndex": index,
        "kind": "fail" if shown else "pass" if level is None else "open",
        "level": level if shown else "none",
        "message": {"text": visible(f"{one.name}: {one.sentence}", keep="")},
        "locations": [{"physicalLocation": place}],
    }


FORMATS: Mapping[Format, Callable[[GateResult], str]] = {
    "json": as_json,
    "junit": as_junit,
    "markdown": as_markdown,
    "github": as_github,
    "sarif": as_sarif,
}
_FILES: Mapping[Format, str] = {
    "json": "gate.json",
    "junit": "gate.xml",
    "markdown": "gate.md",
    "sarif": "gate.sarif",
}


def write_gate(result: GateResult, folder: Path) -> list[Path]:
    """Writes ``gate.json`` with its schema, ``gate.xml`` (JUnit), ``gate.md`` and ``gate.sarif``.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: FORMATS[kind](result) for kind, name in _FILES.items()} | {
        SCHEMA: json_text(gate_schema(), indent=1) + "\n"
    }
    for name, text in texts.items():
        write_text_atomic(folder / name, text)
    return [folder / name for name in texts]
