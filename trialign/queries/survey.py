"""What only shows over all rows of a source: columns that none has, keys that count from 1, what is worth a note."""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from trialign.errors import UserError
from trialign.queries.sources import FieldMap, SourceConfig

# Paths of the map, as against texts and words of it.
_NO_PATHS = ("gold_as", "gold_after", "fixed_options", "separator")
_NEEDED = ("question", "gold", "id", "cluster", "split", "options", "group", "counts", "attribute")
_MOST_KEYS = 100
# Below this chance that no row of a file says 0, its keys do not count from 0, or are not what they are taken for.
_UNLIKELY = 0.01
# What programs write where a cell is empty; here it is a text like any other.
_STAND_FOR_NOTHING = ("nan", "none", "null", "n/a", "#n/a", "na", "<na>", "nil")


@dataclass
class Survey:
    """Gathered while the rows of one source pass by.

    Attributes:
        notes: sentences about how the files are read.
        rows: that were mapped.
        keys: top-level keys that rows have.
        unshuffled: questions of which an option speaks of others.
        example: the first such option.
        unlettered: questions whose options had their letters in the text.
        nothing: texts that may stand for nothing, and how often each is an option or a right answer.
    """

    notes: list[str] = field(default_factory=list)
    rows: int = 0
    keys: dict[str, None] = field(default_factory=dict)
    unshuffled: int = 0
    example: str = ""
    unlettered: int = 0
    nothing: Counter[str] = field(default_factory=Counter)
    _lowest: int | None = None
    _indices: int = 0
    _past_end: int = 0
    _log_chance: float = 0.0

    def saw(self, values: Any) -> None:
        """One row of the data, as it is."""
        self.rows += 1
        if isinstance(values, Mapping) and len(self.keys) < _MOST_KEYS:
            self.keys.update(dict.fromkeys(map(str, values)))

    def saw_index(self, index: int, options: int) -> None:
        """A right answer's index in a source where it may count from 0 or from 1."""
        self._lowest = index if self._lowest is None else min(index, self._lowest)
        self._indices += 1
        self._past_end += index == options
        self._log_chance += math.log1p(-1 / max(options, 2))

    def saw_texts(self, texts: Iterable[Any]) -> None:
        """Options and right answer of one question."""
        self.nothing.update(text for text in texts if isinstance(text, str) and text.casefold() in _STAND_FOR_NOTHING)

    def faults(self, source: SourceConfig) -> list[UserError]:
        """What is wrong with the source as a whole."""
        found = [
            absent_fault(f"The source '{source.name}'", key, path, self.keys) for key, path in self._absent(source)
        ]
        doubtful = self._lowest is not None and self._lowest > 0
        if doubtful and ((self._past_end and self._indices > 1) or self._log_chance < math.log(_UNLIKELY)):
            says = f"{self._past_end} of them the number of options" if self._past_end else "none the number of options"
            found.append(
                UserError(
                    f"The source '{source.name}' has gold_as: index, and of its {self._indices} right answers none is "
                    f"0 and {says}",
                    "Set gold_as to index_from_1 where they count from 1, or to index_from_0 where they do not",
                )
            )
        return found

    def sentences(self, source: SourceConfig) -> list[str]:
        """What is no fault, and worth knowing before an audit."""
        found = [*dict.fromkeys(self.notes)]
        if self._lowest is not None and self._lowest > 0 and not self.faults(source):
            found.append(
                f"No right answer of {source.name} is 0: where they count from 1, every one of them is read wrong; "
                "set gold_as to index_from_1, or to index_from_0 to say that they do not"
            )
        if self.unshuffled:
            found.append(
                f"{self.unshuffled} question(s) of {source.name} keep the order of their options: one speaks of "
                f"others, such as '{self.example}'"
            )
        if self.unlettered:
            found.append(f"{self.unlettered} question(s) of {source.name} had letters before their options: taken off")
        if self.nothing:
            words = ", ".join(f"'{word}' {count}" for word, count in self.nothing.most_common(4))
            found.append(f"Options or right answers of {source.name} read {words}: is an empty cell meant?")
        return found

    def _absent(self, source: SourceConfig) -> list[tuple[str, str]]:
        """(key of the map, path) of each path whose first part is a key of no row."""
        if source.map is None or not self.keys or len(self.keys) >= _MOST_KEYS:
            return []
        paths = mapped_paths(source.map)
        # Without one of the others every row has its fault already.
        columns = source.map.options if isinstance(source.map.options, tuple) else ()
        optional = [(key, path) for key, path in paths if key not in _NEEDED or path in columns]
        return [(key, path) for key, path in optional if not has_path(self.keys, path)]


def mapped_paths(fields_map: FieldMap) -> list[tuple[str, str]]:
    """(key of the map, path) of everything that a map looks for in a row."""
    found = []
    for one in fields(fields_map):
        value = getattr(fields_map, one.name)
        paths = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        found += [(one.name, path) for path in paths if one.name not in _NO_PATHS]
    return found


def has_path(keys: Iterable[str], path: str) -> bool:
    """Whether a path can lead anywhere from these keys."""
    known = set(keys)
    return path in known or path.split(".")[0] in known


def absent_fault(subject: str, key: str, path: str, keys: Iterable[str]) -> UserError:
    """The fault of a path that begins with a key that is not there; names those that are, and the nearest."""
    known = list(keys)
    lowered = {name.casefold().replace(" ", ""): name for name in known}
    wanted = path.casefold().replace(" ", "")
    near = [lowered[name] for name in difflib.get_close_matches(wanted, lowered, n=1)]
    hint = f"Did you mean '{near[0]}'? " if near else ""
    shown = ", ".join(known[:30]) + (", ..." if len(known) > 30 else "")
    return UserError(f"{subject} has no '{path}' (map.{key}); there are: {shown}", f"{hint}Correct 'map.{key}'")
