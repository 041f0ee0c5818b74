"""One model, many people: order, places, limits, and nobody's question answered by another's agents."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trialign.asking import Watch
from trialign.dashboard.live.asking import typed_query
from trialign.dashboard.live.engine import Engine
from trialign.dashboard.live.queue import FAILED, GONE, NO_MEMORY, LiveQueue
from trialign.dashboard.live.replies import Answers, Question, Source
from trialign.errors import UserError
from trialign.groups import GroupSet

pytestmark = pytest.mark.integration
EVERYONE = ("north", "south", "island", "control")
LONG = 60  # seconds after which a test gives up; none is expected to take so long


@dataclass
class SlowEngine:
    """Answers when it is let, one question at a time; a fake model."""

    let: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    order: list[str] = field(default_factory=list)
    at_once: int = 0
    error: BaseException | None = None

    def answer(self, source: Source, question: Question, watch: Watch) -> Answers:
        self.at_once += 1
        assert self.at_once == 1
        self.order.append(question.query.question)
        watch([f"so far: {question.query.question}"])
        self.begun.release()
        stopped = False
        while not stopped and not self.let.acquire(timeout=0.01):
            stopped = watch(["still"])
        self.at_once -= 1
        if self.error:
            raise self.error
        return Answers(source.run, source.step, None, (), ())


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def asked(groups: GroupSet, text: str) -> Question:
    return Question(typed_query(text, ()), "explicit", groups.names)


SOURCE = Source("run", Path("config.yaml"), 0, None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine() -> Iterator[SlowEngine]:
    made = SlowEngine()
    yield made
    made.let.release(100)  # no thread stays behind


@pytest.fixture
def queue(engine: SlowEngine, clock: Clock) -> LiveQueue:
    return LiveQueue(engine, Path("/secret/place"), capacity=3, seconds=10, patience=50, clock=clock)


def test_first_come_first_served_and_everyone_is_told_the_place(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet
) -> None:
    tickets = [queue.ask([SOURCE], asked(groups, "0"))]
    assert engine.begun.acquire(timeout=LONG)
    tickets += [queue.ask([SOURCE], asked(groups, str(number))) for number in (1, 2, 3)]
    looks = [queue.look(ticket) for ticket in tickets]
    assert [look.place for look in looks] == [0, 1, 2, 3]
    assert [look.state for look in looks] == ["answering", "waiting", "waiting", "waiting"]
    assert looks[0].partial in (("so far: 0",), ("still",))
    engine.let.release(4)
    assert [queue.wait(ticket, LONG).state for ticket in tickets] == ["answered"] * 4
    assert engine.order == ["0", "1", "2", "3"]
    assert queue.look(tickets[0]).partial == ()


def test_a_full_queue_says_so(queue: LiveQueue, engine: SlowEngine, groups: GroupSet) -> None:
    queue.ask([SOURCE], asked(groups, "0"))
    assert engine.begun.acquire(timeout=LONG)
    for number in (1, 2, 3):
        queue.ask([SOURCE], asked(groups, str(number)))
    with pytest.raises(UserError, match="3 questions are waiting"):
        queue.ask([SOURCE], asked(groups, "4"))


def test_what_is_cancelled_while_it_waits_is_never_asked(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet
) -> None:
    first = queue.ask([SOURCE], asked(groups, "0"))
    assert engine.begun.acquire(timeout=LONG)
    second, third = (queue.ask([SOURCE], asked(groups, str(number))) for number in (1, 2))
    queue.cancel(second)
    assert queue.look(second).state == "cancelled"
    assert queue.look(third).place == 1
    engine.let.release(2)
    assert queue.wait(third, LONG).state == "answered"
    assert engine.order == ["0", "2"]
    queue.cancel(first)
    assert queue.look(first).state == "answered"  # too late to take it back


def test_what_is_cancelled_while_it_is_answered_ends_at_the_next_token(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet
) -> None:
    ticket = queue.ask([SOURCE, SOURCE], asked(groups, "0"))
    assert engine.begun.acquire(timeout=LONG)
    queue.cancel(ticket)
    assert queue.wait(ticket, LONG).state == "cancelled"
    assert engine.order == ["0"]


def test_what_takes_too_long_ends_with_the_words_that_are_there_and_the_next_is_answered(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet, clock: Clock
) -> None:
    late = queue.ask([SOURCE, SOURCE], asked(groups, "late"))
    following = queue.ask([SOURCE], asked(groups, "next"))
    assert engine.begun.acquire(timeout=LONG)
    clock.now = 10.5
    look = queue.wait(late, LONG)
    # The second source's turn never came.
    assert (look.state, look.answers) == ("answered", (Answers("run", 0, None, (), (), limit=10),))
    engine.let.release()
    look = queue.wait(following, LONG)
    assert look.answers == (Answers("run", 0, None, (), ()),)
    assert engine.order == ["late", "next"]


def test_a_question_may_have_a_time_limit_of_its_own(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet, clock: Clock
) -> None:
    ticket = queue.ask([SOURCE], asked(groups, "0"), seconds=3)
    assert engine.begun.acquire(timeout=LONG)
    clock.now = 3.5
    (answers,) = queue.wait(ticket, LONG).answers
    assert answers.limit == 3


def test_whoever_waits_is_told_the_seconds_that_the_questions_before_usually_take(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet, clock: Clock
) -> None:
    first, second = (queue.ask([SOURCE], asked(groups, text)) for text in "01")
    assert engine.begun.acquire(timeout=LONG)
    assert queue.look(second).seconds is None  # nothing was answered yet
    clock.now = 4
    assert queue.look(first).seconds == 4  # since it began
    engine.let.release()
    assert queue.wait(first, LONG).seconds is None
    assert engine.begun.acquire(timeout=LONG)
    double, last = queue.ask([SOURCE, SOURCE], asked(groups, "2")), queue.ask([SOURCE], asked(groups, "3"))
    clock.now = 5.5  # the second took a second and a half of its four
    assert queue.look(double).seconds == 2.5
    assert queue.look(last).seconds == 2.5 + 2 * 4
    clock.now = 50
    assert queue.look(double).seconds == 0


def test_whose_page_is_gone_is_not_answered_any_further(queue: LiveQueue, engine: SlowEngine, groups: GroupSet) -> None:
    gone = threading.Event()
    tickets = [queue.ask([SOURCE], asked(groups, "0"), gone=gone.is_set)]
    assert engine.begun.acquire(timeout=LONG)
    tickets += [queue.ask([SOURCE], asked(groups, "1"), gone=gone.is_set), queue.ask([SOURCE], asked(groups, "2"))]
    assert queue.look(tickets[2]).place == 2
    gone.set()
    looks = [queue.wait(ticket, LONG) for ticket in tickets[:2]]
    engine.let.release()  # one answer alone: that of whoever is still there
    looks.append(queue.wait(tickets[2], LONG))
    assert [look.state for look in looks] == ["cancelled", "cancelled", "answered"]
    assert [look.reason for look in looks] == [GONE, GONE, ""]
    assert engine.order == ["0", "2"]


def test_the_base_model_is_asked_once(queue: LiveQueue, groups: GroupSet) -> None:
    told: list[tuple[str, ...]] = []

    class Listening:
        def answer(self, source: Source, question: Question, watch: Watch) -> Answers:
            told.append(question.groups)
            return Answers(source.run, source.step, None, (), ())

    queue.engine = Listening()
    question = Question(typed_query("Which?", ()), "explicit", EVERYONE)
    assert len(queue.wait(queue.ask([SOURCE, SOURCE], question), LONG).answers) == 2
    assert told == [EVERYONE, EVERYONE[:-1]]
    alone = Question(typed_query("Which?", ()), "explicit", ("control",))
    assert len(queue.wait(queue.ask([SOURCE, SOURCE], alone), LONG).answers) == 1


def test_the_time_in_which_the_model_is_read_does_not_count(clock: Clock, groups: GroupSet) -> None:
    class Reading:
        def answer(self, source: Source, question: Question, watch: Watch) -> Answers:
            clock.now += 1000
            assert not watch(["first words"])
            clock.now += 10
            assert not watch(["more words"])
            return Answers(source.run, source.step, None, (), ())

    queue = LiveQueue(Reading(), Path("/secret/place"), seconds=10, clock=clock)
    assert queue.wait(queue.ask([SOURCE], asked(groups, "0")), LONG).state == "answered"


def test_a_question_at_which_nobody_looks_any_more_is_dropped(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet, clock: Clock
) -> None:
    first, left, watched = (queue.ask([SOURCE], asked(groups, text)) for text in ("first", "left", "watched"))
    assert engine.begun.acquire(timeout=LONG)
    queue.seconds = 1000
    clock.now = 9
    queue.look(watched)
    clock.now = 55  # 55 s after anybody looked at "left", 46 s after "watched"; its own limit has passed, too
    engine.let.release(2)
    assert queue.wait(watched, LONG).state == "answered"
    assert queue.look(left).state == "cancelled"
    assert queue.look(first).over
    assert engine.order == ["first", "watched"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), NO_MEMORY),
        (RuntimeError("/secret/place/weights exploded"), FAILED),
        (UserError("The file /secret/place/x is torn", "Mend it"), "The file runs/x is torn. Mend it."),
    ],
)
def test_a_failure_is_told_without_details_and_the_next_is_answered(
    queue: LiveQueue, engine: SlowEngine, groups: GroupSet, error: Exception, reason: str
) -> None:
    engine.error = error
    failing = queue.ask([SOURCE], asked(groups, "0"))
    engine.let.release()
    look = queue.wait(failing, LONG)
    assert (look.state, look.reason, look.answers) == ("refused", reason, ())
    engine.error = None
    engine.let.release()
    assert queue.wait(queue.ask([SOURCE], asked(groups, "1")), LONG).state == "answered"


def test_twenty_people_at_once_each_get_their_own_agents_answer(
    stored_runs: list[Source], groups: GroupSet, tmp_path: Path
) -> None:
    """Three checkpoints of two runs, in any order, from twenty threads: each answer is that of its own adapters."""
    texts = ("Which metal is liquid?", "Which drink is best?")
    questions = [Question(typed_query(text, ("Tea", "Mercury", "Iron")), "explicit", EVERYONE) for text in texts]
    expected = {
        (source, number): Engine().answer(source, question, lambda _: False)
        for source in stored_runs
        for number, question in enumerate(questions)
    }
    assert len({answers.replies for answers in expected.values()}) == len(expected)
    queue = LiveQueue(Engine(), tmp_path, capacity=200)
    barrier = threading.Barrier(20)

    def person(seed: int) -> None:
        generator = random.Random(seed)
        barrier.wait(LONG)
        for _ in range(4):
            source, number = generator.choice(stored_runs), generator.randrange(2)
            look = queue.wait(queue.ask([source], questions[number]), LONG)
            assert look.answers == (expected[source, number],)
            assert [reply.adapter_sha256 for reply in look.answers[0].replies] == _hashes(source, groups)

    with ThreadPoolExecutor(20) as people:
        list(people.map(person, range(20)))


def test_two_checkpoints_side_by_side_are_one_question(
    stored_runs: list[Source], groups: GroupSet, tmp_path: Path
) -> None:
    queue = LiveQueue(Engine(), tmp_path)
    question = Question(typed_query("Which?", ("Tea", "Iron")), "explicit", groups.names)
    look = queue.wait(queue.ask(stored_runs[:2], question), LONG)
    assert [answers.step for answers in look.answers] == [1, 2]
    assert look.answers[0].replies != look.answers[1].replies


def _hashes(source: Source, groups: GroupSet) -> list[str | None]:
    from trialign.checkpoints import read_agents

    assert source.checkpoint
    checkpoint = read_agents(source.checkpoint)
    return [checkpoint.adapter_sha256(group) for group in EVERYONE]
