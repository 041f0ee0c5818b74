"""The audit's quantities as torchmetrics, for training: sums per rank, added over ranks.

Each works alone, on plain tensors of any number of groups. Intervals and tests need the questions themselves: they
are the audit's (``trialign.audit.figures.analysis``), which these quantities equal on the same answers.

Validation logs `TruthDisparity`, `AnswerDivergence`, `PreferenceAlignment` and `nash`. `AgreementKappa`, `ExcessFlips`
and `TurnFlips` are for use alone: validation asks each agent alone, in one wording, and its questions differ in the
number of their options. Each has an example.
"""

from trialign.metrics.agreement import AgreementKappa
from trialign.metrics.divergence import AnswerDivergence
from trialign.metrics.flips import ExcessFlips, TurnFlips
from trialign.metrics.preference import PreferenceAlignment
from trialign.metrics.truth import TruthDisparity
from trialign.metrics.welfare import nash

__all__ = [
    "AgreementKappa",
    "AnswerDivergence",
    "ExcessFlips",
    "PreferenceAlignment",
    "TruthDisparity",
    "TurnFlips",
    "nash",
]
