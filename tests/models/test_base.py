from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import transformers
from safetensors.torch import load_file, save_file

from trialign.errors import UserError
from trialign.models import (
    BaseModelFiles,
    ModelConfig,
    cache_folder,
    locate_base_model,
)

pytestmark = pytest.mark.unit


def test_a_folder_is_found_and_hashed(tiny_config: ModelConfig) -> None:
    files = locate_base_model(tiny_config)
    assert files.folder == Path(str(tiny_config.path))
    assert (files.name, files.revision) == ("house/tiny-llama", None)
    assert len(files.sha256) == 64
    assert locate_base_model(tiny_config) == files


def test_a_changed_weight_changes_the_hash(tiny_config: ModelConfig, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(str(tiny_config.path), copy)
    config = replace(tiny_config, path=str(copy))
    before = locate_base_model(tiny_config).sha256
    assert locate_base_model(config).sha256 == before
    weights = load_file(copy / "model.safetensors")
    name = next(iter(weights))
    weights[name].view(-1)[0] += 1e-3
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert locate_base_model(config).sha256 != before


@pytest.mark.parametrize("change", ["config", "name of a file"])
def test_a_changed_configuration_changes_the_hash(tiny_config: ModelConfig, tmp_path: Path, change: str) -> None:
    """Equal weights under another configuration are another model: of the base of rotary positions, for example."""
    copy = tmp_path / "copy"
    shutil.copytree(str(tiny_config.path), copy)
    if change == "config":
        stated = json.loads((copy / "config.json").read_text(encoding="utf-8"))
        (copy / "config.json").write_text(json.dumps({**stated, "rms_norm_eps": 1e-4}), encoding="utf-8")
    else:
        (copy / "model.safetensors").rename(copy / "other.safetensors")
    assert locate_base_model(replace(tiny_config, path=str(copy))).sha256 != locate_base_model(tiny_config).sha256


@pytest.mark.parametrize("revision", ["0123abc", None])
def test_a_pinned_revision_is_the_one_that_is_fetched(
    tiny_config: ModelConfig, monkeypatch: pytest.MonkeyPatch, revision: str | None
) -> None:
    asked: list[tuple[str, Any]] = []

    def snapshot(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert "*.safetensors" in allow_patterns
        assert not any(pattern.endswith((".bin", ".py", ".pt")) for pattern in allow_patterns)
        asked.append((name, revision))
        return str(tiny_config.path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    files = locate_base_model(ModelConfig("hub", "house/pinned", revision=revision))
    assert asked == [("house/pinned", revision)]
    assert (files.name, files.revision) == ("house/pinned", revision)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json") as refusal:
        locate_base_model(ModelConfig("folder", "x", path=str(tmp_path)))
    assert str(tmp_path) in refusal.value.problem


def test_other_weight_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UserError, match="no safetensors weights"):
        locate_base_model(ModelConfig("folder", "x", path=str(tmp_path)))


def test_a_hub_model_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="house/absent was found neither in the local hub cache nor on the hub"):
        locate_base_model(ModelConfig("hub", "house/absent"))


def test_a_gguf_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.gguf"):
        locate_base_model(ModelConfig("gguf", "x", path=str(tmp_path / "absent.gguf")))


def test_a_file_that_is_no_gguf_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALIGN_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "broken.gguf"
    file.write_bytes(b"no model at all")
    with pytest.raises(UserError, match=r"broken\.gguf is not a GGUF model"):
        locate_base_model(ModelConfig("gguf", "x", path=str(file)))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.name != "models"] == []


def test_a_converted_model_is_found_by_the_files_hash(
    tiny_config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALIGN_CACHE", str(tmp_path))
    file = tmp_path / "model.gguf"
    file.write_bytes(b"abc")
    # The one-block example of FIPS 180-2, appendix B.1.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    shutil.copytree(str(tiny_config.path), cache_folder() / "models" / digest)
    files = locate_base_model(ModelConfig("gguf", "house/x", path=str(file)))
    assert files == BaseModelFiles(tmp_path / "models" / digest, digest, "house/x", None)


def test_other_users_may_read_a_converted_model(
    tiny_config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server is often another user, and safetensors writes for its own user alone."""
    monkeypatch.setenv("TRIALIGN_CACHE", str(tmp_path / "cache"))
    for kind in ("AutoModelForCausalLM", "AutoTokenizer"):
        real = getattr(transformers, kind).from_pretrained(tiny_config.path)
        monkeypatch.setattr(f"trialign.models.base.{kind}.from_pretrained", lambda *_, real=real, **__: real)
    (tmp_path / "model.gguf").write_bytes(b"abc")
    folder = locate_base_model(ModelConfig("gguf", "house/x", path=str(tmp_path / "model.gguf"))).folder
    [weights] = folder.glob("*.safetensors")
    assert weights.stat().st_mode & 0o777 == folder.stat().st_mode & 0o666 != 0o600


def test_a_package_is_looked_up_without_being_imported(
    tiny_config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "carrier_of_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.gguf").write_bytes(b"abc")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TRIALIGN_CACHE", str(tmp_path / "cache"))
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    shutil.copytree(str(tiny_config.path), tmp_path / "cache" / "models" / digest)
    files = locate_base_model(ModelConfig("package", "house/x", package="carrier_of_weights"))
    assert files.sha256 == digest
    assert "carrier_of_weights" not in sys.modules


@pytest.mark.parametrize("package", ["no_such_package", "no_such_package.inside", "json"])
def test_a_package_without_a_model_is_named(package: str) -> None:
    with pytest.raises(UserError, match=f"installed package {package} with a GGUF file was tried") as refusal:
        locate_base_model(ModelConfig("package", "house/x", package=package))
    assert "make setup" in refusal.value.remedy


@pytest.mark.parametrize(("source", "key"), [("folder", "path"), ("gguf", "path"), ("package", "package")])
def test_a_missing_key_is_named(source: Any, key: str) -> None:
    with pytest.raises(UserError, match=rf"model\.{key} is not set"):
        locate_base_model(ModelConfig(source, "x"))
