// The station where boxes are taken in: the box is scanned, then its tubes; what was scanned stays
// in this tab until the box is taken in, as codes alone.
//
// F2 and a key refuse the tube that was scanned last, as does a scan of "REFUSE-LEAK"; the arrows
// choose another tube. F9, or a scan of "FINISH", takes the box in.

import { station, ask, element, fresh, said } from "./station.js";
import { kindOf, fits } from "./code.js";
import { recalls, showOutcome } from "./receive-outcome.js";

// Keys that come faster are a scan, which is never taken for a reason.
const BURST_MS = 70;
const KEPT = "receive";
// A tube that is here already, or further on.
const BEFORE = ["received", "refused", "plated", "released", "closed"];

const at = (id) => document.querySelector(`#${id}`);
const laboratory = at("receive").dataset.laboratory;
// The server's clock when this page was begun; that of the desk may be wrong.
const begun = Date.parse(at("receive").dataset.now) - performance.now();
const field = at("scan-field");
const reasons = new Map([...document.querySelectorAll("[data-reason]")].map((button) =>
  [button.dataset.reason, { text: button.querySelector("span").textContent, key: button.dataset.key, button }]));

// The open box: { code, tubes: Map of code to { row, state, reason } }, `sent` while it is taken in.
let box;
let current;
let past = [];
let sent;

watchKeys();
const { say, right, wrong, already, api, undoable, focus, turn } = station({ scanned, command });
const ready = restore();
await ready;

// Scans -------------------------------------------------------------------------------------

async function command(code) {
  await ready;
  if (code === "FINISH") return finish().then(() => true);
  if (!code.startsWith("REFUSE-")) return false;
  const reason = code.slice("REFUSE-".length).toLowerCase().replaceAll("-", "_");
  if (reasons.has(reason)) refuse(reason);
  else wrong(say("no-reason"), [say("no-reason-next")], code);
  return true;
}

async function scanned(code) {
  await ready;
  const kind = kindOf(code);
  if (kind && !fits(code)) return wrong(say("check"), [say("check-next")], code);
  if (kind === "box") return scannedBox(code);
  if (kind === "plate" || kind === "pool") return wrong(say("no-tube"), [say("no-tube-next")], code);
  if (!box) return wrong(say("box-first"), [say("box-first-next")], code);
  return scannedTube(code);
}

async function scannedBox(code) {
  if (box?.code === code) return already(say("box-open"), [left()], code);
  if (box) return wrong(say("other-box"), [say("other-box-next", { code: box.code })], code);
  const { ok, data, problem } = await api("GET", `/v1/boxes/${encodeURIComponent(code)}`);
  if (!ok) return wrong(say("box-refused"), problem.reasons, code);
  open(data);
  const before = scansOf(code);
  if (before) return resume(before);
  keep();
  const warnings = data.warnings.map(({ code, message }) => said(code) ?? message);
  return right(say("box"), [left(), ...warnings], code);
}

function scannedTube(code) {
  const known = box.tubes.get(code);
  if (known?.scanned) {
    select(code);
    return already(say("twice"), known.reason ? [reasons.get(known.reason).text] : [], code);
  }
  if (known?.before) return already(say("before"), [say("before-next")], code);
  take(code);
  did(say("scan"), () => putBack(code));
  if (known) return right(say("here"), [left()], code);
  return wrong(say("stray"), [say("stray-next")], code);
}

function take(code, reason) {
  const tube = box.tubes.get(code) ?? { stray: true };
  tube.scanned = true;
  tube.reason = reason;
  tube.row ??= row(code);
  box.tubes.set(code, tube);
  at(tube.stray ? "unexpected" : "here").prepend(tube.row);
  dress(tube);
  select(code);
  counted();
}

function putBack(code) {
  const tube = box.tubes.get(code);
  tube.scanned = false;
  tube.reason = undefined;
  if (tube.stray) {
    tube.row.remove();
    box.tubes.delete(code);
  } else {
    at("missing").prepend(tube.row);
    dress(tube);
  }
  if (current === code) select(undefined);
  counted();
}

// What was done can be undone, step by step.
function did(what, back) {
  past.push({ what, back });
  undoable(what, undoLast);
  keep();
}

function undoLast() {
  past.pop().back();
  const before = past.at(-1);
  if (before) undoable(before.what, undoLast);
  keep();
}

// Refusing ----------------------------------------------------------------------------------

