"""The arguments of the objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from trialign.groups import FACTS

Gate = Literal["none", "wrong_only", "anchor"]
Facts = Literal["profiled", "neutral", "base", "adapter", "steered"]
Weight = Annotated[float, Field(ge=0, le=1e6)]
Positive = Annotated[float, Field(ge=1e-6, le=1e6)]


@dataclass(frozen=True)
class WelfareConfig:
    """How the groups' utilities are joined.

    Attributes:
        kind: a name of ``WELFARES`` (``trialign.objectives.welfare``): ``nash`` (sum of logarithms), ``utilitarian``
            (sum), ``egalitarian`` (the smallest), ``generalized_gini`` (sum by rank, the smaller the heavier) or
            ``p_mean`` (sum of powers).
        power: p of ``p_mean``: 1 is the plain sum, 0 Nash, and far below it only the smallest utility counts.
        truth: a_T, the share of truth accuracy.
        preference: a_P, the share of personalization.
        epsilon: added to a utility before its logarithm.
        decay: of the moving averages of the utilities, per optimizer step.
        smallest: lower clip of a weight, after all are divided by their common mean.
        largest: upper clip.
    """

    kind: str = "nash"
    power: Annotated[float, Field(ge=-100, le=1)] = -1.0
    truth: Weight = 1.0
    preference: Weight = 3.0
    epsilon: Annotated[float, Field(ge=1e-6, le=1)] = 0.01
    decay: Annotated[float, Field(ge=0, le=1)] = 0.9
    smallest: Weight = 0.1
    largest: Positive = 10.0


@dataclass(frozen=True)
class InconsistencyConfig:
    """The penalty on unequal answers to truth queries.

    Attributes:
        weight: lambda, in units of the mean welfare weight; 0 turns the penalty off. With a budget, where it begins.
        gate: whom the penalty pulls where: ``none``, ``wrong_only`` or ``anchor``.
        anchor: rho, the weight of the gold answer as one more agent (``anchor`` only), in (0, 1).
        budget: share of (fact, pair of groups) in which the likeliest answers may differ; lambda then moves by itself
            (dual ascent). None: it stays as it is.
        budget_rate: how far lambda moves in a step, for each unit by which the step's share is off the budget.
    """

    weight: Weight = 1.0
    gate: Gate = "anchor"
    anchor: Annotated[float, Field(ge=1e-6, le=1 - 1e-6)] = 0.5
    budget: Annotated[float, Field(ge=0, le=1)] | None = None
    budget_rate: Annotated[float, Field(ge=1e-6, le=1e3)] = 0.1

    @property
    def penalises(self) -> bool:
        """Whether lambda is above 0, or may become so."""
        return self.weight > 0 or self.budget is not None


@dataclass(frozen=True)
class AwrConfig:
    """Advantage-weighted regression, for sampled answers.

    Attributes:
        temperature: the advantage is divided by it before the exponential.
        largest: w_max, clip of exp(advantage / temperature).
        importance: truncation of the importance weights that estimate the utilities.
    """

    temperature: Positive = 1.0
    largest: Positive = 20.0
    importance: Positive = 5.0


@dataclass(frozen=True)
class PairsConfig:
    """Direct preference optimization, over pairs of a better and a worse answer to one observation.

    Attributes:
        beta: strength of the pull to the reference.
        group_step: step size of the groups' weights, by which the groups that learn worst count more; 0: all
            pairs count alike.
        likelihood: weight of the better answers' likelihood beside the pairs; 0: pairs alone, which may make both
            answers less likely.
    """

    beta: Positive = 0.1
    group_step: Weight = 0.0
    likelihood: Weight = 0.0


@dataclass(frozen=True)
class TextConfig:
    """What holds and teaches the agents' sentences: their divergence from a teacher along stored free replies.

    Attributes:
        weight: of the term; 0: there is none, and nothing is collected for it. Nothing is, either,
            where nothing is trained (``update=none``) or no question is put (``question=false``).
        share: of the questions, and of the ordinary instructions, that have a teacher's reply; chosen by their ids.
        instructions: ordinary instructions beside the questions of each optimizer step.
        tokens: longest reply of the teacher.
        top_k: tokens whose probabilities are kept, those that the teacher finds likeliest; all others are one bucket.
    """

    weight: Weight = 0.0
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    instructions: Annotated[int, Field(ge=0, le=10**6)] = 1
    tokens: Annotated[int, Field(ge=1, le=10**4)] = 32
    top_k: Annotated[int, Field(ge=1, le=10**7)] = 16


@dataclass(frozen=True)
class GateConfig:
    """A classifier before the agents, which tells facts from tastes by the question alone (no gate of the penalty).

    Attributes:
        facts: what becomes of what it takes for a fact: it is asked as ever, and there is no classifier
            (``profiled``); the agent reads its profile without the words that tell groups apart (``neutral``); the
            base model answers without the profile (``base``); or so does an adapter that was trained on facts without
            profiles, as to `MergeConfig` (``adapter``); or the agent reads its profile, and what that does to its
            hidden states is taken out of them (``steered``).
    """

    facts: Facts = "profiled"


@dataclass(frozen=True)
class MergeConfig:
    """An adapter trained on facts without profiles, added to the agents': facts * dW_facts + tastes * dW_agent.

    Attributes:
        facts: weight of its update; 0: there is none.
        tastes: weight of the agents' own.
    """

    facts: Weight = 0.0
    tastes: Weight = 1.0


def apart_of(objective: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the adapters that answer beside the groups', of an objective as a run's configuration states it."""
    gate = objective.get("gate") or {}
    return (FACTS,) if gate.get("facts") == "adapter" else ()


