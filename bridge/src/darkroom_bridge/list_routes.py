"""The WebUI's lists and settings, and what has no meaning here."""

from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from darkroom_bridge import scripts, shelf
from darkroom_bridge.facts import table
from darkroom_bridge.options import CHECKPOINT, VAE
from darkroom_bridge.problems import Problem
from darkroom_bridge.requests import Handler, body_of, for_key
from darkroom_bridge.sessions import Session
from darkroom_client.answers import Checkpoint, Kind

_NO_VAE = frozenset({"automatic", "none", "auto", ""})
ELSEWHERE = "The pictures are painted in the cloud; this machine has no model in its memory."
_LISTS: dict[str, tuple[Kind, Callable[[Iterable[Checkpoint]], Any]]] = {
    "/sdapi/v1/sd-models": ("stable-diffusion", shelf.sd_models),
    "/sdapi/v1/sd-vae": ("vae", shelf.sd_vae),
    "/sdapi/v1/loras": ("lora", shelf.loras),
    "/sdapi/v1/hypernetworks": ("hypernetwork", shelf.hypernetworks),
    "/sdapi/v1/embeddings": ("embedding", shelf.embeddings),
    "/sdapi/v1/upscalers": ("upscaler", shelf.upscalers),
    "/sdapi/v1/realesrgan-models": ("upscaler", shelf.realesrgan_models),
}
_MEANINGLESS = {
    "/sdapi/v1/create/embedding": "Embeddings are not trained in the cloud; upload one to the shelf.",
    "/sdapi/v1/create/hypernetwork": "Hypernetworks are not trained in the cloud; upload one to the shelf.",
    "/sdapi/v1/train/embedding": "Embeddings are not trained in the cloud; upload one to the shelf.",
    "/sdapi/v1/train/hypernetwork": "Hypernetworks are not trained in the cloud; upload one to the shelf.",
    "/rembg": "Darkroom has no jobs that remove backgrounds.",
    "/controlnet/detect": "Darkroom has no jobs for a preprocessor alone; a ControlNet unit of a job runs it.",
}
"""Calls with a meaning in the WebUI alone, and the sentence that their answer 501 has."""


def samplers() -> list[dict[str, Any]]:
    """The answer of `samplers`."""
    return [
        {"name": each["name"], "aliases": list(each["aliases"]), "options": {}} for each in table("webui")["samplers"]
    ]


def schedulers() -> list[dict[str, Any]]:
    """The answer of `schedulers`: the label is what people see, the name is the first of the other words."""
    return [
        {
            "name": each["aliases"][0],
            "label": each["name"],
            "aliases": list(each["aliases"][1:]) or None,
            "default_rho": {"Karras": 7.0, "Polyexponential": 1.0}.get(each["name"], -1.0),
            "need_inner_model": each["name"] in _INNER,
        }
        for each in table("webui")["schedulers"]
    ]


_INNER = frozenset({"SGM Uniform", "Simple", "Normal", "DDIM", "Beta"})
"""Schedules that are made from the model (the WebUI's modules/sd_schedulers.py)."""


async def get_options(request: Request, session: Session) -> Response:
    """Every setting: what clients said, else the WebUI's default."""
    told = session.options.all()
    told[CHECKPOINT] = await session.run(session.checkpoint)
    chosen = await session.run(session.shelf.find, "stable-diffusion", told[CHECKPOINT] or "")
    if chosen:
        told |= {CHECKPOINT: shelf.title(chosen), "sd_checkpoint_hash": chosen["sha256"] or ""}
    return JSONResponse(told)


async def set_options(request: Request, session: Session) -> Response:
    """Keep settings. Raises Problem for a checkpoint or VAE that the shelf does not have, as the WebUI does."""
    changes = await body_of(request)
    await _check_named(session, "stable-diffusion", changes.get(CHECKPOINT))
    vae = changes.get(VAE)
    if isinstance(vae, str) and vae.strip().lower() not in _NO_VAE:
        await _check_named(session, "vae", vae)
    await session.run(session.options.change, changes)
    return JSONResponse(None)


