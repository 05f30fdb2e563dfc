// Pixels on a canvas: one value a pixel (or three), black at the low end of the scale and white at the high one.
class Pictures {
  constructor(shape, [low, high]) {
    [this.height, this.width] = shape;
    this.channels = shape[2] ?? 1;
    this.low = low;
    this.high = high;
  }

  shade(value) {
    return Math.round(255 * Math.min(1, Math.max(0, (value - this.low) / (this.high - this.low))));
  }

  // One image onto a canvas, at a place counted in pixels; `missing` (1 where something is missing) are drawn striped.
  draw(canvas, values, { left = 0, top = 0, missing = null } = {}) {
    const image = new ImageData(this.width, this.height);
    for (let i = 0; i < this.width * this.height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = this.shade(values[i * this.channels + (this.channels === 3 ? c : 0)]);
      image.data[4 * i + 3] = 255;
      if (missing?.[i]) {
        const light = (i % this.width + Math.floor(i / this.width)) % 2;
        image.data.set(light ? [86, 140, 190, 255] : [52, 100, 150, 255], 4 * i);
      }
    }
    canvas.getContext("2d").putImageData(image, left, top);
  }

  fit(canvas, across = 1, down = 1, gap = 0) {
    canvas.width = across * (this.width + gap) - gap;
    canvas.height = down * (this.height + gap) - gap;
    canvas.removeAttribute("style"); // what the page shows before anything is drawn
  }
}

// Work that is asked for again before it was done is done once, when the browser next draws.
function onceAFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; work(); });
  };
}

function choices(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, name]) => new Option(name, value, false, value === chosen)));
}
