"""All that is random within a step: noise and dropout's masks, drawn into the buffers of one batch."""

from bnviz.config import HyperParams
from bnviz.models.activations import Activations
from bnviz.models.dropout import Dropout
from bnviz.models.noise import Batch, Noise


class Draws:
    """Draws that depend on (seed, step, kind of batch) alone; see `Noise` and `Dropout`."""

    def __init__(self, seed: int) -> None:
        self._noise, self._dropout = Noise(seed), Dropout(seed)

    def fill(self, batch: Activations, step: int, hyper: HyperParams, kind: Batch = Batch.TRAINING) -> None:
        """Those of one step; a batch whose networks need none is left as it is."""
        if batch.noise is not None:
            self._noise.draw(batch.noise, step, hyper, kind)
        if batch.masks is not None:
            self._dropout.draw(batch.masks, step, hyper.dropout, kind)
