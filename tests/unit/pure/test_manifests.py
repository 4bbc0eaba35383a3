import json

import pytest

from evc.pure import manifests
from evc.pure.errors import EvcError
from evc.pure.manifests import IMAGES, INDEXES, Layer, Platform

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")


def image(**changes: object) -> bytes:
    """A manifest as `docker push` writes it."""
    entry = {"mediaType": "x", "size": 10, "digest": A}
    plain = {"schemaVersion": 2, "config": entry, "layers": [{**entry, "size": 5, "digest": B}]}
    return json.dumps({**plain, **changes}).encode()


def index(*entries: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": entries}).encode()


def entry(digest: str, **platform: str) -> dict[str, object]:
    return {"mediaType": IMAGES[0], "size": 1, "digest": digest, "platform": platform}


def test_an_image_has_a_config_and_layers() -> None:
    found = manifests.manifest(image(), C, IMAGES[1])
    assert (found.digest, found.config, found.layers) == (C, Layer(A, 10), (Layer(B, 5),))
    assert found.size == 15


def test_an_index_has_platforms_by_evcs_names() -> None:
    body = index(
        entry(A, os="linux", architecture="arm64", variant="v8"),
        entry(B, os="linux", architecture="arm", variant="v7"),
        entry(C, os="unknown", architecture="unknown"),
    )
    found = manifests.manifest(body, C, INDEXES[0])
    assert found.platforms == (Platform("arm64", A), Platform("armv7", B))
    assert found.config is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"[" * 100_000,
        b"\xff\xfe",
        image(config={"digest": "sha256:../x", "size": 1}),
        image(layers=[{"digest": "../../etc/shadow", "size": 1}]),
        image(layers=[{"digest": A, "size": -1}]),
        image(layers=[{"digest": A, "size": 2**60}]),
        image(layers=[{"digest": A, "size": "1"}]),
        image(layers=[{"digest": A, "size": float("nan")}]),
        image(layers=[{"digest": A, "size": True}]),
        image(layers=[{"digest": A, "size": 1}] * 1001),
        image(mediaType=INDEXES[0]),
        image(manifests=[]),
    ],
)
def test_a_strange_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(EvcError):
        manifests.manifest(body, C, IMAGES[0])


def test_a_type_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(EvcError, match="text/html"):
        manifests.manifest(b"<html>", C, "text/html")


def test_a_config_with_a_strange_architecture_is_refused() -> None:
    with pytest.raises(EvcError):
        manifests.read(b'{"os": "linux", "architecture": "amd64\\u001b[31m"}', manifests.Config)
