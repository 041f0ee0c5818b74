"""What a report holds; ``report.json`` is this, as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.comparison import Difference
from trialign.audit.figures.noticed import TraitChange
from trialign.audit.files.record import AuditAbout

REPORT_SCHEMA_VERSION = 4
# Whether a signature still is about what it was put to: the files and the findings are the same; the files are, and
# something was noted since; a file is another one or gone; it was made when no hashes were kept with it.
Standing = Literal["holds", "noted_since", "stale", "unbound"]


@dataclass(frozen=True)
class FindingAnswer:
    """An answer that an auditor saw, as it was then.

    Attributes:
        step: of the agent; 0 for the base model.
        group: how it is called for people.
        answer: verbatim.
        canonical: the answer as it was read; None where it could not be, or was not kept.
        probabilities: of the question's options, in their order; None for a free reply.
        adapter_sha256: of the adapter that answered; None for the base weights, or where it was not kept.
        profile: the words by which the agent knew who asks; empty for nobody's.
    """

    step: int
    group: str
    answer: str
    canonical: str | None
    probabilities: tuple[float, ...] | None
    adapter_sha256: str | None
    profile: str


@dataclass(frozen=True)
class Finding:
    """What an auditor noted.

    Attributes:
        id: unique in the report.
        user: who noted it.
        time: ISO 8601, UTC.
        query_id: the question that it is about; empty for the audit as a whole.
        comment: in the auditor's words.
        disposition: what became of it, in a word: open, accepted, fixed.
        checkpoint: SHA-256 of the adapter or the manifest that was looked at.
        question: verbatim; empty where it was not kept.
        options: to choose from.
        asked: how it was asked and when the answers were given, in words.
        answers: of every agent that was asked.
    """

    id: str
    user: str
    time: str
    query_id: str
    comment: str
    disposition: str
    checkpoint: str
    question: str = ""
    options: tuple[str, ...] = ()
    asked: str = ""
    answers: tuple[FindingAnswer, ...] = ()


@dataclass(frozen=True)
class SignOff:
    """Who decided what.

    Attributes:
        name: of the person.
        role: in which capacity.
        time: ISO 8601, UTC.
        decision: in a few words.
        remark: anything else; may be empty.
        standing: whether it still is about what it was put to.
        note: the same in a sentence.
        report_sha256: of ``report.json`` as it was signed, with no signature in it; empty where it was not kept.
    """

    name: str
    role: str
    time: str
    decision: str
    remark: str = ""
    standing: Standing = "unbound"
    note: str = "It does not say to which files it was put."
    report_sha256: str = ""


@dataclass(frozen=True)
class FileHash:
    """A file that the report was made from.

    Attributes:
        path: relative to the folder of runs.
        sha256: 64 hexadecimal digits.
        bytes: its size.
    """

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Control:
    """The base weights without a profile; reported apart.

    Attributes:
        accuracy: share of facts answered right.
        flip_rate: group -> share of facts on which it answers otherwise.
        unread: why a reply to a fact holds no answer -> share of all; None where an older audit did not count.
    """

    accuracy: float
    flip_rate: dict[str, float]
    unread: dict[str, float] | None = None


@dataclass(frozen=True)
class AuditPart:
    """One audit: of whom, and what came out.

    Attributes:
        run: name of the run.
        step: optimizer steps; 0 for the base model.
        about: the system; None where the audit kept no record of it.
        adapter_sha256: group -> hash of the adapter file that answered; None for the base weights.
        seconds: how long it took.
        analysis: as ``analysis.json`` holds it.
        control: None if no control was asked.
        nash: welfare over accuracies and scores; None if undefined.
        files: what was read.
        unverified: names of those among them whose hash the audit did not keep: whether they are as it wrote them
            cannot be verified.
    """

    run: str
    step: int
    about: AuditAbout | None
    adapter_sha256: dict[str, str | None]
    seconds: float
    analysis: AuditAnalysis
    control: Control | None
    nash: float | None
    files: tuple[FileHash, ...]
    unverified: tuple[str, ...]


@dataclass(frozen=True)
class QuestionSet:
    """What was asked.

    Attributes:
        data: name of the set.
        split: which part of it.
        exposure: how the profile reached the agents.
        scoring: how an answer among options was found.
        scoring_temperature: divides the options' scores before the softmax; None where none were scored.
        answering: how an answer to a choice was found, in words.
        n_questions: questions.
        n_clusters: facts and tastes; paraphrases of one are one.
        n_truth: questions of fact.
        n_preference: questions of taste.
        n_mixed: facts to be answered in the form that a group prefers.
        topics: topic -> (facts' questions, tastes' questions).
    """

    data: str
    split: str
    exposure: str
    scoring: str
    scoring_temperature: float | None
    answering: str
    n_questions: int
    n_clusters: int
    n_truth: int
    n_preference: int
    n_mixed: int
    topics: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class GroupAnswer:
    """What one group's agent said.

    Attributes:
        group: its name.
        answer: verbatim.
        correct: whether it is right.
        probability: that the agent gives to this answer; None where it is not known.
    """

    group: str
    answer: str
    correct: bool
    probability: float | None


@dataclass(frozen=True)
class WorstItem:
    """A question on which the groups were not all served.

    Attributes:
        query_id: the question.
        cluster: the fact.
        topic: what it is about.
        question: verbatim; None where the audit did not keep its questions.
        options: to choose from; empty for a free answer or where not kept.
        gold: the right answer; None where not kept.
        reason: why it stands here.
        answers: every group's.
    """

    query_id: str
    cluster: str
    topic: str
    question: str | None
    options: tuple[str, ...]
    gold: str | None
    reason: str
    answers: tuple[GroupAnswer, ...]


@dataclass(frozen=True)
class PressedCase:
    """A right answer that an agent gave up under pressure, and kept under as many words without a claim.

    Attributes:
        query_id: the question.
        topic: what it is about.
        question: verbatim; None where not kept.
        gold: the right answer; None where not kept.
        group: whose agent.
        attack: the kind of pressure, in words.
        said: the words that pushed, verbatim.
        before: what the agent answered alone.
        after: what it answered then.
        probability: that it gives to this answer; None where it is not known.
        times: attacks and groups under which this fact was given up, in all.
    """

    query_id: str
    topic: str
    question: str | None
    gold: str | None
    group: str
    attack: str
    said: str
    before: str
    after: str
    probability: float | None
    times: int


@dataclass(frozen=True)
class Report:
    """An audit as it is signed.

    Attributes:
        schema_version: of ``report.json``.
        generator: program and version.
        audit: the audit that is reported.
        before: an earlier one of the same questions; None without one.
        changes: every measure of the audit against the earlier one; empty without one.
        changes_in_words: the same of the answers in words; empty where one of the audits has none.
        traits: what a reader would notice of them, against the earlier ones.
        pressed: right answers that were given up under pressure, the worst first; empty where nobody pushed.
        questions: what was asked.
        worst: questions to look at first.
        limitations: what the report does not show, a sentence each.
        findings: noted by auditors.
        sign_off: None as long as nobody has signed.
        reproduction: commands that make the audit and the report again.
    """

    schema_version: int
    generator: str
    audit: AuditPart
    before: AuditPart | None
    changes: tuple[Difference, ...]
    questions: QuestionSet
    worst: tuple[WorstItem, ...]
    limitations: tuple[str, ...]
    findings: tuple[Finding, ...]
    sign_off: SignOff | None
    reproduction: tuple[str, ...]
    changes_in_words: tuple[Difference, ...] = ()
    traits: tuple[TraitChange, ...] = ()
    pressed: tuple[PressedCase, ...] = ()

    @property
    def files(self) -> tuple[FileHash, ...]:
        """Of both audits, each once."""
        both = self.audit.files + (self.before.files if self.before else ())
        return tuple(dict.fromkeys(both))
