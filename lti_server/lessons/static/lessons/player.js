// The frame round every puzzle: which one is shown, what came of it, where to go on, and whether it was saved.

import { h, say } from "./dom.js";
import { LessonClient, launchContext } from "./lesson-client.js";

const SAYING = {
  alone: "not_signed_in",
  ready: "saving_on",
  saving: "saving",
  saved: "saved",
  "not-saved-yet": "not_saved_yet",
  "not-kept": "not_kept",
  refused: "refused",
  ended: "ended",
};
const BAD_NEWS = new Set(["not-saved-yet", "refused", "ended"]);

/**
 * Plays the lesson of this page. `mount(root, {puzzle, words, work, language, announce, report})` builds one puzzle in
 * `root`; it calls `report({score, completed, optimal, work, verdict})` for every attempt.
 */
export async function play(mount) {
  const data = JSON.parse(document.getElementById("lesson-data").textContent);
  const stage = new Stage(data, mount);
  await stage.begin();
}

class Stage {
  constructor(data, mount) {
    this.data = data;
    this.words = data.words;
    this.mount = mount;
    this.results = new Map();
    this.last = null;
    this.context = launchContext();
    this.client = new LessonClient(this.context, (state) => this.showSaving(state));
  }

  async begin() {
    this.links().forEach((link) => link.addEventListener("click", (event) => this.chosen(event, link)));
    this.remember(await this.client.resume());
    const asked = this.data.asked || this.context?.activity_id;
    const open = this.data.activities.find((one) => !this.results.get(one.id)?.completed);
    this.show(asked || (open ?? this.data.activities[0]).id);
  }

  links() {
    return [...document.querySelectorAll("a[data-activity]")];
  }

  remember(progress) {
    for (const one of progress?.activities ?? []) {
      this.results.set(one.activity_id, { completed: one.completed, optimal: one.optimal, work: one.work });
    }
    this.markSteps();
  }

  chosen(event, link) {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    this.show(link.dataset.activity);
    document.getElementById("activity-title").focus();
  }

  show(id) {
    this.activity = this.data.activities.find((one) => one.id === id) ?? this.data.activities[0];
    this.last = null;
    this.started_at_ms = performance.now();
    this.rememberInAddress();
    document.getElementById("activity-title").textContent = this.activity.title;
    document.getElementById("activity-goal").textContent = this.activity.goal;
    document.getElementById("onward").replaceChildren();
    this.announce("");
    const root = document.getElementById("puzzle");
    root.replaceChildren();
    this.mount(root, {
      puzzle: this.activity.puzzle,
      words: this.words,
      language: this.data.language,
      work: this.results.get(this.activity.id)?.work ?? null,
      announce: (text) => this.announce(text),
      report: (attempt) => this.attempted(attempt),
    });
    this.askForWords();
    this.markSteps();
  }

  /** A reload opens the same puzzle. Nothing but the activity is added to the address. */
  rememberInAddress() {
    const here = new URL(window.location.href);
    here.searchParams.set("activity", this.activity.id);
    window.history.replaceState(null, "", here);
  }

  announce(text, kind = "") {
    const verdict = document.getElementById("verdict");
    verdict.textContent = text;
    verdict.dataset.kind = kind;
  }

  attempted({ verdict, ...attempt }) {
    this.announce(verdict, attempt.completed ? "good" : "try");
    const before = this.results.get(this.activity.id);
    this.results.set(this.activity.id, {
      completed: Boolean(before?.completed || attempt.completed),
      optimal: Boolean(before?.optimal || attempt.optimal),
      work: attempt.work,
    });
    this.last = attempt;
    this.record(attempt);
    this.markSteps();
    if (attempt.completed) this.offerNext();
  }

  record(attempt) {
    const duration_s = Math.round((performance.now() - this.started_at_ms) / 100) / 10;
    this.client.record({ activity_id: this.activity.id, duration_s, ...attempt });
  }

  offerNext() {
    const place = document.getElementById("onward");
    const next = this.data.activities[this.data.activities.indexOf(this.activity) + 1];
    if (this.data.activities.every((one) => this.results.get(one.id)?.completed)) {
      place.replaceChildren(h("strong", {}, this.words.all_done));
    } else if (next) {
      const go = () => {
        this.show(next.id);
        document.getElementById("activity-title").focus();
      };
      place.replaceChildren(h("button", { type: "button", onclick: go }, say(this.words.next, { title: next.title })));
    }
  }

  markSteps() {
    for (const link of this.links()) {
      const result = this.results.get(link.dataset.activity);
      const state = result?.optimal ? "best" : result?.completed ? "done" : "";
      if (link.dataset.activity === this.activity?.id) link.setAttribute("aria-current", "step");
      else if (this.activity) link.removeAttribute("aria-current");
      link.dataset.state = state;
      link.querySelector(".step-state").textContent = state ? `(${this.words[state]})` : "";
    }
  }

  /** A written answer travels apart from the work, and a lesson that takes nothing personal has no place for one. */
  askForWords() {
    const place = document.getElementById("written");
    place.replaceChildren();
    if (!this.activity.written_answer || this.data.no_pii) return;
    const question = this.words[this.activity.puzzle.question] ?? this.words.your_answer;
    const note = this.client.launched ? this.words.answer_note : this.words.answer_note_alone;
    const field = h("textarea", { id: "answer", rows: 3, maxlength: 2000, "aria-describedby": "answer-note" });
    const send = (event) => {
      event.preventDefault();
      this.answered(field);
    };
    place.append(
      h(
        "form",
        { class: "written", onsubmit: send },
        h("label", { for: "answer" }, question),
        field,
        h("p", { id: "answer-note", class: "quiet" }, note),
        h("button", { type: "submit", class: "secondary" }, this.words.send_answer),
      ),
    );
  }

  answered(field) {
    const text = field.value.trim();
    if (!text || !this.last) {
      this.announce(text ? this.words.answer_first : this.words.answer_empty, "try");
      if (!text) field.focus();
      return;
    }
    this.record({ ...this.last, answers: { [this.activity.puzzle.question]: text } });
    this.announce(this.words.answer_taken, "good");
  }

  showSaving(state) {
    const place = document.getElementById("saving");
    place.textContent = this.words[SAYING[state]];
    place.dataset.kind = BAD_NEWS.has(state) ? "bad" : "";
  }
}
