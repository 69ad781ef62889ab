"""What `toprock train --sweep` does before it trains: search, and print the table of trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from toprock.cli.common import bar, say
from toprock.engines import open_engine
from toprock.evaluate.space import Settings, read_space
from toprock.evaluate.sweep import sweep
from toprock.ranker import Plan


def searched(plan: Plan, space: Path, *, engine: str, address: str | None, folder: Path, **search: Any) -> Plan:
    """The plan with the settings that a search finds; prints its table. `search` is what `sweep` takes besides."""
    found = read_space(space)
    with open_engine(engine, address=address, on_note=say) as where, bar("Searching settings") as advance:
        result = sweep(
            space=found,
            folder=folder,
            engine=where,
            base=Settings({"steps": plan.steps} if plan.steps else {}),
            on_row=lambda what, done, total: advance(done, total, f"Searching: {what}"),
            **search,
        )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("trial", "% of held-out pairs right", "measured on", "settings"):
        table.add_column(column)
    for trial in result.trials:
        right = f"{100 * trial.accuracy:.1f}"
        if trial.interval:
            right += f" ({100 * trial.interval[0]:.0f}-{100 * trial.interval[1]:.0f})"
        text = ", ".join(f"{name} = {value}" for name, value in trial.settings.to_json().items())
        style = "" if trial.whole else "dim"
        table.add_row(trial.name, right, f"{trial.units} fold(s) x seed(s)", text or "as by default", style=style)
    Console().print(table)
    told = result.told
    kept = ", ".join(f"{name} = {value}" for name, value in told.settings.items())
    why = f"taken: {kept}; the gain is larger than its standard error"
    say(f"{why if kept else 'the defaults stay: no gain was larger than its standard error'}. See {folder}.")
    training = result.chosen.config(plan.training.seed)
    return replace(plan, training=training, model={**plan.model, **result.chosen.model}, swept=told)
