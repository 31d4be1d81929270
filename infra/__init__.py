"""The stacks. They take the tables and the settings from the package `darkroom`, which is not installed
but lies in `shared/` (it travels to Lambda as a layer), so that folder is put on the path here."""

import sys
from pathlib import Path

_SHARED = str(Path(__file__).resolve().parent.parent / "shared")
if _SHARED not in sys.path:
    sys.path.append(_SHARED)
