"""Take everything of EVC out of this node's engine: its containers, volumes and images."""

import json

import engine

# A model's container, what fills its volumes, and what tries an image out on a builder.
LABELS = ("evc.model", "evc.filler", "evc.trial")


def main(_arguments):
    """Remove the containers, volumes and images that EVC made; prints how many."""
    containers = [one for label in LABELS for one in engine.containers(label)]
    for found in containers:
        engine.remove(found["Id"])
    for volume in engine.volumes("evc.volume"):
        engine.remove_volume(volume["Name"])
    images = [one for one in engine.call("GET", "/images/json") if _ours(one)]
    for one in images:
        for name in [*(one.get("RepoTags") or []), *(one.get("RepoDigests") or [])]:
            engine.untag(name)
    print(json.dumps({"containers": len(containers), "images": len(images)}))
    return 0


def _ours(image):
    return "evc.image" in (image.get("Labels") or {})
