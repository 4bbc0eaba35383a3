"""Build, test, push and verify one image on a builder, as a journalled job.

The build itself is Docker's own client with BuildKit; all else goes over the engine's socket.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import context as contexts
import engine
import health
import home
import prune
import swap
from journal import Journal, detached

STEPS = ("unpack", "base", "build", "test", "push", "verify", "done")


class BuildError(Exception):
    """A step went wrong; the message says what."""


def main(arguments):
    """Read an order, start the build in the background, say where to follow."""
    order = home.order(arguments)
    journal = Journal(folder(order["id"]))
    lock = journal.try_lock()
    if lock is None:
        print(json.dumps({"error": "this build is under way already"}))
        return 1
    journal.begin(order)
    detached(lambda: run(journal))
    print(json.dumps({"folder": str(journal.folder), "job": order["id"]}))
    return 0


def folder(job):
    return home.HOME / "builds" / job


def run(journal):
    """Do the order of a begun journal; every failure is its last line."""
    order = journal.steps()["begin"]["order"]
    context = journal.folder / "context"
    try:
        _unpack(journal, order, context)
        _pull_bases(journal, order)
        _build(journal, order, context)
        _test(journal, order)
        _push(journal, order)
        prune.builds()
        _verify(journal, order)
    except (BuildError, engine.EngineError, health.Unhealthy, OSError) as error:
        journal.step("failed", reason=str(error), at=_next(journal))
    finally:
        shutil.rmtree(str(context), ignore_errors=True)


def _next(journal):
    """The step that was under way."""
    reached = journal.steps()
    return next(step for step in STEPS if step not in reached)


def _unpack(journal, order, context):
    shutil.rmtree(str(context), ignore_errors=True)
    context.mkdir(parents=True)
    for part in order["parts"]:
        contexts.use(part)
        _extract(contexts.parts() / part, context)
    (context / "Dockerfile").write_text(order["dockerfile"])
    journal.step("unpack")


def _extract(part, context):
    """What the disk lost of a part, as a power cut may, is no part: it comes again."""
    try:
        with tarfile.open(str(part)) as archive:
            if not archive.getmembers():
                raise tarfile.ReadError("empty")
            archive.extractall(str(context))  # made by the controller from files it checked
    except tarfile.TarError as error:
        part.unlink()
        why = "%s is damaged (%s); the next build brings it again" % (part.name, error)
        raise BuildError(why) from None


def _pull_bases(journal, order):
    """By the engine, which reads a registry's CA at each pull; its BuildKit only at its start."""
    for base in order["bases"]:
        if engine.image(base) is None:
            journal.progress("base", line="pulling " + base)
            for _ in engine.pull(base, _login(order, base)):
                pass
    journal.step("base")


def _login(order, name):
    """The login for where an image is; a registry that is lent keeps its own."""
    host = name.split("/")[0]
    return home.login(order["logins"].get(host, host))


def _build(journal, order, context):
    client, environment = _client()
    command = [*client, "--progress=plain", "--tag", order["tag"], "--file", "Dockerfile"]
    command += ["--platform", order["platform"]]
    network = _network()
    environment.update(network["environment"])
    for name in sorted(network["environment"]):
        command += ["--build-arg", name]  # the client takes its value from the environment
    for key, value in sorted(order["labels"].items()):
        command += ["--label", "%s=%s" % (key, value)]
    for name, value in sorted(order["arguments"].items()):
        command += ["--build-arg", "%s=%s" % (name, value)]
    with _secrets(journal.folder / "secrets", network["secrets"]) as arguments:
        _output(journal, "build", [*command, *arguments, "."], context, environment)
    made = engine.image(order["tag"])["Architecture"]
    if made != order["architecture"]:
        raise BuildError("the Dockerfile makes an image for %s, not for %s; which `FROM` says so?"
                         % (made, order["architecture"]))  # fmt: skip
    journal.step("build")


def _network():
    """Proxies for the build's steps, and what they get mounted; neither stays in the image."""
    try:
        return json.loads((home.HOME / "network.json").read_text())
    except OSError:
        return {"environment": {}, "secrets": {}}


