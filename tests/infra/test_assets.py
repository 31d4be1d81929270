"""What is uploaded to Lambda: small, only what runs, and able to run with nothing else around it."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations, Match

from infra import bundling
from infra.functions import ROUTES
from infra.stacks import add_stacks
from infra.stage import NO_PACKAGE, Stage
from layers import bytecode
from layers.dependencies import lazy
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


def code_of(stage: Synthesized, name: str) -> Path:
    return stage.asset(stage.function(name)["Code"]["S3Key"])


NEVER = {"boto3", "s3transfer", "multiprocessing", "aws_xray_sdk", "pydantic.v1", "unittest"}
"""What no function imports before its first event."""
FOR_BATCHES = {"asyncio", "aws_lambda_powertools.utilities.batch"}
FOR_ROUTES = {"aws_lambda_powertools.event_handler"}
OTHER_ROUTES = {
    f"{next(iter(FOR_ROUTES))}.{name}" for name in ("appsync", "bedrock_agent", "graphql_appsync", "vpc_lattice")
}
READERS = {"job_events", "job_progress", "job_deletions", "checkpoint_imports", "endpoint_events"}


def forbidden(name: str) -> set[str]:
    """The modules that the import of a function must not bring along."""
    return (
        NEVER
        | OTHER_ROUTES
        | (set() if name in READERS else FOR_BATCHES)
        | (set() if name in ROUTES.values() else FOR_ROUTES)
    )


@pytest.mark.skipif(sys.platform != "linux", reason="Lambda's wheels are for Linux")
@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_imports_from_its_assets_alone_and_no_more_than_it_needs(
    local: Synthesized, opt: Path, name: str
) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        f"from functions.{name} import handler\n"
        "assert callable(handler.handler)\n"
        "print(*sys.modules)"
    )
    # -I and -S: neither this folder nor the packages of the virtual environment can help.
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-I", "-S", "-c", script, str(code_of(local, name)), str(opt / "python")],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )
    assert run.returncode == 0, run.stderr
    assert not forbidden(name) & set(run.stdout.split())


@pytest.mark.parametrize("stage", ["local", "prod"])
def test_every_module_has_the_bytecode_of_the_stages_python(request: pytest.FixtureRequest, stage: str) -> None:
    """Unchecked, so that Python takes it whatever the time of the source (PEP 552: the flags are the bytes 4 to 7)."""
    synthesized: Synthesized = request.getfixturevalue(stage)
    python = synthesized.stage.python
    if stage == "prod" and not bytecode.interpreter(python):
        pytest.skip(f"there is no Python {python} here, so nothing is compiled for it; a test below holds what is told")
    folders = [*synthesized.layers(), *(code_of(synthesized, name) for name in HANDLERS)]
    sources = [source for folder in folders for source in folder.rglob("*.py")]
    assert len(sources) > 600
    for source in sources:
        head = (source.parent / "__pycache__" / f"{source.stem}.cpython-{python.replace('.', '')}.pyc").read_bytes()[:8]
        assert head[4:] == b"\x01\0\0\0", source
        assert stage == "prod" or head[:4] == importlib.util.MAGIC_NUMBER


def test_bytecode_is_what_runs_whatever_became_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("raise RuntimeError")
    bytecode.compile_all(Path(sys.executable), tmp_path, "/opt")
    (tmp_path / "told.py").write_text("raise AssertionError('the source was compiled again')")
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import told"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr.splitlines()[-1] == "RuntimeError"
    (compiled,) = (tmp_path / "__pycache__").iterdir()
    assert b"/opt/told.py" in compiled.read_bytes()


def test_a_module_that_cannot_be_compiled_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def")
    with pytest.raises(bytecode.CompileError, match=r"(?s)cannot compile.*SyntaxError"):
        bytecode.compile_all(Path(sys.executable), tmp_path, "/opt")


def test_without_the_stages_python_a_deploy_says_so_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A Python that calls itself 3.12 and is none, as pyenv's shims are, is not taken for one."""
    monkeypatch.setattr(bytecode, "interpreter", lambda _: None)
    app = App(analytics_reporting=False, outdir=str(tmp_path))
    _, service = add_stacks(app, Stage(name="bare", worker_package=NO_PACKAGE, page=False, python="3.12"))
    told = Annotations.from_stack(service).find_warning("*", Match.string_like_regexp("No Python 3.12 was found"))
    (warning,) = told
    assert f"-c python={sys.version_info.major}.{sys.version_info.minor}" in str(warning.entry.data)
    assert not [*Path(bundling.shared("3.12").path).rglob("*.pyc")]


