"""The cascade, with the real weights."""

from __future__ import annotations

import os
import unittest
from typing import ClassVar
from unittest import mock

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from detector import (
    MAX_CANDIDATES,
    Candidates,
    Detector,
    as_squares,
    calibrate,
    overlaps,
    pyramid_scales,
    suppress,
    weights_folder,
)
from PIL import Image
from support import SAMPLE_FACE, TOLERANCE, farthest, sample_image


def candidates(*rows: tuple[float, ...]) -> Candidates:
    """Give candidates of rows (left, top, right, bottom, probability)."""
    table = np.array(rows, dtype=np.float32)
    return Candidates(table[:, :4], table[:, 4], np.zeros((len(rows), 4), np.float32))


class FindFaces(unittest.TestCase):
    detector: ClassVar[Detector]

    @classmethod
    def setUpClass(cls) -> None:
        cls.detector = Detector(weights_folder())

    def test_finds_the_one_face(self) -> None:
        (face,) = self.detector.find(sample_image())
        self.assertLessEqual(farthest(face.box, SAMPLE_FACE), TOLERANCE)
        self.assertGreater(face.probability, 0.999)

    def test_finds_it_at_other_sizes(self) -> None:
        for side in (256, 640):
            with self.subTest(side=side):
                (face,) = self.detector.find(sample_image().resize((side, side)))
                expected = tuple(value * side // 512 for value in SAMPLE_FACE)
                self.assertLessEqual(farthest(face.box, expected), TOLERANCE * side / 256)

    def test_finds_every_face_of_a_group(self) -> None:
        group = Image.new("RGB", (600, 400))
        portrait = sample_image().crop((123, 20, 323, 220))
        for left, top in ((0, 0), (200, 0), (400, 0), (0, 200), (200, 200), (400, 200)):
            group.paste(portrait, (left, top))
        self.assertEqual(len(self.detector.find(group)), 6)

    def test_box_of_a_cut_face_stays_inside(self) -> None:
        for face in self.detector.find(sample_image().crop((210, 40, 400, 240))):
            left, top, width, height = face.box
            self.assertTrue(0 <= left < left + width <= 190, face)
            self.assertTrue(0 <= top < top + height <= 200, face)

    def test_flat_image_has_none(self) -> None:
        self.assertEqual(self.detector.find(Image.new("RGB", (320, 240), (120, 130, 140))), [])

    def test_noise_has_none(self) -> None:
        noise = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
        self.assertEqual(self.detector.find(Image.fromarray(noise)), [])

    def test_image_smaller_than_a_face_has_none(self) -> None:
        for size in ((1, 1), (19, 400), (400, 19)):
            with self.subTest(size=size):
                self.assertEqual(self.detector.find(Image.new("RGB", size)), [])


class Geometry(unittest.TestCase):
    def test_pyramid_ends_where_the_window_no_longer_fits(self) -> None:
        self.assertEqual(list(pyramid_scales((19, 400))), [])
        self.assertEqual([round(scale, 3) for scale in pyramid_scales((30, 400))], [0.6, 0.425])

    def test_calibration_moves_edges_by_parts_of_the_box(self) -> None:
        offsets = np.array([[0.1, 0.2, -0.1, 0.5]], np.float32)
        moved = calibrate(candidates((10, 20, 30, 60, 1))._replace(offsets=offsets)).boxes
        np.testing.assert_allclose(moved, [[12, 28, 28, 80]], rtol=1e-5)

    def test_square_keeps_the_centre(self) -> None:
        squares = as_squares(candidates((10, 20, 30, 60, 1)).boxes)
        np.testing.assert_allclose(squares, [[0, 20, 40, 60]])

    def test_overlap_of_union_and_of_the_smaller(self) -> None:
        boxes = candidates(
            (0, 0, 10, 10, 1), (5, 0, 15, 10, 1), (2, 2, 4, 4, 1), (50, 50, 60, 60, 1)
        )
        box, others = boxes.boxes[0], boxes.boxes[1:]
        np.testing.assert_allclose(overlaps(box, others, False), [1 / 3, 0.04, 0], rtol=1e-5)
        np.testing.assert_allclose(overlaps(box, others, True), [0.5, 1, 0], rtol=1e-5)

    def test_suppression_keeps_the_best_of_each_heap(self) -> None:
        heap = candidates((1, 0, 11, 10, 0.8), (0, 0, 10, 10, 0.9), (50, 50, 60, 60, 0.7))
        np.testing.assert_allclose(suppress(heap, 0.5).probabilities, [0.9, 0.7])

    def test_suppression_is_bounded(self) -> None:
        apart = [(20.0 * n, 0, 20.0 * n + 10, 10, 0.9) for n in range(MAX_CANDIDATES + 5)]
        self.assertEqual(len(suppress(candidates(*apart), 0.5).boxes), MAX_CANDIDATES)


class Runtime(unittest.TestCase):
    def test_is_one_that_reports_to_nobody(self) -> None:
        major, minor = map(int, onnxruntime.__version__.split(".")[:2])
        self.assertLess((major, minor), (1, 29), "see requirements.txt")


class WeightsFolder(unittest.TestCase):
    def test_missing_weights_say_what_to_do(self) -> None:
        with (
            mock.patch.dict(os.environ, {"EVC_WEIGHTS": "/nowhere"}),
            self.assertRaisesRegex(FileNotFoundError, "/nowhere: build with EVC.*EVC_WEIGHTS"),
        ):
            weights_folder()
