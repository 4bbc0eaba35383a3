"""Find faces with MTCNN, a cascade of three small networks.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao: "Joint Face Detection and Alignment Using Multitask
Cascaded Convolutional Networks", IEEE Signal Processing Letters 23(10), 2016,
doi:10.1109/LSP.2016.2603342. P-Net proposes 12 px windows on an image pyramid, R-Net rejects
most of them at 24 px, O-Net decides at 48 px. Each network gives a face probability and four
offsets that correct its window. O-Net's five landmarks are not used here.

The paper names no thresholds: the numbers below are those of its authors' published demo,
except where a comment says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

WINDOW, STRIDE = 12, 2  # P-Net's receptive field and step, in pixels of the scaled image
SMALLEST_FACE = 20  # pixels; P-Net's work grows with 1 / SMALLEST_FACE**2
PYRAMID_FACTOR = 0.709  # about 1 / sqrt(2): each level has half the area of the last
P_PROBABILITY, R_PROBABILITY = 0.6, 0.7
# The demo's last threshold is 0.7. In 24 of scikit-image's pictures without a face, false ones
# reached 0.87; the astronaut's, at eleven sizes from 220 to 800 pixels, never fell below 0.999.
O_PROBABILITY = 0.95
MAX_CANDIDATES = 1000  # a noisy picture gives more; this bounds the time it can take
BATCH = 64  # crops a run: O-Net needs about 1 MB for each, and nodes are small
MAX_THREADS = 4  # the networks are too small to gain from more


class Face(NamedTuple):
    """A face: its box as left, top, width, height in pixels, and its probability (0 to 1)."""

    box: tuple[int, int, int, int]
    probability: float


class Candidates(NamedTuple):
    """n windows that may hold a face, as one network judged them."""

    boxes: Floats  # (n, 4) left, top, right, bottom in pixels of the image
    probabilities: Floats  # (n,)
    offsets: Floats  # (n, 4) corrections to the four edges, in widths and heights of the box

    def pick(self, rows: Indices | NDArray[np.bool_]) -> Candidates:
        """Give the candidates of these rows, in this order."""
        return Candidates(self.boxes[rows], self.probabilities[rows], self.offsets[rows])


class Detector:
    """The three networks, loaded from a folder with pnet.onnx, rnet.onnx and onet.onnx."""

    def __init__(self, weights: Path) -> None:
        self.pnet = load_network(weights / "pnet.onnx")
        self.rnet = load_network(weights / "rnet.onnx")
        self.onet = load_network(weights / "onet.onnx")

    def find(self, image: Image.Image) -> list[Face]:
        """Give the faces in an RGB image, the most probable first."""
        proposed = self.propose(image)
        refined = self.judge(self.rnet, image, 24, proposed, R_PROBABILITY)
        refined = calibrate(suppress(refined, 0.7))
        decided = calibrate(self.judge(self.onet, image, 48, refined, O_PROBABILITY))
        return as_faces(suppress(decided, 0.7, within_smaller=True), image.size)

    def propose(self, image: Image.Image) -> Candidates:
        """Run P-Net over the image pyramid and give the windows worth a closer look."""
        levels = [self.propose_at(image, scale) for scale in pyramid_scales(image.size)]
        return calibrate(suppress(join(levels), 0.7))

    def propose_at(self, image: Image.Image, scale: float) -> Candidates:
        """Run P-Net on the image resized by `scale` and give windows in full-size pixels."""
        width, height = (round(side * scale) for side in image.size)
        scaled = image.resize((width, height), Image.Resampling.BILINEAR)
        offsets, faces = self.pnet.run(None, {self.pnet.get_inputs()[0].name: as_input([scaled])})
        return suppress(windows(faces[0, :, :, 1], offsets[0], scale), 0.5)

    def judge(
        self,
        network: ort.InferenceSession,
        image: Image.Image,
        side: int,
        candidates: Candidates,
        threshold: float,
    ) -> Candidates:
        """Let R-Net (side 24) or O-Net (side 48) judge the candidates, each made square."""
        squares = as_squares(candidates.boxes)
        name = network.get_inputs()[0].name
        judged = [no_candidates()]
        for start in range(0, len(squares), BATCH):
            boxes = squares[start : start + BATCH]
            outputs = network.run(None, {name: as_input(crops(image, boxes, side))})
            judged.append(Candidates(boxes, outputs[-1][:, 1], outputs[0]))
        everyone = join(judged)
        return everyone.pick(everyone.probabilities >= threshold)


def weights_folder() -> Path:
    """Give the folder with the .onnx files: $EVC_WEIGHTS, or /app/weights, or ./weights.

    Raises FileNotFoundError, saying what to do, when none of them holds pnet.onnx.
    """
    named = os.environ.get("EVC_WEIGHTS")
    places = [Path(named)] if named else [Path("/app/weights"), Path("weights")]
    for place in places:
        if (place / "pnet.onnx").is_file():
            return place
    tried = " or ".join(map(str, places))
    raise FileNotFoundError(
        f"no pnet.onnx in {tried}: build with EVC, which fetches the weights, "
        "or set EVC_WEIGHTS to the folder that holds them"
    )


def load_network(path: Path) -> ort.InferenceSession:
    """Open one .onnx file on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = min(MAX_THREADS, len(os.sched_getaffinity(0)))
    options.inter_op_num_threads = 1
    # Idle workers would spin on a core that the node's other models could use, and an arena
    # would keep the memory of the largest picture for ever.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def pyramid_scales(size: tuple[int, int]) -> Iterator[float]:
    """Give the scales s_k = 12 / SMALLEST_FACE * PYRAMID_FACTOR**k that leave a window's room."""
    scale = WINDOW / SMALLEST_FACE
    while min(size) * scale >= WINDOW:
        yield scale
        scale *= PYRAMID_FACTOR


