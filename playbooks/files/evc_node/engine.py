"""Docker's Engine API over its Unix socket, with nothing but the standard library.

Paths and bodies are those of https://docs.docker.com/reference/api/engine/ (unversioned, so that
old and new engines answer in their own version).
"""

import base64
import http.client
import json
import os
import socket
import struct
from urllib.parse import quote

SOCKET = os.environ.get("EVC_DOCKER_SOCKET", "/var/run/docker.sock")
MAX_ANSWER = 32 * 1024 * 1024


class EngineError(Exception):
    """The engine refused (its status and message), or does not answer (status 0)."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class _UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def _open(method, path, body, headers, timeout):
    connection = _UnixConnection("docker", timeout=timeout)
    raw = body is None or isinstance(body, bytes)
    kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
    try:
        data = body if raw else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": kind, **(headers or {})})
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(0, "the Docker engine does not answer: %s" % error) from error
    if answer.status >= 400:
        raise EngineError(answer.status, _message(answer.read(65536)))
    return answer


def call(method, path, body=None, headers=None, timeout=60):
    """One request; the parsed JSON answer, or None when it is empty. Raises EngineError."""
    try:
        data = _open(method, path, body, headers, timeout).read(MAX_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(0, "the Docker engine broke off: %s" % error) from error
    return json.loads(data) if data.strip() else None


def stream(method, path, headers=None, timeout=600):
    """One request whose answer is JSON lines; yields them. Raises EngineError for an error line."""
    answer = _open(method, path, None, headers, timeout)
    try:
        for line in answer:
            event = json.loads(line)
            if "error" in event:
                raise EngineError(500, event["error"])
            yield event
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EngineError(0, "the Docker engine broke off: %s" % error) from error


def pull(image, auth):
    """Pull `image` (HOST:PORT/REPOSITORY@DIGEST); yields the engine's progress events."""
    return stream("POST", "/images/create?fromImage=" + quote(image, safe=""), _login(auth))


def push(repository, tag, auth):
    """Push REPOSITORY:TAG; yields progress events, one of them with the digest in `aux`."""
    path = "/images/%s/push?tag=%s" % (quote(repository, safe="/:"), quote(tag, safe=""))
    return stream("POST", path, _login(auth))


def containers(label):
    """All containers, running or not, that carry `label`."""
    filters = quote(json.dumps({"label": [label]}))
    return call("GET", "/containers/json?all=1&filters=" + filters)


def inspect(container):
    return call("GET", "/containers/%s/json" % container)


def image(name):
    """What the engine knows of an image, or None."""
    try:
        return call("GET", "/images/%s/json" % quote(name, safe="/:@"))
    except EngineError as error:
        if error.status == 404:
            return None
        raise


def image_by_digest(digest):
    """The image that was pulled as `digest`, from whichever address, or None."""
    for found in call("GET", "/images/json?digests=1"):
        if any(name.endswith("@" + digest) for name in found.get("RepoDigests") or []):
            return image(found["Id"])
    return None


def untag(name):
    """Drop one name of an image; the engine deletes the image with its last name."""
    _unless_gone("DELETE", "/images/" + quote(name, safe="/:@"), 60)


def create(name, config):
    return call("POST", "/containers/create?name=" + quote(name), config)["Id"]


def start(container):
    """Start a container; one that runs already is fine."""
    call("POST", "/containers/%s/start" % container)


def stop(container, seconds=10):
    """Stop a container; one that is stopped already, or gone, is fine."""
    _unless_gone("POST", "/containers/%s/stop?t=%d" % (container, seconds), seconds + 30)


def remove(container):
    """Remove a container and its anonymous volumes; one that is gone is fine."""
    _unless_gone("DELETE", "/containers/%s?force=1&v=1" % container, 60)


def put_archive(container, archive):
    """Unpack a tar at the root of a container, into its volumes too; it need not run."""
    call("PUT", "/containers/%s/archive?path=/" % container, archive)


def volumes(label):
    """All volumes that carry `label`."""
    filters = quote(json.dumps({"label": [label]}))
    return call("GET", "/volumes?filters=" + filters).get("Volumes") or []


def remove_volume(name):
    """Remove a volume; one that is gone, or that a container has, is left."""
    _unless_gone("DELETE", "/volumes/" + quote(name), 60)


def restart_policy(container, policy):
    """Set what the engine does with a container when the engine itself starts."""
    call("POST", "/containers/%s/update" % container, {"RestartPolicy": {"Name": policy}})


def wait_exit(container, seconds):
    """Wait until a container has ended; its exit status."""
    return call("POST", "/containers/%s/wait" % container, timeout=seconds)["StatusCode"]


def logs(container, lines=40):
    """The last lines a container printed, as one text."""
    path = "/containers/%s/logs?stdout=1&stderr=1&tail=%d" % (container, lines)
    try:
        data = _open("GET", path, None, None, 30).read(1024 * 1024)
    except (EngineError, OSError, http.client.HTTPException):
        return ""
    return _demultiplexed(data).decode("utf-8", "replace")


def _demultiplexed(data):
    """The payload of the engine's stream frames: 1 byte stream, 3 zero, 4 big-endian length."""
    text, position = b"", 0
    while position + 8 <= len(data):
        length = struct.unpack(">I", data[position + 4 : position + 8])[0]
        text += data[position + 8 : position + 8 + length]
        position += 8 + length
    return text


def _unless_gone(method, path, timeout):
    try:
        call(method, path, timeout=timeout)
    except EngineError as error:
        if error.status not in (304, 404, 409):
            raise


def _login(auth):
    if not auth:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()}


def _message(data):
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data[:300].decode("utf-8", "replace")