async def _check_named(session: Session, kind: Kind, name: Any) -> None:
    if not isinstance(name, str) or not name or shelf.may_be_old_hash(name):
        return
    if await session.run(session.shelf.find, kind, name) is None:
        session.shelf.refresh()
        if await session.run(session.shelf.find, kind, name) is None:
            raise Problem(500, f"model {name!r} not found", "model_not_found", name="RuntimeError")


async def refresh(request: Request, session: Session) -> Response:
    """Read the shelf anew."""
    session.shelf.refresh()
    return JSONResponse(None)


def fixed(answer: Callable[[], Any]) -> Handler:
    """A route that answers the same to everybody with a key."""

    async def handler(request: Request, session: Session) -> Response:
        return JSONResponse(answer())

    return handler


def meaningless(sentence: str) -> Handler:
    """A route for what has no meaning here: 501 with a sentence."""

    async def handler(request: Request, session: Session) -> Response:
        raise Problem(501, sentence, "no_meaning")

    return handler


def _listed(kind: Kind, shape: Callable[[Iterable[Checkpoint]], Any]) -> Handler:
    async def handler(request: Request, session: Session) -> Response:
        return JSONResponse(shape(await session.run(session.shelf.of, kind)))

    return handler


async def controlnet_models(request: Request, session: Session) -> Response:
    """The ControlNet models on the shelf."""
    rows = await session.run(session.shelf.of, "controlnet")
    return JSONResponse({"model_list": shelf.controlnet_models(rows)})


async def controlnet_types(request: Request, session: Session) -> Response:
    """All preprocessors and models as one type."""
    models = shelf.controlnet_models(await session.run(session.shelf.of, "controlnet"))
    return JSONResponse({"control_types": {"All": scripts.control_type(models)}})


def routes() -> list[Route]:
    """The routes of this module."""
    latent = [{"name": name} for name in table("webui")["latent_upscalers"]]
    gets: dict[str, Handler] = {
        "/sdapi/v1/options": get_options,
        "/sdapi/v1/samplers": fixed(samplers),
        "/sdapi/v1/schedulers": fixed(schedulers),
        "/sdapi/v1/latent-upscale-modes": fixed(lambda: latent),
        "/sdapi/v1/face-restorers": fixed(list),
        "/sdapi/v1/prompt-styles": fixed(list),
        "/sdapi/v1/extensions": fixed(list),
        "/sdapi/v1/scripts": fixed(scripts.names),
        "/sdapi/v1/script-info": fixed(scripts.described),
        "/sdapi/v1/cmd-flags": fixed(lambda: table("flags")),
        "/sdapi/v1/memory": fixed(lambda: {"ram": {"error": ELSEWHERE}, "cuda": {"error": ELSEWHERE}}),
        "/controlnet/version": fixed(lambda: {"version": scripts.CONTROLNET_VERSION}),
        "/controlnet/module_list": fixed(scripts.modules),
        "/controlnet/settings": fixed(lambda: {"control_net_unit_count": scripts.UNITS}),
        "/controlnet/model_list": controlnet_models,
        "/controlnet/control_types": controlnet_types,
        **{path: _listed(kind, shape) for path, (kind, shape) in _LISTS.items()},
    }
    posts: dict[str, Handler] = {
        "/sdapi/v1/options": set_options,
        "/sdapi/v1/refresh-checkpoints": refresh,
        "/sdapi/v1/refresh-vae": refresh,
        "/sdapi/v1/refresh-loras": refresh,
        "/sdapi/v1/refresh-embeddings": refresh,
        "/sdapi/v1/unload-checkpoint": fixed(dict),
        "/sdapi/v1/reload-checkpoint": fixed(dict),
        **{path: meaningless(sentence) for path, sentence in _MEANINGLESS.items()},
    }
    return [
        *(Route(path, for_key(handler), methods=["GET"]) for path, handler in gets.items()),
        *(Route(path, for_key(handler), methods=["POST"]) for path, handler in posts.items()),
    ]
