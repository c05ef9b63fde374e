// Reviewing and releasing runs: a queue by urgency and age, one plate at a time, and amendments.
// What a run looks like is in review-run.js, what an amendment looks like in review-amend.js.

import { station, element } from "./station.js";
import { kindOf } from "./code.js";
import { age, now, when } from "./review-time.js";
import { exceptionsOf, showRun } from "./review-run.js";
import { showAmendment } from "./review-amend.js";

const { say, right, wrong, already, api, ask, once } = station();
const page = document.querySelector("#review");
const me = page.dataset.account;
const releases = page.dataset.releases === "true";
const work = document.querySelector("#work");
const LATE_MS = 24 * 3600e3;
const OUTCOMES = {
  detected: say("detected"), not_detected: say("not-detected"), inconclusive: say("inconclusive"),
  invalid: say("invalid"), withdrawn: say("withdrawn"),
};

let queue = [];
let amendments = [];
let asked = 0;
// The run in sight, which alone is signed, and the code of what was asked for last.
let shown;
let wanted;

// The queue ----------------------------------------------------------------------------------

// Positives first, then whoever waits too long, then the oldest swab.
function urgency(run) {
  const waited = now() - new Date(run.oldest_sealed_at ?? run.imported_at);
  return run.detected > 0 ? 0 : waited > LATE_MS ? 1 : 2;
}

async function load({ background = false } = {}) {
  if (!background) asked += 1;
  const own = asked;
  let runs = [];
  let after = "";
  for (;;) {
    const { ok, data, problem } = await api("GET", `/v1/reviews${after}`, undefined, { background });
    // It was asked for again since, after something was done.
    if (own !== asked) return;
    if (!ok) {
      if (!background) wrong(say("queue-lost"), problem.reasons);
      return;
    }
    runs = runs.concat(data.runs);
    amendments = data.amendments;
    if (!data.next) break;
    after = `?after=${encodeURIComponent(data.next)}`;
  }
  const since = (run) => run.oldest_sealed_at ?? run.imported_at;
  queue = runs.sort((a, b) => urgency(a) - urgency(b) || since(a).localeCompare(since(b)));
  drawQueue();
}

function drawQueue() {
  document.querySelector("#queue-count").textContent = queue.length + amendments.length;
  const parts = [];
  const focused = document.activeElement?.dataset?.key;
  if (amendments.length) {
    const list = element("ul", "runs");
    list.append(...amendments.map(drawWaitingAmendment));
    parts.push(element("h2", "", say("amendments")), list);
  }
  if (queue.length) {
    const list = element("ol", "runs");
    list.append(...queue.map(drawWaiting));
    parts.push(element("h2", "", say("runs")), list);
  } else {
    parts.push(element("p", "quiet-text", say("empty")));
  }
  document.querySelector("#queue").replaceChildren(...parts);
  if (focused) document.querySelector(`[data-key="${focused}"]`)?.focus();
}

function drawWaiting(run) {
  const item = element("li");
  const button = element("button", "run");
  button.type = "button";
  button.dataset.key = run.id;
  if (shown?.id === run.id) button.setAttribute("aria-current", "true");
  const top = element("span", "run-top");
  top.append(element("code", "", run.plate), element("span", `age${urgency(run) === 1 ? " late" : ""}`,
    waited(run.oldest_sealed_at ?? run.imported_at)));
  const chips = element("span", "chips");
  for (const kind of ["detected", "inconclusive", "invalid"]) {
    if (run[kind]) chips.append(element("span", `chip ${kind}`, `${OUTCOMES[kind]} ${run[kind]}`));
  }
  if (!run.usable) chips.append(element("span", "chip invalid", say("unusable")));
  chips.append(element("span", "chip plain", say("calls", { count: run.calls })));
  button.append(top, chips, element("span", "run-state", waitsFor(run)));
  button.addEventListener("click", () => open(run.id));
  item.append(button);
  return item;
}

function waited(since) {
  const passed = age(since);
  return passed.hours < 48 ? say("age", passed) : say("age-days", passed);
}

function waitsFor(run) {
  if (run.state === "draft") return say("waits-review");
  return run.reviewed_by === me ? say("waits-other") : say("waits-release", { name: run.reviewer ?? "" });
}

function drawWaitingAmendment(amendment) {
  const item = element("li");
  const tube = amendment.result.split(".")[0];
  const button = element("button", "run");
  button.type = "button";
  button.dataset.key = amendment.result;
  const own = amendment.proposed_by === me;
  button.append(element("code", "", tube),
    element("span", "run-change", `${OUTCOMES[amendment.present]} → ${OUTCOMES[amendment.outcome]}`),
    element("span", "run-state", own ? say("amend-waits-other") : say("amend-waits-you")));
  button.addEventListener("click", () => amend(tube));
  item.append(button);
  return item;
}

