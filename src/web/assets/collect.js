// The page where people are swabbed into a tube. This module puts its parts together: who sits
// there and which session is on, the three modes (tube, box, waiting), the state of the network.
//
//   collect-tube.js      the tube in work            collect-outbox.js  what is not acknowledged yet
//   collect-boxes.js     boxes and hand-overs        collect-vault.js   what the device keeps, sealed
//   collect-waiting.js   what waits, what was refused  collect-server.js  calls, and who is signed in
//   collect-slip.js      pick-up slips               collect-identity.js  documents, checked
//   collect-camera.js    codes by the camera         collect-worker.js  opens the page offline

import { element, fill as text, station } from "./station.js";
import { boxDesk } from "./collect-boxes.js";
import { camera } from "./collect-camera.js";
import * as outbox from "./collect-outbox.js";
import { lastly, leave, send, who } from "./collect-server.js";
import { slipDesk } from "./collect-slip.js";
import { tubeDesk } from "./collect-tube.js";
import { keep, kept } from "./collect-vault.js";
import { reasonsOf, waitingDesk } from "./collect-waiting.js";

const at = (id) => document.querySelector(`#${id}`);
const STATES = {
  idle: "js-collect-net-idle", sending: "js-collect-net-sending", offline: "js-collect-net-offline",
  "signed-out": "js-collect-net-signed-out", other: "js-collect-net-other",
  busy: "js-collect-net-busy", closed: "js-collect-net-closed",
};
// Held by the tab that collects: two would overwrite each other's work.
const TAB = "swabline-collect-tab";
// A page that is loaded anew waits so long for itself to go.
const TAB_MS = 300;
const COMMANDS = new Set(["SEAL", "PRINT", "TUBE", "BOX"]);

let me = {};
let session;
let choice = { sessions: [], patterns: [] };
let mode = "tube";

const page = station({ scanned, command });
const desk = { me: () => me, session: () => session, isMakers, mend };
const tubes = tubeDesk(page, desk);
const boxes = boxDesk(page, desk);
const slips = slipDesk(page, desk);
const waiting = waitingDesk(page, desk);

// Scans -----------------------------------------------------------------------------------------

// Promises: it is known whether this tab may collect; what the device knows is there; the server has
// said who sits there; what is in work is theirs.
let allowed;
let begun;
let met;
let changed = Promise.resolve();

// Whether somebody may work here; says why not. Nobody waits for a server who has worked here before:
// what the device knows is enough.
async function ready() {
  await allowed;
  const bar = [at("insecure"), at("second")].find((notice) => !notice.hidden);
  if (bar) {
    page.wrong(bar.textContent);
    return false;
  }
  await begun;
  if (!me.account) await met;
  await changed;
  if (!me.account) page.wrong(text("js-collect-nobody"), [text("js-collect-nobody-next")]);
  return Boolean(me.account);
}

async function scanned(code, raw) {
  if (!await ready()) return undefined;
  const chosen = choice.sessions.find((one) => one.code === code);
  if (chosen) return choose(chosen);
  if (mode === "waiting") show(me.role === "sampler" ? "tube" : "box");
  return mode === "box" ? boxes.scanned(code, raw) : tubes.scanned(code, raw);
}

// Cards with a word on them do what a button does.
async function command(code) {
  if (!COMMANDS.has(code)) return false;
  if (!await ready()) return true;
  if (code === "SEAL") await (mode === "box" ? boxes : tubes).seal();
  else if (code === "PRINT") await slips.print();
  else if (code === "TUBE" && me.role !== "sampler") page.wrong(text("js-collect-tube-sampler"));
  else show(code.toLowerCase());
  return true;
}

// A code that a tube's maker printed, under a pattern that is registered.
function isMakers(code) {
  return choice.patterns.some(({ prefix, length, alphabet }) => code.startsWith(prefix)
    && code.length === length
    && (alphabet === "digits" ? /^\d+$/ : /^[0-9A-Z]+$/).test(code.slice(prefix.length)));
}

