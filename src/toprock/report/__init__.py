"""The report: self-contained HTML files, or a PDF, that show scores and the seconds that made them.

`render_report`, `render_comparison` and `render_index` are pure (assessments and pictures in, text out);
`write_report` and `write_comparison` also take the pictures out of the videos and write the files.
"""

from toprock.report.comparison import render_comparison
from toprock.report.index import render_index
from toprock.report.page import render_report
from toprock.report.pictures import grab_moments, picture_times
from toprock.report.remarks import Remark
from toprock.report.writing import write_comparison, write_report

__all__ = [
    "Remark",
    "grab_moments",
    "picture_times",
    "render_comparison",
    "render_index",
    "render_report",
    "write_comparison",
    "write_report",
]
