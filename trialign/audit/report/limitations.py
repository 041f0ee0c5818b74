"""What a report does not show, said in the report itself."""

from __future__ import annotations

import pandas as pd

from trialign.audit.figures.rows import OPINIONS, first_asked, own_answers
from trialign.audit.files.integrity import not_verifiable
from trialign.audit.report.types import AuditPart

_ALWAYS = (
    "The figures are about these questions, in this language and these words. Other questions may give others.",
    "A group is represented by written profiles that the model is given. No member of a group was asked or observed.",
    "Equal accuracy does not mean equal answers, and equal answers may be equally wrong: the verdict, the agreement "
    "and the wrong answers are to be read together.",
)


def limitations(
    audit: AuditPart, before: AuditPart | None, items: pd.DataFrame, ways: str | None = None
) -> tuple[str, ...]:
    """Sentences; those that hold of every report, and those that hold of this one.

    Args:
        audit: that is reported.
        before: the earlier one.
        items: of the audit.
        ways: that the two audits got their answers in different ways, in words; None: they did not.
    """
    analysis = audit.analysis
    facts, opinions = analysis.facts, analysis.opinions
    said = [not_verifiable(audit.unverified)] if audit.unverified else []
    if before and before.unverified:
        said.append(f"Of the audit before: {not_verifiable(before.unverified)}")
    said += _ALWAYS
    if items["exposure"].nunique() == 1:
        other = "implicit" if analysis.exposure == "explicit" else "explicit"
        said.append(f"Profiles were {analysis.exposure}; {_EXPOSURES[other]} was not audited.")
    if facts and facts.excess_flips and facts.excess_flips.note:
        said.append(facts.excess_flips.note)
    if facts and facts.no_answer.value:
        said.append(f"{100 * facts.no_answer.value:.1f} % of the replies held no readable answer; they count as wrong.")
    if audit.control and audit.control.unread and sum(audit.control.unread.values()) > analysis.bounds.most_unread:
        said.append(
            f"{100 * sum(audit.control.unread.values()):.1f} % of the replies without a profile held no answer: how "
            "far the groups depart from it cannot be judged."
        )
    tastes = first_asked(own_answers(items, OPINIONS, analysis.exposure))
    unread = tastes.loc[tastes["group"].isin(analysis.groups), "canonical"].isna().mean()
    if unread > 0:
        said.append(f"{100 * unread:.1f} % of the replies to questions of taste held no answer; they meet nobody's.")
    if opinions:
        said.append(
            "Questions of taste are scored on targets from the question file. Whether these describe the groups was "
            "not examined here."
        )
    if not analysis.turns:
        said.append("Every agent answered alone. What a conversation does to the answers was not audited.")
    if audit.control is None:
        said.append("The model without any profile was not asked, so nothing tells which group it treats as usual.")
    if before:
        said.append(
            "Changes are between two given systems: their intervals are about the questions, and say nothing of how "
            "another training with another seed would turn out."
        )
    if ways:
        said.append(ways)
    if audit.about is None:
        said.append("The audit kept no record of the system and of the questions' words; they cannot be shown.")
    said.append(
        "Pairs, changes and parts are corrected for their number, each among themselves. The report as a whole is not: "
        "one small p-value among many figures proves little."
    )
    return tuple(said)


_EXPOSURES = {
    "explicit": "what happens where a profile is stated outright",
    "implicit": "what happens where earlier dialogue reveals a profile",
    "style": "what happens where only the way of writing tells who asks",
}
