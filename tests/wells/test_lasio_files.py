"""Every LAS file of lasio's own source package: taken in, or refused with a reason; none crashes."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from imgpipe.wells import extracting, las
from imgpipe.wells.contents import Refusal

pytestmark = pytest.mark.system

TAKEN = {
    "las-30a-revised-2010.las",
    "sample_3.0.las",
    "sample_3.0_tab_dlm.las",
    "sample_issue105_c.las",
    "sample_las3.0_spec.las",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fetch lasio's source package; skip where there is no package index."""
    folder = tmp_path_factory.mktemp("lasio")
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    fetch += [
        "--disable-pip-version-check",
        "--no-binary",
        "lasio",
        "--dest",
        str(folder),
        "lasio==0.31",
        "--retries",
        "0",
    ]
    if subprocess.run(fetch, check=False, capture_output=True, timeout=120).returncode:
        pytest.skip("lasio's source package cannot be fetched here")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_every_file_is_taken_in_or_refused_with_a_reason(package: Path) -> None:
    files = sorted(package.rglob("*.las"))
    assert len(files) >= 118
    taken: set[str] = set()
    reasons: dict[str, str] = {}
    for file in files:
        try:
            with open("/dev/null", "wb") as nowhere:
                order = {"what": "extract", "channel": None, "target": nowhere.fileno()}
                extracting.answer(las.open_file(str(file)), order)
            taken.add(file.name)
        except Refusal as refusal:
            reasons[file.name] = str(refusal)
    assert taken == TAKEN
    assert [name for name, reason in reasons.items() if len(reason) < 20 or reason[-1] != "."] == []


@pytest.mark.filterwarnings("ignore")
def test_every_file_is_listed_or_refused_with_a_reason(package: Path) -> None:
    refused = []
    for file in sorted(package.rglob("*.las")):
        try:
            (frame,) = extracting.answer(las.open_file(str(file)), {"what": "inspect"})["frames"]
            assert frame["index_type"] in ("depth", "time", "unknown")
        except Refusal as refusal:
            refused.append(str(refusal))
    assert len(refused) < 10
    assert [reason for reason in refused if not reason.startswith("The LAS file ")] == []
