// What a plate's picture shows, and what is said beside it: how full it is, what comes next, what can
// be done with it.
//
// picturing({ say })  gives free(map, wells), control(map, wells, control), tube(map, one, tone).

import { openQuadrants, signOf } from "./plate-content.js";

const at = (id) => document.querySelector(`#${id}`);

export function showFigures({ plate, map, say }) {
  const { placed, slots, stamp, code, state } = plate;
  const is = state === "new";
  const next = is && !stamp ? slots[placed.length] ?? [] : [];
  map.next(next);
  at("next-well").textContent = next[0] ?? "–";
  at("filled").textContent = placed.length;
  at("places").textContent = stamp ? openQuadrants(plate.quadrants).length : slots.length - placed.length;
  at("people").textContent = placed.reduce((sum, one) => sum + one.depth, 0);
  map.label(say("label", { code, filled: placed.length, next: next[0] ?? "–" }));
  // Another lot moves no tube, and the one it was begun with may expire.
  for (const id of ["kit", "template"]) at(id).disabled = is && placed.length + plate.quadrants.length > 0;
  at("actions").hidden = !is;
  at("empty").hidden = !(is && stamp);
  at("plate-about").textContent = is || state === "draft" ? say("state-new") : state === "frozen" ? say("state-frozen") : say("state-closed");
  at("lists").hidden = !plate.stored;
  at("to-run").hidden = state !== "frozen";
  for (const link of plate.stored ? document.querySelectorAll("[data-format]") : []) {
    link.href = `/v1/plates/${encodeURIComponent(code)}/worklist?format=${link.dataset.format}`;
    // A draft can be looked at; no robot and no cycler gets it.
    link.closest("li").hidden = (is || state === "draft") && link.dataset.format !== "csv";
  }
}

export function picturing({ say }) {
  const controls = {
    positive: say("positive"), weak_positive: say("weak-positive"),
    negative: say("negative"), extraction: say("extraction"),
  };
  const all = (map, wells, of) => wells.forEach((well) => map.set(well, of(well)));
  return {
    free: (map, wells) => all(map, wells, (well) => ({ kind: "free", title: say("title-free", { well }) })),
    control: (map, wells, control) => all(map, wells, (well) => ({
      kind: "control", text: signOf(control), title: say("title-control", { well, control: controls[control] }),
    })),
    tube: (map, { kind, code, depth: count, wells }, tone) => all(map, wells, (well) => ({
      kind, tone, text: count || "", title: say("title-tube", { well, code, count }),
    })),
  };
}

export function nextWords({ plate, say }) {
  const [quadrant] = plate.stamp ? openQuadrants(plate.quadrants) : [];
  if (quadrant !== undefined) return say("next-quadrant", { count: quadrant + 1 });
  const next = plate.slots[plate.placed.length];
  return next ? say("next", { well: next[0] }) : say("full");
}
