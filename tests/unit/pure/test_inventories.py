"""Inventory files: read as Ansible reads them, and everything that is wrong reported at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evc.pure import inventories
from evc.pure.inventories import Listed, Listing

INI = """\
# The original's shape, and all that Ansible adds to it.
loose ansible_host=192.0.2.9   ; not a comment for Ansible either
[builder]
b01 ansible_host=builder.example.net ansible_port=20023

[user:children]
shop_rpi
shop_nuc

[shop_rpi]
rpi[01:03].example.net ansible_user="pi" # a comment
web-[a:c]-[1:9:4] ansible_host=web.example.net
[shop_rpi:vars]
ansible_user = fromgroup
ansible_port=39002

[shop_nuc]
n02:33322 ansible_host=edge.example.net
[korea:children]
shop_nuc
[korea:vars]
ansible_user='kim'
ansible_ssh_private_key_file=keys/kim
[all:vars]
ansible_user=everyone
"""
YAML = """\
all:
  vars: {ansible_user: everyone}
  hosts:
    loose: {ansible_host: 192.0.2.9}
  children:
    builder:
      hosts:
        b01: {ansible_host: builder.example.net, ansible_port: 20023}
    user:
      children:
        shop_rpi:
          hosts:
            rpi[01:03].example.net: {ansible_user: pi}
          vars: {ansible_user: fromgroup, ansible_port: 39002}
        shop_nuc:
    korea:
      vars: {ansible_user: kim, ansible_ssh_private_key_file: keys/kim}
      children:
        shop_nuc:
          hosts: {n02: {ansible_host: edge.example.net, ansible_port: 33322}}
"""


def read(text: str, file: str = "hosts.ini") -> Listing:
    return inventories.read(text, file, ["here"])


def nodes(text: str, file: str = "hosts.ini") -> dict[str, Listed]:
    listing = read(text, file)
    assert listing.problems == ()
    return {node.name: node for node in listing.nodes}


def problems(text: str, file: str) -> list[str]:
    return [str(problem) for problem in read(text, file).problems]


@pytest.mark.parametrize(("text", "file"), [(INI, "hosts.ini"), (YAML, "hosts.yaml")])
def test_ansible_reads_the_same(tmp_path: Path, text: str, file: str) -> None:
    text = text.replace("   ; not a comment for Ansible either", "")
    (tmp_path / file).write_text(text)
    program = Path(sys.executable).with_name("ansible-inventory")
    command = [sys.executable, program, "-i", file, "--list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    theirs: dict[str, Any] = json.loads(done.stdout)
    ours = nodes(text, file)
    assert {name: _variables(one) for name, one in ours.items()} == theirs["_meta"]["hostvars"]
    for group in ("shop_rpi", "shop_nuc"):
        members = [name for name, one in ours.items() if group in (one.groups or ())]
        assert sorted(members) == sorted(theirs.get(group, {}).get("hosts", []))


def _variables(node: Listed) -> dict[str, Any]:
    said = {
        "ansible_host": node.address,
        "ansible_port": node.port,
        "ansible_user": node.user,
        "ansible_ssh_private_key_file": node.key,
    }
    return {key: value for key, value in said.items() if value is not None}


def test_what_the_originals_sections_mean() -> None:
    found = nodes(INI.replace("   ; not a comment for Ansible either", ""))
    assert (found["b01"].roles, found["b01"].groups) == (("builder",), None)
    assert (found["n02"].roles, found["n02"].groups) == (("edge",), ("korea", "shop_nuc"))
    assert (found["loose"].roles, found["loose"].groups) == (None, ())
    assert {"web-a-1", "web-a-5", "web-c-9", "rpi03.example.net"} <= found.keys()


def test_a_builder_that_serves_too_and_a_group_of_builders() -> None:
    text = "[builder:children]\nbig\n[big]\nb1\nb2\n[user]\nb2\n[builder]\nb3\n[shop]\nb3\n"
    found = nodes(text)
    assert found["b1"].roles == ("builder",)
    assert found["b2"].roles == ("builder", "edge")
    assert (found["b3"].roles, found["b3"].groups) == (("builder", "edge"), ("shop",))


CSV = """\
\ufeffName,address,port,user,key,jump,groups,labels,title,latitude,longitude,place,sudo_file,roles
cam01,192.0.2.1,2222,pi,k,me@gate:22,shop;lab,"site=busan;rack=2","부산, 문",35.1,129,시청,s,
cam02,192.0.2.2,,,,,"shop,lab",,"two
lines no",,,,,edge builder

