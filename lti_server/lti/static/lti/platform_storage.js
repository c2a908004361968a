// Speaks to a platform's storage (LTI Client Side postMessages 0.1, LTI postMessage Storage 0.1). Messages go to one
// origin alone, that of the platform's authorization address, and none from anywhere else is read.
const PREFIXES = ["lti.", "org.imsglobal.lti."];
export const PATIENCE_MS = 2000;

// What the page says to speak to, in a script element of data.
export function given() {
  return JSON.parse(document.getElementById("storage").textContent);
}

// Of what a page can say, "opening" or "blocked", shows one, and lets the title say it too.
export function show(wanted) {
  for (const name of ["opening", "blocked"]) {
    for (const one of document.querySelectorAll(`[data-${name}]`)) one.hidden = name !== wanted;
  }
  const heading = document.querySelector(`h1[data-${wanted}], [data-${wanted}] h1`);
  if (heading) document.title = heading.textContent;
}

function pages() {
  return [...new Set([window.parent, window.opener])].filter((one) => one && one !== window);
}

// The frame of that name in the platform's page; the page itself where it is not there.
function windowsOf(name) {
  const frames = [];
  for (const page of name && name !== "_parent" ? pages() : []) {
    try {
      const frame = page.frames[name];
      if (frame) frames.push(frame);
    } catch {
      // A page that shows its frames to nobody.
    }
  }
  return frames.length ? frames : pages();
}

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Takes a value back that was read: `from` is the answer that had it. A null removes (LTI postMessage Storage 0.1). No
// answer is waited for.
export function forget({ origin }, key, from) {
  const subject = from.subject.replace(/get_data\.response$/, "put_data");
  from.source.postMessage({ subject, message_id: newId(), key, value: null }, origin);
}

// Asks for `put_data` or `get_data`; the first answer that `takes` likes, with its `source`, or null when the time is
// over. The platform's capabilities are asked for meanwhile, and where they name a frame, that is asked too.
export function ask({ origin, frame }, subject, fields, takes, patience = PATIENCE_MS) {
  return new Promise((resolve) => {
    const waiting = new Map();
    const asked = new Map();
    const send = (target, name, more) => {
      const sent = asked.get(target) ?? new Set();
      if (sent.has(name)) return;
      asked.set(target, sent.add(name));
      const id = newId();
      waiting.set(id, name);
      target.postMessage({ ...more, subject: name, message_id: id }, origin);
    };
    const end = (answer) => {
      clearTimeout(timer);
      removeEventListener("message", hear);
      resolve(answer);
    };
    const learn = (supported) => {
      for (const one of Array.isArray(supported) ? supported : []) {
        if (!PREFIXES.some((prefix) => one?.subject === prefix + subject)) continue;
        for (const target of windowsOf(typeof one.frame === "string" ? one.frame : frame)) {
          send(target, one.subject, fields);
        }
      }
    };
    const hear = (event) => {
      const said = event.data;
      if (event.origin !== origin || said === null || typeof said !== "object") return;
      const name = waiting.get(said.message_id);
      if (name === undefined || said.subject !== `${name}.response`) return;
      waiting.delete(said.message_id);
      if (name.endsWith(".capabilities")) learn(said.supported_messages);
      else if (!said.error && takes(said)) end({ ...said, source: event.source });
    };
    const timer = setTimeout(end, patience, null);
    addEventListener("message", hear);
    for (const prefix of PREFIXES) {
      for (const target of pages()) send(target, `${prefix}capabilities`, {});
      for (const target of windowsOf(frame)) send(target, prefix + subject, fields);
    }
  });
}
