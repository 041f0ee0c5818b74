"""What the tests of training share."""

from __future__ import annotations

from .agents import make_module

__all__ = ["make_module"]
