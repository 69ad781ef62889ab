"""Where independent tasks run: processes of this machine, or the machines of a Ray cluster.

An engine takes tasks that do not know of each other and gives their results as they come. A task is idempotent: run
twice, it leaves what it leaves when it is run once, so that one that was lost with its machine is simply run again.
"""

from toprock.engines.base import ENGINES, Engine, Needs
from toprock.engines.local import LocalEngine
from toprock.engines.opening import open_engine

__all__ = ["ENGINES", "Engine", "LocalEngine", "Needs", "open_engine"]
