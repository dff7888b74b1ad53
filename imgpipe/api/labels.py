"""List the labels in use, and read those that come with an upload."""

from typing import Any

import marshmallow as ma
from flask import request
from marshmallow import fields

from imgpipe.api.http.blueprint import Blueprint
from imgpipe.api.http.bodies import parse_json
from imgpipe.api.http.scopes import READ
from imgpipe.api.schemas import PageQuery, paged
from imgpipe.database.paging import Page
from imgpipe.errors import InvalidParameter
from imgpipe.pictures import labels
from imgpipe.pictures.labels import Counted

FIELD = "labels"
ITEM = {"type": "string", "minLength": 1, "maxLength": labels.LENGTH, "pattern": "^[^,]+$"}
blp = Blueprint("labels", __name__, description="Labels of pictures")


class LabelSchema(ma.Schema):
    """A label and how many pictures have it."""

    label = fields.String()
    count = fields.Integer()


@blp.route("/api/labels", scope=READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, paged(LabelSchema))
def list_labels(query: dict[str, Any]) -> Page[Counted]:
    """List the labels in use, those of the most pictures first."""
    return labels.page(**query)


def sent_labels() -> list[str]:
    """Return the labels that come with an upload: in the form, the JSON body or the query, tidied.

    Raises: ``InvalidParameter``, ``InvalidJson``.
    """
    if request.mimetype == "application/json":
        return _in_json()
    return labels.split(request.form.getlist(FIELD) + request.args.getlist(FIELD))


def _in_json() -> list[str]:
    raw = request.get_data()
    if b"labels" not in raw:  # megabytes of base64 are not parsed a second time for nothing
        return []
    sent = parse_json(raw).get(FIELD)
    if sent is None:
        return []
    if isinstance(sent, str):
        return labels.split([sent])
    if isinstance(sent, list) and all(isinstance(name, str) for name in sent):
        return labels.tidy(sent)
    raise InvalidParameter("labels: expected a list of texts", details={"parameter": FIELD})
