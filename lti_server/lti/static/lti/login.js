// Leaves the binding of this login with the platform, and goes on to its authorization. Where the browser keeps the
// cookies of this frame, storage is a second string, and is not waited for long.
import { PATIENCE_MS, ask, given, show } from "./platform_storage.js";

const { probes, key, value, ...platform } = given();
const kept = document.cookie.split("; ").some((one) => probes.includes(one.slice(0, one.indexOf("="))));
const stored =
  platform.frame && (await ask(platform, "put_data", { key, value }, () => true, kept ? PATIENCE_MS / 4 : PATIENCE_MS));
if (kept || stored || !document.querySelector("[data-blocked]")) {
  location.replace(document.querySelector("a[data-onward]").href);
} else {
  show("blocked");
}
