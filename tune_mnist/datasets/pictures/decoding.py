"""From image files of any size and mode to one uint8 array.

Files that cannot be decoded are named. Checksums are verified first, where the format has them: PNG
does, JPEG does not.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tune_mnist.datasets.memory import check_fits
from tune_mnist.datasets.pictures.composing import Picture, composed
from tune_mnist.errors import input_error

if TYPE_CHECKING:
    from PIL.Image import Image

# EPS and others run programs. The frequent ones come first: each is asked in this order.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "PPM", "TIFF", "WEBP", "JPEG2000", "AVIF")
LARGEST_KEPT = 64  # pixels per side; if all images have one size, up to this one, they keep it
CHUNK_FILES = 64
SMALL_FILES = 256  # of a chunk of small files
THREADS_PAY_BYTES = 10_000  # smaller files spend their time under the interpreter's lock
PROCESSES_PAY_FILES = 4_000  # of small files
PEEKED_FILES = 32  # whose headers tell how much memory all need
PNG = b"\x89PNG\r\n\x1a\n"

Progress = Callable[[int, int], None]  # images decoded so far, images in all
Source = str | bytes  # a file's path, or what it holds
_Result = tuple[Picture, bytes] | str  # a picture and its digest, or why it cannot be decoded
_Results = list[_Result] | tuple[npt.NDArray[np.uint8], list[bytes]]


@dataclass(frozen=True)
class Decoded:
    """What `read_pictures` made of n files.

    Args:
        pixels: (m, h, w) uint8 if all are grey, otherwise (m, h, w, 3): the m <= n good ones.
        good: (m,) int64, their positions among the files, ascending.
        hashes: m SHA-256 digests of what the files hold.
        bad: position among the files to why it cannot be decoded.
        notes: how they were made into one array.
    """

    pixels: npt.NDArray[np.uint8]
    good: npt.NDArray[np.int64]
    hashes: list[bytes]
    bad: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_pictures(
    files: Sequence[Source], side: int = 64, progress: Progress | None = None
) -> Decoded:
    """Decode image files.

    If all images have the same size, up to 64x64 pixels, they keep it. Otherwise all are resized to
    `side`, bilinearly and without keeping the aspect ratio. 16-bit grey is scaled by the range that
    all of it uses. Transparent images are placed on the one ground (white, black or grey) from
    which the least visible of them differs most. EXIF rotation is applied. Of animations and of
    several pages the first is read. A note says each of these but the rotation.

    Args:
        files: n >= 1 paths, or what the files hold.
        side: pixels per side, >= 1.
        progress: called in this thread after every few files.

    Raises: InputError: the decoded images would take more than half of the memory.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd headers: what cannot be used is named
        return _read_pictures(files, side, progress)


def _read_pictures(files: Sequence[Source], side: int, progress: Progress | None) -> Decoded:
    check_fits(f"{len(files):,} images", _bytes_needed(files, side))
    pictures: list[Picture] = []
    hashes: list[bytes] = []
    good: list[int] = []
    bad: dict[int, str] = {}
    for number, result in enumerate(_results(files, side)):
        if isinstance(result, str):
            bad[number] = result
        else:
            picture, digest = result
            pictures.append(picture)
            hashes.append(digest)
            good.append(number)
        if progress and ((number + 1) % CHUNK_FILES == 0 or number + 1 == len(files)):
            progress(number + 1, len(files))
    where = np.array(good, dtype=np.int64)
    if not pictures:
        return Decoded(np.zeros((0, 1, 1), np.uint8), where, hashes, bad)
    pixels, notes = composed(pictures, side)
    return Decoded(pixels, where, hashes, bad, notes)


def _results(files: Sequence[Source], side: int) -> Iterator[_Result]:
    """Yield each file's picture and digest, or why it cannot be decoded."""
    some = files[:CHUNK_FILES]
    small = sum(map(_size, some)) / len(some) < THREADS_PAY_BYTES
    step = SMALL_FILES if small else CHUNK_FILES
    chunks = [files[i : i + step] for i in range(0, len(files), step)]
    of_chunk = partial(_of_chunk, side=side)
    with _side_by_side(small, len(files)) as pool:
        try:
            for results in map(of_chunk, chunks) if pool is None else pool.map(of_chunk, chunks):
                yield from _unpacked(results)
        except BrokenProcessPool as error:
            problem = "a process that decoded some of them was killed"
            raise input_error(f"{len(files):,} images", problem, "free some memory") from error


def _of_chunk(chunk: Sequence[Source], side: int) -> _Results:
    """Decode files; those of the usual kind, all of one shape, come back as one array.

    A process sends one array to another in a tenth of the time of many small ones.
    """
    results = [_picture_or_reason(file, side) for file in chunk]
    usual = [one for one in results if not isinstance(one, str) and _is_usual(one[0])]
    if len(usual) < len(results) or len({one.pixels.shape for one, _ in usual}) > 1:
        return results
    return np.stack([one.pixels for one, _ in usual]), [digest for _, digest in usual]


def _is_usual(picture: Picture) -> bool:
    return not (picture.shrunk or picture.several or picture.levels)


def _unpacked(results: _Results) -> Iterator[_Result]:
    if isinstance(results, list):
        yield from results
    else:
        for pixels, digest in zip(*results, strict=True):
            yield Picture(pixels), digest


