// A cell of a map that the visitor clicks: meta.cells = [rows, columns] says that a chart has them.

export class Pick {
  /** @param {(cell: number[]) => void} onChoose  told the row and the column, counted from 0 */
  constructor(onChoose) {
    this.onChoose = onChoose;
  }

  /** After each drawing of a plot; Plotly forgets who listens when it draws anew from nothing. */
  follow(plot) {
    if (!plot.spec?.layout.meta?.cells || !plot.target.on) return;
    plot.target.classList.add("bnviz-pick");
    plot.target.removeAllListeners("plotly_click");
    plot.target.on("plotly_click", ({ points }) => this.choose(points[0], plot.spec.layout.meta.cells));
  }

  choose(point, [rows, columns]) {
    const [row, column] = [Math.round(point?.y), Math.round(point?.x)];
    if (row >= 0 && row < rows && column >= 0 && column < columns) this.onChoose([row, column]);
  }
}
