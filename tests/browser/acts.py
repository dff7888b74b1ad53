"""What a visitor does that Playwright has no word for."""

import base64
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Page

from tests.servers import Server

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "device_scale_factor": 2,
}
_DROP = """files => {
  const transfer = new DataTransfer();
  for (const [name, data] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  return transfer;
}"""


def drop(page: Page, files: Mapping[str, bytes]) -> None:
    """Drag files, name to content, from outside onto the page and let go."""
    encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
    page.get_by_role("button", name=re.compile("^Drop ")).first.wait_for()
    transfer = page.evaluate_handle(_DROP, encoded)
    for event in ("dragover", "drop"):
        page.dispatch_event("main", event, {"dataTransfer": transfer})


def names(page: Page) -> list[str]:
    """List the names under the pictures of the gallery, as they stand."""
    return page.locator("#tiles .label").all_inner_texts()


def scroll_to_the_end(page: Page) -> None:
    """Scroll down until the gallery says that there is no more."""
    page.wait_for_selector("#tiles li")
    for _ in range(200):
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(30)
        if "more below" not in page.inner_text("#more"):
            return
    raise AssertionError("the gallery never ends")


def comment(server: Server, image_id: str, text: str) -> None:
    """Write a comment past the page."""
    response = requests.post(f"{server.url}/api/images/{image_id}/comments", json={"text": text}, timeout=10)
    assert response.status_code == 201, response.text


def serious_faults(page: Page) -> list[tuple[str, list[str]]]:
    """Let axe-core look at the page; returns (rule, elements) of what it finds serious or critical."""
    spec = find_spec("axe_core_python")
    assert spec is not None
    assert spec.origin is not None
    page.evaluate(Path(spec.origin).with_name("axe.min.js").read_text())
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious]
