"""Make pictures and requests for the tests."""

import io
from pathlib import Path
from typing import Any, Protocol

import requests
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from imgpipe.storage.protocol import MARK


class AppFactory(Protocol):
    """Make an app with the options given as environment variables."""

    def __call__(self, **options: str) -> Flask: ...


def picture(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    """Return a picture whose every corner looks different."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (across, down, Image.new("L", (width, height), 90))).convert(mode)


def jpeg(width: int = 640, height: int = 480, **options: Any) -> bytes:
    """Return a JPEG file."""
    file = io.BytesIO()
    picture(width, height).save(file, "JPEG", **options)
    return file.getvalue()


def png(width: int = 64, height: int = 48, mode: str = "RGB", **options: Any) -> bytes:
    """Return a PNG file."""
    file = io.BytesIO()
    picture(width, height, mode).save(file, "PNG", **options)
    return file.getvalue()


def transparent_png(width: int = 300, height: int = 200) -> bytes:
    """Return a PNG whose left half can be seen through."""
    image = picture(width, height, "RGBA")
    image.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def jpeg_with_exif(orientation: int = 1, **tags: Any) -> bytes:
    """Return a JPEG with an orientation, a date, and GPS coordinates."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = tags.get("make", "Camera Works")
    exif.get_ifd(0x8769)[0x9003] = "2004:07:13 21:23:44"
    exif.get_ifd(0x8825)[2] = (47.0, 22.0, 30.0)
    return jpeg(400, 200, exif=exif)


def post(client: FlaskClient, data: bytes, name: str = "photo.jpg", field: str = "file") -> TestResponse:
    """Upload a file by a form."""
    return post_form(client, "/api/images", {field: (name, data)})


def post_form(
    client: FlaskClient, path: str, parts: dict[str, tuple[str | None, bytes | str]], **fields: str
) -> TestResponse:
    """Post a multipart form; a part without file name is a text field."""
    form = requests.Request("POST", "http://localhost", files=parts, data=fields).prepare()
    return client.post(path, data=form.body, content_type=form.headers["Content-Type"])


def upload(client: FlaskClient, data: bytes | None = None, name: str = "photo.jpg") -> str:
    """Upload a picture and return its id."""
    response = post(client, data or jpeg(), name)
    assert response.status_code == 202, response.text
    return str(response.json["data"]["image_id"])  # type: ignore[index]


def shown(client: FlaskClient, image_id: str, **query: Any) -> dict[str, Any]:
    """Return a picture's JSON."""
    response = client.get(f"/api/images/{image_id}", query_string=query)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json["data"]  # type: ignore[index]
    return data


def stored_files(app: Flask) -> list[Path]:
    """List what lies in the storage of an app."""
    root = Path(app.extensions["imgpipe"].settings.storage)
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.name != MARK)
