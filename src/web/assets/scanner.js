// The page where a scanner is tried: reads codes back and checks their check characters.

import { station } from "./station.js";
import { kindOf, fits } from "./code.js";

const codes = document.querySelector("#codes");
const count = document.querySelector("#count");
const seen = new Set();

const { say, right, wrong, already } = station({ scanned });

function scanned(code) {
  if (seen.has(code)) return already(say("already"), [code]);
  const kind = kindOf(code);
  if (kind && !fits(code)) return wrong(say("check"), [say("check-next")], code);
  seen.add(code);
  const names = { tube: say("tube"), box: say("box"), plate: say("plate"), pool: say("pool") };
  const what = names[kind] ?? say("other", { count: code.length });
  const item = document.createElement("li");
  const shown = document.createElement("code");
  shown.textContent = code;
  item.append(shown, " ", what);
  codes.prepend(item);
  count.textContent = seen.size;
  return right(say("right"), [what], code);
}
