"""Puts the client into the wheel of the command line, so that no registry is asked for `darkroom-client`."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class IncludeClient(BuildHookInterface):  # type: ignore[type-arg, misc, unused-ignore]
    """Hatch's force-include for the client: out of the checkout, or out of the source distribution it was put into.

    A static force-include can name one of the two places only. An editable install takes neither: it leads to the
    client's source folder.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds a wheel."""
        if version == "editable":
            return
        places = (Path(self.root, "../client/src/darkroom_client"), Path(self.root, "client/darkroom_client"))
        client = next(place.resolve() for place in places if place.is_dir())
        build_data["force_include"][str(client)] = "darkroom_client"
