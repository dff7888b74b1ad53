"""A captioner of one's own: ``IMGPIPE_CAPTIONER=examples.own_captioner:Brightness make run``."""

from io import BytesIO

from PIL import Image, ImageStat

from imgpipe.captions import Caption


class Brightness:
    provider, model, fingerprint = "own", "brightness-1", "own:brightness-1"

    def __init__(self, settings: object) -> None:
        """``settings`` has the options of the environment: keys, url, model, prompt, timeout_s."""

    def caption(self, jpeg: bytes) -> Caption:
        mean = ImageStat.Stat(Image.open(BytesIO(jpeg)).convert("L")).mean[0]
        return Caption(f"A {'bright' if mean > 127 else 'dark'} picture", self.provider, self.model)
