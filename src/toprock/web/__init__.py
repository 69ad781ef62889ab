"""The judging room: a local web page, and a REST API, from a folder of videos to a trained judge."""

from toprock.web.app import create_app
from toprock.web.settings import Settings

__all__ = ["Settings", "create_app"]
