// Asks the server who is signed in, and calls it in that name, also from a page that was opened
// without network and so knows neither a name nor a token.

import { explain } from "./station.js";
import { forget, keep, kept } from "./collect-vault.js";

// A network that does not answer is none.
const PATIENCE_MS = 20_000;
// Whether somebody signs out: a late answer does not bring them back.
let left = false;
// Milliseconds the device's clock is ahead of the server's, as last seen.
let ahead = 0;

// `{ reached, account, name, role, site, csrf }`; nobody reached gives who was here last, if known.
export async function who({ background = false } = {}) {
  const { status, data } = await send("GET", "/session", undefined, { background });
  if (status !== 200) return { ...await lastly(), reached: false };
  ahead = Date.now() - Date.parse(data.now);
  // The other calls of this page carry it too.
  const meta = document.querySelector('meta[name="csrf"]');
  if (meta) meta.content = data.csrf;
  const { account, name, role, site, csrf } = data;
  if (account && csrf === await kept("left").catch(() => undefined)) return end(csrf);
  if (account && !left) await keep("who", { account, name, role, site, csrf });
  return { ...data, reached: true };
}

// Ends a session that somebody left while no server could be told; whatever comes of it, nobody is
// signed in on this device.
async function end(csrf) {
  const meta = document.querySelector('meta[name="csrf"]');
  if (meta) meta.content = "";
  const answer = await fetch("/sign-out", {
    method: "POST", body: new URLSearchParams({ csrf }), redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(() => undefined);
  if (answer?.ok || answer?.type === "opaqueredirect") await forget("left");
  return { reached: true, csrf: "" };
}

// Who was signed in last on this device.
export async function lastly() {
  return await kept("who").catch(() => undefined) ?? {};
}

// Whoever signs out is forgotten by the device, also where the server cannot be told; their session
// is remembered by its token, to be ended as soon as it can be.
export async function leave() {
  left = true;
  const { csrf } = await lastly();
  // A device that is full forgets all the same.
  if (csrf) await keep("left", csrf).catch(console.error);
  await forget("who");
}

// What the server's clock shows when the device's shows `moment`, in milliseconds.
export function serverTime(moment = Date.now()) {
  return new Date(moment - ahead).toISOString();
}

// `{ status, data, problem, after }`; status 0 where nobody answers, `after` the seconds to wait.
export async function send(method, path, body, { csrf, event, background = false } = {}) {
  const headers = { accept: "application/json" };
  if (csrf) headers["x-csrf-token"] = csrf;
  if (event) headers["idempotency-key"] = event;
  if (background) headers["x-background"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    const response = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const kind = response.headers.get("content-type") ?? "";
    const isJson = kind.includes("json");
    // A page where data was asked for is what a network shows that has a sign-in of its own, or a
    // proxy that knows no such path: nothing was refused. Too much at once or too often is no such page.
    const isOurs = isJson || response.status >= 500 || [413, 429].includes(response.status);
    if (!isOurs) throw new Error("a page of the network itself");
    const data = isJson ? await response.json() : await response.text();
    if (response.ok) return { status: response.status, data };
    const after = Number(response.headers.get("retry-after")) || undefined;
    return { status: response.status, problem: explain(data), after };
  } catch {
    return { status: 0, problem: { code: "lost", reasons: [] } };
  }
}
