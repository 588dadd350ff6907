"""The names that settings and views choose from."""

from enum import StrEnum


class Architecture(StrEnum):
    FULLY_CONNECTED = "fully_connected"
    CONVOLUTIONAL = "convolutional"  # two strided convolutions and a linear layer; see `architecture`


class Nonlinearity(StrEnum):
    SIGMOID = "sigmoid"
    TANH = "tanh"
    RELU = "relu"
    LEAKY_RELU = "leaky_relu"
    GELU = "gelu"
    IDENTITY = "identity"


class Initialization(StrEnum):
    GAUSSIAN = "gaussian"  # N(0, init_scale²)
    GLOROT = "glorot"  # init_scale × N(0, 2/(fan_in + fan_out))
    HE = "he"  # init_scale × N(0, 2/fan_in)
    ORTHOGONAL = "orthogonal"  # init_scale × a (semi-)orthogonal matrix
    LSUV = "lsuv"  # init_scale × that, divided by the std of the layer's output: Mishkin & Matas 2016


class Optimizer(StrEnum):
    SGD = "sgd"
    ADAM = "adam"


class BnPlacement(StrEnum):
    BEFORE = "before"  # z = g(BN(W u)), as Ioffe & Szegedy 2015, Sec. 3.2
    AFTER = "after"  # z = BN(g(W u + b))


class InputForm(StrEnum):
    BINARY = "binary"  # pixel > 0.5, as Ioffe & Szegedy 2015, Sec. 4.1
    RAW = "raw"  # pixel / 255, in [0, 1]
    STANDARDISED = "standardised"  # (raw - mean) / std, both over the 60,000 training images' pixels


class Sampling(StrEnum):
    """Which training images come into a mini-batch together."""

    SHUFFLED = "shuffled"  # a fresh permutation of all of them each epoch
    TWO_CLASSES = "two_classes"  # of two digits only, drawn anew for every mini-batch
    SORTED = "sorted"  # all zeros, then all ones, and so on, shuffled within each


class Device(StrEnum):
    AUTO = "auto"  # CUDA where torch sees it, else CPU
    CPU = "cpu"
    CUDA = "cuda"


class Network(StrEnum):
    """What a run compares, in the order in which networks stand beside each other; see `competitors.COMPETITORS`.

    The names of the first nine are those of their normalizations: links and files of before say no more.
    """

    NONE = "none"
    BATCH = "batch"
    LAYER = "layer"
    GROUP = "group"
    WEIGHT = "weight"
    RENORMALIZATION = "renormalization"
    DECORRELATED = "decorrelated"
    NOISY_BATCH = "noisy_batch"
    NOISE = "noise"
    DROPOUT = "dropout"  # without BN
    BATCH_DROPOUT = "batch_dropout"
    LSUV = "lsuv"  # this and the following without BN, from initial weights of their own
    ORTHOGONAL = "orthogonal"
    HE = "he"
    GLOROT = "glorot"


class Normalization(StrEnum):
    """What a network's hidden layers do to their values."""

    NONE = "none"
    BATCH = "batch"
    LAYER = "layer"
    GROUP = "group"
    WEIGHT = "weight"
    RENORMALIZATION = "renormalization"  # Batch Renormalization
    DECORRELATED = "decorrelated"  # BN that whitens groups of units instead of standardising each
    NOISY_BATCH = "noisy_batch"  # BN, and then noise: Santurkar et al. 2018, Appendix A, Algorithm 1
    NOISE = "noise"  # the same noise without BN


class Connections(StrEnum):
    """How the layers of an untrained network are joined."""

    PLAIN = "plain"  # u <- g(N(W u))
    RESIDUAL = "residual"  # u <- u + g(N(W u)) from the second hidden layer on


