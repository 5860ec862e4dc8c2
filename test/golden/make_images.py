"""Images of many kinds, and what Pillow makes of them: 8 bit RGB, turned as EXIF says, what is transparent on black. Writes
images.json: name -> base64 of the file, and of the pixels in rows. All are 16x12 (12x16 once turned), but `large`, which is
96x72 and reduced to 16x12 by Lanczos' filter.

    python3 make_images.py        (Debian's python3-pil)
"""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageOps

W, H = 16, 12
files = {}


def picture(mode="RGB", width=W, height=H):
    """Smooth colors, none the same: red grows to the right, green downwards, blue along the diagonal."""
    image = Image.new("RGB", (width, height))
    image.putdata([(240 * x // width, 240 * y // height, 120 * x // width + 120 * y // height) for y in range(height) for x in range(width)])
    return image.convert(mode)


def alpha(width=W, height=H):
    image = Image.new("L", (width, height))
    image.putdata([(37 * x + 11 * y) % 256 for y in range(height) for x in range(width)])
    return image


def keep(name, image, kind, expected=None, **options):
    """`expected`: where Pillow does not say it by itself."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    add(name, file.getvalue(), expected)


def add(name, content, expected=None):
    opened = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    pixels = (expected or onBlack(opened)).tobytes()
    files[name] = {"file": base64.b64encode(content).decode(), "pixels": base64.b64encode(pixels).decode()}


def onBlack(image):
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")


def deep(channels):
    """A PNG of 16 bits, whose high bytes are those of `picture`, and low bytes anything: Pillow does not write such."""
    color = {1: 0, 3: 2}[channels]
    shown = picture("RGB" if channels == 3 else "L")
    rows = b""
    for y in range(H):
        rows += b"\0"
        for x in range(W):
            values = shown.getpixel((x, y))
            for value in values if channels == 3 else [values]:
                rows += struct.pack(">BB", value, (31 * x + 17 * y) % 256)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", W, H, 16, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""), shown.convert("RGB")


for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    keep(f"exif {orientation}", picture(), "JPEG", quality=95, subsampling=0, exif=exif)
keep("baseline", picture(), "JPEG", quality=95, subsampling=0)
keep("subsampled", picture(), "JPEG", quality=90)
keep("progressive", picture(), "JPEG", quality=95, subsampling=0, progressive=True)
keep("gray jpeg", picture("L"), "JPEG", quality=95)
keep("cmyk", picture("CMYK"), "JPEG", quality=95, subsampling=0)
keep("rgb", picture(), "PNG")
keep("gray", picture("L"), "PNG")
keep("one bit", picture("1"), "PNG")
add("16 bits", *deep(3))
add("gray 16 bits", *deep(1))
palette = picture().quantize(32)
keep("palette", palette, "PNG")
keep("palette with a clear color", palette, "PNG", transparency=3)
keep("palette with alphas", palette, "PNG", transparency=bytes(range(0, 256, 8)))
rgba = picture("RGBA")
rgba.putalpha(alpha())
keep("alpha", rgba, "PNG")
la = picture("L").convert("LA")
la.putalpha(alpha())
keep("gray with alpha", la, "PNG")
large = picture(width=96, height=72)
keep("large", large, "PNG", expected=large.resize((W, H), Image.LANCZOS))

Path(__file__).with_name("images.json").write_text(json.dumps(files, indent=1) + "\n")
