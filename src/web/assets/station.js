// What every station does: takes scans, says right, wrong or already done, calls /v1, asks for the
// password where a signature needs it, and undoes.
//   import { station } from "./station.js";
//   const { say, right, wrong, already, api, undoable } = station({ scanned });
//   async function scanned(code) {
//     const { ok, data, problem } = await api("PUT", `/v1/tubes/${code}`, { ... });
//     if (!ok) return wrong(say("refused"), problem.reasons, code);
//     undoable(say("sealed", { code }), () => unseal(code));
//     return right(say("sealed", { code }), [], code);
//   }
//
// station({ scanned, command })  begins the work place of `station.html`. Scans come one after
//     another, in capitals, without spaces around them, whatever has the focus: the next one waits
//     until the promise of the last is done. `command(code)`, if given, sees every scan first and
//     says by `true` that it has dealt with it (a card with "SEAL" on it, say). Both are also given
//     what was scanned as it came, for codes in which small letters count.
// say(key, filled)  the text `js-NAME-key` of the page's own module NAME, with `{name}` filled in.
// right(text, lines, code), wrong(...), already(...)  colour, sound, and a text that is read out.
//     Green and rising, red and low, amber and twice: never by colour alone.
// api(method, path, body, { key, background, headers, signs, patience })  gives { ok, status, data, etag,
//     problem }. `problem` has `code`, `detail` and `reasons`, each in the page's language where there
//     is a text for it. A POST carries an Idempotency-Key: give `key` where a retry must be the same
//     request. `background: true` for what nobody asked for, such as a board that draws itself anew;
//     it keeps nobody signed in. A FormData or Blob goes as it is. A signature that needs the password
//     asks for it, with what it `signs` in words, and goes on. Nobody answering, or not within `patience` ms, gives status 0.
// said(code)  the page's own text for a reason's code; none where the server's sentence is all there is.
// undoable(what, undo)  what Ctrl+Z, the button and a scan of "UNDO" take back; the last one only.
// ask(title, text, yes)  a question in the page; gives whether it was answered with yes.
// turn(act)  has a button, key or field do something in its turn among the scans, so that no scan is
//     taken for a plate or box that is just being stored. once(act)  has it done at once, for what is
//     in sight now. With either an act that waits or goes on is not begun twice.
//
// Everything works without a mouse. Focus is never trapped: keys typed where nobody writes text go to
// the scan field, a burst at a list too (one key chooses there), and it presses no button in focus.

import { editing, firstLetters } from "./station-keys.js";

const BURST_MS = 60;
const texts = JSON.parse(document.querySelector("#texts")?.textContent ?? "{}");
const own = document.querySelector("#texts")?.dataset.module;
// Asked for each time: a page that was kept for offline use is given its token later.
const csrf = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

export function fill(key, filled = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{([\w-]+)\}/g, (whole, name) => filled[name] ?? whole);
}

function say(key, filled) {
  return fill(`js-station-${key}`, filled);
}

export function station({ scanned, command } = {}) {
  const scan = scanning({ scanned, command });
  return {
    say: (key, filled) => fill(`js-${own}-${key}`, filled),
    right: (...what) => feedback("right", ...what),
    wrong: (...what) => feedback("wrong", ...what),
    already: (...what) => feedback("already", ...what),
    api,
    ask,
    undoable,
    focus: scan.focus,
    turn: scan.turn,
    once: scan.once,
  };
}

// Scans -------------------------------------------------------------------------------------

function scanning({ scanned, command }) {
  const form = document.querySelector("#scan");
  const field = document.querySelector("#scan-field");
  const acts = new Set();
  const typed = firstLetters(BURST_MS);
  let [work, lastKey] = [Promise.resolve(), 0];

  const focus = () => field?.focus({ preventScroll: true });
  const caught = (done, code) => done.catch((error) => {
    console.error(error);
    feedback("wrong", say("lost"), [], code);
  });
  const next = (does, code) => {
    work = caught(work.then(does), code);
    return work;
  };
  const alone = (act, begin) => {
    if (acts.has(act)) return;
    acts.add(act);
    begin().finally(() => acts.delete(act));
  };
  const turn = (act) => alone(act, () => next(act));
  const once = (act) => alone(act, () => caught((async () => act())()));
  const take = () => {
    const raw = field.value.trim();
    const code = raw.toUpperCase();
    field.value = "";
    if (code) next(() => one(code, raw), code);
  };
  const one = async (code, raw) => {
    if (code === "UNDO") return undo();
    if (await command?.(code, raw)) return undefined;
    return scanned?.(code, raw);
  };

  if (!form) return { focus, turn, once };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take();
    focus();
  });
  document.addEventListener("keydown", (event) => {
    const fast = event.timeStamp - lastKey < BURST_MS;
    // A scanner presses it with each capital.
    if (event.key !== "Shift") lastKey = event.timeStamp;
    if (event.ctrlKey && event.key.toLowerCase() === "z" && !editing(event.target, field)) {
      event.preventDefault();
      turn(() => undo());
      return;
    }
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.target === field || editing(event.target, field) || openDialog()) return;
    const atButton = event.target !== document.body && !fast;
    if (event.key === "Enter" && fast && field.value) {
      event.preventDefault();
      take();
      focus();
    } else if (event.key.length === 1 && !(event.key === " " && atButton)) {
      const text = typed(event, fast);
      if (!text) return;
      event.preventDefault();
      focus();
      field.value += text;
    }
  }, true);
  // What loses its focus because it went away leaves it to the scan field.
  document.addEventListener("focusout", () => {
    requestAnimationFrame(() => {
      if (document.activeElement === document.body && document.hasFocus() && !openDialog()) focus();
    });
  });
  document.querySelector("#undo")?.addEventListener("click", () => turn(() => undo()));
  const sound = document.querySelector("#sound");
  if (sound) {
    sound.checked = localStorage.getItem("sound") !== "off";
    sound.addEventListener("change", () => localStorage.setItem("sound", sound.checked ? "on" : "off"));
  }
  focus();
  return { focus, turn, once };
}

