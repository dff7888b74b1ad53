"""Plot a depth range (needs matplotlib): ``plot_depth_range.py LOG TOP BOTTOM OUT.png [URL]``."""

import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from imgpipe.client import Client


def main(log: str, top: float, bottom: float, target: str, url: str) -> None:
    """Read the range as an array and draw it against its depths."""
    with Client(url) as client:
        frames = client.frames(log, depth_min=top, depth_max=bottom)
    figure, axes = pyplot.subplots(figsize=(3, 9), layout="constrained")
    axes.imshow(
        frames.pixels,
        aspect="auto",
        cmap="YlOrBr_r",
        extent=(0, 360, frames.depth_max, frames.depth_min),
    )
    axes.set(title=log, xlabel="azimuth, degrees", ylabel="depth")
    figure.savefig(target, dpi=120)
    print(f"{len(frames.pixels):,} rows from {frames.depth_min} to {frames.depth_max} in {target}")


if __name__ == "__main__":
    main(
        sys.argv[1],
        float(sys.argv[2]),
        float(sys.argv[3]),
        sys.argv[4],
        sys.argv[5] if len(sys.argv) > 5 else "http://127.0.0.1:5000",
    )
