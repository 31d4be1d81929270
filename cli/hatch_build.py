"""Puts the client into the wheel of the command line, so that no registry is asked for `darkroom-client`."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class IncludeClient(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """Adds the client to the wheel: from the checkout, or from the source distribution, which contains a copy.

    Hatch's static force-include can name only one of the two folders. An editable install needs neither: it uses the
    client's source folder itself.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds a wheel."""
        if version == "editable":
            return
        folders = (Path(self.root, "../client/src/darkroom_client"), Path(self.root, "client/darkroom_client"))
        client = next(folder.resolve() for folder in folders if folder.is_dir())
        build_data["force_include"][str(client)] = "darkroom_client"