function openDialog() {
  return document.querySelector("dialog[open]") !== null;
}

// Feedback ----------------------------------------------------------------------------------

const SIGNS = { right: "✓", wrong: "✕", already: "↺" };
// Pitch in hertz, begin and length in seconds.
const TONES = {
  right: { wave: "sine", notes: [[880, 0, 0.09], [1320, 0.09, 0.13]] },
  wrong: { wave: "square", notes: [[196, 0, 0.45]] },
  already: { wave: "triangle", notes: [[587, 0, 0.09], [587, 0.16, 0.09]] },
};
let audio;

export function feedback(kind, text, lines = [], code = "") {
  const place = document.querySelector("#feedback");
  if (place) {
    const headline = element("p", "feedback-text");
    const sign = element("span", "feedback-sign", SIGNS[kind]);
    sign.setAttribute("aria-hidden", "true");
    headline.append(sign, text);
    const parts = [headline];
    if (code) parts.push(element("code", "feedback-code", code));
    if (lines.length) {
      const list = element("ul");
      list.append(...lines.map((line) => element("li", "", line)));
      parts.push(list);
    }
    place.className = `feedback ${kind}`;
    place.replaceChildren(...parts);
    // The same words again are seen and read out again.
    place.classList.remove("again");
    void place.offsetWidth;
    place.classList.add("again");
  }
  play(kind);
  return kind;
}

function play(kind) {
  if (document.querySelector("#sound")?.checked === false) return;
  try {
    audio ??= new AudioContext();
    audio.resume();
    const { wave, notes } = TONES[kind];
    for (const [pitch, begin, length] of notes) {
      const tone = audio.createOscillator();
      const gain = audio.createGain();
      const at = audio.currentTime + begin;
      tone.type = wave;
      tone.frequency.value = pitch;
      gain.gain.setValueAtTime(0.0001, at);
      gain.gain.exponentialRampToValueAtTime(wave === "square" ? 0.12 : 0.3, at + 0.01);
      gain.gain.exponentialRampToValueAtTime(0.0001, at + length);
      tone.connect(gain).connect(audio.destination);
      tone.start(at);
      tone.stop(at + length);
    }
  } catch {
    // A machine without sound still has colour and words.
  }
}

export function element(name, style = "", text = "") {
  const made = document.createElement(name);
  if (style) made.className = style;
  if (text) made.textContent = text;
  return made;
}

// The API -----------------------------------------------------------------------------------

