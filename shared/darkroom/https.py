"""Reading byte ranges over https from public addresses, for imports of model files.

The URL comes from a caller, so it must not lead into our own network (server-side request forgery, OWASP): only https
on port 443 is allowed, and only public addresses. The host name is resolved here, and the connection goes to the
address that was checked; otherwise a second answer of the name server could lead elsewhere. Redirects are checked the
same way.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

from darkroom.checkpoints.ports import SourceBusy, SourceRefused

MAX_REDIRECTS = 5
_PIECE = 256 * 1024
_IN_PATH = "/%:@!$&'()*+,;=~?-._"
SECONDS = 15.0
"""The time limit of one network operation. A source that sends single bytes slowly never exceeds it, so there is a
limit for the whole read too."""
ALL_SECONDS = 60.0
"""The time limit of a whole read: connecting, TLS, headers, redirects and content. Resolving a name cannot be
interrupted; its time counts as soon as it is over."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


def is_public(address: str) -> bool:
    """Whether an IP address is a public address of the internet."""
    found = ipaddress.ip_address(address)
    # An IPv6 address that contains an IPv4 address (mapped or 6to4) is checked by the inner one.
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    checked = inner or found
    if checked.version == 6 and (checked not in _UNICAST or checked in _DOCUMENTATION):
        return False
    return checked.is_global and not checked.is_multicast and checked not in _PROTOCOL


_UNICAST = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses that are assigned on the internet (IANA's registry). Others are for translation, loopback or local
use."""
_DOCUMENTATION = ipaddress.ip_network("3fff::/20")
_PROTOCOL = ipaddress.ip_network("192.0.0.0/24")


def resolve(host: str, port: int) -> list[str]:
    """Every IP address of a host name; raises SourceBusy when it cannot be resolved."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceBusy(f"the name {host[:100]} cannot be resolved") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Pinned(http.client.HTTPSConnection):
    """A connection to one checked address; TLS checks the host's name. It is shut down at `deadline` (monotonic
    seconds), even while a read waits."""

    def __init__(self, host: str, port: int, address: str, tls: ssl.SSLContext, deadline: float) -> None:
        super().__init__(host, port, timeout=SECONDS, context=tls)
        self._address = address
        self._tls = tls
        self._deadline = deadline
        self._cutter: threading.Timer | None = None

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), min(SECONDS, _left(self._deadline)))
        plain.settimeout(SECONDS)
        # The handshake is made after the timer has started, so that the deadline holds for it too.
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self._cutter = threading.Timer(_left(self._deadline), _cut, [self.sock])
        self._cutter.daemon = True
        self._cutter.start()
        self.sock.do_handshake()

    def finish(self) -> None:
        """Close the connection and stop the timer. Not `close`: http.client calls that before the answer is read."""
        if self._cutter:
            self._cutter.cancel()
        self.close()


def _cut(connection: socket.socket) -> None:
    """Shut a connection down from another thread: a read that waits for data returns at once."""
    with suppress(OSError):
        # The method of the plain socket: that of the TLS socket would change the object while another thread reads.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _left(deadline: float) -> float:
    """Seconds until the deadline; raises SourceBusy when it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise SourceBusy("the source is too slow")
    return left


@dataclass
class Https:
    """Implements `darkroom.checkpoints.ports.Web`. Tests replace the resolver, the allowed addresses, ports and TLS."""

    resolver: Callable[[str, int], list[str]] = resolve
    allowed: Callable[[str], bool] = is_public
    ports: frozenset[int] = frozenset({443})
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def size(self, url: str) -> int:
        """See `Web.size`: reads one byte, whose answer has the size and shows that the source supports ranges."""
        total, _ = self._get(url, 0, 1)
        return total

    def read(self, url: str, first: int, length: int, total: int) -> bytes:
        """See `Web.read`."""
        found, content = self._get(url, first, length)
        if found != total:
            raise SourceRefused("the source has changed since the import began")
        if len(content) != length:
            raise SourceBusy(f"the source sent {len(content)} of {length} bytes")
        return content

    def _get(self, url: str, first: int, length: int) -> tuple[int, bytes]:
        deadline = time.monotonic() + ALL_SECONDS
        for _ in range(MAX_REDIRECTS + 1):
            connection, path = self._connect(url, deadline)
            try:
                headers = {"Range": f"bytes={first}-{first + length - 1}", "Accept-Encoding": "identity"}
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                # Headers that were cut off at the deadline look complete.
                _left(deadline)
                if answer.status in _REDIRECTS:
                    url = urljoin(url, answer.getheader("Location") or "")
                    continue
                return _ranged(answer, first, length, deadline)
            except (OSError, http.client.HTTPException, ValueError) as error:
                _left(deadline)
                raise SourceBusy(f"the source did not answer ({type(error).__name__})") from error
            finally:
                connection.finish()
        raise SourceRefused(f"the source redirects more than {MAX_REDIRECTS} times")

    def _connect(self, url: str, deadline: float) -> tuple[_Pinned, str]:
        """A connection to a checked address of the URL's host, and the path to ask for."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or 443
        except ValueError as error:
            raise SourceRefused("the URL cannot be read") from error
        if parts.scheme != "https" or not host or parts.username or parts.password:
            raise SourceRefused("only https URLs without a user name are fetched, also after a redirect")
        if port not in self.ports:
            raise SourceRefused("only the usual port of https is fetched from")
        addresses = self.resolver(host, port)
        if not addresses or not all(self.allowed(address) for address in addresses):
            raise SourceRefused(f"{host[:100]} is no public address")
        path = quote(parts.path or "/", safe=_IN_PATH) + (
            f"?{quote(parts.query, safe=_IN_PATH)}" if parts.query else ""
        )
        try:
            return _Pinned(host, port, addresses[0], self.tls, deadline), path
        except http.client.HTTPException as error:
            raise SourceRefused("the URL cannot be read") from error


def _ranged(answer: http.client.HTTPResponse, first: int, length: int, deadline: float) -> tuple[int, bytes]:
    """The size of the whole file and the bytes of a 206 answer. Raises SourceBusy or SourceRefused for other
    answers."""
    if answer.status in _PASSING:
        raise SourceBusy(f"the source answered {answer.status}")
    if answer.status == 200:
        raise SourceRefused("the source does not answer ranged requests, so it cannot be fetched in steps")
    if answer.status != 206:
        raise SourceRefused(f"the source answered {answer.status}")
    span, _, total = (answer.getheader("Content-Range") or "").partition("/")
    if not (total.isascii() and total.isdigit()):
        raise SourceRefused("the source does not tell its size")
    if not span.startswith(f"bytes {first}-"):
        raise SourceRefused("the source answers other bytes than those asked for")
    content = bytearray()
    while len(content) < length and (piece := answer.read1(min(_PIECE, length - len(content)))):
        content += piece
        _left(deadline)
    return int(total), bytes(content)
