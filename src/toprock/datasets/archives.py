"""Published features as their authors packed them: one file a video, found by the video's id and read into a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from toprock.datasets.task import Fold, Task
from toprock.errors import FeaturesError
from toprock.features.importing import Span, common_dimension, find_arrays, import_recipe, read_imported
from toprock.features.store import PerformanceFeatures


class Archives:
    """Files `<video><suffix>.npz` (or .npy) at any depth below a folder.

    A video whose id holds `/`, such as `Sonic/B1-S`, is found in folders of that name, under the flat name
    `Sonic_B1-S`, or as `B1-S` where no other video of the task is called so.

    Args:
        data: the folder.
        suffix: of the names, before the ending.

    Raises:
        FeaturesError: the folder is absent, or holds no such file.
    """

    def __init__(self, data: Path, *, suffix: str = "") -> None:
        self.data, self.suffix = data, suffix
        self._by_name: dict[str, list[tuple[PurePosixPath, Path]]] = {}
        for ident, paths in find_arrays(data, suffix=suffix).items():
            place = PurePosixPath(ident)
            self._by_name.setdefault(place.name, []).extend((place, path) for path in paths)

    def locate(self, ids: Iterable[str], *, task: str, others: Collection[str] = ()) -> dict[str, Path]:
        """id -> file of those that are there.

        Args:
            ids: of the task's videos.
            task: a file in a folder of its name goes before others.
            others: tasks whose folders hold none of these videos.

        Raises:
            FeaturesError: two files mean the same video.
        """
        ids = sorted(ids)
        last = Counter(ident.rpartition("/")[2] for ident in ids)
        found = {}
        for ident in ids:
            name = ident.rpartition("/")[2]
            forms = [ident, ident.replace("/", "_"), *([name] if last[name] == 1 else [])]
            fits = next(filter(None, map(self._ending_in, forms)), [])
            inside = [fit for fit in fits if task in fit[0].parts[:-1]]
            elsewhere = [fit for fit in fits if set(fit[0].parts[:-1]).isdisjoint(others)]
            paths = [path for _, path in inside or elsewhere]
            if len(paths) > 1:
                raise FeaturesError(
                    f"{self.data}: two files mean the video '{ident}' of {task}: {paths[0]} and {paths[1]}",
                    advice="Remove one of them, or give the folder that holds only the other.",
                )
            if paths:
                found[ident] = paths[0]
        return found

    def _ending_in(self, form: str) -> list[tuple[PurePosixPath, Path]]:
        parts = PurePosixPath(form).parts
        return [fit for fit in self._by_name.get(parts[-1], []) if fit[0].parts[-len(parts) :] == parts]


def published_tasks(
    name: str,
    tasks: Mapping[str, Sequence[Fold]],
    archives: Archives,
    *,
    spans: Mapping[str, Span] | None = None,
    performer: Callable[[str], str] = lambda _: "",
) -> Iterator[Task]:
    """Read one task after the other: the one before is no longer held.

    Args:
        name: of the set.
        tasks: task -> folds.
        archives: where the features are; RGB I3D, a clip model: the dynamic stream.
        spans: id -> start and end in seconds, where published.
        performer: of an id; empty where not known.

    Raises:
        FeaturesError: none of the videos of any task is there.
    """
    ids = {
        task: {i for fold in folds for p in (*fold.train, *fold.test) for i in (p.better, p.worse)}
        for task, folds in tasks.items()
    }
    paths = {task: archives.locate(ids[task], task=task, others=tasks.keys() - {task}) for task in tasks}
    if not any(paths.values()):
        raise FeaturesError(
            f"{archives.data}: holds none of the {sum(map(len, ids.values()))} videos of {name}",
            advice=f"Give the folder with the published features: <video>{archives.suffix}.npz, at any depth.",
        )

    def read(task: str) -> Task:
        features, why = load(paths[task], "i3d", spans or {})
        performers = {ident: performer(ident) for ident in features if performer(ident)}
        recipes = {recipe.stream: recipe for found in features.values() for recipe in found.streams}
        return Task(f"{name}/{task}", features, recipes, tasks[task], performers).without_missing(why)

    return map(read, tasks)


def load(
    paths: Mapping[str, Path], name: str, spans: Mapping[str, Span], *, static: bool = False
) -> tuple[dict[str, PerformanceFeatures], dict[str, str]]:
    """Features of a stream, and id -> why of files that cannot be used, such as those of another length than most.

    Args:
        paths: id -> file.
        name: of the features.
        spans: id -> start and end in seconds; without, times count segments.
        static: whether they are of frames.
    """
    features: dict[str, PerformanceFeatures] = {}
    why: dict[str, str] = {}
    recipe = import_recipe("static" if static else "dynamic", name, common_dimension(paths.values()))
    for ident, path in paths.items():
        try:
            features[ident] = read_imported(path, ident, recipe, span=spans.get(ident))
        except FeaturesError as problem:
            why[ident] = str(problem)
    return features, why
