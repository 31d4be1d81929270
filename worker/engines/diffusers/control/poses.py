"""Bodies as openpose draws them: the colours and limbs that ControlNets for poses have learned."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from worker.engines.diffusers.control.arrays import Picture, Size

Point = tuple[float, float] | None
"""A point of a body in pixels, None for one that is not seen."""

NOSE, NECK = 0, 1
POINTS = 18
_LIMBS = (
    (1, 2),
    (1, 5),
    (2, 3),
    (3, 4),
    (5, 6),
    (6, 7),
    (1, 8),
    (8, 9),
    (9, 10),
    (1, 11),
    (11, 12),
    (12, 13),
    (1, 0),
    (0, 14),
    (14, 16),
    (0, 15),
    (15, 17),
)
"""Pairs of points between which a limb is drawn: nose 0, neck 1, right arm 2 to 4, left arm 5 to 7, right leg 8 to 10,
left leg 11 to 13, eyes 14 and 15, ears 16 and 17."""
_SHADES = (0, 85, 170, 255)
COLOURS = tuple(
    [(255, shade, 0) for shade in _SHADES]
    + [(shade, 255, 0) for shade in _SHADES[-2::-1]]
    + [(0, 255, shade) for shade in _SHADES[1:]]
    + [(0, shade, 255) for shade in _SHADES[-2::-1]]
    + [(shade, 0, 255) for shade in _SHADES[1:]]
    + [(255, 0, shade) for shade in _SHADES[-2:0:-1]]
)
"""The colours of the points; a limb has that of its number, darker."""
_DARKER = 0.6
_HALF_WIDTH = 4
"""Pixels of a limb to each side, and of a point's radius."""

FROM_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Which of COCO's 17 points is which of openpose's 18; the neck is none of them."""
COCO_SHOULDERS = (5, 6)


def body(coco: Sequence[Point]) -> list[Point]:
    """Openpose's 18 points of a body from COCO's 17. The neck is the middle of the shoulders."""
    left, right = (coco[shoulder] for shoulder in COCO_SHOULDERS)
    neck = None if left is None or right is None else ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    return [neck if number is None else coco[number] for number in FROM_COCO]


def drawn(bodies: Sequence[Sequence[Point]], size: Size) -> Picture:
    """The map of bodies with openpose's points, on black: limbs first, then points, body after body."""
    paper = np.zeros((size[1], size[0], 3), np.uint8)
    for points in bodies:
        for (one, other), colour in zip(_LIMBS, COLOURS, strict=False):
            _limb(paper, points[one], points[other], colour)
        for point, colour in zip(points, COLOURS, strict=True):
            if point:
                cv2.circle(paper, (int(point[0]), int(point[1])), _HALF_WIDTH, colour, thickness=-1)
    return paper


def _limb(paper: Picture, one: Point, other: Point, colour: tuple[int, int, int]) -> None:
    """A flat ellipse from point to point."""
    if one is None or other is None:
        return
    across, down = one[0] - other[0], one[1] - other[1]
    middle = int((one[0] + other[0]) / 2), int((one[1] + other[1]) / 2)
    axes = int(math.hypot(across, down) / 2), _HALF_WIDTH
    outline = cv2.ellipse2Poly(middle, axes, int(math.degrees(math.atan2(down, across))), 0, 360, 1)
    cv2.fillConvexPoly(paper, outline, [int(shade * _DARKER) for shade in colour])
