"""Measure the core, file bytes -> small, medium and square as bytes, against the usual ways of doing it.

    python -m benchmarks.core [PHOTO.jpg …]

Every contender does the same batch in turn, round after round, on two threads; the figures themselves are
this machine's, and the ratio of CPU time is told besides, which holds where the machine is busy. sharp and
thumbor live in processes of their own. Own photos take the place of the made 12 MP ones. Needs
requirements-bench.txt; what is not installed is left out with a line.
"""

import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.foreign import foreigners
from benchmarks.photos import jpeg, photo, png
from benchmarks.results import amount, in_turn, record
from imgpipe.imaging.geometry import fit
from imgpipe.imaging.pipeline import run
from imgpipe.imaging.probe import probe

THREADS = 2
SIDES = amount(1000, 100)
MP12, MP24, MP3 = (4 * SIDES, 3 * SIDES), (6 * SIDES, 4 * SIDES), (2 * SIDES, 3 * SIDES // 2)
LANCZOS = Image.Resampling.LANCZOS
# What is to be reached, times as many pictures; of a peer that is not named here: as many.
TARGETS: Mapping[str, Mapping[str, float]] = {
    "12 MP JPEG": {"sharp": 1.2, "pyvips": 1.5},
    "12 MP progressive JPEG": {"sharp": 1.1},
    "24 MP JPEG": {"sharp": 1.2, "pyvips": 1.5},
    "24 MP progressive JPEG": {"sharp": 1.1},
    "3 MP PNG, RGB": {"sharp": 0.95},
    "3 MP PNG, palette": {"sharp": 1.2},
    "3 MP PNG, noisy": {"pyvips": 0.6},
    "3 MP PNG, RGB, by libvips": {"sharp": 0.95, "pyvips": 0.9},
    "3 MP PNG, noisy, by libvips": {"pyvips": 0.9},
}
BY_LIBVIPS = ("3 MP PNG, RGB", "3 MP PNG, RGBA", "3 MP PNG, 16-bit", "3 MP PNG, noisy")
PLAIN = ("usual", "resize")  # not what anybody measures up to

Contender = Callable[[bytes], object]
Measure = Callable[[list[bytes]], tuple[float, float]]


def usual(data: bytes) -> object:
    """Do what most code does: decode everything, then ``thumbnail`` a copy for every size."""
    picture = Image.open(BytesIO(data)).convert("RGB")
    return _save_all([_shrunk(picture, side) for side in (128, 512, 512)])


def resizing(data: bytes) -> object:
    """Do the other usual thing: decode everything, then a plain LANCZOS ``resize`` for every size."""
    picture = Image.open(BytesIO(data)).convert("RGB")
    return _save_all([picture.resize(fit(picture.size, side), LANCZOS) for side in (128, 512, 512)])


def vips(data: bytes) -> object:
    """Let libvips shrink while it loads, and make the others from the medium."""
    pyvips: Any = importlib.import_module("pyvips")
    medium = pyvips.Image.thumbnail_buffer(data, 512, height=512, size="down").copy_memory()
    small = medium.thumbnail_image(128, height=128, size="down")
    if medium.hasalpha():
        sizes = [output.pngsave_buffer(keep="none") for output in (small, medium)]
        medium = medium.flatten()
    else:
        sizes = [output.jpegsave_buffer(Q=85, keep="none") for output in (small, medium)]
    return [*sizes, medium.gravity("centre", 512, 512).jpegsave_buffer(Q=85, keep="none")]


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        print(_peak_mib(sys.stdin.buffer.read(), CONTENDERS[sys.argv[2]]))
        return
    batches = _batches([Path(name).read_bytes() for name in sys.argv[1:]])
    with _contending() as contenders:
        for title, batch in batches.items():
            print(f"\n{title}, {len(batch[0]) / 1e6:.1f} MB each, {THREADS} threads")
            _compare(title, batch, contenders)
    if "pyvips" in CONTENDERS:
        with _contending(partial(run, png_decoder="vips")) as contenders:
            for title in BY_LIBVIPS:
                _compare(f"{title}, by libvips", batches[title], contenders)
    photos = next(iter(batches.values()))
    _report_quality(photos)
    _report_probe(photos[0])
    _report_memory({title: batch[0] for title, batch in batches.items() if "24 MP" in title})


def _batches(own: list[bytes]) -> dict[str, list[bytes]]:
    pictures = [photo(seed, MP12) for seed in range(amount(6, 2))]
    large, smooth = photo(9, MP24), photo(8, (SIDES, 3 * SIDES // 4)).resize(MP3, Image.Resampling.BICUBIC)
    random = np.random.default_rng(8)
    soft = smooth.copy()
    soft.putalpha(Image.linear_gradient("L").resize(MP3))
    deep = np.asarray(smooth.convert("L"), np.uint16) * 257 + random.integers(0, 16, MP3[::-1], np.uint16)
    return {
        "your photos" if own else "12 MP JPEG": own or [jpeg(picture) for picture in pictures],
        "12 MP progressive JPEG": [jpeg(picture, progressive=True) for picture in pictures[:2]],
        "24 MP JPEG": [jpeg(large)] * 4,
        "24 MP progressive JPEG": [jpeg(large, progressive=True)] * 2,
        "3 MP PNG, RGB": [png(smooth)] * 4,
        "3 MP PNG, RGBA": [png(soft)] * 4,
        "3 MP PNG, palette": [png(smooth.quantize(256))] * 4,
        "3 MP PNG, 16-bit": [png(Image.fromarray(deep))] * 4,
        "3 MP PNG, noisy": [png(picture.resize(MP3)) for picture in pictures[:2]] * 2,
    }


@contextmanager
def _contending(ours: Contender = run) -> Iterator[Mapping[str, Measure]]:
    """Give all contenders, those in this process and those outside."""
    foreign = foreigners()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(THREADS) as pool:

        def outside(name: str, batch: list[bytes]) -> tuple[float, float]:
            files = [Path(folder) / str(number) for number in range(len(batch))]
            for file, data in zip(files, batch, strict=True):
                file.write_bytes(data)
            took_s, cpu_s = foreign[name].measure(files, THREADS)
            return len(batch) / took_s, cpu_s * 1000 / len(batch)

        contenders = CONTENDERS | {"imgpipe": ours}
        inside = {name: partial(_measure, pool, contender) for name, contender in contenders.items()}
        yield inside | {name: partial(outside, name) for name in foreign}
    for peer in foreign.values():
        peer.close()


def _compare(title: str, batch: list[bytes], contenders: Mapping[str, Measure]) -> None:
    for measure in contenders.values():
        measure(batch[:1])  # the first of a kind loads and compiles what it needs
    found = in_turn({name: partial(measure, batch) for name, measure in contenders.items()})
    rates = {name: [rate for rate, _ in measured] for name, measured in found.items()}
    spent_ms = {name: [cpu_ms for _, cpu_ms in measured] for name, measured in found.items()}
    for name in list(contenders)[1:]:
        target = None if name in PLAIN else TARGETS.get(title, {}).get(name, 1.0)
        by_cpu = median(map(truediv, spent_ms[name], spent_ms["imgpipe"]))
        record(title, rates["imgpipe"], "/s", peer=name, theirs=rates[name], target=target, by_cpu=by_cpu)


def _measure(pool: ThreadPoolExecutor, contender: Contender, batch: list[bytes]) -> tuple[float, float]:
    """Return pictures a second, and ms of CPU a picture, all threads together."""
    began, spent = time.perf_counter(), time.process_time()
    list(pool.map(contender, batch))
    return len(batch) / (time.perf_counter() - began), (time.process_time() - spent) * 1000 / len(batch)


def _report_quality(batch: list[bytes]) -> None:
    found = [ssim(_luma(run(data).picture), _luma(_reference(data))) for data in batch]
    print("\nSSIM of the medium before encoding, against a full LANCZOS:", end=" ")
    print(f"median {median(found):.4f}, least {min(found):.4f} of {len(found)}")


def _report_probe(data: bytes) -> None:
    times_ms = []
    for _ in range(50):
        began = time.perf_counter()
        probe(data, max_pixels=64_000_000)
        times_ms.append((time.perf_counter() - began) * 1000)
    print(f"probe of one: {median(times_ms):.2f} ms")


def _report_memory(files: dict[str, bytes]) -> None:
    print(f"\npeak memory, {THREADS} threads, MiB above the imports (whole process)")
    for title, data in files.items():
        for name in CONTENDERS:
            command = [sys.executable, "-m", "benchmarks.core", "--peak", name]
            peak = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout.decode()
            print(f"  {title:24}{name:10}{peak.strip():>12}")


def _peak_mib(data: bytes, contender: Contender) -> str:
    before = _high_water_mib()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(contender, [data] * 3 * THREADS))
    after = _high_water_mib()
    return f"{after - before:.0f} ({after:.0f})"


def _high_water_mib() -> float:
    # Linux only. getrusage would not do: a child begins with its parent's peak.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _shrunk(picture: Image.Image, side: int) -> Image.Image:
    copy = picture.copy()
    copy.thumbnail((side, side), LANCZOS)
    return copy


def _save_all(pictures: list[Image.Image]) -> list[bytes]:
    *_, last = pictures
    pictures[-1] = Image.new("RGB", (512, 512))
    pictures[-1].paste(last, ((512 - last.width) // 2, (512 - last.height) // 2))
    return [jpeg(picture, quality=85) for picture in pictures]


def _reference(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data)).convert("RGB")
    picture.thumbnail((512, 512), LANCZOS, reducing_gap=None)
    return picture


def _luma(picture: Image.Image) -> NDArray[np.float64]:
    return np.asarray(picture.convert("L"), np.float64)


def ssim(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Compare two grey pictures of one size: mean SSIM over 7 x 7 windows (Wang et al. 2004), 1 is equal."""
    mean_one, mean_other = _window_mean(one), _window_mean(other)
    unbiased = 49 / 48
    var_one = unbiased * (_window_mean(one * one) - mean_one**2)
    var_other = unbiased * (_window_mean(other * other) - mean_other**2)
    covariance = unbiased * (_window_mean(one * other) - mean_one * mean_other)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_one * mean_other + c1) * (2 * covariance + c2)
    return float(np.mean(likeness / ((mean_one**2 + mean_other**2 + c1) * (var_one + var_other + c2))))


def _window_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    windows = np.lib.stride_tricks.sliding_window_view(values, (7, 7))
    return np.asarray(windows.mean(axis=(2, 3)), np.float64)


def _contenders() -> dict[str, Contender]:
    found: dict[str, Contender] = {"imgpipe": run, "usual": usual, "resize": resizing}
    try:
        importlib.import_module("pyvips")
    except (ImportError, OSError):
        print("pyvips is not installed: left out")
    else:
        found["pyvips"] = vips
    return found


CONTENDERS: dict[str, Contender] = _contenders()

if __name__ == "__main__":
    main()
