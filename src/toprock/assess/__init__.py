"""Assessment: a score with its evidence, moments, and the comparison of two."""

from toprock.assess.assessment import BRANCHES, Assessment, Branch, Moment, SegmentEvidence
from toprock.assess.evidence import EvidenceCurve, find_moments

__all__ = ["BRANCHES", "Assessment", "Branch", "EvidenceCurve", "Moment", "SegmentEvidence", "find_moments"]
