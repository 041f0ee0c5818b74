"""Random classifiers of the families that inference models come in: in batches they tell what they tell alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from trialign.comparing.entailment import Entailment
from trialign.comparing.pairs import ReplyPair

pytestmark = pytest.mark.integration

WORDS = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
CLASSES = {0: "contradiction", 1: "neutral", 2: "entailment"}
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
}
DISTIL = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 66}
DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8, "share_att_key": True}
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "roberta": {**SIZES, "type_vocab_size": 1},
    "xlm-roberta": {**SIZES, "type_vocab_size": 1},
    "deberta-v2": {**SIZES, **DEBERTA},
    "modernbert": {**SIZES, "cls_token_id": 1, "sep_token_id": 2},
    "electra": SIZES,
    "distilbert": DISTIL,
    "qwen3": {**SIZES, "num_key_value_heads": 2, "head_dim": 16},
}


def classifier(folder: Path, family: str) -> str:
    """Writes a random classifier with a tokenizer of ten words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    vocabulary = {word: place for place, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", *WORDS])}
    config = AutoConfig.for_model(
        family,
        vocab_size=len(vocabulary),
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        id2label=CLASSES,
        label2id={name: place for place, name in CLASSES.items()},
        **FAMILIES[family],
    )
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_config(config)
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, 0, 0.4)
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    kinds = ["token_type_ids"] if family in ("bert", "electra", "deberta-v2") else []
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask", *kinds],
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_batches_as_alone(family: str, tmp_path: Path) -> None:
    told = Entailment.load(classifier(tmp_path, family))
    drawn = random.Random(0)
    replies = [" ".join(drawn.choices(WORDS, k=drawn.randint(1, 9))) for _ in range(40)]
    pairs = [ReplyPair.of_question("a b", *two) for two in zip(replies[::2], replies[1::2], strict=True)]
    together = told(pairs)
    assert together == [verdict for one in pairs for verdict in told([one])]
    assert len(set(together)) > 1
    longest = [ReplyPair.of_question("a", " ".join(WORDS * 3), " ".join(WORDS * 3)[:-2])]
    assert told.longest == 64
    assert len(told(longest)) == 1
