"""TriAlign: align every social group's agent to the same facts, and keep what is personal.

A notebook does in a few lines what the command line does:

    run = trialign.compose("conf/smoke.yaml", ["name=first"])
    fitted = trialign.fit(run)
    print(fitted.after.verdict, fitted.changes["flip_rate"])
    trialign.ask(run, "How old is the Earth?", ["billions of years", "thousands of years"])

`trialign.api` documents each. They are imported when they are first named: ``import trialign`` alone loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialign.api import adapt, ask, assert_gate, audit, compose, fit, gate, open_run

__version__ = "0.1.0"
__all__ = ["__version__", "adapt", "ask", "assert_gate", "audit", "compose", "fit", "gate", "open_run"]


def __getattr__(name: str) -> Any:
    """One of the functions above, at its first use."""
    if name in __all__:
        import_module("trialign.surroundings").settle()
        return getattr(import_module("trialign.api"), name)
    raise AttributeError(f"module 'trialign' has no attribute '{name}'")


def __dir__() -> list[str]:
    """What there is, the functions that are not imported yet included."""
    return sorted({*globals(), *__all__})
