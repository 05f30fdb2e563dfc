// Rows of a table, a line per column: its value, and where that lies among the data or how probable every level is.
const LEVELS = 12; // of a column that are shown, in the order of the data; the others are added up in a line

function made(name, parent, { className = "", text = "" } = {}) {
  const found = document.createElement(name);
  found.className = className;
  found.textContent = text;
  parent.append(found);
  return found;
}

// A number in four figures; one with a spread in as many as two figures of the spread need.
function figures(value, spread = 0) {
  if (!Number.isFinite(value) || !Number.isFinite(spread)) return "not finite";
  const decimals = 1 - Math.floor(Math.log10(spread || 1));
  const fixed = (a) => (decimals < 0 || decimals > 12 ? String(Number(a.toPrecision(4))) : a.toFixed(decimals));
  const text = spread > 0 ? `${fixed(value)} \u00b1 ${fixed(spread)}` : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "\u2212");
}

class RowView {
  // With `blank` every line has a box, and blank(j, whether) is called when it is ticked.
  constructor(body, columns, blank = null) {
    body.replaceChildren(); // what the page shows before anything is computed
    this.lines = columns.map((column, j) => this.line(body, column, j, blank));
  }

  line(body, column, j, blank) {
    const row = made("tr", body);
    const name = made("th", row);
    name.scope = "row";
    const label = blank ? made("label", name) : name;
    const box = blank ? made("input", label) : null;
    if (box) {
      box.type = "checkbox";
      box.addEventListener("change", () => blank(j, box.checked));
    }
    made("span", label, { text: column.name });
    const value = made("td", row, { className: "value" });
    const cell = made("td", row);
    return { column, row, box, value, ...(column.levels ? { levels: this.levels(cell, column) } : this.track(cell)) };
  }

  track(cell) {
    const track = made("span", cell, { className: "track" });
    return { band: made("i", track, { className: "band" }), truth: made("i", track, { className: "truth" }), dot: made("i", track, { className: "dot" }) };
  }

  levels(cell, { levels }) {
    const shown = levels.length > LEVELS + 1 ? LEVELS : levels.length;
    const others = shown < levels.length ? [`${levels.length - shown} others`] : [];
    return [...levels.slice(0, shown), ...others].map((name) => {
      const line = made("span", cell, { className: "level" });
      made("span", line, { text: name });
      const bar = made("i", made("span", line, { className: "track" }), { className: "share" });
      return { line, bar, share: made("span", line, { className: "chance" }) };
    });
  }

  // `spread` is the standard deviation, `truth` what stood in a cell that was blanked.
  number(j, { mean, spread, truth = NaN }) {
    const { column, value, band, truth: tick, dot } = this.lines[j];
    value.textContent = figures(mean, spread);
    const place = (x) => {
      const [a, low, high] = column.logarithmic ? [Math.log(Math.max(x, 1e-30)), Math.log(column.low), Math.log(column.high)] : [x, column.low, column.high];
      return `${100 * Math.min(1, Math.max(0, (a - low) / (high - low || 1)))}%`;
    };
    dot.style.left = place(mean);
    const [from, to] = [place(mean - (spread ?? 0)), place(mean + (spread ?? 0))];
    Object.assign(band.style, { left: from, right: `calc(100% - ${to})` });
    tick.hidden = !Number.isFinite(truth);
    if (!tick.hidden) tick.style.left = place(truth);
  }

  chances(j, chances, truth = -1) {
    const { column, value, levels } = this.lines[j];
    const best = chances.indexOf(Math.max(...chances));
    value.textContent = column.levels[best];
    const alone = levels.length < column.levels.length ? levels.length - 1 : levels.length;
    levels.forEach(({ line, bar, share }, c) => {
      const chance = c < alone ? chances[c] : chances.slice(alone).reduce((sum, each) => sum + each, 0);
      bar.style.width = `${100 * chance}%`;
      share.textContent = `${(100 * chance).toFixed(0)} %`;
      line.classList.toggle("true", c < alone ? c === truth : truth >= alone);
    });
  }
}

// The explorer of a table: its latents on sliders, and rows with cells blanked and filled in.
class RowExplorer extends Explorer {
  constructor(root, model) {
    super(root, model);
    this.decoded = new RowView(this.find(".decoded-row"), this.spec.columns);
    this.move();
    if (this.find(".given-row")) this.blanks();
  }

  showDecoded({ mean, outputs }) {
    const variance = this.model.likelihood.variance(outputs);
    this.spec.columns.forEach((column, j) => {
      if (column.levels) this.decoded.chances(j, this.model.likelihood.chances(outputs, j));
      else this.decoded.number(j, { mean: mean[j], spread: Math.sqrt(variance[j]) });
    });
  }

  blanks() {
    const row = this.find(".row");
    choices(row, this.shown, "0");
    this.filled = new RowView(this.find(".given-row"), this.spec.columns, (j, blank) => {
      this.observed[j] = Number(!blank);
      this.fill();
    });
    row.addEventListener("change", () => this.take(Number(row.value)));
    this.find(".restore").addEventListener("click", () => this.take(Number(row.value)));
    this.take(0);
    this.blankFirst();
  }

  // A row of the data; its own missing cells stay missing.
  take(i) {
    this.x = Float64Array.from(this.model.row("rows", i));
    this.observed = Uint8Array.from(this.x, (a) => Number(!Number.isNaN(a)));
    this.fill();
  }

  // Two cells to begin with: the first number and the first class.
  blankFirst() {
    for (const levels of [false, true]) {
      const j = this.spec.columns.findIndex((column, at) => Boolean(column.levels) === levels && this.observed[at]);
      if (j >= 0 && this.observed.some((seen, at) => seen && at !== j)) this.observed[j] = 0;
    }
    this.fill();
  }

  fill() {
    const { likelihood } = this.model;
    const hidden = this.observed.filter((seen) => !seen).length;
    const effort = this.spec.trained_on_missing ? { chains: 400, iterations: 1 } : { chains: 50, iterations: 8 };
    const found = hidden ? this.model.impute(this.x, this.observed, effort) : null;
    const squares = found?.average(({ mean, outputs }) => likelihood.variance(outputs).map((a, j) => a + mean[j] ** 2));
    this.values = found ? found.values : this.x;
    this.spreads = found ? squares.map((a, j) => Math.sqrt(Math.max(0, a - found.values[j] ** 2))) : null;
    this.spec.columns.forEach((column, j) => this.cell(column, j, found));
    this.find(".summary").textContent = found
      ? `${hidden} of ${this.x.length} cells missing; of ${found.count} draws ${found.ess.toFixed(1)} count`
      : "nothing is missing: tick a column to blank its cell";
  }

  cell(column, j, found) {
    const { row, box } = this.filled.lines[j];
    const blank = !this.observed[j];
    row.classList.toggle("blank", blank);
    Object.assign(box, { checked: blank, disabled: Number.isNaN(this.x[j]) });
    if (!column.levels) return this.filled.number(j, { mean: this.values[j], spread: blank ? this.spreads[j] : undefined, truth: blank ? this.x[j] : NaN });
    const chances = blank ? found.average(({ outputs }) => this.model.likelihood.chances(outputs, j)) : column.levels.map((_, c) => Number(c === this.x[j]));
    this.filled.chances(j, Array.from(chances), blank ? this.x[j] : -1);
  }
}
