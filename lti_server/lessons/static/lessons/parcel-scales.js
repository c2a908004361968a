// Parcel scales: find the order of parcels that look alike, and be able to prove it.

import { h, s, say } from "./dom.js";
import { play } from "./player.js";
import { claims, judge, shuffled } from "./scales-rules.js";

class Scales {
  constructor(root, { puzzle, words, announce, report }) {
    Object.assign(this, { root, puzzle, words, announce, report });
    this.names = [..."ABCDE"].slice(0, puzzle.parcels);
    this.build();
    this.begin();
  }

  begin() {
    this.hidden = shuffled(this.names);
    this.weighings = [];
    this.pans = [];
    this.answer = this.puzzle.task === "order" ? [...this.names] : [];
    this.show();
  }

  build() {
    const { words } = this;
    this.tray = this.names.map((name) =>
      h("button", { type: "button", class: "parcel", "data-parcel": name, "aria-pressed": "false", onclick: () => this.put(name) },
        h("span", { class: "visually-hidden" }, say(words.parcel, { name })), h("span", { "aria-hidden": "true" }, name)));
    this.state = h("p", { class: "balance-state", role: "status" });
    this.known = h("ol", { class: "known" });
    this.count = h("p", { class: "quiet" });
    this.answerPlace = h("div", { class: "answer" });
    const check = h("button", { type: "button", class: "run", onclick: () => this.check() }, words.check);
    const again = h("button", { type: "button", class: "secondary outline", onclick: () => this.again() }, words.again);
    this.root.replaceChildren(
      h("div", { class: "scales-side" }, this.picture(), this.state,
        h("fieldset", {}, h("legend", {}, words.put), h("div", { class: "tray" }, this.tray))),
      h("div", { class: "known-side" }, h("h3", {}, words.so_far), this.known, this.count,
        this.answerPlace, h("div", { class: "actions" }, check, again)),
    );
  }

  picture() {
    const pan = (x) => {
      const name = s("text", { x, y: 29.4, "text-anchor": "middle", class: "pan-name" });
      const box = s("g", { class: "pan-parcel" }, s("rect", { x: x - 5.5, y: 20.5, width: 11, height: 11.5, rx: 1.5 }), s("path", { d: `M${x} 20.5v11.5` }), name);
      this.onPan.push([box, name]);
      return s("g", { class: "pan" }, s("path", { class: "ropes", d: `M${x} 12 ${x - 9} 32 M${x} 12 ${x + 9} 32` }), box,
        s("path", { class: "plate", d: `M${x - 11} 32h22a11 5 0 0 1 -22 0z` }));
    };
    this.onPan = [];
    this.pair = [pan(22), pan(78)];
    this.beam = s("path", { class: "beam", d: "M20 12h60" });
    return s("svg", { class: "balance", viewBox: "0 0 100 56", role: "img", "aria-label": this.words.balance },
      s("path", { class: "stand", d: "M50 10v38 M36 50h28" }), this.beam, s("circle", { class: "pivot", cx: 50, cy: 12, r: 2.4 }), this.pair);
  }

  /** Lean the balance: -1 left pan down, 0 level, 1 right pan down. */
  lean(side) {
    this.beam.style.setProperty("transform", `rotate(${side * 8}deg)`);
    this.pair[0].style.setProperty("transform", `translateY(${side * -4}px)`);
    this.pair[1].style.setProperty("transform", `translateY(${side * 4}px)`);
    this.onPan.forEach(([box, name], index) => {
      name.textContent = this.pans[index] ?? "";
      box.classList.toggle("there", Boolean(this.pans[index]));
    });
  }

  put(name) {
    if (this.pans.length === 2) this.pans = [];
    if (this.pans.includes(name)) this.pans = this.pans.filter((one) => one !== name);
    else this.pans.push(name);
    if (this.pans.length === 2) this.weigh();
    this.show();
  }

  weigh() {
    const [light, heavy] = [...this.pans].sort((one, other) => this.hidden.indexOf(one) - this.hidden.indexOf(other));
    this.weighings.push([heavy, light]);
  }

