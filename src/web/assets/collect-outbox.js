// What was sealed and is not acknowledged yet: tubes, boxes and hand-overs, in the order of their
// running numbers, until the server has them (R3 to R5).
//
// A record is `{ sequence, number, event, kind, by, state, tries, reasons, sealed }`; `number` counts
// the device's tubes alone, for the server to see which of them never came; who and what is in
// it lies in `sealed`. `kind` is tube, box or handover; `by` the account that sealed it, in whose
// name alone it is sent. A retry is the same event and changes nothing twice. Acknowledged: gone from
// the device, in the transaction that keeps the slip. Refused, or not to be opened any more: stays,
// with every reason, until whoever sealed it mends it or gives it up, and holds no other up. One tab
// sends at a time.

import * as vault from "./collect-vault.js";
import { send, serverTime, who } from "./collect-server.js";

const LOCK = "swabline-collect-outbox";
const AT_ONCE = 20;
// Why a record is refused that the device itself cannot open.
export const UNREADABLE = "unreadable";
// What no wait changes: whoever sealed it may not send it, whatever it is, or may not send this.
const ROLE = "auth.role";
const SITE = "auth.site";
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;

let failures = 0;
let timer;
let single = false;
const listeners = new Set();

// `heard({ what, ... })`: `who` with whoever is signed in, `added`, `sent` with the slip, `refused` with
// the record, `state` with why nothing is sent: idle, sending, offline, signed-out, other, busy, closed.
export function listen(heard) {
  listeners.add(heard);
}

function tell(news) {
  for (const heard of listeners) heard(news);
}

// Every record, opened, in order.
export async function records() {
  const found = await vault.all("outbox");
  return Promise.all(found.map(async (record) => ({ ...record, ...await opened(record) })));
}

async function opened(record) {
  try {
    return { content: await vault.unseal(record.sealed, record.event) };
  } catch {
    // Only a key that is gone makes this; the record stays and says so.
    return { content: undefined };
  }
}

// Seals and keeps; done when it is on the disk. `made` names the kept value it was made of.
export async function add({ kind, event, by, content, number, made }) {
  const sealed = await vault.seal(content, event);
  const record = { event, kind, by, number, state: "waiting", tries: 0, reasons: [], sealed };
  const sequence = await vault.enlist(record, made);
  tell({ what: "added", kind, sequence });
  return sequence;
}

// Takes a record back that was never sent, or that was refused, and keeps `value` under `name`.
// Gives whether it could be; a tube keeps its number in `value`.
export function takeBack(sequence, name, value) {
  return navigator.locks.request(LOCK, { ifAvailable: true }, async (lock) => {
    const record = (await vault.all("outbox")).find((one) => one.sequence === sequence);
    if (!lock || !record || (record.state === "waiting" && record.tries > 0)) return false;
    if (record.kind === "tube") value.number = numberOf(record);
    await vault.delist(sequence, name, value);
    tell({ what: "added" });
    return true;
  });
}

// Gives up what was refused; that it was, by whom and why stays on the device, without any person.
export async function giveUp({ sequence, event, kind, reasons, content }, by) {
  const note = { sequence, event, kind, reasons, code: content?.code, at: new Date().toISOString(), by };
  await vault.change([["given", "put", note], ["outbox", "delete", sequence]]);
  tell({ what: "added" });
}

// Sends what waits, in order, until nothing does or something is in the way; then again later by
// itself. `background` where nobody asked for it: that keeps nobody signed in.
export function drain({ background = true } = {}) {
  clearTimeout(timer);
  return navigator.locks.request(LOCK, () => run(background)).catch((error) => {
    console.error(error);
    later("busy");
  });
}

async function run(background) {
  let me = await who({ background });
  tell({ what: "who", me });
  for (let renewed = false; ;) {
    if (!me.reached) return later("offline");
    const waiting = (await vault.all("outbox")).filter((record) => record.state === "waiting");
    if (!me.account) return waiting.length ? later("signed-out") : calm("signed-out");
    const own = waiting.filter((record) => record.by === me.account);
    if (!own.length) return waiting.length ? later("other") : calm("idle");
    tell({ what: "state", why: "sending" });
    const batch = [];
    for (const record of together(own)) {
      const content = await prepare(record);
      if (content) batch.push({ record, content });
    }
    if (!batch.length) continue;
    const { outcomes, why, after } = await deliver(batch, me, background);
    if (why === "stale" && !renewed) {
      renewed = true;
      me = await who({ background });
      tell({ what: "who", me });
      continue;
    }
    if (why) return later(why === "stale" ? "signed-out" : why, after);
    for (const [index, outcome] of outcomes.entries()) await settle(batch[index].record, outcome);
    // Something the server cannot take just now is asked again later, not at once.
    if (outcomes.some(({ again }) => again)) return later("busy");
    failures = 0;
    renewed = false;
  }
}

function calm(why) {
  failures = 0;
  tell({ what: "state", why });
}

