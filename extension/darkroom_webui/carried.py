"""Finding the client: in the packed extension it lies beside this package, in a checkout in `client/src`."""

import sys
from pathlib import Path

EXTENSION = Path(__file__).resolve().parent.parent
_PLACES = (EXTENSION / "client", EXTENSION.parent / "client" / "src")


def find_client() -> None:
    """Make `import darkroom_client` work. Raises ImportError, which says what to do, when the client is not there."""
    try:
        import darkroom_client  # noqa: F401
    except ImportError:
        place = next((place for place in _PLACES if (place / "darkroom_client").is_dir()), None)
        if place is None:
            raise ImportError(
                f"{EXTENSION} lacks its folder `client`: unpack the extension's zip file again."
            ) from None
        # Behind all others, so that nothing of the WebUI is hidden.
        sys.path.append(str(place))
