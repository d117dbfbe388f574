/* The map of texts: each group of points has a colour and a shape; the text shows on hover. */
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring", "down", "bar"];
const COLOURED = 7;
const LAST = 9999;
const BUCKETS = 64;
const STAMPED = 4000; // points that are drawn with their shapes, at most

function drawShape(context, shape, radius) {
  const r = radius;
  const corners = {
    square: [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]],
    triangle: [[0, -1.1], [1, 0.8], [-1, 0.8]],
    diamond: [[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]],
    down: [[0, 1.1], [1, -0.8], [-1, -0.8]],
    bar: [[-1.1, -0.4], [1.1, -0.4], [1.1, 0.4], [-1.1, 0.4]],
  }[shape];
  context.beginPath();
  if (corners) {
    corners.forEach(([x, y]) => context.lineTo(x * r, y * r));
    context.fill();
  } else if (shape === "cross") {
    context.lineWidth = r * 0.7;
    [[-1, -1, 1, 1], [-1, 1, 1, -1]].forEach(([a, b, c, d]) => {
      context.moveTo(a * r, b * r);
      context.lineTo(c * r, d * r);
    });
    context.stroke();
  } else {
    context.arc(0, 0, r * (shape === "ring" ? 0.75 : 0.95), 0, 7);
    context.lineWidth = r * 0.5;
    if (shape === "ring") context.stroke();
    else context.fill();
  }
}

class TextMap {
  constructor(canvas) {
    const places = data.places;
    this.count = places.length / 2;
    this.x = new Float32Array(this.count);
    this.y = new Float32Array(this.count);
    this.buckets = new Map();
    for (let i = 0; i < this.count; i += 1) {
      this.x[i] = 0.03 + (0.94 * places[2 * i]) / LAST;
      this.y[i] = 0.97 - (0.94 * places[2 * i + 1]) / LAST;
      const key = this.bucket(this.x[i]) * BUCKETS + this.bucket(this.y[i]);
      if (!this.buckets.has(key)) this.buckets.set(key, []);
      this.buckets.get(key).push(i);
    }
    this.tip = byId("map-tip");
    this.at = -1;
    this.group();
    this.view = new View(canvas, this);
    for (const id of ["colour", "only"]) {
      byId(id).addEventListener("change", () => {
        this.group();
        this.view.later();
      });
    }
  }

  bucket(value) { return Math.min(BUCKETS - 1, Math.max(0, Math.floor(value * BUCKETS))); }

  /* Deal the points to groups: {name, colour, shape, points}, those drawn last at the end. */
  group() {
    const how = byId("colour").value;
    const only = byId("only").value;
    const ids = how === "predicted" ? data.predicted : data.label;
    const kept = [];
    for (let i = 0; i < this.count; i += 1) {
      if (only === "" || ids[i] === +only) kept.push(i);
    }
    this.shown = new Uint8Array(this.count);
    for (const i of kept) this.shown[i] = 1;
    this.groups = how === "error" ? this.byError(kept) : this.byLabel(kept, ids);
    if (this.at >= 0 && !this.shown[this.at]) this.leave();
    this.legend();
  }

  byError(kept) {
    const first = (i) => data.predicted[i] === data.label[i];
    if (!data.second) {
      return [
        { name: "right", colour: "--right", shape: "circle", points: kept.filter(first) },
        { name: "wrong", colour: "--wrong", shape: "cross", points: kept.filter((i) => !first(i)) },
      ];
    }
    const second = (i) => data.second.predicted[i] === data.label[i];
    const [one, other] = data.runs;
    const cases = [
      ["both right", "--other", "circle", true, true],
      ["both wrong", "--c3", "cross", false, false],
      [`only ${one} right`, "--c0", "square", true, false],
      [`only ${other} right`, "--c1", "triangle", false, true],
    ];
    return cases.map(([name, colour, shape, a, b]) => ({
      name, colour, shape, points: kept.filter((i) => first(i) === a && second(i) === b),
    }));
  }

  byLabel(kept, ids) {
    const points = new Map();
    for (const i of kept) {
      if (!points.has(ids[i])) points.set(ids[i], []);
      points.get(ids[i]).push(i);
    }
    const common = [...points].sort((a, b) => b[1].length - a[1].length || a[0] - b[0]);
    const few = common.length === COLOURED + 1 ? COLOURED + 1 : COLOURED;
    const groups = common.slice(0, few).map(([id, own], place) => ({
      name: data.labels[id], colour: `--c${place}`, shape: SHAPES[place], points: own,
    }));
    const rest = common.slice(few);
    if (rest.length) {
      groups.push({
        name: `${number(rest.length)} other labels`, colour: "--other", shape: "circle",
        points: rest.flatMap((each) => each[1]),
      });
    }
    return groups.reverse();
  }

  legend() {
    const list = byId("map-legend");
    list.replaceChildren();
    for (const each of [...this.groups].reverse()) {
      const sample = element("canvas");
      sample.width = sample.height = 28;
      sample.setAttribute("aria-hidden", "true");
      const item = element("li");
      item.append(sample, `${short(each.name, 40)} (${number(each.points.length)})`);
      list.append(item);
      each.sample = sample;
    }
    this.samples();
  }

