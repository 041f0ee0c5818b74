"""The groups' policies: one base model, one adapter per group, one forward for all."""

from trialign.policy.adapters import AdapterConfig
from trialign.policy.group_policy import GroupPolicy
from trialign.policy.tree import ROOT, Segment, TreeBatch, TreeRow, build_tree_batch

__all__ = ["ROOT", "AdapterConfig", "GroupPolicy", "Segment", "TreeBatch", "TreeRow", "build_tree_batch"]
