// Whoever signed out, on whatever page, is forgotten by the device when the next sign-in is asked
// for. Where it is asked for by the collect page itself, its session is only over: until somebody
// does sign in, it goes on without network in the same name.

import { leave } from "./leave.js";

const form = document.querySelector("form[action='/sign-in']");

if (form.elements.next.value === "/collect") form.addEventListener("submit", enter);
else await leave();

// Whoever comes now may be somebody else, in whose name nothing is done before the server has said who.
async function enter(event) {
  event.preventDefault();
  const seen = await fetch("/session", { headers: { "x-background": "1" } }).catch(() => undefined);
  // Nobody signs in where no server is reached, or one that cannot say who is.
  if (seen?.ok) await leave();
  form.submit();
}
