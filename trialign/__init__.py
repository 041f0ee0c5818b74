"""TriAlign: align every social group's agent to the same facts, and keep what is personal."""

__version__ = "0.1.0"