  samples() {
    for (const each of this.groups) {
      const context = each.sample.getContext("2d");
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, 28, 28);
      context.translate(14, 14);
      context.fillStyle = context.strokeStyle = named(each.colour);
      drawShape(context, each.shape, 10);
    }
  }

  draw(context, view) {
    const many = this.count > 5000;
    const small = many && this.visible(view) > STAMPED;
    const radius = Math.min(6, (many ? 1.7 : this.count > 800 ? 2.6 : 4) * Math.sqrt(Math.sqrt(view.scale)));
    const side = Math.ceil(radius * 2.6);
    context.globalAlpha = many && view.scale < 4 ? 0.6 : 0.85;
    for (const each of this.groups) {
      if (small) {
        this.dots(context, view, each);
        continue;
      }
      const stamp = document.createElement("canvas");
      stamp.width = stamp.height = Math.max(1, Math.ceil(side * view.ratio));
      const pen = stamp.getContext("2d");
      pen.scale(view.ratio, view.ratio);
      pen.translate(side / 2, side / 2);
      pen.fillStyle = pen.strokeStyle = named(each.colour);
      drawShape(pen, each.shape, radius);
      const [unit, [mx, my]] = [view.unit, view.middle];
      for (const i of each.points) {
        const [px, py] = [(this.x[i] - view.x) * unit + mx, (this.y[i] - view.y) * unit + my];
        if (px < -side || py < -side || px > view.width + side || py > view.height + side) continue;
        context.drawImage(stamp, px - side / 2, py - side / 2, side, side);
      }
    }
    context.globalAlpha = 1;
    this.samples();
    if (this.at < 0) return;
    this.place();
    this.ring(context, view, radius);
  }

  visible(view) {
    const [left, top] = view.back(0, 0);
    const [right, bottom] = view.back(view.width, view.height);
    let found = 0;
    for (let i = 0; i < this.count; i += 1) {
      const [x, y] = [this.x[i], this.y[i]];
      found += this.shown[i] && x > left && x < right && y > top && y < bottom;
    }
    return found;
  }

  /* Many points as small squares, which is quick; their shapes show when fewer are in sight. */
  dots(context, view, group) {
    context.fillStyle = named(group.colour);
    const unit = view.unit;
    const mx = view.middle[0] - view.x * unit - 1;
    const my = view.middle[1] - view.y * unit - 1;
    for (const i of group.points) {
      const px = Math.round(this.x[i] * unit + mx);
      const py = Math.round(this.y[i] * unit + my);
      if (px > -3 && py > -3 && px < view.width && py < view.height) context.fillRect(px, py, 3, 3);
    }
  }

  ring(context, view, radius) {
    context.strokeStyle = named("--ink");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(view.across(this.x[this.at]), view.down(this.y[this.at]), radius + 4, 0, 7);
    context.stroke();
  }

  point(px, py, view) {
    const [x, y] = view.back(px, py);
    const reach = 14 / view.unit;
    let [best, least] = [-1, reach * reach];
    for (let a = this.bucket(x - reach); a <= this.bucket(x + reach); a += 1) {
      for (let b = this.bucket(y - reach); b <= this.bucket(y + reach); b += 1) {
        for (const i of this.buckets.get(a * BUCKETS + b) || []) {
          const far = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
          if (this.shown[i] && far < least) [best, least] = [i, far];
        }
      }
    }
    if (best < 0) this.leave();
    else this.choose(best);
  }

  /* The nearest text in the direction of an arrow: within 45 degrees of it. */
  move(across, down, view) {
    let [best, least] = [-1, Infinity];
    const [x, y] = this.at < 0 ? [0.5, 0.5] : [this.x[this.at], this.y[this.at]];
    for (let i = 0; i < this.count; i += 1) {
      if (!this.shown[i] || i === this.at) continue;
      const [dx, dy] = [this.x[i] - x, this.y[i] - y];
      const ahead = dx * across + dy * down;
      const aside = Math.abs(dx * down + dy * across);
      if (this.at >= 0 && (ahead <= 0 || aside > ahead)) continue;
      const far = dx * dx + dy * dy;
      if (far < least) [best, least] = [i, far];
    }
    if (best < 0) return;
    this.choose(best);
    view.show(this.x[best], this.y[best]);
  }

  choose(i) {
    if (this.at === i) return;
    this.at = i;
    const [what, text] = describe(i);
    byId("map-told").textContent = `${what}: ${text}`;
    this.tip.replaceChildren(element("div", "note", what), element("div", "text", short(text, 300)));
    this.tip.hidden = false;
    this.place();
    this.view.later();
  }

  /* Put the text beside its point, on the side where there is room. */
  place() {
    const i = this.at;
    const [px, py] = [this.view.across(this.x[i]), this.view.down(this.y[i])];
    this.tip.style.left = px < this.view.width / 2 ? `${px + 14}px` : "auto";
    this.tip.style.right = px < this.view.width / 2 ? "auto" : `${this.view.width - px + 14}px`;
    this.tip.style.top = py < this.view.height / 2 ? `${py + 14}px` : "auto";
    this.tip.style.bottom = py < this.view.height / 2 ? "auto" : `${this.view.height - py + 14}px`;
  }

  leave() {
    if (this.at < 0) return;
    this.at = -1;
    this.tip.hidden = true;
    if (this.view) this.view.later();
  }
}

/* What a text is labelled, and the text. */
function describe(i) {
  const [label, told] = [data.labels[data.label[i]], data.labels[data.predicted[i]]];
  const sure = percent(data.confidence[i] / 1000);
  let what = label === told ? `${label}, rightly (${sure})` : `${label}, taken for ${told} (${sure})`;
  if (data.second) {
    const other = data.labels[data.second.predicted[i]];
    what = `${label}; ${data.runs[0]}: ${told}, ${data.runs[1]}: ${other}`;
  }
  return [what, data.text[i] === null ? `row ${data.row[i]} of the data` : data.text[i]];
}
