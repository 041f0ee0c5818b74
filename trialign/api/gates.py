"""The release gate: an audit, its rules and a baseline, from disk to an outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from trialign.audit.figures.comparison import measure_audit
from trialign.audit.figures.ways import differing_ways
from trialign.audit.files.folders import find_audit
from trialign.audit.files.items import read_items
from trialign.audit.report.run_comparison import check_alike
from trialign.audit.rules.config import GateConfig, Margins, Way
from trialign.audit.rules.judging import judged_rules
from trialign.audit.rules.result import GATE_SCHEMA_VERSION, GateResult, RuleResult, exit_code, outcome_of
from trialign.audit.rules.sides import Audited, Side, read_audit
from trialign.config import load_gate
from trialign.errors import UserError
from trialign.places import at_home
from trialign.runs import ITEMS, REPLIES, SUMMARY, RunFolder

_FILES: Mapping[Way, str] = {"scores": ITEMS, "words": REPLIES}


def gate(
    run: str | Path,
    against: str | Path | None = None,
    *,
    config: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> GateResult:
    """Holds the last audit of a run to the rules of a gate.

    Args:
        run: a run's folder, or one of its audits.
        against: the baseline: another run or audit of the same questions; None: rules on this audit alone.
        config: a YAML file of the rules, with or without ``gate:`` above them; they come before those of the run's own
            configuration.
        overrides: ``key=value``, such as ``worst=0.8``; they come last.

    Raises:
        UserError: an audit is missing or damaged, a rule is about what was not asked, or the audits cannot be compared.
    """
    folder = find_audit(at_home(run, "run"))
    rules = read_rules(folder.run, config, overrides)
    margins = rules.regression != Margins()
    if margins and against is None:
        raise UserError(
            "The gate has rules against a baseline (gate.regression), and none is named", "Name one: --against RUN"
        )
    if against is not None and not margins:
        raise UserError(
            "A baseline is named, and no rule is about it", "State a margin, such as regression.accuracy=0.02"
        )
    audit = read_audit(folder)
    before = read_audit(find_audit(at_home(against, "against"), like=folder)) if against is not None else None
    if before:
        _check_comparable(before, audit, rules)
    sides = {way: side for way, side in audit.sides.items() if way in rules.ways}
    if not sides:
        raise UserError(
            f"The audit {folder.path} has no answers in {' or '.join(rules.ways)}", "Set gate.ways=[scores, words]"
        )
    alike, notes = _alike(before, audit, sides) if before else ({}, [])
    found = judged_rules(rules, sides, alike)
    if not found:
        raise UserError("The gate states no rule", "Set gate.verdict=true, or state another one (docs/gate.md)")
    outcome = outcome_of(found)
    return GateResult(
        schema_version=GATE_SCHEMA_VERSION,
        outcome=outcome,
        exit_code=exit_code(outcome, rules.on_unknown),
        alpha=rules.alpha,
        on_unknown=rules.on_unknown,
        audit=audit.place,
        against=before.place if before else None,
        file=_from_here(at_home(config, "config") if config is not None else folder.path / SUMMARY),
        rules=_with_lines(found, config),
        notes=tuple(note for note in (audit.note, before.note if before else "", *notes) if note),
    )


def assert_gate(
    run: str | Path, against: str | Path | None = None, *, config: str | Path | None = None, **rules: Any
) -> GateResult:
    """Holds a run to a gate within a test; the message names every rule that is not kept.

    Args:
        run: a run's folder, or one of its audits.
        against: the baseline; None: rules on this audit alone.
        config: a YAML file of the rules.
        rules: as the configuration states them, such as ``worst=0.8`` or ``regression={"accuracy": 0.02}``.

    Raises:
        AssertionError: the gate is not passed, or the facts are too few to tell.
        UserError: see `gate`.
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    overrides = [f"{key}={yaml.safe_dump(value, default_flow_style=True).strip()}" for key, value in rules.items()]
    found = gate(run, against, config=config, overrides=[word.removesuffix("\n...") for word in overrides])
    if not found.passed:
        open_ones = [f"  {one.outcome}: {one.name}: {one.sentence}" for one in found.rules if one.outcome != "passes"]
        raise AssertionError("\n".join([f"{found.audit}: {found.sentence}", *open_ones]))
    return found


