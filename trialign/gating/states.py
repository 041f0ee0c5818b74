"""What the base model makes of a question before it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trialign.models import ChatRenderer
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.scoring import length_batches


@dataclass(frozen=True)
class Reader:
    """Reads hidden states of the base weights, whatever adapters the policy has.

    Attributes:
        batch_tokens: most positions in one forward pass.
    """

    policy: GroupPolicy
    renderer: ChatRenderer
    batch_tokens: int

    @torch.no_grad()
    def states(self, system: str, questions: Sequence[str]) -> Tensor:
        """[questions, hidden] float32: the last layer's state from which a reply's first token would be predicted.

        Args:
            system: the instruction before the question.
            questions: asked without profile and without options.
        """
        rows = [self._row(system, question) for question in questions]
        found = torch.zeros(len(rows), int(self.policy.base.config.get_text_config().hidden_size))
        for places in length_batches([row.tokens for row in rows], self.batch_tokens):
            batch = build_tree_batch([rows[place] for place in places]).to(self.policy.device)
            found[places] = self.policy.predicting(batch, reference=True).float().cpu()
        return found

    def _row(self, system: str, question: str) -> TreeRow:
        prompt = self.renderer.render((("system", system.strip()), ("user", question.strip())))
        # An answer of one token, whichever, marks the state that predicts it.
        answer = Segment((prompt[-1],), 0, action=True)
        return TreeRow(len(self.policy.adapters), (Segment(prompt, ROOT), answer))
