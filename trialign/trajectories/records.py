"""Trajectories on disk: one Parquet row per query, group, exposure and turn, its samples inside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.queries import Kind, Split
from trialign.scoring import option_values
from trialign.storage import atomic_write

SCHEMA_VERSION = 4


@dataclass(frozen=True)
class Sample:
    """One reply of the behaviour policy.

    Attributes:
        token_ids: the reply's tokens, as they were scored or generated.
        log_probability: sum over the tokens under the base model, which is the reference, in nats.
        text: the reply as text.
        canonical: the answer it was read as; None where it could not be read.
        parse_status: how it was read (see ``trialign.queries.answers``), ``scored`` for an enumerated option.
        reward_truth: 1 or 0; None where the query has no gold answer.
        reward_preference: in [0, 1]; None where the group has no target.
        disagreement: share of the other agents' answers that differ, in [0, 1]; None where the query has no
            gold.
        behaviour: log-probability of the reply under the behaviour policy, in nats: of an option, of being drawn among
            the others; of a text, summed over its tokens at the collection's temperature. None: not known (a text that
            an earlier version collected at another temperature than 1).
    """

    token_ids: tuple[int, ...]
    log_probability: float
    text: str
    canonical: str | None
    parse_status: str
    reward_truth: float | None
    reward_preference: float | None
    disagreement: float | None
    behaviour: float | None = None


@dataclass(frozen=True)
class Trajectory:
    """One observation of one agent, with everything that training needs to know of it.

    Attributes:
        prompt: token ids of the observation.
        options: token ids of every option; empty where the answers cannot be enumerated.
        option_log_probabilities: sum over each option's tokens under the base model, which is the reference, in nats.
        gold: index of the gold option; None without one.
        target: the group's preferred distribution over the options; None without one.
        samples: K replies to this one observation.
        option_sizes: what each option's sum is divided by, under the collection's ``scoring``; empty: by nothing.
        unasked: token ids of the observation with an empty question; empty: it was not needed.
        unasked_log_probabilities: the sums after that prompt, as `option_log_probabilities`.
        adversary: how a neighbour in the prompt asserts something, whatever the agent behind it thinks
            (`trialign.environment.AdversaryConfig`); empty: none does.
        asserted: the option that is asserted: a wrong one, or the right one where the agent's own answer was made
            wrong; empty: none is.
    """

    query_id: str
    cluster: str
    split: Split
    kind: Kind
    group: str
    exposure: Exposure
    wording: int
    turn: int
    topology: str
    prompt: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    option_log_probabilities: tuple[float, ...]
    gold: int | None
    target: tuple[float, ...] | None
    samples: tuple[Sample, ...]
    option_sizes: tuple[int, ...] = ()
    unasked: tuple[int, ...] = ()
    unasked_log_probabilities: tuple[float, ...] = ()
    adversary: str = ""
    asserted: str = ""

    @property
    def option_values(self) -> tuple[float, ...]:
        """What the options count by under the base model (see `trialign.scoring.option_values`)."""
        sizes = self.option_sizes or (1,) * len(self.options)
        return option_values(self.option_log_probabilities, sizes, self.unasked_log_probabilities)


_TOKENS = pa.list_(pa.int32())
_SAMPLE = pa.struct(
    [
        pa.field("token_ids", _TOKENS),
        pa.field("log_probability", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("canonical", pa.string()),
        pa.field("parse_status", pa.string()),
        pa.field("reward_truth", pa.float64()),
        pa.field("reward_preference", pa.float64()),
        pa.field("disagreement", pa.float64()),
        pa.field("behaviour", pa.float64()),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("exposure", pa.string(), nullable=False),
        pa.field("wording", pa.int32(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),
        pa.field("topology", pa.string(), nullable=False),
        pa.field("prompt", _TOKENS, nullable=False),
        pa.field("options", pa.list_(_TOKENS), nullable=False),
        pa.field("option_log_probabilities", pa.list_(pa.float64()), nullable=False),
        pa.field("gold", pa.int32()),
        pa.field("target", pa.list_(pa.float64())),
        pa.field("samples", pa.list_(_SAMPLE), nullable=False),
        pa.field("option_sizes", pa.list_(pa.int32()), nullable=False),
        pa.field("unasked", _TOKENS, nullable=False),
        pa.field("unasked_log_probabilities", pa.list_(pa.float64()), nullable=False),
        pa.field("adversary", pa.string(), nullable=False),
        pa.field("asserted", pa.string(), nullable=False),
    ],
    metadata={"trialign_trajectories": str(SCHEMA_VERSION)},
)

# Version 3 knew no adversaries; version 2 did not keep what an option's score is divided by, or held against; version 1
# nor how probable samples were under the behaviour policy (see `trialign.trajectories.behaviour`).
_THIRD_SCHEMA = pa.schema([*SCHEMA][:-2])
_SECOND_SCHEMA = pa.schema([*_THIRD_SCHEMA][:-3])
_FIRST_SCHEMA = _SECOND_SCHEMA.set(
    _SECOND_SCHEMA.get_field_index("samples"),
    pa.field("samples", pa.list_(pa.struct([one for one in _SAMPLE if one.name != "behaviour"])), nullable=False),
)
_READ = {"1": _FIRST_SCHEMA, "2": _SECOND_SCHEMA, "3": _THIRD_SCHEMA, str(SCHEMA_VERSION): SCHEMA}
_LATER = ("option_sizes", "unasked", "unasked_log_probabilities")
_NUMBERS = ("log_probability", "reward_truth", "reward_preference", "disagreement", "behaviour")


def write_part(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """Writes one part of a collection; the file appears whole or not at all."""
    table = pa.Table.from_pylist([asdict(trajectory) for trajectory in trajectories], schema=SCHEMA)
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_part(path: Path) -> tuple[Trajectory, ...]:
    """Reads one part back.

    Raises:
        UserError: the file is missing, torn, or of a schema that is neither the present nor an earlier one.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"The trajectory file {path} cannot be read ({error})",
            "Delete this file; collect writes it again",
        ) from error
    version = (table.schema.metadata or {}).get(b"trialign_trajectories", b"none").decode()
    if version not in _READ or not table.schema.equals(_READ[version]):
        raise UserError(
            f"The trajectory file {path} has schema version {version}, and this version reads 1 to {SCHEMA_VERSION}",
            "Delete the folder of this collection and collect again",
        )
    rows = tuple(_trajectory(row) for row in table.to_pylist())
    for row in rows:
        _refuse_not_finite(path, row)
    return rows


