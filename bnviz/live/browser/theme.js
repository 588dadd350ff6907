// Light or dark, as Streamlit has it now, and the colours of the roles that charts and cards name.

/** "light" or "dark": Streamlit sets the colour scheme, and hands its colours to components as custom properties. */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const scheme = style.colorScheme;
  if (scheme === "dark" || scheme === "light") return scheme;
  const page = rgb(style.getPropertyValue("--st-background-color"));
  if (page) return luminance(page) < 0.4 ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Calls back whenever the theme changes, without a rerun of the page. Returns what ends that. */
export function watchTheme(element, onChange) {
  let theme = themeOf(element);
  const look = () => {
    const now = themeOf(element);
    if (now === theme) return;
    theme = now;
    onChange(now);
  };
  const observer = new MutationObserver(look);
  for (let one = element; one; one = one.parentElement) {
    observer.observe(one, { attributes: true, attributeFilter: ["class", "style"] });
  }
  // Streamlit's style rules come and go in the head.
  observer.observe(document.head, { childList: true });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", look);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", look);
  };
}

/** The tokens as custom properties (--bnviz-text, ...), for the style sheet. */
export function setProperties(element, tokens) {
  for (const [role, value] of Object.entries(tokens)) {
    if (typeof value === "string") element.style.setProperty(`--bnviz-${role}`, value);
  }
}

/**
 * A copy of a spec with every role replaced by its colour: "@bn", "@bn/0.16" (opacity), "@sequential" (a colour scale);
 * inside texts too. Typed arrays are shared, not copied.
 */
export function resolve(value, tokens) {
  if (typeof value === "string") return value.includes("@") ? resolveText(value, tokens) : value;
  if (Array.isArray(value)) {
    return value.length && ArrayBuffer.isView(value[0]) ? value : value.map((one) => resolve(one, tokens));
  }
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  const copy = {};
  for (const key in value) copy[key] = resolve(value[key], tokens);
  return copy;
}

function resolveText(text, tokens) {
  const whole = tokens[text.slice(1)];
  if (text[0] === "@" && Array.isArray(whole)) return colorScale(whole);
  return text.replace(/@([a-z]+\d*)(?:\/(\d*\.?\d+))?/g, (match, role, opacity) => {
    const color = tokens[role];
    if (typeof color !== "string") return match;
    return opacity === undefined ? color : `rgba(${rgb(color).join(", ")}, ${opacity})`;
  });
}

function colorScale(colors) {
  return typeof colors[0] === "string" ? colors.map((color, i) => [i / (colors.length - 1), color]) : colors;
}

function rgb(color) {
  const hex = /^\s*#([\da-f]{2})([\da-f]{2})([\da-f]{2})\s*$/i.exec(color);
  if (hex) return hex.slice(1).map((part) => parseInt(part, 16));
  const triple = /rgba?\(\s*([\d.]+)[,\s]+([\d.]+)[,\s]+([\d.]+)/.exec(color);
  return triple ? triple.slice(1).map(Number) : null;
}

function luminance([r, g, b]) {
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}