// One run ------------------------------------------------------------------------------------

async function open(id, { keep = false } = {}) {
  const before = shown;
  if (!keep) shown = undefined;
  wanted = id;
  const { ok, data: run, problem } = await api("GET", `/v1/runs/${encodeURIComponent(id)}`);
  const plate = ok && await api("GET", `/v1/plates/${run.plate}`);
  if (wanted !== id) return undefined;
  if (!ok) {
    shown = before;
    return wrong(say("run-lost"), problem.reasons);
  }
  let waiting = rowOf(run);
  if (!waiting && ["draft", "reviewed"].includes(run.state)) {
    // The queue is of before it was signed.
    await load({ background: true });
    if (wanted !== id) return undefined;
    waiting = rowOf(run);
  }
  shown = { id, run, waiting };
  location.replace(`#run=${id}`);
  if (!keep) quiet();
  showRun(work, { run, waiting, wells: plate.data?.wells ?? [], signature: signature(run, waiting) }, {
    say: (key, filled) => say(`run-${key}`, filled), outcomes: OUTCOMES, when,
  });
  work.querySelector("#sign")?.addEventListener("click", () => once(sign));
  work.querySelector("#release")?.addEventListener("click", () => once(release));
  work.querySelector("#void")?.addEventListener("click", () => once(voidRun));
  drawQueue();
  if (!keep) {
    work.querySelector("h2")?.focus({ preventScroll: true });
    if (innerWidth < 900) work.scrollIntoView();
  }
  return undefined;
}

// The queue's row of a run as it stands.
function rowOf({ id, state }) {
  return queue.find((one) => one.id === id && one.state === state);
}

// Who signed, and what this person can do about it.
function signature(run, waiting) {
  const own = waiting?.reviewed_by === me;
  const line = {
    draft: () => say("nobody-signed"),
    reviewed: () => (waiting ? say("signed-by", { name: waiting.reviewer ?? "", at: when(waiting.reviewed_at) }) : say("is-signed")),
    void: () => say("is-void"),
    released: () => say("is-released"),
  }[run.state]();
  const actions = [];
  if (run.state === "draft" && run.verdict.usable) actions.push({ id: "sign", text: say("sign"), shortcut: "S", style: "primary" });
  if (run.state === "reviewed" && releases && waiting && !own) {
    actions.push({ id: "release", text: say("release"), shortcut: "R", style: "primary" });
  }
  if (["draft", "reviewed"].includes(run.state)) actions.push({ id: "void", text: say("void"), style: "danger" });
  return { line, own: own && run.state === "reviewed" ? say("own") : "", actions };
}

function quiet() {
  const place = document.querySelector("#feedback");
  place.className = "feedback";
  place.replaceChildren();
}

async function sign() {
  if (!shown) return already(say("none-shown"), [say("none-shown-next")]);
  const signed = shown;
  const { plate, state } = signed.run;
  if (state !== "draft") return already(say("signed-before"), [], plate);
  const signs = say("signs-review", { plate });
  const { ok, data, problem } = await api("POST", `/v1/runs/${signed.id}/review`, { decision: "accept" }, { signs });
  if (!ok) return wrong(say("not-signed"), problem.reasons, plate);
  const lines = [say("other-releases")];
  if (data.released_by_rule.length) lines.unshift(say("by-rule", { count: data.released_by_rule.length }));
  await again(signed);
  return right(say("signed"), lines, plate);
}

async function voidRun() {
  if (!shown) return already(say("none-shown"), [say("none-shown-next")]);
  const voided = shown;
  const { plate } = voided.run;
  if (!await ask(say("void-title"), say("void-text", { plate }), say("void"))) return undefined;
  const signs = say("signs-void", { plate });
  const { ok, data, problem } = await api("POST", `/v1/runs/${voided.id}/review`, { decision: "void" }, { signs });
  if (!ok) return wrong(say("not-void"), problem.reasons, plate);
  await again(voided);
  return right(say("voided"), [say("back", { count: data.back.length })], plate);
}

async function release() {
  if (!releases) return undefined;
  if (!shown) return already(say("none-shown"), [say("none-shown-next")]);
  const released = shown;
  const { run, waiting } = released;
  if (run.state === "released") return already(say("released-before"), [], run.plate);
  if (run.state === "draft") return wrong(say("not-released"), [say("nobody-signed")], run.plate);
  if (!waiting) return wrong(say("not-released"), [say("is-signed")], run.plate);
  if (waiting.reviewed_by === me) return wrong(say("not-released"), [say("own")], run.plate);
  const signs = say("signs-release", { plate: run.plate });
  const { ok, data, problem } = await api("POST", `/v1/runs/${released.id}/release`, {}, { signs });
  if (!ok) return wrong(say("not-released"), problem.reasons, run.plate);
  const { reported, retested, recalled, recalls_opened: people } = data.released;
  const lines = [say("reported", { count: reported.length })];
  if (retested.length) lines.push(say("retested", { count: retested.length }));
  if (recalled.length) lines.push(say("recalled", { count: recalled.length, people }));
  await again(released);
  return right(say("released"), lines, run.plate);
}

