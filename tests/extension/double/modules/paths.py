"""Where the WebUI is. The double is in a folder of the test."""

import os
from pathlib import Path

data_path = os.environ["DOUBLE_FOLDER"]
models_path = str(Path(data_path) / "models")
extensions = [Path(folder) for folder in os.environ["DOUBLE_EXTENSIONS"].split(os.pathsep)]
