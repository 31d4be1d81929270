"""The strip on every preview that says that it is one, with the prompt."""

from functools import cache

from PIL import Image, ImageDraw, ImageFont, ImageStat

TITLE = "Darkroom preview"
PAPER, INK, PALE = (16, 18, 24), (255, 255, 255), (205, 210, 220)

Box = tuple[int, int, int, int]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in typeface at `size` pixels; kept, as loading it takes longer than using it."""
    return ImageFont.load_default(size)


def stamp(image: Image.Image, note: str, prompt: str, mask: Image.Image | None = None) -> None:
    """Draws the strip onto `image` (RGB, changed in place): the title and `note`, then the prompt, wrapped.

    With a `mask` (L) the strip is put where the mask shows most of it; without one, at the bottom.
    """
    area = mask.getbbox() if mask else (0, 0, *image.size)
    if area is None or area[2] - area[0] < 24 or area[3] - area[1] < 8:
        return
    width, height = area[2] - area[0], area[3] - area[1]
    size = _title_size(width, min(width, height))
    gap = max(2, size // 2)
    line = round(size * 1.3)
    max_lines = max(0, int(height * 0.4) - line - 2 * gap) // line
    lines = wrap(prompt, _font(size), width - 2 * gap, min(max_lines, 5))
    box = _place(area, 2 * gap + line * (1 + len(lines)), mask)
    veil = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), PAPER)
    image.paste(Image.blend(image.crop(box), veil, 0.8), box)
    draw = ImageDraw.Draw(image)
    x, y = box[0] + gap, box[1] + gap
    draw.text((x, y), TITLE, fill=INK, font=_font(size))
    end = x + _font(size).getlength(TITLE + "   ")
    if end + _font(size).getlength(note) < box[2] - gap:
        draw.text((end, y), note, fill=PALE, font=_font(size))
    for number, text in enumerate(lines, start=1):
        draw.text((x, y + number * line), text, fill=PALE, font=_font(size))


def wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines, none wider than `width` pixels. Text that does not fit becomes an ellipsis."""
    words = text.split()
    lines: list[str] = []
    while words and len(lines) < most:
        line = words.pop(0)
        while words and font.getlength(f"{line} {words[0]}") <= width:
            line += f" {words.pop(0)}"
        cut = len(line)
        while cut > 1 and font.getlength(line[:cut]) > width:
            cut -= 1
        if line[cut:]:
            words.insert(0, line[cut:])
        lines.append(line[:cut])
    if words and lines:
        last = lines[-1]
        while last and font.getlength(f"{last}...") > width:
            last = last[:-1]
        lines[-1] = f"{last.rstrip()}..."
    return lines


def _title_size(width: int, short: int) -> int:
    """The size of the title in pixels: in proportion to the picture's short side, and small enough to fit into
    `width`."""
    size = max(11, min(28, short // 25))
    while size > 6 and _font(size).getlength(TITLE) > width - size:
        size -= 1
    return size


def _place(area: Box, height: int, mask: Image.Image | None) -> Box:
    left, top, right, bottom = area
    height = min(height, bottom - top)
    spare = bottom - top - height
    boxes = [(left, top + spare * n // 12, right, top + spare * n // 12 + height) for n in range(13)]
    if mask is None:
        return boxes[-1]
    return max(boxes, key=lambda box: ImageStat.Stat(mask.crop(box)).mean[0])
