// Whoever signed out, on whatever page, is forgotten by the device: whoever opens the collect page
// next is nobody until they sign in.

import { NAME, forget } from "./collect-vault.js";

export async function leave() {
  // A device that never collected is left as it is, as far as a browser tells.
  const kept = await window.indexedDB?.databases?.().catch(() => undefined);
  if (!window.indexedDB || kept?.some(({ name }) => name === NAME) === false) return;
  await forget("who").catch(console.error);
}
