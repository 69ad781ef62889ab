"""The command that compares learners on published data: benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toprock.cli.app import app
from toprock.cli.common import AddressOption, EngineOption, JsonOption, bar, print_json, say, say_left_out
from toprock.errors import PairsError, UsageError

if TYPE_CHECKING:
    from toprock.datasets import Task
    from toprock.evaluate.summary import Figure, Line, TaskScores
    from toprock.peers import Learner


@app.command()
def benchmark(
    name: Annotated[
        str, typer.Argument(help="best, brace, epic-skills, fis-v, jigsaws or rhythmic-gymnastics.", show_default=False)
    ],
    data: Annotated[Path, typer.Option(help="Folder of the downloaded features or recordings.", show_default=False)],
    pairs: Annotated[
        Path | None, typer.Option(help="The pair or label lists, where they are not in --data.", show_default=False)
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="qsd, raan, softmax, average or linear; again for more. By default all."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 5,
    out: Annotated[
        Path | None, typer.Option(help="Where finished rows are kept; by default benchmark-NAME.", show_default=False)
    ] = None,
    one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="One performer a fold, in place of the official folds.")
    ] = False,
    inner: Annotated[
        bool, typer.Option("--inner", help="Folds inside the training sides, performers apart: to make choices on.")
    ] = False,
    ablate: Annotated[bool, typer.Option("--ablate", help="The ranker with one thing changed at a time.")] = False,
    published_protocol: Annotated[
        bool,
        typer.Option("--published-protocol", help="Also the best accuracy on test pairs at any time of a training."),
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Of raan and softmax; published: 2000.")] = 2000,
    segments: Annotated[int, typer.Option(min=1, help="Of raan, softmax and average; published: 400.")] = 400,
    workers: Annotated[int | None, typer.Option(min=1, help="Rows at a time; by default one a core.")] = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    json: JsonOption = False,
) -> None:
    """Train and test learners side by side on published data; an interrupted run goes on where it stopped."""
    from toprock.datasets.registry import reader
    from toprock.engines import open_engine
    from toprock.evaluate.ablations import DEFAULT, ablations
    from toprock.evaluate.benchmark import run_benchmark
    from toprock.evaluate.summary import summarise

    read = reader(name)
    if inner and one_out:
        raise UsageError("--inner and --leave-one-out are two kinds of folds", advice="Give one of them.")
    folds = "inner" if inner else "leave-one-out" if one_out else "official"
    if ablate and model:
        raise UsageError("--ablate and --model are two tables", advice="Give one of them.")
    learners = None if ablate else _learners(model, epochs, segments)
    left = _Left()
    done: list[TaskScores] = []
    folder = out or Path(f"benchmark-{name}")
    with open_engine(engine, address=address, workers=workers, on_note=say) as where, bar(f"Reading {name}") as advance:
        for task in left.note(read(data, pairs), folds):
            done += run_benchmark(
                [task],
                learners or ablations(list(task.recipes)),
                seeds=range(seeds),
                folder=folder,
                published=published_protocol,
                engine=where,
                on_row=lambda what, rows, total, name=task.name: advance(rows, total, f"{name}: {what}"),  # type: ignore[misc]
            )
    if not done:
        say_left_out(left.missing, left.pairs)
        raise PairsError(f"{name}: nothing is left to be measured", advice=f"Put more of its videos into {data}.")
    by_task = {scores.task.name: summarise([scores], reference=DEFAULT) for scores in done}
    lines = summarise(done, reference=DEFAULT) if len(done) > 1 else by_task[done[0].task.name]
    if json:
        print_json(_document(name, folds, lines, by_task, left, done))
    else:
        for title, found in by_task.items() if len(by_task) > 1 else ():
            _print(title, found)
        _print(f"{name}, mean over {len(done)} tasks" if len(done) > 1 else done[0].task.name, lines)
    say_left_out(left.missing, left.pairs)


def _document(
    name: str,
    folds: str,
    lines: Sequence[Line],
    by_task: Mapping[str, Sequence[Line]],
    left: _Left,
    done: Sequence[TaskScores],
) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": name,
        "folds": folds,
        "summary": {line.name: line.to_json() for line in lines},
        "tasks": {task: {line.name: line.to_json() for line in found} for task, found in by_task.items()},
        "missing": left.missing,
        "pairs_left_out": left.pairs,
        "rows": [
            {k: v for k, v in row.items() if k != "scores"} | accuracies
            for scores in done
            for row, accuracies in zip(scores.rows, scores.row_accuracies(), strict=True)
        ],
    }


def _learners(wanted: Sequence[str] | None, epochs: int, segments: int) -> Mapping[str, Learner]:
    from toprock.peers import AveragePooling, Linear, Qsd, Raan, Softmax, TwinConfig

    twin = TwinConfig(epochs=epochs, segments=segments)
    known: dict[str, Learner] = {
        "qsd": Qsd(),
        "raan": Raan(twin),
        "softmax": Softmax(twin),
        "average": AveragePooling(TwinConfig(segments=segments)),  # costs next to nothing: always the whole schedule
        "linear": Linear(),
    }
    unknown = [name for name in wanted or () if name not in known]
    if unknown:
        raise UsageError(f"there is no model '{unknown[0]}'", advice=f"Allowed: {', '.join(known)}.")
    return {name: learner for name, learner in known.items() if not wanted or name in wanted}


@dataclass
class _Left:
    """What the tasks lack, noted as they go by."""

    missing: dict[str, str] = field(default_factory=dict)
    pairs: int = 0

    def note(self, tasks: Iterator[Task], folds: str) -> Iterator[Task]:
        """The tasks that something is there of, with the folds asked for."""
        from toprock.evaluate.benchmark import inner_folds

        for task in tasks:
            self.missing |= task.missing
            self.pairs += task.pairs_left_out
            whole = [fold for fold in task.folds if fold.train and fold.test]
            if not whole:
                say(f"left out: {task.name}, of which too little is there")
                continue
            task = task.with_folds(whole)
            try:
                other = inner_folds(task) if folds == "inner" else task.leave_one_out() if folds != "official" else task
            except PairsError as problem:
                say(f"left out: {problem}")
                continue
            usable = [f for f in other.folds if f.test and any(not p.tie for p in f.train)]
            if usable:
                yield other.with_folds(usable)
            else:
                say(f"left out: {other.name}, which leaves nothing to learn from")


def _print(title: str, lines: Sequence[Line]) -> None:
    figures: list[tuple[str, Any]] = [
        ("ranked right", lambda line: _share(line.accuracy)),
        ("both unseen", lambda line: _share(line.both_unseen)),
        ("new performers", lambda line: _share(line.new_performers)),
        ("like length", lambda line: _share(line.similar_length)),
        ("Spearman", lambda line: "" if line.spearman is None else f"{line.spearman:.2f}"),
        ("best on test", lambda line: "" if line.published is None else f"{100 * line.published:.1f}"),
        ("s a row", lambda line: "" if line.seconds is None else f"{line.seconds:.0f}"),
    ]
    differences: list[tuple[str, Any]] = [
        ("on all pairs", lambda line: _points(line.difference)),
        ("on both unseen", lambda line: _points(line.difference_unseen)),
    ]
    if all(line.new_performers == line.both_unseen for line in lines):
        figures = [(head, cell) for head, cell in figures if head != "new performers"]  # the same pairs
    _table(f"{title}: % of pairs ranked right (95 % interval)", lines, figures)
    if any(line.difference.value is not None for line in lines):
        _table("qsd is better by, in points", lines, differences)
    if any(line.published is not None for line in lines):
        print("best on test: the checkpoint is picked on the test pairs, as the field does; no fair estimate.")
    print("Intervals by drawing performances anew; a difference whose interval holds 0 is inconclusive.")


def _table(title: str, lines: Sequence[Line], shown: Sequence[tuple[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = [(head, [cell(line) for line in lines]) for head, cell in shown]
    columns = [(head, cells) for head, cells in columns if any(cells)]
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for head, _ in columns:
        table.add_column(head, justify="right")
    for row, line in enumerate(lines):
        if any(cells[row] for _, cells in columns):
            style = "bold green" if line.name == "qsd" else "dim" if line.seconds is None else ""
            table.add_row(line.name.replace("_", " "), *(cells[row] for _, cells in columns), style=style)
    Console().print(table)


def _share(figure: Figure) -> str:
    if figure.value is None or figure.interval is None:
        return ""
    return f"{100 * figure.value:.1f} ({100 * figure.interval[0]:.0f}-{100 * figure.interval[1]:.0f})"


def _points(figure: Figure) -> str:
    if figure.value is None or figure.interval is None:
        return ""
    low, high = (100 * value for value in figure.interval)
    doubt = ", inconclusive" if figure.inconclusive else ""
    return f"{100 * figure.value:+.1f} ({low:+.1f}, {high:+.1f}){doubt}"
