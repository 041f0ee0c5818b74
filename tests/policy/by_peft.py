"""The same agents in PEFT as it is, one row at a time: what the engine is held to."""

from __future__ import annotations

import torch
from peft import PeftModel, get_peft_model, set_peft_model_state_dict
from torch import Tensor
from transformers import PreTrainedModel

from trialign.policy import GroupPolicy


def under_peft(policy: GroupPolicy, base: PreTrainedModel) -> PeftModel:
    """A policy's adapters over another copy of its base."""
    first, *others = policy.groups
    lora = policy.model.peft_config[first]
    model = get_peft_model(base, lora, adapter_name=first)
    for name in others:
        model.add_adapter(name, lora)
    for name in policy.groups:
        set_peft_model_state_dict(model, policy.adapter_state(name), adapter_name=name)
    assert isinstance(model, PeftModel)
    return model


def alone(model: PeftModel, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Tensor:
    """Log-probability of an answer after a prompt."""
    likely = model(input_ids=torch.tensor([prompt + answer]), use_cache=False).logits[0].log_softmax(dim=-1)
    return likely[len(prompt) - 1 : -1].gather(1, torch.tensor(answer).unsqueeze(1)).sum()


def greedy(model: PeftModel, prompt: tuple[int, ...]) -> tuple[int, ...]:
    """The likeliest six tokens, or as many as there are up to the end, 2."""
    ids = list(prompt)
    while len(ids) < len(prompt) + 6 and ids[-1] != 2:
        ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


def gradients(module: torch.nn.Module) -> dict[str, Tensor]:
    """Of the adapters, under their names in the base."""
    return {
        name.split("base_model.", 1)[1]: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in module.named_parameters()
        if "lora_" in name
    }
