"""Take pictures in: a form file, or base64 in JSON or a form field."""

from imgpipe import images
from imgpipe.api import links
from imgpipe.api.blueprint import Blueprint
from imgpipe.api.bodies import received
from imgpipe.api.schemas import UploadedSchema
from imgpipe.models import Image

_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
        },
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"img": {"type": "string", "description": "base64, bare or as a data URI"}},
            }
        },
    },
}

blp = Blueprint("upload", __name__, description="Take pictures in")


@blp.route("/api/images", methods=["POST"])
@blp.response(202, UploadedSchema)
@blp.doc(requestBody=_BODY)
def upload() -> tuple[Image, int, dict[str, str]]:
    """Accept one JPEG or PNG; its bytes and its row are durable when this answers."""
    image = images.accept(*received())
    return image, 202, {"Location": links.image(image.id)}
