"""Writes pictures of every kind and, beside each, the RGB pixels that Pillow makes of it: python make.py."""
import pathlib

import numpy as np
from PIL import Image, ImageOps

here = pathlib.Path(__file__).parent
x, y = np.meshgrid(np.arange(24), np.arange(16))
rgb = np.stack([x * 10, y * 15, (x + y) * 6], -1).astype(np.uint8)
grey = (x * 7 + y * 5).astype(np.uint8)
alpha = np.clip(x * 12 - 20, 0, 255).astype(np.uint8)


def over_white(image):
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def save(name, image, expected=None, **options):
    image.save(here / name, **options)
    if expected is None:
        expected = over_white(ImageOps.exif_transpose(Image.open(here / name)))
    expected.convert("RGB").save(here / (name + ".expected.png"))


save("grey.png", Image.fromarray(grey))
save("palette.png", Image.fromarray(rgb).quantize(16))
save("palette_alpha.png", Image.fromarray(rgb).quantize(16), transparency=3)
save("one_bit.png", Image.fromarray(grey > 100))
save("sixteen_bit.png", Image.fromarray((grey.astype(np.uint16) * 257)), Image.fromarray(grey))
save("rgba.png", Image.fromarray(np.dstack([rgb, alpha])))
save("grey_alpha.png", Image.fromarray(np.dstack([grey, alpha]), "LA"))
save("grey.jpg", Image.fromarray(grey), quality=90)
save("rgb.jpg", Image.fromarray(rgb), quality=90)
save("progressive.jpg", Image.fromarray(rgb), quality=90, progressive=True)
Image.fromarray(rgb).convert("CMYK").save(here / "cmyk.jpg")
for orientation in range(2, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(f"exif{orientation}.jpg", Image.fromarray(rgb), quality=95, exif=exif)

# Adam7, which Pillow reads but does not write.
import struct
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
rows = b"".join(b"\0" + row.tobytes() for x0, y0, dx, dy in passes for row in rgb[y0::dy, x0::dx] if row.size)
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 24, 16, 8, 2, 0, 0, 1))
(here / "interlaced.png").write_bytes(png + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
Image.fromarray(rgb).save(here / "interlaced.png.expected.png")
