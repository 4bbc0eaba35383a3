"""The two files that users write, in the shapes the original's users have them."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from evc.pure import schema
from evc.pure.config import ProjectConfig, ServerConfig, unneeded
from evc.pure.errors import BadFile

ORIGINAL = Path(__file__).parent.parent / "data" / "original"
SAMPLE = Path(__file__).parent.parent.parent.parent / "ServerConfig.yaml"
PROJECT = "model_name: eye\nversion: 1.10\n"
Place = tuple[str, str, int]
MACHINE = "{{name: {0}, ip: {1}, port: {2}}}"


def server(text: str) -> ServerConfig:
    return schema.read(text, "ServerConfig.yaml", ServerConfig)


def project(text: str) -> ProjectConfig:
    return schema.read(text, "myEVCconfig.yaml", ProjectConfig)


def original(name: str) -> str:
    return (ORIGINAL / name).read_text(encoding="utf-8")


def test_the_originals_server_config() -> None:
    found = server(original("ServerConfig.yaml"))
    assert [step.activation for step in found.autorun] == ["register", "build", "run"]
    assert [(one.name, one.port) for one in found.builder] == [("b01", 20023)]
    assert found.activations == ["register", "build"]
    assert found.autorun[0].path == found.path
    assert (found.path.registry, found.path.dockerhub) == ("account-or-host:port", True)
    assert found.autorun[1].path.hosts_file == "../hosts.ini"


def test_plain_words_several_builders_and_none() -> None:
    found = server(original("ServerConfig-plain-words.yaml"))
    assert found.activations == ["register", "build", "download", "run"]
    assert [(one.name, one.gpu) for one in found.builder] == [("b01", None), ("b02", None)]
    assert (found.path.registry, found.path.dockerhub) == ("192.0.2.20:5000", False)


def test_the_originals_project_config() -> None:
    found = project(original("myEVCconfig.yaml"))
    assert found.version == "1.10"
    assert found.groups == ["shop_rpi", "shop_nuc"]
    machines = {group: machines[0] for group, machines in found.target.items()}
    assert machines["shop_rpi"].gpu is None and machines["shop_nuc"].gpu == "RTX2080"
    assert (machines["shop_rpi"].ip, machines["shop_rpi"].port) == ("edge.example.net", 39002)
    assert (machines["shop_nuc"].app, found.data) == ("192.0.2.5:7999", None)
    assert (found.serve.mode, found.serve.port) == ("gradio", 7860)
    assert found.serve.command[:2] == ["python3", "app.py"]


def test_groups_and_machines_that_are_commented_out() -> None:
    some = project(original("myEVCconfig-commented-groups.yaml"))
    assert (some.groups, some.target, some.owner) == (["shop_rpi"], {"shop_rpi": []}, None)
    assert (some.version, some.activation) == ("1.10", None)
    none = project(original("myEVCconfig-all-commented.yaml"))
    assert (none.groups, none.target) == ([], {})
    assert (none.version, none.activation, none.serve.mode) == ("no", "pred", "http")


def test_a_hub_account_commented_builders_and_anchored_folders() -> None:
    found = server(original("ServerConfig-hub-and-gaps.yaml"))
    assert (found.activations, found.builder) == (["download", "pred"], [])
    assert (found.path.registry, found.path.dockerhub, found.path.db) == ("someone", True, None)
    assert [step.activation for step in found.autorun] == ["download", "pred"]
    assert found.autorun[0].path == found.path


def test_a_group_as_a_word_and_what_is_loosened_beside_the_activation() -> None:
    found = project(original("myEVCconfig-word-and-serve.yaml"))
    assert (found.groups, found.task, found.app) == (["shop_rpi"], None, None)
    assert (found.serve.mode, found.serve.port, found.serve.root) == ("flask", 5000, True)
    assert [one.user for one in found.target["shop_rpi"]] == [None, "pi"]


def test_app_says_where_a_node_publishes() -> None:
    found = project(original("myEVCconfig-word-and-serve.yaml"))
    assert (found.app_on("rpi01"), found.on("rpi01")) == ("", found)
    assert found.app_on("rpi02") == "edge.example.net:39103"
    there = found.on("rpi02").serve
    assert (there.port, there.publish, there.published) == (5000, 39103, 39103)
    everywhere = project(original("myEVCconfig-all-commented.yaml"))
    assert everywhere.app_on("any") == "192.0.2.5:7999"
    assert everywhere.on("any") == everywhere, "without a port there is nothing to publish"


def test_a_folder_to_start_in_is_checked_like_a_written_one() -> None:
    serve = project(PROJECT + "activation: gradio\nserve: {root: true}\n").serve
    assert serve.started_in("") == serve
    found = serve.started_in("/home/내 모델")
    assert (found.workdir, found.root, found.port) == ("/home/내 모델", True, 7860)
    for folder in ("home", "/home/../x", "/a\nb", "/{{ x }}"):
        with pytest.raises(ValueError):
            serve.started_in(folder)


def test_where_people_reach_it_is_no_part_of_the_release() -> None:
    one, two = (project(f"{PROJECT}app: 192.0.2.5:{port}\n") for port in (1, 2))
    assert one.settings == two.settings


def test_keys_that_only_the_original_needed() -> None:
    found = unneeded(server(original("ServerConfig.yaml")))
    assert found == ["activations", "path.db", "path.hosts_file", "autorun: path",
                     "builder: hw", "builder: os", "builder: gpu"]  # fmt: skip
    assert unneeded(project(original("myEVCconfig.yaml"))) == [
        "arch", "target: hw", "target: os", "target: gpu"]  # fmt: skip
    assert unneeded(server(SAMPLE.read_text())) == unneeded(project(PROJECT)) == []


def test_the_sample_of_the_repository_loads() -> None:
    found = server(SAMPLE.read_text(encoding="utf-8"))
    assert [step.activation for step in found.autorun] == ["register", "build", "download"]
    assert server("") == server("builder:\nautorun:\n") == ServerConfig()


def test_every_commented_key_of_the_sample_is_a_key() -> None:
    text = re.sub(r"^( *)# ?( *)(?=[a-z_]+:( |$)|- name)", r"\1\2", SAMPLE.read_text(), flags=re.M)
    found = server(text.replace("builder: []", "builder:"))
    assert found.registry.ca and found.registry.certificate and found.network.ca
    assert found.network.https_proxy == "file:certs/proxy" and len(found.network.no_proxy) == 2
    assert found.builder[0].name == "b01" and found.path.registry == "192.0.2.1:5443"


@pytest.mark.parametrize("version", ["1.10", "1_000", "0x1F", "1e3", "on", "2024-01-01", "007"])
def test_versions_stay_as_typed(version: str) -> None:
    assert project(f"model_name: eye\nversion: {version}\n").version == version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("builder:\n - {name: b, ip: h, port: 0}", "2: builder.0.port: '0' is not a port"),
        ("builder:\n - {name: b, ip: h, port: 65536}", "65536 is not a port"),
        ('builder:\n - {name: b, ip: h, port: "22 "}', "'22 ' is not a port"),
        ("builder:\n - {name: b, ip: h, prot: 1}", "2: builder.0.prot: unknown key (did you mean"),
        ("builder:\n - {name: all, ip: h}", "builder.0.name"),
        ("builder:\n - name: b", "2: builder.0.ip: Field required"),
        ("builder:\n - name: b\n   ip: -oProxyCommand=x", "3: builder.0.ip"),
        ("path:\n  dockerhub: perhaps", "2: path.dockerhub"),
        ("autorun:\n - activation: registr", "2: autorun.0.activation"),
        ("autorum:", "1: autorum: unknown key (did you mean 'autorun'?)"),
        ("- a", "1: -"),
    ],
)
def test_problems_of_the_fleets_file(text: str, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        server(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("base: a;b", "base"),
        ("base: python AS x", "base"),
        ("requirements: ../../etc/shadow", "requirements"),
        ("requirements: /etc/shadow", "requirements"),
        ("weights: [{path: a/../../b}]", "weights.0.path"),
        ("weights: [{}]", "weights.0"),
        ("weights: [{path: a, pypi: b==1}]", "weights.0"),
        ("weights: [{pypi: --index==x, files: {a: " + "0" * 64 + "}}]", "weights.0.pypi"),
        ("packages: [curl; id]", "packages.0"),
        ("packages: [-o]", "packages.0"),
        ("resources: {memory: 0}", "resources.memory"),
        ("resources: {pids: 15}", "resources.pids"),
        ("resources: {cpus: inf}", "resources.cpus"),
        ("serve: {mode: camara}", "serve.mode"),
        ("serve: {listen: a b}", "serve.listen"),
        ("serve: {workdir: ../x}", "serve.workdir"),
        ("app: 192.0.2.5", "app"),
        ("serve: {privileged: true}", "serve.privileged"),
        ("group: [user]", "group.0"),
        ("target: {builder: []}", "target.builder"),
        ('task: "{{ x }}"', "task"),
        ('task: "\\e[2J"', "task"),
    ],
)
def test_problems_of_a_projects_file(text: str, key: str) -> None:
    with pytest.raises(BadFile) as caught:
        project(PROJECT + text)
    assert [(one.line, one.key) for one in caught.value.problems] == [(3, key)]


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        (("a", "h", 22), ("b", "h", 22), "a and b are both at h:22"),
        (("a", "h", 22), ("a", "h", 23), "a is at h:22 and at h:23"),
        (("a", "h", 22), ("b", "h", 23), ""),
        (("a", "h", 22), ("a", "h", 22), ""),
    ],
)
def test_a_machine_is_one_name_at_one_place(one: Place, two: Place, said: str) -> None:
    first, second = MACHINE.format(*one), MACHINE.format(*two)
    for read, text in (
        (server, f"builder: [{first}, {second}]"),
        (project, f"{PROJECT}target: {{g1: [{first}], g2: [{second}]}}"),
    ):
        with pytest.raises(BadFile, match=said) if said else nullcontext():
            read(text)
