"""The stacks. They import tables and settings from the package `darkroom` in `shared/`. That package is not installed
(it is uploaded to Lambda as a layer), so its folder is added to the import path here."""

import sys
from pathlib import Path

_SHARED = str(Path(__file__).resolve().parent.parent / "shared")
if _SHARED not in sys.path:
    sys.path.append(_SHARED)
