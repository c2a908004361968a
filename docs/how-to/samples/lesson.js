const server = document.getElementById("lesson").dataset.server;
const arrived = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname + location.search); // the ticket is gone from the address
const show = (id, text) => (document.getElementById(id).textContent = text);
let launch = null;

async function call(path, body, method = "POST") {
  const headers = { "Content-Type": "application/json" };
  if (launch) headers.Authorization = `Bearer ${launch.token}`;
  const options = { method, headers, credentials: "omit", body: body && JSON.stringify(body) };
  const response = await fetch(`${server}/api/v1${path}`, options);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

if (arrived.get("api") === `${server}/api/v1`) {
  launch = await call("/launch-context", { ticket: arrived.get("ticket") }); // once, within 60 seconds
  const { activities } = await call("/progress", undefined, "GET");
  show("saving", activities.some((one) => one.completed) ? "You have solved this before." : "Your work is saved.");
  setInterval(async () => Object.assign(launch, await call("/token/renew")), 90 * 60 * 1000); // it lives 2 hours
}

for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", async () => {
    const completed = button.value === "5";
    show("verdict", completed ? "Right: 4 and 1." : "Not yet.");
    const attempt = { attempt_id: crypto.randomUUID(), activity_id: "read-five", score: Number(completed), completed,
      work: button.value, occurred_at: new Date().toISOString() };
    if (launch) show("saving", (await call("/progress", attempt)).saved ? "Saved." : "Not saved: you are no pupil here.");
  });
}
