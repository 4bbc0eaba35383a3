"""Faces in a frame, by the Haar cascade that OpenCV brings (Viola and Jones, 2001)."""

from __future__ import annotations

import math

import cv2
import numpy as np

SMALLEST = 40  # pixels; smaller faces are seldom faces
NEIGHBOURS = 5


class Faces:
    """The loaded cascade."""

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(
            cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
        )

    def find(self, frame: np.ndarray) -> list[dict[str, object]]:
        """EVC's detection results for a BGR frame; boxes are left, top, width, height in pixels.

        The probability is the last stage's margin on a logistic curve: good for ranking alone.
        """
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        boxes, _, margins = self._cascade.detectMultiScale3(
            grey, 1.1, NEIGHBOURS, minSize=(SMALLEST, SMALLEST), outputRejectLevels=True
        )
        return [
            {
                "class": "face",
                "probability": round(1 / (1 + math.exp(-float(margin))), 4),
                "box": [int(side) for side in box],
            }
            for box, margin in zip(boxes, margins, strict=True)
        ]
