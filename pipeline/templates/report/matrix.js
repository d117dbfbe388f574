/* The confusion matrix: cells of the labels in data.order, strong where many texts of a label are. */
class Matrix {
  constructor(canvas, chosen) {
    this.chosen = chosen;
    this.ids = data.order;
    this.size = this.ids.length;
    this.most = Math.max(4, this.size / 4);
    const at = new Map(this.ids.map((id, place) => [id, place]));
    this.texts = new Array(this.size).fill(0);
    this.cells = [];
    this.counts = new Map();
    for (let i = 0; i < data.cells.length; i += 3) {
      const [row, column] = [at.get(data.cells[i]), at.get(data.cells[i + 1])];
      this.cells.push([row, column, data.cells[i + 2]]);
      this.counts.set(row * this.size + column, data.cells[i + 2]);
      this.texts[row] += data.cells[i + 2];
    }
    this.view = new View(canvas, this);
  }

  name(place) { return data.labels[this.ids[place]]; }

  resized(view) {
    const longest = Math.max(...this.ids.map((id) => data.labels[id].length));
    const wide = Math.min(view.width * 0.3, 14 + 6.6 * Math.min(longest, 26));
    view.margin = { left: wide, top: Math.min(wide, view.height * 0.3) };
  }

  draw(context, view) {
    const size = view.unit / this.size;
    const { left, top } = view.margin;
    const [right, wrong] = [named("--right"), named("--wrong")];
    context.save();
    context.beginPath();
    context.rect(left, top, view.width - left, view.height - top);
    context.clip();
    context.fillStyle = named("--card");
    context.fillRect(view.across(0), view.down(0), view.unit, view.unit);
    if (size > 6) this.lines(context, view);
    const gap = size > 6 ? 1 : 0;
    const faint = size > 14 ? 0.18 : 0.4; // a small cell needs more to be seen
    for (const [row, column, count] of this.cells) {
      const [x, y] = [view.across(column / this.size), view.down(row / this.size)];
      if (x > view.width || y > view.height || x + size < left || y + size < top) continue;
      const share = count / this.texts[row];
      context.globalAlpha = faint + (1 - faint) * Math.sqrt(share);
      context.fillStyle = row === column ? right : wrong;
      context.fillRect(x + gap, y + gap, Math.max(size - 2 * gap, 1), Math.max(size - 2 * gap, 1));
    }
    context.globalAlpha = 1;
    if (size >= 24) this.numbers(context, view, size);
    if (this.at) this.frame(context, view, size);
    context.restore();
    this.labels(context, view, size);
  }

  lines(context, view) {
    context.strokeStyle = named("--grid");
    context.beginPath();
    for (let i = 0; i <= this.size; i += 1) {
      const [x, y] = [view.across(i / this.size), view.down(i / this.size)];
      context.moveTo(x, view.down(0));
      context.lineTo(x, view.down(1));
      context.moveTo(view.across(0), y);
      context.lineTo(view.across(1), y);
    }
    context.stroke();
  }

  numbers(context, view, size) {
    context.font = `${Math.min(14, size / 2.6)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const [ink, paper] = [named("--ink"), named("--paper")];
    for (const [row, column, count] of this.cells) {
      context.fillStyle = count / this.texts[row] > 0.3 ? paper : ink;
      const place = [(column + 0.5) / this.size, (row + 0.5) / this.size];
      context.fillText(number(count), view.across(place[0]), view.down(place[1]));
    }
  }

  frame(context, view, size) {
    const [row, column] = this.at;
    context.strokeStyle = named("--ink");
    context.lineWidth = 2;
    context.strokeRect(view.across(column / this.size), view.down(row / this.size), size, size);
    context.lineWidth = 1;
  }

  /* Names of rows and columns; of small cells every second, third ... */
  labels(context, view, size) {
    const step = Math.ceil(12 / size);
    const { left, top } = view.margin;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = named("--soft");
    context.textBaseline = "middle";
    for (let i = 0; i < this.size; i += step) {
      const [x, y] = [view.across((i + 0.5) / this.size), view.down((i + 0.5) / this.size)];
      if (y > top && y < view.height) {
        context.textAlign = "right";
        context.fillText(fitting(context, this.name(i), left - 10), Math.max(left, view.across(0)) - 6, y);
      }
      if (x > left && x < view.width) {
        context.save();
        context.translate(x, Math.max(top, view.down(0)) - 6);
        context.rotate(-Math.PI / 2);
        context.textAlign = "left";
        context.fillText(fitting(context, this.name(i), top - 10), 0, 0);
        context.restore();
      }
    }
  }

  point(px, py, view) {
    const [x, y] = view.back(px, py);
    const at = [Math.floor(y * this.size), Math.floor(x * this.size)];
    const inside = px > view.margin.left && py > view.margin.top;
    if (inside && at.every((each) => each >= 0 && each < this.size)) this.choose(at);
  }

  move(across, down, view) {
    const [row, column] = this.at || [0, across ? -1 : 0];
    const inside = (value) => Math.min(this.size - 1, Math.max(0, value));
    const at = [inside(row + down), inside(column + across)];
    this.choose(this.at ? at : [0, 0]);
    view.show((this.at[1] + 0.5) / this.size, (this.at[0] + 0.5) / this.size);
  }

  choose(at) {
    if (this.at && this.at[0] === at[0] && this.at[1] === at[1]) return;
    this.at = at;
    const [row, column] = at;
    const count = this.counts.get(row * this.size + column) || 0;
    const share = this.texts[row] ? ` (${percent(count / this.texts[row])})` : "";
    const how = row === column ? "are labelled rightly" : `are taken for “${this.name(column)}”`;
    byId("matrix-told").textContent =
      `${number(count)} of ${number(this.texts[row])} texts of “${this.name(row)}” ${how}${share}.`;
    this.view.later();
  }

  act() {
    if (this.at) this.chosen(this.ids[this.at[0]], this.ids[this.at[1]]);
  }
}
