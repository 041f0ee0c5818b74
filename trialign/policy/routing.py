"""Which adapter each row of a batch goes through: one object that all layers of a policy read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class Movers:
    """Rows of steered agents: whose adapter each goes through, and what is added to its states.

    Args:
        adapters: [agents] index of the adapter of each steered agent.
        moves: [agents, hidden].
    """

    def __init__(self, adapters: Tensor, moves: Tensor) -> None:
        self._adapters, self._moves = adapters, moves

    def split(self, rows: Tensor, first: int) -> tuple[Tensor, Tensor]:
        """Rows of which the first steered agent has the index ``first``.

        Args:
            rows: [rows].
            first: the index.

        Returns:
            [rows] indices of adapters, and [rows, hidden] what is added: 0 where nobody is steered.
        """
        is_steered = rows >= first
        agents = (rows - first).clamp(min=0)
        adapters = self._adapters.to(rows)[agents].where(is_steered, rows)
        return adapters, self._moves.to(rows.device)[agents] * is_steered.unsqueeze(1)


@dataclass
class Routing:
    """Which adapter each row of the batch in flight goes through; shared by all layers of one policy.

    ``rows`` holds one adapter index a row, [rows]; the index ``len(adapters)`` stands for the base weights.
    None sends every row through the base weights alone. ``active``, [rows, length] bool, turns the adapters off at
    single positions; None leaves them on everywhere.

    ``on``, [rows] bool, is where a row goes through an adapter.

    ``held`` is there while weights and rows stay as they are (see `holding`): each layer's A and B, turned, of
    every block of rows.

    Indices behind that of the base weights are those of steered agents (`trialign.policy.steering`): ``movers`` says
    which adapters their rows go through, and ``moves``, [rows, hidden], is what is added to the rows' states.
    """

    adapters: tuple[str, ...]
    active: Tensor | None = field(default=None)
    held: dict[nn.Module, tuple[Tensor, Tensor]] | None = field(default=None)
    movers: Movers | None = field(default=None)
    moves: Tensor | None = field(default=None, init=False)
    hook: RemovableHandle | None = field(default=None)
    on: Tensor | None = field(default=None, init=False)
    _rows: Tensor | None = field(default=None, init=False)

    @property
    def rows(self) -> Tensor | None:
        """[rows] of the batch in flight; None: all go through the base weights."""
        return self._rows

    @rows.setter
    def rows(self, rows: Tensor | None) -> None:
        self._follow(rows)

    def _follow(self, rows: Tensor | None) -> None:
        """Looks up what all layers need to know of the rows, once for all of them."""
        self.moves = None
        if rows is not None and self.movers is not None:
            rows, self.moves = self.movers.split(rows, len(self.adapters) + 1)
        self._rows, self.on = rows, None if rows is None else rows < len(self.adapters)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Gathers each layer's adapters once, not once a token: they are as many bytes as the base model's weights.

        Only where every adapter has one block of rows, all of a length: no adapter is copied twice.
        """
        if self.rows is not None:
            blocks, counts = self.rows.unique_consecutive(return_counts=True)
            if len(blocks.unique()) == len(blocks) and bool((counts == counts[0]).all()):
                self.held = {}
        try:
            yield
        finally:
            self.held = None
