"""What the report says in sentences: measured quantities only, never a judgement of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toprock.assess.assessment import Assessment, Branch, Moment
from toprock.backbones.base import STREAM_WORDS, Stream
from toprock.counting import count
from toprock.report.figures import percent, seconds, show
from toprock.report.timeline import Timeline

if TYPE_CHECKING:
    from toprock.assess.model import Comparison

STREAM_NAMES: Mapping[Stream, str] = {stream: word.capitalize() for stream, word in STREAM_WORDS.items()}
STREAM_UNITS: Mapping[Stream, str] = {"dynamic": "clips", "static": "frames"}
BRANCH_NAMES: Mapping[Branch, str] = {"high": "Strengths", "low": "Flaws", "average": "Overall"}
BRANCH_SENSE: Mapping[Branch, str] = {
    "high": "looks for what is done well",
    "low": "looks for what goes wrong",
    "average": "looks at everything evenly",
}

CAUTION_NAMES: Mapping[str, str] = {
    "unlike": "Unlike the training",
    "length": "Length",
    "stream missing": "Stream missing",
    "black": "Black pictures",
    "frozen": "Frozen pictures",
    "cuts": "Cuts",
    "coverage": "Little seen",
}


def standing(percentile: float | None, performances: int | None, held_out: int | None = None) -> str:
    """Where the score stands among the training performances that were held out, where that is known."""
    if percentile is None:
        return "No percentile: this model keeps no scores of performances it had not seen."
    crowd = f"the {performances} training performances" if performances else "the training performances"
    if held_out and held_out != performances:
        crowd = f"the {held_out} training performances held out"
    if percentile <= 0:
        return f"Not above any of {crowd}"
    if percentile >= 100:
        return f"Better than all of {crowd}"
    if percentile < 0.5:
        return f"Among the lowest 1\N{NO-BREAK SPACE}% of {crowd}"
    return f"Better than {percent(percentile / 100)} of {crowd}"


def verdict(comparison: Comparison, names: tuple[str, str]) -> tuple[str, str]:
    """Who is likely better, or that it is too close to call, in a headline; and how sure that is, in a sentence."""
    told = replace(comparison, a=names[0], b=names[1]).verdict.replace(" %", "\N{NO-BREAK SPACE}%")
    ahead = comparison.difference if comparison.probability is None else comparison.probability - 0.5
    leader = names[0] if ahead >= 0 else names[1]
    if comparison.probability is None:
        return f"{leader} scored higher" if ahead else "Equal scores", told
    if comparison.too_close:
        reason = told.removeprefix("Too close to call: ")
        return "Too close to call", reason[:1].upper() + reason[1:]
    return f"{leader} is likely better", told


def moment(what: Moment, timeline: Timeline, parts: Mapping[Stream, int], top: Branch | None, decimals: int) -> str:
    """One or two sentences on a moment.

    Args:
        what: the moment.
        timeline: of the whole performance.
        parts: what each stream contributed, in units of the last decimal.
        top: the branch that spoke most in the stream that spoke most; None where nothing did.
        decimals: of the units.
    """
    whole = timeline.net.raised if what.kind == "best" else timeline.net.lowered
    length_s = what.end_s - what.start_s
    verb, other_verb = ("raised", "lowered") if what.kind == "best" else ("lowered", "raised")
    first = f"These {seconds(length_s)} are a moment named {what.kind}."
    if what.contribution * whole > 0 and timeline.judged_s > 0:
        share, time = min(1.0, what.contribution / whole), min(1.0, length_s / timeline.judged_s)
        first = f"{percent(time)} of the time brought {percent(share)} of all that {verb} the score."
        first = first[0].upper() + first[1:]
    elif what.contribution * (1 if what.kind == "best" else -1) < 0:
        first = f"Even this span, the {what.kind} named, {other_verb} the score."
    measured = f" It was {' and '.join(what.differs)} than in the training performances." if what.differs else ""
    if top is None or not any(parts.values()):
        return first + measured
    lead = max(parts, key=lambda s: abs(parts[s]))
    text = f"{STREAM_NAMES[lead]} spoke most ({show(parts[lead], decimals, signed=True)})"
    few = "few " if (top == "low") == (parts[lead] > 0) and top != "average" else ""
    text += f", mainly through {few}“{BRANCH_NAMES[top].lower()}”"
    for other in (s for s in parts if s != lead and parts[s]):
        same = parts[other] * parts[lead] > 0
        word = "went the same way" if same else "pulled the other way"
        amount = show(parts[other], decimals, signed=True)
        text += f"; {STREAM_NAMES[other].lower()} {word} ({amount})"
    return f"{first} {text}.{measured}"


def overview(assessment: Assessment, timeline: Timeline) -> str:
    """The timeline in words, for those who cannot see it."""
    best = sum(m.kind == "best" for m in assessment.moments)
    worst = len(assessment.moments) - best
    named = f"{best} best and {worst} worst moments are marked." if assessment.moments else "No moments are named."
    return f"Contribution to the score over {seconds(timeline.judged_s)} of performance. {named}"


def learnt_from(model: Mapping[str, Any]) -> str:
    """What the model was trained on, as far as it is known."""
    performances, pairs = model.get("performances"), model.get("pairs")
    if performances and pairs:
        return f"It was learnt from {_counted(pairs, 'comparison')} between {_counted(performances, 'performance')}"
    if performances:
        return f"It was learnt from comparisons between {_counted(performances, 'performance')}"
    if pairs:
        return f"It was learnt from {_counted(pairs, 'comparison')}"
    return "It was learnt from comparisons between performances (how many is not recorded)"


def _counted(value: Any, one: str) -> str:
    return count(value, one) if isinstance(value, int) else f"{value} {one}s"
