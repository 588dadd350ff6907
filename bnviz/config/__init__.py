"""Frozen, validated settings; their bounds, cost limits, URL form and back."""

from bnviz.config.anatomy import (
    ANATOMY_SETTINGS,
    MOST_ANATOMY_IMAGES,
    AnatomyConfig,
    anatomy_from_query,
    anatomy_to_query,
)
from bnviz.config.competitors import (
    BN,
    BN_DROPOUT,
    COMPETITORS,
    DECORRELATED,
    DROPOUT,
    GLOROT,
    GROUP,
    HE,
    LAYER,
    LSUV,
    NOISE,
    NOISY,
    ORTHOGONAL,
    PLAIN,
    RENORM,
    TWINS,
    WEIGHT,
    WITH_DROPOUT,
    WITH_NOISE,
    Competitor,
    lineup,
    networks_of,
    normalizations_of,
)
from bnviz.config.depth import (
    DEPTH_SETTINGS,
    MOST_DEPTH_SECONDS,
    DepthConfig,
    depth_from_query,
    depth_seconds,
    depth_to_query,
)
from bnviz.config.landscape import (
    CUT_POINTS,
    LANDSCAPE_KEYS,
    LANDSCAPE_SETTINGS,
    MOST_LANDSCAPE_SECONDS,
    NOW,
    LandscapeConfig,
    WeightPoint,
    check_landscape,
    landscape_from_json,
    landscape_from_query,
    landscape_seconds,
    landscape_to_json,
    landscape_to_query,
)
from bnviz.config.linear_unit import (
    LINEAR_UNIT_SETTINGS,
    LinearUnitConfig,
    linear_unit_from_query,
    linear_unit_to_query,
)
from bnviz.config.links import OLD_LINEUP, SCHEMA_VERSION, from_json, from_query, to_json, to_query
from bnviz.config.model import CLASSES, INPUT_PIXELS, PROBE_IMAGES, HyperParams, ModelConfig, default_init_scale
from bnviz.config.names import (
    Axis,
    BnPlacement,
    Connections,
    Device,
    Directions,
    Equal,
    Experiment,
    Initialization,
    InputForm,
    Measure,
    Network,
    Nonlinearity,
    Normalization,
    Optimizer,
    PixelForm,
    RateRule,
    Sampling,
    ShiftMeasure,
    Statistics,
    Treatment,
    Whitening,
)
from bnviz.config.rules import IN_GROUPS, check_rules
from bnviz.config.settings import (
    MOST_CHECKPOINT_BYTES,
    MOST_STEP_MILLISECONDS,
    Settings,
    check_cost,
    checkpoint_bytes,
    step_milliseconds,
    weight_count,
)
from bnviz.config.study import StudyConfig
from bnviz.config.table import (
    BY_KEY,
    BY_NAME,
    NOISE_SETTINGS,
    SETTINGS,
    TRAIN_IMAGES,
    Choice,
    Number,
    Setting,
    Several,
    text_of,
)
from bnviz.config.trials import (
    BATCH_SIZES,
    MOST_TRIALS_SECONDS,
    TRIALS,
    TRIALS_SETTINGS,
    Condition,
    TrialsConfig,
    settings_of,
    trials_from_query,
    trials_seconds,
    trials_to_query,
)
from bnviz.config.untrained import (
    MOST_UNTRAINED_SECONDS,
    UNTRAINED_SETTINGS,
    UntrainedConfig,
    untrained_from_query,
    untrained_seconds,
    untrained_to_query,
)
from bnviz.config.view import MEAN, NEWEST, VIEW_KEYS, View, view_from_query, view_to_query

__all__ = [
    "ANATOMY_SETTINGS", "BATCH_SIZES", "BN", "BN_DROPOUT", "BY_KEY", "BY_NAME", "CLASSES", "COMPETITORS", "CUT_POINTS",
    "DECORRELATED", "DEPTH_SETTINGS", "DROPOUT", "GLOROT", "GROUP", "HE", "INPUT_PIXELS", "IN_GROUPS", "LANDSCAPE_KEYS",
    "LANDSCAPE_SETTINGS", "LAYER", "LINEAR_UNIT_SETTINGS", "LSUV", "MEAN", "MOST_ANATOMY_IMAGES",
    "MOST_CHECKPOINT_BYTES", "MOST_DEPTH_SECONDS", "MOST_LANDSCAPE_SECONDS", "MOST_STEP_MILLISECONDS",
    "MOST_TRIALS_SECONDS", "MOST_UNTRAINED_SECONDS", "NEWEST", "NOISE", "NOISE_SETTINGS", "NOISY", "NOW", "OLD_LINEUP",
    "ORTHOGONAL", "PLAIN", "PROBE_IMAGES", "RENORM", "SCHEMA_VERSION", "SETTINGS", "TRAIN_IMAGES", "TRIALS",
    "TRIALS_SETTINGS", "TWINS", "UNTRAINED_SETTINGS", "VIEW_KEYS", "WEIGHT", "WITH_DROPOUT", "WITH_NOISE",
    "AnatomyConfig", "Axis", "BnPlacement", "Choice", "Competitor", "Condition", "Connections", "DepthConfig", "Device",
    "Directions", "Equal", "Experiment", "HyperParams", "Initialization", "InputForm", "LandscapeConfig",
    "LinearUnitConfig", "Measure", "ModelConfig", "Network", "Nonlinearity", "Normalization", "Number", "Optimizer",
    "PixelForm", "RateRule", "Sampling", "Setting", "Settings", "Several", "ShiftMeasure", "Statistics", "StudyConfig",
    "Treatment", "TrialsConfig", "UntrainedConfig", "View", "WeightPoint", "Whitening", "anatomy_from_query",
    "anatomy_to_query", "check_cost", "check_landscape", "check_rules", "checkpoint_bytes", "default_init_scale",
    "depth_from_query", "depth_seconds", "depth_to_query", "from_json", "from_query", "landscape_from_json",
    "landscape_from_query", "landscape_seconds", "landscape_to_json", "landscape_to_query", "linear_unit_from_query",
    "linear_unit_to_query", "lineup", "networks_of", "normalizations_of", "settings_of", "step_milliseconds", "text_of",
    "to_json", "to_query", "trials_from_query", "trials_seconds", "trials_to_query", "untrained_from_query",
    "untrained_seconds", "untrained_to_query", "view_from_query", "view_to_query", "weight_count",
]  # fmt: skip
