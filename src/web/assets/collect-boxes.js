// Boxes on the same page: a box is scanned, then its tubes and the number of its seal, and it is
// sealed by scanning it again. It is handed over with two signatures: whoever has it names who takes
// it, and that person takes it over. Sealing and giving wait in the outbox like tubes; taking over
// needs the network, because only the server knows what was offered.

import { element, fill as text } from "./station.js";
import { fits, kindOf } from "./code.js";
import { isPerson } from "./collect-identity.js";
import * as outbox from "./collect-outbox.js";
import { serverTime } from "./collect-server.js";
import { keep, kept } from "./collect-vault.js";
import { pictures } from "./collect-slip.js";

const at = (id) => document.querySelector(`#${id}`);
const empty = () => ({ code: "", seal: "", tubes: [] });
// Scans wait for one another: where nobody answers, a box is looked up on the device instead.
const LOOK_MS = 4000;
const TAKE_MS = 20_000;
const BADGE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

// `desk` as for tubes.
export function boxDesk({ right, wrong, already, undoable, api, focus, turn, once }, desk) {
  let work = empty();
  // The account whose work this is.
  let owner;
  // While a box is being sealed, nothing else changes what is in work.
  let sealing;
  // The box that is shown to be handed over: `{ code, open }`, `open` the step that waits for me.
  let shown;

  // Goes on where this account was.
  async function begin(account) {
    const found = account && await kept(`box ${account}`).catch(() => undefined);
    owner = account;
    work = found ?? empty();
    shown = undefined;
    at("give").reset();
    draw();
  }

  async function save() {
    const mine = work;
    try {
      if (owner) await keep(`box ${owner}`, work);
    } finally {
      draw();
    }
    if (!work.tubes.length) return;
    undoable(text("js-collect-undo-pack", { code: work.tubes.at(-1) }), () => mine === work && unpack());
  }

  async function unpack() {
    await sealing;
    work.tubes.pop();
    await save();
  }

  async function scanned(code, raw) {
    await sealing;
    const kind = kindOf(code);
    if (kind && !fits(code)) return wrong(text("js-collect-check"), [text("js-collect-check-next")], code);
    if (kind === "box") return box(code);
    if (kind === "tube" || desk.isMakers(code)) return tube(code);
    if (kind) return wrong(text("js-collect-not-here"), [text("js-collect-box-next")], code);
    if (BADGE.test(raw.toLowerCase())) return badge(raw.toLowerCase());
    if (!work.code) return wrong(text("js-collect-box-first"), [], isPerson(raw) ? "" : code);
    if (!await number(raw)) return undefined;
    return right(text("js-collect-seal-number"), [text("js-collect-box-again")], raw);
  }

  // Keeps the number of the seal; gives whether it can be one.
  async function number(raw) {
    if (isPerson(raw)) {
      at("seal-number").value = work.seal;
      wrong(text("js-collect-seal-person"), [text("js-collect-seal-next")]);
      return false;
    }
    work.seal = raw;
    await save();
    return true;
  }

  async function box(code) {
    if (work.code === code) return seal();
    if (shown?.code === code && shown.open) return take();
    if (work.code) return wrong(text("js-collect-box-other", { code: work.code }), [text("js-collect-box-other-next")], code);
    const { ok, status, data, problem } = await api("GET", `/v1/boxes/${code}`, undefined, { background: true, patience: LOOK_MS });
    if (ok) return show(data);
    if (status !== 404 && status !== 0) return wrong(text("js-collect-refused"), problem.reasons, code);
    const waits = (await outbox.records()).find(({ kind, content }) => kind === "box" && content?.code === code);
    if (waits) return show({ code, holder: waits.by, tubes: [], handovers: [] });
    if (desk.me().role !== "sampler") return wrong(text("js-collect-box-unknown"), problem.reasons, code);
    if (!desk.session()) return wrong(text("js-collect-session-first"));
    shown = undefined;
    work = { ...empty(), code, site: desk.session().site };
    await save();
    return right(text("js-collect-box"), [text("js-collect-box-tubes")], code);
  }

  async function tube(code) {
    if (!work.code) return wrong(text("js-collect-box-first"), [], code);
    if (work.tubes.includes(code)) return already(text("js-collect-packed-twice"), [], code);
    work.tubes.push(code);
    await save();
    return right(text("js-collect-packed", { count: work.tubes.length }), [], code);
  }

  async function seal() {
    await sealing;
    if (!work.tubes.length) return wrong(text("js-collect-box-empty"), [text("js-collect-box-tubes")], work.code);
    if (!work.seal) {
      at("seal-number").focus();
      return wrong(text("js-collect-seal-missing"), [text("js-collect-seal-next")], work.code);
    }
    sealing = store().finally(() => { sealing = undefined; });
    return sealing;
  }

  // What is in work stays there until the record that it becomes is on the disk.
  async function store() {
    const [before, by] = [work, owner];
    const { code, site, seal: sealed, tubes } = before;
    const content = { code, moment: Date.now(), box: { site, seal: sealed, tubes } };
    const record = { kind: "box", event: outbox.uuid7(), by, content, made: `box ${by}` };
    let sequence;
    try {
      sequence = await outbox.add(record);
    } catch {
      return wrong(text("js-collect-no-room"), [text("js-collect-no-room-next")], code);
    }
    // Somebody else may have signed in meanwhile.
    if (work !== before) return undefined;
    work = empty();
    undoable(text("js-collect-undo-seal", { code }), () => unseal({ sequence, before, by }));
    show({ code, holder: by, tubes, handovers: [] });
    outbox.drain({ background: false });
    return right(text("js-collect-box-sealed", { count: tubes.length }), [text("js-collect-give-next")], code);
  }

  async function unseal({ sequence, before, by }) {
    if (owner !== by || work.code || !await outbox.takeBack(sequence, `box ${by}`, before)) {
      wrong(text("js-collect-undo-late"), [text("js-collect-undo-late-next")], before.code);
      return false;
    }
    work = before;
    shown = undefined;
    draw();
    return true;
  }

  // A refused box comes back into work, to be mended and sealed anew.
  async function mend({ sequence, content: { code, box: { site, seal: sealed, tubes } } }) {
    await sealing;
    const back = { code, site, seal: sealed, tubes };
    if (work.code || !await outbox.takeBack(sequence, `box ${owner}`, back)) return false;
    work = back;
    shown = undefined;
    draw();
    return true;
  }

  async function takeOut(code) {
    focus();
    await sealing;
    // It was sealed in meanwhile.
    if (!work.tubes.includes(code)) return;
    work.tubes = work.tubes.filter((tube) => tube !== code);
    await save();
    already(text("js-collect-taken-out"), [], code);
  }

  // Handing over -----------------------------------------------------------------------------

  function show({ code, holder, tubes, handovers }) {
    const me = desk.me().account;
    const open = handovers.find(({ to, taken_by, withdrawn_at }) => to === me && !taken_by && !withdrawn_at);
    shown = { code, open, mine: holder === me, count: tubes.length, handovers };
    at("place").value ||= desk.session()?.site_name ?? "";
    draw();
    const lines = [text(open ? "js-collect-take-next" : shown.mine ? "js-collect-give-next" : "js-collect-with-other")];
    return right(text("js-collect-box-shown"), lines, code);
  }

  function badge(account) {
    if (!shown) return wrong(text("js-collect-box-first"));
    at("to").value = account;
    at("temperature").focus();
    return right(text("js-collect-badge"), [text("js-collect-temperature-next")]);
  }

  async function give() {
    if (!shown?.mine) return wrong(text("js-collect-box-first"));
    const account = at("to").value.trim().toLowerCase();
    if (!BADGE.test(account)) return wrong(text("js-collect-badge-wrong"), [text("js-collect-badge-next")]);
    const warmth = at("temperature").value.trim().replace(",", ".");
    const handover = { to: account, place: at("place").value.trim() };
    if (warmth) handover.temperature_c = Number(warmth);
    if (Number.isNaN(handover.temperature_c)) return wrong(text("js-collect-temperature-wrong"));
    const { code } = shown;
    const content = { code, moment: Date.now(), handover };
    try {
      await outbox.add({ kind: "handover", event: outbox.uuid7(), by: owner, content });
    } catch {
      return wrong(text("js-collect-no-room"), [text("js-collect-no-room-next")], code);
    }
    shown = undefined;
    at("give").reset();
    draw();
    outbox.drain({ background: false });
    focus();
    return right(text("js-collect-given"), [text("js-collect-given-next")], code);
  }

  async function take() {
    const { code, open } = shown ?? {};
    if (!open) return wrong(text("js-collect-box-first"));
    const { ok, problem } = await api("POST", `/v1/boxes/${code}/handovers/${open.step}/accept`, { at: serverTime() }, { patience: TAKE_MS });
    focus();
    if (!ok) return wrong(text("js-collect-refused"), problem.reasons, code);
    shown = { ...shown, open: undefined, mine: true };
    draw();
    return right(text("js-collect-taken"), [], code);
  }

  // What is seen -----------------------------------------------------------------------------

  function draw() {
    at("box-work").hidden = !work.code;
    at("box-idle").hidden = Boolean(work.code || shown);
    at("box-shown").hidden = !shown;
    at("give").hidden = !shown?.mine;
    at("take").hidden = !shown?.open;
    at("box-code").textContent = work.code;
    at("box-count").textContent = work.tubes.length;
    at("box-tubes").replaceChildren(...work.tubes.map((code, index) => {
      const item = element("li");
      const out = element("button", "quiet out", "✕");
      out.type = "button";
      out.setAttribute("aria-label", text("js-collect-take-out", { code }));
      out.addEventListener("click", () => takeOut(code));
      item.append(element("span", "position", index + 1), element("code", "", code), out);
      return item;
    }));
    if (at("seal-number") !== document.activeElement) at("seal-number").value = work.seal;
    at("shown-code").textContent = shown?.code ?? "";
    at("shown-steps").replaceChildren(...(shown?.handovers ?? []).map(({ given_by, taken_by, place }) => {
      const way = text("js-collect-step", { from: given_by.name, to: taken_by?.name ?? "…", place });
      return element("li", "", way);
    }));
  }

  at("seal-number").addEventListener("change", async () => {
    await sealing;
    if (work.code) await number(at("seal-number").value.trim());
  });
  at("seal-number").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    focus();
  });
  at("box-seal").addEventListener("click", () => turn(seal));
  at("box-drop").addEventListener("click", async () => {
    focus();
    await sealing;
    work = empty();
    await save();
  });
  at("give").addEventListener("submit", (event) => { event.preventDefault(); once(give); });
  // A badge that is scanned ends with Enter; the form goes on to the temperature.
  at("to").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || BADGE.test(at("to").value.trim().toLowerCase()) && at("temperature").value) return;
    event.preventDefault();
    at("temperature").focus();
  });
  at("take").addEventListener("click", () => once(take));
  at("shown-close").addEventListener("click", () => { shown = undefined; draw(); focus(); });
  at("badge").addEventListener("toggle", async () => {
    const { account } = desk.me();
    if (!at("badge").open || !account) return;
    at("badge-code").textContent = account;
    const [picture] = await pictures([account]);
    at("badge-qr").replaceChildren(...(picture ? [picture] : []));
  });

  return { begin, scanned, seal, mend, draw };
}
