"""Audits: what every group's agent answered, and what it says about the groups.

``trialign.audit(run)`` makes one: see `trialign.api.audit`.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """This package, which has the name of one of the functions for programs, and is that function when it is called."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return import_module("trialign.api").audit(*arguments, **options)


sys.modules[__name__].__class__ = _Room
