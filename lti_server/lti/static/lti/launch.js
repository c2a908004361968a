// Asks the platform for the binding of this login, and sends the launch on with it. Without an answer the button to a
// new window is left. What was read is good for one launch, so the platform need not keep it.
import { ask, forget, given, show } from "./platform_storage.js";

const { key, ...platform } = given();
const isIt = (said) => said.key === key && typeof said.value === "string" && said.value !== "";
show("opening");
const answer = await ask(platform, "get_data", { key }, isIt);
if (answer) {
  const form = document.querySelector("form[data-launch]");
  form.elements.binding.value = answer.value;
  forget(platform, key, answer);
  form.submit();
} else {
  show("blocked");
}
