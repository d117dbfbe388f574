"use strict";
/* The data of the page, and a drawing that can be zoomed and moved. Texts of the data only ever
   become textContent or fillText, never markup. */
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const percent = (share) => (100 * share).toFixed(1) + "%";
const number = (value) => value.toLocaleString("en-US");
const named = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

/* The beginning of a text that is no wider than some pixels. */
function fitting(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let most = Math.min(text.length, 60);
  while (most > 1 && context.measureText(short(text, most)).width > width) most -= 1;
  return short(text, most);
}

function element(tag, kind, text) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/* A canvas over the unit square. The owner draws, and is told where a pointer or a key goes. */
class View {
  constructor(canvas, owner) {
    this.canvas = canvas;
    this.owner = owner;
    this.most = owner.most || 40;
    this.margin = { left: 0, top: 0 };
    this.whole();
    this.pointers = new Map();
    this.listen();
    this.near = false; // nothing is drawn before it is nearly in sight
    new ResizeObserver(() => this.resize()).observe(canvas); // calls once at the start
    new IntersectionObserver((seen) => {
      this.near = seen[seen.length - 1].isIntersecting;
      if (this.near) this.later();
    }, { rootMargin: "300px" }).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
    addEventListener("beforeprint", () => this.printed(true));
    addEventListener("afterprint", () => this.printed(false));
  }

  printed(paper) {
    document.documentElement.classList.toggle("paper", paper);
    this.paper = paper;
    this.draw();
  }

  whole() {
    this.scale = 1;
    this.x = this.y = 0.5;
  }

  resize() {
    const box = this.canvas.getBoundingClientRect();
    this.ratio = window.devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.max(1, Math.round(box.width * this.ratio));
    this.canvas.height = Math.max(1, Math.round(box.height * this.ratio));
    if (this.owner.resized) this.owner.resized(this);
    this.draw();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.waiting = false;
    if (!this.ratio || !(this.near || this.paper)) return;
    const context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.canvas.style.touchAction = this.scale > 1 ? "none" : "pan-y";
    this.owner.draw(context, this);
  }

  /* Pixels of one unit, and from units to pixels and back. */
  get unit() {
    return Math.max(1, Math.min(this.width - this.margin.left, this.height - this.margin.top)) * this.scale;
  }
  get middle() {
    return [(this.width + this.margin.left) / 2, (this.height + this.margin.top) / 2];
  }
  across(x) { return (x - this.x) * this.unit + this.middle[0]; }
  down(y) { return (y - this.y) * this.unit + this.middle[1]; }
  back(px, py) {
    return [(px - this.middle[0]) / this.unit + this.x, (py - this.middle[1]) / this.unit + this.y];
  }

  zoom(times, px = this.middle[0], py = this.middle[1]) {
    const [x, y] = this.back(px, py);
    this.scale = Math.min(this.most, Math.max(1, this.scale * times));
    this.x = x - (px - this.middle[0]) / this.unit;
    this.y = y - (py - this.middle[1]) / this.unit;
    this.keep();
  }

  keep() {
    const half = 0.5 / this.scale;
    const inside = (value) => Math.min(1 - half, Math.max(half, value));
    this.x = this.scale === 1 ? 0.5 : inside(this.x);
    this.y = this.scale === 1 ? 0.5 : inside(this.y);
    this.later();
  }

  /* Move so that a place is seen. */
  show(x, y) {
    const [px, py] = [this.across(x), this.down(y)];
    const seen = px > this.margin.left && px < this.width && py > this.margin.top && py < this.height;
    if (!seen) [this.x, this.y] = [x, y];
    this.keep();
  }

  listen() {
    const canvas = this.canvas;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
      this.dragged = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (this.pointers.has(event.pointerId)) this.drag(event.pointerId, at);
      if (!this.pointers.size || event.pointerType !== "mouse") this.owner.point(...at, this);
    });
    const release = (event) => {
      const pressed = this.pointers.delete(event.pointerId);
      if (event.type === "pointerup" && pressed && this.dragged < 6) {
        this.owner.point(...place(event), this);
        if (this.owner.act) this.owner.act(this);
      }
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => this.owner.leave && this.owner.leave(this));
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300), ...place(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const button of canvas.closest("section").querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.step(button.dataset.zoom));
    }
  }

  drag(id, at) {
    const before = this.pointers.get(id);
    const others = [...this.pointers].filter(([other]) => other !== id);
    this.pointers.set(id, at);
    this.dragged += Math.hypot(at[0] - before[0], at[1] - before[1]);
    if (others.length) {
      const other = others[0][1];
      const far = (one) => Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1]));
      this.zoom(far(at) / far(before), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    } else if (this.scale > 1) {
      this.x -= (at[0] - before[0]) / this.unit;
      this.y -= (at[1] - before[1]) / this.unit;
      this.keep();
    }
  }

  step(how) {
    if (how === "whole") this.whole();
    this.zoom(how === "in" ? 1.6 : how === "out" ? 1 / 1.6 : 1);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ARROWS) this.owner.move(...ARROWS[event.key], this);
    else if (event.key === "+" || event.key === "=") this.step("in");
    else if (event.key === "-") this.step("out");
    else if (event.key === "0") this.step("whole");
    else if (event.key === "Enter" && this.owner.act) this.owner.act(this);
    else return;
    event.preventDefault();
  }
}
