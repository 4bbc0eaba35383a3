"""Decoding: orientation, size and what is refused."""

from __future__ import annotations

import io
import unittest
from unittest import mock

import photo
from detector import Face
from photo import LONGEST_SIDE, BadPhoto, in_original, read_photo
from PIL import Image, ImageChops, ImageStat
from support import encoded, sample_image

# How a camera held so stores the picture: the inverse of what the viewer must do.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def file(image: Image.Image, format: str = "JPEG", orientation: int = 1) -> io.BytesIO:
    """Give an image as an open file, see `encoded`."""
    return io.BytesIO(encoded(image, format, orientation))


class ReadPhoto(unittest.TestCase):
    def test_turns_upright_as_exif_says(self) -> None:
        upright = sample_image().crop((0, 0, 400, 300))
        for orientation, transposed in STORED_AS.items():
            for format in ("JPEG", "PNG", "WEBP"):
                with self.subTest(orientation=orientation, format=format):
                    stored = upright if transposed is None else upright.transpose(transposed)
                    read = read_photo(file(stored, format, orientation)).image
                    self.assertEqual(read.size, upright.size)
                    difference = ImageStat.Stat(ImageChops.difference(read, upright)).mean
                    self.assertLess(max(difference), 4)

    def test_shrinks_a_large_photo_and_says_by_how_much(self) -> None:
        for format in ("JPEG", "PNG"):
            with self.subTest(format=format):
                image, shrunk_by = read_photo(file(Image.new("RGB", (3000, 2000)), format))
                self.assertEqual(image.size, (LONGEST_SIDE, 533))
                self.assertEqual(shrunk_by, 3000 / LONGEST_SIDE)

    def test_leaves_a_small_photo_as_it_is(self) -> None:
        self.assertEqual(read_photo(file(Image.new("RGB", (30, 20)))).shrunk_by, 1)

    def test_box_grows_back(self) -> None:
        face = in_original(Face((10, 20, 30, 40), 0.9), 2.5)
        self.assertEqual(face, Face((25, 50, 75, 100), 0.9))

    def test_every_mode_becomes_rgb(self) -> None:
        for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
            with self.subTest(mode=mode):
                stored = io.BytesIO()
                Image.new(mode, (30, 20)).save(stored, "PNG")
                self.assertEqual(read_photo(stored).image.mode, "RGB")


class Refused(unittest.TestCase):
    def refusal(self, data: bytes) -> BadPhoto:
        with self.assertRaises(BadPhoto) as caught:
            read_photo(io.BytesIO(data))
        return caught.exception

    def test_not_an_image(self) -> None:
        refusal = self.refusal(b"%PDF-1.7 not a photo")
        self.assertIn("send one of JPEG", str(refusal))
        self.assertEqual(refusal.status, 415)

    def test_damaged(self) -> None:
        whole = encoded(sample_image())
        self.assertIn("damaged", str(self.refusal(whole[: len(whole) // 2])))

    def test_too_many_pixels_are_refused_before_they_are_decoded(self) -> None:
        stored = io.BytesIO()
        Image.new("1", (6000, 6000)).save(stored, "PNG")  # 5 KB that would unfold to 108 MB
        with mock.patch.object(photo, "as_upright", side_effect=AssertionError("decoded")):
            refusal = self.refusal(stored.getvalue())
        self.assertIn("25 megapixels: shrink it", str(refusal))
        self.assertEqual(refusal.status, 413)

    def test_bomb_is_refused(self) -> None:
        stored = io.BytesIO()
        Image.new("1", (14000, 14000)).save(stored, "PNG")  # past Pillow's own limit
        self.assertEqual(self.refusal(stored.getvalue()).status, 413)
