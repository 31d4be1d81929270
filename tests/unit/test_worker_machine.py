"""What the worker tells of its machine."""

from pathlib import Path

from worker.machine import gpu_name, machine


def test_the_driver_names_the_gpu(tmp_path: Path) -> None:
    for number, name in enumerate(("NVIDIA A10G", "NVIDIA A10G")):
        folder = tmp_path / f"0000:00:1{number}.0"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 10\nGPU UUID: \t GPU-1\n")
    assert gpu_name(tmp_path) == "NVIDIA A10G"


def test_without_a_driver_or_with_one_that_says_nothing_there_is_no_gpu(tmp_path: Path) -> None:
    assert gpu_name(tmp_path / "none") is None
    (tmp_path / "gpu").mkdir()
    (tmp_path / "gpu" / "information").mkdir()
    assert gpu_name(tmp_path) is None


def test_the_processors_are_counted() -> None:
    cpus = machine().cpus
    assert cpus
    assert cpus > 0
