"""Scripts and ControlNet, as clients ask which there are."""

from typing import Any

from darkroom_bridge.facts import table

CONTROLNET_VERSION = 3
"""The version of the API of the extension sd-webui-controlnet."""
UNITS = 3
"""ControlNet units that clients offer."""
_SIGN = "controlnet m2m"
"""A script of ControlNet's extension, by which clients tell that ControlNet is there."""


def names() -> dict[str, list[str]]:
    """The answer of `scripts`: what the engine of Darkroom understands."""
    known = [*table("webui")["scripts"], _SIGN]
    return {"txt2img": known, "img2img": list(known)}


def described() -> list[dict[str, Any]]:
    """The answer of `script-info`."""
    return [
        {"name": name, "is_alwayson": True, "is_img2img": is_img2img, "args": _ARGUMENTS.get(name, [])}
        for is_img2img in (False, True)
        for name in table("webui")["scripts"]
    ]


def modules() -> dict[str, Any]:
    """The answer of `/controlnet/module_list`."""
    known = table("webui")["preprocessors"]
    return {
        "module_list": known,
        "module_detail": {name: {"model_free": False, "sliders": []} for name in known},
    }


def control_type(models: list[str]) -> dict[str, Any]:
    """One entry of `/controlnet/control_types`."""
    known = ["None", *models]
    return {
        "module_list": table("webui")["preprocessors"],
        "model_list": known,
        "default_option": "none",
        "default_model": known[0],
    }


def _argument(label: str, value: Any, *numbers: float | None) -> dict[str, Any]:
    minimum, maximum, step = numbers or (None, None, None)
    return {"label": label, "value": value, "minimum": minimum, "maximum": maximum, "step": step, "choices": None}


_ARGUMENTS = {
    "refiner": [
        _argument("Refiner", False),
        {**_argument("Checkpoint", ""), "choices": []},
        _argument("Switch at", 0.8, 0.01, 1.0, 0.01),
    ],
    "controlnet": [_argument(f"Unit {number}", None) for number in range(UNITS)],
}
