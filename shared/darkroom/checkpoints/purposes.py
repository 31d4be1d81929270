"""What engines need files for that no job names: one table of purposes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from darkroom.errors import FieldError, Invalid

Purpose = Literal["interrogate_clip", "interrogate_deepbooru", "openpose", "depth_anything"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
ENGINE_FILE: Final = "engine-file"
"""The kind of a file that no job names: it serves a purpose."""


@dataclass(frozen=True)
class Need:
    """Which jobs need the files of a purpose: those of the type `job_type`, or those with a unit of ControlNet whose
    preprocessor has the word `preprocessor` in its name."""

    job_type: str | None = None
    preprocessor: str | None = None


NEEDS: Mapping[Purpose, Need] = {
    "interrogate_clip": Need(job_type="interrogate_clip"),
    "interrogate_deepbooru": Need(job_type="interrogate_deepbooru"),
    # Also openpose_full, dw_openpose_full and so on.
    "openpose": Need(preprocessor="openpose"),
    # Also depth_anything_v2, and depth_midas and others, in whose place an engine may use Depth Anything.
    "depth_anything": Need(preprocessor="depth"),
}


def check_purpose(kind: str, purpose: Purpose | None) -> None:
    """Raises Invalid `purpose_wrong` when a file for an engine does not say what it is for, or any other says so."""
    if (kind == ENGINE_FILE) == (purpose is not None):
        return
    why = f"a {kind} has none; only an {ENGINE_FILE} has"
    if purpose is None:
        why = f"must say what an engine needs the file for: {', '.join(PURPOSES)}"
    raise Invalid("purpose_wrong", f"`purpose`: {why}.", (FieldError(("body", "purpose"), why),))
