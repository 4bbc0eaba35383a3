"""Is a container well: by HTTP, by a command in it, by its port, by Docker's own HEALTHCHECK."""

import http.client
import json
import socket
import time

import engine

POLL_SECONDS = 0.2


class Unhealthy(Exception):
    """The container ended, or was not well in its time."""


def wait(container, check, say=lambda state: None):
    """Wait until `container` is well; raises Unhealthy after `check["start_period"]` seconds.

    `check`: {"start_period": s, "host", "port", "http": path, "command": argv}, all but the first
    optional; with "max_frame_age" the path's JSON tells frame_age_s. Docker's HEALTHCHECK counts
    too where the image has one.
    """
    deadline, said = time.monotonic() + check["start_period"], ""
    while True:
        problem = look(container, check)
        if not problem:
            return
        if problem != said:
            said = problem
            say(problem)
        if time.monotonic() > deadline:
            raise Unhealthy("not healthy within %d s: %s" % (check["start_period"], problem))
        time.sleep(POLL_SECONDS)


def settle(container, check, seconds):
    """Make sure it stays well; raises Unhealthy. What dies at once after it began is not well."""
    time.sleep(seconds)
    problem = look(container, check)
    if problem:
        raise Unhealthy("was healthy, then not: %s" % problem)


def look(container, check):
    """What is wrong with `container` now, or ''. Raises Unhealthy for one that has ended."""
    state = engine.inspect(container)["State"]
    if not state["Running"]:
        code, reason = state.get("ExitCode"), state.get("Error") or ""
        memory = " (out of memory)" if state.get("OOMKilled") else ""
        raise Unhealthy(
            ("the container ended with status %s%s %s" % (code, memory, reason)).strip()
        )
    docker_says = (state.get("Health") or {}).get("Status", "healthy")
    if docker_says != "healthy":
        return "Docker's health check says " + docker_says
    return _own_check(container, check)


def _own_check(container, check):
    if check.get("command"):
        return _command(container, check["command"])
    if check.get("http"):
        return _http(check["host"], check["port"], check["http"], check.get("max_frame_age"))
    if check.get("port"):
        return _port(check["host"], check["port"])
    return ""


def _http(host, port, path, max_frame_age):
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        status, body = answer.status, answer.read(65536)
    except (OSError, http.client.HTTPException) as error:
        return "GET %s: %s" % (path, error)
    finally:
        connection.close()
    if not 200 <= status < 400:
        return "GET %s: status %d" % (path, status)
    return _stale(body, max_frame_age) if max_frame_age else ""


def _stale(body, most):
    """What is wrong with the age of the newest frame, {"frame_age_s": seconds or null}."""
    try:
        age = json.loads(body)["frame_age_s"]
    except (ValueError, KeyError, TypeError):
        return "its health does not tell frame_age_s"
    if not isinstance(age, (int, float)):
        return "no frame yet"
    return "" if age <= most else "the newest frame is %.1f s old" % age


def _port(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        return "port %d: %s" % (port, error)
    return ""


def _command(container, command):
    order = {"Cmd": command, "AttachStdout": False, "AttachStderr": False}
    job = engine.call("POST", "/containers/%s/exec" % container, order)["Id"]
    engine.call("POST", "/exec/%s/start" % job, {"Detach": True})
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = engine.call("GET", "/exec/%s/json" % job)
        if not state["Running"]:
            code = state["ExitCode"]
            return "" if code == 0 else "%s: exit status %d" % (command[0], code)
        time.sleep(POLL_SECONDS)
    return "%s: no end within 30 s" % command[0]
