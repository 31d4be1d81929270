"""`darkroom checkpoints` against the local stack."""

import os
import signal
import subprocess
from pathlib import Path

from darkroom_client import checkpoints
from darkroom_client.model_files import ModelFile
from darkroom_client.upload import upload
from tests.e2e.conftest import COMMAND, IMPORTS, Running
from tests.support.models import safetensors, sparse_safetensors

MEGABYTE = 1024**2


def started(darkroom: Running, *arguments: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "DARKROOM_URL": darkroom.stack.api,
        "DARKROOM_KEY": darkroom.key,
    }
    command = [str(COMMAND), "checkpoints", *arguments]
    return subprocess.Popen(  # noqa: S603 - the command is our own
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


class Counting:
    """Counts what is sent and what was there."""

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.bytes_found = 0

    def begin(self, file: ModelFile, size: int, stored: int) -> None:
        pass

    def sent(self, count: int) -> None:
        self.bytes_sent += count

    def found(self, count: int) -> None:
        self.bytes_found += count


def stored_bytes(darkroom: Running, name: str) -> int:
    told = darkroom.client.request("POST", "/checkpoints/parts", json={"kind": "vae", "name": name})
    return sum(part["size"] for part in told["stored"])


def test_an_upload_killed_half_way_sends_only_the_missing_parts_when_it_goes_on(
    darkroom: Running, tmp_path: Path
) -> None:
    file = tmp_path / "large.safetensors"
    sparse_safetensors(file, 100 * MEGABYTE)
    process = started(darkroom, "upload", str(file), "--kind", "vae", "--parallel", "1")
    assert process.stdout
    # Its own first word of progress: asking the API takes so long that all may have been sent meanwhile.
    assert any("% after" in line for line in process.stdout)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = stored_bytes(darkroom, file.name)
    assert 0 < there < 100 * MEGABYTE
    counting = Counting()
    assert upload(darkroom.client, ModelFile(file, "vae"), counting) == "uploaded"
    assert (counting.bytes_found, counting.bytes_sent) == (there, 100 * MEGABYTE - there)
    assert upload(darkroom.client, ModelFile(file, "vae"), Counting()) == "there already"
    checkpoints.delete(darkroom.client, "vae", file.name)


def test_a_webui_directory_is_uploaded_listed_and_deleted(darkroom: Running, tmp_path: Path) -> None:
    for folder, name in (("models/Lora", "ink.safetensors"), ("models/VAE", "soft.safetensors")):
        (tmp_path / folder).mkdir(parents=True)
        sparse_safetensors(tmp_path / folder / name, 4096)
    (tmp_path / "models/Lora" / "Put Lora here.txt").write_text("")
    uploading = started(darkroom, "upload", str(tmp_path))
    output, _ = uploading.communicate(timeout=120)
    assert uploading.returncode == 0, output
    listing, _ = started(darkroom, "list", "--kind", "lora").communicate(timeout=60)
    assert "ink.safetensors" in listing
    for kind, name in (("lora", "ink.safetensors"), ("vae", "soft.safetensors")):
        deleted = started(darkroom, "delete", kind, name, "--yes")
        assert "Deleted" in deleted.communicate(timeout=60)[0]
        assert deleted.returncode == 0


def test_a_problem_is_one_line_and_exit_code_1(darkroom: Running, tmp_path: Path) -> None:
    refused = started(darkroom, "delete", "lora", "nothing.safetensors", "--yes")
    output, _ = refused.communicate(timeout=60)
    assert refused.returncode == 1
    assert "checkpoint_not_found" in output
    assert "Traceback" not in output


def test_an_import_is_waited_for_and_a_failed_one_says_why(darkroom: Running) -> None:
    s3 = darkroom.aws("s3")
    s3.create_bucket(Bucket=IMPORTS)
    s3.put_object(Bucket=IMPORTS, Key="pen.safetensors", Body=safetensors())
    fetched = started(darkroom, "import", f"s3://{IMPORTS}/pen.safetensors", "--kind", "embedding")
    output, _ = fetched.communicate(timeout=60)
    assert (fetched.returncode, "imported" in output) == (0, True), output
    refused = started(darkroom, "import", f"s3://{IMPORTS}/gone.safetensors", "--kind", "embedding")
    output, _ = refused.communicate(timeout=60)
    assert (refused.returncode, "S3 refuses the source" in output) == (1, True), output
    for name in ("pen.safetensors", "gone.safetensors"):
        checkpoints.delete(darkroom.client, "embedding", name)
