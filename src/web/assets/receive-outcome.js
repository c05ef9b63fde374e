// What became of a box, shown once it is taken in.

import { element, said } from "./station.js";

// How many people are called to come again for these tubes.
export async function recalls(api, tubes) {
  const way = (tube) => api("GET", `/v1/tubes/${encodeURIComponent(tube)}`, undefined, { background: true });
  const ways = await Promise.all(tubes.slice(0, 100).map(way));
  return ways.reduce((sum, { data }) => sum + (data?.recalls?.open ?? 0), 0);
}

// `arrival` is the server's answer, `recalled` how many people are called to come again, `reasons` the
// words for why a tube was refused.
export function showOutcome(place, { arrival, recalled, reasons }, say) {
  const parts = [element("h2", "", say("outcome", { code: arrival.box })),
    element("p", "", say("outcome-accepted", { count: arrival.accepted.length }))];
  const listed = (name, lines) => {
    if (!lines.length) return;
    const list = element("ul");
    list.append(...lines.map((line) => element("li", "", line)));
    parts.push(element("h3", "", `${name} (${lines.length})`), list);
  };
  listed(say("outcome-refused"), arrival.refused.map(({ tube, reason }) => `${tube} – ${reasons.get(reason).text}`));
  listed(say("outcome-missing"), arrival.missing);
  listed(say("outcome-unexpected"), arrival.unexpected);
  listed(say("outcome-warnings"), arrival.warnings.map(({ code, message }) => said(code) ?? message));
  parts.push(element("p", recalled ? "notice mind" : "notice good",
    recalled ? say("outcome-recalls", { count: recalled }) : say("outcome-no-recalls")));
  place.replaceChildren(...parts);
  place.hidden = false;
}
