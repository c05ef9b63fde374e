// The station where a plate is filled: the plate is scanned, then its tubes, each into the well that
// glows. Every tube is tried on the server when it is scanned, so that a refused one is known while
// it is in the hand; the plate itself is stored when it is saved or frozen. Until then its codes
// stay in this tab.
//
// F9, or a scan of "FREEZE", freezes; a scan of "SAVE" stores the draft.

import { station, ask, element } from "./station.js";
import { kindOf, fits } from "./code.js";
import { plateMap } from "./plate-map.js";
import { choosing } from "./plate-choice.js";
import { readRack } from "./plate-rack.js";
import { whereIs } from "./plate-where.js";
import { contentOf, depthOf, quadrantOf, quadrantWell, signOf } from "./plate-content.js";

const KEPT = "plate";
const SETTINGS = "plate-settings";
const LISTED = 12;

const at = (id) => document.querySelector(`#${id}`);
const laboratory = at("plate").dataset.laboratory;

// The open plate: { code, size, slots, controls, placed: [{ code, kind, depth, wells }], state };
// one that is stamped has `stamp` and the code of each quadrant, or null, in `quadrants`.
let plate;
let map;

document.addEventListener("keydown", (event) => {
  if (event.key !== "F9" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  freeze();
}, true);
const { say, right, wrong, already, api, undoable, focus } = station({ scanned, command });
const { kits, lots, setAll, waiting } = choosing({
  api, laboratory, lotText: (of) => say("lot", of), standsText: (of) => say("stands", of),
});
const controls = { positive: say("positive"), weak_positive: say("weak-positive"), negative: say("negative"), extraction: say("extraction") };
const path = () => `/v1/plates/${encodeURIComponent(plate.code)}`;
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
  if (kind === "plate" && !(plate?.stamp && plate.state === "new")) return openPlate(code);
  if (!plate) return wrong(say("plate-first"), [say("plate-first-next")], code);
  if (plate.state !== "new") return wrong(say("is-frozen"), [say("is-frozen-next")], code);
  if (plate.stamp) return placeQuadrant(code);
  return place(code, kind === "pool" ? "pool" : "tube");
}

async function openPlate(code) {
  if (plate?.code === code) return already(say("open-already"), [], code);
  if (plate?.state === "new" && (plate.placed.length || plate.quadrants.length)) {
    return wrong(say("other-plate"), [say("other-plate-next", { code: plate.code })], code);
  }
  const known = await api("GET", `/v1/plates/${encodeURIComponent(code)}`);
  if (known.ok) return show(known.data);
  if (known.status !== 404) return wrong(say("plate-refused"), known.problem.reasons, code);
  const { ok, problem, data } = await begin(code);
  if (!ok) return wrong(say("plate-refused"), problem.reasons, code);
  keep();
  const warnings = data?.warnings?.length ? [say("fixed")] : [];
  return right(say("opened"), [nextWords(), ...warnings], code);
}

