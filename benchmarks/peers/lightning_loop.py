"""A head as people write it in Lightning: a module, a DataLoader and ``pad_sequence``.

    python -m benchmarks.peers.lightning_loop FOLDER cnn|lstm|attention

Reads what ``benchmarks.trained`` wrote there and prints the test accuracy.
"""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from benchmarks.handed import Handed
from benchmarks.heads import PLAIN, Texts, collate
from heads.registry import make_settings
from heads.settings import TrainingSettings

Part = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Classifier(lightning.LightningModule):
    """A plain head with its loss and optimiser."""

    def __init__(self, head: str, settings: TrainingSettings, width: int, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.head = PLAIN[head](settings, width, classes)

    def training_step(self, part: Part, index: int) -> torch.Tensor:
        """The loss of a batch."""
        x, lengths, labels = part
        return torch.nn.functional.cross_entropy(self.head(x, lengths), labels)

    def validation_step(self, part: Part, index: int) -> None:
        """The share that is right."""
        self._score("validation", part)

    def test_step(self, part: Part, index: int) -> None:
        """The share that is right."""
        self._score("test", part)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW, the step size constant."""
        rate, decay = self.settings.learning_rate, self.settings.weight_decay
        return torch.optim.AdamW(self.parameters(), rate, weight_decay=decay)

    def _score(self, side: str, part: Part) -> None:
        x, lengths, labels = part
        right = (self.head(x, lengths).argmax(dim=1) == labels).float().mean()
        self.log(side, right, batch_size=len(labels))


def main() -> None:
    """Train, restore the best epoch, score the test texts."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    folder, head = Path(sys.argv[1]), sys.argv[2]
    settings = make_settings(head, {})
    assert isinstance(settings, TrainingSettings)
    handed = Handed.read(folder)
    lightning.seed_everything(0, verbose=False)
    problem = handed.problem()
    train, validation, test = (
        DataLoader(Texts(problem, rows), settings.batch_size, i == 0, collate_fn=collate)
        for i, rows in enumerate(handed.sides)
    )
    best = ModelCheckpoint(folder / "lightning", monitor="validation", mode="max")
    trainer = lightning.Trainer(
        max_epochs=settings.epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[
            EarlyStopping("validation", patience=settings.patience, mode="max"),
            best,
        ],
    )
    classifier = Classifier(head, settings, handed.table.width, handed.classes)
    trainer.fit(classifier, train, validation)
    scores = trainer.test(dataloaders=test, ckpt_path=best.best_model_path, verbose=False)
    print(scores[0]["test"])


if __name__ == "__main__":
    main()
