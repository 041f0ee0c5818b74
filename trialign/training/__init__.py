"""Training the groups' agents with Lightning."""

from trialign.training.module import OptimizerConfig, TrainingDiverged, TriAlignModule

__all__ = ["OptimizerConfig", "TrainingDiverged", "TriAlignModule"]
