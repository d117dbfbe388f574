"""Loading and running of transformers and sentence-transformers, with their errors translated.

A user's model can make these libraries fail anywhere, so every error of theirs becomes one line
with the model's name and a remedy. They are imported when something is loaded: half a second.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch

from features.encoders.batching import out_of_memory
from features.encoders.description.changes import check_unchanged
from features.encoders.description.files import needs_sentencepiece
from features.encoders.description.model import EncoderModel
from features.errors import DeviceMemoryError, EncoderError, ManyheadsError
from features.messages import listed
from features.vectors.table import POOLED


def load_transformer(model: EncoderModel, device: torch.device) -> Any:
    """Return the transformer of a model, in float32 on a device.

    Raises:
        EncoderError: it cannot be loaded, or lacks weights.
        DeviceMemoryError: it does not fit in the memory of the device.
    """
    with loading(model, device):
        import transformers

        transformer, report = transformers.AutoModel.from_pretrained(
            model.transformer,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code,  # None would ask on the terminal
            dtype=torch.float32,
            output_loading_info=True,
        )
        check_complete(model, report["missing_keys"], ignored="pooler.")
        steady(transformer.eval().to(device))
        copy_weights(transformer)
        return transformer


def load_tokenizer(model: EncoderModel) -> Any:
    """Return the tokenizer of a model, which cuts nothing off by itself.

    Raises:
        EncoderError: it cannot be loaded.
    """
    with loading(model, torch.device("cpu")):
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(
            model.transformer,
            local_files_only=True,
            trust_remote_code=model.trust_remote_code,
        )
    # Lengths are those of whole texts; truncation is done where they are counted.
    tokenizer.model_max_length = 10**9
    return tokenizer


def takes(transformer: Any, name: str) -> bool:
    """Return whether a forward pass has an argument of a name, or takes any."""
    if transformer is None:
        return True
    arguments = inspect.signature(transformer.forward).parameters
    return name in arguments or any(a.kind is a.VAR_KEYWORD for a in arguments.values())


def shows_layers(transformer: Any) -> bool:
    """Return whether a forward pass can give all hidden states; a model's own code may not."""
    own = type(transformer).__module__.startswith("transformers_modules.")
    return transformer is not None and (not own or takes(transformer, "output_hidden_states"))


def check_shows_layers(model: EncoderModel, transformer: Any) -> None:
    """Raise ``EncoderError`` if a model does not give its hidden states."""
    if not shows_layers(transformer):
        raise EncoderError(
            f"the encoder {model.name!r} has Python code of its own that shows no hidden "
            f"states; only the layout {POOLED} can be made of it"
        )


def check_shapes(
    model: EncoderModel, hidden: dict[int, torch.Tensor], mask: torch.Tensor
) -> None:
    """Raise ``EncoderError`` if hidden states are not (B, T, D) for a (B, T) mask."""
    for layer, states in hidden.items():
        if states.shape != (*mask.shape, model.width):
            raise EncoderError(
                f"the encoder {model.name!r} ({model.family}) does not give one hidden state "
                f"per token in layer {layer}, of {model.width} numbers as in its config.json; "
                "choose other --layers, or another encoder"
            )


def steady(module: torch.nn.Module) -> None:
    """Switch every BigBird in a module to full attention.

    Its sparse attention is random. It is also switched off for good by the first text that is
    too short for it. So the vectors of a text would change from run to run.
    """
    for each in module.modules():
        choose: Any = getattr(each, "set_attention_type", None)
        if choose is not None:
            choose("original_full")
            break  # this also switches the modules inside


def copy_weights(module: torch.nn.Module) -> None:
    """Copy the weights of a module on the processor into memory of its own.

    The libraries map them from their files: whoever writes to one meanwhile, as a training that
    saves its model there does, would change the vectors of a run that has begun.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.device.type == "cpu":
            tensor.data = tensor.data.clone()


def check_complete(model: EncoderModel, missing: Any, ignored: str) -> None:
    """Raise an error if weights of a transformer are missing: they would be random.

    Args:
        model: which encoder.
        missing: names of the weights that no file has.
        ignored: prefix of weights that are not used here; '' if all are used.

    Raises:
        EncoderError: some are missing.
    """
    lacking = sorted(key for key in missing if not (ignored and key.startswith(ignored)))
    if lacking:
        raise EncoderError(
            f"the encoder {model.name!r} lacks {len(lacking)} weights ({listed(lacking, 3)}), "
            "which would be random: save the whole model again with save_pretrained"
        )


@contextmanager
def loading(model: EncoderModel, device: torch.device) -> Iterator[None]:
    """Load with the libraries, quietly.

    Raises:
        EncoderError: whatever they raise; or the files have changed.
        DeviceMemoryError: the model does not fit in the memory of the device.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    # The Rust tokenizer runs its own threads; torch's threads are not forked here.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    with translated(model, device), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names in the model's files that were renamed
        yield


@contextmanager
def translated(model: EncoderModel, device: torch.device) -> Iterator[None]:
    """Turn errors of loading into one line, and check that the files are still the same.

    Raises:
        EncoderError: whatever a library raises; or the files have changed.
        DeviceMemoryError: the model does not fit in the memory of the device.
    """
    try:
        yield
        check_unchanged(model)
    except ManyheadsError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise DeviceMemoryError(
                f"the encoder {model.name!r} does not fit in the free memory of {device}; free "
                "some memory, or encode on another device (manyheads features --devices cpu)"
            ) from error
        if needs_sentencepiece(model.transformer) and find_spec("sentencepiece") is None:
            # The libraries try other readers first, and complain of those.
            reason, remedy = "its vocabulary needs sentencepiece", "pip install sentencepiece"
        else:
            reason, remedy = first_line(error), _remedy(model, error)
        raise EncoderError(
            f"the encoder {model.name!r} in {model.transformer} cannot be loaded: {reason}; "
            f"{remedy}"
        ) from error


@contextmanager
def running(model: EncoderModel) -> Iterator[None]:
    """Run the libraries on texts.

    Raises:
        EncoderError: any error of theirs except a lack of memory.
    """
    try:
        yield
    except ManyheadsError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise EncoderError(
            f"the encoder {model.name!r} in {model.folder} fails on these texts "
            f"({type(error).__name__}: {first_line(error)}); its configuration does not "
            "fit its weights or the installed libraries; choose another"
        ) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or two if the first ends with a colon.

    If there is no message, return the type of the error.
    """
    if "ignore_mismatched_sizes" in str(error):
        return "its weights have other shapes than its config.json states"
    lines = str(error).strip().split("\n")
    first = lines[:2] if lines[0].endswith(":") else lines[:1]
    return " ".join(" ".join(first).split()) or type(error).__name__


def _remedy(model: EncoderModel, error: Exception) -> str:
    own = [*model.transformer.glob("*.py"), *model.folder.glob("*.py")]
    if not model.trust_remote_code and own:
        return (
            "it comes with Python code of its own, which is not run: pass --trust-remote-code "
            "if you have read it and trust it"
        )
    message = str(error)
    named = re.search(r"pip install (?:-U )?([A-Za-z][\w.-]*)", message) or re.search(
        r"install ([A-Za-z][\w.-]*) to use", message
    )
    package = getattr(error, "name", None) or (named and named.group(1))
    if isinstance(error, ImportError) and package and not find_spec(package.partition(".")[0]):
        return f"it needs a package that is not installed: pip install {package}"
    return "copy it again, or choose another with --encoder"