async function begin(code) {
  const template = at("template").value;
  if (!at("kit").value) return { ok: false, problem: { reasons: [say("no-kit")] } };
  if (template.startsWith("stamp-")) {
    draw({ code, size: 384, slots: [], controls: [], stamp: template.slice(-1) });
    return { ok: true };
  }
  const path = `/v1/plates/${encodeURIComponent(code)}/slots?template=${encodeURIComponent(template)}`;
  const answer = await api("GET", path);
  if (answer.ok) draw({ code, ...answer.data });
  return answer;
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
  const { ok, data, problem } = await attempt(kind === "pool" ? [] : [code], kind === "pool" ? [code] : []);
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

// Asks the server whether these would be taken, without storing anything.
function attempt(tubes, pools) {
  return api("PUT", `${path()}?dry_run=true`, request(tubes, pools));
}

// The plate ---------------------------------------------------------------------------------

function draw(made) {
  plate = { placed: [], quadrants: [], state: "new", ...made };
  at("plate-code").textContent = plate.code;
  at("no-plate").hidden = true;
  at("shown").hidden = false;
  map = plateMap(at("map"), { size: plate.size, onPick: (well) => { at("well-about").textContent = map.titleOf(well); } });
  for (const wells of plate.slots) for (const well of wells) map.set(well, { kind: "free", title: say("title-free", { well }) });
  for (const { control, wells } of plate.controls) for (const well of wells) setControl(well, control);
  at("placed").replaceChildren();
  counted();
}

function setControl(well, control) {
  map.set(well, { kind: "control", text: signOf(control), title: say("title-control", { well, control: controls[control] }) });
}

function add(one, tone) {
  plate.placed.push(one);
  const item = element("li");
  item.append(element("b", "", one.wells[0]), element("code", "", one.code), element("span"));
  one.item = item;
  listed();
  dress(one, tone);
  counted();
}

function takeOff(one) {
  plate.placed.splice(plate.placed.indexOf(one), 1);
  listed();
  for (const well of one.wells) map.set(well, { kind: "free", title: say("title-free", { well }) });
  counted();
}

// The newest alone: a long list would be measured anew at each scan.
function listed() {
  at("placed").replaceChildren(...plate.placed.slice(-LISTED).reverse().map((one) => one.item));
}

function dress(one, tone) {
  const count = one.depth;
  for (const well of one.wells) {
    map.set(well, { kind: one.kind, tone, text: count || "", title: say("title-tube", { well, code: one.code, count }) });
  }
  one.item.lastChild.textContent = count ? say("people", { count }) : "";
}

function counted() {
  const { placed, slots, stamp } = plate;
  const next = plate.state === "new" && !stamp ? slots[placed.length] ?? [] : [];
  map.next(next);
  at("next-well").textContent = next[0] ?? "–";
  at("filled").textContent = placed.length;
  at("places").textContent = stamp ? 4 - plate.quadrants.length : slots.length - placed.length;
  at("people").textContent = placed.reduce((sum, one) => sum + one.depth, 0);
  map.label(say("label", { code: plate.code, filled: placed.length, next: next[0] ?? "–" }));
  const is = plate.state === "new";
  at("settings").disabled = is && placed.length + plate.quadrants.length > 0;
  at("actions").hidden = !is;
  at("empty").hidden = !(is && stamp);
  at("plate-about").textContent = is ? say("state-new") : plate.state === "frozen" ? say("state-frozen") : say("state-closed");
  at("lists").hidden = !plate.stored;
  at("to-run").hidden = plate.state !== "frozen";
  for (const link of plate.stored ? document.querySelectorAll("[data-format]") : []) {
    link.href = `${path()}/worklist?format=${link.dataset.format}`;
  }
}

function nextWords() {
  if (plate.stamp) return say("next-quadrant", { count: plate.quadrants.length + 1 });
  const next = plate.slots[plate.placed.length];
  return next ? say("next", { well: next[0] }) : say("full");
}

// A plate as the server has it.
async function show(data) {
  const draft = data.state === "draft" && !data.stamp;
  if (draft) {
    await setAll([`${data.kit} ${data.kit_version}`, data.lot ?? "", data.template]);
    const { ok } = await begin(data.code);
    if (ok) {
      plate.stored = true;
      for (const { code, kind, depth } of contentOf(data, plate.slots)) {
        add({ code, kind, depth, wells: plate.slots[plate.placed.length] }, "");
      }
      keep();
      return right(say("draft"), [nextWords()], data.code);
    }
  }
  drawn(data);
  return already(say("shown", { state: at("plate-about").textContent }), [], data.code);
}

// A plate to look at.
function drawn(data) {
  sessionStorage.removeItem(KEPT);
  draw({ code: data.code, size: data.size, slots: [], controls: [], state: data.state, stored: true });
  for (const well of data.wells) {
    if (well.control) setControl(well.well, well.control);
    else add({ code: well.tube ?? well.pool, kind: well.pool ? "pool" : "tube", depth: well.depth, wells: [well.well] }, "");
  }
  at("places").textContent = "0";
  at("undo").hidden = true;
}

// Four plates of 96 -------------------------------------------------------------------------

async function placeQuadrant(code) {
  if (kindOf(code) !== "plate") return wrong(say("source-first"), [say("source-next")], code);
  if (plate.quadrants.includes(code)) return already(say("source-twice"), [], code);
  if (plate.quadrants.length > 3) return wrong(say("full"), [say("full-next")], code);
  const source = await api("GET", `/v1/plates/${encodeURIComponent(code)}`);
  if (!source.ok) return wrong(say("refused"), source.problem.reasons, code);
  plate.quadrants.push(code);
  const { ok, problem } = await attempt();
  if (!ok) {
    plate.quadrants.pop();
    return wrong(say("refused"), problem.reasons, code);
  }
  drawQuadrant(plate.quadrants.length - 1, source.data);
  counted();
  keep();
  undoable(code, undoQuadrant);
  return right(say("source", { count: plate.quadrants.length }), [nextWords()], code);
}

function drawQuadrant(quadrant, data) {
  for (const content of data.wells) {
    const well = quadrantWell(plate.stamp, quadrant, content.well);
    if (content.control) setControl(well, content.control);
    else add({ code: content.tube ?? content.pool, kind: content.pool ? "pool" : "tube", depth: content.depth, wells: [well], quadrant }, "");
  }
}

function undoQuadrant() {
  const quadrant = plate.quadrants.length - 1;
  plate.quadrants.pop();
  for (const name of map.names()) {
    if (quadrantOf(plate.stamp, name) === quadrant) map.set(name);
  }
  plate.placed = plate.placed.filter((one) => one.quadrant !== quadrant);
  listed();
  counted();
  keep();
}

async function leaveQuadrant() {
  focus();
  if (!plate?.stamp || plate.state !== "new" || plate.quadrants.length > 3) return wrong(say("no-quadrant"), []);
  plate.quadrants.push(null);
  undoable(say("quadrant-left"), undoQuadrant);
  counted();
  keep();
  return right(say("quadrant-left"), [nextWords()]);
}

// Storing -----------------------------------------------------------------------------------

function request(tubes, pools) {
  const [kit, version] = at("kit").value.split(" ");
  const of = { laboratory, kit, kit_version: version, lot: at("lot").value || undefined };
  if (plate.stamp) {
    return { ...of, stamp: { order: plate.stamp, quadrants: [0, 1, 2, 3].map((at) => plate.quadrants[at] ?? null) } };
  }
  const placed = (kind) => plate.placed.filter((one) => one.kind === kind).map((one) => one.code);
  return { ...of, template: plate.template, tubes: tubes ?? placed("tube"), pools: pools ?? placed("pool") };
}

async function put() {
  const answer = await api("PUT", path(), request());
  if (answer.ok) plate.stored = true;
  return answer;
}

async function save() {
  focus();
  if (plate?.state !== "new") return wrong(say("plate-first"), [say("plate-first-next")]);
  const { ok, problem } = await put();
  if (!ok) return wrong(say("not-saved"), problem.reasons, plate.code);
  counted();
  return right(say("saved"), [say("saved-next")], plate.code);
}

async function freeze() {
  await ready;
  if (plate?.state !== "new") return wrong(say("plate-first"), [say("plate-first-next")]);
  const free = plate.stamp ? 0 : plate.slots.length - plate.placed.length;
  const sure = await ask(say("freeze-title", { code: plate.code }), say("freeze-text", { filled: plate.placed.length, free }), say("freeze-yes"));
  focus();
  if (!sure) return undefined;
  const made = await put();
  const { ok, data, problem } = made.ok ? await api("POST", `${path()}/freeze`, {}) : made;
  if (!ok) return wrong(say("not-frozen"), problem.reasons, plate.code);
  drawn(data);
  focus();
  return right(say("frozen"), [say("frozen-next")], data.code);
}

// What was placed can be taken off again, one after the other.
function did() {
  keep();
  const last = plate.placed.at(-1);
  if (last) {
    undoable(`${last.code} ${last.wells[0]}`, () => {
      takeOff(last);
      did();
    });
  }
}

function keep() {
  const placed = plate.placed.map(({ code, kind, depth }) => ({ code, kind, depth }));
  const settings = ["kit", "lot", "template"].map((id) => at(id).value);
  localStorage.setItem(SETTINGS, JSON.stringify(settings));
  sessionStorage.setItem(KEPT, JSON.stringify({ code: plate.code, placed: plate.stamp ? [] : placed, quadrants: plate.quadrants, settings }));
}

// Racks -------------------------------------------------------------------------------------

async function rack(file) {
  if (!plate || plate.state !== "new" || plate.stamp) return wrong(say("plate-first"), [say("plate-first-next")]);
  const code = at("rack").value.trim();
  if (!code) {
    at("rack").focus();
    return wrong(say("rack-code"), []);
  }
  const { ok, tubes, data, problem } = await readRack({ api, laboratory, plate, attempt }, code, file);
  focus();
  if (!ok) return wrong(say("rack-refused"), problem?.reasons ?? [say("full")], code);
  for (const tube of tubes) {
    add({ code: tube, kind: "tube", depth: depthOf(data, tube), wells: plate.slots[plate.placed.length] }, "");
  }
  did();
  return right(say("rack-placed", { count: tubes.length }), [nextWords()], code);
}

// What is chosen ----------------------------------------------------------------------------

async function prepare() {
  at("freeze").addEventListener("click", freeze);
  at("save").addEventListener("click", save);
  at("empty").addEventListener("click", leaveQuadrant);
  at("rack-file").addEventListener("change", async ({ target }) => {
    if (target.files[0]) await rack(target.files[0]);
    target.value = "";
  });
  await Promise.all([kits(), waiting()]);
  at("kit").addEventListener("change", () => lots().then(anew));
  for (const id of ["lot", "template"]) at(id).addEventListener("change", anew);
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  const settings = kept?.settings ?? JSON.parse(localStorage.getItem(SETTINGS) ?? "null");
  if (settings) await setAll(settings);
  if (kept) await restore(kept);
}

async function restore(kept) {
  const { ok } = await begin(kept.code);
  if (!ok) return;
  for (const one of kept.placed) add({ ...one, wells: plate.slots[plate.placed.length] }, "");
  for (const code of kept.quadrants) {
    plate.quadrants.push(code);
    const source = code && await api("GET", `/v1/plates/${encodeURIComponent(code)}`);
    if (source?.ok) drawQuadrant(plate.quadrants.length - 1, source.data);
  }
  counted();
  if (!plate.stamp) did();
  already(say("resumed"), [nextWords()], kept.code);
}

// Another kit or template before anything is placed: the plate is drawn anew.
async function anew() {
  if (!plate || plate.state !== "new" || plate.placed.length) return;
  const { ok, problem } = await begin(plate.code);
  if (ok) keep();
  else wrong(say("plate-refused"), problem.reasons);
}
