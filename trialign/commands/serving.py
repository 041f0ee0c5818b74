"""How exported agents are served by vLLM: what their model card says of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from trialign.api.session import Session

# What vLLM takes as --max-lora-rank: `MaxLoRARanks` of its vllm/config/lora.py, versions 0.14 to 0.32.
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
_PORT = 8000  # vLLM's own; further models of their own processes take the next ones

_PROMPTS = (
    "`--lora-target-modules` names the adapted layers: without it, vLLM 0.32 ends when it is asked for "
    "log-probabilities of a prompt (which is how options are scored)."
)
# By vLLM's model_loader/bitsandbytes_loader.py, which quantises with `compress_statistics=True, quant_type="nf4"`.
_BITS = {
    "nf4": (
        "With `--quantization bitsandbytes`, vLLM keeps the linear layers in NF4 with factors that are quantised too, "
        "as they were in training. That it gives the same answers was not tried."
    ),
    "int8": (
        "vLLM does not make such 8-bit weights of whole ones: this command serves the whole weights, over which the "
        "adapters were not trained."
    ),
}


def serving(session: Session, *, merged: bool, layers: Sequence[str] = ()) -> str:
    """The commands and what is to be known of them; a paragraph or two of Markdown.

    Args:
        session: the run.
        merged: each group has a whole model, not an adapter.
        layers: names of the layers that the adapters adapt.
    """
    if session.config.policy.activation == "profile":
        return (
            "These adapters act from the profile on. vLLM applies an adapter to a whole text and cannot serve them; "
            "PEFT does, by what `adapter_config.json` says."
        )
    if merged:
        return _fenced(*_each_alone(session.groups.names))
    rank = next((one for one in _RANKS if one >= session.config.policy.rank), None)
    if rank is None:
        return (
            f"vLLM serves adapters up to rank {_RANKS[-1]}, and these have {session.config.policy.rank}: serve them "
            "with PEFT, or export whole models with `--merged`."
        )
    names = session.groups.names
    adapters = " ".join(shlex.quote(f"{name}={name}") for name in names)
    bits = session.config.model.quantization
    command = (
        f"vllm serve {shlex.quote(_base(session))} {'--quantization bitsandbytes ' * (bits == 'nf4')}--enable-lora "
        f"--max-loras {len(names)} --max-lora-rank {rank} --lora-target-modules {' '.join(layers)} "
        f"--lora-modules {adapters}"
    )
    of_bits = (_BITS[bits],) if bits in _BITS else ()
    return "\n\n".join((*_on_the_weights(session), _fenced(command), *of_bits, _PROMPTS))


def _each_alone(names: tuple[str, ...]) -> list[str]:
    """A process for each model: vLLM serves one a process."""
    return [
        f"vllm serve {shlex.quote(f'./{name}')} --served-model-name {shlex.quote(name)} --port {_PORT + place}"
        for place, name in enumerate(names)
    ]


def _fenced(*commands: str) -> str:
    return "\n".join(("```bash", *commands, "```"))


def _base(session: Session) -> str:
    """What the adapters were trained on: where it was converted from a GGUF file, no repository has those weights."""
    return str(session.files.folder) if is_converted(session) else session.files.name


def is_converted(session: Session) -> bool:
    """Whether the base model was made here from a GGUF file."""
    return session.config.model.source in ("gguf", "package")


def _on_the_weights(session: Session) -> tuple[str, ...]:
    if not is_converted(session):
        return ()
    return (
        f"The adapters were trained on the weights of a GGUF file, dequantised, which are not those that "
        f"`{session.files.name}` has elsewhere. The command serves the folder into which they were converted; take it "
        "along, or export whole models with `--merged`.",
    )
