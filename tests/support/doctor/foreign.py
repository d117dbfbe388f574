"""Modules as users write them, one fault each; they read the mean of a text's vectors."""

from __future__ import annotations

import torch

from heads.layers.masking import mean_of


class MeanOf(torch.nn.Module):
    """Nothing wrong: a dense layer over the mean of the real vectors."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(width, 16)
        self.output = torch.nn.Linear(16, classes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.output(torch.relu(self.hidden(self.pool(x, mask))))
        return logits

    def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return mean_of(x, mask)


class Softmax(MeanOf):
    """The output is a softmax."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return super().forward(x, mask).softmax(dim=1)


class SigmoidOfSoftmax(Softmax):
    """A sigmoid behind the softmax."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(super().forward(x, mask))


class LogSoftmax(MeanOf):
    """Log-softmax before a cross-entropy that takes another one: harmless."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return super().forward(x, mask).log_softmax(dim=1)


class ReadsPadding(MeanOf):
    """Padding counts in the mean."""

    def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=1)


class MixesTexts(MeanOf):
    """The mean over the texts of the batch is taken off."""

    def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        own = mean_of(x, mask)
        return own - own.mean(dim=0)


class DropsAlways(MeanOf):
    """Dropout in evaluation mode too."""

    def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(mean_of(x, mask), 0.3, training=True)


class Frozen(MeanOf):
    """The first layer is narrow, and does not learn."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, classes)
        self.hidden = torch.nn.Linear(width, 2)
        self.output = torch.nn.Linear(2, classes)
        self.hidden.requires_grad_(False)


class DropsMuch(MeanOf):
    """Nearly everything is dropped while it trains."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, classes)
        self.drop = torch.nn.Dropout(0.97)

    def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        dropped: torch.Tensor = self.drop(mean_of(x, mask))
        return dropped


class Logarithm(MeanOf):
    """The logarithm of what may be 0."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (super().forward(x, mask) * 0).log()


class CutOff(MeanOf):
    """The first layer gets no gradient."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.hidden(mean_of(x, mask))).detach()
        logits: torch.Tensor = self.output(hidden)
        return logits


class Constant(MeanOf):
    """Dead before it starts: the output does not depend on the text."""

    def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return mean_of(x, mask) * 0.0
