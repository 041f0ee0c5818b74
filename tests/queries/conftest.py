"""The shipped configurations of conf/data, reading rows in each benchmark's own layout.

The rows below ``benchmarks/`` were written for these tests: ``files`` in the layout of the benchmarks' own files,
``hub`` in that of their hub data sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trialign.queries.sources import SourceConfig

BENCHMARKS = Path(__file__).parent / "benchmarks"


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    """The folder of the authored rows."""
    return BENCHMARKS


@pytest.fixture(scope="session")
def shipped() -> Callable[..., list[SourceConfig]]:
    """The sources of one file of conf/data; files lie in the given folder, hub ids become folders of that name."""
    from trialign.composition import compose
    from trialign.config import load

    def sources(name: str, folder: Path | None = None) -> list[SourceConfig]:
        words = [f"data={name}"] if folder is None else [f"data={name}", f"data.folder='{folder}'"]
        located = load(compose("conf/quickstart.yaml", words)).data.located
        found = [source for source in located if isinstance(source, SourceConfig)]
        assert len(found) == len(located)
        return [
            replace(source, hub=str(BENCHMARKS / "hub" / source.hub.split("/")[1])) if source.hub else source
            for source in found
        ]

    return sources
