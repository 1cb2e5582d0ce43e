"""Makes a PNG thumbnail with Pillow, which comes in the package.

In:  {"image": "<base64>", "size": 128}; without an image it draws one.
Out: {"image": "<base64 PNG>", "width": …, "height": …}
"""

import base64
import binascii
import io

from PIL import Image, ImageDraw, UnidentifiedImageError

SIZE_MAX = 1024
# Larger ones raise instead of filling the memory.
Image.MAX_IMAGE_PIXELS = 40_000_000


def drawn():
    image = Image.new("RGB", (640, 480), "navy")
    pen = ImageDraw.Draw(image)
    for i in range(0, 640, 40):
        pen.line((i, 0, 640 - i, 480), fill="orange", width=6)
    pen.ellipse((220, 140, 420, 340), fill="white")
    return image


def opened(text):
    try:
        image = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
        image.load()
        return image
    except (binascii.Error, UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"image is not readable: {error}") from None


def handler(event, context):
    event = event or {}
    size = int(event.get("size", 128))
    if not 1 <= size <= SIZE_MAX:
        raise ValueError(f"size must be 1 to {SIZE_MAX}")
    image = opened(event["image"]) if event.get("image") else drawn()
    if image.mode not in ("RGB", "RGBA", "L"):
        image = image.convert("RGBA")
    image.thumbnail((size, size))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    text = base64.b64encode(out.getvalue()).decode()
    return {"image": text, "width": image.width, "height": image.height}
