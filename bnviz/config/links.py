"""Settings as the query of a link and as JSON, and back."""

from collections.abc import Mapping
from typing import Any, Final

from bnviz.config.model import default_init_scale
from bnviz.config.settings import Settings
from bnviz.config.table import SETTINGS, text_of
from bnviz.errors import ConfigError

SCHEMA_VERSION: Final = 1


def to_query(settings: Settings) -> dict[str, str]:
    """The settings as the query of a link: every one of them, so that new defaults never change an old link."""
    return {setting.key: text_of(settings.get(setting.name)) for setting in SETTINGS}


def from_query(query: Mapping[str, str], start: Settings | None = None) -> tuple[Settings, list[str]]:
    """Settings from a link, and a notice for every value that fell back to that of `start`."""
    settings = start or Settings()
    notices: list[str] = []
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.key not in query:
            continue
        text = str(query[setting.key])
        try:
            values[setting.name] = setting.check(setting.domain.parse(text))
        except (ValueError, ConfigError):
            default = text_of(settings.get(setting.name))
            shown = text if len(text) <= 40 else text[:40] + "…"
            notices.append(
                f"The link asks for {setting.key}={shown}, which is not {setting.domain.rule}; "
                f"{setting.label.lower()} is {default} instead."
            )
    if "initialization" in values and "init_scale" not in values:
        values["init_scale"] = default_init_scale(values["initialization"])
    try:
        return settings.replace(**values), notices
    except ConfigError as error:
        notices.append(f"{error.text} The link's sizes fell back to their defaults.")
        sizes = {"hidden_layers", "width", "batch_size", "optimizer", "momentum"}
        return settings.replace(**{name: v for name, v in values.items() if name not in sizes}), notices


def to_json(settings: Settings) -> dict[str, Any]:
    """The settings as JSON values, with the schema's version."""
    return {"schema": SCHEMA_VERSION} | {s.name: settings.get(s.name) for s in SETTINGS}


def from_json(values: Mapping[str, Any]) -> Settings:
    """Settings from `to_json`; unlike a link, a file that asks for the impossible is refused."""
    version = values.get("schema")
    if version != SCHEMA_VERSION:
        raise ConfigError(f"These settings have schema {version!r}; this bnviz reads {SCHEMA_VERSION}: update bnviz.")
    return Settings().replace(**{name: value for name, value in values.items() if name != "schema"})
