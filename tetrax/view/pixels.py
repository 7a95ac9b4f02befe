"""The simple SVG images of this house as pixels: those of rectangles, circles, lines and words, one after the other."""

import math
import re
from collections.abc import Callable, Mapping
from xml.etree import ElementTree

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FINER = 3  # pixels that are drawn for each that is kept, a side: edges become smooth
BACKGROUND = "#ffffff"
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}  # of SVG, of Pillow; on the baseline
UNSEEN = ("title", "desc")

Attributes = Mapping[str, str]


def draw_pixels(image: str) -> np.ndarray:
    """Draw an SVG image as uint8[height, width, 3]; ValueError for an element that none of ours has."""
    root = ElementTree.fromstring(image)
    size = round(float(root.attrib["width"])), round(float(root.attrib["height"]))
    canvas = Image.new("RGB", (size[0] * FINER, size[1] * FINER), BACKGROUND)
    pen = ImageDraw.Draw(canvas)
    for element in root:
        kind = element.tag.rpartition("}")[2]
        if kind in UNSEEN:
            continue
        if kind not in DRAWERS:
            raise ValueError(f"svg: given <{kind}>; allowed: {', '.join((*DRAWERS, *UNSEEN))}")
        DRAWERS[kind](pen, element.attrib, element.text or "")
    return np.array(canvas.resize(size, Image.Resampling.BOX))


def _number(attributes: Attributes, name: str) -> float:
    """Return a length in the pixels that are drawn."""
    return float(attributes.get(name, 0)) * FINER


def _draw_rectangle(pen: ImageDraw.ImageDraw, attributes: Attributes, words: str) -> None:
    left, top, width, height = (_number(attributes, name) for name in ("x", "y", "width", "height"))
    if "transform" not in attributes:
        ends = (left, top, left + width - 1, top + height - 1)
        pen.rounded_rectangle(ends, _number(attributes, "rx"), attributes["fill"])
        return
    degrees, x, y = map(float, re.findall(r"-?[\d.]+", attributes["transform"]))  # rotate(degrees x y)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    around = [(across - x * FINER, down - y * FINER) for across, down in corners]
    turned = [
        (x * FINER + across * cosine - down * sine, y * FINER + across * sine + down * cosine)
        for across, down in around
    ]
    pen.polygon(turned, attributes["fill"])


def _draw_circle(pen: ImageDraw.ImageDraw, attributes: Attributes, words: str) -> None:
    x, y, radius = (_number(attributes, name) for name in ("cx", "cy", "r"))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), attributes["fill"])


def _draw_path(pen: ImageDraw.ImageDraw, attributes: Attributes, words: str) -> None:
    """Draw straight lines from point to point: M and L alone."""
    numbers = [float(number) * FINER for number in re.findall(r"-?[\d.]+", attributes["d"])]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    pen.line(points, attributes["stroke"], round(float(attributes.get("stroke-width", 1)) * FINER))


def _draw_words(pen: ImageDraw.ImageDraw, attributes: Attributes, words: str) -> None:
    font = ImageFont.load_default(_number(attributes, "font-size"))
    anchor = ANCHORS[attributes.get("text-anchor", "start")]
    place = _number(attributes, "x"), _number(attributes, "y")
    pen.text(place, words, attributes["fill"], font, anchor=anchor)


DRAWERS: dict[str, Callable[[ImageDraw.ImageDraw, Attributes, str], None]] = {
    "rect": _draw_rectangle,
    "circle": _draw_circle,
    "path": _draw_path,
    "text": _draw_words,
}
