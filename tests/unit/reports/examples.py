"""Two reports as real runs leave them: one refused with everything in it, one passed without a database."""

from __future__ import annotations

from dataclasses import replace

from imagewright.model.definition import Budget, ImageDefinition, RunContract
from imagewright.model.findings import (
    Database,
    LicenceFinding,
    Lint,
    LintFinding,
    Misconfiguration,
    NotChecked,
    Package,
    Scan,
    Secret,
    ToolIdentity,
    Vulnerability,
)
from imagewright.model.history import Change, Disclosure, Gates
from imagewright.model.image import Layer
from imagewright.model.judged import ImageReport
from imagewright.model.records import Build, Sbom, SbomCoverage, Source, UsedBase
from imagewright.model.verdict import Excused, RuleResult, Verdict, Waiver
from imagewright.reference import Digest, Platform

HOSTILE = "<script>alert(1)</script>|`x`](https://evil.example)\x1b[31m\u202ecod.exe\x00\"'&\udcff"
NO_CATALOGUE = "no catalogue of known exploited vulnerabilities is configured"
NO_DATABASE = "no database: mirror.example/trivy-db:2 is out of reach (connection refused)"

PLATFORM = Platform("linux", "amd64")


def digest(text: str) -> Digest:
    return Digest.of(text.encode("utf-8", "surrogateescape"))


def coverage(components: int, supplied: int, licensed: int) -> SbomCoverage:
    elements = {"supplier": supplied, **dict.fromkeys(("name", "version", "identifier", "relationship"), components)}
    counts = (*elements.items(), ("hash", 0), ("licence", licensed))
    score = 100 * sum(count for _, count in counts) // (components * len(counts))
    return SbomCoverage(components, counts, incomplete=(), missing=("author",), score=score)


def rule(id: str, title: str, severity: str = "high") -> RuleResult:
    return RuleResult(id, title, "must", severity, "pass", blocking=False, message="", remedy="")


TRIVY = ToolIdentity("trivy", "0.76.0", digest("trivy"))
HADOLINT = ToolIdentity("hadolint", "2.15.1", digest("hadolint"))
BUILDERS = (ToolIdentity("buildkit", "0.29.0"), ToolIdentity("buildx", "0.33.0", digest("buildx")))

DEBIAN = """base-files 13.8+deb13u1|ca-certificates 20250419|gcc-14-base 14.2.0-19|libacl1 2.3.2-2|libbz2-1.0 1.0.8-6
libc6 2.41-12|libcrypt1 1:4.4.38-1|libdb5.3t64 5.3.28+dfsg2-9|libexpat1 2.7.1-2|libffi8 3.4.8-2|libgcc-s1 14.2.0-19
liblzma5 5.8.1-1|libncursesw6 6.5+20250216-2|libpython3.13-minimal 3.13.5-2|libpython3.13-stdlib 3.13.5-2
libreadline8t64 8.2-6|libsqlite3-0 3.46.1-7|libssl3t64 3.5.1-1|libstdc++6 14.2.0-19|libtinfo6 6.5+20250216-2
libuuid1 2.41-5|media-types 13.0.0|netbase 6.5|openssl-provider-legacy 3.5.1-1|python3.13-minimal 3.13.5-2
python3.13 3.13.5-2|readline-common 8.2-6|tzdata 2025b-4|zlib1g 1:1.3.dfsg+really1.3.1-1+b1"""
PYTHON = """annotated-types 0.8.0|anyio 4.11.0|click 8.3.0|fastapi 0.119.1|h11 0.16.0|idna 3.11|jinja2 2.10
markupsafe 3.0.3|pydantic 2.12.3|pydantic-core 2.41.4|pyjwt 2.10.1|sqlalchemy 2.0.44|sqlmodel 0.0.27
starlette 0.48.0|typing-extensions 4.15.0|uvicorn 0.38.0"""
NODE = """@next/env 16.0.7|@swc/helpers 0.5.15|baseline-browser-mapping 2.8.20|caniuse-lite 1.0.30001751
client-only 0.0.1|nanoid 3.3.11|next 16.0.7|picocolors 1.1.1|postcss 8.4.31|react 19.2.1|react-dom 19.2.1
scheduler 0.27.0|source-map-js 1.2.1|styled-jsx 5.1.6|tslib 2.8.1|node 24.11.1"""


ROOTFS = "COPY /rootfs / # buildkit"
VENV = "COPY --from=build /opt/venv /opt/venv # buildkit"
LICENCES = ("GPL-2.0-or-later", "MIT")


