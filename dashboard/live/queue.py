"""Live questions: one model, many people, one thread that answers in the order of asking."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

from trialign.asking import Watch
from trialign.errors import UserError

from .replies import Answers, Question, Source

log = logging.getLogger("trialign")

State = Literal["waiting", "answering", "answered", "refused", "cancelled"]
NO_MEMORY = (
    "This machine has not enough free memory for the base model, so live questions cannot be answered now. "
    "All stored audits can still be read."
)
FAILED = "The model failed on this question. The reason is in the dashboard's log; stored audits can still be read."
GONE = "The page was left before the answer was whole, so the agents stopped. Ask again to hear them."


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
        seconds: while waiting, until its turn, as long as the questions before it usually take, None where none was
            answered yet; while answering, since it began.
        limit: seconds after which replies that have not ended are ended.
        partial: while answering in free text: the replies so far, of the source that is being asked.
        answers: one a source, once answered; fewer where the time was up before the last one's turn.
        time: when nothing more came; None before.
        reason: why there is no answer, for people.
    """

    state: State
    place: int = 0
    seconds: float | None = None
    limit: float = 0
    partial: tuple[str, ...] = ()
    answers: tuple[Answers, ...] = ()
    time: datetime | None = None
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in ("waiting", "answering")


@dataclass(eq=False)
class Ticket:
    """One person's question in the queue. Everything that decides the answer is in it: sources and question."""

    queue: LiveQueue
    sources: tuple[Source, ...]
    question: Question
    looked_at: float
    limit: float
    gone: Callable[[], bool]
    state: State = "waiting"
    began: float = 0
    partial: tuple[str, ...] = ()
    answers: tuple[Answers, ...] = ()
    time: datetime | None = None
    reason: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def left(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self.cancelled.is_set() or self.gone()

    def take_back(self, reason: str = "") -> None:
        """Ends it, as `LiveQueue.cancel` does."""
        self.queue.cancel(self, reason)

    @property
    def why_left(self) -> str:
        """What is told to somebody who comes back."""
        return self.reason if self.cancelled.is_set() else GONE


class LiveQueue:
    """A bounded queue of questions before one model.

    Args:
        engine: what answers; only the queue's own thread calls it.
        root: folder of the runs; it is left out of what people are told.
        capacity: most questions that wait; one more is refused.
        seconds: how long one question may take once its first words are there (the model is read before them), where
            it is not asked with another limit; words that are there by then are kept.
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
        # What the last questions took, in seconds a source: those whose options are scored, and those in words.
        self._took: dict[bool, deque[float]] = {True: deque(maxlen=20), False: deque(maxlen=20)}
        # A daemon: a dashboard that is stopped does not wait for the model.
        threading.Thread(target=self._work, name="trialign-live", daemon=True).start()

    def ask(
        self,
        sources: Sequence[Source],
        question: Question,
        *,
        seconds: float | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Ticket:
        """Puts a question into the queue.

        Args:
            sources: who is asked; the base model, which is the same in all of them, in the first one only.
            question: what they are asked.
            seconds: a time limit other than the queue's.
            gone: whether whoever asks has gone; looked at before its turn and at every token.

        Raises:
            UserError: the queue is full.
        """
        with self._changed:
            self._drop()
            if len(self._waiting) >= self.capacity:
                raise UserError(
                    f"{self.capacity} questions are waiting already, and more are not taken", "Try again in a minute"
                )
            limit = self.seconds if seconds is None else seconds
            ticket = Ticket(self, tuple(sources), question, self.clock(), limit, gone)
            self._waiting.append(ticket)
            self._changed.notify_all()
            return ticket

    def look(self, ticket: Ticket) -> Look:
        """How the question stands now."""
        with self._changed:
            ticket.looked_at = self.clock()
            self._drop()
            place, seconds = 0, None
            if ticket.state == "waiting":
                place = self._waiting.index(ticket) + (self._current is not None)
                seconds = self._until(ticket)
            elif ticket.state == "answering":
                seconds = self.clock() - ticket.began
            return Look(
                ticket.state, place, seconds, ticket.limit, ticket.partial, ticket.answers, ticket.time, ticket.reason
            )

    def wait(self, ticket: Ticket, timeout: float | None = None) -> Look:
        """Waits until nothing more will come, or for so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: ticket.state not in ("waiting", "answering"), timeout)
        return self.look(ticket)

    def cancel(self, ticket: Ticket, reason: str = "") -> None:
        """Takes a question back; one that is being answered ends at its next token."""
        with self._changed:
            if ticket.state in ("waiting", "answering"):
                ticket.reason = reason
                ticket.cancelled.set()
                self._drop()

    def _drop(self) -> None:
        """Takes those out of the queue for whose answer nobody waits any more."""
        for ticket in [one for one in self._waiting if one.left]:
            self._waiting.remove(ticket)
            self._end(ticket, "cancelled", ticket.why_left)

    def _until(self, ticket: Ticket) -> float | None:
        """Seconds until the turn of a question that waits."""
        usual = [self._usual(one) for one in self._waiting]
        if self._current is not None:
            whole = self._usual(self._current)
            usual.insert(0, None if whole is None else max(whole - (self.clock() - self._current.began), 0))
        before = usual[: len(usual) - len(self._waiting) + self._waiting.index(ticket)]
        known = [seconds for seconds in before if seconds is not None]
        return sum(known) if len(known) == len(before) else None

    def _usual(self, ticket: Ticket) -> float | None:
        """Seconds that such a question takes, as the last ones did."""
        kind = not ticket.question.free
        took = self._took[kind] or self._took[not kind]
        return median(took) * len(ticket.sources) if took else None

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
                if self.clock() - ticket.looked_at <= self.patience and not ticket.left:
                    ticket.state, ticket.began, self._current = "answering", self.clock(), ticket
                    return ticket
                self._end(ticket, "cancelled", GONE)

    def _answer(self, ticket: Ticket) -> None:
        deadline, late = math.inf, False

        def watch(texts: Sequence[str]) -> bool:
            nonlocal deadline, late
            deadline = min(deadline, self.clock() + ticket.limit)
            late = self.clock() > deadline
            with self._changed:
                ticket.partial = tuple(texts)
            return ticket.left or late

        answers: list[Answers] = []
        for source in ticket.sources:
            question = ticket.question.without_base if answers else ticket.question
            if not question.groups or late:
                break
            said = self.engine.answer(source, question, watch)
            if ticket.left:
                return self._finish(ticket, "cancelled", ticket.why_left)
            answers.append(replace(said, limit=ticket.limit) if late else said)
        took = (self.clock() - ticket.began) / len(answers)
        self._took[not ticket.question.free].append(took)
        self._finish(ticket, "answered", answers=tuple(answers))

    def _finish(self, ticket: Ticket, state: State, reason: str = "", answers: tuple[Answers, ...] = ()) -> None:
        with self._changed:
            ticket.answers, self._current = answers, None
            self._end(ticket, state, reason)

    def _end(self, ticket: Ticket, state: State, reason: str = "") -> None:
        ticket.state, ticket.reason, ticket.partial, ticket.time = state, reason, (), datetime.now(UTC)
        self._changed.notify_all()
