// What a device keeps, each record sealed by itself (AES-GCM, 256 bits) in IndexedDB.
//
// The key is made on the device and cannot be read out of the browser, not even by this page; it
// lies in the same browser profile as what it seals. That keeps names and numbers out of a copy of
// the disk's files, of a backup, of a list that some tool makes of IndexedDB, and it makes a record
// unreadable for ever once its key is gone. It does not protect from whoever can run this origin's
// code on an unlocked device: for that there are the lock of the device and its own encryption.
//
// A record that carries a running number gets it in the transaction that stores it, so that no
// number is ever used twice, and nothing is acknowledged to a sampler before it is on the disk.

export const NAME = "swabline-collect";
const STORES = { meta: undefined, outbox: "sequence", slips: "code", given: "sequence" };

let opened;

function database() {
  return new Promise((done, failed) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(STORES)) {
        request.result.createObjectStore(name, keyPath ? { keyPath } : {});
      }
    };
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

// One transaction over these stores; `work(store, give)` asks, `give` says what comes of it. Done
// only when it is on the disk.
async function within(names, mode, work) {
  const { db } = await ready();
  return transact(db, names, mode, work);
}

function transact(db, names, mode, work) {
  return new Promise((done, failed) => {
    const transaction = db.transaction(names, mode, { durability: "strict" });
    let given;
    transaction.oncomplete = () => done(given);
    transaction.onabort = () => failed(transaction.error);
    work((name) => transaction.objectStore(name), (value) => { given = value; });
  });
}

// The database with its key; the first tab to ask makes the key and the device's id.
function ready() {
  opened ??= (async () => {
    const db = await database();
    const fresh = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const { key, device } = await transact(db, ["meta"], "readwrite", (store, give) => {
      const meta = store("meta");
      meta.get("key").onsuccess = ({ target }) => {
        const key = target.result ?? fresh;
        if (!target.result) meta.put(fresh, "key");
        meta.get("device").onsuccess = ({ target }) => {
          const device = target.result ?? `web-${crypto.randomUUID()}`;
          if (!target.result) meta.put(device, "device");
          give({ key, device });
        };
      };
    });
    // Asked for, so that a browser short of room does not throw away what is not sent yet.
    navigator.storage?.persist?.().catch(() => false);
    return { db, key, device };
  })();
  return opened;
}

export async function device() {
  return (await ready()).device;
}

const bytes = (text) => new TextEncoder().encode(text);

// `about` binds a record to its place: it opens nowhere else.
export async function seal(value, about) {
  const { key } = await ready();
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const clear = bytes(JSON.stringify(value));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: bytes(about) }, key, clear);
  return { iv, data };
}

export async function unseal({ iv, data }, about) {
  const { key } = await ready();
  const clear = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: bytes(about) }, key, data);
  return JSON.parse(new TextDecoder().decode(clear));
}

// Single values change in the order in which that was asked for, so that one which is sealed slowly
// does not come back after it was taken away.
let turn = Promise.resolve();

function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => undefined);
  return done;
}

// Single values under a name: the tube in work, who is signed in, the sessions to choose from.
export function keep(name, value) {
  return inTurn(async () => {
    const sealed = await seal(value, name);
    await within(["meta"], "readwrite", (store) => store("meta").put(sealed, name));
  });
}

export async function kept(name) {
  const sealed = await within(["meta"], "readonly", (store, give) => {
    store("meta").get(name).onsuccess = ({ target }) => give(target.result);
  });
  return sealed && unseal(sealed, name);
}

export function forget(name) {
  return inTurn(() => within(["meta"], "readwrite", (store) => store("meta").delete(name)));
}

// Puts a record under the next running number, and takes away the value it was made of: the tube
// in work becomes a tube that waits, in one step. Tubes are counted by themselves as well, for of
// them the server reports which never came; one that was taken back has its number already.
export function enlist(record, made) {
  return inTurn(() => within(["meta", "outbox"], "readwrite", (store, give) => {
    const meta = store("meta");
    const next = (counter, first, use) => {
      meta.get(counter).onsuccess = ({ target }) => {
        const number = (target.result ?? first) + 1;
        meta.put(number, counter);
        use(number);
      };
    };
    next("sequence", 0, (sequence) => {
      const put = (number) => {
        store("outbox").add({ ...record, number, sequence });
        if (made) meta.delete(made);
        give(sequence);
      };
      if (record.kind !== "tube" || record.number) put(record.number);
      // A device of before counted its tubes among everything else.
      else next("tubes", sequence - 1, put);
    });
  }));
}

// The reverse: a waiting record goes, and what it held becomes the value again.
export function delist(sequence, name, value) {
  return inTurn(async () => {
    const sealed = await seal(value, name);
    await within(["meta", "outbox"], "readwrite", (store) => {
      store("outbox").delete(sequence);
      store("meta").put(sealed, name);
    });
  });
}

export function all(name) {
  return within([name], "readonly", (store, give) => {
    store(name).getAll().onsuccess = ({ target }) => give(target.result);
  });
}

// Puts and deletes in one transaction: `[["outbox", "delete", 7], ["slips", "put", slip]]`.
export function change(steps) {
  const names = [...new Set(steps.map(([name]) => name))];
  return within(names, "readwrite", (store) => {
    for (const [name, what, value] of steps) store(name)[what](value);
  });
}
