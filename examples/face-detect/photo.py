"""Turn an uploaded file into an upright RGB picture small enough for the detector."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from detector import Face
from PIL import Image, ImageOps

MAX_BYTES = 20_000_000
MAX_PIXELS = 25_000_000  # decoding one takes up to 175 MB of the container's 512 MB
LONGEST_SIDE = 800  # pixels the detector sees; its time and memory grow with the square
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # the fewer decoders, the less to attack


class BadPhoto(Exception):
    """The file can't be used as a photo; the message tells the sender what to do."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Photo(NamedTuple):
    """An upright RGB picture, and how many pixels of the original one of its pixels spans."""

    image: Image.Image
    shrunk_by: float


def read_photo(file: BinaryIO) -> Photo:
    """Decode an image, turn it upright as its EXIF orientation says, and shrink it.

    Raises BadPhoto when the file is no image, a broken one, or one too large.
    """
    image = open_image(file)
    longest = max(image.size)
    try:
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size for a fraction of the cost.
        image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        upright = as_upright(image)
    except Exception as error:  # a decoder fed damaged bytes raises almost anything
        raise BadPhoto("the image is damaged: open and save it again, then send that") from error
    return Photo(upright, longest / max(upright.size))


def open_image(file: BinaryIO) -> Image.Image:
    """Read an image's header, and raise BadPhoto if it should not be decoded."""
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise too_many_pixels() from error
    except Exception as error:  # see read_photo
        raise BadPhoto(f"not an image: send one of {', '.join(FORMATS)}", 415) from error
    if image.width * image.height > MAX_PIXELS:
        raise too_many_pixels()
    return image


def too_many_pixels() -> BadPhoto:
    """Give the error for a picture that would not fit in memory."""
    return BadPhoto(f"the image is over {MAX_PIXELS // 10**6} megapixels: shrink it", 413)


def as_upright(image: Image.Image) -> Image.Image:
    """Decode, shrink to LONGEST_SIDE if larger, and turn upright."""
    rgb = image.convert("RGB")
    rgb.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BILINEAR)
    return ImageOps.exif_transpose(rgb)


def in_original(face: Face, shrunk_by: float) -> Face:
    """Give the face with its box in pixels of the original, upright photo."""
    left, top, width, height = (round(value * shrunk_by) for value in face.box)
    return Face((left, top, width, height), face.probability)
