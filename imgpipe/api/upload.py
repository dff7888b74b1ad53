"""Take pictures in: a form file, or base64 in JSON or a form field."""

from imgpipe.api.http import links
from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.bodies import received
from imgpipe.api.labels import sent_labels
from imgpipe.api.schemas import UploadedSchema
from imgpipe.database.models import Image
from imgpipe.pictures import intake

_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "labels": {"type": "string", "description": "with commas between them, or repeated"},
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "img": {"type": "string", "description": "base64, bare or as a data URI"},
                    "labels": {"type": "array", "items": {"type": "string"}},
                },
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
    data, name = received()
    image = intake.accept(data, name, sent_labels())
    return image, 202, {"Location": links.image(image.id)}
