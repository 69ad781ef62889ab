"""Rendered breaking performances with planted moments: the demo, and ground truth that no real set has.

    from toprock.synthetic import quality_pairs, render_performances
    performances = render_performances(Path("battles"), count=20, seed=1)

A good or bad moment is planted either in the postures (the motion stays as everywhere else) or in the timing
(the postures stay as everywhere else); nothing else gives quality away, as benchmarks/synthetic_controls.py
measures.
"""

from toprock.synthetic.battle import RenderedBattle, render_battles
from toprock.synthetic.choreography import Choreography, PlantedMoment, choreograph
from toprock.synthetic.draw import draw_performance
from toprock.synthetic.render import SyntheticPerformance, quality_pairs, render_performances, write_video

__all__ = [
    "Choreography",
    "PlantedMoment",
    "RenderedBattle",
    "SyntheticPerformance",
    "choreograph",
    "draw_performance",
    "quality_pairs",
    "render_battles",
    "render_performances",
    "write_video",
]
