// p(z), p(x|z) and, where it is here, q(z|x): the same formulas as in iwax, on the same weights.

// Uniform numbers in (0, 1) from a seed, and normal ones from those (Box and Muller): the same each time.
function randomNumbers(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (((mixed ^ (mixed >>> 15)) >>> 0) + 0.5) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

// The standard normal distribution function, by its power series around 0; and its inverse, by halving.
function normalCdf(x) {
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 400; n++) sum += term *= (x * x) / (2 * n + 1);
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}
function normalQuantile(p) {
  let low = -6, high = 6;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle; else high = middle;
  }
  return (low + high) / 2;
}

class Model {
  constructor(spec, tensors) {
    this.spec = spec;
    this.tensors = tensors;
    this.latent = tensors.means.shape[1];
    this.features = tensors.rows.shape[1];
    this.likelihood = new Likelihood(spec.likelihood, tensors);
    this.decoder = new Network(spec.decoder, tensors);
    this.encoder = spec.encoder ? new Network(spec.encoder, tensors) : null;
  }

  row(name, i) {
    const { shape, data } = this.tensors[name];
    return data.subarray(i * shape[1], (i + 1) * shape[1]);
  }

  // The mean of p(x|z) and the outputs of the network, which it is made of.
  decode(z) {
    const outputs = this.decoder.forward(z);
    return { mean: this.likelihood.mean(outputs), outputs };
  }

  logPrior(z) {
    const weights = this.tensors["prior.log_weights"].data;
    const each = Array.from(weights, (weight, c) => weight + logNormal(z, this.row("prior.loc", c), this.row("prior.scale", c)));
    const most = Math.max(...each);
    return most + Math.log(each.reduce((sum, a) => sum + Math.exp(a - most), 0));
  }

  // A draw from p(z): one of a mixture of normals, or of those that were drawn beforehand.
  drawPrior(random) {
    if (!this.spec.mixture) return Float64Array.from(this.row("draws", Math.floor(random.uniform() * this.tensors.draws.shape[0])));
    const weights = this.tensors["prior.log_weights"].data;
    let left = random.uniform(), c = 0;
    while (c < weights.length - 1 && (left -= Math.exp(weights[c])) > 0) c++;
    const scale = this.row("prior.scale", c);
    return Float64Array.from(this.row("prior.loc", c), (loc, d) => loc + scale[d] * random.normal());
  }

  posterior(x, observed) {
    const outputs = this.encoder.forward(x, observed);
    return { loc: outputs.subarray(0, this.latent), scale: outputs.subarray(this.latent).map(Math.exp) };
  }

  // E[x | what is observed], by importance weights: z ~ q(z|f), w = p(x_observed, z) / q(z|f), where f is x with its
  // missing values filled from p(x|z) of the draw before. Whatever f is, w is right; a better f makes more of the draws count.
  // No further chain of draws begins after `milliseconds`.
  impute(x, observed, { chains = 8, iterations = 8, seed = 1, milliseconds = Infinity } = {}) {
    const random = randomNumbers(seed);
    const draws = [];
    const end = performance.now() + milliseconds;
    for (let chain = 0; chain < chains && (chain === 0 || performance.now() < end); chain++) {
      let filled = Float64Array.from(x, (a, j) => (observed[j] ? a : 0));
      for (let i = 0; i < iterations; i++) {
        const q = this.posterior(filled, i ? undefined : observed);
        const z = q.loc.map((loc, d) => loc + q.scale[d] * random.normal());
        const found = this.decode(z);
        const logW = this.likelihood.logProb(found.outputs, x, observed) + this.logPrior(z) - logNormal(z, q.loc, q.scale);
        draws.push({ logW, ...found });
        const redrawn = this.likelihood.draw(found.outputs, random);
        filled = Float64Array.from(x, (a, j) => (observed[j] ? a : redrawn[j]));
      }
    }
    const most = Math.max(...draws.map((draw) => draw.logW));
    const weights = draws.map((draw) => Math.exp(draw.logW - most));
    const total = weights.reduce((sum, w) => sum + w, 0);
    const average = (of) => { // E[f(z) | what is observed] of an f with several values
      const sum = new Float64Array(of(draws[0]).length);
      draws.forEach((draw, i) => of(draw).forEach((a, j) => { sum[j] += weights[i] * a; }));
      return sum.map((a) => a / total);
    };
    const values = average((draw) => draw.mean).map((a, j) => (observed[j] ? x[j] : a));
    return { values, average, count: draws.length, ess: total ** 2 / weights.reduce((sum, w) => sum + w * w, 0) };
  }
}

function logNormal(z, loc, scale) {
  let sum = 0;
  for (let d = 0; d < z.length; d++) sum -= 0.5 * ((z[d] - loc[d]) / scale[d]) ** 2 + Math.log(scale[d]) + 0.5 * LOG_2_PI;
  return sum;
}
