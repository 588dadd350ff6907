// A menu button: opens with click, Enter, space or arrow down; arrows move, Escape and any click elsewhere close.

import { element } from "./dom.js";

/**
 * @param {string} label  of the button, for ears
 * @param {() => {label: string, act: () => void}[]} items  asked for at each opening
 */
export function menuButton(label, items) {
  const button = element(
    "button",
    { class: "bnviz-icon", type: "button", "aria-label": label, "aria-haspopup": "menu", "aria-expanded": "false" },
    "⋯",
  );
  const wrap = element("span", { class: "bnviz-menu-wrap" }, button);
  let menu = null;

  function open(focus) {
    close();
    menu = element("div", { class: "bnviz-menu", role: "menu", "aria-label": label, onkeydown: onKey });
    for (const { label: text, act } of items()) {
      const run = () => {
        close();
        button.focus();
        act();
      };
      menu.append(element("button", { type: "button", role: "menuitem", tabindex: "-1", onclick: run }, text));
    }
    wrap.append(menu);
    button.setAttribute("aria-expanded", "true");
    if (focus) menu.firstElementChild.focus();
    document.addEventListener("pointerdown", onOutside, true);
  }

  function close() {
    document.removeEventListener("pointerdown", onOutside, true);
    menu?.remove();
    menu = null;
    button.setAttribute("aria-expanded", "false");
  }

  function onOutside(event) {
    if (!wrap.contains(event.target)) close();
  }

  function onKey(event) {
    const entries = [...menu.children];
    const at = entries.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + entries.length, Home: 0, End: entries.length - 1 }[event.key];
    if (to !== undefined) entries[to % entries.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") close(), button.focus();
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  }

  button.addEventListener("click", () => (menu ? close() : open(true)));
  button.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    open(true);
  });
  return { wrap, close };
}
