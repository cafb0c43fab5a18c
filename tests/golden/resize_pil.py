"""Makes tests/golden/resize_pil.json: PIL's antialiased bilinear scaling of a small synthetic image.

    python tests/golden/resize_pil.py > tests/golden/resize_pil.json      (Pillow 13.0)
"""
import json
import sys

import numpy
from PIL import Image

WIDTH, HEIGHT = 37, 23


def pixel(x, y, c):
    return (x * 31 + y * 17 * (c + 1) + x * y * 5 + c * 77) % 256


image = numpy.array([[[pixel(x, y, c) for c in range(3)] for x in range(WIDTH)] for y in range(HEIGHT)], numpy.uint8)
cases = []
for (left, top, width, height), (w, h) in [((0, 0, 37, 23), (9, 7)), ((7, 0, 23, 23), (8, 8)),
                                           ((7, 0, 23, 23), (40, 40)), ((0, 0, 37, 23), (37, 5))]:
    region = Image.fromarray(image).crop((left, top, left + width, top + height))
    scaled = numpy.asarray(region.resize((w, h), Image.BILINEAR))
    cases.append({"region": [left, top, width, height], "size": [w, h], "pixels": scaled.flatten().tolist()})
grey = numpy.asarray(Image.fromarray(image).convert("L"))
json.dump({"width": WIDTH, "height": HEIGHT, "cases": cases, "luma": grey.flatten().tolist()}, sys.stdout)