def as_input(images: list[Image.Image]) -> Floats:
    """Give RGB images of one size as (n, width, height, 3), with v -> (v - 127.5) / 128.

    Width comes before height because the weights were trained with MATLAB's column order.
    """
    pixels = np.stack([np.asarray(image, dtype=np.float32) for image in images])
    return (pixels.transpose(0, 2, 1, 3) - np.float32(127.5)) / np.float32(128)


def windows(faces: Floats, offsets: Floats, scale: float) -> Candidates:
    """Turn P-Net's maps into windows: cell (x, y) saw [2x, 2x + 12) by [2y, 2y + 12), over s."""
    cells = np.argwhere(faces >= P_PROBABILITY)  # x before y, see as_input
    starts = cells * STRIDE
    boxes = (np.hstack([starts, starts + WINDOW]) / scale).astype(np.float32)
    x, y = cells.T
    return Candidates(boxes, faces[x, y], offsets[x, y])


def no_candidates() -> Candidates:
    """Give zero rows, so that joining never has nothing to join."""
    none = np.empty((0, 4), np.float32)
    return Candidates(none, np.empty(0, np.float32), none)


def join(parts: list[Candidates]) -> Candidates:
    """Put the rows of all parts into one."""
    boxes, probabilities, offsets = zip(*(parts or [no_candidates()]), strict=True)
    return Candidates(np.concatenate(boxes), np.concatenate(probabilities), np.concatenate(offsets))


def calibrate(candidates: Candidates) -> Candidates:
    """Move each edge by its offset: x' = x + d * width, y' = y + d * height (the paper's box
    regression, its equation 2 being the loss the offsets were trained with)."""
    boxes = candidates.boxes
    sides = boxes[:, 2:] - boxes[:, :2]
    moved = boxes + candidates.offsets * np.hstack([sides, sides])
    return candidates._replace(boxes=moved)


def as_squares(boxes: Floats) -> Floats:
    """Grow each box to a square around its centre, the side being its longer one."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centres - half, centres + half])


def crops(image: Image.Image, boxes: Floats, side: int) -> list[Image.Image]:
    """Cut each box out at side x side pixels; what lies outside the image is black."""
    cut = []
    for left, top, right, bottom in boxes.round().astype(int).tolist():
        part = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        cut.append(part.resize((side, side), Image.Resampling.BILINEAR))
    return cut


def suppress(
    candidates: Candidates, threshold: float, *, within_smaller: bool = False
) -> Candidates:
    """Keep the most probable box of each heap (greedy non-maximum suppression).

    Two boxes share a heap when their overlap is above `threshold` (see `overlaps`). The result
    is ordered by probability and never longer than MAX_CANDIDATES.
    """
    waiting = np.argsort(-candidates.probabilities, kind="stable")
    kept: list[int] = []
    while waiting.size and len(kept) < MAX_CANDIDATES:
        best, others = waiting[0], waiting[1:]
        kept.append(int(best))
        shared = overlaps(candidates.boxes[best], candidates.boxes[others], within_smaller)
        waiting = others[shared <= threshold]
    return candidates.pick(np.array(kept, dtype=np.intp))


def overlaps(box: Floats, others: Floats, within_smaller: bool) -> Floats:
    """Give |A n B| / |A u B| for one box and each other, or |A n B| / min(|A|, |B|).

    The second form also catches a small box inside a large one.
    """
    start = np.maximum(box[:2], others[:, :2])
    end = np.minimum(box[2:], others[:, 2:])
    common = np.clip(end - start, 0, None).prod(axis=1)
    area, areas = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1)
    whole = np.minimum(area, areas) if within_smaller else area + areas - common
    return np.asarray(common / np.maximum(whole, 1e-6), dtype=np.float32)


def as_faces(candidates: Candidates, size: tuple[int, int]) -> list[Face]:
    """Give the candidates as whole-pixel boxes, cut where they leave the image."""
    limits = np.array([*size, *size])
    edges = np.clip(candidates.boxes.round().astype(int), 0, limits).tolist()
    return [
        Face((left, top, right - left, bottom - top), float(probability))
        for (left, top, right, bottom), probability in zip(
            edges, candidates.probabilities, strict=True
        )
        if right > left and bottom > top
    ]
