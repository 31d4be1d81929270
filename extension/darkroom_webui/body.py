"""The body of a job: what the WebUI's own API would be sent for the same click."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darkroom_webui.cloud import CloudError
from darkroom_webui.values import Pictures, plain

_NOT_SENT = frozenset(
    {
        "alwayson_scripts",
        "comments",
        "do_not_save_grid",
        "do_not_save_samples",
        "firstphase_height",
        "firstphase_width",
        "force_task_id",
        "include_init_images",
        "infotext",
        "init_images",
        "latent_mask",
        "mask",
        "override_settings",
        "override_settings_restore_afterwards",
        "sampler_index",
        "save_images",
        "script_args",
        "script_name",
        "send_images",
        "styles",
    }
)
"""Fields of the WebUI's API that are set in another way below, or that say what to do with files on this machine."""
_SEEDS = ("seed", "subseed")
_PROMPTS = ("prompt", "hr_prompt")
_NEGATIVE_PROMPTS = ("negative_prompt", "hr_negative_prompt")
_LOCAL_SETTINGS = frozenset(
    {"sd_model_checkpoint", "save_to_dirs", "samples_filename_pattern", "save_images_before_highres_fix"}
)
"""Settings that the WebUI adds for its own files, and the local checkpoint."""
FROM_SETTINGS = "As in Settings"
"""The choice of VAE that leaves it to the WebUI's option SD VAE."""
AUTOMATIC = "Automatic"
"""The choice of endpoint that leaves it to the cloud."""


@dataclass(frozen=True)
class Chosen:
    """What is chosen in the panel."""

    checkpoint: str
    vae: str = FROM_SETTINGS
    endpoint: str = AUTOMATIC


@dataclass(frozen=True)
class Surroundings:
    """What a click depends on besides `p`: the names of the API's fields, the options that are not at their defaults,
    and two functions that expand styles in a prompt."""

    fields: Iterable[str]
    options: "Mapping[str, Any]"
    expand: "Callable[[str, Sequence[str]], str]"
    expand_negative: "Callable[[str, Sequence[str]], str]"


@dataclass(frozen=True)
class Order:
    """A body for `POST /jobs` and the pictures that `image:<name>` stands for in it."""

    body: "dict[str, Any]"
    pictures: Pictures


def order_of(p: Any, runner: Any, args: "Sequence[Any]", own: Any, chosen: Chosen, around: Surroundings) -> Order:
    """The order for one click. `p` is the WebUI's processing object, `args` are the arguments of all scripts of
    `runner`, `own` is the panel's script. Raises CloudError for img2img without a picture.

    Nothing is encoded or sent here, so this takes milliseconds.
    """
    pictures = Pictures()
    parameters = _fields(p, around, pictures)
    body: dict[str, Any] = {"type": "txt2img", "checkpoint": chosen.checkpoint, "parameters": parameters}
    if chosen.endpoint != AUTOMATIC:
        body["endpoint"] = chosen.endpoint
    if hasattr(p, "init_images"):
        body |= {"type": "img2img", "mode": "inpaint" if _mask(p) is not None else "img2img"}
        parameters |= _start(p, pictures)
    parameters["override_settings"] = _settings(p, chosen, around.options, pictures)
    parameters |= _selected_script(runner, args, pictures)
    parameters["alwayson_scripts"] = _alwayson_scripts(runner, args, own, pictures)
    return Order(body, pictures)


def _fields(p: Any, around: Surroundings, pictures: Pictures) -> "dict[str, Any]":
    """The fields of the API's body that `p` has, with styles expanded."""
    fields = {}
    for name in around.fields:
        value = None if name in _NOT_SENT else getattr(p, name, None)
        if value is not None:
            fields[name] = plain(value, name, pictures)
    styles = [style for style in getattr(p, "styles", None) or () if style]
    for names, expand in ((_PROMPTS, around.expand), (_NEGATIVE_PROMPTS, around.expand_negative)):
        for name in names:
            # An empty prompt of the second pass means the prompt of the first, whose styles are expanded already.
            if isinstance(fields.get(name), str) and (fields[name] or not name.startswith("hr_")):
                fields[name] = expand(fields[name], styles)
    fields |= {name: _seed(fields[name]) for name in _SEEDS if name in fields}
    return fields


def _seed(value: Any) -> int:
    """The seed of the page, which is a text in some WebUIs; -1 stands for any, as in the WebUI."""
    try:
        return int(value[0] if isinstance(value, list) else value)
    except (TypeError, ValueError, IndexError):
        return -1


def _mask(p: Any) -> Any:
    """The mask: all WebUIs move it from `mask` to `image_mask` when `p` is made."""
    mask = getattr(p, "image_mask", None)
    return getattr(p, "mask", None) if mask is None else mask


def _start(p: Any, pictures: Pictures) -> "dict[str, Any]":
    """The pictures to start from. A batch of the same picture names it once: the cloud repeats it."""
    images = [image for image in p.init_images if image is not None]
    if not images:
        raise CloudError("There is no picture to start from: choose one first.")
    if all(image is images[0] for image in images):
        images = images[:1]
    start = {"init_images": [pictures.add("init", image) for image in images]}
    mask = _mask(p)
    return start if mask is None else {**start, "mask": pictures.add("mask", mask)}


def _settings(p: Any, chosen: Chosen, options: "Mapping[str, Any]", pictures: Pictures) -> "dict[str, Any]":
    settings = {name: plain(value, name, pictures) for name, value in options.items()}
    for name, value in (getattr(p, "override_settings", None) or {}).items():
        if name not in _LOCAL_SETTINGS:
            settings[name] = plain(value, name, pictures)
    if chosen.vae != FROM_SETTINGS:
        settings["sd_vae"] = chosen.vae
    return settings


def _selected_script(runner: Any, args: "Sequence[Any]", pictures: Pictures) -> "dict[str, Any]":
    """The script of the drop-down list, whose number is the first argument; 0 is none."""
    number = args[0] if args else 0
    if not isinstance(number, int) or not 0 < number <= len(runner.selectable_scripts):
        return {}
    script = runner.selectable_scripts[number - 1]
    return {"script_name": script.title(), "script_args": _arguments(script, args, "script", pictures)}


def _alwayson_scripts(runner: Any, args: "Sequence[Any]", own: Any, pictures: Pictures) -> "dict[str, Any]":
    """The arguments of the scripts that are always there. What the WebUI's own (`setup_for_ui_only`) say is in `p`."""
    return {
        script.title(): {"args": _arguments(script, args, script.title(), pictures)}
        for script in runner.alwayson_scripts
        if script is not own
        and not getattr(script, "setup_for_ui_only", False)
        and script.args_from is not None
        and script.args_to > script.args_from
    }


def _arguments(script: Any, args: "Sequence[Any]", title: str, pictures: Pictures) -> "list[Any]":
    own = args[script.args_from : script.args_to]
    return [plain(value, f"{title}_{number}", pictures) for number, value in enumerate(own)]
