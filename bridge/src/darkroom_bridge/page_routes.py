"""What the WebUI's page and its documents answer: Gradio's configuration, the API's document, signs of life."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from darkroom_bridge import scripts, shelf
from darkroom_bridge.document import document
from darkroom_bridge.facts import VERSION, table
from darkroom_bridge.list_routes import fixed, meaningless
from darkroom_bridge.requests import for_key
from darkroom_bridge.sessions import Session

GRADIO = "3.41.2"
"""The Gradio of the WebUI 1.10."""
_PAGE = "The bridge has the WebUI's API and no page. Use Darkroom's page, or a client: docs/bridge.md."
_ROOT = (
    "Darkroom bridge: the WebUI's API, whose pictures are painted in the cloud. The API's document is /openapi.json.\n"
)


async def config(request: Request, session: Session) -> Response:
    """Gradio's configuration, with the components that the Photoshop plugin looks for."""
    files = shelf.upscalers(await session.run(session.shelf.of, "upscaler"))
    upscalers = [*table("webui")["latent_upscalers"], *(each["name"] for each in files)]
    models = ["None", *shelf.controlnet_models(await session.run(session.shelf.of, "controlnet"))]
    components = [
        _dropdown(1, "txt2img_hr_upscaler", "Upscaler", upscalers),
        {
            "id": 2,
            "type": "slider",
            "props": {"elem_id": "setting_control_net_max_models_num", "value": scripts.UNITS, "name": "slider"},
        },
        _dropdown(3, "txt2img_controlnet_preprocessor", "Preprocessor", table("webui")["preprocessors"]),
        _dropdown(4, "txt2img_controlnet_model", "Model", models),
    ]
    layout = {"id": 0, "children": [{"id": each["id"]} for each in components]}
    about = {"version": GRADIO, "mode": "blocks", "title": "Darkroom bridge", "dev_mode": False, "enable_queue": True}
    return JSONResponse({**about, "components": components, "layout": layout, "dependencies": []})


def _dropdown(number: int, elem_id: str, label: str, choices: list[str]) -> dict[str, Any]:
    props = {"elem_id": elem_id, "label": label, "choices": choices, "value": choices[0], "name": "dropdown"}
    return {"id": number, "type": "dropdown", "props": props}


async def root(request: Request) -> Response:
    """What the bridge is, for whoever opens its address in a browser."""
    return PlainTextResponse(_ROOT)


async def ping(request: Request) -> Response:
    """A sign of life, without a key."""
    return JSONResponse({})


def routes(api: list[BaseRoute]) -> list[Route]:
    """The routes of this module. `api` are the other routes, for the document."""
    told = fixed(lambda: document(api))
    page = for_key(meaningless(_PAGE))
    both = ["GET", "POST"]
    return [
        Route("/", root, methods=["GET"]),
        Route("/internal/ping", ping, methods=["GET"]),
        Route("/openapi.json", for_key(told), methods=["GET"]),
        Route("/config", for_key(config), methods=["GET"]),
        Route("/config/", for_key(config), methods=["GET"]),
        Route("/app_id", for_key(fixed(lambda: {"app_id": VERSION})), methods=["GET"]),
        *(Route(path, page, methods=both) for path in _PAGES),
    ]


_PAGES = (
    "/info",
    "/queue/status",
    "/upload",
    "/reset",
    "/api/{name:path}",
    "/run/{name:path}",
    "/internal/quicksettings-hint",
    "/internal/profile-startup",
    "/internal/sysinfo",
    "/internal/sysinfo-download",
    "/sd_extra_networks/{name:path}",
)
"""Calls of the WebUI's own page."""