async function mend(record) {
  if (!await (record.kind === "box" ? boxes : tubes).mend(record)) return false;
  show(record.kind);
  return true;
}

// Modes -----------------------------------------------------------------------------------------

function show(wanted) {
  mode = wanted;
  for (const button of document.querySelectorAll("[data-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  for (const part of document.querySelectorAll("[data-part]")) {
    // Parts with a name say for themselves whether there is something to see in them.
    if (!part.id) part.hidden = false;
    part.classList.toggle("off", part.dataset.part !== mode);
  }
  at("lead").hidden = mode !== "tube";
  if (mode === "tube") tubes.draw();
}

for (const button of document.querySelectorAll("[data-mode]")) {
  button.addEventListener("click", () => { show(button.dataset.mode); page.focus(); });
}

// Sessions --------------------------------------------------------------------------------------

function drawSessions() {
  at("choose").hidden = Boolean(session);
  at("session-none").hidden = choice.sessions.length > 0;
  at("session-list").replaceChildren(...choice.sessions.map((one) => {
    const item = element("li");
    const button = element("button", "tile");
    const hours = [one.opens_at, one.closes_at].map((moment) =>
      new Date(moment).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" }));
    button.type = "button";
    button.append(
      element("strong", "", one.team), element("span", "", `${one.round_name} · ${one.code}`),
      element("span", "", text("js-collect-session-hours", { from: hours[0], to: hours[1], size: one.tube_size })),
    );
    button.addEventListener("click", () => choose(one));
    item.append(button);
    return item;
  }));
  tubes.draw();
}

async function choose(one) {
  if (tubes.busy() && session && session.code !== one.code) {
    return page.wrong(text("js-collect-session-busy"), [text("js-collect-tube-other-next")]);
  }
  session = one;
  await keep("session", session);
  drawSessions();
  page.focus();
  return page.right(text("js-collect-session", { team: one.team }), [one.round_name], one.code);
}

at("session-other").addEventListener("click", () => {
  at("choose").hidden = !at("choose").hidden;
  at("session-list").querySelector("button")?.focus();
});

// Whose sessions these are.
let learned;

const isChoice = (one) => Array.isArray(one?.sessions) && Array.isArray(one.patterns);

async function learn() {
  const { account, role } = me;
  if (role !== "sampler" || learned === account) return;
  const { status, data } = await send("GET", "/collect/sessions", undefined, { background: true });
  if (status !== 200 || !isChoice(data)) return;
  learned = account;
  choice = data;
  await keep("choice", choice);
  drawSessions();
}

// Network ---------------------------------------------------------------------------------------

async function drawNet(why) {
  const counts = await waiting.draw();
  if (!counts) return;
  const { waiting: count, refused } = counts;
  if (why === "idle" && count) why = "sending";
  const net = at("net");
  net.dataset.state = refused ? "refused" : why;
  const said = refused ? [text("js-collect-net-refused", { count: refused })] : [];
  // That all is sent would be no truth beside what was refused.
  if (!refused || why !== "idle") said.unshift(text(STATES[why], { count }));
  net.textContent = said.join(" · ");
  at("sign-in").hidden = why !== "signed-out";
}

let state = navigator.onLine ? "idle" : "offline";

outbox.listen(async (news) => {
  if (news.what === "who") return meet(news.me).then(learn);
  if (news.what === "state") state = news.why;
  // Whoever stands there now is not handed the slips of those before.
  if (news.what === "added" && news.kind === "tube") slips.close();
  if (news.what === "sent") {
    await slips.list();
    if (news.flags.includes("clock_skew")) at("clock").hidden = false;
  }
  if (news.what === "refused") {
    page.wrong(text("js-collect-refused"), reasonsOf(news.record), news.record.content?.code);
  }
  return drawNet(state);
});

addEventListener("online", () => outbox.drain());
addEventListener("offline", () => { state = "offline"; drawNet(state); });
document.addEventListener("visibilitychange", async () => {
  if (document.hidden || [at("insecure"), at("second")].some((notice) => !notice.hidden)) return;
  await begun;
  // Another page may have signed them out, or somebody else in.
  const { account } = await lastly();
  if (account !== me.account) await change({});
  if (!me.account) met = who().then(meet);
  outbox.drain();
});
// A page that comes back as it was left may have been left by somebody else.
addEventListener("pageshow", ({ persisted }) => { if (persisted) location.reload(); });

// Begin -----------------------------------------------------------------------------------------

// Done once no other tab collects; says that one does.
function turn() {
  let mine = false;
  const held = new Promise((done) => {
    navigator.locks.request(TAB, () => {
      mine = true;
      second(false);
      done();
      // Until the page goes.
      return new Promise(() => undefined);
    });
  });
  const late = new Promise((done) => { setTimeout(done, TAB_MS); });
  allowed = Promise.race([held, late]).then(() => second(!mine));
  return held;
}

function second(seen) {
  at("second").hidden = !seen;
  document.body.classList.toggle("is-second", seen);
}

async function begin() {
  await turn();
  // What the device knows comes first: without network this is all there is.
  session = await kept("session").catch(() => undefined);
  const before = await kept("choice").catch(() => undefined);
  if (isChoice(before)) choice = before;
  await change(await lastly());
}

// Takes up what the server says about who sits there.
async function meet(here) {
  await begun;
  if (!here.reached || !here.account) return;
  const isSame = ["account", "name", "role", "site"].every((part) => here[part] === me[part]);
  if (!isSame) await change(here);
}

// Whoever sits there now sees their own work, and nothing of those before.
function change(here) {
  changed = changed.then(async () => {
    const isOther = here.account !== me.account;
    me = here;
    if (isOther) {
      slips.close();
      waiting.close();
      await tubes.begin(me.account);
      await boxes.begin(me.account);
    }
    identify();
    await slips.list();
    await drawNet(state);
  });
  return changed;
}

function identify() {
  const isSampler = me.role === "sampler";
  at("mode-tube").hidden = Boolean(me.role) && !isSampler;
  // A session of another site is none of this person's.
  if (session && me.site && session.site !== me.site) session = undefined;
  if (me.site) choice.sessions = choice.sessions.filter(({ site }) => site === me.site);
  drawSessions();
  at("me").textContent = me.name ?? "";
  greet();
  show(me.role && !isSampler && mode === "tube" ? "box" : mode);
}

// The page is nobody's when it comes; it says who sits there, and lets them out, once it knows.
function greet() {
  const line = document.querySelector(".top .line");
  if (!me.account) {
    for (const part of line.querySelectorAll(".who, form[action='/sign-out']")) part.remove();
    return;
  }
  if (!line.querySelector(".who")) {
    const name = element("a", "who");
    name.href = "/account";
    const out = element("form");
    Object.assign(out, { method: "post", action: "/sign-out" });
    const token = element("input");
    Object.assign(token, { type: "hidden", name: "csrf" });
    out.append(token, element("button", "quiet", text("js-collect-sign-out")));
    out.addEventListener("submit", async (event) => {
      event.preventDefault();
      token.value = document.querySelector('meta[name="csrf"]').content;
      await leave().catch(console.error);
      out.submit();
    });
    line.querySelector(".mark").after(name);
    line.append(out);
  }
  line.querySelector(".who").replaceChildren(element("span", "who-name", me.name));
}

async function install() {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("/collect/worker.js", { scope: "/collect" });
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage({ language: document.documentElement.lang.split("-")[0] });
}

if (crypto.subtle && navigator.locks && window.indexedDB) {
  begun = begin();
  met = begun.then(() => who()).then(meet);
  await begun;
  met.then(learn).then(() => outbox.drain());
  camera(at("camera"), at("video"), (code) => {
    at("scan-field").value = code;
    at("scan").requestSubmit();
  }).catch(console.error);
  // Without network it cannot be looked up; what was installed before works on.
  install().catch(() => undefined);
} else {
  at("insecure").hidden = false;
}
