"""The address of a stage, checked before anything is sent to it."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from darkroom_client.errors import WrongAddress

ROUTES = frozenset({"ping", "jobs", "images", "checkpoints", "endpoints", "keys", "dead-letters", "costs", "budgets"})
"""What the paths of the API begin with."""
EXAMPLE = "https://….execute-api.eu-west-1.amazonaws.com/v1"
_GATEWAYS = (".amazonaws.com", ".amazonaws.com.cn")
_INSIDE = (".localhost", ".local", ".internal", ".lan", ".test", ".home.arpa")
"""Ends of names that no public name server knows (RFC 6761, 6762, 8375, and ICANN's `.internal`)."""


def checked(url: str) -> str:
    """The address as requests need it: without surrounding blanks and slashes at its end. Raises WrongAddress, which
    says what is wrong, for one that cannot be a stage's."""
    text = url.strip().lstrip("\ufeff").rstrip("/")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise WrongAddress(f"{text!r} is no address; it looks like {EXAMPLE}") from None
    if parts.scheme not in ("https", "http") or not host:
        raise WrongAddress(f"{text!r} is no whole address: it begins with https://, as in {EXAMPLE}")
    if any(letter.isspace() for letter in text) or parts.username is not None:
        raise WrongAddress(f"The address of {host} has blanks or a user's name in it; it looks like {EXAMPLE}")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise WrongAddress(f"The address has a query or a fragment; leave off what follows {_until_path(parts)}")
    if parts.scheme == "http" and not _is_inside(host):
        safe = _until_path(parts).replace("http", "https", 1)
        raise WrongAddress(f"The address begins with http://, which would show your key to others: use {safe}")
    _check_path(parts, host)
    return text


def _check_path(parts: SplitResult, host: str) -> None:
    """The path is that of the stage: behind API Gateway's own name it has exactly one part."""
    names = [name for name in parts.path.split("/") if name]
    route = next((number for number, name in enumerate(names) if name in ROUTES), None)
    gateway = ".execute-api." in host and host.endswith(_GATEWAYS)
    if route is not None:
        stage = "/".join([f"{parts.scheme}://{parts.netloc}", *names[:route]])
        missing = "/v1" if gateway and route == 0 else ""
        raise WrongAddress(f"/{'/'.join(names[route:])} is a route and not part of the address: use {stage}{missing}")
    if gateway and not names:
        raise WrongAddress(f"The address lacks its stage: use {parts.scheme}://{parts.netloc}/v1")
    if gateway and len(names) > 1:
        raise WrongAddress(f"The address goes on behind its stage: use {parts.scheme}://{parts.netloc}/{names[0]}")


def _until_path(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _is_inside(host: str) -> bool:
    """Whether a host is this machine or in a network of one's own."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)
