// One card alone, over the whole window: the card itself moves into a dialog and back, so zoom and state stay.

import { element } from "./dom.js";

export function enlarge(card, root) {
  const place = element("div", { class: card.root.className, style: `height:${card.root.offsetHeight}px` });
  const close = element("button", { type: "button", class: "bnviz-close", onclick: () => dialog.close() }, "Close");
  const dialog = element("dialog", { class: "bnviz-enlarged", "aria-labelledby": card.title.id }, close);
  dialog.addEventListener("close", () => {
    place.replaceWith(card.root);
    dialog.remove();
  });
  card.root.replaceWith(place);
  dialog.prepend(card.root);
  root.append(dialog);
  dialog.showModal();
  close.focus();
}
