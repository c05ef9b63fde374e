// The board draws itself anew when the stream says that something moved. The server draws; here the
// drawn parts are put in place of the old ones. Everything goes as `background`, so that a screen on
// a wall keeps nobody signed in; an EventSource could not say so, therefore the stream is read here.

import { api } from "./station.js";

const texts = JSON.parse(document.querySelector("#texts").textContent);
const live = document.querySelector("#live");
const words = document.querySelector("#live-text");
const link = document.querySelector("#reload");
const full = document.querySelector("#full");
const here = location.pathname + location.search;

// No sooner than so many milliseconds after the last time.
const DRAWN_EVERY = 2_000;
const CHARTS_EVERY = 8_000;
// What waits grows older while nothing moves.
const AGES_EVERY = 30_000;
// The stream says something every 15 seconds, if only that it is there.
const SILENCE = 40_000;
const AGAIN_MAX = 15_000;

function say(key, filled = {}) {
  return texts[`js-board-${key}`].replace(/\{([\w-]+)\}/g, (whole, name) => filled[name] ?? whole);
}

function shown() {
  return document.querySelector("#at time").textContent;
}

function state(name) {
  if (live.dataset.state === name) return;
  live.dataset.state = name;
  const at = { at: shown() };
  const said = { live: () => say("live"), lost: () => say("lost", at), out: () => say("out", at) };
  words.textContent = said[name]();
  link.hidden = name !== "out";
  if (name === "out") {
    link.href = `/sign-in?next=${encodeURIComponent(here)}`;
    link.textContent = say("sign-in");
  }
}

// Drawing -----------------------------------------------------------------------------------

async function draw() {
  const { ok, status, data } = await api("GET", here, undefined, { background: true });
  if (status === 401) state("out");
  if (!ok || typeof data !== "string") return;
  const fresh = new DOMParser().parseFromString(data, "text/html");
  for (const part of document.querySelectorAll("[data-swap]")) {
    const next = fresh.getElementById(part.id);
    if (next) swap(part, next);
  }
}

function swap(part, next) {
  const figure = (one) => [one.dataset.figure, one.textContent];
  const before = new Map([...part.querySelectorAll("[data-figure]")].map(figure));
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceChildren(...next.childNodes);
  for (const one of part.querySelectorAll("[data-figure]")) {
    const [name, text] = figure(one);
    one.classList.toggle("changed", before.has(name) && before.get(name) !== text);
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function charts() {
  const isWall = document.querySelector("main").classList.contains("wall");
  const isDark = isWall || matchMedia("(prefers-color-scheme: dark)").matches;
  for (const picture of document.querySelectorAll("img[data-src]")) {
    const path = `${picture.dataset.src}&theme=${isDark ? "dark" : "light"}`;
    const { ok, data } = await api("GET", path, undefined, { background: true });
    if (!ok) return;
    const old = picture.src;
    picture.parentElement.querySelector("source")?.remove();
    picture.src = URL.createObjectURL(new Blob([data], { type: "image/svg+xml" }));
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  }
}

// Runs what is asked for, at most once in so many milliseconds, and the last time for certain.
function seldom(every, what) {
  let last = 0;
  let waiting = false;
  return async () => {
    if (waiting) return;
    waiting = true;
    await pause(Math.max(0, last + every - Date.now()));
    waiting = false;
    last = Date.now();
    await what();
  };
}

const redraw = seldom(DRAWN_EVERY, draw);
const rechart = seldom(CHARTS_EVERY, charts);

function pause(milliseconds) {
  return new Promise((done) => { setTimeout(done, milliseconds); });
}

// The stream --------------------------------------------------------------------------------

async function watch() {
  const stop = new AbortController();
  let heard = Date.now();
  const guard = setInterval(() => { if (Date.now() - heard > SILENCE) stop.abort(); }, 5_000);
  try {
    const headers = { accept: "text/event-stream", "x-background": "1" };
    const path = live.dataset.stream + streamed();
    const response = await fetch(path, { headers, cache: "no-store", signal: stop.signal });
    if (response.status === 401) return state("out");
    if (!response.ok) return undefined;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let kept = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return undefined;
      heard = Date.now();
      const events = (kept + value).split("\n\n");
      kept = events.pop();
      if (events.some((event) => event.startsWith("event: figures"))) {
        state("live");
        redraw();
        rechart();
      }
    }
  } catch {
    return undefined;
  } finally {
    clearInterval(guard);
  }
}

// What is asked for, without what only the page understands.
function streamed() {
  const asked = new URLSearchParams(location.search);
  const known = ["round", "area", "laboratory"].filter((name) => asked.get(name));
  const query = new URLSearchParams(known.map((name) => [name, asked.get(name)]));
  return known.length ? `?${query}` : "";
}

async function keep() {
  let again = 1_000;
  for (;;) {
    const begun = Date.now();
    await watch();
    if (live.dataset.state === "out") return;
    state("lost");
    // A stream that lasted was not refused.
    again = Date.now() - begun > 20_000 ? 1_000 : Math.min(again * 2, AGAIN_MAX);
    await pause(again);
  }
}

setInterval(() => { if (live.dataset.state === "live") redraw(); }, AGES_EVERY);
if (full && document.documentElement.requestFullscreen) {
  full.hidden = false;
  full.addEventListener("click", () => document.documentElement.requestFullscreen());
  document.addEventListener("fullscreenchange", () => { full.hidden = Boolean(document.fullscreenElement); });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => rechart());
link.hidden = true;
keep();
