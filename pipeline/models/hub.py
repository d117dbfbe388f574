"""Exported models on the Hugging Face hub: a folder goes there, and comes back by its name.

    hub:OWNER/NAME, hub:OWNER/NAME@REVISION

Only files that ``export-model`` writes are fetched: JSON and safetensors, no code.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import NoReturn

from features.encoders.description.hub import commit_of, offline
from features.errors import CacheError, OutputError, SettingError
from pipeline.console import one_line
from pipeline.models.blend_folder import BLEND, PARTS
from pipeline.models.config import HUB
from pipeline.models.model import MODEL

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

FETCHED = (
    MODEL,
    BLEND,
    "head.safetensors",
    f"{PARTS}/*/{MODEL}",
    f"{PARTS}/*/head.safetensors",
)
"""What prediction needs of a folder; the ONNX files are for other programs."""

COMMIT_SHOWN = 7
LONGEST_REASON = 200


def check_name(name: str) -> None:
    """Refuse what is no name of a repository. Raises ``SettingError``."""
    if not NAME.fullmatch(name):
        raise SettingError(f"--push takes OWNER/NAME, as the hub names models; got {name!r}")


def check_push(name: str) -> None:
    """Refuse to push where that cannot work, before anything is done.

    Raises:
        SettingError: no such name is possible, nobody is logged in, or the hub is switched off.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError

    check_name(name)
    try:
        importlib.import_module("huggingface_hub.utils").validate_repo_id(name)
    except HFValidationError as error:
        raise SettingError(f"--push {name}: {one_line(str(error), LONGEST_REASON)}") from error
    if forbids := offline():
        raise SettingError(f"--push {name}: {forbids} is set; unset it to reach the hub")
    if not get_token():
        raise SettingError(
            f"--push {name} needs a token of the hub that may write: log in with "
            "'hf auth login', or set HF_TOKEN"
        )


def push(folder: Path, name: str, public: bool = False) -> str:
    """Upload an exported folder, and return the commit.

    Args:
        folder: the model folder.
        name: ``OWNER/NAME``; made where there is none.
        public: whether a repository that is made can be seen by everybody.

    Raises:
        OutputError: the hub refuses, or cannot be reached; the folder stays as it is.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    importlib.import_module("huggingface_hub.utils").disable_progress_bars()
    api = HfApi()
    try:
        api.create_repo(name, private=not public, exist_ok=True)
        done = api.upload_folder(
            repo_id=name,
            folder_path=folder,
            commit_message="Model exported by manyheads",
            delete_patterns=["*"],  # nothing of an older model stays beside it
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = one_line(str(error) or type(error).__name__, LONGEST_REASON)
        raise OutputError(
            f"--push {name} failed ({reason}); the model is in {folder}: upload it with "
            f"'hf upload {name} {folder}' once that is settled"
        ) from error
    return str(done.oid)


def fetched(run: str) -> str:
    """Return the folder of a model of the hub; any other name of a run as it is.

    Raises:
        CacheError: there is no such model, or the hub cannot be reached.
    """
    if not run.startswith(HUB):
        return run
    # Imported only here: it is slow, and other runs do not need it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    name, at, revision = run.removeprefix(HUB).partition("@")
    if not NAME.fullmatch(name) or (at and not revision):
        raise CacheError(
            f"{run!r} names no model of the hub: write {HUB}OWNER/NAME, or "
            f"{HUB}OWNER/NAME@REVISION with a commit, a tag or a branch"
        )
    importlib.import_module("huggingface_hub.utils").disable_progress_bars()
    try:
        folder = snapshot_download(name, revision=revision or None, allow_patterns=[*FETCHED])
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        _refuse(run, error)
    if not any((Path(folder) / file).is_file() for file in (MODEL, BLEND)):
        raise CacheError(
            f"{run} holds no model of manyheads: neither {MODEL} nor {BLEND} is in it; name "
            "one that export-model --push made"
        )
    return folder


def _refuse(run: str, error: Exception) -> NoReturn:
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, RevisionNotFoundError):
        reason = "there is no such revision; name a commit, a tag or a branch that it has"
    elif isinstance(error, RepositoryNotFoundError):
        reason = "there is no such model, or it is private and HF_TOKEN may not read it"
    elif forbids := offline():
        reason = f"it is not in the hub's cache here, and {forbids} is set; unset that"
    else:
        told = one_line(str(error) or type(error).__name__, LONGEST_REASON)
        reason = f"{told}; try again, or name a folder"
    raise CacheError(f"{run} cannot be fetched: {reason}") from error


def shown_name(folder: Path) -> str:
    """Return the name of a model for people; of one of the hub ``OWNER/NAME@commit``.

    >>> shown_name(Path("runs/20261121-083000-cnn-1f2e3d"))
    '20261121-083000-cnn-1f2e3d'
    """
    commit, place = commit_of(folder), folder.parent.parent.name
    if not commit or not place.startswith("models--"):
        return folder.name
    return f"{place.removeprefix('models--').replace('--', '/')}@{commit[:COMMIT_SHOWN]}"
