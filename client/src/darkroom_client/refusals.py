"""What an answer with an error means."""

import httpx

from darkroom_client.address import EXAMPLE
from darkroom_client.errors import Refused, WrongAddress

_NO_STAGE = ("Forbidden", "Missing Authentication Token")
"""API Gateway's messages, with status 403, for a stage or a path mapping that it does not have, whatever the key. Its
refusals within a stage are problems of Darkroom's."""


def refusal(answer: httpx.Response, url: str) -> Exception:
    """Refused with Darkroom's own problem, or WrongAddress when API Gateway has no stage at the address `url`, or the
    answer leads elsewhere."""
    if answer.is_redirect:
        to = answer.headers.get("Location", "")[:200]
        return WrongAddress(f"{url} is not the address itself: it leads to {to}")
    try:
        body = answer.json()
        if answer.status_code == 403 and body.get("message") in _NO_STAGE:
            return WrongAddress(f"API Gateway has no stage at {url}: the address ends in it, as in {EXAMPLE}")
        detail = body["detail"]
        if body["code"] == "route_not_found":
            detail += f" Is {url} the address of the stage? It looks like {EXAMPLE}"
        return Refused(answer.status_code, body["code"], detail, body.get("errors", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Refused(answer.status_code, "no_problem", answer.text[:200])
