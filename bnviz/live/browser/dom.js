// A short way to make elements; children are elements or texts, never markup.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Set a text only where it differs, so that nothing is repainted and no selection is lost. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const THOUSANDS = new Intl.NumberFormat("en");

export function count(number) {
  return THOUSANDS.format(number);
}
