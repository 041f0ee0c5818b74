"""A signature is about bytes: whatever is changed, added or taken away afterwards is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from trialign.audit.files.findings import LIVE, FindingStore, Said, SavedSignOff
from trialign.audit.report import Finding, build_report, write_report
from trialign.audit.report.decisions import DECISIONS, decided
from trialign.audit.report.noted import asked_how, last_sign_off, noted_findings
from trialign.audit.report.signing import binding_of, files_below, report_sha256, standing_of, verification
from trialign.safe_output import json_text

pytestmark = pytest.mark.integration
WriteAudit = Callable[..., Path]


def note(root: Path, steps: Sequence[int], comment: str = "odd") -> int:
    said = tuple(Said(step, "North", f"Because of {step}.", "north") for step in steps)
    return FindingStore(root).add(
        user="ana",
        run="mine",
        step=steps[0],
        query_id="",
        checkpoint_sha256=None,
        question="Why so?",
        options=(),
        answers=said,
        comment=comment,
        disposition="open",
        audit="step=000004.house.test",
        exposure="explicit",
        source=LIVE,
    )


def noted(root: Path, step: int = 4) -> list[Finding]:
    return noted_findings(FindingStore(root).findings("mine"), step)


def sign(folder: Path, decision: str = "Consistent enough to use") -> SavedSignOff:
    root = folder.parents[2]
    return FindingStore(root).sign(
        user="ana",
        run="mine",
        audit=folder.name,
        name="Ana B.",
        role="auditor",
        decision=decision,
        remark="",
        binding=binding_of(build_report(folder, None, noted(root))),
    )


def standing(signed: SavedSignOff, root: Path) -> tuple[str, str]:
    return standing_of(signed, noted(root), files_below(root))


@pytest.fixture
def audit(write_audit: WriteAudit) -> Path:
    write_audit(step=0)
    return write_audit()


def test_the_signed_hash_is_that_of_the_json_that_was_read(audit: Path, tmp_path: Path) -> None:
    signed = sign(audit)
    write_report(build_report(audit), tmp_path / "read")
    assert signed.binding is not None
    read = (tmp_path / "read" / "report.json").read_bytes()
    assert signed.binding.report_sha256 == hashlib.sha256(read).hexdigest()
    for path, digest in signed.binding.files.items():
        assert digest == hashlib.sha256((audit.parents[2] / path).read_bytes()).hexdigest()
    assert {path.rpartition("/")[2] for path in signed.binding.files} >= {
        "items.parquet",
        "analysis.json",
        "summary.json",
        "questions.jsonl",
        "about.json",
        "config.yaml",
    }
    # Whoever has the signed report alone finds the hash again: without its signature, written as it was.
    sign_off = last_sign_off([signed], [], files_below(audit.parents[2]))
    write_report(build_report(audit, None, (), sign_off), tmp_path / "signed")
    content = json.loads((tmp_path / "signed" / "report.json").read_text(encoding="utf-8"))
    assert content["sign_off"]["report_sha256"] == signed.binding.report_sha256
    again = json_text({**content, "sign_off": None}, indent=1) + "\n"
    assert hashlib.sha256(again.encode("utf-8")).hexdigest() == signed.binding.report_sha256


@pytest.mark.parametrize("step", [0, 4])
@pytest.mark.parametrize("name", ["items.parquet", "analysis.json", "summary.json", "questions.jsonl", "about.json"])
def test_a_signature_is_stale_once_a_file_is_another_one_or_gone(audit: Path, name: str, step: int) -> None:
    root, signed = audit.parents[2], sign(audit)
    assert standing(signed, root)[0] == "holds"
    path = audit.with_name(f"step={step:06d}.house.test") / name
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    assert standing(signed, root)[0] == "stale"
    assert f"step={step:06d}.house.test/{name}" in standing(signed, root)[1]
    path.unlink()
    assert standing(signed, root)[0] == "stale"
    path.write_bytes(content)
    assert standing(signed, root)[0] == "holds"


def test_a_configuration_that_was_changed_makes_it_stale_as_well(audit: Path) -> None:
    root, signed = audit.parents[2], sign(audit)
    (root / "mine" / "config.yaml").write_text("name: mine\nseed: 1\n", encoding="utf-8")
    assert standing(signed, root)[0] == "stale"


def test_what_is_noted_after_the_signature_is_not_signed(audit: Path) -> None:
    root = audit.parents[2]
    number = note(root, [4])
    signed = sign(audit)
    assert standing(signed, root)[0] == "holds"
    note(root, [0], comment="of other agents")
    assert standing(signed, root)[0] == "holds"
    FindingStore(root).remark(number, user="bo", comment="", disposition="fixed")
    assert standing(signed, root)[0] == "noted_since"
    again = sign(audit)
    assert standing(again, root)[0] == "holds"
    FindingStore(root).delete(number, user="bo")
    assert standing(again, root)[0] == "noted_since"


def test_a_signature_of_an_earlier_version_is_about_no_files(audit: Path) -> None:
    signed = replace(sign(audit), binding=None)
    assert standing(signed, audit.parents[2])[0] == "unbound"


def test_making_the_report_again_finds_what_the_files_alone_do_not_tell(write_audit: WriteAudit) -> None:
    audit = write_audit()
    root, signed = audit.parents[2], sign(audit)
    holds = standing(signed, root)
    assert verification(signed, holds, build_report(audit)) == holds
    assert signed.binding is not None
    newer = replace(build_report(audit), generator="trialign 99")
    assert verification(signed, holds, newer)[0] == "noted_since"
    write_audit(step=0)  # the report is against the base model now
    assert report_sha256(build_report(audit)) != signed.binding.report_sha256
    assert verification(signed, standing(signed, root), build_report(audit))[0] == "stale"


def test_a_path_out_of_the_root_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    assert files_below(tmp_path / "runs")("../secret") is None


def test_only_a_decision_to_use_that_still_holds_bears_a_tick() -> None:
    signs = {
        (decision, standing): decided(decision, standing)
        for decision in DECISIONS
        for standing in ("holds", "noted_since", "stale", "unbound")
    }
    assert [key for key, (sign, _) in signs.items() if sign == "✓"] == [("Consistent enough to use", "holds")]
    assert [key for key, (_, style) in signs.items() if style == "good"] == [("Consistent enough to use", "holds")]
    assert all(decided("Not to be used", standing) == ("✗", "bad") for standing in ("holds", "stale"))
    assert decided("approved", "holds") == ("•", "plain")


def test_a_stale_signature_is_said_in_every_form(audit: Path, tmp_path: Path) -> None:
    root, signed = audit.parents[2], sign(audit, "Consistent enough to use")
    (root / "mine" / "config.yaml").write_text("name: mine\nseed: 1\n", encoding="utf-8")
    sign_off = last_sign_off([signed], [], files_below(root))
    write_report(build_report(audit, None, (), sign_off), tmp_path / "out")
    for name in ("report.html", "README.md"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "It is stale" in text.replace("\\", "")
        assert "✓ Consistent enough to use" not in text
    content = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert content["sign_off"]["standing"] == "stale"


def test_a_finding_beside_two_checkpoints_stands_in_the_reports_of_both(audit: Path) -> None:
    root = audit.parents[2]
    note(root, [4, 0], comment="both")
    note(root, [0], comment="base")
    note(root, [4], comment="trained")
    assert [one.comment for one in noted(root, 0)] == ["both", "base"]
    assert [one.comment for one in noted(root, 4)] == ["both", "trained"]
    (both, _) = noted(root, 0)
    assert [(answer.step, answer.answer) for answer in both.answers] == [(4, "Because of 4."), (0, "Because of 0.")]


def test_the_report_holds_the_evidence_of_a_finding(audit: Path, tmp_path: Path) -> None:
    root = audit.parents[2]
    north = Said(4, "North", "Iron it is", "north", "iron", (0.625, 0.375), "aa" * 32, "bb" * 32, "They live north.")
    FindingStore(root).add(
        user="ana",
        run="mine",
        step=4,
        query_id="",
        checkpoint_sha256="bb" * 32,
        question="Which metal?",
        options=("iron", "zinc"),
        answers=(north,),
        comment="odd",
        disposition="open",
        exposure="implicit",
        source=LIVE,
    )
    (saved,) = FindingStore(root).findings("mine")
    assert asked_how(saved) == ("step 4; profiles were revealed by an earlier conversation; answered when it was noted")
    write_report(build_report(audit, None, noted(root)), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    table = (tmp_path / "out" / "tables" / "finding_answers.csv").read_text(encoding="utf-8")
    for text in ("Iron it is", "iron 62.5 %", "zinc 37.5 %", "They live north."):
        assert text in page
        assert text in table
    for text in ("Which metal?", "revealed by an earlier conversation", "aa" * 16):
        assert text in page
