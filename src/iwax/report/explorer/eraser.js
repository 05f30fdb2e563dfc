// An image under a brush: what is erased is missing, what is painted is observed, and what is missing is filled in.
const QUICK = { chains: 6, iterations: 8, milliseconds: 30 };
const THOROUGH = { chains: 30, iterations: 10, milliseconds: 800 };

class Eraser {
  constructor(root, model, pictures, images) {
    Object.assign(this, { root, model, pictures });
    this.canvas = root.querySelector(".given");
    this.tools = Object.fromEntries(["image", "brush", "size"].map((name) => [name, root.querySelector(`.erase .${name}`)]));
    this.cursor = { x: Math.floor(pictures.width / 2), y: Math.floor(pictures.height / 2), shown: false };
    this.tools.size.value = pictures.width < 16 ? 1 : 5;
    choices(this.tools.image, images, "0");
    this.tools.image.addEventListener("change", () => this.take());
    root.querySelector(".half").addEventListener("click", () => this.half());
    root.querySelector(".whole").addEventListener("click", () => this.take());
    this.show = onceAFrame(() => this.fill(QUICK));
    this.listen();
    this.take();
    this.half();
  }

  take() {
    this.x = Float64Array.from(this.model.row("rows", Number(this.tools.image.value)));
    this.original = this.x.slice();
    this.observed = new Uint8Array(this.x.length).fill(1);
    this.show();
  }

  half() {
    this.observed.fill(0, Math.floor(this.pictures.height / 2) * this.pictures.width * this.pictures.channels);
    this.show();
  }

  // The brush on a pixel and those around it.
  touch(column, row) {
    const reach = (Number(this.tools.size.value) - 1) / 2;
    for (let y = Math.max(0, row - reach); y <= Math.min(this.pictures.height - 1, row + reach); y++) {
      for (let x = Math.max(0, column - reach); x <= Math.min(this.pictures.width - 1, column + reach); x++) {
        for (let c = 0; c < this.pictures.channels; c++) this.set((y * this.pictures.width + x) * this.pictures.channels + c);
      }
    }
    this.show();
  }

  set(i) {
    const brush = this.tools.brush.value;
    this.observed[i] = brush === "erase" ? 0 : 1;
    if (brush === "restore") this.x[i] = this.original[i];
    else if (brush !== "erase") this.x[i] = brush === "white" ? this.pictures.high : this.pictures.low;
  }

  listen() {
    const { canvas } = this;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const place = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
      this.touch(place(event.clientX - box.left, box.width, this.pictures.width), place(event.clientY - box.top, box.height, this.pictures.height));
    };
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.cursor.shown = false; at(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) at(event); });
    canvas.addEventListener("blur", () => { this.cursor.shown = false; this.show(); });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (!step && event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      this.cursor.shown = true;
      if (!step) return this.touch(this.cursor.x, this.cursor.y);
      this.cursor.x = Math.min(this.pictures.width - 1, Math.max(0, this.cursor.x + step[0]));
      this.cursor.y = Math.min(this.pictures.height - 1, Math.max(0, this.cursor.y + step[1]));
      this.show();
    });
  }

  // With few draws while the brush moves, and with many once it rests.
  fill(effort) {
    clearTimeout(this.rest);
    if (effort === QUICK) this.rest = setTimeout(() => this.fill(THOROUGH), 250);
    const { channels, width } = this.pictures;
    const missing = Uint8Array.from({ length: this.x.length / channels }, (_, i) => Number(!this.observed[i * channels]));
    this.pictures.draw(this.canvas, this.x, { missing });
    if (this.cursor.shown) {
      const draw = this.canvas.getContext("2d");
      draw.fillStyle = "#ffb73b";
      draw.fillRect(this.cursor.x, this.cursor.y, 1, 1);
    }
    const hidden = missing.reduce((sum, one) => sum + one, 0);
    const found = hidden ? this.model.impute(this.x, this.observed, effort) : { values: this.x };
    this.values = found.values;
    this.pictures.draw(this.root.querySelector(".filled"), found.values);
    const share = `${hidden} of ${missing.length} pixels missing`;
    this.root.querySelector(".summary").textContent = hidden
      ? `${share}; of ${found.count} draws ${found.ess.toFixed(1)} count`
      : "nothing is missing: drag over the image";
    this.root.querySelector(".filled").setAttribute("aria-label", `image filled in, ${share}`);
  }
}