,,,,,,,,,,,,,
"""


def test_csv_as_spreadsheets_write_it() -> None:
    text = CSV.replace('"two\nlines no"', "two")
    for variant in (text, text.replace("\n", "\r\n")):
        found = nodes(variant, "shops.CSV")
        first, second = found["cam01"], found["cam02"]
        assert (first.port, first.user, first.jump) == (2222, "pi", "me@gate:22")
        assert (first.title, first.groups) == ("부산, 문", ("shop", "lab"))
        assert first.labels == {"site": "busan", "rack": "2"}
        assert (first.latitude, first.longitude, first.place) == (35.1, 129.0, "시청")
        assert (second.port, second.user, second.roles) == (None, None, ("edge", "builder"))
    semicolons = "name;address;groups\ncam01;192.0.2.1;a,b\n"
    assert nodes(semicolons, "x.csv")["cam01"].groups == ("a", "b")


def test_yaml_without_its_ending_is_seen() -> None:
    assert nodes("---\nall:\n  hosts: {cam01: }\n", "hosts")["cam01"].address is None
    assert nodes("# c\n\nshop:\n  hosts:\n    cam01:\n", "hosts")["cam01"].groups == ("shop",)
    assert (
        nodes('{"shop": {"hosts": {"cam01": {"title": "1.10"}}}}', "hosts.json")["cam01"].title
        == "1.10"
    )
    assert nodes("cam01\n[shop]\ncam02\n", "hosts").keys() == {"cam01", "cam02"}


def test_variables_of_others_are_left_out_and_named() -> None:
    listing = read("cam01 http_port=80\n[all:vars]\nrack=7\nansible_become=yes\n")
    assert (listing.problems, listing.left_out) == ((), ("http_port", "rack"))


def test_every_problem_at_once() -> None:
    text = "a ansible_port=0\nb ansible_user=-x\n[g:vars]\nansible_host={{ x }}\n"
    found = {(one.line, one.key) for one in read(text).problems}
    assert found == {(1, "a.ansible_port"), (2, "b.ansible_user"), (4, "g.ansible_host")}


HOSTILE = [
    ("a ansible_host={{lookup('pipe','x')}}", "h.ini:1: a.ansible_host: holds a template"),
    ("a x='{% raw %}'", "a.x: holds a template"),
    ("[g:vars]\n{{x}}=1", "holds a template"),
    ("a ansible_ssh_common_args='-o ProxyCommand=x'", "a.ansible_ssh_common_args: could start"),
    ("a ansible_ssh_extra_args=-vvv", "could start a program"),
    ("a ansible_sftp_extra_args=x", "could start a program"),
    ("a ansible_ssh_args=x", "could start a program"),
    ("a ansible_ssh_executable=/tmp/x", "EVC takes no ansible_ssh_executable"),
    ("a ansible_connection=local", "EVC takes no ansible_connection"),
    ("a ansible_connection=docker", "EVC takes no ansible_connection"),
    ("a ansible_become_exe=/tmp/x", "EVC takes no ansible_become_exe"),
    ("a ansible_python_interpreter=/tmp/x", "EVC takes no ansible_python_interpreter"),
    ("a ansible_become_password=hunter2", "a password does not belong here"),
    ("a ansible_become_pass=hunter2", "--sudo-file"),
    ("a ansible_password=hunter2", "--sudo-file"),
    ("a ansible_ssh_pass=hunter2", "--sudo-file"),
    ("a db_password=hunter2", "--sudo-file"),
    ("a ansible_host=-oProxyCommand=x", "is not a host name"),
    ("-oProxyCommand=x", "is not a name"),
    ("a ansible_host='h\x1b[2J'", "is not a host name"),
    ("a ansible_port='22 '", "is not a port"),
    ("a ansible_port=65536", "is not a port"),
    ("a ansible_user='a;id'", "is not a user name"),
    ("a jump='x y'", "is not a host name"),
    ("a jump=-l@h", "is not a user name"),
    ("a jump=h:0", "is not a port"),
    ("a labels=x", "is not KEY=VALUE"),
    ("a latitude=91", "latitude"),
    ("a latitude=nan", "latitude"),
    ("a longitude=x", "longitude"),
    ("a title='\u202e'", "control characters"),
    ("a latitude", "is not KEY=VALUE"),
    ("a =x", "is not KEY=VALUE"),
    ("a 'x", "no closing quotation"),
    ("a[1:2", "is not a range"),
    ("a[x:2]", "is not a range"),
    ("a[9:1]", "an empty range"),
    ("a[1:9999999999]", "is not a range"),
    ("a[1:99999999]", "means 99,999,999 hosts"),
    ("a[1:999][1:999]", "means 998,001 hosts"),
    ("[all]\na\n[g:hosts2]\nb", "no section is a `:hosts2`"),
    ("[a:children]\nb\n[b:children]\na\n[a]\nx", "a group inside itself"),
    ("[g:children]\na b", "one group a line"),
    ("[g:vars]\nx", "not KEY=VALUE"),
    ("[builder x]\na", "is not a name"),
    ("[gpu]\na", "a word of the selector language"),
    ("a ansible_host=h1\n[g]\na ansible_host=h2", "h.ini:3: a.ansible_host: 'h2' here, 'h1' on 1"),
    ("", "names no node"),
    ("x" * 1_000_001, "larger than 1,000,000"),
]


@pytest.mark.parametrize(("text", "said"), HOSTILE, ids=[text[:40] for text, _ in HOSTILE])
def test_a_hostile_ini_is_refused_with_its_line(text: str, said: str) -> None:
    found = "\n".join(problems(text, "h.ini"))
    assert said in found
    assert "hunter2" not in found and "\x1b" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all: {hosts: {a: {ansible_host: '{{ x }}'}}}", "h.yaml:1: a.ansible_host: holds a"),
        ("all:\n hosts:\n  a:\n   ansible_become_password: hunter2", "h.yaml:4: a.ansible_become"),
        ("all: {hosts: {a: {ansible_become_password: !vault x}}}", "refused"),
        ("all: !!python/object/apply:os.system [x]", "refused"),
        ("all: {hosts: {a: {x: {y: '{{ z }}'}}}}", "a.x: holds a template"),
        ("plugin: aws_ec2", "plugin: must hold keys"),
        ("[a, b]", "must hold names"),
        ("all: {hosts: [a]}", "all.hosts: must hold names"),
        ("all: {vars: x}", "all.vars: must hold variables"),
        ("all: {host: {a: }}", "all.host: unknown key (did you mean 'hosts'?)"),
        ("all: {children: {a: {children: {all: {hosts: {x: }}}}}}", "a group inside itself"),
        ("all: {hosts: {a: , a: }}", "key given twice"),
        ("all: {hosts: {'a[1:99999]': }}", "means 99,999 hosts"),
        ("[" * 5000, "nested deeper"),
        ("all: {hosts: {a: {ansible_port: 22:22}}}", "is not a port"),
    ],
)
def test_a_hostile_yaml_is_refused_with_its_line(text: str, said: str) -> None:
    found = "\n".join(problems(text, "h.yaml"))
    assert said in found and "hunter2" not in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,adress\na,h", "h.csv:1: adress: unknown column (did you mean 'address'?)"),
        ("name,sudo_password\na,hunter2", "no passwords here"),
        ("address\nh", "name: there is no such column"),
        ("name,name\na,b", "column given twice"),
        ("name,address\na\n", "1 cells under 2 columns"),
        ("name,address\na,h,x\n", "3 cells under 2 columns"),
        ('name,address\na,"h', "not CSV"),
        ("name,address\na,-oProxyCommand=x", "h.csv:2: a.address: '-oProxyCommand=x' is not"),
        ("name,address\na,=cmd|calc", "is not a host name"),
        ("name,title\na,{{ x }}", "a.title: '{{ x }}' holds a template"),
        ("name,roles\na,boss", "a.roles: Input should be 'builder' or 'edge'"),
        ("name,groups\na,ok;builder", "a.groups: 'builder' is a section"),
        ("name,address\n\na,h\na,h2", "h.csv:4: a: is on line 3 already"),
        ("name,address\n,h", "is not a name"),
        ("", "h.csv:1: -: is empty"),
        ("name\n", "names no node"),
        ("name\n" + "a\n" * 10_001, "more than 10,000 rows"),
        ("name,title\na," + "x" * 200_000, "not CSV: field larger"),
    ],
)
def test_a_hostile_csv_is_refused_with_its_line(text: str, said: str) -> None:
    found = "\n".join(problems(text, "h.csv"))
    assert said in found and "hunter2" not in found


def test_the_controller_itself_may_be_in_its_own_file() -> None:
    assert nodes("here ansible_connection=local")["here"].address is None


def test_the_originals_hosts_ini() -> None:
    """Many nodes behind one address, each on its own port."""
    text = (Path(__file__).parent.parent / "data" / "original" / "hosts.ini").read_text()
    found = read(text)
    assert not found.problems and not found.left_out
    places = {one.name: (one.address, one.port, one.groups or ()) for one in found.nodes}
    assert places == {
        "b01": ("builder.example.net", 20023, ()),
        "rpi01": ("edge.example.net", 39002, ("shop_rpi",)),
        "rpi02": ("edge.example.net", 39003, ("shop_rpi",)),
        "n02": ("edge.example.net", 33322, ("shop_nuc",)),
    }
    assert {one.name for one in found.nodes if one.roles == ("builder",)} == {"b01"}
