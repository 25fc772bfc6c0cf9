"""Data from Python: NumPy arrays, or torch data sets of images and labels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from tune_mnist.datasets.dataset import PARTS, PartName, Unsplit
from tune_mnist.datasets.formats.arrays import Array, Part, unsplit
from tune_mnist.datasets.formats.image_column import Decoding, Embedded, decode
from tune_mnist.datasets.pictures import Progress
from tune_mnist.errors import input_error, nearest

if TYPE_CHECKING:
    from PIL.Image import Image

PNG_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")  # without loss; the others are TIFF
MOST_NAMED = 5
FORMS = "give (images, labels), or a torch data set whose items are (image, label)"


@runtime_checkable
class MapStyle(Protocol):
    """A map-style torch data set: `data[i]` is (image, label)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


Pool = tuple[Any, Any] | MapStyle
PythonData = Pool | Mapping[str, Pool]
"""The training pool, or a mapping with "train" and perhaps "val" and "test"."""


def from_python(data: PythonData, how: Decoding) -> Unsplit:
    """Return the data set that these objects hold.

    Args:
        data: (images, labels), as arrays, tensors or lists in the shapes and types of `Part`; or a
            torch data set whose items are (image, label), an image being a PIL image, an array or
            a tensor. Or a mapping of "train", "val" and "test" to these. The classes are those of
            the torch data set's `classes`, else the labels.
        how: how PIL images are treated; its progress also sees how a torch data set is read.

    Raises: InputError: it is something else, or what `unsplit` and `decode` raise.
    """
    pools = _pools(data)
    read = {name: _read(f"`data`, {name}", pool, how.progress) for name, pool in pools.items()}
    pictures = {name: images for name, (images, _) in read.items() if isinstance(images, list)}
    notes: tuple[str, ...] = ()
    if pictures and len(pictures) < len(read):
        raise input_error("`data`", "some parts hold PIL images, others arrays", "use one kind")
    arrays = {name: images for name, (images, _) in read.items() if not isinstance(images, list)}
    if pictures:
        files = [one for images in pictures.values() for one in images]
        decoded = decode(files, replace(how, skip_bad_images=False))
        pixels, notes = decoded.pixels, decoded.notes
        ends = np.cumsum([len(images) for images in pictures.values()])
        arrays = dict(zip(pictures, np.split(pixels, ends[:-1]), strict=True))
    parts = {
        name: Part(arrays[name], labels, f"`data`, {name} images", f"`data`, {name} labels")
        for name, (_, labels) in read.items()
    }
    return unsplit(parts, _names(pools["train"], parts), notes)


def _pools(data: PythonData) -> dict[PartName, Pool]:
    if not isinstance(data, Mapping):
        return {"train": data}
    for name in data:
        if name not in PARTS:
            raise input_error("`data`", f"{name!r} is no part", nearest(str(name), PARTS))
    if "train" not in data:
        raise input_error("`data`", "has no part train", "give the images to learn from as train")
    return {name: data[name] for name in PARTS if name in data}


def _read(
    where: str, pool: Pool, progress: Progress | None
) -> tuple[Array | list[Embedded], Array]:
    """Return images, as an array or as image files, and labels."""
    if isinstance(pool, tuple | list) and len(pool) == 2 and not _is_item(pool[0]):
        return _array(f"{where} images", pool[0]), _array(f"{where} labels", pool[1])
    if isinstance(pool, str) or not isinstance(pool, MapStyle):
        raise input_error(where, f"is {type(pool).__name__}, which cannot be read", FORMS)
    images, labels = [], []
    for index in range(len(pool)):
        item = pool[index]
        if not isinstance(item, tuple | list) or len(item) != 2:
            problem = f"item {index} is {type(item).__name__}, not (image, label)"
            raise input_error(where, problem, FORMS)
        images.append(item[0])
        labels.append(item[1].item() if hasattr(item[1], "item") else item[1])
        if progress:
            progress(index + 1, len(pool))
    if not images:
        raise input_error(where, "has no items", "add images")
    said = _array(f"{where} labels", labels)
    if not any(map(_is_picture, images)):
        return _stacked(where, images), said
    for index, image in enumerate(images):
        if not _is_picture(image):
            problem = f"item {index} is {type(image).__name__}, others are PIL images"
            raise input_error(where, problem, "use one kind")
    files = [_file(f"{where}: item {index}", image) for index, image in enumerate(images)]
    return files, said


def _is_item(first: Any) -> bool:
    """Whether a list's first entry is (image, label), so that it is a list of items."""
    return isinstance(first, tuple) and len(first) == 2


def _is_picture(image: Any) -> bool:
    from PIL.Image import Image

    return isinstance(image, Image)


def _file(where: str, image: Image) -> Embedded:
    """Return the image as a file, so that it is read by the rules of files."""
    file = io.BytesIO()
    if image.mode in PNG_MODES:
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "TIFF")
    return Embedded(where, file.getvalue())


def _stacked(where: str, images: Sequence[Any]) -> Array:
    arrays = [_array(f"{where}: item {index}", image) for index, image in enumerate(images)]
    odd = next((i for i, array in enumerate(arrays) if array.shape != arrays[0].shape), None)
    if odd is not None:
        shapes = f"item {odd} has the shape {arrays[odd].shape}, item 0 {arrays[0].shape}"
        raise input_error(where, shapes, "resize them to one size")
    return np.stack(arrays)


def _array(where: str, given: Any) -> Array:
    """Return an array of an array, a tensor, a pandas column or a list."""
    try:
        return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (ValueError, TypeError) as error:
        raise input_error(where, f"is no array ({error})", FORMS) from None


def _names(pool: Pool, parts: Mapping[PartName, Part]) -> tuple[str, ...]:
    """Return the names of labels 0..k-1 that a torch data set declares, if they fit its labels."""
    names = getattr(pool, "classes", None)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return ()
    labels = [part.labels for part in parts.values()]
    fit = all(one.dtype.kind in "iu" and 0 <= one.min() <= one.max() < len(names) for one in labels)
    return tuple(names) if fit else ()
