"""The report: one self-contained HTML file that shows a score and the seconds that made it.

`render_report` is pure (assessments and pictures in, text out); `write_report` also takes the pictures out of
the videos and writes the file.
"""

from toprock.report.page import render_report, write_report
from toprock.report.pictures import grab_moments, picture_times

__all__ = ["grab_moments", "picture_times", "render_report", "write_report"]
