// A dense network is a list of steps; every step takes a vector and gives one. Sums are in double precision.
const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

// The log scale that a network's output stands for, where scales have a floor.
const floored = (s, floor) => Math.log(floor + softplus(s + Math.log(Math.expm1(1))));

const ELEMENTWISE = {
  tanh: Math.tanh,
  relu: (a) => Math.max(a, 0),
  softplus,
  gelu: (a) => 0.5 * a * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a ** 3))),
  silu: (a) => a * sigmoid(a),
  leaky_relu: (a) => (a >= 0 ? a : 0.01 * a),
};

class Network {
  constructor(steps, tensors) {
    this.steps = steps.map((step) => {
      const found = {};
      for (const [role, name] of Object.entries(step)) found[role] = tensors[name]?.data ?? name;
      return found;
    });
  }

  // The output at x; an encoder that reads what was observed (1 or 0 per value) gets that too.
  forward(x, observed) {
    return this.steps.reduce((h, step) => this.apply(step, h, observed), Float64Array.from(x));
  }

  apply(step, x, observed) {
    if (step.kind === "affine") return this.affine(x, step.weight, step.bias);
    if (step.kind === "norm") return this.norm(x, step.gain, step.shift);
    if (step.kind === "gate") {
      const half = x.length / 2;
      return x.subarray(0, half).map((a, i) => a * sigmoid(x[half + i]));
    }
    if (step.kind === "floored") return x.map((s, i) => (i < x.length / 2 ? s : floored(s, step.floor)));
    if (step.kind === "encoding") return this.encoding(x, step, observed);
    return x.map(ELEMENTWISE[step.kind]);
  }

  // Four inputs at a time: the sums are read and written a quarter as often.
  affine(x, weight, bias) {
    const out = Float64Array.from(bias);
    const width = out.length;
    let i = 0;
    for (; i + 4 <= x.length; i += 4) {
      const [a, b, c, d] = [x[i], x[i + 1], x[i + 2], x[i + 3]];
      const at = i * width;
      for (let j = 0; j < width; j++) {
        out[j] += a * weight[at + j] + b * weight[at + width + j] + c * weight[at + 2 * width + j] + d * weight[at + 3 * width + j];
      }
    }
    for (; i < x.length; i++) for (let j = 0; j < width; j++) out[j] += x[i] * weight[i * width + j];
    return out;
  }

  norm(x, gain, shift) {
    const mean = x.reduce((sum, a) => sum + a, 0) / x.length;
    const variance = x.reduce((sum, a) => sum + (a - mean) ** 2, 0) / x.length;
    return x.map((a, i) => (gain[i] * (a - mean)) / Math.sqrt(variance + 1e-5) + shift[i]);
  }

  // A row of a table as the encoder is given it: numbers, then classes as marks, then, if it reads it, what was observed.
  encoding(x, step, observed) {
    const seen = observed ?? x.map(() => 1);
    const read = { linear: (a) => a, log: (a) => Math.log(Math.max(a, 1e-30)), log1p: (a) => Math.log1p(Math.max(a, 0)) };
    read.log_or_zero = read.log;
    const numbers = [], classes = [];
    step.encodings.forEach((reading, j) => {
      const zero = reading === "log_or_zero" && x[j] === 0;
      if (read[reading]) numbers.push(seen[j] && !zero ? (read[reading](x[j]) - step.loc[j]) / step.scale[j] : 0);
      if (reading === "log_or_zero") classes.push(seen[j] && zero ? 1 : 0);
      else if (!read[reading]) for (let c = 0; c < reading; c++) classes.push(seen[j] && x[j] === c ? 1 : 0);
    });
    return Float64Array.from([...numbers, ...classes, ...(step.marks ? seen : [])]);
  }
}
