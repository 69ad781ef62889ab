"""A library on disk: performances, what people judge and say of them, models, and the work that all this takes.

It knows nothing of pages: the room (`toprock.web`) and programs use it alike.
"""

from toprock.library.bounds import Bounds
from toprock.library.library import Library
from toprock.library.supervisor import Supervisor

__all__ = ["Bounds", "Library", "Supervisor"]
