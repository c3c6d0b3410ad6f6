"""What each step depends on: one function a step, which lists the named parts of its key. Pure.

A part that is missing here lets something stale stand for new; a part too many does work twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from imagewright import inputkey
from imagewright.inputkey import InputKey, Part
from imagewright.model.findings import Database, NotChecked, ToolIdentity
from imagewright.model.records import Source
from imagewright.plan import Target
from imagewright.reference import Digest

_REVISIONS = {"build": 2, "gather": 1, "lint": 3, "scan": 5, "facts": 3, "verdict": 2, "report": 2, "push": 1}
"""One more when this program does a step in another way, so that nothing made earlier stands for it."""

_DATABASE = "database"
_FILES = ("Dockerfile ", "ignore file ", "file ", "folder ", "link ", "hard link ", "special file ")

Parts = Iterator[Part]


def build(
    target: Target,
    files: Iterable[Part],
    needs: Mapping[str, Digest],
    builder: Iterable[ToolIdentity],
) -> InputKey:
    """Everything that ends in an image's bytes, wherever and whenever it is built.

    ``files`` are Dockerfile, ignore file and context; ``needs`` the build keys of the images it stands on. What a
    definition says of budgets, users or variables of the container is judged, and changes no byte.
    """
    image, source = target.image, target.source

    def parts() -> Parts:
        yield "target", image.target
        yield "platforms", " ".join(map(str, image.platforms))
        for name in ("title", "description", "licenses"):
            yield name, getattr(image, name)
        for name, value in image.args:
            yield f"argument {name}", value
        for name, value in image.labels:
            yield f"label {name}", value
        yield from _source(source)
        for context in target.bases:
            yield f"base {context.base.name}", str(context.base.digest)
        yield "base named in the labels", target.bases[0].base.name if target.bases else ""
        for need, key in needs.items():
            yield f"image {need}", str(key)
        yield from _tools(builder)
        yield from files

    return _of("build", parts())


def received(build: InputKey) -> Digest:
    """The digest of all that a build receives from the repository, from the parts of its key."""
    return InputKey(tuple([part for part in build.parts if part[0].startswith(_FILES)])).digest


def gather(definition: Digest, received: Digest, workflows: Iterable[Part], git: str) -> InputKey:
    """The facts of an image's sources: its definition, what its build receives, the workflows, and git's word."""
    return _of("gather", [("definition", str(definition)), ("sources", str(received)), ("git", git), *workflows])


def lint(dockerfile: str, content: Digest, needs: Iterable[str], linter: Digest) -> InputKey:
    """The findings about one Dockerfile: its name stands in each of them, and none asks an image it needs for a tag.

    ``linter`` is the digest of its binary.
    """
    needed = ((f"need {name}", "") for name in sorted(needs))
    return _of("lint", [(f"file {dockerfile}", str(content)), *needed, ("tool hadolint", str(linter))])


def scan(
    subject: Digest, name: str, source: Source, scanner: ToolIdentity, database: Database | NotChecked
) -> InputKey:
    """A scan and its bills of materials: these carry the image's name and are dated with its source."""
    known = f"not checked: {database.reason}" if isinstance(database, NotChecked) else _database(database)
    parts = [("image", str(subject)), ("name", name), ("source date", str(source.epoch)), (_DATABASE, known)]
    return _of("scan", [*parts, *_tools([scanner])])


def sboms(scan: InputKey) -> Digest:
    """The digest of all that bills of materials depend on, from the parts of a scan's key: not on the database."""
    return InputKey(tuple(part for part in scan.parts if part[0] != _DATABASE)).digest


def facts(definition: Digest, feeds: Digest, records: Mapping[str, Digest]) -> InputKey:
    """The facts of an image: its definition, the feeds, and the digest of each record they are taken from."""
    return _of("facts", [("definition", str(definition)), ("feeds", str(feeds)), *_digests("record", records)])


def verdict(facts: Digest, history: Digest | None, policy: Iterable[Part], *, profile: str, day: date) -> InputKey:
    """A verdict: facts, what came before the image, policy files (name and text), profile, and the day.

    Nothing is let out by this key, it only says what changed: rules count some ages in hours, and over all images of a
    run it is settled whether a waiver is used by anybody.
    """
    parts = [
        ("facts", str(facts)),
        ("history", str(history or "none")),
        ("profile", profile),
        ("day", day.isoformat()),
    ]
    return _of("verdict", [*parts, *((f"file {name}", str(Digest.of(text.encode()))) for name, text in policy)])


def report(definition: Digest, records: Mapping[str, Digest], compared: Digest, renderers: Digest) -> InputKey:
    """The pages of an image: its definition, every record of it, what came of comparing it, and what lays them out."""
    parts = [("definition", str(definition)), ("comparison", str(compared)), ("renderers", str(renderers))]
    return _of("report", [*parts, *_digests("record", records)])


def push(root: Digest, destination: str, tags: Iterable[str]) -> InputKey:
    """What a registry is to have: the digest, where, and the tags that stand for it there."""
    return _of("push", [("image", str(root)), ("destination", destination), *((f"tag {tag}", "") for tag in tags)])


def _of(step: str, parts: Iterable[Part]) -> InputKey:
    return inputkey.of([("step", f"{step} {_REVISIONS[step]}"), *parts])


def _source(source: Source) -> Parts:
    yield "revision", source.revision
    yield "source date", str(source.epoch)
    yield "source url", source.url


def _tools(tools: Iterable[ToolIdentity]) -> Parts:
    for tool in tools:
        yield f"tool {tool.name}", f"{tool.version} {tool.sha256 or ''}".rstrip()


def _database(database: Database) -> str:
    return f"{database.sha256} of {database.updated_at}"


def _digests(kind: str, records: Mapping[str, Digest]) -> Parts:
    for name, digest in records.items():
        yield f"{kind} {name}", str(digest)
