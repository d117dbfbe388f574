"""Label texts with the model in this folder. Needs onnxruntime, tokenizers and numpy alone.

    python predict.py "a text" "another one"
    python predict.py < texts.txt                one text per line

In a program, with this folder on the path: ``Model().probabilities(["a text"])``.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers

FOLDER = Path(__file__).resolve().parent
BATCH_TOKENS = 4096


class Model:
    """The encoder, the head and the labels of this folder.

    Args:
        folder: where its files are.
        encoder: the file of the encoder.
    """

    def __init__(self, folder: Path | str = FOLDER, encoder: str = "encoder.onnx") -> None:
        folder = Path(folder)
        described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        spec = described["encoder"]["spec"]
        self.labels = described["labels"]
        self.temperature = described["temperature"]
        self.prompt = spec["prompt"]
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(spec["max_length"])
        self.encoder = _session(folder / encoder)
        self.head = _session(folder / "head.onnx")
        self.inputs = {each.name for each in self.encoder.get_inputs()}

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Return (N, C) float32 probabilities of the labels, for N texts."""
        found = self.tokenizer.encode_batch([self.prompt + text for text in texts])
        # Texts of one length share a batch, so that nothing is padded.
        by_length: dict[int, list[int]] = defaultdict(list)
        for place, each in enumerate(found):
            if not each.ids:
                raise ValueError(f"text {place} has no tokens")
            by_length[len(each.ids)].append(place)
        logits = np.zeros((len(texts), len(self.labels)), np.float32)
        for length, places in sorted(by_length.items()):
            step = max(1, BATCH_TOKENS // length)
            for start in range(0, len(places), step):
                batch = places[start : start + step]
                logits[batch] = self._logits([found[place] for place in batch])
        logits /= self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def predict(self, texts: list[str]) -> list[str]:
        """Return the most probable label of each text."""
        return [self.labels[best] for best in self.probabilities(texts).argmax(axis=1)]

    def _logits(self, encoded: list[tokenizers.Encoding]) -> np.ndarray:
        arrays = {
            "input_ids": np.array([each.ids for each in encoded], np.int64),
            "attention_mask": np.ones((len(encoded), len(encoded[0].ids)), np.int64),
            "token_type_ids": np.array([each.type_ids for each in encoded], np.int64),
        }
        (vectors,) = self.encoder.run(
            ["vectors"], {name: arrays[name] for name in arrays if name in self.inputs}
        )
        mask = np.ones(vectors.shape[:2], bool)
        (logits,) = self.head.run(["logits"], {"x": vectors, "mask": mask})
        return np.asarray(logits)


def _session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def main() -> None:
    """Print the label of each text, and its probability."""
    texts = sys.argv[1:] or [line for line in map(str.strip, sys.stdin) if line]
    model = Model()
    for text, row in zip(texts, model.probabilities(texts), strict=True):
        print(model.labels[row.argmax()], f"{row.max():.6f}", text, sep="\t")


if __name__ == "__main__":
    main()