// Twice as long each time, up to a minute, and never all devices at once.
function later(why, after) {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 6));
  failures += 1;
  clearTimeout(timer);
  timer = setTimeout(() => drain(), Math.max((after ?? 0) * 1000, wait * (0.5 + Math.random() / 2)));
  tell({ what: "state", why });
}

// Tubes that follow each other travel together.
function together(waiting) {
  const end = waiting.findIndex((record) => record.kind !== "tube");
  if (single || end === 0) return waiting.slice(0, 1);
  return waiting.slice(0, end < 0 ? AT_ONCE : Math.min(end, AT_ONCE));
}

// The number of a tube; one sealed before tubes had a number of their own keeps what it was sent with.
function numberOf({ number, sequence }) {
  return number ?? sequence;
}

// Sends records of one kind. Gives an outcome for each, or why none has one.
async function deliver(batch, me, background) {
  const call = (method, path, body, event) =>
    send(method, path, body, { csrf: me.csrf, event, background });
  const [{ record: { kind, event }, content }] = batch;
  let answer;
  if (kind === "tube") {
    const device = await vault.device();
    const tubes = batch.map(({ record, content: { tube, code } }) =>
      ({ ...tube, code, device: { id: device, sequence: numberOf(record), time: new Date().toISOString() } }));
    answer = await call("POST", "/v1/tubes/batch", { tubes });
  } else if (kind === "box") {
    answer = await call("PUT", `/v1/boxes/${encodeURIComponent(content.code)}`, content.box);
  } else {
    answer = await call("POST", `/v1/boxes/${encodeURIComponent(content.code)}/handovers`, content.handover, event);
  }
  return judge(answer, kind, batch.length);
}

// Counts the try before it is made, and writes down once what the server's clock showed then: a
// retry must be the same to the last letter. Gives nothing where the record does not open.
async function prepare(record) {
  const { content } = await opened(record);
  if (!content) return settle(record, { problem: { code: UNREADABLE } });
  const { box, handover } = content;
  if (box && !box.sealed_at) box.sealed_at = serverTime(content.moment);
  if (handover && !handover.at) handover.at = serverTime(content.moment);
  const kept = { ...record, tries: record.tries + 1, sealed: await vault.seal(content, record.event) };
  await vault.change([["outbox", "put", kept]]);
  Object.assign(record, kept);
  return content;
}

// An id of an event that sorts by time: a UUID of version 7 (RFC 9562).
export function uuid7(now = Date.now(), random = crypto.getRandomValues(new Uint8Array(10))) {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) % 256;
  bytes.set(random, 6);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join("-");
}

const passes = (status) => status === 0 || status === 408 || status === 429 || status >= 500;
// What the server asks to be sent again, although it refused it.
const repeats = (problem) => problem?.code?.endsWith(".concurrent")
  || problem?.errors?.some(({ code }) => code?.endsWith(".concurrent"));

function judge({ status, data, problem, after }, kind, count) {
  if (status === 200 || status === 201) {
    single = false;
    if (kind !== "tube") return { outcomes: [{ tube: undefined }] };
    return { outcomes: data.tubes.map(({ tube, problem }) => {
      if (tube) return { tube };
      return { problem, again: passes(problem.status) || repeats(problem) };
    }) };
  }
  if (passes(status)) return { why: status === 0 ? "offline" : "busy", after };
  if (status === 401 || problem.code === "session.csrf") return { why: "stale" };
  if (problem.code === ROLE) return { outcomes: Array(count).fill({ problem }) };
  // Otherwise the way itself is closed, whatever is sent on it.
  if (status === 403 && problem.code !== SITE) return { why: "closed" };
  if (count > 1) {
    // Which of them cannot be read is found out one by one.
    single = true;
    return { outcomes: [] };
  }
  single = false;
  return { outcomes: [{ problem, again: repeats(problem) }] };
}

async function settle(record, { problem, again, tube }) {
  if (again) return;
  if (problem) {
    const reasons = problem.errors?.length ? problem.errors : [{ code: problem.code, message: problem.detail }];
    const refused = { ...record, state: "refused", reasons };
    await vault.change([["outbox", "put", refused]]);
    tell({ what: "refused", record: { ...refused, ...await opened(refused) } });
    return;
  }
  const { content } = await opened(record);
  const steps = [["outbox", "delete", record.sequence]];
  if (tube) steps.push(["slips", "put", await slipOf(record, content, tube)]);
  await vault.change(steps);
  tell({ what: "sent", kind: record.kind, sequence: record.sequence, code: content.code, flags: tube?.flags ?? [] });
}

// What each person is handed: the code and the link, beside a number nobody can read.
async function slipOf({ by, sequence }, { code, masked, place }, tube) {
  const members = tube.members.map(({ position, pickup_code, link }, index) =>
    ({ position, pickup: pickup_code, link, masked: masked[index] }));
  const content = { code, place, at: tube.recorded_at, members };
  return { code, by, sequence, sealed: await vault.seal(content, `slip ${code}`), kept: Date.now() };
}
