"""GroupPolicy: scoring and generation for all groups at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import (
    Cache,
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteriaList,
)

from trialign.errors import UserError
from trialign.models.families import plain_reason, windows_of
from trialign.models.loading import stated_context
from trialign.policy.activated import Prefixes, active_positions
from trialign.policy.adapters import SHARED, AdapterConfig, attach_adapters, first_adapted
from trialign.policy.basis import SCALES, Coordinates, Draws, add_basis, folded, refuse_beside_basis, scales_of
from trialign.policy.continued import continued
from trialign.policy.cpu import attention_kernel, same_kernel_again
from trialign.policy.drawing import DrawnAlone
from trialign.policy.lower import LowerStates, only
from trialign.policy.maps import Traits
from trialign.policy.output import Watched, score_in_chunks
from trialign.policy.plain import plainly
from trialign.policy.replying import Numbers, Watching, left_padded, until
from trialign.policy.tree import TreeBatch
from trialign.policy.windows import added_as, layer_masks


@dataclass(frozen=True)
class Sampling:
    """How replies are generated.

    Attributes:
        max_new_tokens: longest reply.
        temperature: softmax temperature; 0 is greedy decoding.
        seed: seed of the sampled tokens; the same call with the same seed gives the same replies.
        alone: a seed for each prompt whose reply is drawn at temperature 1, whatever else is in the call; None where
            the likeliest token is taken. Empty: ``temperature`` and ``seed`` hold for all.
    """

    max_new_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    alone: tuple[int | None, ...] = ()


class GroupPolicy(nn.Module):
    """One frozen base model with the agents of all groups.

    Args:
        model: the base model; it is changed in place (LoRA layers are injected).
        groups: the groups that are trained, in order. A row of any other group goes through the base weights.
        config: the adapters.
        invocation: with ``activation: profile``, the token ids that open a profile; the adapters act from their last
            occurrence on, and in a prompt without them not at all.
        apart: names that answer beside the groups, each through an adapter of its own.
        traits: what z is made of in training, with a basis; None: each group has its own.

    Attributes:
        guests: names that answer beside the groups, see `seat`.
        plain: why branches are computed in plain rows and not in a prefix tree (`trialign.policy.plain`); empty where
            the tree is exact.
        continues: whether plain rows without a backward pass go on from copies of their prompt's states instead; not
            before that was seen to be the same (`trialign.policy.door.check_exact`).
        windows: of the base model's attention, along the tree's branches; None: every layer sees all.

    Raises:
        UserError: the base model cannot carry the adapters.
        ValueError: activated adapters without invocation, or the other way round.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        groups: Sequence[str],
        config: AdapterConfig,
        invocation: Sequence[int] = (),
        apart: Sequence[str] = (),
        traits: Traits | None = None,
    ) -> None:
        super().__init__()
        if (config.activation == "profile") != bool(invocation):
            raise ValueError(f"activation is {config.activation}, with {len(invocation)} invocation tokens")
        if invocation and getattr(model.config, "kv_lora_rank", None):
            # The cache holds latents, and every later step makes keys and values of all of them, through the adapters.
            raise UserError(
                "A base model with latent attention cannot have activated adapters (policy.activation=profile)",
                "Set policy.activation=always",
            )
        self.invocation = tuple(invocation)
        self.plain, self.windows = plain_reason(model.config), windows_of(model.config)
        self.continues = False
        unlike = self.plain or ("sliding-window attention" if self.windows else "")
        if unlike and config.activation == "profile":
            raise UserError(
                "Activated adapters (policy.activation=profile) need a prefix tree in which every layer sees all, and "
                f"the base model has {unlike}",
                "Set policy.activation=always",
            )
        self.groups, self.apart = (*groups, *apart), tuple(apart)
        self.config = config
        # Whom a row's index stands for: an adapter, or with a basis the group that scales the one adapter.
        self.adapters = (SHARED, *apart) if config.adapters == "shared" else self.groups
        self.model: PeftModel
        self.coordinates: Coordinates | None = None
        self.guests: tuple[str, ...] = ()
        if config.adapters == "basis":
            refuse_beside_basis(config, apart=bool(apart))
            self.model, self.routing = attach_adapters(model, (SHARED,), config)
            self.coordinates, self.routing = add_basis(self.model, len(self.groups), config.basis, traits)
        else:
            self.model, self.routing = attach_adapters(model, self.adapters, config, self.invocation)
        score_in_chunks(self.base)
        kept = config.train_layers == "upper" and config.lower_cache_mb > 0
        self.lower = LowerStates(config.lower_cache_mb) if kept else None
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
    def score_dtype(self) -> torch.dtype:
        """Number format of scores and of what is computed from them: float32, or wider where the base model is."""
        return torch.promote_types(self.base.dtype, torch.float32)

    @property
    def context_length(self) -> int | None:
        """Longest sequence in tokens that the base model was made for; None: its configuration does not say."""
        return stated_context(self.base.config)

    def adapter_of(self, group: str) -> str | None:
        """Name of the adapter that answers for a group; None: the base weights."""
        if group not in self.groups:
            return None
        return SHARED if self.config.adapters == "shared" and group not in self.apart else group

    def adapter_index(self, group: str) -> int:
        """Index for ``TreeRow.adapter``; that of the base weights for a group without an adapter."""
        if group in self.guests:
            return len(self.adapters) + 1 + self.guests.index(group)  # behind the base weights
        name = self.adapter_of(group)
        return len(self.adapters) if name is None else self.adapters.index(name)

    def seat(self, guests: Mapping[str, Tensor]) -> None:
        """Lets somebody answer whom no group stands for, in the place of those who did so before.

        Args:
            guests: name, which no group has -> z, [dimensions]; without a basis there can be none.
        """
        self.guests = tuple(guests)
        if self.coordinates is not None:
            nobody = torch.zeros(len(guests), len(self.groups))
            self.coordinates.draws = Draws((), nobody, torch.stack([*guests.values()])) if guests else None

    def checkpoint_activations(self) -> None:
        """From now on, in training mode, a layer keeps its input alone and is computed again in the backward pass."""
        self.base.activation_checkpointing_enable({"use_reentrant": False, "context_fn": same_kernel_again})

    def score(self, batch: TreeBatch, *, reference: bool = False, temperature: float = 1.0) -> Tensor:
        """Log-probability of every branch, given the path that leads to it.

        Args:
            batch: R rows, N action tokens, B branches.
            reference: score with the base weights, whatever the rows' adapters.
            temperature: divides the logits of every token, as where replies are drawn at one.

        Returns:
            [B] sums over the branch's tokens, in nats, of ``score_dtype``.
        """
        return self._branch_sums(batch, self._output(batch, reference, temperature))

    def score_watched(self, batch: TreeBatch, watched: Watched) -> tuple[Tensor, Tensor]:
        """The same, and at some action tokens the log-probabilities of others, all from one forward pass.

        Args:
            batch: R rows, N action tokens, B branches.
            watched: T of the action tokens, and k token ids for each.

        Returns:
            [B] sums over the branch's tokens, and [T, k + 1] log-probabilities of the token ids there, then of all
            other tokens together, in nats.
        """
        actions = len(batch.target)
        found = self._output(batch, False, 1.0, watched)
        return self._branch_sums(batch, found[:actions]), found[actions:].view(len(watched.places), -1)

    def _branch_sums(self, batch: TreeBatch, tokens: Tensor) -> Tensor:
        return tokens.new_zeros(len(batch.branch_lengths)).index_add(0, batch.branch, tokens)

    def predicting(self, batch: TreeBatch, *, reference: bool = False) -> Tensor:
        """[actions, hidden] the hidden states from which the output layer predicts each action token."""
        if self.plain:
            decoder, found = self.base.get_decoder(), None
            if self.continues and not torch.is_grad_enabled() and not self._lies_in_shares:
                found = continued(decoder, self.routing, batch, reference=reference)
            return plainly(decoder, self.routing, batch, reference=reference) if found is None else found
        mask, past = batch.attention_mask, None
        if batch.prefix is not None:
            past = self._prefix_cache(batch.prefix)
            mask = torch.cat([batch.prefix.mask(mask.shape[2]), mask], dim=3)
        self.routing.rows = None if reference else batch.adapters
        with attention_kernel(batch.input_ids.device, mask.shape[3]):
            if self.keeps_lower_states and torch.is_grad_enabled() and past is None:
                hidden = self._upper(batch)
            else:
                hidden = self._decode(batch, mask, past_key_values=past)
        return hidden.flatten(0, 1).index_select(0, batch.source)

    def _output(self, batch: TreeBatch, reference: bool, temperature: float, watched: Watched | None = None) -> Tensor:
        states = self.predicting(batch, reference=reference)
        # One call, whatever is wanted of it: ranks that share the layer's weights call it equally often.
        found: Tensor = self.base.get_output_embeddings()(states, batch.target, temperature, watched)
        return found

    @property
    def keeps_lower_states(self) -> bool:
        """Whether training begins at the lowest layer with adapters where a row's states below it are known.

        Not where ranks share the weights, nor with windows: which layers have them goes by their place.
        """
        if self.lower is None or self.plain or self.windows is not None:
            return False
        return not self._lies_in_shares

    @property
    def _lies_in_shares(self) -> bool:
        """Whether ranks share the weights (ZeRO 3, FSDP2): all of them must call the layers equally often."""
        return any(hasattr(one, "ds_id") or isinstance(one, DTensor) for one in self.base.parameters())

    def _decode(self, batch: TreeBatch, mask: Tensor, **inputs: Any) -> Tensor:
        """Hidden states of all positions, [rows, length, hidden]."""
        if "inputs_embeds" not in inputs:
            inputs["input_ids"] = batch.input_ids
        masks = layer_masks(mask, batch.position_ids, self.windows, added_as(self.base))
        hidden: Tensor = self.base.get_decoder()(
            attention_mask=masks, position_ids=batch.position_ids.clamp(min=0), use_cache=False, **inputs
        ).last_hidden_state
        return hidden

    def _upper(self, batch: TreeBatch) -> Tensor:
        """The same as `_decode`, with the states below the adapters taken from memory where they are there."""
        assert self.lower is not None
        decoder, first = self.base.get_decoder(), first_adapted(self.base, self.config)

        @torch.no_grad()
        def compute(rows: Tensor) -> Tensor:
            part = replace(
                batch, **{name: getattr(batch, name)[rows] for name in ("input_ids", "position_ids", "attention_mask")}
            )
            with only(decoder, slice(first), norm=False):
                return self._decode(part, part.attention_mask)

        states = self.lower.states(batch, compute)
        with only(decoder, slice(first, None), norm=True):
            return self._decode(batch, batch.attention_mask, inputs_embeds=states)

    @torch.no_grad()
    def _prefix_cache(self, prefix: Prefixes) -> Cache:
        """The base model's keys and values of every row's prefix, each computed once."""
        if any(getattr(part, "gradient_checkpointing", False) for part in self.base.modules()):
            # transformers drops keys and values that it is given when it computes a layer twice.
            raise UserError(
                "Activated adapters (policy.activation=profile) cannot be trained with activation checkpointing",
                "Turn activation checkpointing off, or set policy.activation=always",
            )
        self.routing.rows = None
        with attention_kernel(prefix.input_ids.device, prefix.input_ids.shape[1]):
            cache: Cache = self.base.get_decoder()(input_ids=prefix.input_ids, use_cache=True).past_key_values
        cache.batch_select_indices(prefix.of_row)
        return cache

    @torch.no_grad()
    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        groups: Sequence[str],
        end_ids: int | Sequence[int],
        sampling: Sampling,
        *,
        called: Sequence[str] = (),
        reference: bool = False,
        samples: int = 1,
        watch: Callable[[Sequence[Sequence[int]]], bool] | None = None,
    ) -> list[tuple[int, ...]]:
        """Replies of all groups as one batch.

        Args:
            prompts: token ids.
            groups: the group that answers each prompt.
            end_ids: the tokens that end a reply; one is part of the returned ids where it was reached.
            sampling: length, temperature and seed.
            called: what an error calls each prompt: its question and group; empty: the group.
            reference: answer with the base weights, whatever the groups.
            samples: replies to each prompt, whose keys and values are computed once for all of them.
            watch: is shown all replies so far after every token; if it returns True they end there.

        Returns:
            ``samples`` replies to the first prompt, then to the second, and so on, as token ids.

        Raises:
            UserError: the model's scores of the next token are not numbers.
        """
        ends = (end_ids,) if isinstance(end_ids, int) else tuple(end_ids)
        ids, mask = (tensor.to(self.device) for tensor in left_padded(prompts))
        rows = torch.tensor([self.adapter_index(group) for group in groups], device=self.device)
        self.routing.rows = None if reference else rows
        cached = (samples > 1 or self.invocation) and ids.shape[1] > 1 and not self.plain
        cache = self._prompt_cache(ids, mask, samples) if cached else None
        self.routing.rows = None if reference else rows.repeat_interleave(samples)
        numbers = LogitsProcessorList([Numbers([name for name in called or groups for _ in range(samples)])])
        options: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            options = {"do_sample": True, "temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
        if any(seed is not None for seed in sampling.alone):
            numbers.append(DrawnAlone(sampling.alone))
        if watch is not None:
            options["stopping_criteria"] = StoppingCriteriaList([Watching(ids.shape[1], ends, watch)])
        kernel = attention_kernel(self.device, ids.shape[1] + sampling.max_new_tokens)
        with torch.random.fork_rng(), self.routing.holding(), kernel:
            torch.manual_seed(sampling.seed)
            base: Any = self.base
            output = base.generate(
                input_ids=ids.repeat_interleave(samples, dim=0),
                attention_mask=mask.repeat_interleave(samples, dim=0),
                past_key_values=cache,
                max_new_tokens=sampling.max_new_tokens,
                eos_token_id=list(ends),
                pad_token_id=ends[0],
                logits_processor=numbers,
                **options,
            )
        return [until(reply, ends) for reply in output[:, ids.shape[1] :].tolist()]

    def _prompt_cache(self, ids: Tensor, mask: Tensor, samples: int) -> Cache:
        """Keys and values of all prompts but for their last token, once for each of a prompt's samples."""
        if self.invocation:
            self.routing.active = active_positions(ids, self.invocation)[:, :-1]
        try:
            cache = self._filled_cache(ids, mask)
        finally:
            self.routing.active = None
        cache.batch_repeat_interleave(samples)
        return cache

    def _filled_cache(self, ids: Tensor, mask: Tensor) -> Cache:
        cache: Cache = self.base.get_decoder()(
            input_ids=ids[:, :-1],
            attention_mask=mask[:, :-1],
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, :-1],
            use_cache=True,
        ).past_key_values
        return cache

    def adapter_state(self, adapter: str) -> dict[str, Tensor]:
        """One adapter's weights under PEFT's names, on the CPU; of a group with a basis, its scale is folded into B."""
        if self.coordinates is not None and adapter != SHARED:
            z = self.coordinates.of(self.adapters.index(adapter))
            return folded(self.adapter_state(SHARED), scales_of(self.model), z)
        state = get_peft_model_state_dict(self.model, adapter_name=adapter)
        return {
            name: tensor.detach().cpu().contiguous().clone()
            for name, tensor in state.items()
            if not name.endswith(SCALES)  # PEFT takes them for its own
        }

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
