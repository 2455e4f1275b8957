"""Somebody who stands and looks at the camera, drawn well enough for networks that know people."""

from __future__ import annotations

import cv2
import numpy as np

SKIN, SHIRT, TROUSERS, HAIR = (130, 160, 210), (60, 60, 170), (90, 50, 40), (30, 40, 60)
LIMBS = [
    ((215, 330), (210, 440), 34, "trousers"), ((210, 440), (208, 545), 26, "trousers"),
    ((265, 330), (270, 440), 34, "trousers"), ((270, 440), (272, 545), 26, "trousers"),
    ((208, 556), (192, 562), 16, "hair"), ((272, 556), (288, 562), 16, "hair"),
    ((195, 190), (170, 265), 26, "shirt"), ((170, 265), (160, 345), 20, "skin"),
    ((285, 190), (310, 265), 26, "shirt"), ((310, 265), (320, 345), 20, "skin"), ((240, 150), (240, 175), 26, "skin"),
]  # fmt: skip
JOINTS = {"nose": (240, 126), "right_shoulder": (195, 190), "left_ankle": (272, 545)}
"""Where some joints are, px."""
HEIGHT = 490
BACKGROUND = (190, 200, 195)


def draw_person(shirt: tuple[int, int, int] = SHIRT) -> np.ndarray:
    """The person before a plain wall (640, 480, 3) uint8 BGR."""
    image = np.full((640, 480, 3), BACKGROUND, np.uint8)
    colours = {"trousers": TROUSERS, "hair": HAIR, "shirt": shirt, "skin": SKIN}
    for start, end, width, colour in LIMBS:
        cv2.line(image, start, end, colours[colour], width, cv2.LINE_AA)
    cv2.fillPoly(image, [np.array([[190, 175], [290, 175], [280, 340], [200, 340]])], shirt)
    cv2.ellipse(image, (240, 120), (30, 40), 0, 0, 360, SKIN, -1)
    cv2.ellipse(image, (240, 100), (32, 26), 0, 180, 360, HAIR, -1)
    for eye in (229, 251):
        cv2.circle(image, (eye, 118), 4, (255, 255, 255), -1)
        cv2.circle(image, (eye, 118), 2, HAIR, -1)
    cv2.ellipse(image, (240, 142), (10, 4), 0, 0, 180, shirt, 2)
    return cv2.GaussianBlur(image, (3, 3), 0)


def place(
    person: np.ndarray, size: tuple[int, int], centre: tuple[float, float], scale: float, turn_deg: float = 0.0
) -> np.ndarray:
    """The person's picture in a larger one (H, W, 3) of the same wall, its middle at a place, scaled and turned."""
    turn = cv2.getRotationMatrix2D((person.shape[1] / 2, person.shape[0] / 2), turn_deg, scale)
    turn[:, 2] += np.array(centre) - (person.shape[1] / 2, person.shape[0] / 2)
    return cv2.warpAffine(person, turn, size[::-1], borderValue=BACKGROUND)
