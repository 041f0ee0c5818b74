"""Hydra configuration of TriAlign: entry files, and one folder a config group."""
