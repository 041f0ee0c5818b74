"""Audits: what every group's agent answered, and what it says about the groups."""
