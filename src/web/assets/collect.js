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
import { lastly, send, who } from "./collect-server.js";
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

// Nobody waits for a server who has worked here before: what the device knows is enough.
let begun;
let met;

async function scanned(code, raw) {
  await begun;
  if (!me.account) await met;
  if (!me.account) return page.wrong(text("js-collect-nobody"), [text("js-collect-nobody-next")]);
  const chosen = choice.sessions.find((one) => one.code === code);
  if (chosen) return choose(chosen);
  if (mode === "waiting") show(me.role === "sampler" ? "tube" : "box");
  return mode === "box" ? boxes.scanned(code, raw) : tubes.scanned(code, raw);
}

// Cards with a word on them do what a button does.
async function command(code) {
  if (!COMMANDS.has(code)) return false;
  await begun;
  if (code === "SEAL") await (mode === "box" ? boxes : tubes).seal();
  else if (code === "PRINT") await slips.print() || page.wrong(text("js-collect-slip-none"));
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
  if (!await tubes.mend(record)) return false;
  show("tube");
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
  at("chosen").hidden = !session;
  at("desk").classList.toggle("has-session", Boolean(session));
  if (session) {
    at("session-name").textContent = `${session.team} · ${session.site_name}`;
    at("session-round").textContent = `${session.round_name} · ${session.code}`;
  }
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

async function learn() {
  const { status, data } = await send("GET", "/collect/sessions", undefined, { background: true });
  if (status !== 200) return;
  choice = data;
  await keep("choice", choice);
  drawSessions();
}

// Network ---------------------------------------------------------------------------------------

async function drawNet(why) {
  const { waiting: count, refused } = await waiting.draw();
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
  if (news.what === "who") return meet(news.me);
  if (news.what === "state") state = news.why;
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
document.addEventListener("visibilitychange", () => { if (!document.hidden) outbox.drain(); });

// Begin -----------------------------------------------------------------------------------------

async function begin() {
  if (!crypto.subtle || !navigator.locks || !window.indexedDB) {
    at("insecure").hidden = false;
    return;
  }
  // What the device knows comes first: without network this is all there is.
  me = await lastly();
  session = await kept("session").catch(() => undefined);
  choice = await kept("choice").catch(() => undefined) ?? choice;
  await tubes.begin();
  await boxes.begin();
  identify();
  await slips.list();
  await drawNet(state);
}

async function meet(here) {
  if (!here.reached || !here.account) return;
  const changed = me.account !== here.account;
  me = here;
  if (!changed && choice.sessions.length) return;
  identify();
  await slips.list();
}

function identify() {
  const isSampler = me.role === "sampler";
  at("mode-tube").hidden = Boolean(me.role) && !isSampler;
  // A session of another site is none of this person's.
  if (session && me.site && session.site !== me.site) session = undefined;
  drawSessions();
  at("me").textContent = me.name ?? "";
  if (me.account) greet();
  show(me.role && !isSampler ? "box" : mode);
}

// The page is nobody's when it comes; it says who sits there, and lets them out, once it knows.
function greet() {
  const line = document.querySelector(".top .line");
  if (!line.querySelector(".who")) {
    const name = element("a", "who");
    name.href = "/account";
    const out = element("form");
    Object.assign(out, { method: "post", action: "/sign-out" });
    const token = element("input");
    Object.assign(token, { type: "hidden", name: "csrf" });
    out.append(token, element("button", "quiet", text("js-collect-sign-out")));
    out.addEventListener("submit", () => { token.value = document.querySelector('meta[name="csrf"]').content; });
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

begun = begin();
met = begun.then(() => who()).then(async (here) => {
  await meet(here);
  if (me.role === "sampler") await learn();
  await outbox.drain();
});
await begun;
camera(at("camera"), at("video"), (code) => {
  at("scan-field").value = code;
  at("scan").requestSubmit();
}).catch(console.error);
// Without network it cannot be looked up; what was installed before works on.
install().catch(() => undefined);
