// The four things to try with a model of images, each on one figure of the page.
class ImageExplorer extends Explorer {
  constructor(root, model) {
    super(root, model);
    this.pictures = new Pictures(this.spec.shape, this.spec.span);
    for (const canvas of root.querySelectorAll(".picture")) this.pictures.fit(canvas);
    this.move();
    this.between();
    this.drawNew();
    this.eraser = this.find(".given") ? new Eraser(root, model, this.pictures, this.shown) : null;
  }

  showDecoded({ mean }, where) {
    this.pictures.draw(this.find(".decoded"), mean);
    this.find(".decoded").setAttribute("aria-label", `decoded image at ${where}`);
  }

  between() {
    const [from, to, along] = [".from", ".to", ".along"].map((name) => this.find(name));
    choices(from, this.shown, "0");
    choices(to, this.shown, this.shown.length > 1 ? "1" : "0");
    const show = onceAFrame(() => {
      const [a, b, t] = [Number(from.value), Number(to.value), Number(along.value)];
      const end = this.mean(b);
      const z = Float64Array.from(this.mean(a), (value, d) => (1 - t) * value + t * end[d]);
      this.pictures.draw(this.find(".first"), this.model.row("rows", a));
      this.pictures.draw(this.find(".last"), this.model.row("rows", b));
      this.pictures.draw(this.find(".middle"), this.model.decode(z).mean);
      this.find(".first").setAttribute("aria-label", this.spec.names[a]);
      this.find(".last").setAttribute("aria-label", this.spec.names[b]);
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
        const x = values.checked ? this.model.likelihood.draw(found.outputs, random) : found.mean;
        this.pictures.draw(sheet, x, { left: (i % across) * (this.pictures.width + gap), top: Math.floor(i / across) * (this.pictures.height + gap) });
      }
    };
    this.find(".draw").addEventListener("click", () => { seed += 1; show(); });
    values.addEventListener("change", show);
    show();
  }
}
