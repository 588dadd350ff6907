"""Settings as the query of a link and as JSON, and back."""

from collections.abc import Mapping
from typing import Any, Final

from bnviz.config.architecture import default_sizes
from bnviz.config.competitors import TWINS, WITH_NOISE, networks_of
from bnviz.config.model import default_init_scale
from bnviz.config.names import ClaimRun, Network
from bnviz.config.settings import Settings
from bnviz.config.table import SETTINGS, Choice, text_of
from bnviz.errors import ConfigError

SCHEMA_VERSION: Final = 1
CLAIM_KEY: Final = "claim"  # of a link to the lab: which claim of the paper its run shows
OLD_LINEUP: Final = "lineup"  # what links and files said of the networks while there were two choices
_OLD_LINEUPS: Final[Mapping[str, tuple[Network, ...]]] = {
    "twins": networks_of(TWINS),
    "noisy": networks_of(WITH_NOISE),
}


def to_query(settings: Settings) -> dict[str, str]:
    """The settings as the query of a link: every one of them, so that new defaults never change an old link."""
    return {setting.key: text_of(settings.get(setting.name)) for setting in SETTINGS}


def from_query(query: Mapping[str, str], start: Settings | None = None) -> tuple[Settings, list[str]]:
    """Settings from a link, and a notice for every value that fell back to that of `start`."""
    settings = start or Settings()
    notices: list[str] = []
    if OLD_LINEUP in query and "networks" not in query:
        networks = _OLD_LINEUPS.get(str(query[OLD_LINEUP]), ())
        query = {**query, "networks": text_of(networks) if networks else str(query[OLD_LINEUP])}
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
    if values.get("architecture", settings.model.architecture) is not settings.model.architecture:
        values = default_sizes(values["architecture"]) | values
    if "initialization" in values and "init_scale" not in values:
        values["init_scale"] = default_init_scale(values["initialization"])
    try:
        return settings.replace(**values), notices
    except ConfigError as error:
        notices.append(f"{error.text} The link's sizes and networks fell back to their defaults.")
        sizes = {"architecture", "hidden_layers", "width", "batch_size", "optimizer", "momentum", "networks", "groups"}
        return settings.replace(**{name: v for name, v in values.items() if name not in sizes}), notices


def claim_from_query(query: Mapping[str, str]) -> tuple[ClaimRun | None, list[str]]:
    """The claim that a link to the lab is about, if any; a notice where it names none that there is."""
    if CLAIM_KEY not in query:
        return None, []
    domain, text = Choice(ClaimRun), str(query[CLAIM_KEY])
    try:
        return ClaimRun(domain.check(domain.parse(text))), []
    except ValueError:
        return None, [f"The link asks for {CLAIM_KEY}={text[:40]}, which is not {domain.rule}; no claim is shown."]


def to_json(settings: Settings) -> dict[str, Any]:
    """The settings as JSON values, with the schema's version."""
    return {"schema": SCHEMA_VERSION} | {s.name: _plain(settings.get(s.name)) for s in SETTINGS}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def from_json(values: Mapping[str, Any]) -> Settings:
    """Settings from `to_json`; unlike a link, a file that asks for the impossible is refused."""
    if not isinstance(values, Mapping):
        raise ConfigError("These settings are no object of names and values: save them again with bnviz.")
    version = values.get("schema")
    if version != SCHEMA_VERSION:
        raise ConfigError(f"These settings have schema {version!r}; this bnviz reads {SCHEMA_VERSION}: update bnviz.")
    values = {name: value for name, value in values.items() if name != "schema"}
    if OLD_LINEUP in values and "networks" not in values:
        old = values.pop(OLD_LINEUP)
        values["networks"] = _OLD_LINEUPS.get(old, [old]) if isinstance(old, str) else old
    if unknown := sorted(set(map(str, values)) - {setting.name for setting in SETTINGS}):
        raise ConfigError(f"There is no setting named {unknown[0][:40]!r}: this bnviz does not know it; update bnviz.")
    return Settings().replace(**values)
