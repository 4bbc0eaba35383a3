"""Put a new container of a model in the place of the old one, or leave the old one serving.

The order of things makes any death harmless. Until `commit` is in the journal the old container is
the one that comes back with the engine (`restart: always`) and a recovery reverts to it; after
`commit` a recovery finishes the new one. The engine's own restart policies agree with the journal
at every step, so that a power cut needs nobody.
"""

import contextlib
import json
import time

import engine
import health
import home
import settings
from journal import Journal, detached

# In this order. A test kills the program before and after each of them.
STEPS = ("pull", "create", "stop-old", "start", "healthy", "commit", "promote", "retire", "done")
SETTLE_SECONDS = 2.0


def main(arguments):
    """Read an order, start the swap in the background, say where to follow."""
    order = home.order(arguments)
    journal = Journal(home.model(order["model"]))
    lock = journal.try_lock()
    if lock is None:
        print(json.dumps({"error": "another swap of %s is under way" % order["model"]}))
        return 1
    if not journal.finished():
        recover(journal)
    order["old"] = [found["Id"] for found in ours(order["model"])]
    journal.begin(order)
    detached(lambda: run(journal))
    print(json.dumps({"folder": str(journal.folder), "job": order["id"]}))
    return 0


def ours(model):
    """The containers of `model` that EVC made; it touches no others."""
    return engine.containers("evc.model=" + model)


def run(journal):
    """Do the order of a begun journal; on failure the old container serves again."""
    order = journal.steps()["begin"]["order"]
    try:
        container = _create(journal, order, _pull(journal, order))
        _replace(journal, order, container)
    except (engine.EngineError, health.Unhealthy, OSError, ValueError) as error:
        if getattr(error, "status", None) == 0:
            return  # the engine is gone: the watcher recovers when it is back
        tail = engine.logs(order["container"]["name"])
        _revert(journal, order, str(error), tail)
        return
    _finish(journal, order, container)


def pull(arguments):
    """Read an order and fetch its previous image, so that a rollback finds it."""
    order = home.order(arguments)
    journal = Journal(home.HOME / "pulls" / order["model"])
    lock = journal.try_lock()
    if lock is None:
        print(json.dumps({"error": "another pull for %s is under way" % order["model"]}))
        return 1
    journal.begin(order)
    detached(lambda: _pull_previous(journal, order))
    print(json.dumps({"folder": str(journal.folder), "job": order["id"]}))
    return 0


def _pull_previous(journal, order):
    try:
        _fetch(journal, order, order["previous"])
    except engine.EngineError as error:
        journal.step("failed", reason=str(error))
    else:
        journal.step("done")


def _fetch(journal, order, image):
    """Pull by digest, from the registry or from where EVC's SSH connection puts it here."""
    name = "%s/%s@%s" % (order["registry"], image["repository"], image["digest"])
    for done, total in pull_progress(engine.pull(name, home.login(order["login"]))):
        journal.progress("pull", done=done, total=total)


def _pull(journal, order):
    """The image's id; it is pulled unless it is here already, wherever it came from."""
    wanted = order["image"]
    if engine.image_by_digest(wanted["digest"]) is None:
        _fetch(journal, order, wanted)
    found = engine.image_by_digest(wanted["digest"])
    if found is None:
        raise ValueError("the image %s is not there after its pull" % wanted["digest"])
    if found["Architecture"] != order["architecture"]:
        reason = "the image is for %s, this node needs %s"
        raise ValueError(reason % (found["Architecture"], order["architecture"]))
    journal.step("pull", image=found["Id"])
    return found["Id"]


def pull_progress(events):
    """Yield (bytes done, bytes known) of an engine's pull or push, at most five times a second."""
    layers, said = {}, 0.0
    for event in events:
        detail, layer = event.get("progressDetail") or {}, event.get("id")
        if layer and detail.get("total"):
            phase = 1 if event.get("status") == "Extracting" else 0
            layers.setdefault(layer, [0, 0, detail["total"]])[phase] = detail.get("current", 0)
        if layers and time.monotonic() - said > 0.2:
            said = time.monotonic()
            # Downloading and unpacking each count as half of a layer's way.
            done = sum(max(part[0], part[1]) + part[1] for part in layers.values()) // 2
            yield done, sum(part[2] for part in layers.values())


def _create(journal, order, image):
    _remove_leftovers(order)
    settings.fill(order, image)
    config = dict(order["container"]["config"], Image=image)
    container = engine.create(order["container"]["name"], config)
    journal.step("create", container=container)
    return container


def _remove_leftovers(order):
    """A stopped container of ours with the new one's name is what an earlier try left."""
    for found in ours(order["model"]):
        if "/" + order["container"]["name"] in found["Names"]:
            engine.remove(found["Id"])


def _replace(journal, order, container):
    for old in order["old"]:
        engine.stop(old)
    journal.step("stop-old", old=order["old"])
    engine.start(container)
    journal.step("start")
    health.wait(container, order["health"], lambda state: journal.progress("start", health=state))
    health.settle(container, order["health"], SETTLE_SECONDS)
    journal.step("healthy")
    journal.step("commit")


def _finish(journal, order, container):
    """The new one is right: make it the one that comes back, then the old one no longer."""
    engine.restart_policy(container, "always")
    journal.step("promote")
    for old in order["old"]:
        with contextlib.suppress(engine.EngineError):
            engine.restart_policy(old, "no")
        engine.remove(old)
    engine.start(container)
    _remember(order)
    settings.prune(order["model"])
    journal.step("retire")
    journal.step("done", container=container)


def _revert(journal, order, reason, logs):
    """The old one is right: remove the new one and start the old again."""
    for found in ours(order["model"]):
        if found["Id"] not in order["old"]:
            engine.remove(found["Id"])
    serving = [old for old in order["old"] if _serve_again(old)]
    settings.prune(order["model"])
    journal.step("reverted", reason=reason, logs=logs[-8000:], serving=bool(serving))


def _serve_again(container):
    """Start an old container; False when it cannot (its port was taken, it was removed)."""
    try:
        engine.restart_policy(container, "always")
        engine.start(container)
    except engine.EngineError as error:
        if error.status == 0:
            raise
        return False
    return True


def recover(journal):
    """Bring an unfinished swap to its end; raises EngineError while the engine is away."""
    steps = journal.steps()
    order = steps["begin"]["order"]
    if "commit" not in steps:
        reason = "the swap was interrupted after %r" % list(steps)[-1]
        _revert(journal, order, reason, engine.logs(order["container"]["name"]))
        return
    container = steps["create"]["container"]
    for old in order["old"]:
        engine.stop(old)  # it may have come back with the engine and hold the port
    _finish(journal, order, container)


def recover_quietly(journal):
    """As `recover`, for those who try again soon."""
    with contextlib.suppress(engine.EngineError):
        recover(journal)


def _remember(order):
    """Keep the order that serves now: what it was, for the node itself and for a look by hand."""
    draft = home.model(order["model"]) / "current.draft"
    draft.write_text(json.dumps(order, indent=1))
    draft.replace(home.model(order["model"]) / "current.json")
