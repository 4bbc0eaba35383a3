"""What a container gets besides its image: files of settings, in a volume of the node's engine.

The files come on stdin, wait in a private file for the swap, and end in the volume. They are no
part of an order, whose journal is kept and sent.
"""

import contextlib
import io
import json
import tarfile

import engine
import home


def main(arguments):
    """Keep files for the next swap of a model: {"model", "volume", "files": {path: text}}."""
    order = home.order(arguments)
    path = _waiting(order["model"])
    path.parent.mkdir(parents=True, exist_ok=True)
    home.replace(path, json.dumps(order).encode())
    return 0


def fill(order, image):
    """Make the volumes of a swap's order, and fill those that files wait for."""
    volumes = order.get("volumes", [])
    if not volumes:
        return
    for one in volumes:
        labels = {"evc.model": order["model"], "evc.volume": one["kind"]}
        engine.call("POST", "/volumes/create", {"Name": one["name"], "Labels": labels})
    container = engine.create("evc-fill-" + order["id"], _filler(order, image, volumes))
    try:
        engine.put_archive(container, _archive(volumes, _files(order["model"])))
    finally:
        engine.remove(container)
    _forget(order["model"])


def prune(model):
    """Remove settings that no container of `model` has any more, and files that still wait.

    A filler whose program was killed holds an old secret's volume: it goes first. Housekeeping:
    what the engine refuses now goes after the next swap.
    """
    _forget(model)
    with contextlib.suppress(engine.EngineError):
        for one in engine.containers("evc.filler=" + model):
            engine.remove(one["Id"])
        for one in engine.volumes("evc.model=" + model):
            if one["Labels"].get("evc.volume") == "settings":
                engine.remove_volume(one["Name"])


def _forget(model):
    with contextlib.suppress(FileNotFoundError):
        _waiting(model).unlink()


def _waiting(model):
    return home.HOME / "models" / model / "settings.json"


def _files(model):
    """Volume → its files."""
    try:
        order = json.loads(_waiting(model).read_text())
    except FileNotFoundError:
        return {}
    return {order["volume"]: order["files"]}


def _filler(order, image, volumes):
    """A container that never starts: the engine unpacks into its volumes all the same."""
    mounts = [{"Type": "volume", "Source": one["name"], "Target": one["target"],
               "VolumeOptions": {"NoCopy": True}} for one in volumes]  # fmt: skip
    return {
        "Image": image,
        "Cmd": ["none"],
        "Entrypoint": [],
        "Labels": {"evc.filler": order["model"]},
        "HostConfig": {"Mounts": mounts, "NetworkMode": "none"},
    }


def _archive(volumes, files):
    """A tar from `/` with the volumes' folders and files, each for its owner alone."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for one in volumes:
            root = one["target"].strip("/")
            _folder(tar, root, one["owner"], 0o500 if one["kind"] == "settings" else 0o700)
            content = files.get(one["name"], {})
            for folder in sorted({path.split("/")[0] for path in content}):
                _folder(tar, root + "/" + folder, one["owner"], 0o500)
            for path, text in sorted(content.items()):
                _file(tar, root + "/" + path, one["owner"], text.encode())
    return data.getvalue()


def _folder(tar, name, owner, mode):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
    tar.addfile(info)


def _file(tar, name, owner, content):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid, info.gid = len(content), 0o400, owner, owner
    tar.addfile(info, io.BytesIO(content))