def test_an_interpreter_is_asked_which_one_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    other = tmp_path / "pyenv" / "versions" / "3.99.0" / "bin" / "python3.99"
    other.parent.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    bytecode.interpreter.cache_clear()
    assert bytecode.interpreter("3.99") is None
    other.write_text("#!/bin/sh\necho 3.99 final\n")
    other.chmod(0o755)
    bytecode.interpreter.cache_clear()
    assert bytecode.interpreter("3.99") == other
    bytecode.interpreter.cache_clear()


def test_lazy_packages_give_every_name_that_they_gave_before(prod: Synthesized) -> None:
    for package in lazy.PACKAGES:
        module = importlib.import_module(package.replace("/", "."))
        text = (prod.layers()[0] / "python" / package / "__init__.py").read_text()
        namespace: dict[str, Any] = {"__name__": module.__name__, "__package__": module.__name__}
        exec(compile(text, package, "exec"), namespace)  # noqa: S102 - what the layer holds
        assert namespace["__all__"] == list(module.__all__)
        for name in module.__all__:
            found = namespace[name] if name in namespace else namespace["__getattr__"](name)
            assert found is getattr(module, name), name
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            namespace["__getattr__"]("nothing")


def test_a_package_that_does_more_at_its_import_is_not_made_lazy() -> None:
    with pytest.raises(lazy.NotPlain, match=r"a.b does 'print\(1\)' at its import"):
        lazy.rewritten("from a.c import d\nprint(1)\n__all__ = ['d']", "a/b")


def test_the_layers_stay_small(prod: Synthesized) -> None:
    files = [path for layer in prod.layers() for path in layer.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if path.suffix != ".pyc") <= 20 * 1024 * 1024
    assert sum(path.stat().st_size for path in files) <= 32 * 1024 * 1024


def test_the_dependency_layer_holds_the_services_in_use_and_nothing_that_never_runs(
    prod: Synthesized,
) -> None:
    packages = prod.layers()[0] / "python"
    services = {path.name for path in (packages / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == set(SERVICES)
    assert {path.name for path in (packages / "boto3" / "data").iterdir()} <= set(SERVICES)
    assert (packages / "botocore" / "data" / "endpoints.json").is_file()
    assert not [*packages.glob("*.dist-info"), *packages.glob("bin")]


def test_compiled_wheels_are_for_lambdas_python_and_cpu(prod: Synthesized) -> None:
    compiled = {path.name for path in (prod.layers()[0] / "python").rglob("*.so")}
    assert compiled
    assert all(name.endswith("cpython-313-aarch64-linux-gnu.so") for name in compiled)


def test_the_shared_layer_holds_the_package_only(prod: Synthesized) -> None:
    shared = prod.layers()[1]
    assert [path.name for path in (shared / "python").iterdir()] == ["darkroom"]
    assert {path.suffix for path in shared.rglob("*") if path.is_file()} <= {".py", ".pyc"}


def test_an_unchanged_tree_uploads_nothing_again(installations: Installations) -> None:
    """Stages built for the same Python and CPU share every asset, whatever was built before them."""
    for name in HANDLERS:
        prod, dev = (stage.function(name)["Code"]["S3Key"] for stage in (installations.prod, installations.dev))
        assert prod == dev
    assert installations.prod.layers() == installations.dev.layers()


def test_a_failed_installation_is_told_in_the_installers_own_words(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("boto3==1.43.106\n")
    with pytest.raises(bundling.BuildError, match=r"(?s)cannot be installed.*uv says:.*hash"):
        bundling.install(tmp_path / "python", "x86_64-manylinux2014", "3.13", lock)


def test_a_function_without_a_handler_is_named() -> None:
    with pytest.raises(bundling.BuildError, match=r"functions/nobody/handler\.py is not there"):
        bundling.function("nobody", "3.13")


def test_the_lock_names_no_package_index() -> None:
    lock = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text()
    assert "://" not in lock
    assert "://" not in (ROOT / "package-lock.json").read_text()