def debian_packages() -> tuple[Package, ...]:
    brought = digest(f"tar {ROOTFS}")
    return tuple(
        Package(name, version, "os", "debian", f"pkg:deb/debian/{name}@{version}", "", LICENCES, brought)
        for name, version in _pairs(DEBIAN)
    )


def language_packages(names: str, type: str, purl: str, folder: str) -> tuple[Package, ...]:
    return tuple(
        Package(
            name,
            version,
            "language",
            type,
            f"pkg:{purl}/{name}@{version}",
            f"{folder}/{name}",
            ("MIT",),
            digest(f"tar {VENV}"),
        )
        for name, version in _pairs(names)
    )


def _pairs(names: str) -> list[tuple[str, str]]:
    lines = [item for line in names.splitlines() for item in line.split("|")]
    return [(name, version) for name, _, version in (line.partition(" ") for line in lines)]


def layer(created_by: str, compressed: int, uncompressed: int, files: int) -> Layer:
    return Layer(digest(f"gz {created_by}"), digest(f"tar {created_by}"), compressed, uncompressed, files, created_by)


BACKEND = ImageDefinition(
    name="backend",
    title="Todo backend",
    description="The HTTP API of the todo application.",
    repository="todo/backend",
    licenses="MIT",
    file="images/backend/image.toml",
    dockerfile="dockerfiles/backend.Dockerfile",
    context="images/backend",
    run=RunContract(user="65532:65532", port=8000, writable=("/tmp",), live="/health/live", ready="/health/ready"),
    budget=Budget(compressed=60_000_000, uncompressed=150_000_000),
)

BACKEND_LAYERS = (
    layer(ROOTFS, 22_481_920, 58_212_352, 2214),
    layer(VENV, 14_903_277, 49_861_120, 3127),
    layer("COPY --chown=0:0 app /srv/app # buildkit", 18_944, 71_680, 23),
    layer(f"RUN /bin/sh -c echo {HOSTILE} > /srv/motd # buildkit", 312, 2048, 1),
    layer("COPY keys /srv/keys # buildkit", 2_871, 8_192, 3),
    layer("RUN /bin/sh -c chmod 4755 /usr/bin/python3.13 # buildkit", 2_418_004, 7_012_352, 1),
)


TAKEN = Waiver(
    "CVE-2019-1010022", HOSTILE, "platform@todo.example", "2026-12-31", "policies/waivers.toml", image="backend"
)
UNREACHABLE = Waiver(
    "CVE-2011-3389",
    "every connection speaks TLS 1.3",
    "security@todo.example",
    "2026-12-31",
    "policies/waivers.toml",
    justification="vulnerable_code_not_in_execute_path",
)


