"""What the tests share: the sample photo, and where its face is."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "astronaut.jpg"
SAMPLE_FACE = (179, 60, 89, 113)  # left, top, width, height in pixels
TOLERANCE = 5  # pixels: decoders and processors differ in the last bits


def sample_image() -> Image.Image:
    """Give the sample as an RGB image, 512 x 512."""
    return Image.open(SAMPLE).convert("RGB")


def encoded(image: Image.Image, format: str = "JPEG", orientation: int = 1) -> bytes:
    """Give an image as the bytes of a file that carries this EXIF orientation (1 to 8)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, format, exif=exif, quality=95)
    return file.getvalue()


def farthest(box: tuple[int, ...] | list[int], expected: tuple[int, ...]) -> float:
    """Give the largest difference, in pixels, between two boxes' numbers."""
    return max(abs(got - wanted) for got, wanted in zip(box, expected, strict=True))
