"""Live questions: one model, many people, one thread that answers in the order of asking."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from trialign.asking import Watch
from trialign.errors import UserError

from .asking import Answers, Question
from .engine import Source

log = logging.getLogger("trialign")

State = Literal["waiting", "answering", "answered", "refused", "late", "cancelled"]
NO_MEMORY = (
    "This machine has not enough free memory for the base model, so live questions cannot be answered now. "
    "All stored audits can still be read."
)
FAILED = "The model failed on this question. The reason is in the dashboard's log; stored audits can still be read."
LATE = "The answer took longer than {seconds:.0f} seconds and was given up. Ask fewer groups, or try again later."


class Answering(Protocol):
    """What answers: `engine.Engine`, or a stand-in for tests."""

    def answer(self, source: Source, question: Question, watch: Watch) -> Answers:
        """All groups' answers to one question."""
        ...


@dataclass(frozen=True)
class Look:
    """How a question stands at one moment.

    Attributes:
        place: how many questions are before it, the one that is being answered included; 0 while its own turn.
        partial: while answering in free text: the replies so far, of the source that is being asked.
        answers: one a source, once answered.
        reason: why there is no answer, for people.
    """

    state: State
    place: int = 0
    partial: tuple[str, ...] = ()
    answers: tuple[Answers, ...] = ()
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in ("waiting", "answering")


@dataclass(eq=False)
class Ticket:
    """One person's question in the queue. Everything that decides the answer is in it: sources and question."""

    sources: tuple[Source, ...]
    question: Question
    looked_at: float
    state: State = "waiting"
    partial: tuple[str, ...] = ()
    answers: tuple[Answers, ...] = ()
    reason: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)


class LiveQueue:
    """A bounded queue of questions before one model.

    Args:
        engine: what answers; only the queue's own thread calls it.
        root: folder of the runs; it is left out of what people are told.
        capacity: most questions that wait; one more is refused.
        seconds: how long one question may take once its first words are there: the model is read before them.
        patience: a waiting question at which nobody looked for so many seconds is dropped.
        clock: monotonic time in seconds.
    """

    def __init__(
        self,
        engine: Answering,
        root: Path,
        *,
        capacity: int = 32,
        seconds: float = 120,
        patience: float = 180,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine, self.root = engine, root
        self.capacity, self.seconds, self.patience, self.clock = capacity, seconds, patience, clock
        self._waiting: deque[Ticket] = deque()
        self._current: Ticket | None = None
        self._changed = threading.Condition()
        # A daemon: a dashboard that is stopped does not wait for the model.
        threading.Thread(target=self._work, name="trialign-live", daemon=True).start()

    def ask(self, sources: Sequence[Source], question: Question) -> Ticket:
        """Puts a question into the queue.

        Raises:
            UserError: the queue is full.
        """
        with self._changed:
            if len(self._waiting) >= self.capacity:
                raise UserError(
                    f"{self.capacity} questions are waiting already, and more are not taken", "Try again in a minute"
                )
            ticket = Ticket(tuple(sources), question, self.clock())
            self._waiting.append(ticket)
            self._changed.notify_all()
            return ticket

    def look(self, ticket: Ticket) -> Look:
        """How the question stands now."""
        with self._changed:
            ticket.looked_at = self.clock()
            place = 0
            if ticket.state == "waiting":
                place = self._waiting.index(ticket) + (self._current is not None)
            return Look(ticket.state, place, ticket.partial, ticket.answers, ticket.reason)

    def wait(self, ticket: Ticket, timeout: float | None = None) -> Look:
        """Waits until nothing more will come, or for so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: ticket.state not in ("waiting", "answering"), timeout)
        return self.look(ticket)

    def cancel(self, ticket: Ticket) -> None:
        """Takes a question back; one that is being answered ends at its next token."""
        ticket.cancelled.set()
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._end(ticket, "cancelled")

    def _work(self) -> None:
        while True:
            ticket = self._next()
            try:
                self._answer(ticket)
            except UserError as error:
                self._finish(ticket, "refused", str(error).replace(str(self.root), "runs"))
            except MemoryError:
                log.exception("A live question found no memory")
                self._finish(ticket, "refused", NO_MEMORY)
            except Exception:
                # Whatever one question does to the model, the next person's is still answered.
                log.exception("A live question failed")
                self._finish(ticket, "refused", FAILED)

    def _next(self) -> Ticket:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting)
                ticket = self._waiting.popleft()
                if self.clock() - ticket.looked_at <= self.patience:
                    ticket.state, self._current = "answering", ticket
                    return ticket
                self._end(ticket, "cancelled")

    def _answer(self, ticket: Ticket) -> None:
        deadline, late = math.inf, False

        def watch(texts: Sequence[str]) -> bool:
            nonlocal deadline, late
            deadline = min(deadline, self.clock() + self.seconds)
            late = self.clock() > deadline
            with self._changed:
                ticket.partial = tuple(texts)
            return ticket.cancelled.is_set() or late

        answers = []
        for source in ticket.sources:
            answers.append(self.engine.answer(source, ticket.question, watch))
            if ticket.cancelled.is_set():
                return self._finish(ticket, "cancelled")
            if late:
                return self._finish(ticket, "late", LATE.format(seconds=self.seconds))
        self._finish(ticket, "answered", answers=tuple(answers))

    def _finish(self, ticket: Ticket, state: State, reason: str = "", answers: tuple[Answers, ...] = ()) -> None:
        with self._changed:
            ticket.answers, self._current = answers, None
            self._end(ticket, state, reason)

    def _end(self, ticket: Ticket, state: State, reason: str = "") -> None:
        ticket.state, ticket.reason, ticket.partial = state, reason, ()
        self._changed.notify_all()
