"""Two-way entailment by a model of natural language inference: replies that entail each other state the same fact."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from trialign.comparing.pairs import ReplyPair, Verdict
from trialign.errors import UserError
from trialign.finite import refuse_broken_base
from trialign.models.base import SAFE_WEIGHTS
from trialign.models.loading import refuse_absent, stated_context, tokenizer_in
from trialign.places import at_home
from trialign.shortage import lacks_memory
from trialign.storage import sha256_of_file

log = logging.getLogger("trialign")
_MARGIN = 2  # positions that RoBERTa and its kin count in max_position_embeddings and cannot use


@dataclass(frozen=True)
class Labels:
    """Which classes of a model say what.

    Attributes:
        entailment: place of the class.
        contradiction: place of the class; None: the model knows ``entailment`` and ``not entailment`` alone.
    """

    entailment: int
    contradiction: int | None

    @classmethod
    def of(cls, names: Mapping[int, str], model: str) -> Labels:
        """Finds the classes by their names (``id2label``).

        Raises:
            UserError: they are not entailment, neutral and contradiction, nor entailment and not entailment.
        """
        found: dict[str, list[int]] = {}
        for place, name in names.items():
            found.setdefault(_class_of(str(name)), []).append(int(place))
        kinds = {kind for kind, places in found.items() if len(places) == 1}
        if len(names) == 3 and kinds == {"entailment", "neutral", "contradiction"}:
            return cls(found["entailment"][0], found["contradiction"][0])
        if len(names) == 2 and kinds in ({"entailment", "not entailment"}, {"entailment", "contradiction"}):
            return cls(found["entailment"][0], None)
        shown = ", ".join(f"{place}: {str(name)[:40]!r}" for place, name in list(names.items())[:10])
        raise UserError(
            f"The classes of the model {model} cannot be told apart by their names ({shown})",
            "Choose a model of natural language inference, or name its classes entailment, neutral and contradiction "
            "(or entailment and not_entailment) in id2label of its config.json",
        )


@dataclass(frozen=True)
class Entailment:
    """A model that tells of a premise and a hypothesis whether the one entails the other.

    The question stands before each reply, so that "in 1969" and "It was 1969" are compared as answers to it (semantic
    entropy: Kuhn et al., 2023, arXiv 2302.09664; Farquhar et al., 2024, doi 10.1038/s41586-024-07421-0). Replies are
    the same where each entails the other; others where one contradicts the other and neither entails the other (of
    two classes: where neither entails the other); else nothing can be told.

    Attributes:
        name: hub id or folder.
        sha256: of its configuration and weights.
        longest: most tokens of a premise and a hypothesis together; longer ones are not cut: nothing is told of them.
        batch_tokens: most positions in one forward pass.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    labels: Labels
    name: str
    sha256: str
    longest: int | None = None
    batch_tokens: int = 4096

    @classmethod
    def load(cls, name: str, revision: str | None = None, batch_tokens: int = 4096) -> Entailment:
        """Loads a sequence-classification model from a folder, else from the hub or its local cache.

        Raises:
            UserError: there is none, its files are damaged, not whole or no safetensors, it needs code of its own, or
                its classes cannot be told.
        """
        folder = _folder(name, revision)
        weights = sorted(folder.glob("*.safetensors"))
        if not weights:
            raise UserError(
                f"The model {name} has no safetensors weights", "Convert it with save_pretrained, or choose another one"
            )
        model, tokenizer = _loaded(folder, name)
        labels = Labels.of({int(key): label for key, label in (model.config.id2label or {}).items()}, name)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        if tokenizer.pad_token_id is None:
            raise UserError(f"The tokenizer of the model {name} has no padding token", "Choose another model")
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
        refuse_broken_base(model.named_parameters(), folder, "float32")
        model.eval().requires_grad_(False)
        if torch.cuda.is_available():
            model.to("cuda")  # type: ignore[arg-type]
        digests = "".join(sha256_of_file(file) for file in (folder / "config.json", *weights))
        sha256 = hashlib.sha256(digests.encode()).hexdigest()
        return cls(model, tokenizer, labels, name, sha256, _longest(model, tokenizer), batch_tokens)

    @property
    def identity(self) -> str:
        """Name and hash, for the file of its calibration."""
        return f"nli {Path(self.name).name}@{self.sha256[:16]}"

    def __call__(self, pairs: Sequence[ReplyPair]) -> list[Verdict]:
        """Tells of each pair, in order."""
        ways = [way for one in pairs for way in _both_ways(one)]
        classes = self._classes(list(dict.fromkeys(ways)))
        return [self._verdict(*(classes[way] for way in _both_ways(one))) for one in pairs]

    def _verdict(self, forth: int | None, back: int | None) -> Verdict:
        if forth is None or back is None:
            return "cannot tell"
        entailed = (forth, back).count(self.labels.entailment)
        if entailed == 2:
            return "same"
        opposed = self.labels.contradiction is None or self.labels.contradiction in (forth, back)
        return "other" if opposed and entailed == 0 else "cannot tell"

    def _classes(self, ways: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int | None]:
        """Premise and hypothesis -> the most probable class; None where they are too long."""
        found: dict[tuple[str, str], int | None] = dict.fromkeys(ways)
        if not ways:
            return found
        encoded = self.tokenizer([way[0] for way in ways], [way[1] for way in ways])
        lengths = [len(row) for row in encoded["input_ids"]]
        fitting = [n for n, length in enumerate(lengths) if self.longest is None or length <= self.longest]
        if len(fitting) < len(ways):
            log.warning(
                "%d of %d comparisons are longer than the %s tokens of %s: nothing is told of them",
                *(len(ways) - len(fitting), len(ways), self.longest, self.name),
            )
        for batch in self._batches(sorted(fitting, key=lambda n: lengths[n]), lengths):
            rows = {key: [encoded[key][n] for n in batch] for key in encoded}
            inputs = self.tokenizer.pad(rows, return_tensors="pt").to(self.model.device)
            with torch.inference_mode():
                best = self.model(**inputs).logits.argmax(dim=-1).tolist()
            found.update(zip((ways[n] for n in batch), best, strict=True))
        return found

    def _batches(self, places: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
        """Places of rising length, as many as fit into `batch_tokens`, and one at least."""
        batch: list[int] = []
        for n in places:
            if batch and lengths[n] * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(n)
        if batch:
            yield batch


def _both_ways(pair: ReplyPair) -> tuple[tuple[str, str], tuple[str, str]]:
    first, second = (f"{pair.query.question} {reply.strip()}" for reply in (pair.first, pair.second))
    return (first, second), (second, first)


def _class_of(name: str) -> str:
    words = re.sub(r"[^a-z]+", " ", name.lower()).strip()
    if re.fullmatch(r"(not?|non) ?entail(s|ed|ment)?", words):
        return "not entailment"
    if re.fullmatch(r"entail(s|ed|ment)?", words):
        return "entailment"
    if re.fullmatch(r"contradict(s|ed|ion|ory)?", words):
        return "contradiction"
    return words


def _folder(name: str, revision: str | None) -> Path:
    folder = at_home(name, "audit.nli")
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserError(f"No model at {folder}: there is no config.json in it", "Name a folder of save_pretrained")
        return folder
    if not {"HF_HOME", "HF_HUB_CACHE"} & os.environ.keys():
        at_home("~/.cache/huggingface", "HF_HOME")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=SAFE_WEIGHTS))
    except Exception as error:
        raise UserError(
            f"The model {name} is no folder, and was found neither in the local hub cache nor on the hub "
            f"({type(error).__name__})",
            "Check the id and the connection, or name a folder that save_pretrained wrote",
        ) from error


def _loaded(folder: Path, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    transformers_logging.disable_progress_bar()
    remedy = "Restore its files, or choose another model of natural language inference"
    tokenizer = tokenizer_in(folder, f"The model {name}", remedy)
    try:
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are named below
        )
    except Exception as error:  # as those of a base model
        if lacks_memory(error):
            raise
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"transformers cannot load the model {name} as one that classifies ({said})", remedy) from error
    model, found = loaded
    # A base model without a head would guess.
    refuse_absent(
        found,
        f"the model {name}",
        "Choose a model that was trained on natural language inference, or restore its files",
    )
    return model, tokenizer


def _longest(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int | None:
    stated = stated_context(model.config)
    known = [stated - _MARGIN] if stated is not None else []
    if tokenizer.model_max_length < 10**9:  # transformers writes 1e30 where nothing is stated
        known.append(tokenizer.model_max_length)
    return min(known, default=None)
