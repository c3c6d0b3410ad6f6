"""Where images go: the configured registry, or the local one, and who speaks to it."""

from __future__ import annotations

from pathlib import Path

from imagewright.errors import ConfigurationError, PolicyRefused, Problem
from imagewright.flow.workspace import Workspace
from imagewright.model.definition import ImageDefinition
from imagewright.oci.registry_auth import Credentials
from imagewright.oci.registry_client import RegistryClient
from imagewright.reference import Reference
from imagewright.tools import local_registry


def references(
    workspace: Workspace, images: tuple[ImageDefinition, ...], *, loopback_only: bool
) -> dict[str, Reference]:
    """The name each image is pushed under, without tag; the local registry is started when it is the one.

    ``loopback_only`` is what the profile says; raises PolicyRefused when the registry is elsewhere.
    """
    setting = workspace.project.settings.registry
    prefix = local_registry.start().address if setting == "local" else setting
    found = {}
    for image in images:
        try:
            found[image.name] = Reference.parse(f"{prefix}/{image.repository}")
        except ValueError as error:
            problem = Problem("pyproject.toml", "tool.imagewright.registry", str(error))
            raise ConfigurationError([problem], hint='"local", or host[:port][/prefix]') from error
    away = [reference for reference in found.values() if not reference.is_loopback]
    if away and loopback_only:
        raise PolicyRefused(
            f"the profile {workspace.project.settings.profile} never pushes beyond this machine",
            why=f"{away[0].registry} is not on loopback",
            hint="judge and push with --profile ci or --profile release",
        )
    return found


def client_for(workspace: Workspace, registry: str) -> RegistryClient:
    """A client of one registry, with the credentials of the Docker configuration."""
    settings = workspace.project.settings
    ca_bundle = Path(settings.ca_bundle) if settings.ca_bundle else None
    return RegistryClient(
        registry, credentials=_credentials, insecure=registry in settings.insecure, ca_bundle=ca_bundle
    )


def _credentials(registry: str) -> Credentials | None:
    from imagewright.tools import engine  # for the few registries that ask who is there

    login = engine.credentials(registry)
    return None if login is None else Credentials(login.username, login.password, login.identity_token)
