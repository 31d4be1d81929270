"""Bodies with models named in random places and spellings, held against a plain model of the WebUI's rules.

The model says of each place whether the WebUI would load what is named there, and of each spelling which file it means.
It knows nothing of how bodies are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.checkpoints.ports import ModelRegistry
from darkroom.checkpoints.resolver import ModelResolver
from darkroom.errors import Invalid
from darkroom.jobs.api import JobIn
from darkroom.jobs.named_models import named_in, resolve
from darkroom.webui.spelling import KnownFile

KINDS = ("stable-diffusion", "vae", "lora", "hypernetwork", "controlnet", "upscaler")
FILES = {
    kind: [
        KnownFile(f"{kind}-Größe 1.safetensors", folder="Some/Folder", sha256="ab" * 32),
        KnownFile(f"{kind}_two.v2.pt", aliases=(f"The {kind} Two",), old_hash="0badc0de"),
    ]
    for kind in KINDS
}
CHECKPOINT = FILES["stable-diffusion"][0].name


class Shelf:
    """Two files of every kind."""

    def known_files(self, kind: str) -> list[KnownFile]:
        return FILES.get(kind, [])


@dataclass(frozen=True)
class Place:
    """A place of a body: the kind that it names, how a name is written there, and whether the WebUI loads it."""

    kind: str
    write: Callable[[dict[str, Any], str], None]
    loads: bool = True


def script(body: dict[str, Any], title: str, *args: Any) -> None:
    body.setdefault("alwayson_scripts", {})[f"{title} {len(body.get('alwayson_scripts', {}))}"] = {"args": list(args)}


def say(name: str, text: str) -> Callable[[dict[str, Any], str], None]:
    """Adds to a prompt on a line of its own; `{}` is the name."""

    def write(body: dict[str, Any], spelled: str) -> None:
        body[name] = f"{body.get(name, '')}\n{text.replace('{}', spelled)}"

    return write


def hires(name: str, text: str = "{}") -> Callable[[dict[str, Any], str], None]:
    def write(body: dict[str, Any], spelled: str) -> None:
        body["enable_hr"] = True
        body[name] = text.replace("{}", spelled)

    return write


def setting(name: str) -> Callable[[dict[str, Any], str], None]:
    return lambda body, spelled: body.setdefault("override_settings", {}).update({name: spelled})


PLACES = [
    Place("lora", say("prompt", "a pier <lora:{}:0.8>")),
    Place("lora", say("prompt", "<lyco:{}>")),
    Place("hypernetwork", say("prompt", "((a pier:1.2) <hypernet:{}:1>)")),
    Place("lora", say("prompt", "# <lora:{}:1>"), loads=False),
    Place("lora", say("prompt", "a pier # at night <lora:{}:1>"), loads=False),
    Place("lora", say("prompt", "<LoRA:{}:1>"), loads=False),
    Place("lora", say("negative_prompt", "<lora:{}:1>"), loads=False),
    Place("lora", hires("hr_prompt", "<lora:{}:0.5>")),
    Place("lora", hires("hr_negative_prompt", "<lora:{}:0.5>"), loads=False),
    Place("stable-diffusion", hires("hr_checkpoint_name")),
    Place("upscaler", hires("hr_upscaler")),
    Place("stable-diffusion", lambda body, spelled: body.update(refiner_checkpoint=spelled, refiner_switch_at=0.8)),
    Place("vae", setting("sd_vae")),
    Place("lora", setting("sd_lora")),
    Place("controlnet", lambda body, spelled: script(body, "ControlNet", {"model": spelled, "enabled": True})),
    Place("controlnet", lambda body, spelled: script(body, "ControlNet", {"model": spelled})),
    Place("controlnet", lambda body, spelled: script(body, "ControlNet", {"model": spelled, "enabled": False}), False),
    Place("lora", lambda body, spelled: script(body, "Detailer", True, {"ad_prompt": f"<lora:{spelled}:1>"})),
    Place("lora", lambda body, spelled: script(body, "Detailer", False, {"ad_prompt": f"<lora:{spelled}:1>"}), False),
    Place("lora", lambda body, spelled: script(body, "Detailer", {"negative": f"<lora:{spelled}:1>"}), False),
    Place("vae", lambda body, spelled: script(body, "Detailer", {"ad_use_vae": True, "ad_vae": spelled})),
    Place("vae", lambda body, spelled: script(body, "Detailer", {"ad_use_vae": False, "ad_vae": spelled}), False),
    Place("stable-diffusion", lambda body, spelled: body.update(
        script_name="X/Y/Z plot", script_args=["Checkpoint name", "", [spelled], "Seed", "1,2", []])),
    Place("upscaler", lambda body, spelled: body.update(script_name="SD upscale", script_args=["", 64, spelled, 2])),
]  # fmt: skip


@st.composite
def spelled(draw: st.DrawFn, kind: str) -> tuple[str, str]:
    """A spelling and the file that it means."""
    file = draw(st.sampled_from(FILES[kind]))
    bare = file.name.rpartition(".")[0]
    names = [file.name, bare, *file.aliases]
    if file.folder:
        names += [f"{file.folder}/{bare}", f"{file.folder}\\{file.name}", "ab" * 5]
    text = draw(st.sampled_from(names))
    text = draw(st.sampled_from([text, text.upper(), text.lower(), normalize("NFD", text)]))
    # Brackets and hashes stand behind titles, and a colon would end the name in a tag.
    return text + draw(st.sampled_from(["", " [abababab]", " [0123456789]"])), file.name


@st.composite
def bodies(draw: st.DrawFn) -> tuple[dict[str, Any], set[tuple[str, str]], set[str]]:
    """A body, the files that the WebUI would load for it, and the names it would look for in vain."""
    body: dict[str, Any] = {}
    loaded: set[tuple[str, str]] = set()
    missing: set[str] = set()
    chosen = draw(st.lists(st.integers(0, len(PLACES) - 1), max_size=6, unique=True))
    places = [PLACES[number] for number in chosen]
    selected = [place for place in places if place.kind in ("stable-diffusion", "upscaler") and place in PLACES[-2:]]
    for place in places:
        if place in selected[1:]:
            continue  # A body selects one script.
        there = draw(st.booleans()) or place.write.__qualname__.startswith("setting")
        text, file = draw(spelled(place.kind)) if there else (f"gone {len(missing)}", "")
        place.write(body, text)
        if place.loads and there:
            loaded.add((place.kind, file))
        elif place.loads:
            missing.add(text)
    return body, loaded, missing


@settings(max_examples=300, deadline=None)
@given(bodies())
def test_what_a_body_names_is_what_the_webui_would_load(
    drawn: tuple[dict[str, Any], set[tuple[str, str]], set[str]],
) -> None:
    body, loaded, missing = drawn
    request = JobIn.model_validate({"type": "txt2img", "checkpoint": CHECKPOINT, "parameters": body})
    named = named_in(request, request.parameters.fields())
    resolver = ModelResolver(cast(ModelRegistry, Shelf()))
    if missing:
        with pytest.raises(Invalid) as refused:
            resolve(named, resolver)
        assert all(name in str(refused.value) for name in missing)
        assert all(file not in str(refused.value) for _, file in loaded)
        return
    models = resolve(named, resolver)
    assert models.checkpoint == CHECKPOINT
    assert {(kind, name) for kind, names in models.files.items() for name in names} == loaded
