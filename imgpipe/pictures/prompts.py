"""Read what a picture's next caption was asked for: another prompt, another model."""

from typing import Any

from imgpipe.captions import Captioner, steer
from imgpipe.database.models import Image

PROMPT_LENGTH = 4000


def steered(image: Image, captioner: Captioner) -> Captioner:
    """Return the captioner that does what was asked of this picture, which mostly is the usual one.

    Raises: ``CaptionError`` where the captioner cannot be asked that way.
    """
    prompt, model = source_prompt(image).get("prompt", ""), (image.caption_asked or {}).get("model", "")
    return steer(captioner, prompt=prompt, model=model) if prompt or model else captioner


def source_prompt(image: Image) -> dict[str, Any]:
    """Return what the caption's source tells of the prompt, when one was asked for."""
    prompt = (image.caption_asked or {}).get("prompt")
    return {"prompt": fill(prompt, image)} if prompt else {}


def fill(prompt: str, image: Image) -> str:
    """Put a picture's own name and labels into a prompt, for ``{original_name}`` and ``{labels}``."""
    labels = ", ".join(image.labels)
    return labels.join(
        part.replace("{original_name}", image.original_name) for part in prompt.split("{labels}")
    )


def names_model(image: Image) -> bool:
    """Tell whether another model was asked for, whose faults say nothing of the usual one."""
    return bool((image.caption_asked or {}).get("model"))
