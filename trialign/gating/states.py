"""What the base model makes of a question before it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trialign.environment import Conversation
from trialign.models import ChatRenderer
from trialign.models.families import decoder_layers
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

    @torch.no_grad()
    def behind(self, layers: Sequence[int], conversations: Sequence[Conversation]) -> Tensor:
        """[layers, conversations, hidden] float32: the states behind some layers, at the same position.

        Args:
            layers: their indices, ascending.
            conversations: each ends with what is replied to.
        """
        rows = [self._marked(self.renderer.render(one)) for one in conversations]
        found = torch.zeros(len(layers), len(rows), int(self.policy.base.config.get_text_config().hidden_size))
        seen: dict[int, Tensor] = {}

        def keep(layer: int) -> Callable[..., None]:
            return lambda _layer, _inputs, output: seen.update({layer: output[0] if type(output) is tuple else output})

        hooks = [decoder_layers(self.policy.base)[layer].register_forward_hook(keep(layer)) for layer in layers]
        try:
            for places in length_batches([row.tokens for row in rows], self.batch_tokens):
                batch = build_tree_batch([rows[place] for place in places]).to(self.policy.device)
                self.policy.predicting(batch, reference=True)
                for index, layer in enumerate(layers):
                    states = seen[layer].flatten(0, 1).index_select(0, batch.source)
                    found[index, places] = states.float().cpu()
        finally:
            for hook in hooks:
                hook.remove()
        return found

    def _row(self, system: str, question: str) -> TreeRow:
        return self._marked(self.renderer.render((("system", system.strip()), ("user", question.strip()))))

    def _marked(self, prompt: tuple[int, ...]) -> TreeRow:
        # An answer of one token, whichever, marks the state that predicts it.
        answer = Segment((prompt[-1],), 0, action=True)
        return TreeRow(len(self.policy.adapters), (Segment(prompt, ROOT), answer))
