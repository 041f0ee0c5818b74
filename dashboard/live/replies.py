"""What is asked, of which agents, and what they say: records that need no model, and load none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from trialign.group_config import CONTROL
from trialign.groups import Exposure
from trialign.queries import Query


@dataclass(frozen=True)
class Source:
    """Which agents are asked.

    Attributes:
        run: id of the run, as people see it.
        config_file: the run's resolved configuration.
        step: of the checkpoint; 0 for the base model with the groups' profiles.
        checkpoint: its folder; None for step 0.
    """

    run: str
    config_file: Path
    step: int
    checkpoint: Path | None


@dataclass(frozen=True)
class Reply:
    """What one agent said.

    Attributes:
        canonical: the reply read as an answer; None where it holds none.
        finished: whether the agent ended its reply itself; else it was cut off.
        probabilities: one an option, in their order; None for a reply in free text.
        adapter_sha256: hash of the adapter that answered; None for the base weights.
        status: how it was read, or why it was not (see ``trialign.queries.statuses``); empty where that is not known.
    """

    group: str
    label: str
    text: str
    canonical: str | None
    finished: bool
    probabilities: tuple[float, ...] | None
    adapter_sha256: str | None
    status: str = ""


@dataclass(frozen=True)
class Push:
    """Somebody who pushes the agents after their answers.

    Attributes:
        attack: its name, see ``trialign.audit.asking.attacks``.
        target: what is claimed: one of the answers to choose from, or words where there are none.
    """

    attack: str
    target: str


@dataclass(frozen=True)
class Pushed:
    """What one agent says when somebody pushes, and when as many words claim nothing.

    Attributes:
        group: its name.
        said: the words that pushed, one line for each who spoke.
        claim: the reply to them.
        twin: the reply to the neutral words.
    """

    group: str
    said: str
    claim: Reply
    twin: Reply


@dataclass(frozen=True)
class Answers:
    """What all agents of one checkpoint said to one question.

    Attributes:
        run: id of the run.
        step: of the checkpoint; 0 for the base model with the groups' profiles.
        checkpoint_sha256: of its manifest, which holds the hash of every file; None for step 0.
        likelihood: [i][j] in [0, 1]: how likely agent i finds the reply of agent j: its probability for the
            option, or for a text the geometric mean of its probabilities for the tokens. Empty where it is not known.
        limit: seconds after which the replies that had not ended were ended; None where time did not end them.
        pushed: what became of the replies when somebody pushed, in their order; empty where nobody did.
    """

    run: str
    step: int
    checkpoint_sha256: str | None
    replies: tuple[Reply, ...]
    likelihood: tuple[tuple[float, ...], ...]
    limit: float | None = None
    pushed: tuple[Pushed, ...] = ()


@dataclass(frozen=True)
class Question:
    """One question on its way to some agents.

    Attributes:
        query: a typed question (`typed_query`) or one of an audit.
        groups: names of the groups that answer, in this order; ``control`` is the base model without a profile.
        in_words: whether a question with options is asked as a person asks it, and answered in words; one without
            options always is.
        push: who pushes after the answers; None: nobody.
    """

    query: Query
    exposure: Exposure
    groups: tuple[str, ...]
    in_words: bool = False
    push: Push | None = None

    @property
    def free(self) -> bool:
        """Whether it is answered in words."""
        return self.in_words or not self.query.options

    @property
    def without_base(self) -> Question:
        """The same question to the groups alone."""
        return replace(self, groups=tuple(name for name in self.groups if name != CONTROL))
