"""Scans that begin while other images are still being built: each as soon as its own export is whole.

What is found is recorded under the key that ``scan`` asks for, and the image enters the store as always, when the solve
is over. What goes wrong here is not said: ``scan`` does it again, and says it.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imagewright import plan
from imagewright.errors import ImagewrightError
from imagewright.flow import dating
from imagewright.flow.scan import Subject, scanning
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition
from imagewright.oci.relayer import manifests
from imagewright.plan import Target
from imagewright.tools import isolation, trivy

_POLL_SECONDS = 0.2
_NEEDED_NEXT = (
    *("imagewright.tools.trivy_instructions", "imagewright.tools.trivy_layers", "imagewright.tools.trivy_sbom"),
    *("imagewright.flow.judge", "imagewright.facts", "imagewright.oci.layers"),
    *("imagewright.reports.index", "imagewright.reports.console", "imagewright.reports.document"),
    *("imagewright.reports.markdown", "imagewright.reports.sarif", "imagewright.reports.junit"),
    *("imagewright.flow.push", "imagewright.oci.registry", "cel_expr_python", "jinja2", "rich.table"),
)
"""What is loaded only where there is something to scan, to judge, to show or to push."""

Below = Callable[[ImageDefinition], dating.Dates]
"""The source dates of the layers that an image in the store begins with."""


@contextmanager
def looking(workspace: Workspace, targets: tuple[Target, ...], folder: Path, below: Below) -> Iterator[None]:
    """Scan what is exported to ``folder`` in the meantime; in the end, wait for the scans that have begun."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(workspace, targets, folder, below, over))
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(
    workspace: Workspace, targets: tuple[Target, ...], folder: Path, below: Below, over: threading.Event
) -> None:
    """Date and scan each export once it is there, those that others stand on first."""
    dates: dict[str, dating.Dates] = {}
    left = {target.image.name: target for target in targets}
    with suppress(ImagewrightError, OSError), scanning(workspace) as start:
        _get_ready()
        while left and not over.wait(_POLL_SECONDS):
            for name, target in tuple(left.items()):
                layout = folder / name
                base = _base(workspace, target.image)
                # The exporter writes the index last.
                if base in left or not (layout / "index.json").exists():
                    continue
                del left[name]
                known = dates[base] if base in dates else below(target.image)
                dates[name] = dating.date(workspace, dating.Export(name, layout, target.source.epoch, known))
                found = manifests(layout, name)
                for platform, manifest in found:
                    called = name if len(found) == 1 else f"{name}-{str(platform).replace('/', '-')}"
                    start(Subject(called, manifest.digest, name, target.source, layout))


def _get_ready() -> None:
    """Do while the engine works what a scan and all that follows it would otherwise begin with."""
    trivy.find()
    isolation.strongest()
    for name in _NEEDED_NEXT:
        importlib.import_module(name)


def _base(workspace: Workspace, image: ImageDefinition) -> str:
    """The image of this repository that an image stands on; empty when there is none."""
    text = (workspace.project.root / image.dockerfile).read_text("utf-8", "replace")
    name = plan.standing_on(image, text)
    return name if name in image.needs else ""