@contextmanager
def _side_by_side(small: bool, count: int) -> Iterator[Executor | None]:
    """Give what decodes chunks on all cores; None where that does not pay.

    Large files are decoded in threads. Small ones spend their time under the interpreter's lock, so
    many of them are decoded in forked processes, if nothing else runs in this one.
    """
    forks = sys.platform == "linux" and threading.active_count() == 1
    pool: Executor
    if not small:
        pool = ThreadPoolExecutor(_cores())
    elif count >= PROCESSES_PAY_FILES and forks and _cores() > 1:
        pool = ProcessPoolExecutor(_cores(), get_context("fork"), _leave_signals_to_the_parent)
    else:
        yield None
        return
    with pool:
        yield pool


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _leave_signals_to_the_parent() -> None:
    """Let Ctrl-C end the parent only, which ends us; any other signal does its usual work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _size(file: Source) -> int:
    if isinstance(file, bytes):
        return len(file)
    return os.stat(file).st_size if os.path.exists(file) else 0


def _picture_or_reason(file: Source, side: int) -> _Result:
    try:
        contents = _contents(file)
        return _picture(contents, side), hashlib.sha256(contents).digest()
    except Exception as error:  # a decoder may raise anything on a damaged file
        return _reason(error)


def _reason(error: Exception) -> str:
    """Return in one line why a file cannot be decoded."""
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = re.sub(r"<_io\.BytesIO[^>]*>", "the file", str(error))
    return text or type(error).__name__


def _contents(file: Source) -> bytes:
    if isinstance(file, str):
        with open(file, "rb") as opened:  # a Path for each of many files is slow
            file = opened.read()
    if not file:
        raise ValueError("it is empty")
    return file


def _picture(contents: bytes, side: int) -> Picture:
    from PIL import Image, ImageOps

    if contents.startswith(PNG):
        _check_png(contents)
    with Image.open(io.BytesIO(contents), formats=FORMATS) as opened:
        several = opened.format != "MPO" and getattr(opened, "is_animated", False)
        shrunk = max(opened.size) > LARGEST_KEPT
        if shrunk:
            opened.draft(None, (4 * side, 4 * side))  # decodes a JPEG no larger than needed
        opened.load()
        turned = bool(opened.info) or opened.format == "TIFF"  # nothing else holds a rotation
        upright = ImageOps.exif_transpose(opened) if turned else opened
        plain, levels = _plain(upright)
        if shrunk:
            plain = plain.resize((side, side), Image.Resampling.BILINEAR)
        pixels = np.asarray(plain)
    if levels is not None:
        pixels = np.rint(pixels).astype(np.uint16)
    return Picture(_fewest_channels(pixels), shrunk, several, levels)


def _check_png(contents: bytes) -> None:
    """Raise ValueError if a chunk of a PNG file is cut short or fails its checksum."""
    at = len(PNG)
    kind = b""
    while kind != b"IEND":
        length = int.from_bytes(contents[at : at + 4], "big")
        kind, end = contents[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(contents):
            raise ValueError("it ends early")
        if zlib.crc32(contents[at + 4 : end]) != int.from_bytes(contents[end : end + 4], "big"):
            raise ValueError("a checksum differs")
        at = end + 4


def _plain(image: Image) -> tuple[Image, tuple[int, int] | None]:
    """Return the image as 8-bit grey (L, LA) or colour (RGB, RGBA).

    Of 16-bit grey the levels stay, as mode F, and the lowest and highest are returned.
    """
    if image.mode == "I" or image.mode.startswith("I;16"):
        whole = image.convert("I") if image.mode != "I" else image
        low, high = (int(extreme) for extreme in _extrema(whole))
        if low < 0 or high > 65535:
            raise ValueError(f"its pixels have 32 bits, {low} to {high}; 8 and 16 are supported")
        return whole.convert("F"), (low, high)
    if image.mode == "F":
        raise ValueError("its pixels have 32 bits, mode F; only 8 and 16 are supported")
    if image.mode in ("L", "RGB") and "transparency" not in image.info:  # the usual ones, as is
        return image, None
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        layer = image.convert("LA" if grey and "transparency" not in image.info else "RGBA")
        if _extrema(layer.getchannel("A"))[0] < 255:
            return layer, None
    return image.convert("L" if grey else "RGB"), None


def _extrema(image: Image) -> Any:
    """Return the lowest and highest level of an image of one channel."""
    return image.getextrema()


def _fewest_channels(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (h, w) or (h, w, 2) for grey that is stored as colour, else the pixels."""
    if pixels.ndim == 2 or pixels.shape[2] == 2:
        return pixels
    seen = pixels if pixels.shape[2] == 3 else pixels * (pixels[..., 3:] > 0)
    if (seen[..., :3] != seen[..., :1]).any():
        return pixels
    return pixels[..., 0] if pixels.shape[2] == 3 else pixels[..., ::3]


def _bytes_needed(files: Sequence[Source], side: int) -> int:
    """Return about how many bytes the decoded images take, by the headers of some of them."""
    step = -(-len(files) // PEEKED_FILES)
    seen = [header for file in files[::step] if (header := _header(file)) is not None]
    sizes = {size for size, _ in seen}
    kept = len(sizes) == 1 and max(max(sizes)) <= LARGEST_KEPT
    width, height = min(sizes) if kept else (side, side)
    return len(files) * width * height * max((channels for _, channels in seen), default=1)


def _header(file: Source) -> tuple[tuple[int, int], int] | None:
    """Return the size and the number of channels that a file's header says; None without one."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(_contents(file)), formats=FORMATS) as image:
            return image.size, 1 if image.mode in ("1", "L", "I;16", "I") else 3
    except Exception:  # it is named when it is decoded
        return None
