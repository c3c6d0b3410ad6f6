"""The repository's files: read into a project, or refused with every mistake, its file and its dotted path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from imagewright import config
from imagewright.config import parse_size
from imagewright.errors import ConfigurationError
from imagewright.model.definition import (
    Budget,
    EnvVariable,
    FeedFile,
    FeedSettings,
    Project,
    RunContract,
    ScanSettings,
    Settings,
)
from imagewright.reference import Digest, Platform

HEX = "ab" * 32


class Repository:
    """A repository being written, file by file."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def image(self, name: str, more: str = "", *, repository: str = "", run: str = 'user = "1:1"') -> None:
        """A sound definition; ``more`` are lines before its tables."""
        self.write(f"dockerfiles/{name}.Dockerfile", "FROM scratch\n")
        self.write(
            f"images/{name}/image.toml",
            f'name = "{name}"\ntitle = "T"\nrepository = "{repository or f"todo/{name}"}"\n{more}\n[run]\n{run}\n',
        )

    def load(self, environ: Mapping[str, str] | None = None) -> Project:
        return config.load(self.root, environ or {})

    def mistakes(self, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            self.load(environ)
        assert caught.value.exit_code == 2
        return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    return Repository(root)


def test_an_empty_folder_is_a_project_without_images_and_with_default_settings(repository: Repository) -> None:
    assert repository.load() == Project(repository.root, Settings(), ())


def test_everything_a_definition_can_say_is_read(repository: Repository) -> None:
    repository.image("base")
    repository.write("other/Dockerfile", "FROM base\n")
    repository.write(
        "images/app/image.toml",
        """
        name = "app"
        title = "App"
        description = "what it is"
        repository = "todo/app"
        licenses = "MIT"
        dockerfile = "other/Dockerfile"
        target = "final"
        context = "other"
        platforms = ["linux/arm64", "linux/arm/v7"]
        needs = ["base"]
        args = { B = "2", A = "1" }
        labels = { team = "x" }
        budget = { compressed = "1.5 MB", uncompressed = "2 KiB" }
        [run]
        user = "65532:65532"
        port = 8000
        writable = ["/tmp"]
        live = "/live"
        ready = "/ready"
        stop_seconds = 3
        [env.URL]
        required = true
        secret = true
        when = "build"
        description = "where"
        [env.ANY]
        """,
    )
    app = repository.load().image("app")
    assert app.platforms == (Platform("linux", "arm64"), Platform("linux", "arm", "v7"))
    assert (app.dockerfile, app.context, app.target, app.file) == (
        "other/Dockerfile",
        "other",
        "final",
        "images/app/image.toml",
    )
    assert app.args == (("A", "1"), ("B", "2"))
    assert app.labels == (("team", "x"),)
    assert app.needs == ("base",)
    assert app.budget == Budget(1_500_000, 2048)
    assert app.run == RunContract("65532:65532", 8000, ("/tmp",), "/live", "/ready", 3)
    assert app.env == (EnvVariable("ANY"), EnvVariable("URL", True, True, "build", "where"))


def test_what_a_definition_leaves_out_follows_from_its_name(repository: Repository) -> None:
    repository.image("app")
    app = repository.load().image("app")
    assert (app.dockerfile, app.context) == ("dockerfiles/app.Dockerfile", "images/app")
    assert app.platforms == (Platform("linux", "amd64"),)
    with pytest.raises(KeyError):
        repository.load().image("other")


def test_images_are_ordered_by_name(repository: Repository) -> None:
    for name in ("b", "c", "a"):
        repository.image(name)
    assert [image.name for image in repository.load().images] == ["a", "b", "c"]


def test_an_unknown_key_is_named_with_the_one_that_was_meant(repository: Repository) -> None:
    repository.image("app", 'repositry = "x"')
    assert repository.mistakes() == ["images/app/image.toml: repositry: unknown key; did you mean 'repository'?"]


def test_an_unknown_key_in_a_table_is_named_with_its_dotted_path(repository: Repository) -> None:
    repository.image("app", run='user = "1"\nstop_second = 3\n[env.URL]\nsecrets = true')
    assert repository.mistakes() == [
        "images/app/image.toml: run.stop_second: unknown key; did you mean 'stop_seconds'?",
        "images/app/image.toml: env.URL.secrets: unknown key; did you mean 'secret'?",
    ]


@pytest.mark.parametrize(
    ("more", "run", "mistake"),
    [
        ("target = 3", 'user = "1"', "target: must be a string"),
        ('needs = "base"', 'user = "1"', "needs: must be a list"),
        ("needs = [1]", 'user = "1"', "needs[0]: must be a string"),
        ("args = []", 'user = "1"', "args: must be a table"),
        ("args = { A = 1 }", 'user = "1"', "args.A: must be a string"),
        ("budget = 3", 'user = "1"', "budget: must be a table"),
        ('budget = { compressed = "12 XB" }', 'user = "1"', 'budget.compressed: must be a size such as "60 MB"'),
        ("budget = { compressed = 12 }", 'user = "1"', 'budget.compressed: must be a size such as "60 MB"'),
        ('platforms = ["linux"]', 'user = "1"', "platforms[0]: not a platform (os/architecture[/variant]): 'linux'"),
        ("platforms = []", 'user = "1"', "platforms: must name at least one platform"),
        ("", "user = 1", "run.user: must be a string"),
        ("", "port = 1", "run.user: is required"),
        ("", 'user = "1"\nport = "80"', "run.port: must be a whole number"),
        ("", 'user = "1"\nport = true', "run.port: must be a whole number"),
        ("", 'user = "1"\n[env.X]\nsecret = "yes"', "env.X.secret: must be true or false"),
        ("", 'user = "1"\n[env.X]\nwhen = "now"', "env.X.when: must be 'build' or 'run', not 'now'"),
    ],
)
def test_a_wrong_value_is_named_with_its_dotted_path(repository: Repository, more: str, run: str, mistake: str) -> None:
    repository.image("app", more, run=run)
    assert repository.mistakes() == [f"images/app/image.toml: {mistake}"]


def test_two_mistakes_in_one_file_are_both_reported(repository: Repository) -> None:
    repository.image("app", 'target = 3\ntitel = "x"')
    assert repository.mistakes() == [
        "images/app/image.toml: target: must be a string",
        "images/app/image.toml: titel: unknown key; did you mean 'title'?",
    ]


def test_mistakes_in_several_files_are_reported_in_one_go(repository: Repository) -> None:
    repository.image("app", "target = 3", run='user = "1"')
    repository.image("web", 'dockerfile = "nowhere"')
    repository.write("images/bases.toml", "[[base]]\nname = 3\n")
    repository.write("pyproject.toml", '[tool.imagewright]\nprofil = "ci"\n')
    assert repository.mistakes({"IMAGEWRIGHT_PROFILE": "prod"}) == [
        "environment: IMAGEWRIGHT_PROFILE: must be 'local', 'ci' or 'release', not 'prod'",
        "pyproject.toml: tool.imagewright.profil: unknown key; did you mean 'profile'?",
        "images/app/image.toml: target: must be a string",
        "images/web/image.toml: dockerfile: 'nowhere' does not exist",
        "images/bases.toml: base[0].name: must be a string",
        "images/bases.toml: base[0].source: is required",
    ]


def test_malformed_toml_is_named_with_its_line(repository: Repository) -> None:
    repository.image("app")
    repository.write("images/app/image.toml", 'name = "app"\ntitle = \n')
    (mistake,) = repository.mistakes()
    assert mistake.startswith("images/app/image.toml: is not TOML: ")
    assert "line 2" in mistake


def test_a_file_that_is_not_text_cannot_be_read(repository: Repository) -> None:
    repository.image("app")
    (repository.root / "images/app/image.toml").write_bytes(b'name = "\xff"')
    (mistake,) = repository.mistakes()
    assert mistake.startswith("images/app/image.toml: cannot be read: ")


def test_a_folder_in_place_of_a_file_cannot_be_read(repository: Repository) -> None:
    (repository.root / "images/bases.lock").mkdir(parents=True)
    (mistake,) = repository.mistakes()
    assert mistake.startswith("images/bases.lock: cannot be read: ")


def test_a_file_without_permission_cannot_be_read(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = repository.write("images/bases.lock", "")
    read_text = Path.read_text

    def refuse(path: Path, *words: str) -> str:
        if path == lock:
            raise PermissionError(13, "Permission denied")
        return read_text(path, *words)

    monkeypatch.setattr(Path, "read_text", refuse)  # the tests may run as root, who reads everything
    assert repository.mistakes() == ["images/bases.lock: cannot be read: [Errno 13] Permission denied"]


@pytest.mark.parametrize(("key", "value"), [("dockerfile", "dockerfiles/none"), ("context", "images/none")])
def test_a_missing_file_is_named(repository: Repository, key: str, value: str) -> None:
    repository.image("app", f'{key} = "{value}"')
    assert repository.mistakes() == [f"images/app/image.toml: {key}: {value!r} does not exist"]


def test_a_folder_is_no_dockerfile_and_a_file_is_no_context(repository: Repository) -> None:
    repository.image("app", 'dockerfile = "images"\ncontext = "dockerfiles/app.Dockerfile"')
    assert repository.mistakes() == [
        "images/app/image.toml: dockerfile: 'images' does not exist",
        "images/app/image.toml: context: 'dockerfiles/app.Dockerfile' does not exist",
    ]


@pytest.mark.parametrize("value", ["..", "../repository-of-others", "images/../../x", "/etc"])
def test_a_path_must_stay_in_the_repository(repository: Repository, value: str) -> None:
    repository.image("app", f'context = "{value}"')
    assert repository.mistakes() == [f"images/app/image.toml: context: {value!r} leads out of the repository"]


def test_a_link_must_stay_in_the_repository_too(repository: Repository) -> None:
    outside = repository.root.parent / "outside"
    outside.write_text("FROM scratch\n")
    repository.image("app")
    (repository.root / "dockerfiles/app.Dockerfile").unlink()
    (repository.root / "dockerfiles/app.Dockerfile").symlink_to(outside)
    assert repository.mistakes() == [
        "images/app/image.toml: dockerfile: 'dockerfiles/app.Dockerfile' leads out of the repository"
    ]


def test_a_link_inside_the_repository_is_followed(repository: Repository) -> None:
    repository.image("app")
    (repository.root / "dockerfiles/app.Dockerfile").rename(repository.root / "elsewhere")
    (repository.root / "dockerfiles/app.Dockerfile").symlink_to("../elsewhere")
    assert repository.load().image("app").dockerfile == "dockerfiles/app.Dockerfile"


def test_a_repository_reached_through_a_link_is_itself(repository: Repository) -> None:
    repository.image("app")
    link = repository.root.parent / "link"
    link.symlink_to(repository.root)
    assert [image.name for image in config.load(link, {}).images] == ["app"]


def test_text_that_cannot_be_a_path_is_a_mistake_not_a_crash(repository: Repository) -> None:
    repository.image("app", f'dockerfile = "a\\u0000b"\ncontext = "{"x" * 5000}"')
    mistakes = repository.mistakes()
    assert [mistake.partition(": is no path: ")[0] for mistake in mistakes] == [
        "images/app/image.toml: dockerfile",
        "images/app/image.toml: context",
    ]


def test_a_circle_of_links_is_a_mistake_not_a_crash(repository: Repository) -> None:
    repository.image("app", 'context = "round"')
    (repository.root / "round").symlink_to("round")
    (mistake,) = repository.mistakes()
    assert mistake.startswith("images/app/image.toml: context: ")


@pytest.mark.parametrize("name", ["App", "a_b", "-a", "a" * 64])
def test_a_name_is_lower_case_letters_digits_and_dashes(repository: Repository, name: str) -> None:
    repository.image(name)
    mistake = f"images/{name}/image.toml: name: must be lower-case letters, digits and dashes"
    assert mistake in repository.mistakes()


def test_two_images_cannot_have_one_name(repository: Repository) -> None:
    repository.image("app")
    repository.image("web")
    repository.write("images/web/image.toml", 'name = "app"\ntitle = "T"\nrepository = "x"\n[run]\nuser = "1"\n')
    assert repository.mistakes() == ["images/web/image.toml: name: must be the folder's name, 'web', not 'app'"]


def test_two_images_cannot_have_one_repository(repository: Repository) -> None:
    repository.image("app", repository="todo/same")
    repository.image("web", repository="todo/same")
    assert repository.mistakes() == [
        "images/web/image.toml: repository: 'todo/same' is also the repository in images/app/image.toml"
    ]


@pytest.mark.parametrize("junk", ["Todo/app", "todo/", "todo/app:1", "todo app"])
def test_a_repository_is_a_name_registries_accept(repository: Repository, junk: str) -> None:
    repository.image("app", repository=junk)
    assert repository.mistakes() == [f"images/app/image.toml: repository: not a repository name: {junk!r}"]


def test_a_cycle_is_drawn(repository: Repository) -> None:
    repository.image("a", 'needs = ["b"]')
    repository.image("b", 'needs = ["c"]')
    repository.image("c", 'needs = ["a"]')
    assert repository.mistakes() == ["images/a/image.toml: needs: a cycle: a → b → c → a"]


def test_a_cycle_is_drawn_without_the_way_that_leads_to_it(repository: Repository) -> None:
    repository.image("a", 'needs = ["b"]')
    repository.image("b", 'needs = ["b"]')
    assert repository.mistakes() == ["images/b/image.toml: needs: a cycle: b → b"]


def test_two_ways_to_one_image_are_no_cycle(repository: Repository) -> None:
    repository.image("a", 'needs = ["b", "c"]')
    repository.image("b", 'needs = ["c"]')
    repository.image("c")
    assert len(repository.load().images) == 3


def test_an_unknown_need_is_named_with_the_image_that_was_meant(repository: Repository) -> None:
    repository.image("app", 'needs = ["web", "base-pyton"]')
    repository.image("web")
    repository.image("base-python")
    assert repository.mistakes() == [
        "images/app/image.toml: needs[1]: no image 'base-pyton'; did you mean 'base-python'?"
    ]


def test_a_need_whose_own_file_is_broken_is_not_reported_twice(repository: Repository) -> None:
    repository.image("app", 'needs = ["base"]')
    repository.image("base", "target = 3")
    assert repository.mistakes() == ["images/base/image.toml: target: must be a string"]


LOCK = """
[[base]]
name = "debian:trixie-slim"
platform = "{platform}"
source = "bootstrap"
digest = "{digest}"
locked = "2026-01-02"
epoch = 1767312000
"""


def test_bases_and_their_lock_are_read(repository: Repository) -> None:
    repository.write(
        "images/bases.toml", '[[base]]\nname = "debian:trixie-slim"\nsource = "bootstrap"\nsuite = "trixie"\n'
    )
    repository.write("images/bases.lock", LOCK.format(platform="linux/amd64", digest=f"sha256:{HEX}"))
    project = repository.load()
    assert project.bases[0].suite == "trixie"
    assert (project.locked[0].platform, project.locked[0].digest) == (Platform("linux", "amd64"), Digest(HEX))


def test_a_bad_platform_and_a_bad_digest_in_the_lock_are_both_named(repository: Repository) -> None:
    repository.write("images/bases.lock", LOCK.format(platform="amd64", digest="sha256:abc"))
    assert repository.mistakes() == [
        "images/bases.lock: base[0].platform: not a platform (os/architecture[/variant]): 'amd64'",
        "images/bases.lock: base[0].digest: not a sha256 digest: 'abc'",
    ]


def test_a_base_comes_from_a_source_there_is(repository: Repository) -> None:
    repository.write("images/bases.toml", '[[base]]\nname = "debian"\nsource = "docker"\n')
    assert repository.mistakes() == [
        "images/bases.toml: base[0].source: must be 'bootstrap' or 'registry', not 'docker'"
    ]


SETTINGS = (
    '[tool.imagewright]\nregistry = "host.example/team"\nprofile = "ci"\n[tool.imagewright.scan]\ntimeout_seconds = 9\n'
)


def test_settings_come_from_the_projects_own_file(repository: Repository) -> None:
    repository.write("pyproject.toml", SETTINGS)
    assert repository.load().settings == Settings("host.example/team", profile="ci", scan=ScanSettings("", 9))


def test_the_environment_overrides_the_file(repository: Repository) -> None:
    repository.write("pyproject.toml", SETTINGS)
    environ = {
        "IMAGEWRIGHT_REGISTRY": "other.example",
        "IMAGEWRIGHT_PROFILE": "release",
        "IMAGEWRIGHT_ENGINE": "environment",
        "IMAGEWRIGHT_SOURCE_URL": "https://git.example/x",
        "IMAGEWRIGHT_CA_BUNDLE": "/ca.crt",
        "IMAGEWRIGHT_INSECURE": "a.example:80, b.example,",
        "IMAGEWRIGHT_DATABASE": "/db",
    }
    assert repository.load(environ).settings == Settings(
        "other.example",
        ("a.example:80", "b.example"),
        "release",
        "environment",
        "https://git.example/x",
        "/ca.crt",
        ScanSettings("/db", 9),
    )


def test_an_empty_variable_is_no_override(repository: Repository) -> None:
    repository.write("pyproject.toml", SETTINGS)
    assert repository.load({"IMAGEWRIGHT_PROFILE": "", "IMAGEWRIGHT_DATABASE": ""}).settings.profile == "ci"


def test_a_bad_variable_is_called_by_its_name(repository: Repository) -> None:
    assert repository.mistakes({"IMAGEWRIGHT_PROFILE": "prod", "IMAGEWRIGHT_ENGINE": "podman"}) == [
        "environment: IMAGEWRIGHT_PROFILE: must be 'local', 'ci' or 'release', not 'prod'",
        "environment: IMAGEWRIGHT_ENGINE: must be 'auto', 'environment' or 'embedded', not 'podman'",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[tool]\nimagewright = 3", "tool.imagewright: must be a table"),
        ("[tool.imagewright]\nscan = 3", "tool.imagewright.scan: must be a table"),
        (
            '[tool.imagewright]\nscan = { databse = "" }',
            "tool.imagewright.scan.databse: unknown key; did you mean 'database'?",
        ),
        (
            '[tool.imagewright]\nprofile = "prod"',
            "tool.imagewright.profile: must be 'local', 'ci' or 'release', not 'prod'",
        ),
    ],
)
def test_a_bad_setting_is_named_with_its_dotted_path(repository: Repository, text: str, mistake: str) -> None:
    repository.write("pyproject.toml", text)
    assert repository.mistakes({"IMAGEWRIGHT_DATABASE": "/db"}) == [f"pyproject.toml: {mistake}"]


FEED = f'{{ file = "feeds/kev.json", sha256 = "sha256:{"0" * 64}", date = 2026-11-19 }}'


def test_feeds_are_named_with_their_hash_and_date(repository: Repository) -> None:
    repository.write("pyproject.toml", f"[tool.imagewright.feeds]\nkev = {FEED}\n")
    kev = FeedFile("feeds/kev.json", Digest("0" * 64), date(2026, 11, 19))
    assert repository.load().settings.feeds == FeedSettings(kev=kev)


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("kev =", "kevv =", "kevv: unknown key; did you mean 'kev'?"),
        ("file =", "path =", "kev.path: unknown key"),
        (", date = 2026-11-19", "", "kev.date: is required"),
        ("2026-11-19", '"yesterday"', "kev.date: "),
        ("sha256:", "", "kev.sha256: not a sha256 digest"),
    ],
)
def test_a_feed_without_its_hash_or_date_is_a_mistake(repository: Repository, old: str, new: str, mistake: str) -> None:
    repository.write("pyproject.toml", f"[tool.imagewright.feeds]\nkev = {FEED}\n".replace(old, new))
    assert any(found.startswith(f"pyproject.toml: tool.imagewright.feeds.{mistake}") for found in repository.mistakes())


def test_other_tools_settings_are_theirs(repository: Repository) -> None:
    repository.write("pyproject.toml", "tool = 3\n")
    assert repository.load().settings == Settings()


@pytest.mark.parametrize(
    ("text", "size"),
    [("0 B", 0), ("1kB", 1000), ("60 MB", 60_000_000), ("1.5 GB", 1_500_000_000), ("1 KiB", 1024), ("2 GiB", 2 << 30)],
)
def test_sizes_have_decimal_and_binary_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("junk", ["", "60", "60 mb", "-1 MB", "1,5 MB", "MB", 60, None, "60 MB "])
def test_a_size_without_a_unit_is_refused(junk: object) -> None:
    with pytest.raises(ValueError, match="must be a size"):
        parse_size(junk)