function refuse(reason) {
  arm(false);
  const tube = box?.tubes.get(current);
  if (!tube?.scanned) return wrong(say("none"), [say("none-next")]);
  const [code, before] = [current, tube.reason];
  tube.reason = reason;
  dress(tube);
  counted();
  const { text } = reasons.get(reason);
  did(say("refusal"), () => {
    tube.reason = before;
    dress(tube);
    counted();
  });
  return right(say("refused", { reason: text }), [say("refused-next")], code);
}

function arm(on) {
  if (on && !box?.tubes.get(current)?.scanned) return wrong(say("none"), [say("none-next")]);
  at("open-box").classList.toggle("armed", on);
  at("refuse").setAttribute("aria-expanded", String(on));
  return undefined;
}

function armed() {
  return at("open-box").classList.contains("armed");
}

// Before the station's own keys: F2, F9, the arrows, and a reason's key once refusing began.
function watchKeys() {
  let held;
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.ctrlKey || event.altKey || event.metaKey) return;
    const does = { F2: () => arm(!armed()), F9: () => turn(finish), Escape: () => arm(false) }[event.key];
    if (does) {
      event.preventDefault();
      does();
    } else if (event.target === field && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      step(event.key === "ArrowUp" ? -1 : 1);
    } else if (held) {
      // A second key so soon: a scanner is at work.
      clearTimeout(held.timer);
      field.value += held.key;
      held = undefined;
      arm(false);
    } else if (armed() && event.target.id !== "temperature") {
      const found = [...reasons].find(([, { key }]) => key === event.key.toUpperCase());
      if (!found) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const timer = setTimeout(() => {
        held = undefined;
        turn(() => refuse(found[0]));
      }, BURST_MS);
      held = { key: event.key, timer };
    }
  }, true);
}

function step(by) {
  const codes = [...document.querySelectorAll("#unexpected li, #here li")].map((one) => one.dataset.code);
  if (!box || !codes.length) return;
  const to = Math.min(Math.max(codes.indexOf(current) + by, 0), codes.length - 1);
  select(codes[to]);
  box.tubes.get(codes[to]).row.scrollIntoView({ block: "nearest" });
}

// The box -----------------------------------------------------------------------------------

function open(data) {
  past = [];
  sent = undefined;
  box = { code: data.code, tubes: new Map() };
  const waiting = document.createDocumentFragment();
  const here = document.createDocumentFragment();
  for (const { code, state } of data.tubes) {
    const tube = { row: row(code), before: BEFORE.includes(state) };
    box.tubes.set(code, tube);
    dress(tube);
    (tube.before ? here : waiting).append(tube.row);
  }
  at("missing").replaceChildren(waiting);
  at("here").replaceChildren(here);
  at("unexpected").replaceChildren();
  at("box-title").textContent = data.code;
  at("box-about").textContent = say("about", { site: data.site, seal: data.seal, count: data.tubes.length });
  at("seal").checked = true;
  at("temperature").value = "";
  shown(true);
  at("outcome").hidden = true;
  select(undefined);
  counted();
}

function close() {
  const { code } = box;
  box = undefined;
  past = [];
  sent = undefined;
  forget(code);
  at("undo").hidden = true;
  shown(false);
}

function shown(is) {
  at("box").hidden = !is;
  at("open-box").hidden = !is;
  at("no-box").hidden = is;
}

function row(code) {
  const made = element("li");
  made.dataset.code = code;
  made.append(element("code", "", code), element("small"));
  return made;
}

function dress(tube) {
  const state = tube.before ? "before" : tube.reason ? "refused" : tube.stray ? "stray" : tube.scanned ? "sound" : "waits";
  tube.row.className = tube.row.classList.contains("selected") ? `${state} selected` : state;
  const note = tube.before ? say("before-short") : tube.reason ? reasons.get(tube.reason).text : "";
  tube.row.lastChild.textContent = note;
}

function select(code) {
  if (current) box.tubes.get(current)?.row.classList.remove("selected");
  current = code;
  at("current").textContent = code ?? "–";
  if (code) box.tubes.get(code).row.classList.add("selected");
}

function counts() {
  const count = { missing: 0, here: 0, refused: 0, stray: 0 };
  for (const tube of box.tubes.values()) {
    if (tube.stray) count.stray += 1;
    else if (!tube.scanned && !tube.before) count.missing += 1;
    else if (!tube.reason) count.here += 1;
    if (tube.reason) count.refused += 1;
  }
  return count;
}

