"""Tell schemathesis what no OpenAPI description can: loaded into its own process by its configuration."""

from typing import Any

import schemathesis

URL_IDS = 100  # a request line of 8,190 bytes is all that gunicorn reads
# A body or a cursor fits its schema and is none all the same.
_OF_CONTENT = {
    *("no_file", "unsupported_type", "corrupt_image", "invalid_base64", "invalid_csv", "invalid_log"),
    "invalid_cursor",
}
# What goes with what, which of two is the larger, and which characters can be printed.
_OF_RULES = {
    *("colormap_stops", "percentiles", "window", "contrast", "depth_min", "depth_max", "limit", "cursor"),
    *("max_rows", "pixels", "mask", "log", "title", "split", "labels", "caption", "text", "prompt"),
    *("scale", "null", "value_unit", "channel"),
}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Keep the request line as short as the server has it."""
    ids = (case.query or {}).get("id")
    if isinstance(ids, list):
        case.query["id"] = ids[:URL_IDS]


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Drop what a schema cannot foresee; anything else is a finding.

    That is a refusal of a valid request by its content, a line that is too long for the server to read, one
    of several kinds that was turned into another of them, and a field that becomes text in a form.
    """
    if response.status_code == 414:
        return False
    if type(failure).__name__ == "AcceptedNegativeData" and (
        "/anyOf/" in failure.message
        or (case.media_type == "multipart/form-data" and "/properties/labels" in failure.message)
    ):
        return False
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 400:
        return True
    told = response.json()
    parameter = told["details"].get("parameter")
    return told["code"] not in _OF_CONTENT and not (
        told["code"] == "invalid_parameter" and parameter in _OF_RULES
    )
