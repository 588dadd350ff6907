"""A checkpoint is a safetensors file that brings back every bit, or says why it cannot."""

import pytest
import torch

from bnviz.errors import RunError
from bnviz.records import Intervention
from bnviz.worker import checkpoints
from bnviz.worker.checkpoints import Progress
from tests.fake_worker import SMALL

PROGRESS = Progress(
    SMALL.replace(learning_rate=0.1 + 0.2), (Intervention(3, "learning_rate", 0.5, 0.1 + 0.2),), measured_step=7
)


def tensors() -> dict[str, torch.Tensor]:
    return {
        "weights": torch.tensor([[0.1, float("nan")], [float("inf"), -0.0]]),
        "step": torch.tensor(2**40 + 1),
        "path": torch.tensor([1 / 3], dtype=torch.float64),
    }


def test_what_is_encoded_comes_back_bit_for_bit() -> None:
    found, progress = checkpoints.decode(checkpoints.encode(tensors(), PROGRESS))
    assert progress == PROGRESS
    for name, tensor in tensors().items():
        assert found[name].dtype == tensor.dtype
        assert found[name].numpy().tobytes() == tensor.numpy().tobytes()


@pytest.mark.parametrize("damage", [b"", b"no checkpoint at all", None])
def test_damaged_bytes_are_refused_with_a_remedy(damage: bytes | None) -> None:
    blob = checkpoints.encode(tensors(), PROGRESS)[:-9] if damage is None else damage
    with pytest.raises(RunError, match=r"cannot be read .* reset the run"):
        checkpoints.decode(blob)


def test_a_safetensors_file_of_somebody_else_is_refused() -> None:
    from safetensors.torch import save

    with pytest.raises(RunError, match="cannot be read"):
        checkpoints.decode(save(tensors()))


def test_settings_out_of_bounds_in_a_checkpoint_are_refused() -> None:
    blob = checkpoints.encode(tensors(), PROGRESS).replace(b'\\"momentum\\": 0.0', b'\\"momentum\\": 9.0')
    with pytest.raises(RunError, match="Momentum"):
        checkpoints.decode(blob)