@contextlib.contextmanager
def _secrets(folder, texts):
    """Texts as private files for the time of a build: the client's arguments that name them."""
    shutil.rmtree(str(folder), ignore_errors=True)
    folder.mkdir(mode=0o700)
    arguments = []
    try:
        for name, text in sorted(texts.items()):
            (folder / name).write_text(text)
            arguments += ["--secret", "id=%s,src=%s" % (name, folder / name)]
        yield arguments
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)


def _client():
    """The `build` command of a Docker client with BuildKit, and its environment."""
    environment = dict(os.environ, DOCKER_CONFIG=str(home.DOCKER_CONFIG), DOCKER_BUILDKIT="1")
    for client in dict.fromkeys([shutil.which("docker"), "/usr/bin/docker"]):
        if client and _speaks_buildkit(client, environment):
            return [client, "build"], environment
    raise BuildError("no Docker client with BuildKit here: install docker-buildx-plugin")


def _speaks_buildkit(client, environment):
    """Clients before 23 carry BuildKit, newer ones need the buildx plugin."""
    ask = [client, "version", "--format", "{{.Client.Version}}"]
    answer = subprocess.run(ask, stdout=subprocess.PIPE, env=environment, check=False)
    major = answer.stdout.decode().split(".")[0]
    if major.isdigit() and int(major) < 23:
        return True
    ask = [client, "buildx", "version"]
    return subprocess.run(ask, stdout=-3, stderr=-3, env=environment, check=False).returncode == 0


def _output(journal, step, command, folder, environment):
    """Run a command, its output going to the journal line by line; raises BuildError."""
    process = subprocess.Popen(
        command,
        cwd=str(folder),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    for line in process.stdout:
        journal.progress(step, line=line.decode("utf-8", "replace").rstrip()[:2000])
    if process.wait():
        raise BuildError("%s ended with status %d" % (Path(command[0]).name, process.returncode))


def _test(journal, order):
    """The project's tests run in the fresh image, then it must serve; both as hardened as later."""
    if order["test"]["command"]:
        _run_tests(journal, order)
    _serve_once(journal, order)
    journal.step("test")


@contextlib.contextmanager
def _trial(order, **more):
    """A container of the fresh image for a while; those of killed builds go before it."""
    for left in engine.containers("evc.trial"):
        job = left["Labels"]["evc.trial"]
        if job == order["id"] or Journal(folder(job)).try_lock():
            engine.remove(left["Id"])
    labels = {"evc.trial": order["id"]}
    config = dict(order["test"]["config"], Image=order["tag"], Labels=labels, **more)
    container = engine.create("evc-trial-%s" % order["id"], config)
    try:
        engine.start(container)
        yield container
    finally:
        engine.remove(container)


def _run_tests(journal, order):
    with _trial(order, Cmd=order["test"]["command"]) as container:
        status = engine.wait_exit(container, 900)
        for line in engine.logs(container, 200).splitlines():
            journal.progress("test", line=line[:2000])
    if status:
        raise BuildError("the project's tests ended with status %d" % status)


def _serve_once(journal, order):
    with _trial(order) as container:
        address = engine.inspect(container)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        check = dict(order["test"]["health"], host=address)
        try:
            health.wait(container, check, lambda state: journal.progress("test", line=state))
            health.settle(container, check, swap.SETTLE_SECONDS)
        except health.Unhealthy:
            for line in engine.logs(container).splitlines():
                journal.progress("test", line=line[:2000])
            raise


def _push(journal, order):
    repository, tag = order["tag"].rsplit(":", 1)
    for event in engine.push(repository, tag, _login(order, repository)):
        said = event.get("status", "")
        if event.get("id") and said in ("Pushed", "Layer already exists", "Mounted from"):
            journal.progress("push", line="%s: %s" % (event["id"], said))
        if (event.get("aux") or {}).get("Digest"):
            journal.step("push", digest=event["aux"]["Digest"])
    if "push" not in journal.steps():
        raise BuildError("the registry gave no digest for the push")


def _verify(journal, order):
    """Pull back by digest from the side that the nodes pull from."""
    digest = journal.steps()["push"]["digest"]
    image = "%s@%s" % (order["pull_repository"], digest)
    for _ in engine.pull(image, _login(order, image)):
        pass
    found = engine.image(image)
    journal.step("verify", image=image)
    journal.step(
        "done",
        digest=digest,
        size=found["Size"],
        architecture=found["Architecture"],
    )
