"""The headers of the page, for CloudFront (`infra/page.py`) and for the server on this machine (`local/page.py`).

Both read this table, so that a browser meets the same rules in both places.
"""

from collections.abc import Iterable

ENTRY = "index.html"
"""The file that names all others: `/` answers it."""
FOREVER = "public, max-age=31536000, immutable"
ALWAYS_ASKED = "no-cache"
CACHING = {"assets/": FOREVER, "": ALWAYS_ASKED}
"""The header `Cache-Control` by the beginning of a file's path; the longest that fits counts. Names in `assets/` hold a
hash of their content. All others are asked for again each time: a file that has not changed answers 304."""
API = "/api"
"""Paths under it are the API's, without it."""
HSTS_SECONDS = 2 * 365 * 24 * 3600

SECURITY = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": f"max-age={HSTS_SECONDS}; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer has, beside the policy."""


def policy(buckets: Iterable[str]) -> str:
    """The header Content-Security-Policy: files of the page's own origin, and pictures and model files from and to
    `buckets`, which are sources as the header writes them: `https://<host>`, or with a path."""
    there = " ".join(buckets)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' blob: data: {there}",
            f"media-src blob: {there}",
            f"connect-src 'self' {there}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types darkroom-worker",
        )
    )


def caching(path: str) -> str:
    """The header Cache-Control of a file of the page, by its path in the build, as in `assets/index-1a2b.js`."""
    return CACHING[max((start for start in CACHING if path.startswith(start)), key=len)]
