"""Model files are fetched over https and from public addresses only, whatever a URL or a redirect says."""

import datetime
import http.server
import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
def test_addresses_of_private_networks_are_not_public(address: str) -> None:
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


class Dripping:
    """A source that sends one byte now and then. `ends` gets how each attempt ended: `cut off` by the reader, or `sent`
    to the last byte after some five seconds."""

    def __init__(self) -> None:
        self.ends: queue.Queue[str] = queue.Queue()
        self._stop = threading.Event()

    def send(self, write: Callable[[bytes], object], byte: bytes) -> None:
        try:
            for _ in range(100):
                write(byte)
                self._stop.wait(0.05)
        except OSError:
            self.ends.put("cut off")
        else:
            self.ends.put("sent")

    def stop(self) -> None:
        """Send what is left without pauses."""
        self._stop.set()


class FileServer(http.server.ThreadingHTTPServer):
    """A file server of one file; `paths` are those of the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Files)
        self.paths: list[str] = []
        self.dripping = Dripping()


class Files(http.server.BaseHTTPRequestHandler):
    """Answers ranges of the file, redirects, statuses, and answers that are wrong in one way each."""

    server: FileServer

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to?"))
            self.end_headers()
        elif self.path.startswith("/status/"):
            self.send_response(int(self.path.rpartition("/")[2]))
            self.end_headers()
        elif self.path == "/drip":
            self.wfile.write(b"HTTP/1.1 206 Partial Content\r\nX-Slow: ")
            self.server.dripping.send(self.wfile.write, b"a")
        else:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            piece = CONTENT[first : last + 1]
            first += self.path == "/elsewhere"
            self.send_response(206)
            total = "*" if self.path == "/unknown" else len(CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
            self.end_headers()
            self.wfile.write(piece[:-1] if self.path == "/short" else piece)

    def log_message(self, *_: object) -> None:
        pass


def certificate(folder: Path) -> Path:
    """A file with a key and its certificate for the name `models.test`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "models.test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
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
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@dataclass
class Source:
    """A server on this machine, and a fetcher that resolves the names of these tests and takes loopback for public."""

    server: FileServer
    fetcher: Https

    @property
    def url(self) -> str:
        return f"https://models.test:{self.server.server_port}"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    pem = certificate(tmp_path)
    with FileServer() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        names = {"models.test": ["127.0.0.1"], "inside.test": ["169.254.169.254"], "other.test": ["127.0.0.1"]}
        fetcher = Https(
            resolver=lambda host, _: names[host],
            allowed=lambda address: ipaddress.ip_address(address).is_loopback,
            ports=frozenset({server.server_port}),
            tls=ssl.create_default_context(cafile=str(pem)),
        )
        yield Source(server, fetcher)
        server.dripping.stop()
        server.shutdown()


def test_a_file_is_read_by_ranges(source: Source) -> None:
    assert source.fetcher.size(f"{source.url}/file") == len(CONTENT)
    assert source.fetcher.read(f"{source.url}/file?token=x", 100, 5000, len(CONTENT)) == CONTENT[100:5100]
    assert source.fetcher.read(f"{source.url}/to?{source.url}/file", 0, 10, len(CONTENT)) == CONTENT[:10]


def test_redirects_are_checked_as_the_first_url_was(source: Source) -> None:
    port = source.server.server_port
    for target in (f"https://inside.test:{port}/meta", "http://models.test/file", "https://models.test:1/file"):
        with pytest.raises(SourceRefused):
            source.fetcher.size(f"{source.url}/to?{target}")
    with pytest.raises(SourceRefused, match="redirects more"):
        source.fetcher.size(f"{source.url}/to?" * 7 + f"{source.url}/file")
    assert "/meta" not in source.server.paths


def test_a_file_that_changed_its_size_is_refused(source: Source) -> None:
    with pytest.raises(SourceRefused, match="changed"):
        source.fetcher.read(f"{source.url}/file", 0, 10, len(CONTENT) + 1)


def test_a_source_that_drips_is_given_up(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom.https.ALL_SECONDS", -1.0)
    with pytest.raises(SourceBusy, match="too slow"):
        source.fetcher.read(f"{source.url}/file", 0, 10, len(CONTENT))


def test_a_source_that_drips_its_headers_is_given_up_in_time(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom.https.ALL_SECONDS", 0.5)
    for path in ("/drip", f"/to?{source.url}/drip"):
        with pytest.raises(SourceBusy, match="too slow"):
            source.fetcher.size(source.url + path)
        assert source.server.dripping.ends.get(timeout=10) == "cut off"
    assert source.server.paths == ["/drip", f"/to?{source.url}/drip", "/drip"]


def test_a_source_that_drips_its_tls_is_given_up_in_time(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source announces 4,096 bytes of a handshake and sends one of them now and then."""
    dripping = Dripping()
    with socket.create_server(("127.0.0.1", 0)) as slow:
        port = slow.getsockname()[1]

        def answer() -> None:
            reader, _ = slow.accept()
            with reader:
                reader.sendall(b"\x16\x03\x03\x10\x00\x02")
                dripping.send(reader.sendall, b"\x00")

        threading.Thread(target=answer, daemon=True).start()
        monkeypatch.setattr("darkroom.https.ALL_SECONDS", 0.5)
        source.fetcher.ports = frozenset({port})
        with pytest.raises(SourceBusy, match="too slow"):
            source.fetcher.size(f"https://models.test:{port}/file")
        assert dripping.ends.get(timeout=10) == "cut off"


def test_a_certificate_of_another_name_is_refused(source: Source) -> None:
    with pytest.raises(SourceBusy, match="did not answer"):
        source.fetcher.size(source.url.replace("models.test", "other.test") + "/file")


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
def test_an_error_that_may_pass_is_busy_and_any_other_is_a_refusal(
    source: Source, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        source.fetcher.read(f"{source.url}{path}", 0, 10, len(CONTENT))
