"""Which option a reply names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from trialign.queries.reading.cleaning import Cleaned, unmarked
from trialign.queries.reading.judging import Judged, Mention, Weight, judged
from trialign.queries.reading.labels import Labels, Shown
from trialign.queries.reading.lexicon import Found, Phrases, cues
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.words import Cue
from trialign.queries.statuses import ParseStatus

_READ_LEVELS = (Level.STEM, Level.FOLD, Level.CASE, Level.SURFACE)
