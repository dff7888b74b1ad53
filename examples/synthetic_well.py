"""Make a well whose features are known, send it, and show what contrast does to it.

    python examples/synthetic_well.py http://127.0.0.1:5000 contrast.png

30 m of borehole wall in steps of 1 cm, 180 pixels around: fractures are sinusoids, of which the depth, height
and direction are listed in FRACTURES; washouts are holes; and the tool drifts, so that the lower half is
nearly black before it is stretched within a moving window.
"""

import io
import sys
import urllib.request

import numpy as np
from PIL import Image

ROWS, WIDTH, STEP_M, TOP_M = 3_000, 180, 0.01, 1_500.0
# Depth of the middle and half the height in metres, direction in degrees.
FRACTURES = [(n * 1.37 + 1, 0.12 + 0.11 * (n % 5), 47 * n % 360) for n in range(21)]
WASHOUTS = [(7.0, 0.5), (19.2, 0.8), (26.1, 0.3)]
NULL = -999.25
VIEWS = ("contrast=none", "contrast=linear", "contrast=linear&window=2")


def make_well(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return depths in metres (n,) and resistivity in ohm.m (n, 180), NULL in washouts."""
    rng = np.random.default_rng(seed)
    below_m = np.arange(ROWS) * STEP_M
    azimuth = np.linspace(0, 2 * np.pi, WIDTH, endpoint=False)
    beds = np.repeat(rng.normal(0, 6, ROWS // 25), 25)[:, None]
    values = 100 + beds + rng.normal(0, 4, (ROWS, WIDTH))
    for middle, height, direction in FRACTURES:
        trace = middle + height * np.cos(azimuth - np.radians(direction))
        values -= 35 * np.exp(-(((below_m[:, None] - trace) / 0.02) ** 2))
    values *= np.exp(-4 * below_m / below_m[-1])[:, None]  # the drift
    for middle, height in WASHOUTS:
        inside = np.abs(below_m - middle) < height / 2
        values[np.ix_(inside, np.arange(60, 120))] = NULL
    return np.round(TOP_M + below_m, 2), values


def write_csv(depths: np.ndarray, values: np.ndarray) -> bytes:
    """Return the well as a CSV in metres."""
    lines = [",".join(["depth[m]", *(f"p{n}" for n in range(WIDTH))])]
    for depth, row in zip(depths.tolist(), values.tolist(), strict=True):
        lines.append(",".join([f"{depth:.2f}", *(f"{value:.2f}" for value in row)]))
    return "\n".join(lines).encode() + b"\n"


def main(server: str, target: str) -> None:
    """Send the well and put its three views side by side."""
    query = "log=synthetic&scale=auto&null=-999.25&value_unit=ohm.m"
    csv = write_csv(*make_well())
    request = urllib.request.Request(f"{server}/api/frames?{query}", csv, {"Content-Type": "text/csv"})
    urllib.request.urlopen(request).close()
    pictures = []
    for view in VIEWS:
        address = f"{server}/api/frames?log=synthetic&format=png&max_rows=750&null_color=ffffff&{view}"
        with urllib.request.urlopen(address) as answer:
            pictures.append(Image.open(io.BytesIO(answer.read())).convert("RGB"))
    sheet = Image.new("RGB", (3 * 240 + 40, 750), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(picture.resize((240, 750)), (place * 260, 0))
    sheet.quantize(48).save(target, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
