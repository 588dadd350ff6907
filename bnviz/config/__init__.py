"""Frozen, validated settings; their bounds, cost limits, URL form and back."""

from bnviz.config.anatomy import (
    ANATOMY_SETTINGS,
    MOST_ANATOMY_IMAGES,
    AnatomyConfig,
    anatomy_from_query,
    anatomy_to_query,
)
from bnviz.config.architecture import (
    BLOCKS,
    CLASSES,
    IMAGE_SIDE,
    INPUT_PIXELS,
    KERNEL,
    STRIDE,
    WeightLayer,
    default_sizes,
)
from bnviz.config.competitors import (
    BN,
    COMPETITORS,
    DECORRELATED,
    GROUP,
    LAYER,
    NOISE,
    NOISY,
    PLAIN,
    RENORM,
    TWINS,
    WEIGHT,
    WITH_NOISE,
    Competitor,
    lineup,
    networks_of,
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
from bnviz.config.model import PROBE_IMAGES, HyperParams, ModelConfig, default_init_scale
from bnviz.config.names import (
    Architecture,
    Axis,
    BnPlacement,
    Connections,
    Device,
    Directions,
    Initialization,
    InputForm,
    Measure,
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
from bnviz.config.table import BY_KEY, BY_NAME, NOISE_SETTINGS, SETTINGS, Choice, Number, Setting, Several, text_of
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
    "ANATOMY_SETTINGS", "BLOCKS", "BN", "BY_KEY", "BY_NAME", "CLASSES", "COMPETITORS", "CUT_POINTS", "DECORRELATED",
    "GROUP", "IMAGE_SIDE", "INPUT_PIXELS", "IN_GROUPS", "KERNEL", "LANDSCAPE_KEYS", "LANDSCAPE_SETTINGS", "LAYER",
    "LINEAR_UNIT_SETTINGS", "MEAN", "MOST_ANATOMY_IMAGES", "MOST_CHECKPOINT_BYTES", "MOST_LANDSCAPE_SECONDS",
    "MOST_STEP_MILLISECONDS", "MOST_UNTRAINED_SECONDS", "NEWEST", "NOISE", "NOISE_SETTINGS", "NOISY", "NOW",
    "OLD_LINEUP", "PLAIN", "PROBE_IMAGES", "RENORM", "SCHEMA_VERSION", "SETTINGS", "STRIDE", "TWINS",
    "UNTRAINED_SETTINGS", "VIEW_KEYS", "WEIGHT", "WITH_NOISE", "AnatomyConfig", "Architecture", "Axis", "BnPlacement",
    "Choice", "Competitor", "Connections", "Device", "Directions", "HyperParams", "Initialization", "InputForm",
    "LandscapeConfig", "LinearUnitConfig", "Measure", "ModelConfig", "Nonlinearity", "Normalization", "Number",
    "Optimizer", "PixelForm", "RateRule", "Sampling", "Setting", "Settings", "Several", "ShiftMeasure", "Statistics",
    "StudyConfig", "Treatment", "UntrainedConfig", "View", "WeightLayer", "WeightPoint", "Whitening",
    "anatomy_from_query", "anatomy_to_query", "check_cost", "check_landscape", "check_rules", "checkpoint_bytes",
    "default_init_scale", "default_sizes", "from_json", "from_query", "landscape_from_json", "landscape_from_query",
    "landscape_seconds", "landscape_to_json", "landscape_to_query", "linear_unit_from_query", "linear_unit_to_query",
    "lineup", "networks_of", "step_milliseconds", "text_of", "to_json", "to_query", "untrained_from_query",
    "untrained_seconds", "untrained_to_query", "view_from_query", "view_to_query", "weight_count",
]  # fmt: skip
