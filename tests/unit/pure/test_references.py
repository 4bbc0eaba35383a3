import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from evc.pure import references
from evc.pure.errors import BadInput
from evc.pure.references import BadReference, HostPort, Reference

DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("python", ("", "python", "", "")),
        ("python:3.11-slim", ("", "python", "3.11-slim", "")),
        ("acme/eye:1", ("", "acme/eye", "1", "")),
        ("192.0.2.1:5443/x86_64-model:eye-1.0", ("192.0.2.1:5443", "x86_64-model", "eye-1.0", "")),
        (f"r.example:5443/a/b@{DIGEST}", ("r.example:5443", "a/b", "", DIGEST)),
        (f"ghcr.io/a/b:1@{DIGEST}", ("ghcr.io", "a/b", "1", DIGEST)),
        ("localhost/a", ("localhost", "a", "", "")),
        ("a__b/c-d.e", ("", "a__b/c-d.e", "", "")),
    ],
)
def test_reads_a_reference_and_writes_it_back(text: str, parts: tuple[str, ...]) -> None:
    found = references.parse(text)
    assert (found.registry, found.repository, found.tag, found.digest) == parts
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a;b",
        "a b",
        "a\n",
        "a:1\n",
        "a:" + "t" * 129,
        "A/b",
        "../a",
        "a/../b",
        "a//b",
        "/a",
        "a/",
        "a___b",
        "a:",
        "a@",
        "a:-1",
        "-a",
        "$(id)",
        "a" * 256,
        "r.example:0/a",
        "r.example:65536/a",
        "r.example:22 /a",
        "-r.example:1/a",
        "[2001:db8::1]:5443/a",
        "a@sha256:../x",
        "a@sha256:" + "0" * 63,
        "a@sha256:" + "0" * 65,
        "a@sha256:" + "G" * 64,
        "a@SHA256:" + "0" * 64,
        "a@sha512:" + "0" * 128,
        f"a@{DIGEST}\n",
        f"a@{DIGEST}@{DIGEST}",
    ],
)
def test_refuses_what_is_no_reference(text: str) -> None:
    with pytest.raises(BadReference):
        references.parse(text)


def test_takes_a_tag_of_128_characters() -> None:
    assert references.parse("a:" + "t" * 128).tag == "t" * 128


@given(st.text(max_size=80))
def test_any_text_is_refused_or_survives_unchanged(text: str) -> None:
    try:
        found = references.parse(text)
    except BadReference:
        return
    assert references.parse(str(found)) == found
    assert str(found) == text


def test_parts_are_checked_however_a_reference_is_made() -> None:
    with pytest.raises(BadReference):
        Reference("a;b")
    with pytest.raises(BadReference):
        Reference("a", tag="1;2")
    with pytest.raises(BadReference):
        Reference("a", digest="sha256:x")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("python:3.11-slim", "r:1/library/python:3.11-slim"),
        ("python", "r:1/library/python:latest"),
        ("acme/eye:1", "r:1/acme/eye:1"),
        ("docker.io/library/python:3", "r:1/library/python:3"),
        (f"python:3@{DIGEST}", "r:1/library/python:3"),
    ],
)
def test_base_images_are_stored_under_their_own_names(text: str, stored: str) -> None:
    assert str(references.stored_as(text, "r:1")) == stored


def test_an_image_without_a_tag_has_no_name_to_be_stored_under() -> None:
    with pytest.raises(BadInput, match="--as"):
        references.stored_as(f"python@{DIGEST}", "r:1")


def test_host_and_port() -> None:
    assert references.host_port("192.0.2.1:5443") == HostPort("192.0.2.1", 5443)
    assert str(references.host_port("r.example:1")) == "r.example:1"
    assert references.is_host_port("127.0.0.1:5000")
    for account in (None, "", "acme", "acme/eye", "r.example", "r.example:x", "::1:5000"):
        assert not references.is_host_port(account)


def test_schemas_can_use_the_checks() -> None:
    digests = TypeAdapter(references.Digest)
    assert digests.validate_python(DIGEST) == DIGEST
    with pytest.raises(ValidationError):
        digests.validate_python("sha256:../x")
