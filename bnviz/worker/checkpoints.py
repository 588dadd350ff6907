"""Checkpoints: the tensors of a trainer and the little besides that a run needs to go on, as one safetensors file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from bnviz import config
from bnviz.config import Settings
from bnviz.errors import ConfigError, RunError
from bnviz.records import Intervention

if TYPE_CHECKING:
    from torch import Tensor

_KEY: Final = "bnviz"  # in the file's own metadata


@dataclass(frozen=True)
class Progress:
    """What a run remembers besides its trainer's tensors."""

    settings: Settings  # the hyper-parameters are those in force
    interventions: tuple[Intervention, ...]
    measured_step: int  # of the newest point with a test accuracy; -1 before the first


def encode(tensors: "Mapping[str, Tensor]", progress: Progress) -> bytes:
    from safetensors.torch import save

    values = {
        "settings": config.to_json(progress.settings),
        "interventions": [asdict(one) for one in progress.interventions],
        "measured_step": progress.measured_step,
    }
    return bytes(save(dict(tensors), metadata={_KEY: json.dumps(values)}))


def decode(blob: bytes) -> "tuple[dict[str, Tensor], Progress]":
    """The tensors, on the CPU, and the progress; `RunError` if the bytes are not those of a checkpoint."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(blob)
        values = json.loads(_metadata(blob)[_KEY])
        progress = Progress(
            config.from_json(values["settings"]),
            tuple(Intervention(**one) for one in values["interventions"]),
            int(values["measured_step"]),
        )
    except (SafetensorError, ConfigError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"This run's checkpoint cannot be read ({error}): reset the run to train it again.") from None
    return tensors, progress


def _metadata(blob: bytes) -> dict[str, str]:
    """The metadata in a safetensors header: 8 bytes of length, little-endian, and then JSON."""
    length = int.from_bytes(blob[:8], "little")
    metadata = json.loads(blob[8 : 8 + length])["__metadata__"]
    return {str(key): str(value) for key, value in metadata.items()}