@dataclass(frozen=True)
class ObjectiveConfig:
    """What is optimised; the defaults are those of ``objective=trialign``.

    Attributes:
        update: ``expected`` (enumerated answers), ``awr`` or ``topr`` (sampled answers), or ``auto``: ``expected``
            or ``awr``, each by its kind. Of the baselines: ``likelihood`` (of one answer), ``pairs`` (of a better
            and a worse one), ``none`` (nothing is trained; the base model is told otherwise). Or one from outside:
            ``module:Class`` (see ``trialign.updates``).
        settings: of an update from outside, by the names of its fields.
        kl_weight: weight of the exact KL to the reference over the options (``expected`` only).
        truth: what of a fact's right option is raised (``expected`` only): its share, which is the expected ``reward``,
            or the logarithm of it, its ``likelihood``, whose gradient does not vanish where the option has no share.
        imitate: the answer of ``likelihood``: the ``best`` known one, or the base model's own, asked ``unprofiled``.
        instruction: with ``none``, what every agent is told beside its other instruction.
        strip_profile: with ``none``, whether facts are asked without the profile.
        question: whether questions with options are put at all, in training and audits; ``prompt.question`` follows it.
        kinds: kinds of query that are trained on.
        turns: how many turns of each episode are trained on; None: all.
    """

    name: str = "trialign"
    kinds: tuple[Literal["truth", "preference", "mixed"], ...] = ("truth", "preference", "mixed")
    turns: Annotated[int, Field(ge=1, le=101)] | None = None
    update: str = "auto"
    settings: dict[str, Any] = field(default_factory=dict)
    kl_weight: Weight = 0.0
    truth: Literal["reward", "likelihood"] = "reward"
    imitate: Literal["best", "unprofiled"] = "best"
    instruction: str = ""
    strip_profile: bool = False
    question: bool = True
    welfare: WelfareConfig = field(default_factory=WelfareConfig)
    inconsistency: InconsistencyConfig = field(default_factory=InconsistencyConfig)
    awr: AwrConfig = field(default_factory=AwrConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    text: TextConfig = field(default_factory=TextConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    merge: MergeConfig = field(default_factory=MergeConfig)

    @property
    def apart(self) -> tuple[str, ...]:
        """Names of the adapters that answer beside the groups'."""
        return apart_of({"gate": {"facts": self.gate.facts}})

    @property
    def has_teacher(self) -> bool:
        """Whether the agents' sentences are learned from a teacher's."""
        return bool(self.text.weight) and self.question and self.update != "none"

    @property
    def imitates_unprofiled(self) -> bool:
        """Whether the base model's own answers are learned, asked without a profile."""
        return self.update == "likelihood" and self.imitate == "unprofiled"

    @property
    def in_parts(self) -> bool:
        """Whether facts are learned apart, without profiles, in half of the steps."""
        return bool(self.apart or self.merge.facts)
