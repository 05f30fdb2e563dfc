// A square in which a point is a value of two latent units. Of a standard normal pair it is stretched by the inverse of
// the normal distribution function, so that equal areas hold equal probability; of others it is linear.
const EDGE = 0.005;

class Pad {
  constructor(canvas, explorer) {
    Object.assign(this, { canvas, explorer, model: explorer.model, spec: explorer.spec });
    this.plane = this.model.latent === 2 && Boolean(explorer.pictures);
    this.stretched = this.plane && this.spec.normal;
    this.units = this.plane ? [0, 1] : this.spec.units.slice(0, 2);
    if (!this.plane) [".across", ".up"].forEach((name, axis) => this.chooser(explorer.find(name), axis));
    this.background = this.plane ? this.decodedPlane() : null;
    this.listen();
  }

  chooser(select, axis) {
    const all = Array.from({ length: this.model.latent }, (_, unit) => [String(unit), `unit ${unit + 1}`]);
    choices(select, all, String(this.units[axis]));
    select.addEventListener("change", () => { this.units[axis] = Number(select.value); this.explorer.show(); });
  }

  listen() {
    const { canvas } = this;
    const follow = (event) => {
      const box = canvas.getBoundingClientRect();
      this.go((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height);
    };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); canvas.focus(); follow(event); event.preventDefault(); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
      if (!step) return;
      const size = event.shiftKey ? 0.1 : 0.02;
      const [x, y] = this.place(this.explorer.latent);
      this.go(x + size * step[0], y + size * step[1]);
      event.preventDefault();
    });
  }

  // From a fraction of the square to a latent value, and back.
  value(unit, fraction) {
    const [low, high] = this.spec.ranges[unit];
    const inside = Math.min(1 - EDGE, Math.max(EDGE, fraction));
    return this.stretched ? normalQuantile(inside) : low + fraction * (high - low);
  }

  fraction(unit, value) {
    const [low, high] = this.spec.ranges[unit];
    return this.stretched ? normalCdf(value) : (value - low) / (high - low);
  }

  place(latent) {
    return this.units.map((unit) => Math.min(1, Math.max(0, this.fraction(unit, latent[unit]))));
  }

  go(...fractions) {
    this.units.forEach((unit, axis) => { this.explorer.latent[unit] = this.value(unit, Math.min(1, Math.max(0, fractions[axis]))); });
    this.explorer.show();
  }

  // What the decoder makes of the plane, small and side by side.
  decodedPlane(side = 10) {
    const { pictures } = this.explorer;
    const sheet = document.createElement("canvas");
    pictures.fit(sheet, side, side);
    for (let i = 0; i < side * side; i++) {
      const [right, down] = [i % side, Math.floor(i / side)];
      const z = Float64Array.of(this.value(0, (right + 0.5) / side), this.value(1, 1 - (down + 0.5) / side));
      pictures.draw(sheet, this.model.decode(z).mean, { left: right * pictures.width, top: down * pictures.height });
    }
    return sheet;
  }

  show() {
    const { canvas } = this;
    const draw = canvas.getContext("2d");
    const colour = (name) => getComputedStyle(canvas).getPropertyValue(name);
    draw.imageSmoothingEnabled = false;
    draw.fillStyle = colour("--card");
    draw.fillRect(0, 0, canvas.width, canvas.height);
    if (this.background) draw.drawImage(this.background, 0, 0, canvas.width, canvas.height);
    else this.dots(draw, colour);
    const [x, y] = this.place(this.explorer.latent);
    const [left, top] = [x * canvas.width, (1 - y) * canvas.height];
    for (const [width, style] of [[5, "#000"], [2.5, "#fff"]]) {
      draw.lineWidth = width;
      draw.strokeStyle = style;
      draw.beginPath();
      draw.arc(left, top, 8, 0, 2 * Math.PI);
      draw.stroke();
    }
  }

  dots(draw, colour) {
    const classes = [...new Set(this.spec.labels ?? [])].sort();
    for (let i = 0; i < this.model.tensors.means.shape[0]; i++) {
      const [x, y] = this.place(this.model.row("means", i));
      const c = classes.length > 12 || !this.spec.labels ? 0 : classes.indexOf(this.spec.labels[i]) % 10;
      draw.fillStyle = colour(`--p${c}`);
      draw.fillRect(x * draw.canvas.width - 1.5, (1 - y) * draw.canvas.height - 1.5, 3, 3);
    }
  }
}
