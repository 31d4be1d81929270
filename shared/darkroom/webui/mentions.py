"""Every place in a WebUI body that names a model file.

A body names models in fields, in settings, in prompts and in the arguments of scripts. `mentions` finds them all, as
they are written; which file each means is for the shelf to say. What the WebUI would not load is not mentioned: fields
that are switched off, tags in comments and in negative prompts, scripts that do not run.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from darkroom.checkpoints.model import Kind
from darkroom.webui import axes, prompt, upscalers
from darkroom.webui.lines import read_lines
from darkroom.webui.scripts import Path, Script, running, units
from darkroom.webui.truth import is_false, is_true

CHECKPOINT: Final = "stable-diffusion"
VAE: Final = "vae"
LORA: Final = "lora"
UPSCALER: Final = "upscaler"
_SAME = frozenset(
    {
        "",
        "none",
        "automatic",
        "auto",
        "built-in",
        "passthrough",
        "use same checkpoint",
        "use same vae",
        "use same choices",
    }
)
"""Values of a setting that name no model, in lower case."""
_PICTURE = "image:"
"""How a reference to a picture begins, which is left where the picture stood."""


@dataclass(frozen=True)
class Mention:
    """A model that a body names: the kinds that it may be of, in the order to look, its name as written, and where.

    `required` is False where the WebUI goes on without a file that is not there.
    """

    kinds: tuple[Kind, ...]
    name: str
    path: Path
    required: bool = True


@dataclass(frozen=True)
class Mentions:
    """What a body names. `checkpoint` and `vae` are those of `override_settings` as written (None: nothing is said);
    `models` are all others; `words` are the texts that may call for embeddings by their bare names."""

    checkpoint: Mention | None = None
    vae: Mention | None = None
    models: tuple[Mention, ...] = ()
    words: tuple[str, ...] = ()


@dataclass
class _Found:
    """What was found so far. `comments` and `tags` tell whether `#` begins a comment and whether tags load files."""

    comments: bool
    tags: bool
    models: list[Mention] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def model(self, kind: Kind, name: Any, path: Path, required: bool = True) -> None:
        """A model named in a field or an argument; nothing for a value that names none."""
        if isinstance(name, str) and name.strip().lower() not in _SAME:
            if kind == UPSCALER and not upscalers.needs_file(name):
                return
            self.models.append(Mention((kind,), name, path, required))

    def text(self, text: Any, path: Path, negative: bool = False) -> None:
        """A prompt. The WebUI reads tags in positive prompts only; embeddings count in both."""
        if not isinstance(text, str) or not text.strip():
            return
        shown = prompt.without_comments(text, self.comments)
        self.words.append(prompt.words(shown))
        if not negative:
            self.tagged(shown, path)

    def tagged(self, text: str, path: Path, required: bool = True) -> None:
        """The tags of a text without comments."""
        if self.tags:
            self.models += [Mention((kind,), name, path, required) for kind, name in prompt.tags(text)]


def mentions(call: str, fields: dict[str, Any]) -> Mentions:
    """What the body of this call (`txt2img`, `img2img` or `extras`) names, in the order it is written."""
    settings = fields.get("override_settings")
    settings = settings if isinstance(settings, dict) else {}
    found = _Found(
        comments=not is_false(settings.get("enable_prompt_comments")),
        tags=not is_true(fields.get("disable_extra_networks")),
    )
    if call == "extras":
        _extras(found, fields)
        return Mentions(models=tuple(found.models))
    _prompts(found, fields)
    if call == "txt2img" and is_true(fields.get("enable_hr")):
        _hires(found, fields)
    found.model(CHECKPOINT, fields.get("refiner_checkpoint"), ("refiner_checkpoint",))
    _settings(found, call, settings)
    for script in running(fields):
        _script(found, script, call)
        if script.title == axes.TITLE:
            _replaced(found, script, fields.get("prompt"))
    return Mentions(
        _setting(settings, "sd_model_checkpoint", CHECKPOINT),
        _setting(settings, "sd_vae", VAE),
        tuple(dict.fromkeys(found.models)),
        tuple(found.words),
    )


def _prompts(found: _Found, fields: dict[str, Any]) -> None:
    found.text(fields.get("prompt"), ("prompt",))
    found.text(fields.get("negative_prompt"), ("negative_prompt",), negative=True)


def _hires(found: _Found, fields: dict[str, Any]) -> None:
    """The second pass of txt2img."""
    found.text(fields.get("hr_prompt"), ("hr_prompt",))
    found.text(fields.get("hr_negative_prompt"), ("hr_negative_prompt",), negative=True)
    found.model(CHECKPOINT, fields.get("hr_checkpoint_name"), ("hr_checkpoint_name",))
    found.model(UPSCALER, fields.get("hr_upscaler"), ("hr_upscaler",))
    modules = fields.get("hr_additional_modules")
    _modules(found, modules, ("hr_additional_modules",))


def _extras(found: _Found, fields: dict[str, Any]) -> None:
    """`extra-single-image`: the second upscaler counts only as far as it is to be seen."""
    found.model(UPSCALER, fields.get("upscaler_1"), ("upscaler_1",))
    if fields.get("extras_upscaler_2_visibility"):
        found.model(UPSCALER, fields.get("upscaler_2"), ("upscaler_2",))


def _settings(found: _Found, call: str, settings: dict[str, Any]) -> None:
    """Settings that add a network to every prompt are ignored by the WebUI when it does not have it, and so is the
    upscaler of img2img; Forge's modules are needed."""
    at: Path = ("override_settings",)
    if found.tags:
        found.model(LORA, settings.get("sd_lora"), (*at, "sd_lora"), required=False)
        found.model("hypernetwork", settings.get("sd_hypernetwork"), (*at, "sd_hypernetwork"), required=False)
    if call == "img2img":
        found.model(UPSCALER, settings.get("upscaler_for_img2img"), (*at, "upscaler_for_img2img"), required=False)
    _modules(found, settings.get("forge_additional_modules"), (*at, "forge_additional_modules"))


