"""A registry's HTTP API (distribution specification 1.1). The only user of httpx.

Whatever answers may be hostile: each answer is capped in size and time, each content is compared
with its digest, and the login goes to the one host that was named and proved itself by our CA.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from evc.doors.registry import login, tls
from evc.pure import manifests, references, target
from evc.pure.errors import EvcError
from evc.pure.manifests import Manifest, Repositories, Tags
from evc.pure.references import BadReference
from evc.pure.secret import Secret
from evc.pure.target import Target

ANSWER_BYTES = 4 * 2**20
ANSWER_SECONDS = 60
PAGE, MANY = 500, 20_000
LOGIN = "evc registry login USER"


class Missing(EvcError):
    """The registry has no such repository, tag or digest."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: httpx.Headers
    body: bytes


class RegistryClient:
    """A registry at `address` (HOST:PORT) that shows a certificate of `ca` (None: of a public CA).

    `other` says what is special about one that is not EVC's: an account, no TLS, where logins go.
    """

    def __init__(
        self,
        address: str,
        ca: Path | None,
        user: str,
        password: Secret,
        other: Target | None = None,
    ) -> None:
        self.address = other.api if other else address
        self._account = other.account if other else ""
        self._token_host = other.logins if other else ""
        scheme = "https" if other is None or other.tls else "http"
        self._sockets: list[socket.socket] = []
        self._http = httpx.Client(
            base_url=f"{scheme}://{self.address}",
            auth=(user, password.reveal()) if user else None,
            verify=tls.context(ca),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(15, connect=5),
            headers={"Accept-Encoding": "identity", "User-Agent": "evc"},
        )

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ping(self) -> None:
        """Return when the registry answers and takes the login; raises EvcError."""
        self._ask("GET", "/v2/")

    def catalogue(self) -> list[str]:
        """The names of all repositories, also of those that have no tag left."""
        start = f"{self._account}/" if self._account else ""
        found = self._listed("/v2/_catalog", Repositories)
        return [name.removeprefix(start) for name in found if name.startswith(start)]

    def tags(self, repository: str) -> list[str]:
        """The tags of `repository`; none when it is unknown or empty."""
        try:
            path = f"{self._below(repository)}/tags/list"
            return self._listed(path, Tags)
        except Missing:
            return []

    def manifest(self, repository: str, reference: str) -> Manifest:
        """What `reference` (tag or digest) of `repository` is; raises Missing, EvcError."""
        answer = self._ask("GET", self._manifest(repository, reference), manifests.ACCEPT)
        digest = _digest_of(answer.body)
        for claimed in (answer.headers.get("Docker-Content-Digest"), _if_digest(reference)):
            if claimed and self._digest(claimed) != digest:
                raise EvcError(f"{self.address} sent another content than {claimed}; refused")
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return manifests.manifest(answer.body, digest, media_type)

    def head(self, repository: str, reference: str) -> str | None:
        """The digest of `reference`, or None when there is no such content."""
        try:
            answer = self._ask("HEAD", self._manifest(repository, reference), manifests.ACCEPT)
        except Missing:
            return None
        digest = self._digest(answer.headers.get("Docker-Content-Digest", ""))
        if _if_digest(reference) not in (None, digest):
            raise EvcError(f"{self.address} sent another content than {reference}; refused")
        return digest

    def delete(self, repository: str, digest: str) -> bool:
        """Remove a manifest and the tags on it; False when it was not there."""
        try:
            self._ask("DELETE", self._manifest(repository, references.digest(digest)))
            return True
        except Missing:
            return False

    def image_size(self, repository: str, digest: str) -> int:
        """Bytes as stored; of an index, all its images together."""
        found = self.manifest(repository, digest)
        parts = [self.manifest(repository, part.digest) for part in found.platforms]
        return found.size + sum(part.size for part in parts)

    def architecture(self, repository: str, digest: str) -> str:
        """What an image runs on (`amd64`, `arm64`, `armv7`); of an index, a comma list."""
        found = self.manifest(repository, digest)
        if not found.config:
            return ",".join(part.name for part in found.platforms)
        config = manifests.read(self.blob(repository, found.config.digest), manifests.Config)
        return manifests.platform_name(config.architecture, config.variant)

    def blob(self, repository: str, digest: str) -> bytes:
        """A small blob, such as an image's config, equal to its digest."""
        path = f"{self._below(repository)}/blobs/{references.digest(digest)}"
        body = self._ask("GET", path).body
        if _digest_of(body) != digest:
            raise EvcError(f"{self.address} sent another content than {digest}; refused")
        return body

    def takes_pushes(self, repository: str) -> bool:
        """Whether this login may start an upload here; raises EvcError for an odd answer."""
        path = f"{self._below(repository)}/blobs/uploads/"
        return self._ask("POST", path, accepted=(202, 401, 403, 405)).status == 202

    def _below(self, repository: str) -> str:
        return f"/v2/{target.repository(self._account, references.repository(repository))}"

    def _manifest(self, repository: str, reference: str) -> str:
        return f"{self._below(repository)}/manifests/{_last(reference)}"

    def _listed(self, path: str, schema: type[Repositories] | type[Tags]) -> list[str]:
        """All pages of a list. A next page starts behind the last name, whatever its link says."""
        found: list[str] = []
        params: dict[str, str | int] = {"n": PAGE}
        while len(found) <= MANY:
            answer = self._ask("GET", path, params=params)
            page = manifests.read(answer.body, schema).names
            found += page
            if not page or 'rel="next"' not in answer.headers.get("Link", ""):
                return found
            params["last"] = page[-1]
        raise EvcError(f"{self.address} lists more than {MANY:,} names; refused")

    def _ask(
        self,
        method: str,
        path: str,
        accept: str = "*/*",
        params: dict[str, str | int] | None = None,
        accepted: tuple[int, ...] = (200, 202),
    ) -> Answer:
        more: dict[str, Any] = {"params": params, "headers": {"Accept": accept}}
        more["extensions"] = {"trace": self._note_socket}
        with self._guarded():
            with self._http.stream(method, path, **more) as response:
                place = login.token_place(response, self._token_host)
                if place is None:
                    return self._answer(response, accepted)
            more["auth"] = self._token(*place)
            with self._http.stream(method, path, **more) as response:
                return self._answer(response, accepted)

    def _token(self, url: str, params: dict[str, str]) -> login.Auth:
        """What the registry's host of logins gives for ours; raises EvcError."""
        extensions = {"trace": self._note_socket}
        with self._http.stream("GET", url, params=params, extensions=extensions) as response:
            signed = login.bearer(self._capped(response)) if response.status_code == 200 else None
        if signed is None:
            raise EvcError(f"{self.address} does not take this fleet's login", LOGIN)
        return signed

    def _answer(self, response: httpx.Response, accepted: tuple[int, ...]) -> Answer:
        if response.status_code not in accepted:
            raise self._refusal(response)
        body = b"" if response.request.method == "HEAD" else self._capped(response)
        return Answer(response.status_code, response.headers, body)

    def _capped(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > ANSWER_BYTES:
                raise EvcError(f"{self.address} sent more than {ANSWER_BYTES >> 20} MiB; refused")
        return bytes(body)

    def _refusal(self, response: httpx.Response) -> EvcError:
        status, asks = response.status_code, response.headers.get("WWW-Authenticate", "")
        if status == 404:
            return Missing(f"{self.address} has no {response.url.path[:200]}")
        if status == 401 and asks.lower().startswith("bearer"):
            realm = asks.partition('realm="')[2].partition('"')[0][:80]
            text = f"{self.address} wants logins sent to {realm!r}; nothing was sent there"
            return EvcError(text, "check `path: registry:` in ServerConfig.yaml")
        if status == 401:
            remedy = LOGIN if self._token_host else tls.UP
            return EvcError(f"{self.address} does not take this fleet's login", remedy)
        if 300 <= status < 400:
            return EvcError(f"{self.address} redirects to another place; not followed")
        return EvcError(f"{self.address} answered {status} to {response.request.method}")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Errors explained, and a deadline: read timeouts let a server drip bytes for ever."""
        late = threading.Event()
        timer = threading.Timer(ANSWER_SECONDS, self._hang_up, [late])
        timer.daemon = True
        timer.start()
        try:
            yield
        except httpx.HTTPError as error:
            raise tls.explain(self.address, error) from None
        finally:
            timer.cancel()
            if late.is_set():  # to a reader, hanging up can look like the end of an answer
                raise EvcError(f"{self.address} took longer than {ANSWER_SECONDS} s; left")

    def _hang_up(self, late: threading.Event) -> None:
        late.set()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _note_socket(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.start_tls.complete":
            self._sockets.append(info["return_value"].get_extra_info("socket"))

    def _digest(self, claimed: str) -> str:
        try:
            return references.digest(claimed)
        except BadReference as error:
            raise EvcError(f"{self.address}: {error.message}; refused") from None


def _last(reference: str) -> str:
    return _if_digest(reference) or references.tag(reference)


def _if_digest(reference: str) -> str | None:
    return references.digest(reference) if ":" in reference else None


def _digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
