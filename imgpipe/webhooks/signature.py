"""Sign what is delivered by the Standard Webhooks scheme, version 1 (https://www.standardwebhooks.com)."""

import base64
import hmac
from collections.abc import Mapping

PREFIX = "whsec_"


def headers(secret: str, message_id: str, timestamp_s: int, body: str) -> Mapping[str, str]:
    """Return the three headers of one try; ``timestamp_s`` is the try's own time, Unix seconds."""
    signed = f"{message_id}.{timestamp_s}.{body}".encode()
    digest = base64.b64encode(
        hmac.digest(base64.b64decode(secret.removeprefix(PREFIX)), signed, "sha256")
    ).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{digest}",
    }
