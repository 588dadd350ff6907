"""What is measured now and then: gradients, loss contours; and what stays of an earlier run."""

from dataclasses import dataclass, fields
from typing import Final

from bnviz.config import Directions
from bnviz.records.arrays import Floats
from bnviz.records.history import History


@dataclass(frozen=True, eq=False)  # one is equal to itself alone: it is measured anew or the same
class Gradients:
    """Gradient of every weight matrix on the first 128 probe images, BN with that batch's statistics, at one step."""

    step: int
    edges: Floats  # [w, b + 1] shared by the competitors, symmetric about 0, reaching the largest of their gradients
    counts: Floats  # [k, w, b]
    standardised_counts: Floats  # [k, w, b] of gradient / its std, over STANDARDISED_EDGES
    std: Floats  # [k, w]
    excess_kurtosis: Floats  # [k, w] mean(z^4) - 3
    tail_ratio: Floats  # [k, w] q99.9(|g|) / q50(|g|)
    norm: Floats  # [k, w] Frobenius norm of the gradient
    weight_norm: Floats  # [k, w] Frobenius norm of the weights
    radial: Floats  # [k, w] sum_j |<W_j, g_j>| / sum_j ||W_j|| ||g_j|| over the units j; 0 if the loss ignores ||W_j||


@dataclass(frozen=True, eq=False)
class Contour:
    """The loss on a plane through each competitor's current weights: a 2-D slice, same directions for all of them.

    One fixed batch of `images` training images; BN with that batch's statistics; biases, gamma, beta stay as they are.
    """

    step: int
    directions: Directions
    images: int
    alpha: Floats  # [g] along the first direction, in filter norms (norms of the current weights' rows)
    beta: Floats  # [g]
    loss: Floats  # [k, g_beta, g_alpha] nats; NaN where not computed yet, inf where it overflows
    path_steps: Floats  # [p]
    path: Floats  # [k, p, 2] the walk so far in (alpha, beta), ending at (0, 0)
    share: Floats  # [k] share of the path's squared length that lies in the plane, in [0, 1]


@dataclass(frozen=True, eq=False)
class Scores:
    """How the competitors do on some images; NaN for those whose loss is not finite, or that have stopped."""

    accuracy: Floats  # [k] share classified correctly
    loss: Floats  # [k] mean cross-entropy, nats


@dataclass(frozen=True)
class Ghost:
    """The owner's run before this one, kept faint behind the new lines."""

    label: str  # what differed, such as "earlier run, lr 0.1"
    step: Floats  # [m]
    images: Floats  # [m]
    compute_seconds: Floats  # [m, k]
    loss: Floats  # [m, k]
    accuracy: Floats  # [m, k]
    net_displacement: Floats  # [m, k, l]
    path_length: Floats  # [m, k, l]
    standardised_net_displacement: Floats  # [m, k, l]
    standardised_path_length: Floats  # [m, k, l]


GHOST_MEASURES: Final = tuple(one.name for one in fields(Ghost) if one.name != "label")


def ghost_of(history: History, label: str) -> Ghost:
    """What stays of a run when the next one begins."""
    return Ghost(label, **{name: getattr(history, name) for name in GHOST_MEASURES})
