"""``trialign plan``: how much memory training takes on each GPU, and how many GPUs that makes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from transformers import BitsAndBytesConfig, LlamaConfig, PreTrainedConfig

from trialign.api.session import Session
from trialign.commands.lengths import measure
from trialign.config import RunConfig
from trialign.models import read_config
from trialign.models.families import plain_reason
from trialign.models.quantized import FewBits, bits_of
from trialign.policy.door import path_of
from trialign.policy.maps import traits_of
from trialign.training.deepspeed import STAGES
from trialign.training.memory import PUBLISHED, Memory, ModelSize, Sharing, Strategy, Work, memory_of, size_of

GIB = 2**30
# CUDA's own context, NCCL's buffers and what the allocator cannot use again.
USABLE = 0.85
MOST_RANKS = 1024
BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
# From what asks for the least communication to what asks for the least memory; FSDP2 last.
STRATEGIES: dict[str, Strategy] = {
    "ddp": Strategy(),
    **{name: Strategy(stage) for name, stage in STAGES.items()},
    "zero3_offload": Strategy(3, offload=True),
    "fsdp2": Strategy(layers=True),
}


def plan(session: Session, sizes: Sequence[str], gibibytes: float) -> None:
    """Prints a table a model: of the configured one, and of published sizes.

    Args:
        session: whose groups, adapters, questions and trainer count.
        sizes: of `trialign.training.memory.PUBLISHED`.
        gibibytes: memory of one GPU.

    Raises:
        UserError: the configuration is at fault.
    """
    session.check()
    work = work_of(session)
    models: dict[str, PreTrainedConfig] = {session.files.name: read_config(session.files.folder, session.files.name)}
    models |= {f"{size} (Llama 2)": LlamaConfig.from_dict(PUBLISHED[size]) for size in sizes}
    trainer = session.config.trainer
    say = Console(soft_wrap=True, highlight=False).print
    say(
        f"A micro-batch of a rank: {work.rows} rows of at most {work.length} positions, {work.actions} action tokens.\n"
        f"Frozen weights in {session.config.model.numbers}, precision {trainer.precision}, activation checkpointing "
        f"{'on' if trainer.activation_checkpointing else 'off'}; GPUs of {gibibytes:g} GiB, filled to {USABLE:.0%}.\n"
        "GiB on each GPU, and of the CPU's memory for it (host)."
    )
    adapters = 1 if session.config.policy.one_for_all else len(session.groups.members)
    for name, config in models.items():
        bits = bits_of(config, session.config.model)
        size = size_of(config, session.config.policy, bits)
        whole = size.kept(BYTES[session.config.model.dtype]) / GIB
        say(
            f"\n{name}: {size.parameters / 1e9:.2f} billion parameters; adapters: {adapters} of "
            f"{size.adapter / 1e6:.1f} million{owned(session)}.\n"
            f"Collection and audits need the whole model on every GPU: {whole:.2f} GiB (but behind a server, and with "
            "trainer.audits=false).\n"
            f"Branches go by {path_of(plain_reason(config))}.{in_bits(size.few, bits)}"
        )
        Console().print(table_of(size, work, adapters, session.config, gibibytes))


def owned(session: Session) -> str:
    """What each group has of its own beside one adapter for all; nothing without a basis."""
    policy, groups = session.config.policy, len(session.groups.members)
    if policy.adapters != "basis":
        return ""
    made_of = traits_of(session.groups, policy)
    if made_of is not None:
        return f", and maps of {made_of.features.shape[1]} numbers and categories to {policy.basis.dimensions} numbers"
    return f", and {policy.basis.dimensions} numbers for each of {groups} groups"


def in_bits(few: FewBits, bits: BitsAndBytesConfig | None) -> str:
    """What is said of a model whose linear layers are in few bits; nothing where they are whole."""
    if bits is None:
        return ""
    kind = str(bits.quantization_method()).removeprefix("llm_")
    return (
        f"\nOf its parameters, {few.elements / 1e9:.2f} billion are kept in {kind}: "
        f"{few.packed / GIB:.2f} GiB with their factors. Neither DeepSpeed nor FSDP2 has been shown to train over such."
    )


def work_of(session: Session) -> Work:
    """The largest micro-batch of one rank, by the lengths of the training questions; at most, not on average."""
    config = session.config
    queries = [query for query in session.require_split("train") if query.kind in config.objective.kinds]
    lengths, _ = measure(session, queries, config.collect.exposures)
    answers = [[len(session.renderer.reply(option)) for option in query.options] for query in queries]
    # One row holds all answers to a question: its options, or as many samples as were drawn.
    replies = [config.collect.max_new_tokens] * config.collect.samples
    alternatives = max(sum(one) if one else sum(replies) for one in answers)
    longest_answer = max(max(one, default=replies[0]) for one in answers)
    turns = 1 + (config.environment.turns if lengths.longest_revision else 0)
    length = (lengths.longest_revision or lengths.longest) + turns * alternatives - longest_answer
    trainer = config.trainer
    drawn = config.policy.basis.draws if config.policy.adapters == "basis" else 0
    groups = min(len(session.groups.members), trainer.groups_per_step or len(session.groups.members))
    rows = trainer.queries_per_step // (trainer.ranks * trainer.micro_batches) * (groups + drawn)
    if config.scoring.kind == "pmi":  # and a row without the question, which all turns share
        return Work(rows=2 * rows, length=length, actions=rows * (turns + 1) * alternatives)
    return Work(rows=rows, length=length, actions=rows * turns * alternatives)


def table_of(size: ModelSize, work: Work, adapters: int, config: RunConfig, gibibytes: float) -> Table:
    """The strategies of one model; '-' where no number of GPUs that was tried is enough.

    Over weights in few bits there is ``ddp`` alone: a configuration with another strategy is refused.
    """
    table = Table()
    for column in ("strategy", "GPUs", "weights", "trained", "layers", "output", "in all", "host"):
        table.add_column(column, justify="left" if column == "strategy" else "right", no_wrap=True)
    for name, strategy in STRATEGIES.items():
        if size.few.elements and strategy != Strategy():
            continue
        ranks, memory = fewest(size, work, strategy, adapters, config, gibibytes)
        parts = (memory.weights, memory.trained, memory.activations, memory.output, memory.total, memory.host)
        count = str(ranks) if memory.total <= USABLE * gibibytes * GIB else "-"
        table.add_row(name, count, *(f"{part / GIB:.2f}" for part in parts))
    return table


def fewest(
    size: ModelSize, work: Work, strategy: Strategy, adapters: int, config: RunConfig, gibibytes: float
) -> tuple[int, Memory]:
    """The smallest power of two of GPUs on which it fits, and what each needs; the most tried where none does.

    Every GPU has a micro-batch of its own: more of them share the weights and not the activations.
    """
    trainer = config.trainer
    ranks = 1
    while True:
        sharing = Sharing(
            ranks=ranks,
            strategy=strategy,
            bucket=trainer.sharding.bucket,
            weight_bytes=BYTES[config.model.dtype],
            mixed=trainer.precision != "32-true",
            on_cpu=trainer.accelerator == "cpu",
            checkpointing=trainer.activation_checkpointing,
            adapters=adapters,
        )
        memory = memory_of(size, work, sharing)
        if memory.total <= USABLE * gibibytes * GIB or ranks >= (1 if strategy == Strategy() else MOST_RANKS):
            return ranks, memory
        ranks *= 2
