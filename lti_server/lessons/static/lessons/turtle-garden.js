// Turtle garden: put blocks in a row, run them, reach every flower.

import { h, pause, s, say } from "./dom.js";
import { play } from "./player.js";
import { countBlocks, readGarden, walk } from "./turtle-rules.js";

const CELL = 10;
const STEP_MS = 320;
const SIGNS = { forward: "↑", left: "↰", right: "↱", repeat: "↻" };

class Garden {
  constructor(root, { puzzle, words, work, announce, report }) {
    Object.assign(this, { root, puzzle, words, announce, report });
    this.garden = readGarden(puzzle.rows);
    this.most = puzzle.most ?? 12;
    this.program = Array.isArray(work?.program) ? work.program : [];
    this.open = false;
    this.running = false;
    this.build();
    this.show();
  }

  build() {
    const { words } = this;
    this.list = h("ol", { class: "program-list" });
    this.count = h("p", { class: "quiet program-count" });
    this.times = h(
      "select",
      { "aria-label": words.times, class: "times" },
      [2, 3, 4, 5, 6].map((times) => h("option", { value: times }, `${times}×`)),
    );
    this.buttons = this.puzzle.blocks.map((name) =>
      h("button", { type: "button", class: `block block-${name}`, "data-block": name, onclick: () => this.add(name) },
        h("span", { "aria-hidden": "true", class: "block-sign" }, SIGNS[name]), words[name]),
    );
    this.close = h("button", { type: "button", class: "block block-end", onclick: () => this.endRepeat() }, words.end_repeat);
    this.runButton = h("button", { type: "button", class: "run", onclick: () => this.run() }, words.run);
    const clear = h("button", { type: "button", class: "secondary outline", onclick: () => this.clear() }, words.clear);
    const repeats = this.puzzle.blocks.includes("repeat");
    this.title = h("h3", { id: "program-title", tabindex: "-1" }, words.program);
    this.root.replaceChildren(
      h("div", { class: "garden-side" }, this.picture(), this.description()),
      h("div", { class: "program-side" },
        h("fieldset", { class: "palette" }, h("legend", { class: "visually-hidden" }, words.add), this.buttons, repeats && this.times, repeats && this.close),
        this.title, this.list, this.count,
        h("div", { class: "actions" }, this.runButton, clear)),
    );
  }

