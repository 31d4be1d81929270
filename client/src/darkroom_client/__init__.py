"""A client of Darkroom's HTTP API.

    from darkroom_client import Darkroom

    with Darkroom("https://….execute-api.eu-west-1.amazonaws.com/v1", key) as darkroom:
        job = darkroom.submit({"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}})
        job = darkroom.settled(job["id"], seconds=300)
        darkroom.save_pictures(job, Path("pictures"))

Jobs and pictures are methods of `Darkroom`. The modules `deletions`, `checkpoints`, `keys`, `endpoints` and
`dead_letters` have functions for the rest of the API, `upload` uploads model files, and `answers` has the type of every
answer.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darkroom_client.client import Darkroom as Darkroom
    from darkroom_client.errors import Failure as Failure
    from darkroom_client.errors import NotDarkroom as NotDarkroom
    from darkroom_client.errors import Refused as Refused
    from darkroom_client.errors import WrongAddress as WrongAddress

_MODULES = {
    "Darkroom": "client",
    "Failure": "errors",
    "NotDarkroom": "errors",
    "Refused": "errors",
    "WrongAddress": "errors",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that importing only `answers` does not import httpx."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
