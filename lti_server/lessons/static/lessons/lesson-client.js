// What a lesson says to the server, and nothing else: resume, save an attempt, renew the token.
// Without a launch context it calls nothing and keeps nothing: no request, no cookie, no storage.

const RENEW_SHARE = 0.75;
const FIRST_LIFE_MS = 2 * 60 * 60 * 1000;
// A pupil's clock may be hours wrong, and a timer of more than 24 days fires at once: neither may flood the server.
const SHORTEST_RENEWAL_MS = 5 * 60 * 1000;
const LONGEST_RENEWAL_MS = FIRST_LIFE_MS * RENEW_SHARE;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60 * 1000;
const REQUEST_MS = 20 * 1000;
const LASTING_FAULTS = new Set([400, 403, 404, 409, 413, 415, 422]);

/** States told to `onState`: "alone", "ready", "saving", "saved", "not-saved-yet", "not-kept", "refused", "ended". */
export class LessonClient {
  #context;
  #tell;
  #queue = [];
  #busy = false;
  #ended = false;
  #wait_ms = FIRST_WAIT_MS;
  #retry = 0;
  #renewal = 0;
  #renew_at_ms = 0;

  constructor(context, onState) {
    this.#context = context;
    this.#tell = onState;
    if (!context) {
      this.#tell("alone");
      return;
    }
    this.#tell(context.teach ? "not-kept" : "ready");
    this.#planRenewal(Date.now() + FIRST_LIFE_MS);
    window.addEventListener("online", () => this.#now());
    window.addEventListener("pagehide", () => this.#lastTry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#now();
    });
  }

  get launched() {
    return Boolean(this.#context);
  }

  /** The state to go on from: {activities: [{activity_id, attempts, best_score, completed, optimal, work}]} or null. */
  async resume() {
    if (!this.#context) return null;
    try {
      const response = await this.#call("GET", "/progress");
      if (response.status === 401) this.#end();
      return response.ok ? await response.json() : null;
    } catch {
      return null;
    }
  }

  /** Save one attempt; it stays in memory, and is sent again with the same id, until the server has answered. */
  record(attempt) {
    if (!this.#context) return;
    if (this.#ended) {
      this.#tell("ended");
      return;
    }
    this.#queue.push({ attempt_id: newId(), occurred_at: new Date().toISOString(), ...attempt });
    this.#send();
  }

  async #send() {
    if (this.#busy || this.#queue.length === 0 || this.#ended) return;
    this.#busy = true;
    window.clearTimeout(this.#retry);
    this.#retry = 0;
    this.#tell("saving");
    try {
      const response = await this.#call("POST", "/progress", this.#queue[0]);
      await this.#answered(response);
    } catch {
      this.#later();
    } finally {
      this.#busy = false;
    }
    if (this.#queue.length > 0 && this.#retry === 0) this.#send();
  }

  async #answered(response) {
    if (response.status === 401) {
      this.#end();
      return;
    }
    if (LASTING_FAULTS.has(response.status)) {
      this.#queue.shift();
      this.#tell("refused");
      return;
    }
    if (!response.ok) {
      this.#later(Number(response.headers.get("Retry-After")) * 1000);
      return;
    }
    const answer = await response.json();
    this.#queue.shift();
    this.#wait_ms = FIRST_WAIT_MS;
    this.#retry = 0;
    this.#tell(answer.saved === false ? "not-kept" : "saved", answer);
  }

  #later(asked_ms) {
    const wait_ms = asked_ms > 0 ? Math.min(asked_ms, LONGEST_WAIT_MS) : this.#wait_ms;
    this.#wait_ms = Math.min(this.#wait_ms * 2, LONGEST_WAIT_MS);
    this.#tell("not-saved-yet");
    // A class whose network comes back must not answer in one breath.
    this.#retry = window.setTimeout(() => this.#now(), wait_ms * (0.75 + Math.random() / 2));
  }

  #now() {
    window.clearTimeout(this.#retry);
    this.#retry = 0;
    if (Date.now() >= this.#renew_at_ms) this.#renew();
    this.#send();
  }

  #lastTry() {
    for (const attempt of this.#queue) {
      this.#call("POST", "/progress", attempt, true).catch(() => {});
    }
  }

  #planRenewal(expires_at_ms) {
    window.clearTimeout(this.#renewal);
    const share_ms = (expires_at_ms - Date.now()) * RENEW_SHARE || 0;
    const wait_ms = Math.min(Math.max(share_ms, SHORTEST_RENEWAL_MS), LONGEST_RENEWAL_MS);
    this.#renew_at_ms = Date.now() + wait_ms;
    this.#renewal = window.setTimeout(() => this.#renew(), wait_ms);
  }

  async #renew() {
    if (this.#ended) return;
    try {
      const response = await this.#call("POST", "/token/renew");
      if (response.status === 401) {
        this.#end();
      } else if (response.ok) {
        const { token, expires_at } = await response.json();
        this.#context = { ...this.#context, token };
        this.#planRenewal(Date.parse(expires_at));
      } else {
        this.#planRenewal(Date.now());
      }
    } catch {
      this.#planRenewal(Date.now());
    }
  }

  #end() {
    this.#ended = true;
    window.clearTimeout(this.#renewal);
    this.#tell("ended");
  }

  #call(method, path, body, keepalive = false) {
    const headers = { Authorization: `Bearer ${this.#context.token}`, Accept: "application/json" };
    if (body) headers["Content-Type"] = "application/json";
    return fetch(this.#context.api + path, {
      method,
      headers,
      keepalive,
      body: body ? JSON.stringify(body) : undefined,
      credentials: "omit",
      cache: "no-store",
      referrerPolicy: "no-referrer",
      signal: keepalive ? undefined : AbortSignal.timeout(REQUEST_MS),
    });
  }
}

/** The launch context of this page, or null where it was opened without a launch. */
export function launchContext() {
  const holder = document.getElementById("launch-context");
  return holder ? JSON.parse(holder.textContent) : null;
}

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}
