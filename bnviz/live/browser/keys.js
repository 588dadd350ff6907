// The keyboard of the page: space play or pause, → one step, R reset, P present, ? what the keys do.

const BUTTONS = { " ": "play", ArrowRight: "step1", r: "reset", p: "present" };
// Where a key already means something: fields, and whatever moves with arrows.
const TYPING = 'input, textarea, select, [contenteditable=""], [contenteditable="true"], [role="textbox"], [role="combobox"]';
const MOVING = '[role="slider"], [role="radio"], [role="tab"], [role="menuitem"], [role="option"], [role="listbox"]';
const PRESSING = 'button, a[href], summary, [role="button"], [role="switch"], [role="checkbox"]';

/**
 * Listens before Streamlit does (its own R, a rerun, is bound to the document), so that a key of ours is only ours.
 * Buttons are found by the keys that the page gives them: .st-key-play button and so on.
 * @param {() => void} onHelp  "?" was pressed
 */
export function listenToKeys(onHelp) {
  const onKey = (event) => {
    const key = event.key?.length === 1 ? event.key.toLowerCase() : event.key;
    if ((key !== "?" && !(key in BUTTONS)) || isTaken(event, key)) return;
    if (key === "?") onHelp();
    else press(BUTTONS[key], event.repeat);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", onKey, { capture: true });
  return () => window.removeEventListener("keydown", onKey, { capture: true });
}

function isTaken(event, key) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return true;
  if (document.querySelector('[role="dialog"]:not([aria-hidden="true"]), dialog[open]')) return true;
  const at = event.composedPath()[0];
  if (!(at instanceof Element)) return false;
  if (at.closest(TYPING)) return true;
  if (key === "ArrowRight") return at.closest(MOVING) !== null;
  return key === " " && (at.closest(PRESSING) !== null || at.closest(MOVING) !== null);
}

function press(name, isRepeat) {
  if (isRepeat && name !== "step1") return; // a key held down resets once
  document.querySelector(`.st-key-${name} button:not(:disabled)`)?.click();
}
