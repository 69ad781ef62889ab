"""Published datasets: from what a user downloads to tasks."""

from toprock.datasets.task import Fold, Task

__all__ = ["Fold", "Task"]
