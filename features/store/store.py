"""FeatureStore: all cached vectors under one folder, one space per spec."""

from __future__ import annotations

from features.errors import CacheError
from features.storage.files import OWN_TEMPORARY
from features.storage.location import Location, parse_location
from features.storage.storage import storage_of
from features.store.space import Space
from features.vectors.spec import FeatureSpec


class FeatureStore:
    """All cached vectors in one folder, with one space per spec.

    Args:
        root: the cache folder, local or on object storage (``s3://...``); it is made when the
            first vectors are committed.
    """

    def __init__(self, root: str | Location) -> None:
        self.root = parse_location(root)

    def space(self, spec: FeatureSpec, model: str = "") -> Space:
        """Open the space of a spec as it is now.

        Args:
            model: the encoder's name, recorded when the space is new.
        """
        return Space(self.root / spec.fingerprint, spec, model)

    def prepare(self) -> None:
        """Make the cache folder and check that it can be written, before any work is done.

        Raises:
            CacheError: the folder cannot be made or written.
        """
        storage = storage_of(self.root)
        try:
            storage.prepare()
            storage.sweep(OWN_TEMPORARY.fullmatch)
        except OSError as error:
            raise CacheError(
                f"the cache folder {self.root} cannot be written ({error.strerror}); choose "
                "another with --cache, or change its permissions"
            ) from error
