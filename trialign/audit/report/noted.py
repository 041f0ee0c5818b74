"""What was noted and signed in the dashboard, as a report holds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trialign.audit.report import Finding, SignOff

from ..files.findings import SavedFinding, SavedSignOff


def noted_findings(found: Iterable[SavedFinding], step: int) -> list[Finding]:
    """The findings on the agents of one step that were not deleted."""
    return [_noted(one) for one in found if one.step == step and one.deleted is None]


def last_sign_off(signed: Sequence[SavedSignOff]) -> SignOff | None:
    """The decision that holds; None as long as nobody has signed."""
    if not signed:
        return None
    last = signed[-1]
    return SignOff(last.name, last.role, last.time, last.decision, last.remark)


def _noted(finding: SavedFinding) -> Finding:
    comment = "\n".join(remark.comment for remark in finding.remarks if remark.comment)
    if not finding.query_id:
        comment = f"Asked: {finding.question}\n{comment}"
    return Finding(
        id=str(finding.id),
        user=finding.user,
        time=finding.time,
        query_id=finding.query_id,
        comment=comment,
        disposition=finding.disposition,
        checkpoint=finding.checkpoint_sha256,
    )
