"""Rules across settings: what each of them allows, but not together."""

from typing import TYPE_CHECKING

from bnviz.config.architecture import BLOCKS, CLASSES
from bnviz.config.competitors import lineup, normalizations_of
from bnviz.config.model import ModelConfig
from bnviz.config.names import Normalization, Sampling
from bnviz.errors import ConfigError

if TYPE_CHECKING:
    from bnviz.config.settings import Settings

IN_GROUPS = (Normalization.GROUP, Normalization.DECORRELATED)


def check_rules(settings: "Settings") -> None:
    """`ConfigError` where settings do not go together; the text names value, rule and remedy."""
    model, batch = settings.model, settings.hyper.batch_size
    normalizations = normalizations_of(model)
    _check_training_set(model, batch)
    if model.is_convolutional and model.hidden_layers != BLOCKS:
        raise ConfigError(
            f"hidden_layers = {model.hidden_layers}, but a convolutional network has {BLOCKS}: each convolution halves "
            f"the maps, and a third would have nothing left to see. Choose {BLOCKS}, or a fully connected network."
        )
    for one in lineup(model):
        if one.normalization in IN_GROUPS and model.width % model.groups:
            _, *fitting = reversed(_divisors(model.width))  # groups of one unit are no groups
            raise ConfigError(
                f"{model.groups} groups do not divide the {model.width} {model.units} of a layer, and "
                f"{one.label} has groups of equal size: choose {_listed(fitting[::-1])} groups, "
                "or another width."
            )
    is_without_variance = model.groups == model.width and not model.is_convolutional  # else over the positions
    if Normalization.GROUP in normalizations and is_without_variance:
        raise ConfigError(
            f"{model.groups} groups of one unit each leave GroupNorm nothing to take a variance over: choose fewer "
            f"groups ({_listed(_divisors(model.width)[:-1])}), or compare BN, which does so over the images."
        )
    size, values = model.width // model.groups, batch * model.fewest_positions
    if Normalization.DECORRELATED in normalizations and values <= size:
        fitting = [groups for groups in _divisors(model.width) if model.width // groups < values]
        more = f"more groups ({_listed(fitting)}), " if fitting else ""
        counted = "values" if model.is_convolutional else "images"
        raise ConfigError(
            f"A batch of {batch} is too small for decorrelated BN to whiten groups of {size} {model.units}: a "
            f"covariance of no more {counted} than {model.units} is singular. Choose {more}a batch of at least "
            f"{size // model.fewest_positions + 1}, or compare BN, which needs no covariance, or LayerNorm, which "
            "needs no batch."
        )


def _check_training_set(model: ModelConfig, batch: int) -> None:
    """A mini-batch holds no image twice, and is no larger than an epoch."""
    count = model.training_images
    if batch > count:
        raise ConfigError(
            f"A batch of {batch} cannot be drawn from {count} training images: choose a batch of at most {count}, or "
            "more training images."
        )
    of_a_class = count // (2 * CLASSES)  # MNIST's rarest digit makes up more than a twentieth of its first images
    if model.sampling is Sampling.TWO_CLASSES and batch > 2 * of_a_class:
        raise ConfigError(
            f"A batch of {batch} of two classes is too large for {count:,} training images, which are only sure to "
            f"hold {of_a_class:,} of each: choose a batch of at most {2 * of_a_class}, or more training images."
        )


def _divisors(width: int) -> list[int]:
    return [groups for groups in range(1, width + 1) if width % groups == 0]


def _listed(numbers: list[int]) -> str:
    *others, last = map(str, numbers)
    return f"{', '.join(others)} or {last}" if others else last
