"""Images for several platforms: variants by the nodes' facts, and a real arm64 one, emulated."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Home

from evc.doors import docker as engine
from evc.doors import system

pytestmark = pytest.mark.fleet

L4T = "/etc/nv_tegra_release"
DOCKERFILE = """FROM busybox:1
ARG WORD=plain
RUN ["/bin/busybox", "sh", "-c", "mkdir /srv; cd /srv; uname -m > machine; echo $WORD > word; \
echo ok > health; test $WORD != broken"]
CMD ["/bin/busybox", "httpd", "-f", "-p", "8090", "-h", "/srv"]
"""
CONFIG = """model_name: many
version: 1
group: [lab]
platforms:
  amd64-l4t36: {on: l4t=36.*, args: {WORD: WHICH}}
serve: {port: 8090, health: /health, start_period: 15}
resources: {memory: 64M}
tests: {command: [/bin/busybox, sh, -c, 'test "$(cat /srv/machine)" = "$(uname -m)"']}
"""


@pytest.fixture(scope="module", autouse=True)
def emulation() -> None:
    """What `make test` installs."""
    assert "arm64" in system.emulated(), "it cannot emulate arm64: evc doctor --fix --emulate"


@pytest.fixture(scope="module")
def bases(home: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A base image for each architecture, under one name: a static busybox of Debian's."""
    home.register()
    for platform in ("amd64", "arm64"):
        archive = _busybox(tmp_path_factory.mktemp(platform), platform)
        name = f"evc-{home.fleet.id}-busybox:{platform}"
        engine.import_foreign_root(engine.connect(), archive, name, f"linux/{platform}")
        try:
            home.evc("registry", "import", name, "--as", "busybox:1", "--platform", platform)
        finally:
            home.engine.images.remove(name)


def _busybox(folder: Path, platform: str) -> Path:
    """A root file system with nothing but it, by apt with lists and settings of its own."""
    (folder / "lists" / "partial").mkdir(parents=True)
    own = {
        "APT::Architecture": platform,
        "APT::Architectures::": platform,
        "Dir::State::Lists": str(folder / "lists"),
        "Dir::State::status": "/dev/null",
        "Dir::Cache": str(folder),
        "APT::Sandbox::User": "root",
    }
    options = [word for key, value in own.items() for word in ("-o", f"{key}={value}")]
    for command in (["update"], ["download", "busybox-static"]):
        subprocess.run(["apt-get", "-q", *options, *command], cwd=folder, check=True)
    (package,) = folder.glob("busybox-static*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True)
    (program,) = (folder / "root").glob("**/bin/busybox")
    with tarfile.open(folder / "root.tar", "w") as archive:
        archive.add(program, "bin/busybox")
    return folder / "root.tar"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "myEVCconfig.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def jetson(home: Home) -> Iterator[str]:
    """A node that a test may make a Jetson."""
    yield "edge02"
    home.on("edge02", "rm", "-f", L4T)


@pytest.mark.usefixtures("bases")
def test_a_node_gets_its_variant_and_only_what_differs_is_another_release(
    home: Home, project: Path, jetson: str
) -> None:
    config = project / "myEVCconfig.yaml"
    first = home.json("run", str(project), "--on", f"edge01,{jetson}")
    assert _words(home) == {"edge01": "plain", "edge02": "plain"}
    home.on(jetson, "sh", "-c", f"echo '# R36 (release), REVISION: 3.0, GCID: 0' > {L4T}")

    again = home.json("run", str(project), "--on", f"edge01,{jetson}")

    assert home.json("node", "show", jetson)["facts"]["l4t"] == "36.3.0", "it was asked first"
    assert again["release"] == first["release"], "it gained a platform"
    assert _words(home) == {"edge01": "plain", "edge02": "WHICH"}
    assert again["nodes"]["edge01"]["outcome"] == "nothing"
    before = _images(home)
    config.write_text(CONFIG.replace("WHICH", "other").replace("36.*", "37.*"))
    same = home.json("run", str(project), "--on", "edge01")
    assert (same["outcome"], same["release"]) == ("nothing", first["release"])
    config.write_text(CONFIG.replace("WHICH", "other"))
    other = home.json("run", str(project), "--on", jetson)
    assert other["release"] != first["release"]
    assert _words(home) == {"edge01": "plain", "edge02": "other"}
    assert _images(home)[first["release"]] == before[first["release"]]
    config.write_text(CONFIG.replace("WHICH", "broken"))
    partial = home.json("run", str(project), "--on", f"edge01,{jetson}", code=3)
    well = {name: one["outcome"] for name, one in partial["nodes"].items()}
    assert well == {"edge01": "done", "edge02": "failed"}, "only those whose build failed"
    assert _words(home) == {"edge01": "plain", "edge02": "other"}


@pytest.mark.usefixtures("bases")
def test_a_release_gains_arm64_by_emulation_when_asked(home: Home, project: Path) -> None:
    config = project / "myEVCconfig.yaml"
    config.write_text(CONFIG.replace("version: 1", "version: 2"))
    built = home.json("model", "build", str(project), "--platform", "amd64")
    release = f"many:{built['release']}"
    refused = home.evc("model", "build", release, "--platform", "arm64", code=1)
    assert "no builder for arm64" in refused.stderr and "--emulate: builder01" in refused.stderr

    more = home.json("model", "build", release, "--platform", "arm64", "--emulate")

    assert (more["release"], more["built"]) == (built["release"], ["arm64"])
    assert more["images"]["amd64"] == built["images"]["amd64"]
    stored = {one["digest"]: one["architecture"] for one in home.json("registry", "list")}
    assert stored[more["images"]["arm64"]] == "arm64"
    again = home.json("model", "build", release, "--platform", "arm64", "--emulate")
    assert (again["built"], again["images"]) == ([], more["images"])
    config.write_text(config.read_text().replace("64M", "65M"))
    refused = home.evc("model", "build", release, "--platform", "armv7", code=2)
    assert "is not what" in refused.stderr and "built from any more" in refused.stderr


@pytest.mark.usefixtures("bases")
def test_the_wrong_platform_is_refused_before_anything_is_done(home: Home, project: Path) -> None:
    config = project / "myEVCconfig.yaml"
    for version, platform in (("3", "amd64"), ("4", "arm64")):
        config.write_text(CONFIG.replace("version: 1", f"version: {version}"))
        home.evc("model", "build", str(project), "--platform", platform, "--emulate")
    home.evc("deploy", "many:3", "--on", "edge03")
    before = home.models("edge03", "many")
    refused = home.evc("deploy", "many:4", "--on", "edge03", code=1)
    assert "it needs an image for amd64" in refused.stderr
    assert "those for: arm64" in refused.stderr and "--platform amd64" in refused.stderr
    home.evc("sync", "--on", "edge03")  # its wish is the old one still
    assert home.models("edge03", "many") == before


def _words(home: Home) -> dict[str, str]:
    """What was built into the image that each node serves."""
    found = {node: home.models(node, "many")[0]["Id"] for node in ("edge01", "edge02")}
    command = ("docker", "exec")
    return {
        node: home.on(node, *command, one, "/bin/busybox", "cat", "/srv/word")
        for node, one in found.items()
    }


def _images(home: Home) -> dict[str, Any]:
    return {one["release"]: one["images"] for one in home.json("model", "show", "many")}
