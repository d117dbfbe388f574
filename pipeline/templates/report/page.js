/* The list of texts with its filters, sorting of tables, and the start. */
const PAGE = 30;

class TextList {
  constructor() {
    this.list = byId("list");
    this.search = byId("search");
    this.selects = [byId("label"), byId("predicted")];
    this.everything = byId("everything");
    const names = data.labels.map((name, id) => [name, id]).sort((a, b) => (a[0] < b[0] ? -1 : 1));
    for (const select of [...this.selects, byId("only")].filter(Boolean)) {
      for (const [name, id] of names) {
        const option = element("option", "", short(name, 60));
        option.value = id;
        select.append(option);
      }
    }
    const form = byId("filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.fill(), 120);
    });
    form.addEventListener("reset", () => setTimeout(() => this.fill()));
    byId("more").addEventListener("click", () => this.add(true));
    this.fill();
  }

  /* Show the texts of one true and one predicted label. */
  choose(label, predicted) {
    byId("filters").reset();
    this.selects[0].value = label;
    this.selects[1].value = predicted;
    if (this.everything && label === predicted) this.everything.checked = true;
    this.fill();
    byId("errors").scrollIntoView();
    byId("errors").tabIndex = -1;
    byId("errors").focus({ preventScroll: true });
  }

  lower(i) {
    this.lowered ??= data.text.map((text, at) =>
      [text || "", data.labels[data.label[at]], data.labels[data.predicted[at]]].join("\n").toLowerCase());
    return this.lowered[i];
  }

  fill() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [label, predicted] = this.selects.map((each) => each.value);
    const whole = this.everything && this.everything.checked;
    const from = whole ? data.label.map((_, i) => i) : data.errors;
    this.found = from.filter((i) =>
      (label === "" || data.label[i] === +label) &&
      (predicted === "" || data.predicted[i] === +predicted) &&
      words.every((word) => this.lower(i).includes(word)));
    this.shown = 0;
    this.list.replaceChildren();
    this.add(false);
  }

  add(focus) {
    const next = this.found.slice(this.shown, this.shown + PAGE).map((i) => this.item(i));
    this.list.append(...next);
    this.shown += next.length;
    byId("more").hidden = this.shown >= this.found.length;
    byId("found").textContent = `${number(this.found.length)} texts` +
      (this.shown < this.found.length ? `, the first ${number(this.shown)} shown` : "");
    if (focus && next.length) {
      next[0].tabIndex = -1;
      next[0].focus();
    }
  }

  item(i) {
    const item = element("li");
    const tags = element("div", "tags");
    const tag = (kind, what, value) => {
      const made = element("span", kind, `${what} `);
      made.append(element("b", "", value));
      tags.append(made);
    };
    const [label, told] = [data.label[i], data.predicted[i]];
    const kind = (predicted) => (predicted === label ? "right" : "wrong");
    tag("", "true label", data.labels[label]);
    if (data.second) {
      const other = data.second.predicted[i];
      tag(kind(told), data.runs[0], `${kind(told)}: ${data.labels[told]}`);
      tag(kind(other), data.runs[1], `${kind(other)}: ${data.labels[other]}`);
    } else {
      tag(kind(told), "predicted", data.labels[told]);
      tags.append(element("span", "", `${percent(data.confidence[i] / 1000)} sure`));
    }
    tags.append(element("span", "row", `row ${data.row[i]}`));
    const text = element("div", "text", data.text[i] === null ? "(the text is not at hand)" : data.text[i]);
    text.dir = "auto";
    item.append(tags, text);
    const words = (data.words || {})[data.row[i]];
    if (words) {
      const told = words.map(([word, weight]) => `${word} ${weight < 0 ? "\u2212" : "+"}${Math.abs(weight).toFixed(2)}`);
      const line = element("div", "note", `words that decided: ${told.join(", ")}`);
      line.dir = "auto";
      item.append(line);
    }
    const near = data.neighbours.of[data.row[i]];
    if (near && near.length) item.append(this.near(near));
    return item;
  }

  near(found) {
    const details = element("details");
    details.append(element("summary", "", "nearest training texts"));
    const list = element("ol");
    for (const [at, cosine] of found) {
      const [row, label, text] = data.neighbours.pool[at];
      const item = element("li");
      item.append(element("b", "", label), ` (cosine ${cosine.toFixed(2)}, row ${row}): `);
      const own = element("span", "text", text);
      own.dir = "auto";
      item.append(own);
      list.append(item);
    }
    details.append(list);
    return details;
  }
}

/* Sort a table by a column: numbers the largest first, names by the alphabet; again turns it. */
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    head.querySelector("button").addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const numbers = head.classList.contains("number");
      const down = before ? before === "ascending" : numbers;
      const body = table.tBodies[0];
      const value = (row) =>
        numbers ? +row.cells[place].dataset.value : row.cells[place].textContent.toLowerCase();
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (down ? -1 : 1));
      body.append(...rows.map(([, row]) => row));
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  });
}

const list = byId("list") && new TextList();
document.querySelectorAll("table.sortable").forEach(sortable);
if (byId("matrix") && data.order.length) {
  new Matrix(byId("matrix"), (label, predicted) => list.choose(label, predicted));
}
if (byId("map")) new TextMap(byId("map"));
document.documentElement.dataset.ready = "yes";
