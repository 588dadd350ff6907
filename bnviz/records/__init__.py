"""Frozen results as NumPy arrays: the seam between the workers, which write them, and the figures, which read them.

Shapes: m = points in time, k = competitors, l = hidden layers, w = weight matrices (l + 1), u = units kept a layer,
q = quantile levels, b = bins, g = grid points a side, p = points of a path.
"""

from bnviz.records.anatomy import (
    ANATOMY_CHARTS,
    COMPARED,
    GRADIENTS,
    MODES,
    NAIVE_STEPS,
    SCALES,
    STAGES,
    STREAM_BATCHES,
    Anatomy,
    no_anatomy,
)
from bnviz.records.arrays import (
    BAND_LEVELS,
    GRADIENT_BINS,
    MOST_UNITS,
    QUANTILE_LEVELS,
    STANDARDISED_EDGES,
    Floats,
    Ints,
    kept_units,
)
from bnviz.records.depth import Depth
from bnviz.records.figure_one import FIGURE_ONE_CHARTS, FigureOne, Replica, at_step, recorded_units
from bnviz.records.history import MEASURES, History, HistoryBuilder, Point, has_any, measure_shapes
from bnviz.records.kept import MOST_POINTS, appended
from bnviz.records.landscape import LANDSCAPE_ARRAYS, LANDSCAPE_CHARTS, START_TO_NOW, TWIN_TO_TWIN, Landscape
from bnviz.records.linear_unit import MOST_SGD_STEPS, TREATMENTS, LinearUnit, Spectrum
from bnviz.records.measures import GHOST_MEASURES, Contour, Ghost, Gradients, ghost_of
from bnviz.records.run import PICTURE_CHARTS, SERIES, Run, Study, Update
from bnviz.records.sharpness import Sharpness
from bnviz.records.shift import STEP_SIZES, Shift, Smoothness
from bnviz.records.status import Badge, Condition, Health, Intervention, Phase, Status
from bnviz.records.sweep import (
    USABLE_ACCURACY,
    CellFailure,
    CellResult,
    Outcome,
    Sweep,
    SweepPhase,
    SweepStatus,
    cells_in,
    nothing_swept,
    with_failures,
    with_results,
    with_status,
    with_training,
)
from bnviz.records.trials import AMOUNTS, CHANGES, MOMENTS, STATISTICS, Trials
from bnviz.records.untrained import DIVERGED_RATIO, RELATIVE_STEPS, SINGULAR_LEVELS, Untrained

__all__ = [
    "AMOUNTS", "ANATOMY_CHARTS", "BAND_LEVELS", "CHANGES", "COMPARED", "DIVERGED_RATIO", "FIGURE_ONE_CHARTS",
    "GHOST_MEASURES", "GRADIENTS", "GRADIENT_BINS", "LANDSCAPE_ARRAYS", "LANDSCAPE_CHARTS", "MEASURES", "MODES",
    "MOMENTS", "MOST_POINTS", "MOST_SGD_STEPS", "MOST_UNITS", "NAIVE_STEPS", "PICTURE_CHARTS", "QUANTILE_LEVELS",
    "RELATIVE_STEPS", "SCALES", "SERIES", "SINGULAR_LEVELS", "STAGES", "STANDARDISED_EDGES", "START_TO_NOW",
    "STATISTICS", "STEP_SIZES", "STREAM_BATCHES", "TREATMENTS", "TWIN_TO_TWIN", "USABLE_ACCURACY", "Anatomy", "Badge",
    "CellFailure", "CellResult", "Condition", "Contour", "Depth", "FigureOne", "Floats", "Ghost", "Gradients", "Health",
    "History", "HistoryBuilder", "Intervention", "Ints", "Landscape", "LinearUnit", "Outcome", "Phase", "Point",
    "Replica", "Run", "Sharpness", "Shift", "Smoothness", "Spectrum", "Status", "Study", "Sweep", "SweepPhase",
    "SweepStatus", "Trials", "Untrained", "Update", "appended", "at_step", "cells_in", "ghost_of", "has_any",
    "kept_units", "measure_shapes", "no_anatomy", "nothing_swept", "recorded_units", "with_failures", "with_results",
    "with_status", "with_training",
]  # fmt: skip
