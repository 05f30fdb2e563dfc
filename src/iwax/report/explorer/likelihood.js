// p(x|z): columns that are independent given z, each of one family with one to three parameters (or a logit per class).
// A column's x is loc + scale y; families know y alone.
const LOG_2_PI = Math.log(2 * Math.PI);
const normalLog = (y, loc, logScale) => -0.5 * ((y - loc) / Math.exp(logScale)) ** 2 - logScale - 0.5 * LOG_2_PI;

// log Gamma(x) for x > 0, by the sum of Lanczos (1964) with g = 7.
const LANCZOS = [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
function logGamma(x) {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const sum = LANCZOS.reduce((total, c, i) => total + c / (x + i), 0.99999999999980993);
  return 0.5 * LOG_2_PI + (x - 0.5) * Math.log(x + 6.5) - (x + 6.5) + Math.log(sum);
}

// Mean and variance of a logistic variable rounded to whole numbers from lower on: sums over blocks of them, each of one
// number up to a scale of 20.
function roundedMoments(loc, scale, lower) {
  const block = Math.max(1, Math.floor(scale / 20)), half = block / 2, middle = Math.max(lower, Math.round(loc));
  const tail = (edge, side) => sigmoid((side * (edge - loc)) / scale); // the chance to lie below an edge, or above it
  let [first, second] = [0, 0];
  const add = (k, chance) => {
    first += chance * (k - middle);
    second += chance * (k - middle) ** 2;
  };
  const least = Math.max(lower, middle - 900 * block);
  add(least, tail(least + half, 1));
  for (let k = least + block; k <= middle + 900 * block; k += block) {
    add(k, k < loc ? tail(k + half, 1) - tail(k - half, 1) : tail(k - half, -1) - tail(k + half, -1));
  }
  return [middle + first, second - first ** 2];
}

const FAMILIES = {
  bernoulli: {
    mean: sigmoid,
    variance: (logit) => sigmoid(logit) * sigmoid(-logit),
    logProb: (y, logit) => y * logit - softplus(logit),
    draw: (random, logit) => Number(random.uniform() < sigmoid(logit)),
  },
  gaussian: {
    mean: (loc) => loc,
    variance: (loc, logScale) => Math.exp(2 * logScale),
    logProb: normalLog,
    draw: (random, loc, logScale) => loc + Math.exp(logScale) * random.normal(),
  },
  lognormal: {
    mean: (loc, logScale) => Math.exp(loc + 0.5 * Math.exp(2 * logScale)),
    variance: (loc, logScale) => Math.expm1(Math.exp(2 * logScale)) * Math.exp(2 * loc + Math.exp(2 * logScale)),
    logProb: (y, loc, logScale) => normalLog(Math.log(y), loc, logScale) - Math.log(y),
    draw: (random, loc, logScale) => Math.exp(loc + Math.exp(logScale) * random.normal()),
  },
  "zero-inflated lognormal": {
    mean: (loc, logScale, gate) => sigmoid(-gate) * FAMILIES.lognormal.mean(loc, logScale),
    variance: (loc, logScale, gate) => {
      const [share, mean] = [sigmoid(-gate), FAMILIES.lognormal.mean(loc, logScale)];
      return share * (FAMILIES.lognormal.variance(loc, logScale) + (1 - share) * mean ** 2);
    },
    logProb: (y, loc, logScale, gate) => (y === 0 ? -softplus(-gate) : FAMILIES.lognormal.logProb(y, loc, logScale) - softplus(gate)),
    draw: (random, loc, logScale, gate) => (random.uniform() < sigmoid(gate) ? 0 : FAMILIES.lognormal.draw(random, loc, logScale)),
  },
  // A logistic variable rounded to whole numbers from lower on.
  "integer logistic": {
    mean: (loc, logScale, lower) => roundedMoments(loc, Math.exp(logScale), lower)[0],
    variance: (loc, logScale, lower) => roundedMoments(loc, Math.exp(logScale), lower)[1],
    logProb: (y, loc, logScale, lower) => {
      const rate = Math.exp(-logScale), [a, b] = [(y - 0.5 - loc) * rate, (y + 0.5 - loc) * rate];
      return y <= lower ? -softplus(-b) : Math.log(-Math.expm1(-rate)) - softplus(-b) - softplus(a);
    },
    draw: (random, loc, logScale, lower) => {
      const u = random.uniform();
      return Math.max(lower, Math.round(loc + Math.exp(logScale) * Math.log(u / (1 - u))));
    },
  },
  "negative binomial": {
    mean: (logMean) => Math.exp(logMean),
    variance: (logMean, logR) => Math.exp(logMean) + Math.exp(2 * logMean - logR),
    logProb: (y, logMean, logR) => logGamma(y + Math.exp(logR)) - logGamma(Math.exp(logR)) - logGamma(y + 1)
      - Math.exp(logR) * softplus(logMean - logR) - y * softplus(logR - logMean),
    draw: (random, logMean) => Math.exp(logMean), // only ever read by an encoder, for which the mean will do
  },
  categorical: {
    mean: (chances) => chances.reduce((sum, p, c) => sum + c * p, 0),
    variance: (chances) => chances.reduce((sum, p, c) => sum + p * (c - FAMILIES.categorical.mean(chances)) ** 2, 0),
    logProb: (y, chances) => Math.log(chances[y]),
    draw: (random, chances) => {
      let left = random.uniform(), c = 0;
      while (c < chances.length - 1 && (left -= chances[c]) > 0) c++;
      return c;
    },
  },
};

function softmax(logits) {
  const most = Math.max(...logits);
  const each = logits.map((logit) => Math.exp(logit - most));
  const total = each.reduce((sum, a) => sum + a, 0);
  return each.map((a) => a / total);
}

class Likelihood {
  constructor({ groups, loc, scale }, tensors) {
    this.loc = loc ? tensors[loc].data : null;
    this.scale = scale ? tensors[scale].data : null;
    this.parts = [];
    let at = 0;
    for (const { family, columns, classes, outputs, log_scale, log_concentration, centre, unit, floor, lower } of groups) {
      const n = columns.length, second = log_scale ?? log_concentration;
      columns.forEach((j, i) => {
        this.parts[j] = {
          name: family, family: FAMILIES[family], first: at + i, next: n, size: outputs, classes, floor, lower,
          fixed: second ? tensors[second].data[i] : null,
          centre: centre ? tensors[centre].data[i] : null,
          unit: unit ? tensors[unit].data[i] : null,
        };
      });
      at += n * outputs;
    }
    this.features = this.parts.length;
  }

  // The parameters of column j: one to three numbers, or the probabilities of all classes.
  parameters(part, outputs) {
    const found = Array.from({ length: part.size }, (_, i) => outputs[part.first + i * part.next]);
    if (part.classes) return [softmax(found)];
    if (part.fixed !== null) found.splice(1, 0, part.fixed);
    else if (part.floor) found[1] = floored(found[1], part.floor);
    if (part.unit !== null) {
      found[0] = part.centre + part.unit * found[0];
      found[1] += Math.log(part.unit);
      found.push(part.lower);
    }
    return found;
  }

  each(outputs, of) {
    return Float64Array.from(this.parts, (part, j) => of(part, this.parameters(part, outputs), this.loc ? this.loc[j] : 0, this.scale ? this.scale[j] : 1, j));
  }

  mean(outputs) {
    return this.each(outputs, ({ family }, at, loc, scale) => loc + scale * family.mean(...at));
  }

  variance(outputs) {
    return this.each(outputs, ({ family }, at, loc, scale) => scale ** 2 * family.variance(...at));
  }

  draw(outputs, random) {
    return this.each(outputs, ({ family }, at, loc, scale) => loc + scale * family.draw(random, ...at));
  }

  // log p of the observed columns.
  logProb(outputs, x, observed) {
    let sum = 0;
    this.parts.forEach((part, j) => {
      if (!observed[j]) return;
      const [loc, scale] = [this.loc ? this.loc[j] : 0, this.scale ? this.scale[j] : 1];
      sum += part.family.logProb((x[j] - loc) / scale, ...this.parameters(part, outputs)) - Math.log(scale);
    });
    return sum;
  }

  // The probability of every level of column j.
  chances(outputs, j) {
    const [first] = this.parameters(this.parts[j], outputs);
    return this.parts[j].classes ? first : [sigmoid(-first), sigmoid(first)];
  }
}