def _trajectory(row: dict[str, Any]) -> Trajectory:
    samples = tuple(Sample(**{**sample, "token_ids": tuple(sample["token_ids"])}) for sample in row["samples"])
    return Trajectory(
        **{
            **row,
            "prompt": tuple(row["prompt"]),
            "options": tuple(tuple(option) for option in row["options"]),
            "option_log_probabilities": tuple(row["option_log_probabilities"]),
            "target": None if row["target"] is None else tuple(row["target"]),
            "samples": samples,
            **{name: tuple(row[name]) for name in _LATER if name in row},
        }
    )


def _refuse_not_finite(path: Path, row: Trajectory) -> None:
    """Log-probabilities, targets and rewards are numbers: the losses and weights of training follow from them."""
    parts: list[tuple[str, Sequence[float | None]]] = [
        ("option_log_probabilities", row.option_log_probabilities),
        ("unasked_log_probabilities", row.unasked_log_probabilities),
        ("target", row.target or ()),
        *((name, [getattr(sample, name) for sample in row.samples]) for name in _NUMBERS),
    ]
    for name, values in parts:
        if not all(value is None or math.isfinite(value) for value in values):
            raise UserError(
                f"The trajectory file {path} has a number that is none in {name} of '{row.query_id}', "
                f"group '{row.group}', turn {row.turn}",
                "Delete the folder of this collection and collect again, in model.dtype=float32 or bfloat16",
            )