def _modules(found: _Found, names: Any, path: Path) -> None:
    """Forge's lists of text encoders and VAEs, by file name or by whole path."""
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and name.strip().lower() not in _SAME:
            found.models.append(Mention(("text_encoder", VAE), re.split(r"[/\\]", name)[-1], path))


def _setting(settings: dict[str, Any], name: str, kind: Kind) -> Mention | None:
    value = settings.get(name)
    if not isinstance(value, str) or not value.strip():
        return None
    return Mention((kind,), value, ("override_settings", name))


def _script(found: _Found, script: Script, call: str) -> None:
    """A script's own places, then every text among its arguments, which may be a prompt."""
    if script.title == "refiner" and len(script.args) > 1:
        found.model(CHECKPOINT, script.args[1], (*script.path, 1))
    elif script.title == axes.TITLE:
        _axes(found, script, call)
    elif script.title == "sd upscale" and len(script.args) > 2:
        found.model(UPSCALER, script.args[2], (*script.path, 2))
    elif script.title == "tiled diffusion" and len(script.args) > 10 and call == "img2img":
        found.model(UPSCALER, script.args[10], (*script.path, 10))
    elif script.title == "prompts from file or textbox":
        _lines(found, script)
        return
    elif script.title.startswith("controlnet"):
        for unit, path in units(script):
            found.model("controlnet", unit.get("model"), (*path, "model"))
    for unit, path in units(script):
        _detailer(found, unit, path)
    for text, path in _texts(script):
        inside = path[len(script.path) :]
        found.text(text, path, negative=any("negative" in str(part).lower() for part in inside))


def _axes(found: _Found, script: Script, call: str) -> None:
    for value in axes.values(script, call):
        kinds = tuple(kind for kind in value.kinds if kind != UPSCALER or upscalers.needs_file(value.name))
        if kinds and value.name.strip().lower() not in _SAME:
            found.models.append(Mention(kinds, value.name, value.path, value.certain))


def _detailer(found: _Found, unit: dict[str, Any], path: Path) -> None:
    """A unit of ADetailer: it may paint with a checkpoint, a VAE and a ControlNet of its own."""
    switches: tuple[tuple[str, str, Kind], ...] = (
        ("ad_use_checkpoint", "ad_checkpoint", CHECKPOINT),
        ("ad_use_vae", "ad_vae", VAE),
    )
    for switch, name, kind in switches:
        if is_true(unit.get(switch)):
            found.model(kind, unit.get(name), (*path, name))
    found.model("controlnet", unit.get("ad_controlnet_model"), (*path, "ad_controlnet_model"))


def _replaced(found: _Found, script: Script, text: Any) -> None:
    """What "Prompt S/R" makes of the tags of the prompt. Whole tags among its words are found as texts already."""
    if isinstance(text, str):
        shown = prompt.without_comments(text, found.comments)
        for made, path, certain in axes.replaced(script, prompt.whole_tags(shown)):
            found.tagged(made, path, required=certain)


def _lines(found: _Found, script: Script) -> None:
    """Each line is a prompt, or has options as on a command line: `--sd_model name --prompt "…"`."""
    for number, argument in enumerate(script.args):
        path: Path = (*script.path, number)
        for line in read_lines(argument) if isinstance(argument, str) else ():
            found.model(CHECKPOINT, line.get("sd_model"), path)
            found.text(line.get("prompt"), path)
            found.text(line.get("negative_prompt"), path, negative=True)


def _texts(script: Script) -> Iterator[tuple[str, Path]]:
    """Every text among the arguments of a script, as deep as it stands; not those of units that are switched off."""
    on = {path[-1] for _, path in units(script)}
    off = {number for number, argument in enumerate(script.args) if isinstance(argument, dict) and number not in on}
    queue: deque[tuple[Any, Path]] = deque(
        (argument, (*script.path, number)) for number, argument in enumerate(script.args) if number not in off
    )
    while queue:
        value, path = queue.popleft()
        if isinstance(value, str):
            if not value.startswith(_PICTURE):
                yield value, path
        elif isinstance(value, dict):
            queue += [(item, (*path, key)) for key, item in value.items()]
        elif isinstance(value, list):
            queue += [(item, (*path, number)) for number, item in enumerate(value)]
