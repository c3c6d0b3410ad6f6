"""The application's images as they are deployed: read-only, without capabilities, and in front of a real browser.

They are built by the pipeline in a project of their own, loaded into the engine byte for byte, and run.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import shutil
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from docker.models.containers import Container
from playwright.sync_api import Browser, Page, expect, sync_playwright

from imagewright import config
from imagewright.model.image import Image
from imagewright.oci.layout import Store
from imagewright.tools import engine as engines
from imagewright.tools.engine import Engine
from tests.integration.conftest import ROOT, Ran, SmallProject, new_project

APPLICATION = ("backend", "base-node", "base-python", "frontend")
NOT_SOURCE = ("node_modules", ".next", ".venv", ".*_cache", "__pycache__", "next-env.d.ts")
SECRET = "a secret of the tests, long enough to be taken"
QUIET = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"

# The application's own tests run in the very images that ship, as a step of a build like any other,
# and leave an image of next to nothing.
BACKEND_TESTS = """
FROM debian:trixie-slim AS tools
RUN apt-get update -q -o Acquire::Retries=10 \\
 && apt-get install -qy -o Acquire::Retries=10 --no-install-recommends python3-pip
RUN --mount=type=bind,source=requirements-test.txt,target=/mnt/requirements.txt \\
    --mount=type=cache,target=/root/.cache/pip \\
    --mount=type=secret,id=ca,target=/run/secrets/ca.crt \\
    if [ -f /run/secrets/ca.crt ]; then export PIP_CERT=/run/secrets/ca.crt; fi \\
 && python3 -m pip install --require-hashes --no-deps --only-binary :all: --root-user-action ignore \\
      --target /tools --requirement /mnt/requirements.txt
FROM backend AS tests
COPY --from=tools /tools /tools
COPY pyproject.toml /app/
COPY tests /app/tests
ENV PYTHONPATH=/tools
RUN ["python3", "-m", "pytest", "-p", "no:cacheprovider"]
FROM scratch
COPY --from=tests /app/pyproject.toml /
"""
FRONTEND_TESTS = """
FROM base-node AS tests
WORKDIR /app
COPY package.json .
COPY lib lib
RUN ["node", "--test", "lib/*.test.ts"]
FROM scratch
COPY --from=tests /app/package.json /
"""


@dataclass
class Host:
    """The engine with the images in it; everything it started or loaded is removed in the end.

    The images have a tag of their own: another worker of the tests may have loaded the same ones.
    """

    engine: Engine
    store: Store
    tag: str = field(default_factory=lambda: uuid4().hex)
    loaded: dict[str, str] = field(default_factory=dict)
    started: list[Container] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = engines.client(self.engine)

    def load(self, name: str, folder: Path) -> None:
        """Hand an image from the store to the engine, unchanged."""
        with (folder / f"{name}.tar").open("w+b") as file:
            _archive(self.store, self.store.image(name), self.tag, file)
            file.seek(0)
            self.client.images.load(file)
        self.loaded[name] = f"imagewright-test/{name}:{self.tag}"

    def start(self, name: str, **env: str) -> Container:
        """A container with the least rights, on a loopback port of its own."""
        port = config.load(ROOT, {}).image(name).run.port
        container = self.client.containers.run(
            self.loaded[name],
            detach=True,
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            ports={f"{port}/tcp": ("127.0.0.1", 0)},
            environment=env,
        )
        self.started.append(container)
        return container

    def close(self) -> None:
        for container in self.started:
            container.remove(force=True, v=True)
        for image in self.loaded.values():
            self.client.images.remove(image, force=True)
        self.client.close()


def _archive(store: Store, image: Image, tag: str, into: Any) -> None:
    """What ``docker load`` reads: the layout of one image, described in the older way too."""
    ((_, manifest),) = image.manifests
    root = {"mediaType": image.root.media_type, "digest": str(image.root.digest), "size": image.root.size}
    name = {"io.containerd.image.name": f"docker.io/imagewright-test/{image.name}:{tag}"}
    older = {
        "Config": f"blobs/sha256/{manifest.config.digest.hex}",
        "Layers": [f"blobs/sha256/{layer.digest.hex}" for layer in manifest.layers],
        "RepoTags": [f"imagewright-test/{image.name}:{tag}"],
    }
    documents = {
        "oci-layout": {"imageLayoutVersion": "1.0.0"},
        "index.json": {"schemaVersion": 2, "manifests": [{**root, "annotations": name}]},
        "manifest.json": [older],
    }
    with tarfile.open(fileobj=into, mode="w") as tar:
        for path, document in documents.items():
            member = tarfile.TarInfo(path)
            member.size = len(json.dumps(document).encode())
            tar.addfile(member, BytesIO(json.dumps(document).encode()))
        for digest in store.blobs(image):
            tar.add(store.blob_path(digest), f"blobs/sha256/{digest.hex}")


@dataclass(frozen=True, slots=True)
class Service:
    """A running container that answers HTTP."""

    container: Container

    @property
    def address(self) -> str:
        """Where this machine finds it."""
        self.container.reload()
        (published,) = (binding for binding in self.container.ports.values() if binding)
        return f"http://127.0.0.1:{published[0]['HostPort']}"

    @property
    def inner_address(self) -> str:
        """Where the other containers find it."""
        self.container.reload()
        networks = self.container.attrs["NetworkSettings"]["Networks"].values()
        (port,) = self.container.ports
        return f"http://{next(iter(networks))['IPAddress']}:{port.partition('/')[0]}"

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        """Status and JSON of an answer."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def wait(self, path: str) -> Service:
        """Come back when it answers there with success."""

        def answers() -> bool:
            try:
                return self.ask("GET", path)[0] == 200
            except OSError:
                assert self.state["Running"], self.logs
                return False

        until(answers, 30)
        return self

    @property
    def state(self) -> dict[str, Any]:
        self.container.reload()
        state: dict[str, Any] = self.container.attrs["State"]
        return state

    @property
    def logs(self) -> str:
        return self.container.logs().decode()

    def stop(self) -> tuple[int, float]:
        """Send SIGTERM as a deployment does; the exit code, and how long it took to end."""
        began = time.monotonic()
        self.container.stop(timeout=10)
        return self.state["ExitCode"], time.monotonic() - began


