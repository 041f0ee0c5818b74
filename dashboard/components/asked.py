"""What was asked: it stands above every set of answers, so that they are never read under another setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trialign.group_config import CONTROL
from trialign.groups import Exposure, SocialGroup
from trialign.queries import Query
from trialign.queries.askable import needs_options

from .markup import Markup

KINDS = {
    "explicit": "Stated: the agent is told who asks",
    "implicit": "Revealed: by an earlier conversation",
    "style": "Written: by how the question is written",
}
_NOBODY = "nothing: it is asked without a profile"


def told(group: SocialGroup | None, exposure: Exposure) -> str:
    """The first wording of a profile, which is the one that is asked here; empty for nobody's."""
    if group is None or group.role == "control" or not group.wordings(exposure):
        return ""
    if exposure == "explicit":
        return group.explicit[0]
    if exposure == "style":
        return f"nothing; the question is written otherwise ({group.style[0]})"
    return "\n".join(f"{message.role}: {message.content}" for message in group.implicit[0])


def asked(
    query: Query,
    names: Sequence[str],
    profiles: Mapping[str, SocialGroup],
    exposure: Exposure,
    agents: str,
    when: str,
    *,
    free: bool,
) -> Markup:
    """The question with all that decides its answers.

    Args:
        query: what was asked.
        names: of the groups that answered; the base model is one of them.
        profiles: the groups by name, as they were told.
        exposure: how their profiles reached the agents.
        agents: of which checkpoints.
        when: the answers were given.
        free: whether it is answered in words.
    """
    groups = [name for name in names if name != CONTROL]
    shown = [profiles[name].label if name in profiles else name for name in groups]
    base = ["the base model without a profile"] if CONTROL in names else []
    facts = [
        _answered(query, free),
        ("Asked", ", ".join((*shown, *base))),
        ("Profile", f"{KINDS[exposure]}, {_wording(groups, profiles, exposure)}" if groups else "none"),
        ("Agents", agents),
        ("When", when),
    ]
    rows = Markup("").join(Markup('<div><dt>{}</dt><dd dir="auto">{}</dd></div>').format(*fact) for fact in facts)
    words = Markup("").join(
        Markup('<div><dt dir="auto">{}</dt><dd dir="auto">{}</dd></div>').format(
            label, told(profiles.get(name), exposure) or "not kept"
        )
        for name, label in zip(groups, shown, strict=True)
    )
    if base:
        words += Markup("<div><dt>The base model</dt><dd>{}</dd></div>").format(_NOBODY)
    return Markup(
        '<section class="ta-card ta-asked" aria-label="What was asked"><p class="ta-question" dir="auto">{}</p>'
        '<dl class="ta-facts">{}</dl><details><summary>What each agent was told of who asks</summary>'
        '<dl class="ta-words">{}</dl></details></section>'
    ).format(query.question, rows, words)


def _answered(query: Query, free: bool) -> tuple[str, str]:
    options = " · ".join(query.options)
    if not free:
        return "Answers to choose from", options
    if not options:
        return "Answers to choose from", "none: answered freely"
    shown = "with the answers shown" if needs_options(query) else "without the answers shown"
    return "Asked in words", f"{shown}; each reply is read as one of: {options}"


def _wording(groups: Sequence[str], profiles: Mapping[str, SocialGroup], exposure: Exposure) -> str:
    counts = {profiles[name].wordings(exposure) for name in groups if name in profiles}
    return f"first of {max(counts)} wordings" if counts and max(counts) > 1 else "in its one wording"
