// p(x|z): columns that are independent given z, each of one family with one or two parameters (or a logit a class).
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
    for (const { family, columns, classes, second } of groups) {
      const n = columns.length;
      columns.forEach((j, i) => {
        this.parts[j] = { name: family, family: FAMILIES[family], first: at + i, next: n, classes, fixed: second ? tensors[second].data[i] : null };
      });
      at += n * (classes ?? (family === "bernoulli" || second ? 1 : 2));
    }
    this.features = this.parts.length;
  }

  // The parameters of column j: two numbers, or the probabilities of all classes.
  parameters(part, outputs) {
    if (part.classes) return [softmax(Array.from({ length: part.classes }, (_, c) => outputs[part.first + c * part.next]))];
    return [outputs[part.first], part.fixed ?? outputs[part.first + part.next]];
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
