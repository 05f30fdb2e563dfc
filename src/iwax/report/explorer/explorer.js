// A point of the latent space, moved by sliders and on a plane; what is decoded there is shown by those who extend this.
class Explorer {
  constructor(root, model) {
    Object.assign(this, { root, model, spec: model.spec });
    this.latent = Float64Array.from(this.mean(0));
    this.shown = this.spec.names.map((name, i) => [String(i), name]);
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  mean(i) {
    return this.model.row("means", this.spec.shown[i]);
  }

  // Sliders of the most used units, and a plane of two of them.
  move() {
    const start = this.find(".start");
    choices(start, [...this.shown, ["zero", this.spec.normal ? "the prior's middle, z = 0" : "z = 0"]], "0");
    const labels = this.find(".sliders").children;
    this.sliders = this.spec.units.map((unit, i) => this.slider(unit, labels[i]));
    this.show = onceAFrame(() => this.showLatent());
    start.addEventListener("change", () => {
      this.latent = start.value === "zero" ? new Float64Array(this.model.latent) : Float64Array.from(this.mean(Number(start.value)));
      this.show();
    });
    const pad = this.find(".pad");
    this.pad = pad ? new Pad(pad, this) : null;
    this.showLatent();
  }

  slider(unit, label) {
    const [, input, value] = label.children;
    input.addEventListener("input", () => { this.latent[unit] = Number(input.value); this.show(); });
    return { unit, input, value };
  }

  showLatent() {
    for (const { unit, input, value } of this.sliders) {
      input.value = this.latent[unit];
      value.textContent = signed(this.latent[unit]);
    }
    const units = this.pad ? this.pad.units : this.spec.units.slice(0, 2);
    const where = units.map((unit) => `z${unit + 1} = ${signed(this.latent[unit])}`).join(", ");
    this.find(".where").textContent = where;
    this.showDecoded(this.model.decode(this.latent), where);
    this.pad?.show();
  }
}

const signed = (value) => value.toFixed(2).replace("-", "\u2212");