export async function api(method, path, body, { key, background = false, headers: more, signs = "", patience } = {}) {
  const headers = { accept: "application/json", "accept-language": document.documentElement.lang, ...more };
  if (csrf()) headers["x-csrf-token"] = csrf();
  if (method === "POST") headers["idempotency-key"] = key ?? fresh();
  if (background) headers["x-background"] = "1";
  const isData = body !== undefined && !(body instanceof FormData) && !(body instanceof Blob);
  if (isData) headers["content-type"] = "application/json";
  const sent = isData ? JSON.stringify(body) : body;
  for (;;) {
    let response, data;
    try {
      response = await fetch(path, { method, headers, body: sent, signal: patience && AbortSignal.timeout(patience) });
      data = await content(response, path);
    } catch {
      const text = say("lost");
      return { ok: false, status: 0, problem: { code: "lost", detail: text, reasons: [text] } };
    }
    // A proxy that packs one answer and not the next makes its tag a weak one.
    const etag = response.headers.get("etag")?.replace(/^W\//, "");
    if (response.ok) return { ok: true, status: response.status, data, etag };
    const problem = explain(data);
    if (problem.code === "session.reauthenticate" && await prove(signs)) continue;
    if (response.status === 401 && !background) {
      const next = encodeURIComponent(location.pathname + location.search);
      problem.reasons = [say("signed-out")];
      location.assign(`/sign-in?next=${next}`);
    }
    return { ok: false, status: response.status, problem };
  }
}

async function content(response, path) {
  const kind = response.headers.get("content-type") ?? "";
  if (response.status === 204) return null;
  const isPage = response.status < 500 && path.startsWith("/v1/") && kind.includes("html");
  // What a proxy found too large it finds too large again; another page is the network's own.
  if (isPage && response.status === 413) return { code: "body.too_large" };
  if (isPage) throw new Error("a page of the network itself");
  return kind.includes("json") ? response.json() : response.text();
}

export function explain(data) {
  const problem = data?.code ? data : { code: "internal", detail: String(data ?? "") };
  const reasons = problem.errors?.length ? problem.errors : [{ code: problem.code, message: problem.detail }];
  problem.reasons = reasons.map((reason) => {
    const about = reason.about && /^[A-Z0-9*-]+$/.test(reason.about) ? `${reason.about}: ` : "";
    return said(reason.code) ? about + said(reason.code) : reason.message;
  });
  return problem;
}

// The page's language, as the API asks for it.
export const language = document.documentElement.lang.split("-")[0];

// The text for a reason's code in the page's language; none where the server's sentence says it.
export function said(code) {
  const key = String(code).replace(/[._]/g, "-");
  return texts[`problem-${key}`] ?? texts[`server-${key}`];
}

// A fresh id; `crypto.randomUUID` is there only behind TLS and on this machine itself.
export function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Questions ---------------------------------------------------------------------------------

function dialog(title, text, fields, yes) {
  const back = document.activeElement;
  const box = element("dialog");
  const form = element("form", "stack");
  const heading = element("h2", "", title);
  heading.id = "dialog-title";
  box.setAttribute("aria-labelledby", heading.id);
  form.method = "dialog";
  const inputs = fields.map(({ name, label, kind, complete, needed }) => {
    const input = element("input");
    Object.assign(input, { id: `dialog-${name}`, name, type: kind, autocomplete: complete, required: needed });
    const caption = element("label", "", label);
    caption.htmlFor = input.id;
    form.append(caption, input);
    return input;
  });
  const notice = element("p", "notice bad");
  Object.assign(notice, { role: "alert", hidden: true });
  const [actions, go] = [element("p", "actions"), element("button", "primary", yes)];
  const no = element("button", "", say("cancel"));
  no.type = "button";
  actions.append(go, no);
  form.prepend(heading, element("p", "", text), notice);
  form.append(actions);
  box.append(form);
  guard(box, notice);
  document.body.append(box);
  box.showModal();
  (inputs[0] ?? go).focus();
  const close = () => {
    box.close();
    box.remove();
    back?.focus?.();
    // Chromium gives a field that gets its focus back by a click no caret: the next scan would be lost.
    if (back?.selectionStart != null) back.setSelectionRange(back.value.length, back.value.length);
  };
  return { box, form, inputs, notice, no, close };
}

// A scan answers no question: an Enter or a blank as fast as a scanner's presses no button, and a code is no password.
function guard(box, notice) {
  let lastKey = 0;
  box.addEventListener("keydown", (event) => {
    const { key, target } = event, fast = event.timeStamp - lastKey < BURST_MS;
    if (key.length === 1) lastKey = event.timeStamp;
    const isCode = target.tagName === "INPUT" && /^[A-Z0-9*-]{8,}$/.test(target.value);
    if (!fast || !["Enter", " "].includes(key) || !(isCode || target.tagName === "BUTTON")) return;
    if (isCode) target.value = "";
    event.preventDefault();
    notice.hidden = false;
    notice.textContent = say("answer-first");
    play("wrong");
  }, true);
}

export function ask(title, text, yes) {
  return new Promise((answer) => {
    const { box, form, no, close } = dialog(title, text, [], yes);
    const end = (said) => { close(); answer(said); };
    form.addEventListener("submit", (event) => { event.preventDefault(); end(true); });
    no.addEventListener("click", () => end(false));
    box.addEventListener("cancel", () => end(false));
  });
}

// Asks for the password until it is right or nobody wants to sign any more.
function prove(signs) {
  return new Promise((answer) => {
    const fields = [
      { name: "password", label: say("prove-password"), kind: "password", complete: "current-password", needed: true },
      { name: "code", label: say("prove-code"), kind: "text", complete: "one-time-code", needed: false },
    ];
    const asked = dialog(say("prove-title"), `${signs} ${say("prove-lead")}`.trim(), fields, say("prove-sign"));
    const end = (said) => { asked.close(); answer(said); };
    asked.no.addEventListener("click", () => end(false));
    asked.box.addEventListener("cancel", () => end(false));
    asked.form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const [password, code] = asked.inputs.map((input) => input.value);
      const { ok, problem } = await api("POST", "/v1/session/proof", { password, code: code || undefined });
      if (ok) return end(true);
      asked.notice.hidden = false;
      asked.notice.textContent = problem.reasons.join(" ");
      return asked.inputs[0].select();
    });
  });
}

// Undo --------------------------------------------------------------------------------------

let last;

export function undoable(what, back) {
  last = { what, back };
  const button = document.querySelector("#undo");
  if (!button) return;
  button.hidden = false;
  button.textContent = say("undo", { what });
}

async function undo() {
  if (!last) return;
  const { what, back } = last;
  last = undefined;
  const button = document.querySelector("#undo");
  if (button) button.hidden = true;
  if (await back() !== false) feedback("already", say("undone", { what }));
}
