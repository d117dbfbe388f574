"""Every test runs offline, and in a folder of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
# One thread a process: tiny models gain nothing from more, and lose where another process has
# the other core, since each waits for the other. Commands that the tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib.figure  # pictures are then drawn here, not in a process
import pytest
from hypothesis import settings
from PIL import Image

# Its list of fonts is not made again in the folder of each test.
os.environ.setdefault("MPLCONFIGDIR", matplotlib.get_cachedir())

from features.storage.bucket import filesystem
from pipeline.models import export
from pipeline.reports import figures
from tests.support import transformers
from tests.support.cli import Command, Output, Refusal, Run, run_command, two_classes
from tests.support.s3 import KEY_ID, S3Server, serving

# An example is as slow as the machine is busy.
settings.register_profile("manyheads", deadline=None)
settings.load_profile("manyheads")


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """Make ``os.fsync`` check its descriptor and return at once.

    It protects from a power cut, which no test can cause, and a busy disk takes 10 ms for
    each. Tests count its calls and let each fail; commands that tests start as processes of
    their own, and the writers that are killed, use the real one.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in a folder of its own, where nothing is known of any encoder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


@pytest.fixture(autouse=True)
def _blank_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures of runs blank, but for tests that use ``real_pictures``.

    To draw them takes longer than all else of a small training. One that cannot be drawn is
    a note, so a test that does not look at them sees no difference.
    """
    if "real_pictures" not in request.fixturenames:
        monkeypatch.setattr(figures, "_draw", lambda _, path: Image.new("L", (1, 1)).save(path))


@pytest.fixture
def real_pictures() -> None:
    """Have the pictures of runs drawn, for a test that looks at them."""


@pytest.fixture(autouse=True)
def _blank_onnx(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the ONNX heads of exported models blank, but for tests that use ``real_onnx``.

    To make one takes seconds, and manyheads does not read it. That every head can be written
    is a test of its own.
    """
    if "real_onnx" not in request.fixturenames:
        monkeypatch.setattr(export, "onnx_model", lambda _: b"")


@pytest.fixture
def real_onnx() -> None:
    """Have the heads of exported models written as ONNX, for a test that looks at them."""


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of tiny real transformers, by family."""
    root = tmp_path_factory.mktemp("models")
    makers = {
        "bert": transformers.save_bert,
        "roberta": transformers.save_roberta,
        "xlnet": transformers.save_xlnet,
    }
    return {name: make(root / name) for name, make in makers.items()}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``manyheads`` with some arguments."""

    def call(*arguments: object) -> Output:
        return run_command(capsys, *arguments)

    return call


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """The JSON that a command prints."""
    return lambda *arguments: run_command(capsys, *arguments, "--json").json


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Refusal:
    """The line with which a command refuses its input."""
    return lambda *arguments: run_command(capsys, *arguments).refusal


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """80 texts of two classes."""
    return two_classes(tmp_path / "data.csv")


@pytest.fixture
def encoder(tiny_models: dict[str, Path]) -> Path:
    return tiny_models["bert"]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server on loopback for all tests of a process; use it through ``s3``."""
    with serving() as server:
        yield server


@pytest.fixture
def s3(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Server]:
    """The S3 server, empty, and an environment that points to it; local copies in tmp_path."""
    s3_server.clear()
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    filesystem.cache_clear()
    yield s3_server
    filesystem.cache_clear()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no mount command")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
