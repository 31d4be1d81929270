"""What is fetched comes over https from public addresses, whatever a URL or a redirect says."""

import contextlib
import datetime
import http.server
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from darkroom.checkpoints.ports import SourceBusy, SourceRefused
from darkroom.https import Https, is_public

CONTENT = bytes(range(256)) * 40


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "64:ff9b:1::a9fe:a9fe", "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1", "5f00::1", "3fff::1", "192.0.0.8",
    ],
)  # fmt: skip
def test_addresses_of_our_own_network_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x.safetensors",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "https://user:secret@example.com/x",
        "https://example.com:8443/x",
        "https:///x",
        "https://[::1/x",
    ],
)
def test_other_schemes_ports_and_broken_urls_are_refused(url: str) -> None:
    with pytest.raises(SourceRefused):
        Https(resolver=lambda *_: ["8.8.8.8"]).size(url)


def test_a_name_that_leads_inside_is_refused_even_when_it_leads_outside_too() -> None:
    for addresses in (["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], []):
        with pytest.raises(SourceRefused, match="no public address"):
            Https(resolver=lambda *_, found=addresses: found).size("https://example.com/x")


class Files(http.server.BaseHTTPRequestHandler):
    """A file server with ranges and all that may go wrong."""

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to?"))
            self.end_headers()
        elif self.path.startswith("/status/"):
            self.send_response(int(self.path.rpartition("/")[2]))
            self.end_headers()
        elif self.path == "/drip":
            self._drip()
        else:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            piece = CONTENT[first : last + 1]
            first += self.path == "/elsewhere"
            self.send_response(206)
            total = "*" if self.path == "/unknown" else len(CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
            self.end_headers()
            self.wfile.write(piece[:-1] if self.path == "/short" else piece)

    def _drip(self) -> None:
        """A header that never ends, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 206 Partial Content\r\nX-Slow: ")
        with contextlib.suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"a")
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "models.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("models.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Https, str, list[str]]]:
    """A TLS server on loopback that `models.test` leads to, and a fetcher that takes loopback for public."""
    pem = certificate(tmp_path)
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    listening.seen = []  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    port = listening.server_address[1]
    names = {"models.test": ["127.0.0.1"], "inside.test": ["169.254.169.254"], "other.test": ["127.0.0.1"]}
    fetcher = Https(
        resolver=lambda host, _: names[host],
        allowed=lambda address: ipaddress.ip_address(address).is_loopback,
        ports=frozenset({port}),
        tls=ssl.create_default_context(cafile=str(pem)),
    )
    yield fetcher, f"https://models.test:{port}", listening.seen  # type: ignore[attr-defined]
    listening.shutdown()
    listening.server_close()


def test_a_file_is_read_by_ranges(server: tuple[Https, str, list[str]]) -> None:
    fetcher, base, _ = server
    assert fetcher.size(f"{base}/file") == len(CONTENT)
    assert fetcher.read(f"{base}/file?token=x", 100, 5000, len(CONTENT)) == CONTENT[100:5100]
    assert fetcher.read(f"{base}/to?{base}/file", 0, 10, len(CONTENT)) == CONTENT[:10]


def test_redirects_are_checked_as_the_first_url_was(server: tuple[Https, str, list[str]]) -> None:
    fetcher, base, seen = server
    port = base.rpartition(":")[2]
    for target in (f"https://inside.test:{port}/meta", "http://models.test/file", "https://models.test:1/file"):
        with pytest.raises(SourceRefused):
            fetcher.size(f"{base}/to?{target}")
    with pytest.raises(SourceRefused, match="redirects more"):
        fetcher.size(f"{base}/to?{base}/to?{base}/to?{base}/to?{base}/to?{base}/to?{base}/to?{base}/file")
    assert "/meta" not in seen


def test_a_file_that_changed_its_size_is_refused(server: tuple[Https, str, list[str]]) -> None:
    fetcher, base, _ = server
    with pytest.raises(SourceRefused, match="changed"):
        fetcher.read(f"{base}/file", 0, 10, len(CONTENT) + 1)


def test_a_source_that_drips_is_given_up(server: tuple[Https, str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher, base, _ = server
    monkeypatch.setattr("darkroom.https.ALL_SECONDS", -1.0)
    with pytest.raises(SourceBusy, match="too slow"):
        fetcher.read(f"{base}/file", 0, 10, len(CONTENT))


def test_a_source_that_drips_its_headers_is_given_up_in_time(
    server: tuple[Https, str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher, base, seen = server
    monkeypatch.setattr("darkroom.https.ALL_SECONDS", 0.5)
    for path in ("/drip", f"/to?{base}/drip"):
        begun = time.monotonic()
        with pytest.raises(SourceBusy, match="too slow"):
            fetcher.size(base + path)
        assert time.monotonic() - begun < 3
    assert seen == ["/drip", f"/to?{base}/drip", "/drip"]


def test_a_source_that_drips_its_tls_is_given_up_in_time(
    server: tuple[Https, str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It promises a record of 4,096 bytes of a handshake and sends one of them now and then."""
    fetcher, _, _ = server
    slow = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        reader, _ = slow.accept()
        with contextlib.suppress(OSError), reader:
            reader.sendall(b"\x16\x03\x03\x10\x00\x02")
            for _ in range(100):
                reader.sendall(b"\x00")
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    monkeypatch.setattr("darkroom.https.ALL_SECONDS", 0.5)
    fetcher.ports = frozenset({slow.getsockname()[1]})
    begun = time.monotonic()
    with slow, pytest.raises(SourceBusy, match="too slow"):
        fetcher.size(f"https://models.test:{slow.getsockname()[1]}/file")
    assert time.monotonic() - begun < 3


def test_a_certificate_of_another_name_is_not_taken(server: tuple[Https, str, list[str]]) -> None:
    fetcher, base, _ = server
    with pytest.raises(SourceBusy, match="did not answer"):
        fetcher.size(base.replace("models.test", "other.test") + "/file")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/status/200", SourceRefused),
        ("/status/403", SourceRefused),
        ("/status/404", SourceRefused),
        ("/unknown", SourceRefused),
        ("/elsewhere", SourceRefused),
        ("/status/503", SourceBusy),
        ("/status/429", SourceBusy),
        ("/short", SourceBusy),
    ],
)
def test_what_passes_is_told_from_what_does_not(
    server: tuple[Https, str, list[str]], path: str, error: type[Exception]
) -> None:
    fetcher, base, _ = server
    with pytest.raises(error):
        fetcher.read(f"{base}{path}", 0, 10, len(CONTENT))
