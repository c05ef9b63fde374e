// The service worker of the collect page. `KEPT`, which the server writes above this, names the
// version, the assets and the languages.
//
// It keeps the shell, which is the page without anybody's name or token, its texts and its assets,
// and nothing else: no answer of `/v1`, and nothing of any person, ever goes into its cache. The
// network comes first; the shell opens where there is none.

const CACHE = `collect-${KEPT.version}-${KEPT.files[0].split("/")[2]}`;
const LANGUAGE = "/collect/language";
const shell = (language) => `/collect/shell/${language}`;
// A bar of signal that carries nothing must not hold up a queue.
const PATIENCE_MS = 4000;

self.addEventListener("install", (event) => {
  const wanted = [...KEPT.files, ...KEPT.languages.map(shell)];
  // Without the cookie nobody is signed in, and the shell stays nobody's.
  const requests = wanted.map((path) => new Request(path, { credentials: "omit" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("collect-") && name !== CACHE && name !== "collect-language";
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

// The page says which language it is in; no cookie can be read here.
self.addEventListener("message", (event) => {
  if (!KEPT.languages.includes(event.data?.language)) return;
  event.waitUntil(caches.open("collect-language")
    .then((cache) => cache.put(LANGUAGE, new Response(event.data.language))));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(asset(request));
  else if (request.mode === "navigate" && url.pathname === "/collect") event.respondWith(page(request));
});

async function asset(request) {
  return await caches.match(request) ?? fetch(request);
}

async function page(request) {
  try {
    const late = new Promise((_, failed) => setTimeout(failed, PATIENCE_MS));
    const response = await Promise.race([fetch(request), late]);
    if (response.status < 500) return response;
  } catch {
    // No network, or one that does not answer.
  }
  const chosen = await caches.match(LANGUAGE);
  const language = chosen ? await chosen.text() : KEPT.languages[0];
  return await caches.match(shell(language)) ?? Response.error();
}