def until(happened: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.1)


def token(user: str, *, secret: str = SECRET, **changes: object) -> str:
    """A JSON Web Token (HS256) that lives for a minute; a claim changed to None is left out."""
    claims = {"sub": user, "exp": int(time.time()) + 60, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, kept)]
    signature = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _base64url(signature)])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> tuple[SmallProject, Ran]:
    """This repository's images in a project of their own, built together with their tests."""
    project = new_project(tmp_path_factory.mktemp("application") / "project", engine)
    for name in ("dockerfiles", *(f"images/{name}" for name in APPLICATION)):
        ignored = shutil.ignore_patterns(*NOT_SOURCE)
        shutil.copytree(ROOT / name, project.root / name, ignore=ignored, dirs_exist_ok=True)
    for image, need, dockerfile, files in (
        ("backend", "backend", BACKEND_TESTS, ("requirements-test.txt", "pyproject.toml", "tests")),
        ("frontend", "base-node", FRONTEND_TESTS, ("package.json", "lib")),
    ):
        extra = f'needs = ["{need}"]\ncontext = "images/{image}"'
        project.image(f"{image}-tests", dockerfile, extra=extra, lets_in=files)
    project.commit()
    return project, project.run("build")


@pytest.fixture(scope="module")
def host(
    application: tuple[SmallProject, Ran], engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    project, built = application
    assert built.code == 0, built.err
    host = Host(engine, Store(project.root / "out/store"))
    try:
        for name in ("backend", "frontend"):
            host.load(name, tmp_path_factory.mktemp("load"))
        yield host
    finally:
        host.close()


@pytest.fixture(scope="module")
def backend(host: Host) -> Service:
    """The backend on an empty database that was migrated."""
    service = Service(host.start("backend", DATABASE_URL="sqlite:////tmp/t.db", AUTH_SECRET=SECRET))
    service.wait("/health/ready")
    migrated = service.container.exec_run(["python3", "-m", "app.migrate"])
    assert migrated.exit_code == 0, migrated.output
    return service


@pytest.fixture(scope="module")
def frontend(host: Host, backend: Service) -> Service:
    service = Service(host.start("frontend", BACKEND_URL=backend.inner_address, AUTH_SECRET=SECRET))
    return service.wait("/api/health")


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *QUIET.split()])
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page said on its console, and what it asked of others than its own server."""
    return []


@pytest.fixture
def page(browser: Browser, frontend: Service, complaints: list[str]) -> Iterator[Page]:
    home = frontend.address
    page = browser.new_page()
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(home) else complaints.append(asked.url))
    page.goto(home)
    expect(page.get_by_role("list", name="Tasks")).to_have_attribute("aria-busy", "false")
    yield page
    page.close()


@pytest.mark.covers("BE-004", "BE-007", "BE-017")
def test_its_own_tests_pass_in_the_images_that_ship(application: tuple[SmallProject, Ran]) -> None:
    _, ran = application
    assert ran.code == 0, ran.err


def test_what_runs_is_what_was_built(host: Host) -> None:
    for name, found in host.loaded.items():
        image = host.store.image(name)
        # An engine with the containerd image store names an image by its manifest, an older one by its configuration.
        assert host.client.images.get(found).id in (str(image.root.digest), str(image.manifests[0][1].config.digest))


@pytest.mark.parametrize(
    ("name", "env", "named"),
    [
        ("backend", {"AUTH_SECRET": SECRET}, ("DATABASE_URL is not set",)),
        (
            "backend",
            {"DATABASE_URL": "sqlite:////tmp/hidden.db", "AUTH_SECRET": "too short"},
            ("AUTH_SECRET is short",),
        ),
        ("backend", {"DATABASE_URL": "mysql://ann:hidden@db/todo"}, ("DATABASE_URL is", "AUTH_SECRET is not set")),
        ("frontend", {"BACKEND_URL": "ftp://hidden"}, ("BACKEND_URL is not an http", "AUTH_SECRET is not set")),
    ],
)
@pytest.mark.covers("FE-015", "BE-012")
def test_a_setting_that_is_missing_or_wrong_is_named_and_its_value_is_not(
    host: Host, name: str, env: dict[str, str], named: tuple[str, ...]
) -> None:
    service = Service(host.start(name, **env))
    assert service.container.wait(timeout=30)["StatusCode"] not in (0, 137)
    for words in named:
        assert words in service.logs
    for value in ("hidden", "too short", SECRET):
        assert value not in service.logs


@pytest.mark.covers("BE-006")
def test_the_backend_lives_without_its_database_and_says_that_it_is_not_ready(host: Host) -> None:
    service = Service(host.start("backend", DATABASE_URL="sqlite:////nowhere/t.db", AUTH_SECRET=SECRET))
    service.wait("/health/live")
    assert service.ask("GET", "/health/ready")[0] == 503
    code, seconds = service.stop()
    assert (code, seconds < 8) == (0, True)


@pytest.mark.covers("SEC-018", "SEC-019", "BE-014")
def test_the_backend_is_alive_and_ready(backend: Service) -> None:
    assert backend.ask("GET", "/health/live")[0] == 200
    assert backend.ask("GET", "/health/ready")[0] == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("", 401),
        ("no.token.atall", 401),
        (token("ada", secret="another secret of the same good length"), 401),
        (token("ada", exp=None), 401),
        (token("ada", sub=None), 401),
        (token("ada", exp=1), 401),
        (token("bob", exp=1 << 40), 403),
        (token("ada", exp=1 << 40), 200),
    ],
    ids=["none", "nonsense", "forged", "endless", "nobody's", "expired", "another's", "good"],
)
@pytest.mark.covers("BE-016")
def test_the_backend_wants_the_token_of_the_user_in_the_path(backend: Service, given: str, status: int) -> None:
    assert backend.ask("GET", "/api/ada/tasks", token=given)[0] == status


@pytest.mark.covers("BE-016")
def test_a_task_is_made_read_changed_completed_and_deleted(backend: Service) -> None:
    def ask(method: str, path: str = "", body: object = None) -> tuple[int, Any]:
        return backend.ask(method, f"/api/eve/tasks{path}", body, token("eve"))

    assert ask("GET") == (200, [])
    status, task = ask("POST", body={"title": "Write it down"})
    assert (status, task["title"], task["completed"]) == (201, "Write it down", False)
    path = f"/{task['id']}"
    assert ask("GET", path) == (200, task)
    assert ask("PUT", path, {"title": "Write it well"})[1]["title"] == "Write it well"
    assert ask("PATCH", f"{path}/complete")[1]["completed"] is True
    assert [one["id"] for one in ask("GET")[1]] == [task["id"]]
    assert backend.ask("GET", f"/api/ada/tasks{path}", token=token("ada"))[0] == 404
    assert ask("DELETE", path) == (204, None)
    assert ask("GET", path)[0] == 404
    assert ask("POST", body={"title": ""})[0] == 422


@pytest.mark.covers("BE-009")
def test_the_backend_logs_json_without_secrets(backend: Service) -> None:
    backend.ask("GET", "/api/ada/tasks", token=token("ada"))
    lines = backend.logs.splitlines()
    assert all({"time", "level", "message"} <= json.loads(line).keys() for line in lines)
    assert SECRET not in backend.logs
    assert "eyJ" not in backend.logs


@pytest.mark.covers("SEC-018", "SEC-019", "FE-014")
def test_a_task_is_added_completed_and_deleted_in_a_browser(
    page: Page, frontend: Service, complaints: list[str]
) -> None:
    status = page.get_by_role("status")
    expect(status).to_have_text("Nothing here yet. Add your first task above.")
    page.get_by_label("New task").fill("Feed the cat")
    page.get_by_role("button", name="Add").click()
    box = page.get_by_role("checkbox", name="Feed the cat")
    expect(box).not_to_be_checked()
    expect(status).to_have_text("1 of 1 still to do")
    expect(page.get_by_label("New task")).to_have_value("")
    box.click()
    expect(box).to_be_checked()
    expect(status).to_have_text("All done.")
    page.reload()
    expect(box).to_be_checked()
    page.get_by_role("button", name="Delete “Feed the cat”").click()
    expect(status).to_have_text("Nothing here yet. Add your first task above.")
    assert complaints == []


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_never_scrolls_sideways(page: Page, complaints: list[str], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_label("New task").fill("Supercalifragilisticexpialidocious" * 4)
    page.get_by_role("button", name="Add").click()
    delete = page.get_by_role("button", name="Delete")
    expect(delete).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    delete.click()
    expect(delete).to_have_count(0)
    assert complaints == []


@pytest.mark.covers("FE-009")
def test_the_browser_is_told_nothing_of_the_backend(page: Page, frontend: Service, backend: Service) -> None:
    scripts = page.evaluate("[...document.scripts].filter(s => s.src).map(s => s.src)")
    sent = page.content() + "".join(page.request.get(address).text() for address in scripts)
    assert scripts
    for hidden in (SECRET, backend.inner_address.removeprefix("http://").partition(":")[0]):
        assert hidden not in sent


def test_the_frontend_says_that_its_backend_is_away_and_ends_when_told(host: Host) -> None:
    service = Service(host.start("frontend", BACKEND_URL="http://127.0.0.1:9", AUTH_SECRET=SECRET))
    service.wait("/api/health")
    assert service.ask("GET", "/api/tasks") == (502, {"detail": "The task service is not available right now."})
    assert SECRET not in service.logs
    code, seconds = service.stop()
    assert code in (0, 143)  # Next.js ends well with the signal's own number
    assert seconds < 8


@pytest.mark.covers("BE-013", "FE-013")
@pytest.mark.parametrize("name", ["backend", "frontend"])
def test_a_request_under_way_is_completed_before_it_ends(host: Host, backend: Service, name: str) -> None:
    env = {"AUTH_SECRET": SECRET}
    env |= {"DATABASE_URL": "sqlite:////tmp/t.db"} if name == "backend" else {"BACKEND_URL": backend.inner_address}
    service = Service(host.start(name, **env)).wait("/health/live" if name == "backend" else "/api/health")
    if name == "backend":
        assert service.container.exec_run(["python3", "-m", "app.migrate"]).exit_code == 0
    body = json.dumps({"title": "Finish what you began"}).encode()
    connection = http.client.HTTPConnection(service.address.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/api/ada/tasks" if name == "backend" else "/api/tasks")
    for header, value in (
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Authorization", f"Bearer {token('ada')}"),
    ):
        connection.putheader(header, value)
    connection.endheaders(body[:10])
    time.sleep(1)  # so that the request is under way
    service.container.kill("SIGTERM")
    time.sleep(1)
    assert service.state["Running"], service.logs
    connection.send(body[10:])
    assert connection.getresponse().status == 201, service.logs
    connection.close()
    assert service.container.wait(timeout=10)["StatusCode"] in (0, 143)


@pytest.mark.covers("SEC-023", "FE-010")
def test_the_health_checks_of_both_turn_healthy(backend: Service, frontend: Service) -> None:
    for service in (backend, frontend):
        until(lambda service=service: service.state["Health"]["Status"] == "healthy", 45)  # type: ignore[misc]


def test_they_keep_running_and_are_not_restarted(backend: Service, frontend: Service) -> None:
    for service in (backend, frontend):
        assert service.state["Running"], service.logs
        code, seconds = service.stop()
        assert code in (0, 143)
        assert seconds < 8