def backend_results() -> tuple[RuleResult, ...]:
    setuid = tuple(f"/opt/tools/helper-{number:02} is setuid root (mode 4755)" for number in range(1, 13))
    return (
        RuleResult(
            "SEC-001",
            "The container never runs as root",
            "must",
            "critical",
            "fail",
            True,
            "the image runs as 0:0",
            "Put `USER 65532:65532` into the final stage of the Dockerfile.",
            ("config.user is 0:0",),
        ),
        rule("SEC-002", "USER is numeric uid:gid"),
        rule("SEC-006", "Every outside base is locked by digest"),
        RuleResult(
            "SEC-008",
            "No secret in any layer, in the history or in the configuration",
            "must",
            "critical",
            "fail",
            True,
            "2 secrets were found",
            "Mount the file with `--mount=type=secret` instead, and replace the secret: it is known now.",
            ("/srv/keys/deploy.pem:1 looks like an asymmetric private key", f"/srv/{HOSTILE}:3 looks like a token"),
        ),
        RuleResult(
            "SEC-012",
            "No critical vulnerability, no high one that has a fix",
            "must",
            "critical",
            "fail",
            True,
            "3 vulnerabilities of severity high or critical have a fix",
            "Update the packages named and lock them again.",
            (
                "CVE-2019-10906 jinja2 2.10 (high), fixed in 2.10.1",
                "CVE-2024-22195 jinja2 2.10 (high), fixed in 3.1.3",
                "CVE-2025-9230 libssl3t64 3.5.1-1 (critical), fixed in 3.5.1-1+deb13u1",
            ),
        ),
        RuleResult(
            "SEC-012.2",
            "No vulnerability nobody looked at",
            "should",
            "medium",
            "waived",
            False,
            "2 vulnerabilities are of severity medium or low",
            "Update the packages named, or have each waived.",
            ("CVE-2011-3389 libssl3t64 3.5.1-1 (medium)", "CVE-2019-1010022 libc6 2.41-12 (low)"),
            ("CVE-2011-3389, CVE-2019-1010022 until 2026-12-31 by platform@todo.example",),
            excused=(
                Excused("CVE-2019-1010022", "libc6", "2.41-12", "pkg:deb/debian/libc6@2.41-12", TAKEN),
                Excused("CVE-2011-3389", "libssl3t64", "3.5.1-1", "pkg:deb/debian/libssl3t64@3.5.1-1", UNREACHABLE),
                Excused("CVE-2011-3389", "libssl3t64", "3.5.1-1", "", UNREACHABLE),
            ),
        ),
        rule("SEC-015", "The scan names its scanner and its database"),
        RuleResult(
            "SEC-020",
            "No setuid file, no file capability, nothing world-writable",
            "must",
            "high",
            "fail",
            True,
            "13 files are setuid, setgid or carry capabilities",
            "Remove the bit in the stage that made the file: `chmod a-s`.",
            ("/usr/bin/python3.13 is setuid root (mode 4755)", *setuid),
        ),
        RuleResult(
            "SEC-021",
            "No shell in the final image",
            "should",
            "medium",
            "warn",
            False,
            "the image has 1 shell",
            "Start from base-python, which has none.",
            ("/usr/bin/dash",),
        ),
        rule("SEC-023", "A health check in exec form", severity="medium"),
        rule("SEC-024", "All required OCI labels", severity="low"),
        rule("SEC-025", "Bills of materials list OS and language packages"),
        RuleResult(
            "SEC-029",
            "No denied licence",
            "must",
            "medium",
            "waived",
            False,
            "1 package has a denied licence",
            "Replace the package, or ask for a waiver.",
            ("libreadline8t64 is under GPL-3.0-or-later",),
            ("SEC-029 until 2026-12-31 by platform@todo.example: linked by the Python interpreter only",),
        ),
        rule("SEC-030", "Exposed ports are those declared", severity="medium"),
        RuleResult(
            "SEC-032",
            "Runtime monitoring and admission control",
            "should",
            "medium",
            "not-checked",
            False,
            "",
            "",
            ("not checked here: the admission policy of the cluster",),
            elsewhere="the admission policy of the cluster",
        ),
        rule("BE-010", "The image stays within its size budget", severity="low"),
    )


def _vulnerabilities() -> tuple[Vulnerability, ...]:
    jinja = {"CVE-2019-10906": "2.10.1", "CVE-2024-22195": "3.1.3"}
    return (
        *(
            Vulnerability(
                id,
                "HIGH",
                "jinja2",
                "2.10",
                "language",
                "python-pkg",
                fixed,
                "fixed",
                "Sandbox escape through str.format_map",
                "pkg:pypi/jinja2@2.10",
                "/opt/venv/lib/python3.13/site-packages/jinja2",
                f"https://avd.aquasec.com/nvd/{id.lower()}",
                "ghsa",
                digest(f"tar {VENV}"),
                "ghsa",
                (("ghsa", "HIGH"), ("nvd", "CRITICAL")),
            )
            for id, fixed in jinja.items()
        ),
        Vulnerability(
            "CVE-2025-9230",
            "CRITICAL",
            "libssl3t64",
            "3.5.1-1",
            "os",
            "debian",
            "3.5.1-1+deb13u1",
            "fixed",
            "openssl: out-of-bounds read & write in RFC 3211 KEK unwrap",
            url="https://avd.aquasec.com/nvd/cve-2025-9230",
            layer=digest(f"tar {ROOTFS}"),
        ),
        Vulnerability("CVE-2011-3389", "MEDIUM", "libssl3t64", "3.5.1-1", "os", "debian", status="affected"),
        Vulnerability(
            "CVE-2019-1010022",
            "LOW",
            "libc6",
            "2.41-12",
            "os",
            "debian",
            status="will_not_fix",
            title=f"glibc: stack guard protection bypass {HOSTILE}",
            url="javascript:alert(1)",
        ),
    )


