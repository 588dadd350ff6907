"""What takes statistics over a batch, in a convolutional network."""

from torch import nn


class OverPositions(nn.Module):
    """Has feature maps [b, c, h, w] normalized as [b h w, c]: BN's batch is every position of every image."""

    def __init__(self, of):
        super().__init__()
        self.of = of

    def forward(self, x):
        rows = x.permute(0, 2, 3, 1)
        return self.of(rows.flatten(0, 2)).reshape(rows.shape).permute(0, 3, 1, 2)
