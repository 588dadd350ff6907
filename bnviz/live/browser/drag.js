// A place in a chart that the visitor drags: meta.drag = {fields, value: [x, y], low, high} says where it stands.
//
// A handle above the plot, in every panel, takes the pointer; what it chooses is told when it is let go.

const SVG = "http://www.w3.org/2000/svg";
const HANDLE = 13;
const DIGITS = 100; // a place is told to a hundredth

export class Drag {
  /** @param {(value: number[]) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
  }

  /** After each drawing of a plot: the handles where the place is now. */
  follow(plot) {
    const drag = plot.spec?.layout.meta?.drag;
    if (!drag || this.held || !plot.target._fullLayout) return;
    if (!this.layer?.isConnected) {
      this.layer = document.createElementNS(SVG, "svg");
      this.layer.setAttribute("class", "bnviz-cursor bnviz-drag");
      this.layer.setAttribute("aria-hidden", "true"); // two sliders beside the chart say and do the same
      plot.target.after(this.layer);
      plot.target.on("plotly_afterplot", () => this.follow(plot)); // after a zoom as well
    }
    const panels = panelsOf(plot);
    this.layer.replaceChildren(...panels.flatMap((panel) => this.handle(plot, panel, drag)));
  }

  handle(plot, panel, drag) {
    const at = pixelsOf(panel, drag.value);
    if (!isInside(panel, at)) return []; // a zoom shows another part
    const circle = document.createElementNS(SVG, "circle");
    const move = ([x, y]) => {
      circle.setAttribute("cx", x);
      circle.setAttribute("cy", y);
    };
    circle.setAttribute("r", HANDLE);
    move(at);
    let value = drag.value;
    circle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      circle.setPointerCapture(event.pointerId);
      this.held = circle;
      circle.classList.add("bnviz-held");
    });
    circle.addEventListener("pointermove", (event) => {
      if (this.held !== circle) return;
      const box = plot.target.getBoundingClientRect();
      value = valueOf(panel, [event.clientX - box.left, event.clientY - box.top], drag);
      move(pixelsOf(panel, value));
    });
    const end = (isChosen) => {
      if (this.held !== circle) return;
      this.held = undefined;
      circle.classList.remove("bnviz-held");
      if (isChosen && value.some((one, index) => one !== drag.value[index])) this.onChoose(value);
      else this.follow(plot);
    };
    circle.addEventListener("pointerup", () => end(true));
    circle.addEventListener("pointercancel", () => end(false));
    return [circle];
  }
}

/** The axes of each panel, as Plotly has laid them out. */
function panelsOf({ target }) {
  const full = target._fullLayout;
  return full._subplots.cartesian.map((id) => {
    const [, x, y] = id.match(/^(x\d*)(y\d*)$/);
    return { across: full[x.replace("x", "xaxis")], up: full[y.replace("y", "yaxis")] };
  });
}

function pixelsOf({ across, up }, [x, y]) {
  return [across._offset + across.d2p(x), up._offset + up.d2p(y)];
}

function isInside({ across, up }, [x, y]) {
  const [left, top] = [x - across._offset, y - up._offset];
  return left >= 0 && left <= across._length && top >= 0 && top <= up._length;
}

function valueOf({ across, up }, [x, y], { low, high }) {
  const clamp = (value) => Math.round(Math.min(high, Math.max(low, value)) * DIGITS) / DIGITS;
  const inside = (axis, pixel) => Math.min(axis._length, Math.max(0, pixel - axis._offset));
  return [clamp(across.p2d(inside(across, x))), clamp(up.p2d(inside(up, y)))];
}