// The queue and the run as they stand after something was done.
async function again(done) {
  await load();
  if (shown === done) await open(done.id, { keep: true });
}

async function amend(tube) {
  const before = shown;
  shown = undefined;
  wanted = tube;
  const { ok, data, problem } = await api("GET", `/v1/tubes/${tube}`);
  if (wanted !== tube) return undefined;
  if (!ok) {
    shown = before;
    return wrong(say("tube-lost"), problem.reasons, tube);
  }
  location.replace(`#tube=${tube}`);
  const newest = data.results.at(-1);
  const proposal = amendments.find((one) => one.result === newest?.id);
  quiet();
  showAmendment(work, { way: data, newest, proposal, me, releases }, {
    say: (key, filled) => say(`amend-${key}`, filled), outcomes: OUTCOMES, when, api, ask, once, right, wrong,
    done: async () => { await load(); if (wanted === tube) await amend(tube); },
  });
  drawQueue();
  work.querySelector("h2")?.focus({ preventScroll: true });
  return undefined;
}

// Codes and keys -----------------------------------------------------------------------------

function find(code) {
  const kind = kindOf(code);
  if (kind === "plate") {
    const run = queue.find((one) => one.plate === code);
    return run ? open(run.id) : wrong(say("no-run"), [], code);
  }
  if (kind !== "tube") return wrong(say("no-code"), [], code);
  const card = work.querySelector(`[data-tube="${code}"]`);
  if (!card) return amend(code);
  card.closest("details")?.setAttribute("open", "");
  return card.focus();
}

document.querySelector("#find").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = event.target.elements.code;
  const code = field.value.trim().toUpperCase();
  field.value = "";
  if (code) find(code);
});

const keys = document.querySelector("#keys");
keys.checked = localStorage.getItem("review-keys") !== "off";
keys.addEventListener("change", () => localStorage.setItem("review-keys", keys.checked ? "on" : "off"));

function step(by) {
  const cards = exceptionsOf(work);
  if (!cards.length) return;
  const at = cards.indexOf(document.activeElement?.closest?.(".exception"));
  const next = cards[at < 0 ? (by > 0 ? 0 : cards.length - 1) : (at + by + cards.length) % cards.length];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function nextRun() {
  if (!queue.length) return;
  const at = queue.findIndex((run) => run.id === wanted);
  open(queue[(at + 1) % queue.length].id);
}

const ACTS = {
  j: () => step(1), k: () => step(-1), arrowdown: () => step(1), arrowup: () => step(-1),
  n: nextRun, s: () => once(sign), r: () => once(release),
};
// A scanner types a whole code at once: a key acts only when no other comes within its pace, before
// or after it.
const SCANNER_MS = 60;
const FORGET_MS = 1000;
let typed = "";
let last = -FORGET_MS;
let pending;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.repeat) return;
  if (event.target.matches?.("input:not([type=checkbox]), textarea, select")) return;
  if (document.querySelector("dialog[open]")) return;
  const since = event.timeStamp - last;
  last = event.timeStamp;
  clearTimeout(pending);
  if (since > FORGET_MS) typed = "";
  if (event.key === "Enter") {
    const code = typed.toUpperCase();
    typed = "";
    if (kindOf(code)) {
      event.preventDefault();
      find(code);
    }
    return;
  }
  if (event.key.length === 1) typed = (typed + event.key).slice(-12);
  const key = event.key.toLowerCase();
  const act = keys.checked && since > SCANNER_MS ? ACTS[key] : undefined;
  if (!act) return;
  if (key.startsWith("arrow")) {
    if (!event.target.closest?.(".exception")) return;
    event.preventDefault();
  }
  pending = setTimeout(act, SCANNER_MS);
});

// Begin --------------------------------------------------------------------------------------

async function begin() {
  await load();
  const [kind, value] = location.hash.slice(1).split("=");
  if (kind === "tube" && kindOf(value) === "tube") await amend(value);
  else if (kind === "run" && value) await open(value);
  else if (queue.length) await open(queue[0].id);
  else work.replaceChildren(element("p", "lead", say("nothing")));
}

begin();
setInterval(() => load({ background: true }), 60_000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) load({ background: true });
});
