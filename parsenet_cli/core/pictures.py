"""Pictures that somebody else made: the one place that opens them, in the formats that are meant and of bounded size.

Pillow tells a format by a file's content, and hands some of them to other programs: an EPS file called `.jpg` is PostScript,
which Ghostscript would run.
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from parsenet_cli.core.errors import UserError
from parsenet_cli.core.files import open_plain

if TYPE_CHECKING:
    from PIL.Image import Image

Formats = tuple[str, ...]

MASKS: Formats = ("PNG",)
"""Formats that keep numbers as they are."""

IMAGES: Formats = ("JPEG", "PNG")

PHOTOS: Formats = (*IMAGES, "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""Formats in which people keep their photos."""

MOST_PIXELS = 1 << 27
"""134 million, three bytes each: more than cameras have, and less than what Pillow refuses with an error of its own."""

_END_OF_PNG = b"\0\0\0\0IEND\xaeB`\x82"

_MARK = "parsenet"
"""In a PNG's text `Software`, or a JPEG's comment: the file was written by this program, which may replace it."""


@contextmanager
def opened(path: Path, kind: str, formats: Formats, *, follow: bool = True) -> Iterator[Image]:
    """A file that holds a `kind` (image, mask), open for reading; what cannot be read to its end is refused.

    Raises:
        UserError: it is missing, no plain file, in another format, too large, truncated or damaged; also where that shows
            only as the block reads it.
    """
    try:
        with open_plain(path, follow=follow) as file:
            yield open_stream(file, formats)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such {kind}") from None
    except Exception as problem:  # Pillow names no common class for what a damaged file can raise
        raise UserError(
            f"{path}: not a complete {kind} ({_reason(problem, formats)}); restore it or leave it out"
        ) from None


def open_stream(stream: BinaryIO, formats: Formats, *, verify: bool = False) -> Image:
    """A picture whose size is bounded and, of a PNG, whose last part is there; `verify` compares all checksums of a PNG.

    Raises what Pillow raises, and `ValueError` where it has too many pixels.
    """
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = None  # it would warn, or raise what is neither OSError nor ValueError; ours is below
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damage that it can read past, as that of EXIF data
    image = Pillow.open(stream, formats=formats)
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels are more than {MOST_PIXELS}")
    if image.format == "PNG" and (verify or not _ends(stream)):
        image.verify()  # to the last chunk, which decoding does not miss; afterwards it has to be opened again
        stream.seek(0)
        image = Pillow.open(stream, formats=formats)
    return image


def _ends(stream: BinaryIO) -> bool:
    at = stream.tell()
    stream.seek(-len(_END_OF_PNG), os.SEEK_END)
    ends = stream.read() == _END_OF_PNG
    stream.seek(at)
    return ends


def mark(format_: str) -> dict[str, Any]:
    """Arguments of `Image.save` for a PNG or JPEG that this program may replace when it is asked for the same again."""
    from PIL.PngImagePlugin import PngInfo

    if format_ == "JPEG":
        return {"comment": _MARK}
    text = PngInfo()
    text.add_text("Software", _MARK)
    return {"pnginfo": text}


def is_marked(path: Path) -> bool:
    """Whether a file is a picture with the `mark`; of a link it is the link that is looked at, which has none."""
    try:
        with opened(path, "image", IMAGES, follow=False) as image:
            return image.info.get("Software") == _MARK or image.info.get("comment") == _MARK.encode()
    except UserError:
        return False


def _reason(problem: Exception, formats: Formats) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(problem, UnidentifiedImageError):
        return f"not in a format that is read here: {', '.join(formats)}"
    if isinstance(problem, OSError) and problem.errno == errno.EINVAL:
        return "it is no plain file"
    return (problem.strerror if isinstance(problem, OSError) else "") or str(problem) or type(problem).__name__
