"""Where the n-grams of a text stand in it: what `count_words` counts, place by place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.text.spans import STRETCH
from features.words.counting import letter_grams, word_grams, words_in


@dataclass(frozen=True, eq=False)
class NgramPlaces:
    """The n-grams of one text, once for each time that they stand there.

    Attributes:
        ids: (m,) uint32, as in a ``WordTable``.
        starts, ends: (m,) int64 in ``origins``.
        origins: (k,) int64 letters of the text that was counted, as places in the text itself;
            -1 for the blanks between words.
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    origins: np.ndarray

    def shared(self, weights: np.ndarray, length: int) -> np.ndarray:
        """Return (length,) float64: the weights of the n-grams, shared among their letters.

        Args:
            weights: (m,) one for each n-gram of ``ids``.
            length: letters of the text.
        """
        real = np.concatenate([[0], np.cumsum(self.origins >= 0)])
        each = weights / np.maximum(real[self.ends] - real[self.starts], 1)
        steps = np.zeros(len(self.origins) + 1)
        np.add.at(steps, self.starts, each)
        np.add.at(steps, self.ends, -each)
        own = np.cumsum(steps)[:-1]
        inside = self.origins >= 0
        return np.bincount(self.origins[inside], own[inside], length)


def find_places(text: str) -> NgramPlaces:
    """Return the n-grams of a text with their places."""
    spaced, origins = [" "], [-1]
    for stretch in STRETCH.finditer(text):
        own = stretch[0].lower()
        places = list(range(stretch.start(), stretch.end()))
        if len(own) != len(places):  # a few letters become two in lower case
            each = [len(letter.lower()) for letter in stretch[0]]
            places = np.repeat(places, each).tolist()
        spaced += [own, " "]
        origins += [*places, -1]
    letters = np.frombuffer("".join(spaced).encode("utf-32-le", "surrogatepass"), np.uint32)
    each_place = np.arange(len(letters), dtype=np.uint64)  # in place of the number of the text
    ids, starts, ends = [], [], []
    for size, keys in enumerate(letter_grams(letters, each_place), 1):
        first = (keys >> np.uint64(32)).astype(np.int64)
        ids.append(keys)
        starts.append(first)
        ends.append(first + size)
    first, sizes = words_in(letters)
    grams = list(word_grams(letters, np.zeros(len(letters), np.uint64)))
    last = first + sizes
    for keys, begin, end in zip(grams, (first, first[:-1]), (last, last[1:]), strict=False):
        ids.append(keys)
        starts.append(begin)
        ends.append(end)
    return NgramPlaces(
        np.concatenate([np.empty(0, np.uint32), *ids]).astype(np.uint32),
        np.concatenate([np.empty(0, np.int64), *starts]).astype(np.int64),
        np.concatenate([np.empty(0, np.int64), *ends]).astype(np.int64),
        np.array(origins, np.int64),
    )
