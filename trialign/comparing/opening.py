"""The comparer that a configuration names, opened before anything is asked, with what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from trialign.comparing.calibration import CALIBRATION_FILE, Calibration, labelled_pairs, measure
from trialign.comparing.compare import Teller, compare
from trialign.comparing.entailment import Entailment
from trialign.comparing.judge import Judge, JudgeConfig
from trialign.errors import UserError
from trialign.places import at_home

Kind = Literal["canonical", "nli", "judge"]


@dataclass(frozen=True)
class Comparer:
    """A comparer and its errors.

    Attributes:
        nli: two-way entailment; None: it is not asked.
        judge: the judge; None: it is not asked.
        calibration: how often it is right.
    """

    nli: Teller | None
    judge: Teller | None
    calibration: Calibration


def open_comparer(kind: Kind, nli: str | None, judge: JudgeConfig, calibration: str | None, answers: Path) -> Comparer:
    """Loads what compares, and reads what was measured of it.

    Args:
        kind: the last step: ``canonical``, ``nli``, or ``judge`` (with entailment before it where a model is named).
        nli: hub id or folder of the model of entailment.
        judge: how the judge is asked.
        calibration: file that ``trialign calibrate`` wrote; None: that in the folder of the model. Canonical answers
            alone are measured here.
        answers: file of the judge's replies that are kept.

    Raises:
        UserError: a model, an address or the calibration is missing or at fault.
    """
    if kind == "canonical" and not calibration:
        return Comparer(None, None, _of_canonical())
    entailment, asked = open_steps(kind, nli, judge, answers)
    file = calibration_file(kind, nli, calibration)
    if file is None:
        raise UserError(
            f"What audit.comparer={kind} gets wrong is not known: audit.calibration is not set",
            "Measure it with trialign calibrate --write FILE, and set audit.calibration=FILE",
        )
    return Comparer(entailment, asked, Calibration.read(file, identity(entailment, asked)))


def open_steps(
    kind: Kind, nli: str | None, judge: JudgeConfig, answers: Path
) -> tuple[Entailment | None, Judge | None]:
    """The steps behind canonical answers; arguments as `open_comparer` takes them.

    Raises:
        UserError: a model or an address is missing or at fault.
    """
    if kind == "canonical":
        return None, None
    if kind == "nli" and not nli:
        raise UserError(
            "audit.comparer=nli needs a model, and audit.nli is not set", "Set audit.nli to a hub id or folder"
        )
    return Entailment.load(nli) if nli else None, Judge.at_the_door(judge, answers) if kind == "judge" else None


def calibration_file(kind: Kind, nli: str | None, calibration: str | None) -> Path | None:
    """Where what was measured of a comparer lies; None where nothing says it."""
    if calibration:
        return at_home(calibration, "audit.calibration")
    if kind == "nli" and at_home(str(nli), "audit.nli").is_dir():
        return at_home(str(nli), "audit.nli") / CALIBRATION_FILE
    return None


def identity(nli: Entailment | None, judge: Judge | None) -> str:
    """What a calibration is of: the steps, with name and hash of each."""
    return " + ".join(["canonical", *(one.identity for one in (nli, judge) if one)])


@cache
def _of_canonical() -> Calibration:
    labelled, sha256 = labelled_pairs()
    return measure(labelled, compare, identity(None, None), sha256)