class Measure(StrEnum):
    """What is measured only where somebody asks for it."""

    GRADIENTS = "gradients"  # the gradients at every scheduled step, beside those now and then
    SHIFT = "shift"  # internal covariate shift
    SMOOTHNESS = "smoothness"  # of the loss along the gradient
    SHARPNESS = "sharpness"  # the largest curvature of the loss
    BATCH_ACCURACY = "batch_accuracy"  # test accuracy with batch statistics too, where BN has running ones


class ShiftMeasure(StrEnum):
    """How two gradients are compared."""

    CHANGE = "change"  # ||G - G'||
    RELATIVE = "relative"  # ||G - G'|| / ||G||
    COSINE = "cosine"  # of the angle between them


class Axis(StrEnum):
    """What a chart over time has on its x axis."""

    STEPS = "steps"
    IMAGES = "images"
    COMPUTE = "compute"  # each network's own compute seconds


class Directions(StrEnum):
    """The two directions that span the plane of a loss landscape."""

    PATHS = "paths"  # the two leading principal components of both paths together
    RANDOM = "random"  # filter-normalised Gaussian directions, Li et al. 2018
    GRADIENT = "gradient"  # each network's own gradient, and a random direction orthogonal to it
    POINTS = "points"  # the plane through three points of the paths


class Statistics(StrEnum):
    """Which mean and variance BN takes where a loss landscape is measured."""

    BATCH = "batch"  # those of the batch that the loss is measured on
    RUNNING = "running"  # the running ones as they are at the present weights, everywhere
    INTERPOLATED = "interpolated"  # the running ones, interpolated between the points of the path that lie in the plane


class Treatment(StrEnum):
    """What is done to the inputs of a linear unit before it sees them."""

    RAW = "raw"
    CENTRED = "centred"  # minus the mean of each input
    SCALED = "scaled"  # divided by the standard deviation of each input
    STANDARDISED = "standardised"  # both, which is what BN does
    WHITENED = "whitened"  # centred, and their covariance made the identity


class Whitening(StrEnum):
    """Of the many matrices that whiten, with a covariance of D Λ Dᵀ."""

    PCA = "pca"  # Λ^(-1/2) Dᵀ
    ZCA = "zca"  # D Λ^(-1/2) Dᵀ, as in decorrelated BN (Huang et al. 2018)


class RateRule(StrEnum):
    """What a learning rate means where several losses are descended side by side."""

    SHARED = "shared"  # one rate for all
    MULTIPLE = "multiple"  # so many times each one's largest stable rate, 2/λ_max
    BEST = "best"  # each one's best rate from the worst start, 2/(λ_max + λ_min)


class PixelForm(StrEnum):
    """`InputForm` without the standardised one, whose two numbers treat every pixel alike."""

    BINARY = "binary"
    RAW = "raw"


class Experiment(StrEnum):
    """What is tried on the page about BN's limits."""

    BATCH_SIZE = "batch_size"
    MINI_BATCHES = "mini_batches"  # that are not independent
    TEST_TIME = "test_time"  # other images than those of training
    INITIALIZATION = "initialization"  # instead of BN
    DROPOUT = "dropout"  # with BN and without, on few training images and on many


class Equal(StrEnum):
    """What all batch sizes get the same of."""

    STEPS = "steps"
    IMAGES = "images"


class UpdateRule(StrEnum):
    """What makes an update of a gradient, where the runs of a figure differ in it."""

    SGD = "sgd"
    MOMENTUM = "momentum"  # SGD with momentum
    ADAM = "adam"


class ClaimRun(StrEnum):
    """A run that shows a claim of the paper in the lab: the claim's name, and which run where it takes two."""

    FASTER = "faster"
    HIGHER_RATES = "higher-rates"
    LESS_CARE = "less-care"
    SATURATING = "saturating"
    REGULARIZES = "regularizes"
    REGULARIZES_PLAIN = "regularizes-plain"
    LESS_DROPOUT = "less-dropout"
    LESS_DROPOUT_PLAIN = "less-dropout-plain"
    SCALE_FREE = "scale-free"
    LESS_SHIFT = "less-shift"
