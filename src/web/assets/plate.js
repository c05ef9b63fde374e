// The station where a plate is filled: the plate is scanned, then its tubes, each into the well that
// glows. Every tube is tried on the server when it is scanned, so that a refused one is known while
// it is in the hand; the plate itself is stored when it is saved or frozen. Until then its codes
// stay in this tab. Another desk may have the same draft: what it stored is not written over unseen.
//
// F9, or a scan of "FREEZE", freezes; a scan of "SAVE" stores the draft.

import { station, ask } from "./station.js";
import { kindOf, fits } from "./code.js";
import { choosing } from "./plate-choice.js";
import { storing } from "./plate-store.js";
import { readRack } from "./plate-rack.js";
import { whereIs } from "./plate-where.js";
import { areFirst, contentOf, depthOf, isAs, notOn, openQuadrants, settingsOf, stampedWells } from "./plate-content.js";
import { add, close, counted, draw, drawn, dress, nextWords, plate, say, takeOff } from "./plate-open.js";
import { emptyQuadrant, fillQuadrant, fillQuadrants } from "./plate-quadrants.js";
import { forget, keep as keepIn, keptOf, lastSettings } from "./plate-kept.js";

const at = (id) => document.querySelector(`#${id}`);
const laboratory = at("plate").dataset.laboratory;

