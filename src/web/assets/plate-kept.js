// What is filled at this desk, in this tab until it is frozen, each plate by itself: one that could
// not be shown again is not written over by the next.

const OPEN = "plate";
const SETTINGS = "plate-settings";
const keyOf = (code) => `plate ${code}`;
const read = (storage, key) => JSON.parse(storage.getItem(key) ?? "null");

// What was chosen for the last plate: [kit, lot, template].
export function lastSettings() {
  return read(localStorage, SETTINGS);
}

export function keep({ code, placed, quadrants, stamp, tag }, settings) {
  const tubes = stamp ? [] : placed.map(({ code, kind, depth, wells }) => ({ code, kind, depth, wells }));
  localStorage.setItem(SETTINGS, JSON.stringify(settings));
  sessionStorage.setItem(OPEN, code);
  sessionStorage.setItem(keyOf(code), JSON.stringify({ code, placed: tubes, quadrants, tag, settings }));
}

// That plate as it was kept, or the one that was open last; null where there is none.
export function keptOf(code = sessionStorage.getItem(OPEN)) {
  return read(sessionStorage, keyOf(code));
}

export function forget(code) {
  sessionStorage.removeItem(keyOf(code));
}
