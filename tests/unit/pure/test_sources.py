"""Where projects may come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evc.pure import sources
from evc.pure.errors import BadInput, Exit
from evc.pure.sources import Source

HOST = "https://git.example.net"


@pytest.mark.parametrize(
    "path",
    [".", "..", "a", "./-a", "/x/y", "a b", "모델", "a#b", "./a:b", "x/https://y", "~/m", "@"],
)
def test_folders(path: str) -> None:
    assert sources.parse(path) == Source(path=path)


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/shop/detector",
        f"{HOST}:8443/shop/detector.git/",
        "https://192.0.2.1/a",
        "https://[2001:db8::1]:8443/a",
        f"{HOST}/~user/a%20b/c+d,e=f",
        f"{HOST}/모델/탐지",
        "ssh://git@git.example.net:2222/a/b.git",
        "ssh://git.example.net/~user/a",
        "git@git.example.net:a/b.git",
        "APKA_X.1@git.example.net:/srv/a",
        "git@[2001:db8::1]:a",
    ],
)
@pytest.mark.parametrize(
    "ref", ["", "main", "v1.10", "feature/a-b", "1.0+abc", "0" * 40, "refs/tags/v1", "a@b", "기능"]
)
def test_urls_with_and_without_a_ref(url: str, ref: str) -> None:
    assert sources.parse(f"{url}#{ref}" if ref else url) == Source(url=url, ref=ref)


@pytest.mark.parametrize(
    "text",
    [
        "", "-x", "--upload-pack=touch x", "-oProxyCommand=x", "a\0b", "a\nb", "\x1b[2J",
        "x" * 4097,
        "ext::sh -c touch% x", "fd::17", "transport-helper::address", "EXT::x",
        "file:///etc", "file:/etc", "http://h/a", "git://h/a", "ftp://h/a", "HTTPS://h/a",
        "git+ssh://h/a", "://h/a", "C:\\model", "host:path", "::", "user@:a", "@h:a", "-u@h:a",
        "https://", "https://h", "https://h/", "https:///a", "https://h:0/a", "https://h:x/a",
        "https://h:/a", "https://h:65536/a", "https://-oProxyCommand=x/a", "ssh://-oX/a",
        "ssh://%2DoProxyCommand=x/a", "ssh://u;id@h/a", "ssh://-l@h/a", "ssh://u:pw@h/a",
        "git@-oProxyCommand=x:a", "git@h:-x", "git@h:a;id", "git@h:$(id)", "git@h:`id`",
        "git@h:a b",
        f"{HOST}/a?token=x", f"{HOST}/a%0aHost:x", f"{HOST}/a%00", f"{HOST}/a b", f"{HOST}/a'b",
        f"{HOST}/-x", f"{HOST}/a|b", f"{HOST}/a\\b", "https://h_x/a", "https://[h]x/a",
        "https://[fe80::1%25eth0]/a",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        sources.parse(text)
    assert caught.value.code == Exit.BAD_INPUT and caught.value.remedy
    assert caught.value.message.isprintable() and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.0.1", "[fe80::1]", "[febf::1]", "[fd00:ec2::254]",
        "metadata.google.internal", "METADATA.google.internal", "metadata", "100.100.100.200",
        "2852039166", "0xa9fea9fe", "0xA9.0xFE.0xA9.0xFE", "0251.0376.0251.0376", "169.254.43518",
        "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[::a9fe:a9fe]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("url", ["https://{0}/a", "ssh://git@{0}:22/a", "git@{0}:a"])
def test_a_machines_own_metadata_is_no_project(host: str, url: str) -> None:
    with pytest.raises(BadInput, match=r"metadata|as usually written"):
        sources.parse(url.format(host))


@pytest.mark.parametrize(
    "ref",
    [
        "", "-x", "--help", "--upload-pack=x", "a..b", ";id", "a b", "@{", "a@{1}", "@", "a^",
        "a~1",
        "a:b", "+a", "a*", "a?", "[a]", "a\\b", "a.", "a.lock", ".a", "a/.b", "a//b", "/a", "a/",
        "a" * 201, "$(id)", "`id`", "a#b",
    ],
)  # fmt: skip
def test_refused_refs(ref: str) -> None:
    with pytest.raises(BadInput) as caught:
        sources.parse(f"{HOST}/a#{ref}")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text",
    [
        "https://user:SENTINEL@h/a", "https://SENTINEL@h/a", "https://user:SENTINEL@h:x/a",
        "https://a:SENTINEL/b@h/c", "https://u:p/SENTINEL@h/a", "ssh://u:SENTINEL@h/a",
        "http://u:SENTINEL@h/a", "ext::SENTINEL", "git@h:SENTINEL@x", "https://h/?t=SENTINEL",
        "https://169.254.1.1/SENTINEL", "https://x:SENTINEL@[fe80::1]/a",
    ],
)  # fmt: skip
def test_a_refusal_repeats_no_credentials(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        sources.parse(text)
    assert "SENTINEL" not in str(caught.value)


def test_a_helper_is_called_by_its_name() -> None:
    with pytest.raises(BadInput, match="helpers run programs"):
        sources.parse("ext::sh -c touch% x")


@given(st.text(st.sampled_from("ahx1-@:/#.[]%;~ \n\0") | st.characters(), max_size=40))
def test_any_text_is_a_source_or_bad_input(text: str) -> None:
    try:
        found = sources.parse(text)
    except BadInput:
        return
    assert bool(found.path) != bool(found.url)
    assert not found.url.startswith("-") and not found.ref.startswith("-")
