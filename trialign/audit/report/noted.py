"""What was noted and signed in the dashboard, as a report holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from trialign.audit.files.findings import LIVE, RECORDED, Said, SavedFinding, SavedSignOff
from trialign.audit.report.signing import standing_of
from trialign.audit.report.types import Finding, FindingAnswer, SignOff, Standing

_TOLD = {
    "explicit": "profiles were stated",
    "implicit": "profiles were revealed by an earlier conversation",
    "style": "questions were written as each group writes",
}
_GIVEN = {LIVE: "answered when it was noted", RECORDED: "recorded by the audit"}


def noted_findings(found: Iterable[SavedFinding], step: int) -> list[Finding]:
    """The findings on the agents of one step, alone or beside others, that were not deleted."""
    return [_noted(one) for one in found if step in one.steps and one.deleted is None]


def last_sign_off(
    signed: Sequence[SavedSignOff], noted: Sequence[Finding], files: Callable[[str], str | None]
) -> SignOff | None:
    """The decision that stands, and whether it still is about these files; None as long as nobody has signed.

    Args:
        signed: all of one audit, the oldest first.
        noted: see `standing_of`.
        files: likewise.
    """
    if not signed:
        return None
    return sign_off_of(signed[-1], *standing_of(signed[-1], noted, files))


def sign_off_of(signed: SavedSignOff, standing: Standing, note: str) -> SignOff:
    """A signature as a report holds it."""
    digest = signed.binding.report_sha256 if signed.binding else ""
    return SignOff(signed.name, signed.role, signed.time, signed.decision, signed.remark, standing, note, digest)


def agents_of(finding: SavedFinding) -> str:
    """Whose answers a finding holds, in words."""
    return " and ".join(f"step {step}" if step else "before training" for step in finding.steps)


def asked_how(finding: SavedFinding) -> str:
    """How its question was asked and when it was answered, in words; what was not kept is left out."""
    said = [agents_of(finding), _TOLD.get(finding.exposure, ""), _GIVEN.get(finding.source, "")]
    if finding.audit:
        said.append(f"seen beside the audit {finding.audit}")
    return "; ".join(filter(None, said))


def _noted(finding: SavedFinding) -> Finding:
    return Finding(
        id=str(finding.id),
        user=finding.user,
        time=finding.time,
        query_id=finding.query_id,
        comment="\n".join(remark.comment for remark in finding.remarks if remark.comment),
        disposition=finding.disposition,
        checkpoint=finding.checkpoint_sha256,
        question=finding.question,
        options=finding.options,
        asked=asked_how(finding),
        answers=tuple(_answer(one) for one in finding.answers),
    )


def _answer(said: Said) -> FindingAnswer:
    return FindingAnswer(
        said.step, said.label, said.text, said.canonical, said.probabilities, said.adapter_sha256, said.profile
    )