def read_rules(run: Path, config: str | Path | None, overrides: Sequence[str]) -> GateConfig:
    """The rules: those of the run's configuration, then of a file, then of words.

    Args:
        run: the run's folder.
        config: a YAML file; None: none.
        overrides: ``key=value``.

    Raises:
        UserError: a file or word cannot be read, or a key or value is at fault.
    """
    stated: dict[str, Any] = {}
    if RunFolder(run).config_file.is_file():
        _merge(stated, RunFolder(run).stored_config().get("gate") or {})
    if config is not None:
        _merge(stated, _file(at_home(config, "config")))
    for word in overrides:
        _merge(stated, _override(word))
    return load_gate(stated)


def _file(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The rules {path} cannot be read", "Name a YAML file: --config gate.yaml") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(f"The rules {path} are no YAML{where}", "Correct the file") from error
    inside = content.get("gate", content) if isinstance(content, dict) else content
    if not isinstance(inside, dict):
        raise UserError(f"The rules {path} are no mapping of keys to values", "Write lines such as 'worst: 0.8'")
    return inside


def _override(word: str) -> dict[str, Any]:
    key, equals, text = word.partition("=")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        equals = ""
    if not equals or not key:
        raise UserError(f"The word {word!r} is no rule", "Write key=value, such as worst=0.8")
    for part in reversed(key.removeprefix("gate.").split(".")):
        value = {part: value}
    return dict(value)


def _merge(stated: dict[str, Any], more: Mapping[Any, Any]) -> None:
    """Later values come before earlier ones, section by section."""
    for key, value in more.items():
        inner = stated.get(key)
        if isinstance(inner, dict) and isinstance(value, Mapping):
            _merge(inner, value)
        else:
            stated[key] = dict(value) if isinstance(value, Mapping) else value


def _from_here(path: Path) -> str:
    """A path below the working folder as one from there, as annotations want it; others as they are."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def _with_lines(rules: Sequence[RuleResult], config: str | Path | None) -> tuple[RuleResult, ...]:
    """The rules with the lines of the file that state them."""
    if config is None:
        return tuple(rules)
    lines = dict(_lines(yaml.compose(at_home(config, "config").read_text(encoding="utf-8")), ""))
    keys = (f"golden.{one.subject}" if one.rule == "golden" else one.rule for one in rules)
    named = (lines.get(key) or lines.get(key.partition(".")[0]) for key in keys)
    return tuple(replace(one, line=line) for one, line in zip(rules, named, strict=True))


def _lines(node: yaml.Node | None, where: str) -> Iterator[tuple[str, int]]:
    """Dotted keys below ``gate``, entries of lists too -> line, from 1."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{where}{key.value}"
            yield name, key.start_mark.line + 1
            yield from _lines(value, "" if name == "gate" else f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        yield from ((f"{where}{entry.value}", entry.start_mark.line + 1) for entry in node.value)


def _check_comparable(before: Audited, audit: Audited, rules: GateConfig) -> None:
    """Refuses a baseline that is the audit itself, of other questions, groups, ways of answering or models."""
    folders = (before.folder, audit.folder)
    if before.folder.path.resolve() == audit.folder.path.resolve():
        raise UserError(f"The audit {audit.folder.path} is its own baseline", "Name another run: --against RUN")
    read = [(one.analysis, _measured(one, "scores")) for one in (before, audit)]
    check_alike(folders, read)
    different = differing_ways({one.place: one.summary for one in (before, audit)})
    if different:
        raise UserError(different.split(". ")[0], "Audit both in the same way")
    models = [one.about.base_model.called for one in (before, audit) if one.about]
    if len(set(models)) > 1 and not rules.other_model:
        raise UserError(
            f"The baseline {before.folder.path} is of another base model, {models[0]!r} instead of {models[1]!r}",
            "Name a run of the same model, or set gate.other_model=true where the change of model is what is gated",
        )


def _measured(audit: Audited, way: Way) -> Any:
    side = audit.sides[way]
    items = read_items(audit.folder.path / _FILES[way])
    return measure_audit(items, side.analysis.groups, side.analysis.exposure)


def _alike(before: Audited, audit: Audited, sides: Mapping[Way, Side]) -> tuple[dict[Way, Side], list[str]]:
    """The baseline in the ways in which both answered the same questions, and a note on the others."""
    found, notes = {}, []
    for way in sides:
        if way in before.sides and _measured(before, way).asked == _measured(audit, way).asked:
            found[way] = before.sides[way]
        else:
            notes.append(f"In {way} nothing is held against the baseline, which was asked otherwise or not at all.")
    return found, notes
