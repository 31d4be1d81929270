"""The tests of the engine `diffusers`: without torch they are left out, and no test reaches a network."""

from importlib.util import find_spec

if find_spec("torch") is None:
    # `make test` runs in an environment without torch, `make test-worker` in one that has it.
    collect_ignore_glob = ["test_*.py"]


def pytest_runtest_setup() -> None:
    """Whatever the engine needs must be in its packages or in the files of the job."""
    from pytest_socket import disable_socket

    # Sockets between processes of one machine are allowed: pytest and asyncio use them.
    disable_socket(allow_unix_socket=True)
