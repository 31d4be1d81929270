"""The preprocessors by their names: what each takes, and which stand for others. Needs neither torch nor numpy.

Names, limits and defaults are those of the extension (scripts/preprocessor).
"""

from dataclasses import dataclass
from enum import IntEnum

from worker.errors import JobError

UNKNOWN = "preprocessor_unknown"
"""The code of a job that names a preprocessor which this engine does not have."""
OPENPOSE, DEPTH = "openpose", "depth_anything"
"""What the model files of preprocessors are for (`WorkRequest.files`)."""


class Fit(IntEnum):
    """How a map comes to the size of the picture, by the WebUI's numbers."""

    STRETCH = 0
    CROP = 1
    FILL = 2


@dataclass(frozen=True)
class Slider:
    """A number of a preprocessor. As in the extension, a value outside the limits means the default."""

    least: float
    most: float
    default: float

    def value(self, said: float) -> float:
        """What counts for the value that a unit says."""
        return said if self.least <= said <= self.most else self.default


RESOLUTION = Slider(64, 2048, 512)
"""Pixels of the shorter side that a picture has when a preprocessor looks at it."""
UNUSED = Slider(0, 1, 0.5)
"""What the text under a picture says of a number that a preprocessor does not take."""


@dataclass(frozen=True)
class Preprocessor:
    """One preprocessor. It gets a picture, resized if it is `sized` and then `padded`, and two numbers; some draw with
    the model files of the purpose `files`.

    `soft_when_larger`: in the second pass of hires fix the unit is as soft as with the prompt being more important.
    `keeps_colours`: the picture gives the result its colours; `a` says how softly, `b` how sharp the result is.
    """

    name: str
    a: Slider = UNUSED
    b: Slider = UNUSED
    resolution: Slider = RESOLUTION
    sized: bool = True
    padded: bool = True
    files: str | None = None
    soft_when_larger: bool = False
    keeps_colours: bool = False


_ALL = (
    Preprocessor("none", sized=False),
    Preprocessor("canny", Slider(1, 255, 100), Slider(1, 255, 200), soft_when_larger=True),
    Preprocessor("invert", resolution=UNUSED, sized=False),
    Preprocessor("tile_resample", Slider(1, 8, 1), sized=False),
    Preprocessor("tile_colorfix", Slider(3, 32, 8), sized=False, keeps_colours=True),
    Preprocessor("tile_colorfix+sharp", Slider(3, 32, 8), Slider(0, 2, 1), sized=False, keeps_colours=True),
    Preprocessor("blur_gaussian", Slider(0.01, 64, 9), padded=False),
    Preprocessor("scribble_xdog", Slider(1, 64, 32)),
    Preprocessor("threshold", Slider(0, 255, 127)),
    Preprocessor("openpose", padded=False, files=OPENPOSE),
    Preprocessor("depth_anything_v2", padded=False, files=DEPTH),
)
PREPROCESSORS = {each.name: each for each in _ALL}
"""Every preprocessor that this engine has, by its name in the extension's API."""

_LABELS = {"invert (from white bg & black line)": "invert"}
"""What the extension's page calls some of them."""

_BODIES = "it draws bodies, without hands and faces"
_DEPTH_ANYTHING = "Depth Anything V2 drew the map"
REPLACED = {
    "openpose_hand": (OPENPOSE, _BODIES),
    "openpose_face": (OPENPOSE, _BODIES),
    "openpose_full": (OPENPOSE, _BODIES),
    "dw_openpose_full": (OPENPOSE, _BODIES),
    "depth": ("depth_anything_v2", _DEPTH_ANYTHING),
    "depth_midas": ("depth_anything_v2", _DEPTH_ANYTHING),
    "depth_anything": ("depth_anything_v2", _DEPTH_ANYTHING),
}
"""Preprocessors that another one stands for: which, and what the person is told."""


def preprocessor(name: str) -> Preprocessor:
    """The preprocessor that a unit means by `name`. JobError `preprocessor_unknown`, with the names that there are."""
    low = name.strip().casefold()
    wanted = _LABELS.get(low, low) or "none"
    wanted = REPLACED[wanted][0] if wanted in REPLACED else wanted
    if wanted not in PREPROCESSORS:
        known = ", ".join(sorted({*PREPROCESSORS, *REPLACED}))
        message = (
            f"This engine does not have the ControlNet preprocessor {name!r}. It has: {known}. "
            "Choose one of these, or send the finished map with the preprocessor none."
        )
        raise JobError(UNKNOWN, message)
    return PREPROCESSORS[wanted]


def notice(name: str) -> str | None:
    """What the person is told of a preprocessor that another one stands for."""
    found = REPLACED.get(name.strip().casefold())
    return f"The ControlNet preprocessor {name} was replaced by {found[0]}: {found[1]}." if found else None
