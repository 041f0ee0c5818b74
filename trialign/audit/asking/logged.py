"""Agents whose answers another tool logged: nothing is asked any more, and every answer is looked up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialign.asking import Answer
from trialign.errors import UserError
from trialign.queries import Query
from trialign.queries.logs import LogConfig, Logged, files_of, read_logs
from trialign.scoring import Scoring, likeliest
from trialign.storage import sha256_of_file
from trialign.weighing import Asked


@dataclass(frozen=True)
class LoggedAgents:
    """What every group's agent said, by group and question.

    Attributes:
        name: of the model that was asked.
        config: where the logs are.
        replies: (group, question id) -> its replies, in the order of the logs.
        scoring: how scored options become a distribution; None: replies are read.
    """

    name: str
    config: LogConfig
    replies: Mapping[tuple[str, str], Sequence[Logged]]
    scoring: Scoring | None

    @classmethod
    def of(
        cls,
        name: str,
        config: LogConfig,
        groups: Sequence[str],
        known: Mapping[str, Query],
        scoring: Scoring,
        data: str,
    ) -> LoggedAgents:
        """The agents whose replies some logs hold.

        Args:
            name: of the model.
            config: where the logs are.
            groups: names of all groups.
            known: query id -> question, of every question of the data.
            scoring: of options whose log-probabilities were logged.
            data: name of the data, for messages.

        Raises:
            UserError: a log is at fault, or a reply is to no question of the data; names file and sample.
        """
        found = read_logs(config, groups)
        replies: dict[tuple[str, str], list[Logged]] = defaultdict(list)
        for one in found:
            if one.question not in known:
                raise UserError(
                    f"{one.place}: the question '{one.question}' is none of the data '{data}'",
                    "Choose the data that were asked, or say where the ids are: model.logs.map.question=PATH",
                )
            own = replies[one.group, one.question]
            own.append(one)
            if len(own) > config.repeats:
                raise UserError(
                    f"{one.place}: '{one.group}' answered the question '{one.question}' before, at {own[-2].place}",
                    "Say how often each was asked: model.logs.repeats=2, or which samples count: model.logs.only",
                )
        scored = [one for one in found if one.scores]
        if not scored:
            return cls(name, config, replies, None)
        for one in found:
            if not one.scores and known[one.question].options and one.unread is None:
                raise UserError(
                    f"{one.place}: holds a reply, and {scored[0].place} the log-probabilities of options",
                    "Audit the two kinds of logs apart, under names of their own",
                )
        if scoring.kind not in ("sum", "bytes"):
            raise UserError(
                f"scoring.kind is {scoring.kind}, which the logs do not tell: they hold the sum of each option's text",
                "Set scoring.kind to sum or bytes",
            )
        return cls(name, config, replies, scoring)

    @property
    def repeats(self) -> int:
        """How often every group answered each question."""
        return self.config.repeats

    def has(self, group: str) -> bool:
        """Whether there are replies of a group."""
        return any(own == group for own, _ in self.replies)

    def about(self) -> dict[str, Any]:
        """Whose answers they are, and the bytes that they were read from, for the summary."""
        files = {str(file): sha256_of_file(file) for file in files_of(self.config)}
        return {"source": "logs", "name": self.name, "files": files, "repeats": self.repeats}

    def answer(self, asked: Sequence[Asked]) -> Iterator[Answer]:
        """The logged answer to each question, in the order asked.

        Raises:
            UserError: a group did not answer a question, or its options were other ones.
        """
        for one in asked:
            own = self.replies.get((one.group.name, one.query.query_id), ())
            if len(own) <= one.repeat:
                times = f" {self.repeats} times" if self.repeats > 1 else ""
                raise UserError(
                    f"The logs hold no answer of '{one.group.name}' to the question '{one.query.query_id}'{times}",
                    "Ask every group every question, and name all logs in model.logs.files",
                )
            yield self._answer(one.query, own[one.repeat])

    def _answer(self, query: Query, logged: Logged) -> Answer:
        if not logged.scores or not query.options:
            return Answer(logged.text, unread=logged.unread, cut_off=logged.cut_off)
        assert self.scoring is not None
        if set(logged.scores) != set(query.options):
            raise UserError(
                f"{logged.place}: the options were {', '.join(logged.scores)}, and those of the question "
                f"'{query.query_id}' are {', '.join(query.options)}",
                "Have the harness score the options' texts (doc_to_choice), as the data have them",
            )
        sizes = [len(option.encode()) if self.scoring.kind == "bytes" else 1 for option in query.options]
        values = [logged.scores[option] / size for option, size in zip(query.options, sizes, strict=True)]
        probabilities = self.scoring.distribution(values)
        return Answer(query.options[likeliest(probabilities)], probabilities)
