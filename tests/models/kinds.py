"""Tiny tokenizers of the kinds that published models have."""

from __future__ import annotations

from functools import cache
from typing import Any

WORDS = """You are a helpful assistant. system user assistant model developer The user lives by the sea. Choose one
answer: Which pet is best? a cat a dog Water boils at 100 degrees. A leap year has 366 days. Answer again. 東京 Größe
Other assistants answered as above. [INST] [/INST] <<SYS>> <</SYS>> USER: ASSISTANT: User: Assistant: ### think"""


def _backend(kind: str) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    if kind in ("bytes", "bytes-blank", "split"):
        backend = Tokenizer(models.BPE())
        if kind == "split":
            pattern = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            backend.normalizer = normalizers.NFC()
            backend.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(pattern), "isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            )
        else:
            backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "bytes-blank")
        backend.decoder = decoders.ByteLevel()
        return backend
    if kind == "unigram":
        backend = Tokenizer(models.Unigram())
        backend.normalizer = normalizers.NFKC()
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        backend.decoder = decoders.Metaspace()
        return backend
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if kind == "blank":
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    elif kind == "blank-first":
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    else:
        backend.normalizer = normalizers.Replace(" ", "▁")
        backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return backend


TOKENIZERS = ("bytes", "bytes-blank", "split", "blank", "blank-first", "replace", "unigram")


@cache
def trained(kind: str) -> str:
    """A tokenizer of a kind, with no control tokens yet, as JSON."""
    from tokenizers import pre_tokenizers, trainers

    backend = _backend(kind)
    if kind == "unigram":
        backend.train_from_iterator(
            WORDS.split(),
            trainers.UnigramTrainer(vocab_size=200, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False),
        )
        return str(backend.to_str())
    byte_level = kind in TOKENIZERS[:3]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<unk>"] if byte_level else ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if byte_level else [],
        show_progress=False,
    )
    backend.train_from_iterator([WORDS] * 3, trainer)
    return str(backend.to_str())
