"""The rule on replies that say another fact: held as the others are, refused where the comparer is not good enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from trialign.api.gates import gate as hold
from trialign.audit.figures.analysis import ANALYSIS_SCHEMA_VERSION, AuditAnalysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.checks import Levels
from trialign.audit.figures.corrected import corrected_share, independent_trials
from trialign.audit.rules.config import GateConfig
from trialign.audit.rules.formats import FORMATS
from trialign.audit.rules.judging import judged_rules
from trialign.audit.rules.other_facts import Compared, compared_of, other_facts_check
from trialign.audit.rules.result import RuleOutcome
from trialign.audit.rules.sides import Side
from trialign.comparing.calibration import Calibration, Share
from trialign.comparing.weighting import weighted_share
from trialign.errors import UserError

from .conftest import Gate
from .test_gate import in_words_too

pytestmark = pytest.mark.unit

ALPHA = 0.05
SENSITIVITY, SPECIFICITY = 0.93, 0.9
WriteAudit = Callable[..., Path]


def section(
    share: float = 0.12,
    trials: float = 400,
    *,
    facts: int = 400,
    sensitivity: tuple[int, int] = (190, 200),
    specificity: tuple[int, int] = (190, 200),
) -> dict[str, Any]:
    """What a summary holds of compared replies."""
    counted = {
        name: {"found": found, "of": of}
        for name, (found, of) in (("sensitivity", sensitivity), ("specificity", specificity))
    }
    return {
        "comparer": "canonical + planted",
        "counted": counted,
        "flips": {"raw": [share, None, None], "corrected": [None, None, None]},
        "trials": trials,
        "n_clusters": facts,
    }


def side(compared: dict[str, Any] | None) -> Side:
    analysis = AuditAnalysis(
        ANALYSIS_SCHEMA_VERSION, "test", "explicit", ("a", "b"), Bounds(), 0, None, None, None, (), ()
    )
    return Side(analysis, None, None, pd.DataFrame(), compared)


def judged(bound: float, compared: dict[str, Any], quality: float = 0.8) -> RuleOutcome:
    config = GateConfig(verdict=False, other_facts=bound, comparer_quality=quality, alpha=ALPHA)
    [found] = judged_rules(config, {"words": side(compared)}, {})
    return found.outcome


def simulated(rng: np.random.Generator, share: float, facts: int, labelled: int) -> dict[str, Any]:
    """An audit of three groups and a sample of labelled pairs; on a question two pairs of three differ, or none.

    Half of the facts are told alike in both paraphrases. The comparer errs anew on every pair.
    """
    differs = rng.random((facts, 2)) < 1.5 * share
    differs[:, 1] = np.where(rng.random(facts) < 0.5, differs[:, 0], differs[:, 1])
    true = differs.reshape(-1, 1) & np.array([True, True, False])
    draws = rng.random(true.shape)
    called = np.where(true, draws < SENSITIVITY, draws < 1 - SPECIFICITY).mean(axis=1)
    clusters = np.repeat(np.arange(facts), 2)
    return section(
        float(called.mean()),
        independent_trials(called, clusters),
        facts=facts,
        sensitivity=(int(rng.binomial(labelled, SENSITIVITY)), labelled),
        specificity=(int(rng.binomial(labelled, SPECIFICITY)), labelled),
    )


def keep_at_the_bound(share: float, facts: int, labelled: int, simulations: int) -> None:
    rng = np.random.default_rng(facts)
    found = [judged(share, simulated(rng, share, facts, labelled), 0.55) for _ in range(simulations)]
    most = binom.ppf(0.9995, simulations, ALPHA)
    assert found.count("passes") <= most
    assert found.count("fails") <= most


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_at_the_bound_it_seldom_passes_or_fails(share: float) -> None:
    keep_at_the_bound(share, 100, 100, 300)


@pytest.mark.slow
@pytest.mark.parametrize("facts", [30, 150, 600])
@pytest.mark.parametrize("labelled", [60, 300])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_at_the_bound_it_keeps_its_promise(share: float, facts: int, labelled: int) -> None:
    keep_at_the_bound(share, facts, labelled, 1000)


def test_the_promise_is_not_kept_by_saying_nothing() -> None:
    rng = np.random.default_rng(2)
    assert [judged(0.1, simulated(rng, 0.01, 600, 400), 0.55) for _ in range(20)].count("passes") >= 18
    assert [judged(0.1, simulated(rng, 0.25, 200, 200), 0.55) for _ in range(20)].count("fails") >= 18


def test_the_figure_is_corrected_and_its_interval_has_all_samples_in_it() -> None:
    check = other_facts_check(compared_of(section(), 0.8), 0.1, Levels(ALPHA, ALPHA))
    assert check.figure == pytest.approx((0.12 + 0.95 - 1) / 0.9)
    assert check.low is not None
    assert check.high is not None
    whole = corrected_share(0.12, 400, compared_of(section(), 0.8).calibration, 1 - 2 * ALPHA)
    assert (check.low, check.high) == (pytest.approx(whole.low), pytest.approx(whole.high))
    wider = [
        section(trials=40),
        section(sensitivity=(57, 60)),
        section(specificity=(57, 60)),
    ]
    for one in wider:
        other = other_facts_check(compared_of(one, 0.8), 0.1, Levels(ALPHA, ALPHA))
        assert other.figure == pytest.approx(check.figure)
        assert other.low is not None
        assert other.high is not None
        assert other.high - other.low > check.high - check.low


def test_what_is_not_known_says_how_many_facts_would_be_enough() -> None:
    compared = compared_of(section(0.07, 60, facts=60), 0.8)
    check = other_facts_check(compared, 0.1, Levels(ALPHA, ALPHA))
    assert check.outcome == "unknown"
    assert check.facts_needed is not None
    assert 60 < check.facts_needed < 2000
    enough = Compared(0.07, check.facts_needed, check.facts_needed, compared.calibration)
    assert other_facts_check(enough, 0.1, Levels(ALPHA, ALPHA)).outcome == "holds"
    few = compared_of(section(0.12, 60, facts=60, specificity=(28, 30)), 0.7)
    assert other_facts_check(few, 0.1, Levels(ALPHA, ALPHA)).facts_needed is None


@pytest.mark.parametrize(
    ("compared", "said"),
    [
        (None, "the audit has none"),
        ({**section(), "flips": None}, "the audit has none"),
        ({**section(), "counted": None}, "an earlier version made it"),
        (section(sensitivity=(16, 20)), r"at least 0\.58 and 0\.91 .* asks for 0\.8"),
        (section(specificity=(100, 200)), r"at least 0\.91 and 0\.43"),
    ],
)
def test_what_cannot_be_judged_by_is_refused(compared: dict[str, Any] | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        judged(0.1, compared)  # type: ignore[arg-type]


def told(write_audit: WriteAudit, compared: dict[str, Any] | None) -> Path:
    """A run whose audit has replies in words, which were compared."""
    audit = in_words_too(write_audit("compared", answers=("rrr",) * 40))
    summary = json.loads((audit / "summary.json").read_text(encoding="utf-8"))
    summary["replies"] = {"compared": compared}
    (audit / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return audit.parents[1]


@pytest.mark.parametrize(
    ("share", "words", "code", "said"),
    [
        (0.06, (), 0, "is passed"),
        (0.4, (), 3, "38.9 %"),
        (0.12, (), 4, "with so few labelled pairs"),
        (0.06, ("comparer_quality=0.95",), 2, "not good enough"),
        (0.06, ("ways=[scores]",), 2, "none are looked at"),
        (0.06, ("comparer_quality=0.2",), 2, "between 0.55 and 0.999"),
    ],
)
def test_the_command_says_so_by_its_exit_code(
    write_audit: WriteAudit, gate: Gate, share: float, words: tuple[str, ...], code: int, said: str
) -> None:
    found = gate(told(write_audit, section(share)), "verdict=false", "other_facts=0.1", *words)
    assert found.code == code, found.out + found.err
    assert said in found.out + found.err
    if code == 2:
        assert found.err.count("\n") == 1


def test_beside_rules_in_both_ways_it_is_one_rule_in_words_and_stands_in_every_form(write_audit: WriteAudit) -> None:
    run = told(write_audit, section(0.4))
    found = hold(run, overrides=["verdict=false", "worst=0.5", "other_facts=0.1"])
    assert [(one.name, one.outcome) for one in found.rules] == [
        ("worst (scores)", "passes"),
        ("worst (words)", "passes"),
        ("other_facts (words)", "fails"),
    ]
    for form, write in FORMATS.items():
        assert "other_facts" in write(found).replace("\\_", "_"), form


def test_an_audit_in_scores_alone_has_no_replies_to_compare(write_audit: WriteAudit, gate: Gate) -> None:
    found = gate(write_audit("scored").parents[1], "verdict=false", "other_facts=0.1")
    assert found.code == 2
    assert "none are looked at" in found.err


def test_with_many_rules_it_takes_more_to_fail_and_no_more_to_pass() -> None:
    beyond, kept = compared_of(section(0.22), 0.8), compared_of(section(0.08), 0.8)
    assert [other_facts_check(beyond, 0.1, Levels(ALPHA, ALPHA / number)).outcome for number in (1, 200)] == [
        "fails",
        "unknown",
    ]
    assert {other_facts_check(kept, 0.1, Levels(ALPHA, ALPHA / number)).outcome for number in (1, 200)} == {"holds"}


def told_by_own_pairs(called_same: float, wrongly: tuple[float, float], *, as_they_stand: bool = False) -> list[str]:
    """What is told at the bound, of equally many labelled pairs of what is called the same and of the rest."""
    rng, each, facts = np.random.default_rng(7), 100, 800
    bound = called_same * wrongly[0] + (1 - called_same) * wrongly[1]
    found = []
    for _ in range(200):
        same = rng.random(facts) < called_same
        other = rng.random(facts) < np.where(same, *wrongly)
        strata = [np.flatnonzero(same), np.flatnonzero(~same)]
        chosen = np.concatenate([stratum[:each] for stratum in strata])
        stand_for = np.repeat([1.0 if as_they_stand else len(stratum) / each for stratum in strata], each).tolist()
        right = (same != other)[chosen].tolist()
        shares = [Share(*weighted_share(stand_for, label[chosen].tolist(), right)) for label in (other, ~other)]
        compared = Compared(float((~same).mean()), facts, facts, Calibration("", "", *shares, Share(1, 1), {}))
        found.append(other_facts_check(compared, bound, Levels(ALPHA, ALPHA)).outcome)
    return found


@pytest.mark.parametrize(("called_same", "wrongly"), [(0.8, (0.01, 0.5)), (0.5, (0.02, 0.7))])
def test_with_labelled_pairs_of_the_audit_itself_it_seldom_passes_or_fails(
    called_same: float, wrongly: tuple[float, float]
) -> None:
    found, most = told_by_own_pairs(called_same, wrongly), binom.ppf(0.9995, 200, ALPHA)
    assert found.count("holds") <= most
    assert found.count("fails") <= most


def test_counted_as_they_stand_such_pairs_would_let_pass_what_is_at_the_bound() -> None:
    assert told_by_own_pairs(0.8, (0.01, 0.5), as_they_stand=True).count("holds") > 100
