"""A BLIP of a few thousand random weights, in the files that the real one has."""

from importlib import import_module
from pathlib import Path
from typing import Any

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "small", "dog", "cat", "on", "grass"]
SIDE = 32


def save(folder: Path) -> str:
    """Write model, image processor and tokenizer with the real classes; return the folder's name."""
    _network().save_pretrained(folder)
    _processor().save_pretrained(folder)
    return str(folder)


def _network() -> Any:
    torch, transformers = import_module("torch"), import_module("transformers")
    torch.manual_seed(7)
    size = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "projection_dim": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    text = {
        **size,
        "encoder_hidden_size": 16,
        "vocab_size": len(WORDS),
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "sep_token_id": 3,
        "eos_token_id": 3,
        "bos_token_id": 5,
    }
    config = transformers.BlipConfig(
        text_config=text, vision_config={**size, "image_size": SIDE, "patch_size": 16}, projection_dim=16
    )
    network = transformers.BlipForConditionalGeneration(config)
    with torch.no_grad():  # random weights love special tokens, of which no sentence is left
        network.text_decoder.cls.predictions.bias[:6] = -100.0
    return network


def _processor() -> Any:
    transformers = import_module("transformers")
    images = import_module("transformers.models.blip.image_processing_pil_blip")
    return transformers.BlipProcessor(
        image_processor=images.BlipImageProcessorPil(size={"height": SIDE, "width": SIDE}),
        tokenizer=transformers.BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)}),
    )
