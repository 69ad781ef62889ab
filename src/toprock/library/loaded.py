"""Models in memory: the few that were asked for last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from toprock.library import models
from toprock.library.library import Library

if TYPE_CHECKING:
    from toprock.assess.model import Comparison, Model
    from toprock.library.evidence import Evidence


class Loaded:
    """The models of a library, each read from its folder when it is first asked for. Threads may share one.

    Args:
        library: whose models.
        most: how many are kept.
    """

    def __init__(self, library: Library, *, most: int = 3) -> None:
        self._library, self._most = library, most
        self._kept: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Model:
        """One model.

        Raises:
            NotThere: there is none with this key.
            ModelError: its folder is damaged.
        """
        from toprock.assess.model import load

        with self._library.read() as session:
            models.get(session, key)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = load(self._library.folder.model(key), limits=self._library.limits)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def compared(self, one: Evidence, two: Evidence) -> Comparison:
        """Two performances by the model that speaks of both, as a use that is noted.

        Raises:
            NotThere: the model has been deleted.
            ModelError: its folder is damaged.
        """
        key = one.model.key
        found = self.get(key).compared(one.assessment, two.assessment)
        both = [one.assessment, two.assessment]
        models.log_use(self._library, key, both, "compare", verdict=found.verdict, probability=found.probability)
        return found
