"""Drawing on the page's canvas as a hand would, and what the picture must then look like.

What is expected is worked out here from the points of the pointer alone, by the rule that a round brush covers every
pixel whose centre is not further from its way than its radius.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from PIL import Image
from playwright.sync_api import Page, expect

Spot = tuple[float, float]
"""Where something is: across and down, in pixels of the screen or of the picture."""


@dataclass(frozen=True)
class Sheet:
    """A picture of `width` by `height` pixels as it lies on the screen: `scale` pixels of the screen for one of the
    picture, its upper left corner at `left`, `top`."""

    page: Page
    width: int
    height: int
    scale: float
    left: float
    top: float

    def screen(self, spot: Spot) -> Spot:
        """A whole pixel of the screen over this place of the picture."""
        return round(self.left + spot[0] * self.scale), round(self.top + spot[1] * self.scale)

    def picture(self, spot: Spot) -> Spot:
        """The place of the picture under this one of the screen."""
        return (spot[0] - self.left) / self.scale, (spot[1] - self.top) / self.scale

    def inside_a_pixel(self, spot: Spot) -> Spot:
        """A whole pixel of the screen near this place, which lies well inside of a pixel of the picture: no rounding
        can move it to the next one."""
        across, down = self.screen(spot)
        near = ((across + x, down + y) for x in range(40) for y in range(40))
        return next(one for one in near if all(0.25 < part % 1 < 0.75 for part in self.picture(one)))

    def draw(self, way: Sequence[Spot]) -> list[Spot]:
        """Draw by mouse along these places of the picture; returns where the pointer really was in it."""
        spots = [self.screen(spot) for spot in way]
        self.page.mouse.move(*spots[0])
        self.page.mouse.down()
        for spot in spots[1:]:
            self.page.mouse.move(*spot)
        self.page.mouse.up()
        return [self.picture(spot) for spot in spots]

    def draw_by_finger(self, way: Sequence[Spot]) -> list[Spot]:
        """The same by touch. Browsers ignore a finger's first few pixels, so begin with a long straight piece."""
        spots = [self.screen(spot) for spot in way]
        fingers = Fingers(self.page)
        fingers.touch("touchStart", spots[0])
        for spot in spots[1:]:
            fingers.touch("touchMove", spot)
        fingers.touch("touchEnd")
        return [self.picture(spot) for spot in spots]


class Fingers:
    """Fingers on a page's screen, for as long as the browser is to see them as the same ones."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def touch(self, what: str, *spots: Spot) -> None:
        """Put fingers down (touchStart), move (touchMove) or lift them (touchEnd): where all of them are then."""
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(spots)]
        self._session.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})


def sheet(page: Page, width: int, height: int) -> Sheet:
    """The canvas in sight, which shows the whole of a picture of this size: in the middle of its window, as large as it
    fits; a small one larger, in whole steps up to eight."""
    canvas = page.locator("canvas.canvas-area:visible")
    expect(canvas).to_have_count(1)
    canvas.scroll_into_view_if_needed()
    # The tools above may have moved it: it lies still once two looks see the same.
    page.wait_for_function(
        """() => new Promise((resolve) => {
            const look = () => document.querySelector("canvas.canvas-area").getBoundingClientRect().top;
            const before = look();
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(look() === before)));
        })"""
    )
    left, top, wide, high = canvas.evaluate(
        "(one) => { const box = one.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }"
    )
    scale = min(wide / width, high / height)
    if scale > 1:
        scale = min(8, floor(scale))
    return Sheet(page, width, height, scale, left + (wide - width * scale) / 2, top + (high - height * scale) / 2)


def covered(width: int, height: int, size: int, way: Sequence[Spot]) -> Image.Image:
    """Which pixels a round brush of `size` covers on its way through these places: 255 in a picture of mode L, and 0
    everywhere else."""
    radius = size / 2
    points = [_snapped(spot, size) for spot in way]
    under = bytearray(width * height)
    for (x0, y0), (x1, y1) in zip(points, points[1:] or points, strict=False):
        dx, dy = x1 - x0, y1 - y0
        length = dx * dx + dy * dy
        for row in range(max(0, floor(min(y0, y1) - radius)), min(height, ceil(max(y0, y1) + radius))):
            for column in range(max(0, floor(min(x0, x1) - radius)), min(width, ceil(max(x0, x1) + radius))):
                x, y = column + 0.5 - x0, row + 0.5 - y0
                along = min(1, max(0, (x * dx + y * dy) / length)) if length else 0
                if (x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius:
                    under[row * width + column] = 255
    return Image.frombytes("L", (width, height), bytes(under))


def _snapped(spot: Spot, size: int) -> Spot:
    """A brush of an odd size stands on the centre of a pixel, one of an even size on a corner."""
    if size % 2:
        return floor(spot[0]) + 0.5, floor(spot[1]) + 0.5
    return floor(spot[0] + 0.5), floor(spot[1] + 0.5)
