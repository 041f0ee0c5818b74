"""Asking agents: models at hand, and models behind an address."""
