"""What a hostile registry may answer, from a real HTTPS server on loopback."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evc.doors import certs, registry
from evc.doors.registry import ANSWER_BYTES, RegistryClient, tls
from evc.pure.errors import EvcError
from evc.pure.manifests import IMAGES, INDEXES
from evc.pure.secret import Secret
from evc.pure.target import Target

Respond = Callable[[BaseHTTPRequestHandler], None]
NOW = dt.datetime.now(dt.UTC)
AUTHORITY = certs.authority("a fleet", NOW)
ZERO = "sha256:" + "0" * 64
CONFIG = b'{"os": "linux", "architecture": "amd64"}'


class Server(ThreadingHTTPServer):
    """Answers every request by `respond`, and keeps what each was and which login it carried."""

    daemon_threads = True

    def __init__(self, respond: Respond) -> None:
        super().__init__(("127.0.0.1", 0), _handler(respond))
        self.asked: list[str] = []
        self.logins: list[str] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what these tests want."""


def _handler(respond: Respond) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server: Server

        def _any(self) -> None:
            self.server.asked.append(f"{self.command} {self.path}")
            self.server.logins += self.headers.get_all("Authorization", [])
            respond(self)

        do_GET = do_HEAD = do_POST = do_DELETE = _any

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers; each shows a certificate of the fleet's CA unless it is told otherwise."""
    started: list[Server] = []

    def start(respond: Respond, pair: certs.Pair | str | None = "") -> Server:
        server = Server(respond)
        started.append(server)
        if pair == "":
            pair = certs.server(AUTHORITY, {"127.0.0.1"}, NOW)
        if isinstance(pair, certs.Pair):
            # Hands shake in the connection's thread: one that never does stops no other.
            server.socket = _context(tmp_path, pair).wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[[Server], RegistryClient]]:
    with contextlib.ExitStack() as stack:

        def make(server: Server) -> RegistryClient:
            ca = tmp_path / "ca.crt"
            ca.write_text(AUTHORITY.certificate)
            login = ("evc-push", Secret("a password"))
            return stack.enter_context(RegistryClient(server.address, ca, *login))

        yield make


def answer(
    body: bytes = b"{}",
    status: int = 200,
    media_type: str = IMAGES[1],
    **headers: str,
) -> Respond:
    """A whole answer; header names are given with `_` for `-`."""

    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", media_type)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    return respond


def image(config: bytes = CONFIG) -> bytes:
    entry = {"digest": digest_of(config), "size": len(config)}
    return json.dumps({"schemaVersion": 2, "config": entry, "layers": []}).encode()


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_an_honest_registry_is_understood(serve: Any, client: Any) -> None:
    manifest = image()

    def respond(request: BaseHTTPRequestHandler) -> None:
        body = CONFIG if "/blobs/" in request.path else manifest
        answer(body, Docker_Content_Digest=digest_of(body))(request)

    server = serve(respond)
    found = client(server)
    assert found.head("a/b", "1") == digest_of(manifest)
    assert found.manifest("a/b", "1").digest == digest_of(manifest)
    assert found.architecture("a/b", digest_of(manifest)) == "amd64"
    assert found.image_size("a/b", digest_of(manifest)) == len(CONFIG)
    assert server.logins, "the login is sent to the registry itself"