  show() {
    const { words, pans } = this;
    const last = this.weighings.at(-1);
    const said = (pair) => say(words.heavier, { heavy: pair[0], light: pair[1] });
    if (pans.length === 2) this.state.textContent = `${said(last)}.`;
    else this.state.textContent = pans.length ? say(words.balance_one, { left: pans[0] }) : words.balance_empty;
    this.lean(pans.length === 2 ? (last[0] === pans[1] ? 1 : -1) : pans.length ? -1 : 0);
    this.tray.forEach((one) => one.setAttribute("aria-pressed", String(pans.includes(one.dataset.parcel))));
    const lines = this.weighings.map((pair) => h("li", {}, said(pair)));
    this.known.replaceChildren(...(lines.length ? lines : [h("li", { class: "quiet empty" }, words.nothing_yet)]));
    this.count.textContent = say(words.weighings, { count: this.weighings.length });
    this.showAnswer();
  }

  showAnswer() {
    if (this.puzzle.task === "order") this.showOrder();
    else this.showChoice();
  }

  showChoice() {
    if (this.answerPlace.firstChild && this.answer.length) return;
    const one = (name) => {
      const input = h("input", { type: "radio", name: "heaviest", value: name, onchange: () => (this.answer = [name]) });
      return h("label", { class: "choice" }, input, name);
    };
    if (this.answer.length === 0) {
      this.answerPlace.replaceChildren(
        h("fieldset", {}, h("legend", {}, this.words.answer_heaviest), h("div", { class: "choices" }, this.names.map(one))));
    }
  }

  showOrder() {
    const { words } = this;
    const one = (name, index) => h("li", { class: "ordered" },
      h("button", { type: "button", class: "move", "data-move": `earlier-${name}`, disabled: index === 0, "aria-label": say(words.earlier, { name }), onclick: () => this.move(index, -1) }, "◂"),
      h("span", { class: "parcel parcel-still" }, name),
      h("button", { type: "button", class: "move", "data-move": `later-${name}`, disabled: index === this.answer.length - 1, "aria-label": say(words.later, { name }), onclick: () => this.move(index, 1) }, "▸"));
    this.answerPlace.replaceChildren(
      h("h3", { id: "order-title" }, words.answer_order),
      h("div", { class: "order-row" }, h("span", { class: "quiet", "aria-hidden": "true" }, words.lighter_side),
        h("ol", { class: "order", "aria-labelledby": "order-title" }, this.answer.map(one)),
        h("span", { class: "quiet", "aria-hidden": "true" }, words.heavier_side)));
  }

  move(index, by) {
    const name = this.answer[index];
    this.answer[index] = this.answer[index + by];
    this.answer[index + by] = name;
    this.showOrder();
    this.announce(say(this.words.moved, { name, place: index + by + 1 }));
    const again = this.answerPlace.querySelector(`[data-move="${by < 0 ? "earlier" : "later"}-${name}"]`);
    const other = this.answerPlace.querySelector(`[data-move="${by < 0 ? "later" : "earlier"}-${name}"]`);
    (again.disabled ? other : again).focus();
  }

  again() {
    this.begin();
    this.announce(this.words.again_said);
  }

  check() {
    const { words, puzzle } = this;
    if (this.answer.length === 0) {
      this.announce(words.choose_first, "try");
      return;
    }
    const claimed = claims(puzzle.task, this.answer, this.names);
    const { proven, wrong, open } = judge(this.weighings, claimed);
    const count = this.weighings.length;
    const completed = proven.length === claimed.length;
    const optimal = completed && count <= puzzle.fewest;
    let verdict = say(words.solved, { count });
    if (completed) verdict += ` ${optimal ? words.fewest : say(words.shorter, { fewest: puzzle.fewest })}`;
    else if (wrong.length) verdict = say(words.wrong, { heavy: wrong[0][1], light: wrong[0][0] });
    else verdict = say(words.not_sure, { one: open[0][0], other: open[0][1] });
    const score = completed ? 1 : Math.round((proven.length / (claimed.length + 1)) * 100) / 100;
    this.report({ score, completed, optimal, work: { weighings: this.weighings, answer: this.answer }, verdict });
  }
}

play((root, parts) => new Scales(root, parts));
