"""The browser's modules as one: what each of them does stays its own, and what cannot be joined is refused."""

import os
import subprocess
import sys
from graphlib import CycleError

import pytest
from playwright.sync_api import Browser

from bnviz.live.modules import joined
from bnviz.live.routes import JOINED, browser_files

COUNTER = """
// A counter.
const start = 40;

export const STEP = 1;

let made = 0;

export class Counter {
  constructor() {
    made += 1;
    this.value = start;
  }
}

export function countMade() {
  return made;
}

export async function later(value) {
  return value;
}

export function* twice(value) {
  yield value;
  yield value;
}
"""
TEXT = """
import { countMade } from "./counter.js";

const start = "made ";

export function text() {
  return start + countMade();
}
"""
MAIN = """
import { Counter, STEP, later, twice } from "./counter.js";
import { text } from "./text.js";

export default async function main() {
  const counter = new Counter();
  for (const step of twice(STEP)) counter.value += await later(step);
  return `${text()}: ${counter.value}`;
}
"""
MODULES = {"main.js": MAIN, "text.js": TEXT, "counter.js": COUNTER}


@pytest.mark.browser
def test_joined_modules_do_what_they_did_and_share_their_state_but_no_names(browser: Browser) -> None:
    page = browser.new_page()
    result = page.evaluate(
        """async (text) => {
            const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
            const one = await import(address);
            return [Object.keys(one), await one.default(), await one.default()];
        }""",
        joined(MODULES, "main.js"),
    )
    page.close()
    assert result == [["default"], "made 1: 42", "made 2: 42"]


def test_the_pages_own_modules_are_joined_to_one_that_imports_nothing() -> None:
    text = browser_files()[JOINED]
    assert "\nimport " not in text
    assert [line for line in text.splitlines() if line.startswith("export")] == ["export default $live.default;"]
    for name in browser_files():
        assert name == JOINED or name.endswith(".css") or f"\n// {name}\n" in f"\n{text}"


def test_every_process_joins_them_to_the_same_text_and_so_gives_them_the_same_address() -> None:
    command = [sys.executable, "-c", "from bnviz.live.routes import browser_version; print(browser_version())"]
    versions = {
        subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, capture_output=True).stdout
        for seed in ("1", "2", "3")
    }
    assert len(versions) == 1
    assert joined(dict(reversed(MODULES.items())), "main.js") == joined(MODULES, "main.js")


@pytest.mark.parametrize(
    "line",
    [
        'import * as all from "./counter.js";',
        'import "./counter.js";',
        'import { STEP } from "elsewhere";',
        "export { start };",
        "export let start = 1;",
        'export * from "./counter.js";',
    ],
)
def test_what_cannot_be_joined_is_refused_with_its_name_and_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"main\.js says"):
        joined({**MODULES, "main.js": f"{line}\n{MAIN}"}, "main.js")


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"main\.js imports counter\.js, text\.js"):
        joined({"main.js": MAIN}, "main.js")


def test_a_circle_of_modules_is_refused() -> None:
    with pytest.raises(CycleError):
        joined({"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}, "a.js")