@pytest.mark.parametrize("length", ["104857600", None], ids=["100 MB", "endless"])
def test_a_manifest_that_is_too_large_is_left(serve: Any, client: Any, length: str | None) -> None:
    sent = 0

    def respond(request: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        request.send_response(200)
        if length:
            request.send_header("Content-Length", length)
        request.end_headers()
        while sent < 100 * 2**20:
            sent += request.wfile.write(b" " * 65536)

    with pytest.raises(EvcError, match="more than 4 MiB"):
        client(serve(respond)).manifest("a/b", "1")
    assert sent < ANSWER_BYTES + 16 * 2**20, "beyond the limit, only what sockets buffer"


@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_that_drips_is_left(
    serve: Any, client: Any, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(registry, "ANSWER_SECONDS", 0.5)

    def respond(request: BaseHTTPRequestHandler) -> None:
        start = b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if part == "body" else b"X-Slow: ")
        request.wfile.write(start)
        for _ in range(200):
            request.wfile.write(b"x")
            time.sleep(0.05)

    begun = time.monotonic()
    with pytest.raises(EvcError, match="took longer"):
        client(serve(respond)).manifest("a/b", "1")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("claimed", ["sha256:../x", "sha256:", "../../etc/shadow", "md5:0", "\x7f"])
def test_a_digest_of_another_form_is_refused(serve: Any, client: Any, claimed: str) -> None:
    found = client(serve(answer(image(), Docker_Content_Digest=claimed)))
    with pytest.raises(EvcError, match="is not a digest"):
        found.manifest("a/b", "1")
    with pytest.raises(EvcError, match="is not a digest"):
        found.head("a/b", "1")


def test_no_digest_is_not_taken_for_one(serve: Any, client: Any) -> None:
    with pytest.raises(EvcError, match="is not a digest"):
        client(serve(answer())).head("a/b", "1")


def test_a_digest_inside_a_manifest_is_refused_before_it_is_asked_for(
    serve: Any, client: Any
) -> None:
    body = image().replace(digest_of(CONFIG).encode(), b"sha256:../../v2/secret")
    server = serve(answer(body))
    with pytest.raises(EvcError):
        client(server).architecture("a/b", digest_of(body))
    assert len(server.asked) == 1


def test_content_that_is_not_what_its_header_says_is_refused(serve: Any, client: Any) -> None:
    with pytest.raises(EvcError, match="another content"):
        client(serve(answer(image(), Docker_Content_Digest=ZERO))).manifest("a/b", "1")


@pytest.mark.parametrize("headers", [{}, {"Docker_Content_Digest": ZERO}])
def test_content_that_is_not_what_was_asked_for_is_refused(
    serve: Any, client: Any, headers: dict[str, str]
) -> None:
    with pytest.raises(EvcError, match="another content"):
        client(serve(answer(image(), **headers))).manifest("a/b", ZERO)


def test_a_head_that_names_another_digest_than_asked_is_refused(serve: Any, client: Any) -> None:
    server = serve(answer(Docker_Content_Digest=digest_of(b"another")))
    with pytest.raises(EvcError, match="another content"):
        client(server).head("a/b", ZERO)


def test_a_config_that_is_not_the_manifests_is_refused(serve: Any, client: Any) -> None:
    manifest = image()

    def respond(request: BaseHTTPRequestHandler) -> None:
        evil = CONFIG.replace(b"amd64", b"arm64")
        answer(evil if "/blobs/" in request.path else manifest)(request)

    with pytest.raises(EvcError, match="another content"):
        client(serve(respond)).architecture("a/b", digest_of(manifest))


def test_a_compressed_answer_is_not_unpacked(serve: Any, client: Any) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    server = serve(answer(bomb, Content_Encoding="gzip", Docker_Content_Digest=digest_of(image())))
    with pytest.raises(EvcError, match="another content"):
        client(server).manifest("a/b", "1")


def test_an_image_that_calls_itself_an_index_is_refused(serve: Any, client: Any) -> None:
    body = json.dumps({**json.loads(image()), "mediaType": INDEXES[0]}).encode()
    with pytest.raises(EvcError, match="calls itself"):
        client(serve(answer(body))).manifest("a/b", "1")


@pytest.mark.parametrize("status", [401, 307])
def test_no_login_is_sent_to_another_host(serve: Any, client: Any, status: int) -> None:
    elsewhere = serve(answer(b'{"token": "x"}'))
    url = f"https://{elsewhere.address}/token"
    challenge = {"WWW_Authenticate": f'Bearer realm="{url}",service="registry"', "Location": url}
    server = serve(answer(status=status, **challenge))
    for ask in (
        lambda found: found.ping(),
        lambda found: found.manifest("a/b", "1"),
        lambda found: found.delete("a/b", ZERO),
        lambda found: found.catalogue(),
    ):
        with pytest.raises(EvcError):
            ask(client(server))
    assert server.logins
    assert (elsewhere.asked, elsewhere.logins) == ([], [])


def test_a_token_realm_elsewhere_is_named(serve: Any, client: Any) -> None:
    challenge = 'Bearer realm="https://evil.example/\x1b[31mtoken"'
    server = serve(answer(status=401, WWW_Authenticate=challenge))
    with pytest.raises(EvcError, match=r"'https://evil\.example/.*nothing was sent") as caught:
        client(server).ping()
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (certs.server(AUTHORITY, {"127.0.0.1"}, NOW - dt.timedelta(days=400)), "expired"),
        (certs.server(AUTHORITY, {"127.0.0.1"}, NOW + dt.timedelta(days=2)), "not yet valid"),
        (certs.server(AUTHORITY, {"127.0.0.2", "registry.example"}, NOW), "mismatch"),
        (certs.server(certs.authority("a fleet", NOW), {"127.0.0.1"}, NOW), "verify failed|issuer"),
    ],
    ids=["expired", "not yet valid", "another name", "another CA"],
)
def test_a_registry_that_does_not_prove_itself_gets_nothing(
    serve: Any, client: Any, pair: certs.Pair, reason: str
) -> None:
    server = serve(answer(), pair)
    with pytest.raises(EvcError, match=f"(?s)({reason}).*nothing was sent.*evc registry up"):
        client(server).ping()
    assert (server.asked, server.logins) == ([], [])


def test_a_registry_without_tls_gets_nothing(serve: Any, client: Any) -> None:
    server = serve(answer(), None)
    with pytest.raises(EvcError, match=r"(?s)without TLS.*nothing was sent.*evc registry up"):
        client(server).ping()
    assert (server.asked, server.logins) == ([], [])


def test_tls_older_than_1_2_is_refused(serve: Any, client: Any, tmp_path: Path) -> None:
    context = tls.context(_written(tmp_path / "ca.crt", AUTHORITY.certificate))
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname


def test_no_registry_at_all_says_what_to_type(serve: Any, client: Any) -> None:
    server = serve(answer(), None)
    found = client(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(EvcError, match=r"(?s)no registry answers.*evc registry up"):
        found.ping()


def test_proxies_and_ca_bundles_of_the_environment_change_nothing(
    serve: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(answer())
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/dev/null")
    client(serve(answer())).ping()
    assert proxy.asked == []


def test_a_catalogue_without_end_is_left(serve: Any, client: Any) -> None:
    def respond(request: BaseHTTPRequestHandler) -> None:
        names = [f"r{number}" for number in range(5000)]
        link = '</v2/_catalog?last=r0>; rel="next"'
        answer(json.dumps({"repositories": names}).encode(), Link=link)(request)

    server = serve(respond)
    with pytest.raises(EvcError, match="more than 20,000"):
        client(server).catalogue()
    assert len(server.asked) == 5


def test_the_next_page_is_asked_of_the_same_host(serve: Any, client: Any) -> None:
    elsewhere = serve(answer())

    def respond(request: BaseHTTPRequestHandler) -> None:
        last = "last=b" in request.path
        names = [] if last else ["a", "b"]
        link = f'<https://{elsewhere.address}/v2/_catalog?last=b>; rel="next"'
        answer(json.dumps({"repositories": names}).encode(), Link=link)(request)

    assert client(serve(respond)).catalogue() == ["a", "b"]
    assert elsewhere.asked == []


@pytest.mark.parametrize("name", ["../../etc", "a\x1b[2Jb", "A", "a" * 300, 7, None])
def test_a_strange_name_in_a_list_is_refused(serve: Any, client: Any, name: object) -> None:
    body = json.dumps({"repositories": [name], "tags": [name, "a b"]}).encode()
    found = client(serve(answer(body)))
    with pytest.raises(EvcError):
        found.catalogue()
    with pytest.raises(EvcError):
        found.tags("a/b")


def test_a_registry_says_no_in_a_way_that_is_shown_safely(serve: Any, client: Any) -> None:
    server = serve(answer(b"\x1b[2J" * 100, status=503))
    with pytest.raises(EvcError, match="answered 503 to GET"):
        client(server).ping()
    assert client(serve(answer(status=404))).head("a/b", "1") is None


def _context(folder: Path, pair: certs.Pair) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    names = ("server.crt", pair.certificate), ("server.key", pair.key)
    context.load_cert_chain(*(_written(folder / name, text) for name, text in names))
    return context


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _hub(realm: str, token: bytes = b'{"token": "tOken"}') -> Respond:
    """A registry that wants a token, which `/token` gives for the right login."""

    def respond(request: BaseHTTPRequestHandler) -> None:
        place = f"https://127.0.0.1:{request.server.server_port}"  # type: ignore[attr-defined]
        if request.path.startswith("/token"):
            answer(token, media_type="application/json")(request)
        elif request.headers.get("Authorization") == "Bearer tOken":
            answer()(request)
        else:
            challenge = f'Bearer realm="{realm or place + "/token"}",service="a hub",scope="x:y"'
            answer(status=401, WWW_Authenticate=challenge)(request)

    return respond


def _of_a_hub(server: Server, tmp_path: Path) -> RegistryClient:
    (tmp_path / "ca.crt").write_text(AUTHORITY.certificate)
    other = Target(server.address, "shop")
    login = ("shop", Secret("a password"))
    return RegistryClient(server.address, tmp_path / "ca.crt", *login, other)


def test_a_hubs_token_is_fetched_with_the_login_and_used(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(_hub(""))
    with _of_a_hub(server, tmp_path) as asked:
        asked.ping()
    assert server.asked == ["GET /v2/", "GET /token?service=a+hub&scope=x%3Ay", "GET /v2/"]
    assert server.logins[-1] == "Bearer tOken"


@pytest.mark.parametrize(
    "realm",
    ["https://localhost:{}/token", "http://127.0.0.1:{}/token", "https://127.0.0.1:{}@localhost/",
     "file:///etc/passwd", "https://auth.docker.io/token"],
)  # fmt: skip
def test_a_hubs_login_goes_to_no_other_host(
    realm: str, serve: Callable[..., Server], tmp_path: Path
) -> None:
    elsewhere = serve(answer(b'{"token": "tOken"}'))
    server = serve(_hub(realm.format(elsewhere.server_port)))
    with _of_a_hub(server, tmp_path) as asked, pytest.raises(EvcError):
        asked.ping()
    assert elsewhere.asked == [] and server.asked == ["GET /v2/"]


@pytest.mark.parametrize(
    "token",
    [b"[]", b"{", b'{"token": ""}', b'{"token": "a\\r\\nX: y"}', b" " * (ANSWER_BYTES + 1)],
)
def test_a_token_that_is_none(token: bytes, serve: Callable[..., Server], tmp_path: Path) -> None:
    with _of_a_hub(serve(_hub("", token)), tmp_path) as asked, pytest.raises(EvcError):
        asked.ping()
