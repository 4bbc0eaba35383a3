"""Proxies, CA and mirrors for builds: what the Dockerfile gets, and what must not show."""

from __future__ import annotations

import pytest

from evc.pure import network, schema
from evc.pure.config import ServerConfig
from evc.pure.errors import BadFile
from evc.pure.network import Settings

SENTINEL = "sEntInel"
MIRROR = f"http://u:{SENTINEL}@mirror.example.net"
ALL = Settings(
    http_proxy=f"http://u:{SENTINEL}@proxy.example.net:3128",
    no_proxy="localhost",
    ca="-----BEGIN CERTIFICATE-----\n",
    apt_mirror=MIRROR,
    pip_index=f"http://u:{SENTINEL}@pip.example.net/simple",
)
DOCKERFILE = """\
# RUN comment
FROM python AS base
RUN apt-get update \\
 # RUN inside
 && apt-get install -y sudo
RUN pip install x
FROM base
run sed -i s/a/b/ /etc/apt/sources.list && apt update
COPY . /app
"""


def server(text: str) -> ServerConfig:
    return schema.read(text, "ServerConfig.yaml", ServerConfig)


def test_nothing_given_changes_nothing() -> None:
    assert network.dockerfile(DOCKERFILE, network.NONE) == DOCKERFILE
    assert network.NONE.environment == network.NONE.secrets == {}
    only_proxy = Settings(http_proxy="http://proxy.example.net:3128")
    assert network.dockerfile(DOCKERFILE, only_proxy) == DOCKERFILE


def test_run_lines_get_what_they_need_and_no_text_of_it() -> None:
    found = network.dockerfile(DOCKERFILE, ALL)
    assert SENTINEL not in found and "example.net" not in found
    lines = found.splitlines()
    apt, pip = (next(one for one in lines if word in one) for word in ("apt-get upd", "pip ins"))
    assert "id=evc-apt" in apt and "from=evc-apt-1,source=/evc-apt/sources.list," in apt
    assert "target=/etc/ssl/certs" not in apt, "installing ca-certificates would fail"
    assert "id=evc-pip" in pip and "target=/etc/ssl/certs" in pip and "from=" not in pip
    own = next(one for one in lines if "sed -i s/a/b/" in one)
    assert "from=evc-apt" not in own, "it changes the list itself"
    assert lines[0] == "# RUN comment" and " # RUN inside" in lines
    assert lines[-2:] == [own, "COPY . /app"]


def test_a_stage_makes_the_list_of_each_base_once() -> None:
    found = network.dockerfile(DOCKERFILE, Settings(apt_mirror=MIRROR))
    assert found.count("FROM python AS evc-apt-1\n") == 1
    assert found.index("AS evc-apt-1") < found.index("FROM python AS base")
    assert "FROM base AS" not in found
    other = network.dockerfile(DOCKERFILE, Settings(apt_mirror="http://other.example.net"))
    assert other != found, "another mirror is another build"
    without = network.dockerfile("FROM python\nRUN pip install x\n", Settings(apt_mirror=MIRROR))
    assert without == "FROM python\nRUN pip install x\n"


def test_pip_and_the_environment() -> None:
    assert ALL.secrets["evc-pip"].splitlines() == [
        "[global]",
        f"index-url = http://u:{SENTINEL}@pip.example.net/simple",
        "trusted-host = pip.example.net",
        "cert = /run/secrets/evc-ca",
    ]
    assert ALL.environment["HTTP_PROXY"] == ALL.environment["http_proxy"] == ALL.http_proxy
    assert "https_proxy" not in ALL.environment and ALL.environment["NO_PROXY"] == "localhost"
    assert SENTINEL not in repr(ALL)


@pytest.mark.parametrize(
    ("line", "keeps"),
    [
        ("ARG HTTP_PROXY", True),
        (" env https_proxy=http://x", True),
        ("ARG VERSION", False),
        ("RUN echo ARG http_proxy", False),
    ],
)
def test_a_dockerfile_that_would_keep_the_proxy(line: str, keeps: bool) -> None:
    assert network.keeps_proxy(f"FROM python\n{line}\n") is keeps


def test_the_keys_of_the_fleets_file() -> None:
    found = server(
        "network:\n  http_proxy: http://proxy.example.net:3128/\n  https_proxy: file:certs/proxy\n"
        "  no_proxy: localhost, 192.0.2.0/24\n  pip_index: https://pip.example.net/simple\n"
    ).network
    assert found.http_proxy == "http://proxy.example.net:3128"
    assert found.https_proxy == "file:certs/proxy"
    assert found.no_proxy == ["localhost", "192.0.2.0/24"]


@pytest.mark.parametrize(
    "value",
    [f"http://u:{SENTINEL}@proxy.example.net", f"ftp://x/{SENTINEL}", f"http://a;{SENTINEL}#",
     f"http://x/$({SENTINEL})", "file:"],
)  # fmt: skip
def test_a_password_or_another_scheme_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(BadFile) as caught:
        server(f"network:\n  http_proxy: {value!r}")
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (2, "network.http_proxy")
    assert SENTINEL not in str(caught.value)
