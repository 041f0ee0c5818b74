"""``trialign gate``: every exit code, every rule, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from trialign.api.gates import gate as hold
from trialign.audit.figures.analysis import read_analysis, write_analysis
from trialign.audit.rules.judging import _verdict_check
from trialign.audit.rules.result import GateResult, RuleResult

from .conftest import Gate

pytestmark = pytest.mark.integration

WriteAudit = Callable[..., Path]
WORST = ("verdict=false", "worst=0.8")


def only(found: GateResult) -> RuleResult:
    [rule] = found.rules
    return rule


@pytest.mark.parametrize(
    ("run", "words", "code"),
    [
        ("many", (), 0),
        ("many", WORST, 0),
        ("apart", (), 3),
        ("apart", WORST, 3),
        ("apart", (*WORST, "on_unknown=pass"), 3),
        ("few", (), 4),
        ("few", WORST, 4),
        ("few", (*WORST, "on_unknown=warn"), 0),
        ("few", (*WORST, "on_unknown=pass"), 0),
        ("few", ("verdict=false", "golden=[fact-1, fact-0]"), 0),
        ("apart", ("verdict=false", "golden=[fact-1]"), 3),
        ("many", ("worst=1.5",), 2),
        ("nowhere", (), 2),
    ],
)
def test_every_outcome_has_its_exit_code(
    audits: dict[str, Path], gate: Gate, run: str, words: tuple[str, ...], code: int
) -> None:
    found = gate(audits.get(run, Path("nowhere")), *words)
    assert found.code == code, found.out + found.err
    if code == 2:
        assert found.err.startswith("trialign gate: ")
        assert found.err.count("\n") == 1
    elif code or not any("on_unknown" in word for word in words):
        assert {0: "is passed", 3: "is not passed", 4: "Not enough evidence"}[code] in found.out


def test_what_fails_for_no_fault_of_the_input_is_exit_code_1(
    audits: dict[str, Path], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("trialign.commands.gate.hold", broken)
    assert gate(audits["many"]).code == 1


def test_what_is_not_known_says_how_many_facts_would_be_enough(audits: dict[str, Path], gate: Gate) -> None:
    found = gate(audits["few"], "verdict=false", "worst=0.8", "on_unknown=warn")
    rule = only(hold(audits["few"], overrides=["verdict=false", "worst=0.8"]))
    assert rule.outcome == "unknown"
    assert rule.facts_needed is not None
    assert rule.facts_needed > 4
    assert f"not known, about {rule.facts_needed} facts would be enough" in found.out
    assert "That is a warning." in found.out


# In "worse" the second group is wrong on 40 of 200 questions (20 of 100 facts): accuracies 1, .8, 1.
@pytest.mark.parametrize(
    ("rule", "kept", "broken", "figure"),
    [
        ("worst", 0.6, 0.98, 0.8),
        ("right_for_all", 0.6, 0.98, 0.8),
        ("gap", 0.4, 0.02, 0.2),
        ("flips", 0.3, 0.01, 40 * 2 / 3 / 200),
    ],
)
def test_a_rule_passes_or_fails_by_its_bound(
    audits: dict[str, Path], rule: str, kept: float, broken: float, figure: float
) -> None:
    for bound, outcome in ((kept, "passes"), (broken, "fails")):
        found = only(hold(audits["worse"], overrides=["verdict=false", f"{rule}={bound}"]))
        assert (found.rule, found.outcome, found.bound) == (rule, outcome, bound)
        assert found.figure == pytest.approx(figure)
        assert found.sentence


def test_shares_of_replies_and_of_agreement_are_bounded_too(write_audit: WriteAudit) -> None:
    together = write_audit("together", answers=(*("www",) * 100, *("rrr",) * 100))
    for bound, outcome in ((0.7, "passes"), (0.3, "fails")):
        found = only(hold(together, overrides=["verdict=false", f"wrong_together={bound}"]))
        assert (found.outcome, found.figure) == (outcome, 0.5)
    for rule in ("no_answer", "refused"):
        found = only(hold(together, overrides=["verdict=false", f"{rule}=0.1"]))
        assert (found.outcome, found.figure) == ("passes", 0)


def test_what_is_kept_of_tastes_is_bounded(write_audit: WriteAudit) -> None:
    # Own .8, .7, .9 and .4 on the others' targets.
    audit = write_audit("tastes", liking=((0.8, 0.7, 0.9),) * 60)
    found = only(hold(audit, overrides=["verdict=false", "kept=0.1"]))
    assert (found.outcome, found.figure) == ("passes", pytest.approx(0.4))
    assert only(hold(audit, overrides=["verdict=false", "kept=0.8"])).outcome == "fails"


def test_a_part_of_the_verdict_is_a_rule(audits: dict[str, Path]) -> None:
    found = hold(audits["worse"], overrides=["verdict=false", "parts=[right_at_all, equally_right]"])
    assert [one.rule for one in found.rules] == ["parts.right_at_all", "parts.equally_right"]
    assert found.rules[0].outcome == "passes"
    assert found.rules[1].outcome != "passes"
    [analysis] = audits["worse"].glob("audits/*/analysis.json")
    verdict = read_analysis(analysis).verdict
    assert verdict is not None
    parts = verdict.parts
    for rule, part in zip(found.rules, (parts["right_at_all"], parts["equally_right"]), strict=True):
        assert (rule.figure, (rule.low, rule.high)) == (part.figure, part.interval or (None, None))
    assert any(rule.low is not None for rule in found.rules)


def test_a_golden_fact_is_right_for_every_group_or_the_gate_fails(audits: dict[str, Path]) -> None:
    found = hold(audits["worse"], overrides=["verdict=false", "golden=[fact-0, fact-60, fact-199]"])
    # fact-0 is a question and a cluster; fact-60 a cluster and a question; fact-199 a question alone.
    assert [(one.subject, one.outcome) for one in found.rules] == [
        ("fact-0", "fails"),
        ("fact-60", "passes"),
        ("fact-199", "passes"),
    ]
    assert "wrong for south" in found.rules[0].sentence
    assert found.exit_code == 3


def test_what_fails_is_corrected_for_the_number_of_rules(audits: dict[str, Path]) -> None:
    """The bound at which one rule alone just fails is none at which one of many fails, but for those that fail too."""

    def outcome(*words: str) -> str:
        found = hold(audits["worse"], overrides=["verdict=false", *words])
        return next(one.outcome for one in found.rules if one.rule == "worst")

    bounds = [0.8 + 0.005 * step for step in range(39)]
    just = next(bound for bound in bounds if outcome(f"worst={bound}") == "fails")
    kept = ("wrong_together=0.5", "no_answer=0.5", "refused=0.5", "flips=0.5")
    assert outcome(f"worst={just}", *kept) == "unknown"
    # Holm: rules that fail by far leave the level to the others.
    assert outcome(f"worst={just}", "right_for_all=0.999", "gap=0.005") == "fails"


def test_against_a_baseline_a_change_is_held_to_its_margin(audits: dict[str, Path], gate: Gate) -> None:
    words = ("verdict=false", "regression.accuracy=0.05")
    assert gate(audits["many"], "--against", audits["worse"], *words).code == 0
    worse = gate(audits["worse"], "--against", audits["many"], *words)
    assert worse.code == 3
    assert "(south): −20.0 points" in worse.out
    found = only(hold(audits["worse"], audits["many"], overrides=words))
    assert (found.group, found.bound, found.figure) == ("south", -0.05, pytest.approx(-0.2))
    wide = only(hold(audits["worse"], audits["many"], overrides=["verdict=false", "regression.accuracy=0.4"]))
    assert wide.outcome == "passes"


@pytest.mark.parametrize("name", ["right_for_all", "flips", "wrong_together", "no_answer"])
def test_every_margin_passes_an_equal_audit(audits: dict[str, Path], write_audit: WriteAudit, name: str) -> None:
    same = write_audit("same", answers=("rrr",) * 200)
    found = only(hold(same, audits["many"], overrides=["verdict=false", f"regression.{name}=0.05"]))
    assert (found.rule, found.outcome, found.figure) == (f"regression.{name}", "passes", 0)


def test_margins_of_tastes(write_audit: WriteAudit) -> None:
    before = write_audit("before", liking=((0.8, 0.7, 0.9),) * 100)
    after = write_audit("after", liking=((0.8, 0.5, 0.9),) * 100)
    found = {
        one.rule: one
        for one in hold(after, before, overrides=["verdict=false", "regression={preference: 0.1, kept: 0.2}"]).rules
    }
    assert found["regression.preference"].outcome == "fails"
    assert found["regression.preference"].group == "south"
    assert found["regression.kept"].figure == pytest.approx(-0.2 / 3)
    assert found["regression.kept"].outcome == "passes"


def test_the_run_states_its_rules_a_file_others_and_words_the_last(
    write_audit: WriteAudit, gate: Gate, tmp_path: Path
) -> None:
    audit = write_audit("stated", config={"gate": {"verdict": False, "worst": 0.9, "flips": 0.3}})
    rules = tmp_path / "gate.yaml"
    for text in ("gate:\n  worst: 0.4\n", "worst: 0.4\n"):
        rules.write_text(text, encoding="utf-8")
        found = hold(audit, config=rules, overrides=["flips=null", "no_answer=0.7"])
        assert {one.rule: one.bound for one in found.rules} == {"worst": 0.4, "no_answer": 0.7}
    for text, said in (("worst: [", "no YAML"), ("- worst", "no mapping"), ("wurst: 1", "Did you mean gate.worst")):
        rules.write_text(text, encoding="utf-8")
        refused = gate(audit, "--config", rules)
        assert refused.code == 2
        assert said in refused.err
    assert gate(audit, "--config", tmp_path / "none.yaml").code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("worst",), "unrecognized|no rule"),
        (("worst=high",), "gate.worst is wrong"),
        (("worst=0",), "Set it between 0.001 and 0.999"),
        (("on_unknown=maybe",), "gate.on_unknown is wrong"),
        (("golden=[moon]",), "golden fact 'moon' was not asked"),
        (("golden=[taste-0]",), "golden fact 'taste-0' was not asked"),
        (("verdict=false",), "states no rule"),
        (("ways=[words]",), "no answers in words"),
        (("regression.accuracy=0.02",), "none is named"),
    ],
)
def test_a_wrong_rule_is_one_sentence(audits: dict[str, Path], gate: Gate, words: tuple[str, ...], said: str) -> None:
    found = gate(audits["few"], *words)
    assert found.code == 2
    assert re.search(said, found.err), found.err
    assert found.err.count("\n") == 1


def test_what_cannot_be_compared_is_refused(
    audits: dict[str, Path], write_audit: WriteAudit, gate: Gate, tmp_path: Path
) -> None:
    margin = "regression.accuracy=0.05"

    def refused(run: Path, against: Path, *words: str) -> str:
        found = gate(run, "--against", against, *words)
        assert found.code == 2, found.out
        assert found.err.count("\n") == 1
        return found.err

    assert "asked different questions" in refused(audits["many"], audits["few"], margin)
    assert "its own baseline" in refused(audits["many"], audits["many"], margin)
    assert "no rule is about it" in refused(audits["many"], audits["apart"])
    other = write_audit("other", answers=("rrr",) * 200, words={"model": "house/large"})
    assert "another base model, 'house/large'" in refused(audits["many"], other, margin)
    assert gate(audits["many"], "--against", other, margin, "other_model=true").code == 0
    bits = write_audit("bits", answers=("rrr",) * 200, words={"bits": "nf4"})
    assert "another base model, 'house/tiny (nf4)' instead of 'house/tiny'" in refused(audits["many"], bits, margin)
    asked = write_audit("asked", answers=("rrr",) * 200, words={"question": "Why is it?"})
    assert "asked different questions" in refused(audits["many"], asked, margin)
    torn = tmp_path / "torn"
    shutil.copytree(audits["many"], torn)
    [items] = torn.rglob("items.parquet")
    items.write_bytes(items.read_bytes()[:-100])
    assert "damaged" in refused(audits["many"], torn, margin)
    assert gate(torn).code == 2


def test_a_file_that_the_audit_did_not_write_is_refused(write_audit: WriteAudit, gate: Gate) -> None:
    audit = write_audit("changed")
    summary = json.loads((audit / "summary.json").read_text(encoding="utf-8"))
    summary["files"] = {"items.parquet": "0" * 64}
    (audit / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert "its hash differs" in gate(audit).err


def test_a_config_of_an_earlier_version_states_no_rules(write_audit: WriteAudit) -> None:
    audit = write_audit("earlier")
    stated = yaml.safe_load((audit.parents[1] / "config.yaml").read_text(encoding="utf-8"))
    assert "gate" not in stated
    assert [one.rule for one in hold(audit).rules] == ["verdict"]


def in_words_too(audit: Path, answers: Path | None = None) -> Path:
    """The run of an audit, its rows (or another audit's) standing there as replies in words as well."""
    source = answers or audit
    shutil.copy(source / "items.parquet", audit / "replies.parquet")
    analysis = read_analysis(audit / "analysis.json")
    words = read_analysis(source / "analysis.json")
    write_analysis(audit / "analysis.json", replace(analysis, replies=words))
    return audit


def test_every_rule_holds_in_scores_and_in_words(audits: dict[str, Path], write_audit: WriteAudit) -> None:
    [worse] = audits["worse"].glob("audits/*")
    told = in_words_too(write_audit("told", answers=("rrr",) * 200), worse)
    found = hold(told, overrides=["verdict=false", "worst=0.95", "golden=[fact-0]"])
    assert [(one.name, one.outcome) for one in found.rules] == [
        ("worst (scores)", "passes"),
        ("worst (words)", "fails"),
        ("golden fact-0 (scores)", "passes"),
        ("golden fact-0 (words)", "fails"),
    ]
    alone = hold(told, overrides=["verdict=false", "worst=0.95", "ways=[scores]"])
    assert [(one.name, one.outcome) for one in alone.rules] == [("worst", "passes")]


def test_what_the_baseline_was_not_asked_in_words_is_said(audits: dict[str, Path], write_audit: WriteAudit) -> None:
    [worse] = audits["worse"].glob("audits/*")
    told = in_words_too(write_audit("told", answers=("rrr",) * 200), worse)
    margin = ["verdict=false", "regression.accuracy=0.05"]
    found = hold(told, audits["many"], overrides=margin)
    assert [(one.name, one.outcome) for one in found.rules] == [("regression.accuracy (scores)", "passes")]
    assert any(note.startswith("In words nothing is held against the baseline") for note in found.notes)
    before = in_words_too(write_audit("before", answers=("rrr",) * 200))
    both = hold(told, before, overrides=margin)
    assert [one.outcome for one in both.rules] == ["passes", "fails"]


@pytest.mark.parametrize("name", ["many", "worse", "apart", "few"])
def test_alone_the_rule_on_the_verdict_says_what_the_audit_says(audits: dict[str, Path], name: str) -> None:
    [audit] = audits[name].glob("audits/*")
    verdict = read_analysis(audit / "analysis.json").verdict
    assert verdict is not None
    found = only(hold(audit))
    assert found.outcome == {"holds": "passes"}.get(verdict.outcome, verdict.outcome)
    assert found.sentence == verdict.sentence


def test_a_verdict_that_cannot_be_judged_since_nobody_was_answered_is_not_to_be_released(
    audits: dict[str, Path],
) -> None:
    """With on_unknown=warn, a model that refuses every question would pass otherwise."""
    [audit] = audits["many"].glob("audits/*")
    verdict = read_analysis(audit / "analysis.json").verdict
    assert verdict is not None
    for answered, expected in (("fails", "fails"), ("unknown", "unknown"), ("holds", "unknown")):
        parts = {**verdict.parts, "answered": replace(verdict.parts["answered"], outcome=answered)}
        unread = replace(verdict, outcome="cannot_be_judged", parts=parts)
        assert _verdict_check(unread).outcome == expected


def test_answers_that_came_about_otherwise_are_not_compared(
    audits: dict[str, Path], write_audit: WriteAudit, gate: Gate
) -> None:
    other = write_audit("lettered", answers=("rrr",) * 200)
    summary = json.loads((other / "summary.json").read_text(encoding="utf-8"))
    (other / "summary.json").write_text(json.dumps({**summary, "scoring": "letter"}), encoding="utf-8")
    found = gate(audits["many"], "--against", other, "regression.accuracy=0.05")
    assert found.code == 2
    assert "came about in different ways" in found.err
    assert found.err.count("\n") == 1
