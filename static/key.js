// The API key: asked for where the server wants one, kept for this tab.
import { answered, find } from "./dom.js";

const SLOT = "imgpipe-key";
let asking = null;

export const current = () => sessionStorage.getItem(SLOT) ?? "";

/** Ask for a key, once for all who need it at the same time; resolves to true when there is a new one. */
export function ask() {
  asking ??= open().finally(() => { asking = null; });
  return asking;
}

async function open() {
  const dialog = find("#key");
  const field = find("input", dialog);
  find("p", dialog).textContent = current()
    ? "The server did not accept this key."
    : "This server asks for a key. It is kept until you close the tab.";
  field.value = "";
  if ((await answered(dialog)) !== "yes") return false;
  sessionStorage.setItem(SLOT, field.value);
  return true;
}
