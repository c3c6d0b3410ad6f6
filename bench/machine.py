"""On what the figures were taken."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bench.lab import ROOT
from imagewright.model.findings import ToolIdentity
from imagewright.tools import hadolint, process, trivy
from imagewright.tools.engine import Engine


def describe(engine: Engine) -> str:
    """The machine, the programs and the commit, as a Markdown section."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    git = process.find("git")
    commit = subprocess.run(
        (git, "describe", "--always", "--dirty", "--abbrev=12"), cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    lines = (
        f"date: {datetime.now(UTC).date()}, commit {commit}",
        f"machine: {os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GiB, "
        f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        f"engine: embedded, Docker {engine.version}, buildx {engine.buildx}",
        f"programs: {_named(trivy.identity())}, {_named(hadolint.find().identity)}, "
        f"Python {platform.python_version()}, invoke {metadata.version('invoke')}",
    )
    return "## Where\n\n" + "".join(f"- {line}\n" for line in lines)


def _named(tool: ToolIdentity) -> str:
    return f"{tool.name} {tool.version}"
