"""GroupPolicy: scoring and generation for all groups at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel

from trialign.errors import UserError
from trialign.policy.adapters import SHARED, AdapterConfig, attach_adapters
from trialign.policy.cpu import attention_kernel
from trialign.policy.output import score_in_chunks
from trialign.policy.tree import TreeBatch


@dataclass(frozen=True)
class Sampling:
    """How replies are generated.

    Attributes:
        max_new_tokens: longest reply.
        temperature: softmax temperature; 0 is greedy decoding.
        seed: seed of the sampled tokens; the same call with the same seed gives the same replies.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0


class GroupPolicy(nn.Module):
    """One frozen base model with the agents of all groups.

    Args:
        model: the base model; it is changed in place (LoRA layers are injected).
        groups: the groups that are trained, in order. A row of any other group goes through the base weights.
        config: the adapters.

    Raises:
        UserError: the base model cannot carry the adapters or the prefix tree.
    """

    def __init__(self, model: PreTrainedModel, groups: Sequence[str], config: AdapterConfig) -> None:
        super().__init__()
        self.groups = tuple(groups)
        self.config = config
        self.adapters = (SHARED,) if config.adapters == "shared" else self.groups
        self.model: PeftModel
        self.model, self.routing = attach_adapters(model, self.adapters, config)
        score_in_chunks(self.base)
        # A model may bring penalties and cut-offs of its own: its replies would not follow the scored policy.
        self.base.generation_config = GenerationConfig()

    @property
    def base(self) -> PreTrainedModel:
        """The causal language model with the LoRA layers inside."""
        return cast(PreTrainedModel, self.model.get_base_model())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.base.device

    @property
    def context_length(self) -> int:
        """Longest sequence in tokens that the base model was made for."""
        return int(self.base.config.max_position_embeddings)

    def adapter_of(self, group: str) -> str | None:
        """Name of the adapter that answers for a group; None: the base weights."""
        if group not in self.groups:
            return None
        return SHARED if self.config.adapters == "shared" else group

    def adapter_index(self, group: str) -> int:
        """Index for ``TreeRow.adapter``; that of the base weights for a group without an adapter."""
        name = self.adapter_of(group)
        return len(self.adapters) if name is None else self.adapters.index(name)

    def score(self, batch: TreeBatch, *, reference: bool = False) -> Tensor:
        """Log-probability of every branch, given the path that leads to it.

        Args:
            batch: R rows, N action tokens, B branches.
            reference: score with the base weights, whatever the rows' adapters.

        Returns:
            [B] sums over the branch's tokens, in nats, float32.
        """
        self.routing.rows = None if reference else batch.adapters
        with attention_kernel(batch.input_ids.device, batch.input_ids.shape[1]):
            hidden = self.base.get_decoder()(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                position_ids=batch.position_ids.clamp(min=0),
                use_cache=False,
            ).last_hidden_state
        selected = hidden.flatten(0, 1).index_select(0, batch.source)
        tokens: Tensor = self.base.get_output_embeddings()(selected, batch.target)
        return tokens.new_zeros(len(batch.branch_lengths)).index_add(0, batch.branch, tokens)

    @torch.no_grad()
    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        groups: Sequence[str],
        end_id: int,
        sampling: Sampling,
        *,
        reference: bool = False,
    ) -> list[tuple[int, ...]]:
        """Replies of all groups as one batch.

        Args:
            prompts: token ids, one prompt a reply.
            groups: the group that answers each prompt.
            end_id: the token that ends a reply; it is part of the returned ids where it was reached.
            sampling: length, temperature and seed.
            reference: answer with the base weights, whatever the groups.

        Returns:
            One reply a prompt, as token ids.
        """
        length = max(len(prompt) for prompt in prompts)
        ids = torch.zeros(len(prompts), length, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, length - len(prompt) :] = torch.tensor(prompt)
            mask[row, length - len(prompt) :] = 1
        rows = torch.tensor([self.adapter_index(group) for group in groups], device=self.device)
        self.routing.rows = None if reference else rows
        sampled = sampling.temperature > 0
        options = {"do_sample": True, "temperature": sampling.temperature} if sampled else {"do_sample": False}
        with torch.random.fork_rng():
            torch.manual_seed(sampling.seed)
            base: Any = self.base
            output = base.generate(
                input_ids=ids.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=sampling.max_new_tokens,
                eos_token_id=end_id,
                pad_token_id=end_id,
                top_k=0,
                top_p=1.0,
                **options,
            )
        return [_until(reply, end_id) for reply in output[:, length:].tolist()]

    def adapter_state(self, adapter: str) -> dict[str, Tensor]:
        """One adapter's weights under PEFT's names, on the CPU."""
        state = get_peft_model_state_dict(self.model, adapter_name=adapter)
        return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}

    def load_adapter_state(self, adapter: str, state: Mapping[str, Tensor]) -> None:
        """Sets one adapter's weights.

        Raises:
            UserError: names or shapes are not those of this base model and rank.
        """
        expected = {name: tensor.shape for name, tensor in self.adapter_state(adapter).items()}
        given = {name: tensor.shape for name, tensor in state.items()}
        if expected != given:
            differing = sorted(set(expected.items()) ^ set(given.items()), key=str)
            raise UserError(
                f"The adapter '{adapter}' does not fit the base model: {len(differing)} tensors differ in "
                f"name or shape, the first is {differing[0][0]}",
                "Load it on the base model and with the rank it was trained with (see the checkpoint's manifest.json)",
            )
        set_peft_model_state_dict(self.model, dict(state), adapter_name=adapter)


def _until(ids: list[int], end_id: int) -> tuple[int, ...]:
    return tuple(ids[: ids.index(end_id) + 1] if end_id in ids else ids)
