"""The audit's quantities as torchmetrics, for training: sums per rank, added over ranks."""

from trialign.metrics.divergence import AnswerDivergence
from trialign.metrics.preference import PreferenceAlignment
from trialign.metrics.truth import TruthDisparity
from trialign.metrics.welfare import nash

__all__ = ["AnswerDivergence", "PreferenceAlignment", "TruthDisparity", "nash"]
