"""The store: a folder a run on disk."""

from bnviz.runs.store.compact import save_run
from bnviz.runs.store.disk import HOME_VARIABLE, default_home
from bnviz.runs.store.folder import Store
from bnviz.runs.store.loading import load_run
from bnviz.runs.store.manifest import MANIFEST, SCHEMA_VERSION, Saved

__all__ = ["HOME_VARIABLE", "MANIFEST", "SCHEMA_VERSION", "Saved", "Store", "default_home", "load_run", "save_run"]