function counted() {
  const count = counts();
  at("missing-count").textContent = count.missing;
  at("here-count").textContent = count.here;
  at("refused-count").textContent = count.refused;
  at("unexpected-count").textContent = count.stray;
  at("unexpected-part").hidden = !count.stray;
  at("whole").hidden = count.missing > 0;
}

function left() {
  const { missing } = counts();
  return missing ? say("left", { count: missing }) : say("left-none");
}

// What stays in this tab --------------------------------------------------------------------

function keep() {
  if (!box) return;
  const scans = [...box.tubes].filter(([, tube]) => tube.scanned).map(([code, tube]) => [code, tube.reason]);
  const [temperature, seal] = [at("temperature").value, at("seal").checked];
  sessionStorage.setItem(KEPT, box.code);
  sessionStorage.setItem(`${KEPT} ${box.code}`, JSON.stringify({ scans, temperature, seal }));
  sent = undefined;
}

// What was scanned of this box before the page was loaded again.
function scansOf(code) {
  return JSON.parse(sessionStorage.getItem(`${KEPT} ${code}`) ?? "null");
}

function forget(code) {
  sessionStorage.removeItem(KEPT);
  sessionStorage.removeItem(`${KEPT} ${code}`);
}

function resume({ scans, temperature, seal }) {
  at("temperature").value = temperature;
  at("seal").checked = seal;
  for (const [code, reason] of scans) {
    if (!box.tubes.get(code)?.before) take(code, reason);
  }
  keep();
  return already(say("resumed", { count: scans.length }), [left()], box.code);
}

async function restore() {
  for (const [reason, { button }] of reasons) {
    button.addEventListener("click", () => {
      turn(() => refuse(reason));
      focus();
    });
  }
  at("refuse").addEventListener("click", () => {
    arm(!armed());
    focus();
  });
  at("finish").addEventListener("click", () => turn(finish));
  at("leave").addEventListener("click", () => turn(leave));
  for (const id of ["temperature", "seal"]) at(id).addEventListener("change", keep);
  at("box").addEventListener("click", (event) => {
    const code = event.target.closest("li[data-code]")?.dataset.code;
    if (box?.tubes.get(code)?.scanned) select(code);
  });
  const code = sessionStorage.getItem(KEPT);
  const before = code && scansOf(code);
  if (!before) return;
  const { ok, data, status } = await api("GET", `/v1/boxes/${encodeURIComponent(code)}`);
  if (ok) {
    open(data);
    resume(before);
  } else if (status === 404) {
    forget(code);
  } else {
    wrong(say("kept", { count: before.scans.length }), [say("kept-next")], code);
  }
}

async function leave() {
  if (await ask(say("leave-title"), say("leave-text"), say("leave-yes"))) {
    const { code } = box;
    close();
    already(say("left-box"), [], code);
  }
  focus();
}

// Taking in ---------------------------------------------------------------------------------

async function finish() {
  if (!box) return wrong(say("box-first"), [say("box-first-next")]);
  if (!at("temperature").checkValidity()) {
    at("temperature").focus();
    return wrong(say("temperature"), []);
  }
  const { missing } = counts();
  if (missing && !await ask(say("finish-title", { count: missing }), say("finish-text"), say("finish-yes"))) {
    focus();
    return undefined;
  }
  // Before the request is made: a field that is left counts as changed.
  focus();
  sent ??= { key: fresh(), body: request() };
  const { ok, data, problem, status } = await api("POST", "/v1/arrivals", sent.body, { key: sent.key });
  if (!ok) {
    // What was refused changes before it is sent again; what nobody answered is sent as it was.
    if (status) sent = undefined;
    return wrong(say("not-taken"), problem.reasons, box.code);
  }
  const recalled = await recalls(api, [...data.refused.map((one) => one.tube), ...data.missing]);
  close();
  showOutcome(at("outcome"), { arrival: data, recalled, reasons }, say);
  at("no-box").hidden = true;
  focus();
  return right(say("taken", { count: data.accepted.length }), [say("next-box")], data.box);
}

function request() {
  const scanned = [...box.tubes].filter(([, tube]) => tube.scanned)
    .map(([tube, { reason }]) => (reason ? { tube, refused: reason } : { tube }));
  const temperature = at("temperature").value;
  return {
    box: box.code, laboratory, arrived_at: new Date(begun + performance.now()).toISOString(),
    temperature_c: temperature === "" ? undefined : Number(temperature),
    seal_intact: at("seal").checked, scanned,
  };
}
