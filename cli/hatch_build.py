"""Puts client and bridge into the wheel of the command line, so that no registry is asked for names of ours."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("client", "bridge")
"""The folders whose package goes along: `client/src/darkroom_client` and so on."""


class IncludePackages(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """Adds the packages to the wheel: from the checkout, or from the source distribution, which contains copies.

    Hatch's static force-include can name only one of the two folders. An editable install needs neither: it uses the
    source folders themselves.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds a wheel."""
        if version == "editable":
            return
        for name in PACKAGES:
            package = f"darkroom_{name}"
            folders = (Path(self.root, f"../{name}/src", package), Path(self.root, name, package))
            found = next(folder.resolve() for folder in folders if folder.is_dir())
            build_data["force_include"][str(found)] = package
