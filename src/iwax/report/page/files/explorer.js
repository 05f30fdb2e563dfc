// The four things to try, each on one figure of the page. Nothing here knows how a network works.
class Explorer {
  constructor(root, model) {
    Object.assign(this, { root, model, spec: model.spec });
    this.pictures = new Pictures(this.spec.shape, this.spec.span);
    this.latent = Float64Array.from(model.row("means", this.spec.shown[0]));
    for (const canvas of root.querySelectorAll(".picture")) this.pictures.fit(canvas);
    this.images = this.spec.shown.map((row, i) => [String(i), this.imageName(i)]);
    this.move();
    this.between();
    this.drawNew();
    this.eraser = this.find(".given") ? new Eraser(root, model, this.pictures, this.images) : null;
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  imageName(i) {
    const row = this.spec.shown[i];
    return `${this.spec.split} image ${row}` + (this.spec.labels ? ` (${this.spec.labels[row]})` : "");
  }

  mean(i) {
    return this.model.row("means", this.spec.shown[i]);
  }

  // Sliders of the most used units, and a plane of two of them.
  move() {
    const start = this.find(".start");
    choices(start, [...this.images, ["zero", "the prior's middle, z = 0"]], "0");
    this.sliders = this.spec.units.map((unit) => this.slider(unit));
    this.show = onceAFrame(() => this.showLatent());
    start.addEventListener("change", () => {
      this.latent = start.value === "zero" ? new Float64Array(this.model.latent) : Float64Array.from(this.mean(Number(start.value)));
      this.show();
    });
    const pad = this.find(".pad");
    this.pad = pad ? new Pad(pad, this) : null;
    this.showLatent();
  }

  slider(unit) {
    const [low, high] = this.spec.ranges[unit];
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "range", min: low, max: high, step: 0.01 });
    const value = document.createElement("span");
    const name = document.createElement("span");
    name.textContent = `unit ${unit + 1}`;
    label.append(name, input, value);
    this.find(".sliders").append(label);
    input.addEventListener("input", () => { this.latent[unit] = Number(input.value); this.show(); });
    return { unit, input, value };
  }

  showLatent() {
    const { mean } = this.model.decode(this.latent);
    this.pictures.draw(this.find(".decoded"), mean);
    for (const { unit, input, value } of this.sliders) {
      input.value = this.latent[unit];
      value.textContent = signed(this.latent[unit]);
    }
    const units = this.pad ? this.pad.units : this.spec.units.slice(0, 2);
    const where = units.map((unit) => `z${unit + 1} = ${signed(this.latent[unit])}`).join(", ");
    this.find(".where").textContent = where;
    this.find(".decoded").setAttribute("aria-label", `decoded image at ${where}`);
    this.pad?.show();
  }

  between() {
    const [from, to, along] = [".from", ".to", ".along"].map((name) => this.find(name));
    choices(from, this.images, "0");
    choices(to, this.images, this.images.length > 1 ? "1" : "0");
    const show = onceAFrame(() => {
      const [a, b, t] = [Number(from.value), Number(to.value), Number(along.value)];
      const end = this.mean(b);
      const z = Float64Array.from(this.mean(a), (value, d) => (1 - t) * value + t * end[d]);
      this.pictures.draw(this.find(".first"), this.model.row("images", a));
      this.pictures.draw(this.find(".last"), this.model.row("images", b));
      this.pictures.draw(this.find(".middle"), this.model.decode(z).mean);
      this.find(".first").setAttribute("aria-label", this.imageName(a));
      this.find(".last").setAttribute("aria-label", this.imageName(b));
      this.find(".middle").setAttribute("aria-label", `decoded image, ${Math.round(100 * t)} % of the way`);
    });
    for (const input of [from, to, along]) input.addEventListener("input", show);
    show();
  }

  drawNew() {
    const [sheet, values] = [this.find(".sheet"), this.find(".values")];
    const [across, down, gap] = [8, 3, 1];
    this.pictures.fit(sheet, across, down, gap);
    let seed = 0;
    const show = () => {
      const random = randomNumbers(seed);
      for (let i = 0; i < across * down; i++) {
        const found = this.model.decode(this.model.drawPrior(random));
        const x = values.checked ? this.model.drawData(found, random) : found.mean;
        this.pictures.draw(sheet, x, { left: (i % across) * (this.pictures.width + gap), top: Math.floor(i / across) * (this.pictures.height + gap) });
      }
    };
    this.find(".draw").addEventListener("click", () => { seed += 1; show(); });
    values.addEventListener("change", show);
    show();
  }
}

const signed = (value) => value.toFixed(2).replace("-", "\u2212");
