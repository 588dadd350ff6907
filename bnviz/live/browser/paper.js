// Paper: for as long as the browser prints, every chart is in light colours and has a size that fits a page.

const LEAST_WIDTH = 660; // px: about the text width of A4 and Letter, upright
const MOST_WIDTH = 900; // beyond, type would come out too small
const UNDRAWN = { width: LEAST_WIDTH, height: 280 };

/** Calls back when printing begins and when it ends, at once: what is drawn later is not on the page. Returns what ends that. */
export function watchPaper(onChange) {
  let isPaper = false;
  const set = (now) => {
    if (now === isPaper) return;
    isPaper = now;
    onChange(now);
  };
  const begin = () => set(true);
  const end = () => set(false);
  const media = matchMedia("print");
  const look = () => set(media.matches);
  addEventListener("beforeprint", begin);
  addEventListener("afterprint", end);
  media.addEventListener("change", look);
  return () => {
    removeEventListener("beforeprint", begin);
    removeEventListener("afterprint", end);
    media.removeEventListener("change", look);
  };
}

/** The size at which a chart is drawn for paper, in px, of that on the screen; some size if it was never drawn there. */
export function paperSize({ width, height } = UNDRAWN) {
  return { width: Math.min(Math.max(width, LEAST_WIDTH), MOST_WIDTH), height };
}

/** Let the style sheet stretch a drawn chart to the page's width, or no more. */
export function stretch(target, size) {
  for (const drawing of target.querySelectorAll(".main-svg")) {
    if (size) drawing.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    else drawing.removeAttribute("viewBox");
  }
  target.style.setProperty("--bnviz-shape", size ? `${size.width} / ${size.height}` : "auto");
}
