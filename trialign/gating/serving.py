"""How agents behind a gate are asked: the same for audits, predictions and live questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trialign.checkpoints import AgentCheckpoint
from trialign.environment import told_of
from trialign.gating.gate import Gate, read_gate
from trialign.gating.neutral import neutralised
from trialign.gating.states import Reader
from trialign.groups import FACTS, Exposure, SocialGroup
from trialign.models import ChatRenderer
from trialign.policy import GroupPolicy
from trialign.policy.steering import steer, steered
from trialign.queries import Query
from trialign.weighing import Asked

# Who answers a fact without a profile: a name that no member has goes through the base weights.
BASE = SocialGroup("control", "Base model", role="control")
# The adapter that learned facts alone.
FACTS_ALONE = SocialGroup(FACTS, "Facts", role="control")


@dataclass
class Gatekeeper:
    """Decides by the question alone whether it asks for a fact, and puts facts to the agents as the gate wants it.

    The kind of a query, which is part of the answer key, is never looked at. The control, which has no profile, is
    asked as ever.

    Attributes:
        gate: what was fitted.
        reader: of the base model's hidden states.
        members: all groups with a profile.
    """

    gate: Gate
    reader: Reader
    members: Sequence[SocialGroup]
    _known: dict[str, bool] = field(default_factory=dict)

    def facts(self, questions: Sequence[str]) -> list[bool]:
        """Whether each question is taken for one about a fact; every question is looked at once."""
        new = [question for question in dict.fromkeys(questions) if question not in self._known]
        if new:
            logits = self.gate.classifier.logits(self.reader.states(self.gate.system, new))
            self._known.update(zip(new, (logits > 0).tolist(), strict=True))
        return [self._known[question] for question in questions]

    def __call__(self, asked: Sequence[Asked]) -> list[Asked]:
        """The same questions, those that are taken for facts as the gate puts them."""
        taken = self.facts([one.query.question for one in asked])
        return [self._fact(one) if fact else one for one, fact in zip(asked, taken, strict=True)]

    def _fact(self, asked: Asked) -> Asked:
        if asked.group.role == "control":
            return asked
        if self.gate.facts == "neutral":
            other = neutralised(asked.group, self.members)
            return replace(asked, conversation=told_of(asked.conversation, asked.group, other, *_how(asked)))
        if self.gate.facts == "steered":
            return as_steered(asked)
        who = FACTS_ALONE if self.gate.facts == "adapter" else BASE
        return replace(asked, group=who, conversation=told_of(asked.conversation, asked.group, who, *_how(asked)))

    def counts(self, queries: Sequence[Query]) -> dict[str, Any]:
        """The gate's errors on questions whose kinds are known, for an audit's summary."""
        taken = dict(zip((query.query_id for query in queries), self.facts([q.question for q in queries]), strict=True))
        of_kind = {
            kind: [taken[query.query_id] for query in queries if query.kind == kind]
            for kind in ("truth", "preference", "mixed")
        }
        facts, tastes, mixed = of_kind.values()
        return {
            "facts": self.gate.facts,
            "truth": {"questions": len(facts), "taken_for_tastes": len(facts) - sum(facts)},
            "preference": {"questions": len(tastes), "taken_for_facts": sum(tastes)},
            "mixed": {"questions": len(mixed), "taken_for_facts": sum(mixed)},
        }


def as_steered(asked: Asked) -> Asked:
    """The same question put to the same agent, its states moved."""
    return replace(asked, group=replace(asked.group, name=steered(asked.group.name)))


def _how(asked: Asked) -> tuple[Exposure, int]:
    return asked.exposure, asked.wording


def gatekeeper(
    checkpoint: AgentCheckpoint | None,
    policy: GroupPolicy,
    renderer: ChatRenderer,
    batch_tokens: int,
    members: Sequence[SocialGroup],
) -> Gatekeeper | None:
    """Who stands before the agents of a checkpoint; None: nobody does.

    Raises:
        UserError: the checkpoint's gate is damaged.
    """
    gate = read_gate(checkpoint) if checkpoint else None
    steer(policy, gate.steering if gate else None)
    return Gatekeeper(gate, Reader(policy, renderer, batch_tokens), members) if gate else None
