// What the server has drawn in the places of the charts (bnviz/live/stills.py), until they are drawn here.

/** A chart is drawn: its still has done its work, and with the last of them all that came with them. */
export function takeStill(name) {
  const stills = document.querySelector(".bnviz-stills");
  const still = stills?.querySelector(`.bnviz-card-${name}`);
  if (!still) return;
  still.replaceChildren(); // the card itself stays, so that its neighbour keeps its place
  if (!stills.querySelector(".bnviz-plot")) stills.remove();
}
