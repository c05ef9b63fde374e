// Whoever signed out, on whatever page, is forgotten by the device when the next sign-in is asked
// for. Where it is asked for by the collect page itself, its session is only over: until somebody
// does sign in, it goes on without network in the same name.

import { leave } from "./leave.js";

// A network that does not answer is none.
const PATIENCE_MS = 20_000;
const form = document.querySelector("form[action='/sign-in']");
const away = document.querySelector("#away");
let asking = false;

if (form.elements.next.value === "/collect") form.addEventListener("submit", enter);
else await leave();

// Whoever comes now may be somebody else, in whose name nothing is done before the server has said
// who. Nobody signs in where no server says who is: the device keeps the name it had.
async function enter(event) {
  event.preventDefault();
  if (asking) return;
  asking = true;
  away.hidden = true;
  try {
    const seen = await fetch("/session", {
      headers: { "x-background": "1" }, signal: AbortSignal.timeout(PATIENCE_MS),
    }).catch(() => undefined);
    if (seen?.ok && seen.headers.get("content-type")?.includes("json")) {
      await leave();
      form.submit();
    } else {
      away.hidden = false;
    }
  } finally {
    asking = false;
  }
}
