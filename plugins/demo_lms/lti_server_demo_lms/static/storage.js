"use strict";
// Platform storage (LTI postMessage Storage 0.1): each tool's values apart, by the origin that its messages come from.
(() => {
  const { prefixes, frame, capabilities, mute, keeps } = JSON.parse(document.getElementById("storage").textContent);
  const MOST = 500;
  const kept = new Map();

  function valuesOf(origin) {
    if (!kept.has(origin)) kept.set(origin, new Map());
    return kept.get(origin);
  }

  function put(values, key, value) {
    if (value === undefined || value === null) values.delete(key);
    else if (values.size < MOST || values.has(key)) values.set(key, value);
    else return { error: { code: "storage_exhaustion", message: "There is no room for more." } };
    return { key, value };
  }

  const answers = {
    capabilities: () => ({
      supported_messages: prefixes.flatMap((prefix) => [
        { subject: `${prefix}capabilities` },
        ...["put_data", "get_data"].map((name) => ({ subject: prefix + name, frame })),
      ]),
    }),
    put_data: (values, { key, value }) => put(values, key, value),
    get_data: (values, { key }) => ({ key, value: values.get(key) }),
  };

  addEventListener("message", (event) => {
    const asked = event.data;
    if (mute || asked === null || typeof asked !== "object" || typeof asked.subject !== "string") return;
    const prefix = prefixes.find((one) => asked.subject.startsWith(one));
    const name = prefix && asked.subject.slice(prefix.length);
    if (!Object.hasOwn(answers, name ?? "") || !(name === "capabilities" ? capabilities : keeps)) return;
    const answer = answers[name](valuesOf(event.origin), asked);
    event.source.postMessage({ ...answer, subject: `${asked.subject}.response`, message_id: asked.message_id }, event.origin);
  });
})();
