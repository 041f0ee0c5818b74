"""One report in four forms: the same numbers, the same bytes, and nothing that runs."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from huggingface_hub import ModelCard

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.ranking import DIFFERENT, TOGETHER, UNEQUAL
from trialign.audit.report import Finding, SignOff, build_report, write_report
from trialign.audit.report.columns import Table
from trialign.audit.report.tables import report_tables
from trialign.audit.report.types import Report
from trialign.audit.report.write import report_schema
from trialign.errors import UserError
from trialign.safe_output import visible

from .conftest import LIKING

pytestmark = pytest.mark.integration

WriteAudit = Callable[..., Path]
FINDING = Finding("1", "ana", "2026-05-05T10:00:00Z", "fact-2", "South is told otherwise.", "open", "ab" * 32)
SIGN_OFF = SignOff("Ana Auditor", "auditor", "2026-05-06T10:00:00Z", "approved with findings", "See 1.")
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><b onclick=x>",
    '=HYPERLINK("http://evil","x")',
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x07\x00",
    "\u202egnp.exe\u2066\u200f",
    "a | b\n\n# Title\n[x](javascript:alert(1))",
    "---\nlicense: evil\n---",
    "-" * 1_000_000,
)


class Page(HTMLParser):
    """Tags, attributes, texts and the cells of tables, by caption."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.values: dict[str, list[str]] = {}
        self.caption: list[str] | None = None
        self.current = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "caption":
            self.caption = []
        if tag == "data":
            self.values.setdefault(self.current, []).append(dict(attrs)["value"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption" and self.caption is not None:
            self.current, self.caption = "".join(self.caption), None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.caption is not None:
            self.caption.append(data)


@pytest.fixture
def report(write_audit: WriteAudit) -> Report:
    write_audit(step=0, answers=("rrr", "rrr", "rww", "rww", "www", "www", "wwr", "rrr"))
    return build_report(write_audit(), findings=[FINDING], sign_off=SIGN_OFF)


def test_two_reports_of_the_same_files_are_the_same_bytes(write_audit: WriteAudit, tmp_path: Path) -> None:
    write_audit(step=0)
    folder = write_audit()
    hashes = []
    for name in ("one", "two"):
        written = write_report(build_report(folder), tmp_path / name)
        hashes.append(
            {path.relative_to(tmp_path / name): hashlib.sha256(path.read_bytes()).digest() for path in written}
        )
    assert hashes[0] == hashes[1]
    assert {path.as_posix() for path in hashes[0]} >= {"report.html", "report.json", "README.md", "tables/pairs.csv"}


def test_the_json_is_what_its_schema_says(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    schema = json.loads((tmp_path / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(content, schema)
    del content["audit"]["analysis"]["facts"]["gap"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


def test_the_schema_in_the_package_is_that_of_the_types() -> None:
    shipped = files("trialign.audit.report").joinpath("report.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == report_schema()


def test_every_form_has_the_numbers_of_the_analysis(write_audit: WriteAudit, tmp_path: Path) -> None:
    folder = write_audit()
    write_report(build_report(folder), tmp_path)
    facts = read_analysis(folder / "analysis.json").facts
    assert facts is not None
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    ends = ("difference", "low", "high", "p_value", "p_holm")
    shares = [vars(p.differ).values() for p in facts.pairs if p.differ]
    pairs = [v for p, d in zip(facts.pairs, shares, strict=True) for v in (*(getattr(p, n) for n in ends), *d)]
    assert [float(value) for value in page.values["Every pair of groups"]] == pairs
    with (tmp_path / "tables" / "pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row[n]) for row in rows for n in (*ends, "differ", "differ_low", "differ_high")] == pairs
    accuracy = [v for e in facts.accuracy.values() for v in (e.value, e.low, e.high)]
    shown = [float(value) for value in page.values["Right answers of each group"]]
    assert [value for n, value in enumerate(shown) if n % 4 != 3 and n < 12] == accuracy
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["audit"]["analysis"] == json.loads((folder / "analysis.json").read_text(encoding="utf-8"))


def test_what_stands_in_the_report_by_hand(report: Report) -> None:
    facts = report.audit.analysis.facts
    assert facts is not None
    # North is right on 6 of 8; both paraphrases of fact-1 and one of fact-0 are unequal.
    assert {group: entry.value for group, entry in facts.accuracy.items()} == {
        "north": 0.75,
        "south": 0.5,
        "island": 0.375,
    }
    # The control is right always: a group departs from it where it is wrong.
    assert report.audit.control is not None
    assert report.audit.control.flip_rate == {"north": 0.25, "south": 0.5, "island": 0.625}
    assert report.audit.adapter_sha256["island"] == f"{6:064x}"
    changes = {change.measure: change for change in report.changes}
    # Before: rows 0, 1, 7 right for all, 2, 3 for one, 6 for one: (3 * 3 + 3) / 24; now (6 + 4 + 3) / 24.
    assert changes["mean"].first == pytest.approx(12 / 24)
    assert changes["mean"].second == pytest.approx(13 / 24)
    assert report.questions.topics == {"home": (0, 3), "nature": (8, 0)}
    assert report.reproduction == (
        "trialign test --run runs/mine --step 4",
        "trialign report runs/mine --step 4",
    )


def rows_of(table: Table) -> list[dict[str, object]]:
    """Its rows, by the columns' keys."""
    return [dict(zip((column.key for column in table.columns), row, strict=True)) for row in table.rows]


def test_the_tables_hold_each_figure_in_its_place(write_audit: WriteAudit) -> None:
    # Before, north likes its own 0.1 less everywhere and island 0.2; on the other groups' targets it is 0.4 always.
    write_audit(
        step=0,
        answers=("rrr", "rrr", "rww", "rww", "www", "www", "wwr", "rrr"),
        liking=[(north - 0.1, south, island - 0.2) for north, south, island in LIKING],
    )
    report = build_report(write_audit())
    tables = report_tables(report)
    facts, before = (audit.analysis.facts for audit in (report.audit, report.before) if audit)
    assert facts is not None
    assert before is not None
    assert facts.gap is not None
    assert before.gap is not None
    # North 6 of 8 and island 3 now; north 5 and south 3 before. Chance gives something else.
    now, then = rows_of(tables["gap"])
    assert (now["audit"], now["gap"], now["noise"]) == ("this audit", 3 / 8, facts.gap.noise)
    assert (then["audit"], then["gap"], then["noise"]) == ("before", 2 / 8, before.gap.noise)
    assert 0 < facts.gap.noise != facts.gap.value
    assert before.gap.noise != before.gap.value
    accuracy = {row["group"]: (row["accuracy"], row["before"]) for row in rows_of(tables["accuracy"])}
    assert accuracy == {"north": (6 / 8, 5 / 8), "south": (4 / 8, 3 / 8), "island": (3 / 8, 4 / 8)}
    agreement = {row["measure"]: (row["value"], row["before"]) for row in rows_of(tables["agreement"])}
    # All right: rows 0, 6, 7 now and 0, 1, 7 before; the same wrong answer: rows 4 and 5, both times.
    assert agreement["right for every group"] == (3 / 8, 3 / 8)
    assert agreement["all agree on a wrong answer"] == (2 / 8, 2 / 8)
    assert agreement["all groups agree"] == (5 / 8, 5 / 8)
    # Pairs that agree, of three: now 3, 1, 1, 0, 3, 3, 3, 3; before 3, 3, 1, 1, 3, 3, 1, 3.
    assert agreement["two groups agree"] == pytest.approx((17 / 24, 18 / 24))
    change = next(row for row in rows_of(tables["changes"]) if row["measure"] == "accuracy, mean over groups")
    assert (change["before"], change["after"], change["change"]) == pytest.approx((12 / 24, 13 / 24, 1 / 24))
    flips = rows_of(tables["flips"])
    assert [(row["audit"], row["across"]) for row in flips] == [
        ("this audit", pytest.approx(7 / 24)),
        ("before", pytest.approx(6 / 24)),
    ]
    kept = {
        row["group"]: (row["own"], row["swapped"], row["kept"], row["kept_before"])
        for row in rows_of(tables["personalization"])
    }
    north, island = (0.8 + 0.6 + 0.9) / 3, (0.5 + 0.2 + 0.4) / 3
    assert kept["north"] == pytest.approx((north, 0.4, north - 0.4, north - 0.5))
    assert kept["island"] == pytest.approx((island, 0.4, island - 0.4, island - 0.6))
    part = next(row for row in rows_of(tables["slices"]) if row["name"] == "nature")
    assert (part["gap"], part["noise"], part["mean"]) == (3 / 8, pytest.approx(facts.gap.noise), pytest.approx(13 / 24))


def test_the_model_card_holds_each_figure_in_its_place(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    card = ModelCard((tmp_path / "README.md").read_text(encoding="utf-8"))
    values = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert values == pytest.approx(
        {
            "accuracy": 13 / 24,
            "accuracy_gap": 3 / 8,
            "unanimous": 5 / 8,
            "right_for_all": 3 / 8,
            "preference": (1.6 + 1.4 + 1.4) / 9,
        }
    )
    lines = card.text.splitlines()
    facts = report.audit.analysis.facts
    assert facts is not None
    assert facts.gap is not None
    # Gap and what chance gives, in points; then the rows of before and now.
    shown = f"| this audit | 37.5 | {100 * facts.gap.noise:.1f} |"
    assert any(line.startswith(shown) for line in lines)
    assert any(line.startswith("| before | 25.0 | ") for line in lines)
    assert any(line.startswith("| accuracy, mean over groups | 50.0 % | 54.2 % | +4.2 |") for line in lines)
    assert any(line.startswith("| north | 75.0 % |") and "| 62.5 % |" in line for line in lines)


def test_the_worst_questions_are_one_a_fact_the_surest_wrong_first(report: Report) -> None:
    assert [(item.query_id, item.reason) for item in report.worst] == [
        ("fact-3", UNEQUAL),  # surer than its paraphrase fact-2
        ("fact-1", UNEQUAL),
        ("fact-5", TOGETHER),
    ]
    first = report.worst[0]
    assert [(a.answer, a.correct, a.probability) for a in first.answers] == [
        ("right", True, 0.53),
        ("wrong", False, 0.53),
        ("other", False, 0.53),
    ]
    assert (first.question, first.gold) == ("What is it? 3", "right")
    assert DIFFERENT not in {item.reason for item in report.worst}


def test_before_is_the_base_model_of_the_run_or_the_audit_that_is_named(write_audit: WriteAudit) -> None:
    folder = write_audit()
    assert build_report(folder).before is None
    other = write_audit("other", step=9, answers=("rrr",) * 8)
    against = build_report(folder, other)
    assert against.before is not None
    assert (against.before.run, against.before.step) == ("other", 9)
    assert against.reproduction[1].endswith("--against runs/other/audits/step=000009.house.test")
    base = write_audit(step=0)
    found = build_report(folder).before
    assert found is not None
    assert found.step == 0
    assert build_report(base).before is None


def test_other_questions_are_refused(write_audit: WriteAudit) -> None:
    folder = write_audit()
    for name, changed in (
        ("fewer", {"answers": ("rrr",) * 6}),
        ("reworded", {"words": {"question": "What was it?"}}),
    ):
        with pytest.raises(UserError, match="different questions"):
            build_report(folder, write_audit(name, **changed))


def test_an_audit_without_a_record_is_reported_and_says_so(write_audit: WriteAudit, tmp_path: Path) -> None:
    report = build_report(write_audit(record=False))
    assert report.audit.about is None
    assert report.worst[0].question is None
    assert any("kept no record" in sentence for sentence in report.limitations)
    write_report(report, tmp_path)


def test_a_file_that_was_changed_after_the_audit_is_refused(write_audit: WriteAudit) -> None:
    folder = write_audit()
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "analysis.json").read_bytes()).hexdigest()
    (folder / "summary.json").write_text(json.dumps({**summary, "files": {"analysis.json": digest}}))
    build_report(folder)
    with (folder / "analysis.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(UserError, match="not the one that the audit wrote"):
        build_report(folder)


def test_a_file_that_the_audit_wrote_and_is_missing_is_refused(write_audit: WriteAudit) -> None:
    folder = write_audit()
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    names = ("items.parquet", "questions.jsonl", "analysis.json", "about.json")
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "summary.json").write_text(json.dumps({**summary, "files": files}))
    assert build_report(folder).audit.unverified == ()
    for name in ("questions.jsonl", "about.json"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(UserError, match=f"{name}, which the audit wrote, is missing"):
            build_report(folder)
        (folder / name).write_bytes(content)


def test_without_hashes_every_form_says_that_nothing_can_be_verified(write_audit: WriteAudit, tmp_path: Path) -> None:
    report = build_report(write_audit())
    assert report.audit.unverified == ("items.parquet", "questions.jsonl", "analysis.json", "about.json")
    write_report(report, tmp_path)
    for name in ("report.html", "README.md", "report.json"):
        assert "Cannot be verified: the audit kept no hash of items" in (tmp_path / name).read_text(encoding="utf-8")


def test_findings_and_the_signature_stand_in_every_form(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    page = " ".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).texts)
    for text in (FINDING.comment, FINDING.checkpoint, SIGN_OFF.name, SIGN_OFF.decision, SIGN_OFF.remark):
        assert text in page
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["findings"][0]["comment"] == FINDING.comment
    assert content["sign_off"]["decision"] == SIGN_OFF.decision
    assert FINDING.comment in (tmp_path / "tables" / "findings.csv").read_text(encoding="utf-8")


def test_it_documents_and_never_certifies(report: Report, tmp_path: Path) -> None:
    for path in write_report(report, tmp_path):
        assert "complian" not in path.read_text(encoding="utf-8").lower()
    for name in ("report.html", "README.md"):
        assert "supports documentation of" in (tmp_path / name).read_text(encoding="utf-8")


def test_every_chart_has_a_text_and_a_table_and_nothing_comes_from_outside(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("<svg") == text.count("<desc") == text.count('role="img"') == 4
    page = Page(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "a"}
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "action", "style"}
    assert "url(" not in text
    assert "@import" not in text
    assert set(page.values) >= {"Right answers of each group", "Every pair of groups", "Is taste still personal?"}


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_hostile_text_is_shown_and_does_nothing(attack: str, write_audit: WriteAudit, tmp_path: Path) -> None:
    csv.field_size_limit(2_000_000)
    places = ("w", "question", "profile", "label", "model", "topic")
    folder = write_audit(words=dict.fromkeys(places, attack))
    hostile = Finding(*[attack] * 7)
    written = write_report(build_report(folder, findings=[hostile], sign_off=SignOff(*[attack] * 5)), tmp_path / "out")
    harmless = write_report(
        build_report(write_audit("harmless"), findings=[FINDING], sign_off=SIGN_OFF), tmp_path / "in"
    )
    text, plain = (paths[0].read_text(encoding="utf-8") for paths in (written, harmless))
    page, expected = Page(text), Page(plain)
    assert page.tags == expected.tags
    assert {name for name, _ in page.attributes} == {name for name, _ in expected.attributes}
    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(text) < 400_000
    for path in written:
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
            assert len({len(row) for row in rows}) == 1
            dangerous = [c for row in rows for c in row if c.startswith(("=", "+", "@", "\t", "\r")) or c[:2] == "--"]
            assert not dangerous
        assert "\x1b" not in content
        assert "\x00" not in content
    # The data keeps the text as it is, to the letter.
    data = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert data["findings"][0]["comment"] == attack
    assert data["worst"][0]["answers"][-1]["answer"] in {attack, "other"}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    read = ModelCard(card)
    assert read.data.base_model == visible(attack, keep="")
    assert read.data.license is None
    assert "<script" not in read.text
    assert "\n# Title" not in read.text
    assert "[x](" not in read.text


def test_a_very_long_answer_is_cut_with_a_note(write_audit: WriteAudit, tmp_path: Path) -> None:
    report = build_report(write_audit(words={"w": "x" * 1_000_000}))
    write_report(report, tmp_path)
    assert "998,000 of 1,000,000 characters are not shown" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "x" * 1_000_000 in (tmp_path / "tables" / "worst.csv").read_text(encoding="utf-8")


def test_tables_have_a_cell_for_every_column(report: Report) -> None:
    for table in report_tables(report).values():
        assert all(len(row) == len(table.columns) for row in table.rows), table.name