document.addEventListener("keydown", (event) => {
  if (event.key !== "F9" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  turn(freeze);
}, true);
const { right, wrong, already, api, undoable, focus, turn } = station({ scanned, command });
const { kits, lots, setAll, waiting } = choosing({ api, laboratory, say });
const pathOf = (code) => `/v1/plates/${encodeURIComponent(code)}`;
const store = storing({ api, laboratory, stored: keep });
const ready = prepare();
await ready;

// Scans -------------------------------------------------------------------------------------

async function command(code) {
  const does = { FREEZE: freeze, SAVE: save, EMPTY: leaveQuadrant }[code];
  if (!does) return false;
  await ready;
  await does();
  return true;
}

async function scanned(code) {
  await ready;
  const kind = kindOf(code);
  if (kind && !fits(code)) return wrong(say("check"), [say("check-next")], code);
  if (kind === "box") return wrong(say("no-tube"), [say("no-tube-next")], code);
  const isSource = plate?.stamp && plate.state === "new" && code !== plate.code;
  if (kind === "plate" && !isSource) return openPlate(code);
  if (!plate) return wrong(say("plate-first"), [say("plate-first-next")], code);
  if (plate.state !== "new") {
    return wrong(plate.state === "draft" ? say("only-shown") : say("is-frozen"), [say("is-frozen-next")], code);
  }
  if (plate.stamp) return placeQuadrant(code);
  return place(code, kind === "pool" ? "pool" : "tube");
}

async function openPlate(code) {
  const isOpen = plate?.code === code;
  // Without a tube it cannot be stored, so the way back is to have it shown as it is stored.
  const isEmptied = isOpen && isEmpty() && store.isSent(plate);
  if (isOpen && !isEmptied && !plate.changed && plate.state !== "draft") return already(say("open-already"), [], code);
  if (!isOpen && plate?.state === "new") {
    if (!isFree()) return otherFirst(code);
    // Before the next is looked at, which may not be to be had: what is chosen then fits this one no more.
    if (plate.stored) {
      forget(plate.code);
      close();
    }
  }
  if (!at("kit").value) await kits();
  const kept = keptOf(code);
  if (kept && !isOpen) return restore(kept);
  const known = await api("GET", pathOf(code));
  if (known.ok) return show(known.data, known.etag);
  if (known.status !== 404) return wrong(say("plate-refused"), known.problem.reasons, code);
  const { ok, problem, data } = await begin(code);
  if (!ok) return wrong(say("plate-refused"), problem.reasons, code);
  keep();
  const warnings = data?.warnings?.length ? [say("fixed")] : [];
  return right(say("opened"), [nextWords(), ...warnings], code);
}

// Whether the desk can go over to another plate, and nothing of this one would be lost. One that was
// emptied is still filled where it is stored.
function isFree() {
  return store.isStored(plate) || (isEmpty() && !store.isSent(plate));
}

function isEmpty() {
  return !(plate.placed.length + plate.quadrants.length);
}

function otherFirst(code) {
  const back = isEmpty() ? [say("other-plate-emptied")] : [];
  return wrong(say("other-plate"), [say("other-plate-next", { code: plate.code }), ...back], code);
}

// A plate of what is chosen, with no tube on it yet; `known` is what the desk knows of it already.
async function begin(code, { placed = [], ...known } = {}) {
  const template = at("template").value;
  if (!at("kit").value) return { ok: false, problem: { reasons: [say("no-kit")] } };
  if (template.startsWith("stamp-")) {
    draw({ code, size: 384, slots: [], controls: [], stamp: template.slice(-1), ...known });
    return { ok: true };
  }
  const answer = await api("GET", `${pathOf(code)}/slots?template=${encodeURIComponent(template)}`);
  if (answer.ok && !areFirst(placed, answer.data.slots)) return notOffered();
  if (answer.ok) draw({ code, ...answer.data, ...known });
  return answer;
}

// The same as it was begun before: with another kit or template its tubes would be shown in other
// wells than they are in. Another lot moves nothing, and is said.
async function resume(code, [kit, lot, template], isFilled, known) {
  const { gone, problem } = await setAll([kit, lot, template]);
  if (problem) return { ok: false, problem };
  if (isFilled && gone.some((one) => one !== "lot")) return notOffered();
  const lines = gone.includes("lot") ? [say("lot-gone", { lot, now: at("lot").value || "–" })] : [];
  return { ...await begin(code, known), lines };
}

function notOffered() {
  return { ok: false, problem: { reasons: [say("not-offered")] } };
}

async function place(code, kind) {
  const begun = performance.now();
  const known = plate.placed.find((one) => one.code === code);
  if (known) return already(say("twice", { well: known.wells[0] }), [], code);
  if (kind === "tube" && plate.placed.some((one) => one.kind === "pool")) {
    return wrong(say("tubes-first"), [say("tubes-first-next")], code);
  }
  const wells = plate.slots[plate.placed.length];
  if (!wells) return wrong(say("full"), [say("full-next")], code);
  const one = { code, kind, depth: 0, wells };
  add(one, "wait");
  performance.measure("scan", { start: begun, end: performance.now() });
  const { ok, data, problem } = await store.attempt(plate, kind === "pool" ? [] : [code], kind === "pool" ? [code] : []);
  if (!ok) {
    takeOff(one);
    return wrong(say("refused"), [...problem.reasons, ...await whereIs({ api, say }, code, problem)], code);
  }
  const shown = performance.now();
  one.depth = depthOf(data, code);
  dress(one, "");
  counted();
  did();
  const answer = right(say("placed", { well: wells[0], count: one.depth }), [nextWords()], code);
  performance.measure("scan", { start: shown, end: performance.now() });
  return answer;
}

// What is stored ----------------------------------------------------------------------------

// A plate as the server has it. What was placed here and is not on it is named: nobody else knows of
// it, and it is not kept any longer.
async function show(data, tag, isChanged = false) {
  const { code } = data;
  const off = notOn(data, keptOf(code));
  const changed = off.length || isChanged ? [say("changed")] : [];
  if (off.length) changed.push(say("not-on-it", { codes: off.join(", ") }));
  if (data.state === "draft") return showDraft(data, tag, changed);
  drawn(data);
  forget(code);
  const state = say("shown", { state: at("plate-about").textContent });
  return changed.length ? wrong(changed[0], [...changed.slice(1), state], code) : already(state, [], code);
}

async function showDraft(data, tag, changed) {
  const { code } = data;
  const isFilled = data.wells.some(({ tube, pool }) => tube ?? pool);
  const { ok, problem, lines } = await resume(code, settingsOf(data), isFilled, { tag, stored: true });
  if (!ok || !fillFrom(data)) {
    drawn(data);
    return wrong(say("only-shown"), [...changed, ...problem?.reasons ?? [say("not-offered")]], code);
  }
  store.seen(plate);
  did();
  const [first, ...more] = [...changed, ...lines];
  return first ? wrong(first, [...more, nextWords()], code) : right(say("draft"), [nextWords()], code);
}

// Whether what is stored can be put where it is to be filled.
function fillFrom(data) {
  if (plate.stamp) {
    fillQuadrants(data);
    return true;
  }
  const content = contentOf(data, plate.slots);
  for (const one of content ?? []) add(one, "");
  return content !== undefined;
}

// Four plates of 96 -------------------------------------------------------------------------

async function placeQuadrant(code) {
  if (kindOf(code) !== "plate") return wrong(say("source-first"), [say("source-next")], code);
  if (plate.quadrants.includes(code)) return already(say("source-twice"), [], code);
  const source = await api("GET", pathOf(code));
  const { size, state } = source.data ?? {};
  const [quadrant] = openQuadrants(plate.quadrants);
  // No source, but what is to be filled next. While a quadrant is open, a draft and a plate that is in
  // another desk's tab alone may well be its source, and nobody froze it.
  const isUnfrozen = source.status === 404 || state === "draft";
  const isOther = size === 384 || (isUnfrozen && quadrant === undefined);
  if (isOther && isFree()) return openPlate(code);
  if (quadrant === undefined) return wrong(say("full"), [say("full-next")], code);
  if (source.status === 404) return unknownSource(code, source.problem);
  if (!source.ok) return wrong(say("refused"), source.problem.reasons, code);
  plate.quadrants[quadrant] = code;
  const { ok, problem } = await store.attempt(plate);
  if (!ok) {
    emptyQuadrant(quadrant);
    return wrong(say("refused"), problem.reasons, code);
  }
  fillQuadrant(quadrant, code, stampedWells(plate.stamp, quadrant, source.data));
  did(quadrant);
  return right(say("source", { count: quadrant + 1 }), [nextWords()], code);
}

function unknownSource(code, { reasons }) {
  const other = isEmpty() ? say("source-or-template") : say("source-or-leave");
  return wrong(say("refused"), [...reasons, say("source-unfrozen"), other], code);
}

async function leaveQuadrant() {
  focus();
  const [quadrant] = plate?.stamp && plate.state === "new" ? openQuadrants(plate.quadrants) : [];
  if (quadrant === undefined) return wrong(say("no-quadrant"), []);
  fillQuadrant(quadrant, null);
  did(quadrant);
  return right(say("quadrant-left"), [nextWords()]);
}

function clearQuadrant(quadrant) {
  focus();
  if (openQuadrants(plate.quadrants).includes(quadrant)) return undefined;
  const [code, wells] = emptyQuadrant(quadrant);
  keep();
  const text = say("cleared", { count: quadrant + 1 });
  undoing(text, () => {
    fillQuadrant(quadrant, code, wells);
    did(quadrant);
  });
  return right(text, [nextWords()], code ?? "");
}

// Storing -----------------------------------------------------------------------------------

async function save() {
  focus();
  if (plate?.state !== "new") return wrong(say("plate-first"), [say("plate-first-next")]);
  const { ok, problem } = await store.put(plate);
  if (!ok) return wrong(say("not-saved"), problem.reasons, plate.code);
  counted();
  const isWaiting = plate.stamp && openQuadrants(plate.quadrants).length > 0;
  return right(say("saved"), [isWaiting ? say("saved-quadrants") : say("saved-next")], plate.code);
}

async function freeze() {
  await ready;
  if (plate?.state !== "new") return wrong(say("plate-first"), [say("plate-first-next")]);
  const sure = await ask(say("freeze-title", { code: plate.code }), freezeText(), say("freeze-yes"));
  focus();
  if (!sure) return undefined;
  const made = await store.put(plate);
  const { ok, data, problem } = made.ok ? await store.fix(plate) : made;
  if (!ok) return wrong(say("not-frozen"), problem.reasons, plate.code);
  drawn(data);
  forget(data.code);
  focus();
  return right(say("frozen"), [say("frozen-next")], data.code);
}

function freezeText() {
  const filled = plate.placed.length;
  if (!plate.stamp) return say("freeze-text", { filled, free: plate.slots.length - filled });
  const empty = [1, 2, 3, 4].filter((count) => !plate.quadrants[count - 1]);
  return say("freeze-quadrants", { filled, empty: empty.join(", ") || "–" });
}

// What was placed can be taken off again, one after the other, and of a stamped plate a quadrant each
// time.
function did(quadrant = plate.quadrants.length - 1) {
  keep();
  const last = plate.placed.at(-1);
  if (quadrant >= 0) {
    undoing(plate.quadrants[quadrant] ?? say("quadrant-left"), () => {
      emptyQuadrant(quadrant);
      did();
    });
  } else if (last) {
    undoing(`${last.code} ${last.wells[0]}`, () => {
      takeOff(last);
      did();
    });
  }
}

// Nothing is taken back on another plate than it was done on, or on one that is shown anew.
function undoing(what, back) {
  const on = plate;
  undoable(what, () => plate === on && back());
}

function keep() {
  keepIn(plate, ["kit", "lot", "template"].map((id) => at(id).value));
}

// Racks -------------------------------------------------------------------------------------

async function rack(file) {
  if (!plate || plate.state !== "new" || plate.stamp) return wrong(say("plate-first"), [say("plate-first-next")]);
  if (plate.placed.some((one) => one.kind === "pool")) return wrong(say("tubes-first"), [say("tubes-first-next")]);
  const { ok, code, tubes, data, problem } = await readRack({ api, laboratory, plate, attempt: store.attempt }, file);
  if (!code) return wrong(say("rack-code"), []);
  focus();
  if (!ok) return wrong(say("rack-refused"), problem?.reasons ?? [say("full")], code);
  const next = () => plate.slots[plate.placed.length];
  tubes.forEach((tube) => add({ code: tube, kind: "tube", depth: depthOf(data, tube), wells: next() }, ""));
  did();
  return right(say("rack-placed", { count: tubes.length }), [nextWords()], code);
}

// What is chosen ----------------------------------------------------------------------------

async function prepare() {
  for (const [id, does] of [["freeze", freeze], ["save", save], ["empty", leaveQuadrant]]) {
    at(id).addEventListener("click", () => turn(does));
  }
  at("quadrants").addEventListener("click", ({ target }) => {
    const [on, button] = [plate, target.closest("button")];
    if (button) turn(() => plate === on && clearQuadrant(Number(button.dataset.quadrant)));
  });
  at("rack-file").addEventListener("change", ({ target }) => turn(async () => {
    if (target.files[0]) await rack(target.files[0]);
    target.value = "";
  }));
  // A scan needs nothing of what waits, which may be many pages.
  waiting();
  await kits();
  at("kit").addEventListener("change", () => turn(() => lots().then(anew)));
  at("template").addEventListener("change", () => turn(() => anew()));
  at("lot").addEventListener("change", () => plate?.state === "new" && keep());
  const kept = keptOf();
  if (kept) return restore(kept);
  const settings = lastSettings();
  if (settings) await setAll(settings);
  return undefined;
}

// What was kept here, on the stored version that it goes on from; it stays kept until it is shown.
async function restore(kept) {
  const { code, tag, placed, quadrants, settings } = kept;
  const get = (one) => (one ? api("GET", pathOf(one)) : { ok: true });
  const [stored, ...sources] = await Promise.all([code, ...quadrants].map(get));
  const isFilled = placed.length + quadrants.length > 0;
  // This desk may have frozen it, or saved it as it is kept, and not heard the answer.
  const isDraft = stored.data?.state === "draft";
  const isSame = isDraft && isAs(stored.data, kept);
  const isChanged = isFilled && isDraft && !isSame;
  if (stored.ok && stored.etag !== tag) return show(stored.data, stored.etag, isChanged);
  const lost = [stored, ...sources].find((one) => !one.ok && !(one === stored && one.status === 404));
  const known = { placed, stored: stored.ok, tag: stored.etag };
  const { ok, problem, lines } = lost ?? await resume(code, settings, isFilled, known);
  if (!ok) return wrong(say("not-resumed"), [...problem.reasons, say("not-resumed-next")], code);
  for (const one of placed) add(one, "");
  quadrants.forEach((source, at) =>
    fillQuadrant(at, source, source ? stampedWells(plate.stamp, at, sources[at].data) : []));
  if (isSame) store.seen(plate);
  counted();
  did();
  return lines.length ? wrong(lines[0], [nextWords()], code) : already(say("resumed"), [nextWords()], code);
}

// Another kit or template before anything is placed: the plate is drawn anew.
async function anew() {
  if (!plate || plate.state !== "new" || plate.placed.length) return;
  const { code, tag, stored, unheard } = plate;
  const { ok, problem } = await begin(code, { tag, stored, unheard });
  if (ok) keep();
  else wrong(say("plate-refused"), problem.reasons);
}
