"""BnvizError and its few kinds: every text is written for the visitor who reads it.

Only a `BnvizError` leaves a worker process: a pickled torch exception would import torch in the web server. Each takes
exactly one string, so that it survives pickling unchanged.
"""


class BnvizError(Exception):
    """Something a visitor can act on: the text names the value, the rule and the remedy."""

    @property
    def text(self) -> str:
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigError(BnvizError):
    """A setting outside its bounds, or a combination that would cost too much."""


class DataError(BnvizError):
    """A data file that is missing or damaged."""


class RunError(BnvizError):
    """A run that does not exist, is not the caller's, or finds no place."""


class EngineError(BnvizError):
    """Training is out of reach: the scheduler or a worker does not answer."""