def _backend_scan(subject: Digest) -> Scan:
    return Scan(
        subject=subject,
        scanner=TRIVY,
        started_at="2026-11-20T11:16:40Z",
        isolation="network namespace without interfaces",
        database=Database(digest("db"), "2026-11-19T06:12:31Z", "ghcr.example/aquasecurity/trivy-db:2"),
        packages=(*debian_packages(), *language_packages(PYTHON, "python-pkg", "pypi", "/opt/venv")),
        vulnerabilities=_vulnerabilities(),
        secrets=(
            Secret("private-key", "AsymmetricPrivateKey", "Asymmetric private key", "HIGH", "/srv/keys/deploy.pem", 1),
            Secret("generic-token", "Token", "Token", "MEDIUM", f"/srv/{HOSTILE}", 3),
        ),
        misconfigurations=(
            Misconfiguration(
                "DS-0002",
                "HIGH",
                "Image user should not be root",
                "The last USER is root, which leads to\ncontainer escapes.",
                resolution="Add a USER line with a numeric id.",
                url="https://avd.aquasec.com/misconfig/ds-0002",
            ),
        ),
        licences=(LicenceFinding("GPL-3.0-or-later", "restricted", "HIGH", "libreadline8t64"),),
    )


def backend_gates() -> Gates:
    """Three disclosed findings, one of them overdue; what came in, what was there, and what is gone."""
    results = {result.rule: result for result in backend_results()}

    def change(rule: str, line: str) -> Change:
        found = results[rule]
        return Change(rule, found.title, found.level, found.outcome, line, found.blocking)

    return Gates(
        against=str(digest("released backend")),
        released_at="2026-11-03T08:15:00Z",
        note="its verdict was made with another policy",
        introduced=(
            change("SEC-001", "config.user is 0:0"),
            change("SEC-008", f"/srv/{HOSTILE}:3 looks like a token"),
        ),
        carried=(change("SEC-021", "/usr/bin/dash"),),
        gone=(change("SEC-021", "/usr/bin/bash"),),
        disclosed=(
            Disclosure(
                *("CVE-2025-9230", "CRITICAL", "libssl3t64", "3.5.1-1", "3.5.1-1+deb13u1"),
                *("2026-11-15T09:00:00Z", "2026-11-17T09:00:00Z", -4, "https://avd.aquasec.com/nvd/cve-2025-9230"),
            ),
            Disclosure(
                *("CVE-2024-22195", "HIGH", "jinja2", "2.10", "3.1.3"),
                *("2026-11-17T09:00:00Z", "2026-11-24T09:00:00Z", 3, "https://avd.aquasec.com/nvd/cve-2024-22195"),
            ),
            Disclosure(
                *("CVE-2019-1010022", "UNKNOWN", "libc6", f"2.41-12{HOSTILE}", ""),
                *("2026-11-20T09:00:00Z", "", 0, "javascript:alert(1)"),
            ),
        ),
    )


def backend() -> ImageReport:
    """Refused: four rules block, one warns, one is waived, one cannot be checked; hostile text wherever it can be."""
    subject = digest("backend manifest")
    file = BACKEND.dockerfile
    return ImageReport(
        definition=BACKEND,
        build=Build(
            subject=subject,
            root=digest("backend index"),
            image="backend",
            platform=PLATFORM,
            source=Source(
                "8c181b2f0e6d4a7b9c3d5e1f2a4b6c8d0e2f4a6b-dirty", 1_795_172_400, True, "https://git.example/todo"
            ),
            bases=(
                UsedBase("debian:trixie-slim", "bootstrap", digest("debian"), digest("debian"), "2026-11-18T09:00:00Z"),
                UsedBase("docker.io/library/tool:1", "registry", digest("tool"), None),
            ),
            builder=BUILDERS,
            key=digest("backend key"),
            finished_at="2026-11-20T11:16:02Z",
            base_layers=1,
        ),
        layers=BACKEND_LAYERS,
        lint=Lint(
            file,
            HADOLINT,
            (
                LintFinding(file, 41, 1, "warning", "DL3002", "Last USER should not be root"),
                LintFinding(file, 12, 5, "info", "DL3059", f"Multiple consecutive `RUN` instructions {HOSTILE}"),
            ),
        ),
        scan=_backend_scan(subject),
        sboms=(
            Sbom("CycloneDX", "sbom.cdx.json", digest("cdx"), 29, 16, coverage(45, 29, 43)),
            Sbom("SPDX", "sbom.spdx.json", digest("spdx"), 29, 16, coverage(45, 29, 43)),
        ),
        verdict=Verdict(
            subject,
            "ci",
            "2026-11-20",
            False,
            digest("backend facts"),
            digest("policy"),
            backend_results(),
            "2026-11-20T11:20:00+00:00",
            inapplicable=("FE-005", "FE-011"),
        ),
        gates=backend_gates(),
    )


