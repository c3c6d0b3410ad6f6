"""The container engine, and the one door to the docker SDK.

What the environment offers is taken as the docker command line finds it (DOCKER_HOST, context, default socket),
if it is new enough, has buildx, and can write OCI layouts; else the embedded engine, where that can run.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagewright.errors import RegistryRefused, ToolFailed, ToolMissing
from imagewright.reference import DOCKER_HUB
from imagewright.tools import embedded, process
from imagewright.tools.apt import Note, silent

if TYPE_CHECKING:
    from docker import DockerClient

Choice = Literal["auto", "environment", "embedded"]

OLDEST_ENGINE = 23
"""The first release whose default builder is BuildKit."""

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_DETECTION_SECONDS = 20.0
_REMEDY = (
    "install Docker Engine 23 or newer with buildx and the containerd image store, "
    "or choose a builder of another driver (docker buildx create --use)"
)


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine fit for the job. ``docker`` is the client to call, with ``env`` as its whole environment.

    ``builder`` is the buildx builder to name and ``driver`` its driver.
    """

    kind: Literal["environment", "embedded"]
    docker: Path
    version: str
    buildx: str
    builder: str
    driver: str
    env: Mapping[str, str] = field(repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why the engine of the environment cannot be used, and what would change that."""

    reason: str
    hint: str = _REMEDY


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials of a registry: user name and password, or an ``identity_token`` instead of both."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find(choice: Choice = "auto", *, note: Note = silent) -> Engine:
    """The engine to use, the embedded one started if it is that.

    Raises ToolMissing naming what to install when none is fit, ToolFailed when the embedded one does not come up.
    """
    offered = Unfit("the settings say: embedded") if choice == "embedded" else probe()
    if isinstance(offered, Engine):
        return offered
    if choice == "environment":
        raise ToolMissing("the environment's container engine cannot be used", why=offered.reason, hint=offered.hint)
    if choice == "auto" and (impossible := embedded.impossible()):
        why = f"the environment's: {offered.reason}\nthe embedded one: {impossible}"
        raise ToolMissing("no container engine can be used", why=why, hint=offered.hint)
    running = embedded.start(note=note)
    found = inspect(running.docker, running.env, kind="embedded")
    if isinstance(found, Unfit):
        raise ToolFailed("the embedded engine cannot be used", why=found.reason, hint=f"its log: {running.log}")
    return found


def probe(environ: Mapping[str, str] | None = None) -> Engine | Unfit:
    """What the environment offers; two calls of the docker client, nothing is started."""
    env = dict(os.environ if environ is None else environ)
    try:
        docker = process.find("docker", path=env.get("PATH"))
    except ToolMissing:
        return Unfit("there is no docker command")
    try:
        return inspect(docker, env, kind="environment")
    except ToolFailed as error:
        return Unfit(f"{error.what}: {error.why}" if error.why else error.what)


def inspect(docker: Path, env: Mapping[str, str], *, kind: Literal["environment", "embedded"]) -> Engine | Unfit:
    """Ask one engine what it is. Raises ToolFailed when the client says nothing that can be understood."""
    ask = partial(process.run, env=env, check=False, timeout=_DETECTION_SECONDS)
    with ThreadPoolExecutor(1) as beside:
        builder_asked = beside.submit(ask, [docker, "buildx", "inspect"])
        asked = ask([docker, "info", "--format", "{{json .}}"])
    try:
        info = json.loads(asked.stdout)
    except ValueError as error:
        raise ToolFailed("docker info says nothing that can be understood", why=asked.tail) from error
    if not info.get("ServerVersion"):
        said = "; ".join(info.get("ServerErrors") or ()) or asked.stderr.decode("utf-8", "replace").strip()
        return Unfit(said or "no engine answers", "start Docker, or mend DOCKER_HOST")
    if reason := info_problem(info):
        return Unfit(reason)
    shown = builder_asked.result()
    if shown.returncode != 0:
        return Unfit(f"docker buildx inspect failed: {shown.tail}")
    builder, driver = parse_builder(shown.stdout.decode("utf-8", "replace"))
    if driver == "docker" and not has_containerd_store(info):
        return Unfit("its image store cannot write OCI layouts, and no other builder is chosen")
    return Engine(kind, docker, str(info["ServerVersion"]), buildx_version(info), builder, driver, env)


def info_problem(info: Mapping[str, Any]) -> str:
    """What makes an engine that answers unfit, from ``docker info`` as JSON; empty when nothing does."""
    version = str(info["ServerVersion"])
    if major(version) < OLDEST_ENGINE:
        return f"Docker Engine {version} is older than {OLDEST_ENGINE}"
    return "" if buildx_version(info) else "the docker command has no buildx"


def major(version: str) -> int:
    """The first number of a version; development builds, which have none, count as new."""
    match = re.match(r"v?(\d+)\.", version)
    return int(match[1]) if match else OLDEST_ENGINE


def buildx_version(info: Mapping[str, Any]) -> str:
    """The version of the buildx plugin the client found, from ``docker info``; empty when there is none."""
    for plugin in (info.get("ClientInfo") or {}).get("Plugins") or ():
        if plugin.get("Name") == "buildx" and not plugin.get("Err"):
            return str(plugin.get("Version") or "unknown").removeprefix("v")
    return ""


def has_containerd_store(info: Mapping[str, Any]) -> bool:
    """Whether the engine keeps images in containerd, which can write OCI layouts."""
    return ["driver-type", _CONTAINERD_STORE] in [list(pair) for pair in info.get("DriverStatus") or ()]


def parse_builder(text: str) -> tuple[str, str]:
    """Name and driver of the builder that ``docker buildx inspect`` shows."""
    fields = dict(re.findall(r"^(Name|Driver):\s*(\S+)", text.partition("\nNodes:")[0], re.MULTILINE))
    return fields.get("Name", "default"), fields.get("Driver", "docker")


def client(engine: Engine) -> DockerClient:
    """The docker SDK's client of an engine, for running candidate containers. Close it after use."""
    # Imported here and below because it takes a quarter of a second that most runs need not pay.
    import docker

    env = dict(engine.env)
    if not env.get("DOCKER_HOST"):
        words = [str(engine.docker), "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        env["DOCKER_HOST"] = process.run(words, env=engine.env).stdout.decode().strip()
    return docker.from_env(environment=env)


def credentials(registry: str) -> Login | None:
    """What the Docker configuration and its credential helpers know of a registry (``host[:port]``).

    Raises RegistryRefused when a helper is named and fails.
    """
    from docker import auth, errors

    try:
        with warnings.catch_warnings(action="ignore"):  # it warns of a helper that is not there, then fails
            found = auth.load_config().resolve_authconfig(auth.INDEX_NAME if registry == DOCKER_HUB else registry)
    except errors.DockerException as error:
        raise RegistryRefused(
            f"the credentials of {registry} cannot be read",
            why=str(error),
            hint=f"log in again: docker login {registry}",
        ) from error
    if not found:
        return None
    # Entries written by hand use the first spelling, those of helpers the second.
    values = {name.lower(): value for name, value in found.items() if value}
    token = str(values.get("identitytoken", ""))
    return Login(str(values.get("username", "")), "" if token else str(values.get("password", "")), token)
