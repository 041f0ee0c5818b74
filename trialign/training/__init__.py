"""Training the groups' agents with Lightning."""

from trialign.training.module import OptimizerConfig, TrainingDivergedError, TriAlignModule

__all__ = ["OptimizerConfig", "TrainingDivergedError", "TriAlignModule"]