FRONTEND = ImageDefinition(
    name="frontend",
    title="Todo frontend",
    description="The web pages of the todo application.",
    repository="todo/frontend",
    licenses="MIT",
    file="images/frontend/image.toml",
    dockerfile="dockerfiles/frontend.Dockerfile",
    context="images/frontend",
    run=RunContract(user="65532:65532", port=3000),
    budget=Budget(compressed=70_000_000, uncompressed=200_000_000),
)


def frontend_results() -> tuple[RuleResult, ...]:
    def unknown(id: str, title: str, *checks: str) -> RuleResult:
        reasons = {"kev": NO_CATALOGUE, "rebuild": "./inv build --verify was not run for this digest"}
        lines = tuple(f"{check}: not checked ({reasons.get(check, NO_DATABASE)})" for check in checks)
        return replace(rule(id, title), outcome="not-checked", remedy="Update the packages named.", evidence=lines)

    titles = {
        "SEC-001": "The container never runs as root",
        "SEC-002": "USER is numeric uid:gid",
        "SEC-006": "Every outside base is locked by digest",
        "SEC-008": "No secret in any layer, in the history or in the configuration",
        "SEC-020": "No setuid file, no file capability, nothing world-writable",
        "SEC-021": "No shell in the final image",
        "SEC-023": "A health check in exec form",
        "SEC-024": "All required OCI labels",
        "SEC-025": "Bills of materials list OS and language packages",
        "SEC-029": "No denied licence",
        "SEC-030": "Exposed ports are those declared",
        "FE-005": "A Node line in long-term support",
        "FE-011": "The image stays within its size budget",
        "FE-016": "No source maps, tests or build cache",
    }
    return (
        *(rule(id, title) for id, title in titles.items()),
        unknown("SEC-012", "No critical vulnerability, no high one that has a fix", "vulnerabilities"),
        unknown("SEC-012.4", "No vulnerability that is known to be exploited", "kev", "vulnerabilities"),
        unknown("SEC-015.2", "The vulnerability database is of this week", "database"),
        unknown("SEC-028", "A second build gives the same image", "rebuild"),
    )


def frontend() -> ImageReport:
    """Passed under the local profile, but nobody looked for vulnerabilities."""
    subject = digest("frontend manifest")
    return ImageReport(
        definition=FRONTEND,
        build=Build(
            subject=subject,
            root=subject,
            image="frontend",
            platform=PLATFORM,
            source=Source("8c181b2f0e6d4a7b9c3d5e1f2a4b6c8d0e2f4a6b", 1_795_172_400, False),
            bases=(
                UsedBase("debian:trixie-slim", "bootstrap", digest("debian"), digest("debian"), "2026-11-18T09:00:00Z"),
            ),
            builder=BUILDERS,
            key=digest("frontend key"),
            finished_at="2026-11-20T11:17:21Z",
        ),
        layers=(
            layer("COPY /rootfs / # buildkit", 9_214_201, 23_891_968, 812),
            layer("COPY --from=node /opt/node/bin/node /usr/bin/node # buildkit", 43_771_006, 122_204_160, 1),
            layer("COPY --from=build /src/.next/standalone /srv # buildkit", 9_871_330, 38_502_400, 1649),
            layer("COPY --from=build /src/.next/static /srv/.next/static # buildkit", 281_442, 921_600, 31),
            layer("COPY public /srv/public # buildkit", 4_310, 9_216, 4),
            layer("COPY seal.mjs /srv/seal.mjs # buildkit", 921, 2_560, 1),
        ),
        lint=Lint(FRONTEND.dockerfile, HADOLINT, ()),
        scan=Scan(
            subject=subject,
            scanner=TRIVY,
            started_at="2026-11-20T11:17:55Z",
            isolation="network namespace without interfaces",
            database=NotChecked(NO_DATABASE),
            packages=(
                *debian_packages()[:16],
                *language_packages(NODE, "node-pkg", "npm", "/srv/node_modules"),
            ),
            vulnerabilities=NotChecked(NO_DATABASE),
            secrets=(),
            misconfigurations=(),
            licences=(),
        ),
        sboms=(
            Sbom("CycloneDX", "sbom.cdx.json", digest("cdx frontend"), 16, 16, coverage(32, 16, 30)),
            Sbom("SPDX", "sbom.spdx.json", digest("spdx frontend"), 16, 16, coverage(32, 16, 30)),
        ),
        verdict=Verdict(
            subject, "local", "2026-11-20", True, digest("frontend facts"), digest("policy"), frontend_results()
        ),
    )


EXAMPLES = {"backend": backend(), "frontend": frontend()}
