// The list of recalls: printed by a button, chosen anew at once, and read again when somebody comes
// back to it, because tubes came in meanwhile. Never by itself: each reading that shows names is
// written down.

const STALE_MS = 60_000;
const read = Date.now();
const print = document.querySelector("#print");

print.hidden = false;
print.addEventListener("click", () => window.print());

for (const field of document.querySelectorAll(".filter select")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

document.addEventListener("visibilitychange", () => {
  const busy = document.querySelector("details[open]");
  if (!document.hidden && !busy && Date.now() - read > STALE_MS) location.reload();
});
