"""What is uploaded to Lambda: small, only what runs, and able to run with nothing else around it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import bundling
from layers.dependencies.cut import SERVICES
from tests.infra.conftest import Installations, Synthesized

ROOT = Path(__file__).resolve().parents[2]
HANDLERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))


@pytest.fixture(scope="module")
def opt(local: Synthesized, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layers laid over each other, as Lambda does under /opt."""
    folder = tmp_path_factory.mktemp("opt")
    for layer in local.layers():
        shutil.copytree(layer, folder, dirs_exist_ok=True)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's wheels are for Linux")
@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_imports_from_its_assets_alone(local: Synthesized, opt: Path, name: str) -> None:
    code = local.asset(local.function(name)["Code"]["S3Key"])
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        f"from functions.{name} import handler\n"
        "assert callable(handler.handler)"
    )
    # -I and -S: neither this folder nor the packages of the virtual environment can help. Bytecode is written beside
    # the assets and not into them, so what the layers hold is compiled once for all handlers.
    bytecode = f"pycache_prefix={opt / 'bytecode'}"
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-I", "-S", "-X", bytecode, "-c", script, str(code), str(opt / "python")],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert run.returncode == 0, run.stderr


def test_a_function_is_uploaded_with_its_own_code_only(local: Synthesized) -> None:
    for name in HANDLERS:
        code = local.asset(local.function(name)["Code"]["S3Key"])
        files = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file()}
        assert {"functions/__init__.py", f"functions/{name}/handler.py"} <= files
        assert {file.split("/")[1] for file in files} == {"__init__.py", name}


def test_the_layers_stay_small(prod: Synthesized) -> None:
    size = sum(path.stat().st_size for layer in prod.layers() for path in layer.rglob("*") if path.is_file())
    assert size <= 30 * 1024 * 1024


def test_the_dependency_layer_holds_the_services_in_use_and_nothing_that_never_runs(
    prod: Synthesized,
) -> None:
    packages = prod.layers()[0] / "python"
    services = {path.name for path in (packages / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == set(SERVICES)
    assert {path.name for path in (packages / "boto3" / "data").iterdir()} <= set(SERVICES)
    assert (packages / "botocore" / "data" / "endpoints.json").is_file()
    assert not [*packages.rglob("__pycache__"), *packages.glob("*.dist-info"), *packages.glob("bin")]


def test_compiled_wheels_are_for_lambdas_python_and_cpu(prod: Synthesized) -> None:
    compiled = {path.name for path in (prod.layers()[0] / "python").rglob("*.so")}
    assert compiled
    assert all(name.endswith("cpython-313-aarch64-linux-gnu.so") for name in compiled)


def test_the_shared_layer_holds_the_package_only(prod: Synthesized) -> None:
    shared = prod.layers()[1]
    assert [path.name for path in (shared / "python").iterdir()] == ["darkroom"]
    assert {path.suffix for path in shared.rglob("*") if path.is_file()} == {".py"}


def test_an_unchanged_tree_uploads_nothing_again(installations: Installations) -> None:
    """Stages built for the same Python and CPU share every asset, whatever was built before them."""
    for name in HANDLERS:
        prod, dev = (stage.function(name)["Code"]["S3Key"] for stage in (installations.prod, installations.dev))
        assert prod == dev
    assert installations.prod.layers() == installations.dev.layers()
    assert installations.prod.layers()[1] == installations.local.layers()[1]


def test_a_failed_installation_is_told_in_the_installers_own_words(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("boto3==1.43.106\n")
    with pytest.raises(bundling.BuildError, match=r"(?s)cannot be installed.*uv says:.*hash"):
        bundling.install(tmp_path / "python", "x86_64-manylinux2014", "3.13", lock)


def test_a_function_without_a_handler_is_named() -> None:
    with pytest.raises(bundling.BuildError, match=r"functions/nobody/handler\.py is not there"):
        bundling.function("nobody")


def test_the_lock_names_no_package_index() -> None:
    lock = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text()
    assert "://" not in lock
    assert "://" not in (ROOT / "package-lock.json").read_text()
