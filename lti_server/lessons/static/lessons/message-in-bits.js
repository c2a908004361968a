// Message in bits: switch lamps on and off until they say a number or a word.

import { h, say } from "./dom.js";
import { play } from "./player.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const numbers = (word) => [...word].map((letter) => LETTERS.indexOf(letter) + 1);
const countOn = (number) => [...number.toString(2)].filter((bit) => bit === "1").length;
const letter = (number) => LETTERS[number - 1] ?? "";

class Lamps {
  constructor(root, { puzzle, words, work, language, announce, report }) {
    Object.assign(this, { root, puzzle, words, announce, report });
    const within = (texts) => texts && (texts[language] ?? texts.en);
    const [word, first] = [within(puzzle.word), within(puzzle.first)];
    this.spelling = Boolean(word);
    this.target = word ? numbers(word) : puzzle.target;
    this.start = first ? numbers(first) : puzzle.start;
    this.fewest = this.target.reduce((sum, number, index) => sum + countOn(number ^ this.start[index]), 0);
    this.begin(work);
  }

  begin(work = null) {
    const kept = work?.lamps;
    this.lamps = Array.isArray(kept) && kept.length === this.start.length ? [...kept] : [...this.start];
    this.presses = Array.isArray(kept) && Number.isInteger(work.presses) ? work.presses : 0;
    this.build();
    this.show();
  }

  build() {
    const { words } = this;
    const values = Array.from({ length: this.puzzle.lamps }, (_, index) => 2 ** (this.puzzle.lamps - 1 - index));
    this.rows = this.lamps.map((_, row) => {
      const buttons = values.map((value) =>
        h("button", { type: "button", role: "switch", class: "lamp", "data-value": value, "aria-label": say(words.lamp, { value }), onclick: () => this.press(row, value) },
          h("span", { class: "bulb", "aria-hidden": "true" }), h("span", { class: "lamp-value", "aria-hidden": "true" }, value)));
      const sum = h("output", { class: "sum" });
      const label = this.spelling ? say(words.lamps_of, { place: row + 1 }) : words.lamps;
      return { buttons, sum, place: h("div", { class: "lamp-row" }, h("fieldset", {}, h("legend", { class: "visually-hidden" }, label), h("div", { class: "lamps" }, buttons)), sum) };
    });
    this.count = h("p", { class: "quiet" });
    const check = h("button", { type: "button", class: "run", onclick: () => this.check() }, words.check);
    const again = h("button", { type: "button", class: "secondary outline", onclick: () => this.again() }, words.again);
    this.root.replaceChildren(
      h("div", { class: "lamps-side" }, this.rows.map((row) => row.place), this.count, h("div", { class: "actions" }, check, again)),
      this.spelling ? this.alphabet() : "",
    );
  }

  alphabet() {
    const pairs = [...LETTERS].map((one, index) => h("li", {}, h("strong", {}, one), ` ${index + 1}`));
    return h("details", { class: "alphabet", open: true }, h("summary", {}, this.words.alphabet), h("ul", {}, pairs));
  }

  press(row, value) {
    this.lamps[row] ^= value;
    this.presses += 1;
    this.show();
  }

  show() {
    const { words } = this;
    this.rows.forEach(({ buttons, sum }, row) => {
      const number = this.lamps[row];
      buttons.forEach((one) => one.setAttribute("aria-checked", String(Boolean(number & Number(one.dataset.value)))));
      sum.textContent = this.puzzle.sum ? this.told(number) : "";
    });
    this.count.textContent = say(words.presses, { count: this.presses });
  }

  told(number) {
    const { words } = this;
    if (!this.spelling) return say(words.sum_is, { sum: number });
    return say(letter(number) ? words.letter_is : words.no_letter, { sum: number, letter: letter(number) });
  }

  again() {
    this.begin();
    this.announce(this.words.again_said);
    this.root.querySelector("button").focus();
  }

  check() {
    const { words, target, lamps, presses } = this;
    const right = target.filter((number, index) => number === lamps[index]).length;
    const completed = right === target.length;
    const optimal = completed && presses <= this.fewest;
    let verdict = say(words.solved, { count: presses });
    if (completed) verdict += ` ${optimal ? words.fewest : say(words.shorter, { fewest: this.fewest })}`;
    else if (this.spelling) verdict = say(words.not_yet_letters, { right, total: target.length });
    else if (this.puzzle.secret) verdict = say(words.not_biggest, { said: lamps[0], lit: countOn(lamps[0]) });
    else verdict = say(words.not_yet, { said: lamps[0] });
    const score = completed ? 1 : Math.round((right / (target.length + 1)) * 100) / 100;
    this.report({ score, completed, optimal, work: { lamps: [...lamps], presses }, verdict });
  }
}

play((root, parts) => new Lamps(root, parts));
