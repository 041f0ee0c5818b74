"""The session that a verb works on: of a composed configuration, or of a run. Nothing heavy is imported before."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialign.api.session import Session


def composed_session(arguments: argparse.Namespace) -> Session | None:
    """The session of ``--config``; None when only the composed config was asked for.

    Raises:
        UserError: the configuration is wrong.
    """
    from trialign.composition import compose
    from trialign.config import load

    composed = compose(arguments.config, arguments.overrides)
    config = load(composed)
    if arguments.cfg:
        print_config(composed)
        return None
    from trialign.api.session import Session

    return Session(config, composed)


def print_config(composed: Mapping[str, Any]) -> None:
    """Prints a composed config as YAML."""
    import yaml

    print(yaml.safe_dump(dict(composed), sort_keys=False, allow_unicode=True, width=110), end="")


def run_session(arguments: argparse.Namespace) -> Session:
    """The session of ``--run``.

    Raises:
        UserError: there is no such run.
    """
    from trialign.api.session import open_run

    return open_run(arguments.run)
