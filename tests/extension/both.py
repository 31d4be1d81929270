"""`python -m tests.extension.both`: the tests in the environments of both WebUIs, against one local stack."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTEST = (
    "-m",
    "pytest",
    "--confcutdir=tests/extension",
    "--import-mode=importlib",
    "-p",
    "no:cacheprovider",
    "--timeout=300",
)
WEBUIS = (".venv-webui-3", ".venv-webui-4")


def main(arguments: list[str]) -> int:
    """Run both; returns 0 if all tests of both pass. `arguments` are pytest's; without them all tests run."""
    given = os.environ.get("DARKROOM_EXTENSION_HOME")
    with tempfile.TemporaryDirectory(prefix="darkroom-extension-") as folder:
        home = given or folder
        environment = {**os.environ, "DARKROOM_HOME": home, "DARKROOM_EXTENSION_HOME": home}
        codes = []
        try:
            for webui in WEBUIS:
                print(f"The panel in {webui}:", flush=True)
                # Not the project's settings of pytest: they name packages that are not in these environments.
                command = [str(ROOT / webui / "bin" / "python"), *PYTEST, "-c", os.devnull, "--rootdir", str(ROOT)]
                codes.append(
                    subprocess.run(
                        [*command, *(arguments or ["tests/extension"])], cwd=ROOT, env=environment, check=False
                    ).returncode
                )
        finally:
            if not given:
                subprocess.run([sys.executable, "-m", "local", "down"], cwd=ROOT, env=environment, check=False)
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
