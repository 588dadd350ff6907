// Surfaces that turn: whether this browser can draw them, and one camera for all scenes of a chart.

export const NO_SURFACE = "This browser draws no surfaces, because it has no WebGL; the contours show the same loss.";

let isAble;

/** Whether there is WebGL, which a scene needs; asked once a page. */
export function hasWebGL() {
  isAble ??= canDraw();
  return isAble;
}

function canDraw() {
  try {
    const context = document.createElement("canvas").getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext(); // browsers allow only some of them
    return Boolean(context);
  } catch {
    return false;
  }
}

/** Turn one scene and the others turn too, also while it is held; an update leaves all as they stand. */
export class Camera {
  /** What a new layout is given before it is drawn: where the visitor looks from, or else far enough to see all. */
  keep(layout, size) {
    for (const name of scenesOf(layout)) {
      layout[name] = { ...layout[name], camera: this.view ?? fitting(layout[name], layout.margin, size) };
    }
  }

  /** @param {HTMLElement} target  a drawn plot */
  listen(target) {
    const follow = (changes) => this.follow(target, changes);
    target.on("plotly_relayouting", follow);
    target.on("plotly_relayout", follow);
  }

  follow(target, changes) {
    const key = Object.keys(changes ?? {}).find((one) => /^scene\d*\.camera$/.test(one));
    if (!key) return;
    this.view = changes[key];
    const full = target._fullLayout;
    for (const name of scenesOf(full)) {
      if (`${name}.camera` === key) continue;
      full[name].camera = this.view;
      full[name]._scene?.setViewport(full[name]);
    }
  }
}

/** A spec's camera for scenes of 4 to 5, further off where they are narrower: Plotly fits the height alone. */
function fitting({ camera, domain }, margin, { width, height }) {
  const across = (domain.x[1] - domain.x[0]) * (width - margin.l - margin.r);
  const up = (domain.y[1] - domain.y[0]) * (height - margin.t - margin.b);
  const distance = Math.min(Math.max((0.8 * up) / across, 0.85), 1.65);
  const { x, y, z } = camera.eye;
  return { ...camera, eye: { x: x * distance, y: y * distance, z: z * distance } };
}

export function scenesOf(layout) {
  return Object.keys(layout).filter((name) => /^scene\d*$/.test(name));
}

/** Where a point of a scene stands on the plot, in pixels; undefined behind the camera. */
export function projected(full, name, point) {
  const scene = full[name]?._scene;
  const { model, view, projection } = scene?.glplot?.cameraParams ?? {};
  if (!model) return undefined;
  let at = [...point.map((value, axis) => value * scene.dataScale[axis]), 1];
  for (const matrix of [model, view, projection]) at = times(matrix, at);
  if (!(at[3] > 0)) return undefined;
  const { x, y } = full[name].domain;
  const { l, t, w, h } = full._size;
  return {
    x: l + w * (x[0] + (x[1] - x[0]) * (0.5 + (0.5 * at[0]) / at[3])),
    y: t + h * (1 - y[1] + (y[1] - y[0]) * (0.5 - (0.5 * at[1]) / at[3])),
  };
}

/** A 4 x 4 matrix, column by column, times a vector. */
function times(matrix, vector) {
  return [0, 1, 2, 3].map((row) => vector.reduce((sum, value, column) => sum + matrix[4 * column + row] * value, 0));
}
