"""The browser's modules joined into one, so that a first visit asks for one file instead of two dozen.

Every request of a page that a browser has never seen costs it and the server some milliseconds, while both of them work
on Streamlit's hundred files: as two dozen files ours made everything else come 0.08 s later (measured). No build step
and no bundler is needed for what they are: modules that import by name from each other, without circles.
"""

import re
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import PurePath
from typing import Final

_IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (default )?((?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
_LEFT: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def joined(modules: Mapping[str, str], entry: str) -> str:
    """One module with the default export of `entry`: each of the others is a function's body that returns its exports.

    The same modules make the same text in every process: servers side by side give a file one address.

    Args:
        modules: texts by name, such as "card.js".
        entry: the one that the others are for.

    Raises:
        ValueError: an import or export of another form than `import { a, b } from "./name.js";` and
            `export [default] function|class|const name`, or of a module that is not there.
        graphlib.CycleError: modules that import each other in a circle.
    """
    order = TopologicalSorter({name: _imported(name, text, modules) for name, text in sorted(modules.items())})
    bodies = [_wrapped(name, modules[name]) for name in order.static_order()]
    return "\n".join([*bodies, f"export default {_variable(entry)}.default;\n"])


def _imported(name: str, text: str, modules: Mapping[str, str]) -> list[str]:
    found = sorted(match[2] for match in _IMPORT.finditer(text))
    if missing := [one for one in found if one not in modules]:
        raise ValueError(f"{name} imports {', '.join(missing)}: there is no such module beside it.")
    return found


def _wrapped(name: str, text: str) -> str:
    exports = [(is_default, variable) for is_default, _, variable in _EXPORT.findall(text)]
    body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_variable(match[2])};\n", text)
    body = _EXPORT.sub(lambda match: match[2], body)
    if left := _LEFT.search(body):
        raise ValueError(f'{name} says "{left[0]}": only imports and exports by name can be joined.')
    returned = ", ".join(f"default: {variable}" if is_default else variable for is_default, variable in exports)
    return f"// {name}\nconst {_variable(name)} = (() => {{\n{body}\nreturn {{ {returned} }};\n}})();\n"


def _variable(name: str) -> str:
    return f"${PurePath(name).stem}"
