"""Chat templates in the shapes of published ones, over tiny tokenizers of the common kinds, written for these tests.

A shape has the roles, control tokens and blanks of a family's template, and nothing else of it (no tools, no images).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from trialign.models import ChatRenderer

from .kinds import trained

ALTERNATE = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}{% endfor %}"
)
IM_MESSAGES = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
)
IM_PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
HEADER = "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}"
HEADER_PROMPT = "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"


@dataclass(frozen=True)
class Shape:
    """A template with what is to be made of it.

    Attributes:
        template: in Jinja.
        tokenizer: its usual kind.
        special: control tokens.
        added: added tokens that are not marked as special.
        eos: the tokenizer's end token; None: it has none.
        declared: end tokens of generation_config.json.
        end: the token with which a reply's score ends.
        system: whether there is a place for a system message.
        dated: whether it writes the day.
        opening: what is put behind the generation prompt.
        keeps: whether a later turn begins with the one before.
        eats: whether its control tokens take the blanks behind them (Phi-3's rstrip).
    """

    template: str
    tokenizer: str = "bytes"
    special: tuple[str, ...] = ("<s>",)
    added: tuple[str, ...] = ()
    eos: str | None = "</s>"
    declared: tuple[str, ...] = ()
    end: str = "</s>"
    system: bool = True
    dated: bool = False
    opening: str = ""
    keeps: bool = True
    eats: bool = False


IM = ("<|im_start|>", "<|im_end|>")
LLAMA3 = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
GEMMA = ("<bos>", "<start_of_turn>", "<end_of_turn>")
GEMMA_MESSAGES = (
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] | trim"
    " + '<end_of_turn>\n' }}"
)
GEMMA_PROMPT = "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
THOUGHTLESS = "<think>\n\n</think>\n\n"
SHAPES: dict[str, Shape] = {
    "chatml": Shape(IM_MESSAGES + IM_PROMPT, special=IM, eos="<|im_end|>", end="<|im_end|>"),
    "qwen2.5": Shape(
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a model.<|im_end|>\n' }}{% endif %}"
        + IM_MESSAGES
        + IM_PROMPT,
        tokenizer="split",
        special=("<|endoftext|>", *IM),
        eos="<|im_end|>",
        declared=("<|im_end|>", "<|endoftext|>"),
        end="<|im_end|>",
    ),
    "qwen3": Shape(
        "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m['role'] == 'user' %}"
        "{% set ns.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}{% if m['role'] != 'assistant' %}"
        "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% else %}"
        "{% set c = m['content'].split('</think>')[-1].lstrip('\n') %}{{ '<|im_start|>assistant\n' }}"
        "{% if loop.index0 > ns.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{{ c + '<|im_end|>\n' }}{% endif %}"
        "{% endfor %}"
        + IM_PROMPT[: -len("{% endif %}")]
        + "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
        "{% endif %}",
        tokenizer="split",
        special=IM,
        added=("<think>", "</think>"),
        eos="<|im_end|>",
        end="<|im_end|>",
        keeps=False,
    ),
    "qwen3-thinking": Shape(
        IM_MESSAGES + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}",
        tokenizer="split",
        special=IM,
        added=("<think>", "</think>"),
        eos="<|im_end|>",
        end="<|im_end|>",
        opening="\n</think>\n\n",
        keeps=False,
    ),
    "deepseek-r1-distill": Shape(
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
        "{% elif m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% else %}"
        "{{ '<｜Assistant｜>' + m['content'].split('</think>')[-1] + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}",
        tokenizer="split",
        added=("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
        opening="\n</think>\n\n",
        keeps=False,
    ),
    "llama-2": Shape(
        "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set s = messages[0]['content'] %}"
        "{% else %}{% set rest = messages %}{% set s = false %}{% endif %}{% for m in rest %}"
        "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}{% endif %}"
        "{% if loop.first and s %}{% set c = '<<SYS>>\n' + s + '\n<</SYS>>\n\n' + m['content'] %}"
        "{% else %}{% set c = m['content'] %}{% endif %}"
        "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + c.strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + c.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
        tokenizer="blank",
    ),
    "llama-3.1": Shape(
        "{{ bos_token }}{% if not date_string is defined %}{% set date_string = '26 Jul 2024' %}{% endif %}"
        "{% if messages[0]['role'] == 'system' %}{% set s = messages[0]['content'] | trim %}"
        "{% set rest = messages[1:] %}{% else %}{% set s = '' %}{% set rest = messages %}{% endif %}"
        "{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + '\n\n' + s + '<|eot_id|>' }}"
        "{% for m in rest %}" + HEADER + "{% endfor %}" + HEADER_PROMPT,
        tokenizer="split",
        special=LLAMA3,
        eos="<|eot_id|>",
        end="<|eot_id|>",
    ),
    "llama-3.2": Shape(
        "{{ bos_token }}{% if not date_string is defined %}{% if strftime_now is defined %}"
        "{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '26 Jul 2024' %}{% endif %}"
        "{% endif %}{% if messages[0]['role'] == 'system' %}{% set s = messages[0]['content'] | trim %}"
        "{% set rest = messages[1:] %}{% else %}{% set s = '' %}{% set rest = messages %}{% endif %}"
        "{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + '\n\n' + s + '<|eot_id|>' }}"
        "{% for m in rest %}" + HEADER + "{% endfor %}" + HEADER_PROMPT,
        tokenizer="split",
        special=LLAMA3,
        eos="<|eot_id|>",
        declared=("<|eot_id|>",),
        end="<|eot_id|>",
        dated=True,
    ),
    "mistral-v0.1": Shape(
        "{{ bos_token }}" + ALTERNATE + "{% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}",
        tokenizer="blank",
        system=False,
    ),
    "mistral-v0.3": Shape(
        "{% if messages[0]['role'] == 'system' %}{% set s = messages[0]['content'] %}{% set rest = messages[1:] %}"
        "{% else %}{% set rest = messages %}{% endif %}{{ bos_token }}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{% if loop.last and s is defined %}{{ '[INST] ' + s + '\n\n' + m['content'] + '[/INST]' }}"
        "{% else %}{{ '[INST] ' + m['content'] + '[/INST]' }}{% endif %}"
        "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}"
        "{% else %}{{ raise_exception('Only user and assistant roles') }}{% endif %}{% endfor %}",
        tokenizer="blank-first",
        special=("<s>", "[INST]", "[/INST]"),
        system=False,
    ),
    "mistral-v7": Shape(
        "{% if messages[0]['role'] == 'system' %}{% set s = messages[0]['content'] %}{% set rest = messages[1:] %}"
        "{% else %}{% set today = strftime_now('%Y-%m-%d') %}{% set s = 'The current date is ' + today + '.' %}"
        "{% set rest = messages %}{% endif %}{{ bos_token + '[SYSTEM_PROMPT]' + s + '[/SYSTEM_PROMPT]' }}"
        "{% for m in rest %}{% if m['role'] == 'user' %}{{ '[INST]' + m['content'] + '[/INST]' }}"
        "{% elif m['role'] == 'system' %}{{ '[SYSTEM_PROMPT]' + m['content'] + '[/SYSTEM_PROMPT]' }}"
        "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}",
        special=("<s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    ),
    "gemma-2": Shape(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}" + ALTERNATE + "{% for m in messages %}" + GEMMA_MESSAGES + "{% endfor %}" + GEMMA_PROMPT,
        tokenizer="replace",
        special=(*GEMMA, "<eos>"),
        added=("▁▁", "\n\n"),
        eos="<eos>",
        declared=("<eos>", "<end_of_turn>"),
        end="<end_of_turn>",
        system=False,
    ),
    "gemma-3": Shape(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set p = messages[0]['content'] + '\n\n' %}"
        "{% set rest = messages[1:] %}{% else %}{% set p = '' %}{% set rest = messages %}{% endif %}{% for m in rest %}"
        "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n'"
        " + (p if loop.first else '') + m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}" + GEMMA_PROMPT,
        tokenizer="replace",
        special=(*GEMMA, "<eos>"),
        eos="<eos>",
        declared=("<eos>", "<end_of_turn>"),
        end="<end_of_turn>",
    ),
    "phi-3": Shape(
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        tokenizer="blank",
        special=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"),
        eos="<|endoftext|>",
        declared=("<|endoftext|>", "<|assistant|>", "<|end|>"),
        end="<|end|>",
        eats=True,
    ),
    "phi-4": Shape(
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '<|im_sep|>' + m['content'] + '<|im_end|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
        tokenizer="split",
        special=(*IM, "<|im_sep|>"),
        eos="<|im_end|>",
        end="<|im_end|>",
    ),
    "gpt-oss": Shape(
        "{{ '<|start|>system<|message|>You are a model.\nCurrent date: ' + strftime_now('%Y-%m-%d') + '<|end|>' }}"
        "{% for m in messages %}{% if m['role'] == 'system' %}"
        "{{ '<|start|>developer<|message|># Instructions\n\n' + m['content'] + '<|end|>' }}"
        "{% elif m['role'] == 'user' %}{{ '<|start|>user<|message|>' + m['content'] + '<|end|>' }}"
        "{% else %}{{ '<|start|>assistant<|channel|>final<|message|>' + m['content'] }}"
        "{% if loop.last and not add_generation_prompt %}{{ '<|return|>' }}{% else %}{{ '<|end|>' }}{% endif %}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}",
        tokenizer="split",
        special=("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>", "<|call|>"),
        eos="<|return|>",
        declared=("<|return|>", "<|call|>"),
        end="<|return|>",
        dated=True,
        opening="<|channel|>final<|message|>",
    ),
    "granite": Shape(
        "{% if messages[0]['role'] != 'system' %}{{ '<|start_of_role|>system<|end_of_role|>Today is '"
        " + strftime_now('%B %d, %Y') + '.<|end_of_text|>\n' }}{% endif %}{% for m in messages %}"
        "{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] + '<|end_of_text|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}",
        special=("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
        eos="<|end_of_text|>",
        end="<|end_of_text|>",
    ),
    "zephyr": Shape(
        "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
        tokenizer="blank",
    ),
    "vicuna": Shape(
        "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{{ messages[0]['content'] + ' ' }}"
        "{% else %}{% set rest = messages %}{% endif %}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ 'USER: ' + m['content'] + ' ' }}{% else %}{{ 'ASSISTANT: ' + m['content'] + eos_token }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
        tokenizer="blank",
    ),
    "glm-4": Shape(
        "{{ '[gMASK]<sop>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
        tokenizer="split",
        special=("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|endoftext|>"),
        eos="<|endoftext|>",
        declared=("<|endoftext|>", "<|user|>", "<|observation|>"),
        end="<|user|>",
    ),
    "command-r": Shape(
        "{{ bos_token }}{% for m in messages %}{{ '<|START_OF_TURN_TOKEN|>' + {'system': '<|SYSTEM_TOKEN|>', 'user':"
        " '<|USER_TOKEN|>', 'assistant': '<|CHATBOT_TOKEN|>'}[m['role']] + m['content'] + '<|END_OF_TURN_TOKEN|>' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
        special=(
            "<s>",
            "<|START_OF_TURN_TOKEN|>",
            "<|END_OF_TURN_TOKEN|>",
            "<|SYSTEM_TOKEN|>",
            "<|USER_TOKEN|>",
            "<|CHATBOT_TOKEN|>",
        ),
        eos="<|END_OF_TURN_TOKEN|>",
        end="<|END_OF_TURN_TOKEN|>",
    ),
    "falcon": Shape(
        "{% for m in messages %}{% if not loop.first %}{{ '\n' }}{% endif %}{% if m['role'] == 'system' %}"
        "{{ 'System: ' + m['content'] }}{% elif m['role'] == 'user' %}{{ 'User: ' + m['content'] }}"
        "{% else %}{{ 'Assistant: ' + m['content'] }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '\nAssistant:' }}{% endif %}",
        special=("<|endoftext|>",),
        eos="<|endoftext|>",
        end="<|endoftext|>",
    ),
    "olmo": Shape(
        "{{ eos_token }}{% for m in messages %}{% if m['role'] != 'assistant' %}"
        "{{ '<|' + m['role'] + '|>\n' + m['content'] + '\n' }}{% else %}{{ '<|assistant|>\n' + m['content'] }}"
        "{% if not loop.last %}{{ eos_token + '\n' }}{% else %}{{ eos_token }}{% endif %}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
        special=("<|endoftext|>",),
        eos="<|endoftext|>",
        end="<|endoftext|>",
    ),
    "smollm3": Shape(
        "{% set think = enable_thinking is not defined or enable_thinking %}{% if messages[0]['role'] == 'system' %}"
        "{% set s = messages[0]['content'] | trim %}{% set rest = messages[1:] %}{% else %}"
        "{% set s = 'I am a model.' %}{% set rest = messages %}{% endif %}"
        "{{ '<|im_start|>system\n## Metadata\n\nToday Date: ' + strftime_now('%d %B %Y')"
        " + '\nReasoning Mode: ' + ('/think' if think else '/no_think') + '\n\n' + s"
        " + '<|im_end|>\n' }}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ '<|im_start|>user\n' + m['content'] + '<|im_end|>\n' }}{% else %}{{ '<|im_start|>assistant\n' +"
        " ('' if think else '<think>\n\n</think>\n') + m['content'].lstrip('\n') + '<|im_end|>\n' }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' +"
        " ('' if think else '<think>\n\n</think>\n') }}{% endif %}",
        tokenizer="split",
        special=IM,
        added=("<think>", "</think>"),
        eos="<|im_end|>",
        end="<|im_end|>",
        dated=True,
    ),
}


def tokenizer_of(shape: Shape, kind: str | None = None) -> Any:
    """A tokenizer with a shape's control tokens and template."""
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerFast

    values = json.loads(trained(kind or shape.tokenizer))
    # Bytes are ordinary tokens in a published tokenizer.
    values["added_tokens"] = [one for one in values["added_tokens"] if not one["content"].startswith("<0x")]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(values)),
        bos_token="<s>" if "<s>" in shape.special else "<bos>" if "<bos>" in shape.special else None,
        eos_token=shape.eos,
        unk_token="<unk>",
        chat_template=shape.template,
    )
    tokenizer.add_tokens(
        [AddedToken(token, special=True, normalized=False, rstrip=shape.eats) for token in shape.special]
    )
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in shape.added])
    return tokenizer


@cache
def renderer_of(name: str, kind: str | None = None) -> ChatRenderer:
    """The renderer of a shape, over its usual tokenizer or one of another kind."""
    shape = SHAPES[name]
    tokenizer = tokenizer_of(shape, kind)
    return ChatRenderer(tokenizer, [tokenizer.convert_tokens_to_ids(token) for token in shape.declared])
