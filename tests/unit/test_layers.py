"""Imports go down only, each library has its door, and only the CLI prints or ends the program."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LAYERS = {"pure": 1, "doors": 2, "runbooks": 3, "cli": 4}
# Library → the modules that may import it. A new library needs a line here, and a reason.
LIBRARIES = {
    "ansible_runner": {"evc.doors.ansible"},
    "apsw": {"evc.doors.store"},
    "docker": {"evc.doors.docker"},
    "httpx": {"evc.doors.registry", "evc.doors.models", "evc.doors.grafana"},
    "datasette": {"evc.doors.pages"},
    "uvicorn": {"evc.doors.pages"},
    "asyncssh": {"evc.doors.ssh"},
    "yaml": {"evc.pure.yamltext"},
    "click": {"evc.cli"},
    "rich": {"evc.cli"},
    "pydantic": {"evc.pure", "evc.runbooks.predict"},
    "cryptography": {
        "evc.doors.certs",
        "evc.doors.seals",
        "evc.doors.vault",
        "evc.runbooks.lab.logins",
    },
    "bcrypt": {"evc.runbooks.registry.logins"},
    "schedule": {"evc.runbooks.logger.jobs"},
    "psutil": {"evc.runbooks.registry.place", "evc.doors.machine", "evc.doors.ansible.folders"},
    "geopy": {"evc.doors.geocoder"},
}
# What reads, writes, waits or runs: no business of a pure module.
IMPURE = {"os", "io", "socket", "subprocess", "shutil", "tempfile", "threading", "asyncio", "time",
          "signal", "http", "ssl", "sys", "random", "secrets", "glob"}  # fmt: skip
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
          "asyncio.create_subprocess_shell", "eval", "exec"}  # fmt: skip
ENDS = {"print", "exit", "quit", "sys.exit", "os._exit", "SystemExit"}


def modules(root: Path) -> dict[str, ast.Module]:
    """Every module of `evc` by its dotted name."""
    found = {}
    for file in sorted((root / "evc").rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Dotted names that a module imports, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield name if name in known else base


def problems(root: Path) -> list[str]:
    """What is against the rules, as `MODULE: what`."""
    trees = modules(root)
    found = []
    for name, tree in trees.items():
        wrong = [problem for one in imports(tree, set(trees)) for problem in _import(name, one)]
        wrong += [problem for node in ast.walk(tree) for problem in _call(name, node)]
        found += [f"{name}: {problem}" for problem in wrong]
    return found


def _import(module: str, imported: str) -> Iterator[str]:
    own, other, library = _layer(module), _layer(imported), imported.partition(".")[0]
    if imported.startswith("."):
        yield f"imports {imported} by a relative name"
        return
    if imported.startswith("evc.") and other > own:
        yield f"imports {imported} from above"
    if own == other == LAYERS["doors"] and _door(module) != _door(imported):
        yield f"imports the door {imported}"
    if library != "evc" and library not in sys.stdlib_module_names:
        allowed = LIBRARIES.get(library, set())
        if not any(module == one or module.startswith(f"{one}.") for one in allowed):
            yield f"imports {library}, which is not its library"
    if own == LAYERS["pure"] and library in IMPURE:
        yield f"imports {library}, though it is pure"


def _call(module: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id in ENDS:
        yield f"line {node.lineno}: {node.exc.id}() outside the CLI"
    if not isinstance(node, ast.Call):
        return
    called = ast.unparse(node.func)
    if called in ENDS and _layer(module) < LAYERS["cli"]:
        yield f"line {node.lineno}: {called}() outside the CLI"
    shell = [one for one in node.keywords if one.arg == "shell"]
    if called in SHELLS or any(ast.unparse(one.value) != "False" for one in shell):
        yield f"line {node.lineno}: {called}() runs a shell, or text as a program"
    if called == "open" and _layer(module) == LAYERS["pure"]:
        yield f"line {node.lineno}: open() in a pure module"


def _door(module: str) -> list[str]:
    """A door may be a package; its modules import one another."""
    return module.split(".")[:3]


def _layer(module: str) -> int:
    """0 for what is not of `evc`; the package itself may be imported from everywhere."""
    parts = module.split(".")
    if parts[0] != "evc" or parts == ["evc"]:
        return 0
    return LAYERS.get(parts[1], LAYERS["cli"])


def test_the_package_keeps_the_rules() -> None:
    assert problems(ROOT) == []


def test_every_module_is_in_a_layer() -> None:
    packages = {path.name for path in (ROOT / "evc").iterdir() if path.is_dir()}
    assert packages - {"__pycache__", "share"} == set(LAYERS)


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("pure/a.py", "from evc.doors import git", "evc.doors.git from above"),
        ("doors/a.py", "def f():\n    import evc.runbooks.run", "evc.runbooks.run from above"),
        ("runbooks/a.py", "from evc.cli.console import say", "evc.cli.console from above"),
        ("doors/a.py", "from evc.doors.git import fetch", "the door evc.doors.git"),
        ("doors/a.py", "from evc.doors import git", "the door evc.doors.git"),
        ("doors/a.py", "from .git import fetch", "by a relative name"),
        ("runbooks/a.py", "import docker.errors", "imports docker"),
        ("doors/docker2.py", "import docker", "imports docker"),
        ("cli/a.py", "import requests", "imports requests"),
        ("pure/a.py", "import os.path", "though it is pure"),
        ("pure/a.py", "open('x')", "open() in a pure module"),
        ("runbooks/a.py", "print('x')", "print() outside the CLI"),
        ("doors/a.py", "import sys\nsys.exit(1)", "sys.exit() outside the CLI"),
        ("runbooks/a.py", "raise SystemExit(1)", "SystemExit() outside the CLI"),
        ("cli/a.py", "import subprocess\nsubprocess.run('x', shell=True)", "runs a shell"),
        ("cli/a.py", "import os\nos.system('x')", "runs a shell"),
        ("runbooks/a.py", "raise SystemExit", "SystemExit() outside the CLI"),
        ("runbooks/a.py", "eval('x')", "text as a program"),
    ],
)
def test_each_rule_is_seen_to_be_broken(tmp_path: Path, module: str, text: str, said: str) -> None:
    for layer in LAYERS:
        (tmp_path / "evc" / layer).mkdir(parents=True)
    for name in ("doors/git.py", "runbooks/run.py", "cli/console.py", module):
        (tmp_path / "evc" / name).write_text("")
    assert problems(tmp_path) == []
    (tmp_path / "evc" / module).write_text(text)
    assert [said in problem for problem in problems(tmp_path)] == [True]