  picture() {
    const { columns, rows, flowers, hedges } = this.garden;
    const tiles = [];
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const shade = (row + column) % 2 ? "tile tile-dark" : "tile";
        tiles.push(s("rect", { class: shade, x: column * CELL, y: row * CELL, width: CELL, height: CELL }));
      }
    }
    this.flowers = flowers.map((place) => drawFlower(place));
    this.turtle = drawTurtle();
    return s("svg", { class: "garden", viewBox: `-0.5 -0.5 ${columns * CELL + 1} ${rows * CELL + 1}`, role: "img", "aria-label": this.words.garden },
      tiles, hedges.map((place) => drawHedge(place)), this.flowers, this.turtle);
  }

  description() {
    const { words, garden } = this;
    const one = (place) => ({ column: place.column + 1, row: place.row + 1 });
    this.where = h("p", {});
    return h("div", { class: "visually-hidden" }, this.where,
      h("ul", {}, garden.flowers.map((place) => h("li", {}, say(words.flower_at, one(place)))),
        garden.hedges.map((place) => h("li", {}, say(words.hedge_at, one(place))))));
  }

  place({ column, row, heading, found }) {
    this.turtle.style.setProperty("transform", `translate(${column * CELL + CELL / 2}px, ${row * CELL + CELL / 2}px) rotate(${heading * 90}deg)`);
    this.flowers.forEach((flower, index) => flower.classList.toggle("found", found.has(index)));
    this.where.textContent = say(this.words.where, {
      columns: this.garden.columns, rows: this.garden.rows, column: column + 1, row: row + 1,
      heading: this.words[`heading_${((heading % 4) + 4) % 4}`],
    });
  }

  add(name) {
    const { words } = this;
    if (countBlocks(this.program) >= this.most) {
      this.announce(words.full, "try");
      return;
    }
    const block = name === "repeat" ? { repeat: Number(this.times.value), do: [] } : name;
    if (name === "repeat") this.open = true;
    else if (this.open) this.program.at(-1).do.push(block);
    if (name === "repeat" || !this.open) this.program.push(block);
    this.show();
    this.announce(say(words.added, { name: this.named(block), count: countBlocks(this.program) }));
  }

  endRepeat() {
    this.open = false;
    this.show();
    this.announce(this.words.end_repeat);
    this.buttons[0].focus();
  }

  remove(list, index, place) {
    const [gone] = list.splice(index, 1);
    if (gone.do) this.open = false;
    this.show();
    this.announce(say(this.words.removed, { name: this.named(gone) }));
    const left = this.list.querySelectorAll("button");
    (left[Math.min(place - 1, left.length - 1)] ?? this.title).focus();
  }

  clear() {
    this.program = [];
    this.open = false;
    this.show();
    this.announce(this.words.cleared);
  }

  named(block) {
    return block.do ? say(this.words.repeat_times, { times: block.repeat }) : this.words[block];
  }

  show() {
    let place = 0;
    const line = (list, index, within) => {
      const block = list[index];
      place += 1;
      const here = place;
      const name = this.named(block);
      const kind = block.do ? "repeat" : block;
      const sign = h("span", { "aria-hidden": "true", class: "block-sign" }, SIGNS[kind]);
      const drop = h("button", { type: "button", class: "remove", "aria-label": say(this.words.remove, { place: here, name }), onclick: () => this.remove(list, index, here) }, "×");
      const inner = block.do && h("ol", { class: this.open && index === list.length - 1 ? "open" : null, "aria-label": this.words.inside },
        block.do.map((_, at) => line(block.do, at, true)));
      return h("li", { class: within ? "within" : null }, h("span", { class: `line line-${kind}` }, sign, h("span", {}, name), drop), inner);
    };
    const lines = this.program.map((_, index) => line(this.program, index, false));
    this.list.replaceChildren(...(lines.length ? lines : [h("li", { class: "empty quiet" }, this.words.empty)]));
    const count = countBlocks(this.program);
    this.count.textContent = say(this.puzzle.most ? this.words.blocks_of : this.words.blocks, { count, most: this.most });
    this.close.disabled = !this.open;
    this.buttons.filter((one) => one.dataset.block === "repeat").forEach((one) => (one.disabled = this.open));
    this.place({ ...this.garden.start, heading: 0, found: new Set() });
  }

  async run() {
    if (this.running || this.program.length === 0) {
      if (!this.running) this.announce(this.words.empty, "try");
      return;
    }
    this.running = true;
    this.runButton.setAttribute("aria-disabled", "true");
    this.announce(this.words.running);
    const program = structuredClone(this.program);
    const { trace, found, end } = walk(this.garden, program);
    this.place({ ...this.garden.start, heading: 0, found: new Set() });
    for (const step of trace) {
      await pause(STEP_MS);
      if (!this.root.contains(this.turtle)) return;
      this.place(step);
    }
    this.running = false;
    this.runButton.removeAttribute("aria-disabled");
    this.judge(program, { steps: trace.length, found, end });
  }

  judge(program, { steps, found, end }) {
    const { words, puzzle } = this;
    const count = countBlocks(program);
    const completed = end === "solved";
    const optimal = completed && count <= puzzle.fewest;
    const total = this.garden.flowers.length;
    const verdict = say(words[end], { count, step: steps, found, total });
    const more = completed ? ` ${optimal ? words.fewest : say(words.shorter, { fewest: puzzle.fewest })}` : "";
    const score = completed ? 1 : Math.round((found / (total + 1)) * 100) / 100;
    this.report({ score, completed, optimal, work: { program }, verdict: verdict + more });
  }
}

const shift = ({ column, row }) => `translate(${column * CELL + CELL / 2} ${row * CELL + CELL / 2})`;

function drawFlower(place) {
  const petals = [0, 72, 144, 216, 288].map((turn) => s("ellipse", { class: "petal", cx: 0, cy: -2, rx: 1.35, ry: 1.9, transform: `rotate(${turn})` }));
  return s("g", { class: "flower", transform: shift(place) }, petals, s("circle", { class: "heart", r: 1.15 }));
}

function drawHedge(place) {
  const leaves = [[-2.4, -1.6, 2.4], [2.2, -2, 2.5], [-1.8, 2.2, 2.5], [2.4, 2, 2.3], [0, 0, 3]];
  return s("g", { class: "hedge", transform: shift(place) }, leaves.map(([cx, cy, r]) => s("circle", { cx, cy, r })));
}

function drawTurtle() {
  const feet = [[1.9, -2.3], [1.9, 2.3], [-1.9, -2.3], [-1.9, 2.3]];
  return s("g", { class: "turtle" },
    feet.map(([cx, cy]) => s("circle", { class: "skin", cx, cy, r: 0.95 })),
    s("circle", { class: "skin", cx: 3.3, cy: 0, r: 1.35 }),
    s("circle", { class: "eye", cx: 3.75, cy: -0.55, r: 0.3 }), s("circle", { class: "eye", cx: 3.75, cy: 0.55, r: 0.3 }),
    s("ellipse", { class: "shell", rx: 3, ry: 2.6 }),
    s("path", { class: "plates", d: "M-1.6 -2.1 0 -0.9 1.6 -2.1 M-1.6 2.1 0 0.9 1.6 2.1 M0 -0.9V0.9 M-3 0H-0.9 M0.9 0H3" }));
}

play((root, parts) => new Garden(root, parts));
