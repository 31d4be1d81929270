"""The model files of one job."""

from pathlib import Path

from darkroom.jobs.contract import ModelFile, WorkRequest
from worker.model_files import ModelFiles
from worker.open_files import OpenFile
from worker.store import Store
from worker.used_files import JobFiles


def test_a_file_is_looked_for_once_a_job_though_its_hash_stands_under_every_picture(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.safetensors").write_bytes(b"a")
    looked: list[str] = []

    class Counted(ModelFiles):
        def whole(self, file: ModelFile, look: object) -> OpenFile:
            looked.append(file.name)
            return super().whole(file, lambda: None)

    file = ModelFile(name="a.safetensors", s3="s3://models/a.safetensors")
    request = WorkRequest(job_id="1", type="txt2img", checkpoint=file, output="s3://pictures/jobs/1/output/")
    files = JobFiles(Counted(Store(), tmp_path / "cache", tmp_path / "models"), request)
    hashes = {files.sha256(file, lambda: None) for _ in range(3)}
    assert len(hashes) == 1
    assert looked == ["a.safetensors"]
    assert [(used.kind, used.sha256) for used in files.used()] == [("stable-diffusion", hashes.pop())]
