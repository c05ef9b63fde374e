// The tube in work: people and tube are scanned in any order, counted up to the size, and sealed
// by scanning the tube again. What is in work is kept after each scan, for the account that began it
// and with the session it was begun in, so that a killed page goes on where it was.

import { element, fill as text } from "./station.js";
import { fits, kindOf } from "./code.js";
import * as identity from "./collect-identity.js";
import * as outbox from "./collect-outbox.js";
import { keep, kept } from "./collect-vault.js";

const SIZES = [1, 5, 10, 20];
const at = (id) => document.querySelector(`#${id}`);
const empty = () => ({ size: 0, code: "", members: [], steps: [] });
const FAULTS = {
  shape: "js-collect-number-shape", check: "js-collect-number-check", birth: "js-collect-number-birth",
};

// `desk` gives `me()`, `session()`, `isMakers(code)`.
export function tubeDesk({ right, wrong, already, undoable, focus, turn }, desk) {
  let work = empty();
  // The account whose work this is.
  let owner;
  // While a tube is being sealed, nothing else changes what is in work.
  let sealing;
  // The number of the tube sealed last, while its seal can be undone.
  let sealed;
  // The document whose name is being typed.
  let pending;

  const session = () => work.session ?? desk.session();
  const size = () => work.size || session()?.tube_size || 0;
  const full = () => work.members.length > 0 && work.members.length >= size();

  // Goes on where this account was.
  async function begin(account) {
    const found = account && await kept(`tube ${account}`).catch(() => undefined);
    owner = account;
    work = found ?? empty();
    pending = undefined;
    at("person").reset();
    for (const id of ["person", "early", "undo"]) at(id).hidden = true;
    draw();
    offer();
  }

  async function save() {
    try {
      if (owner) await keep(`tube ${owner}`, work);
    } finally {
      draw();
      offer();
    }
  }

  // A tube stays in the session of its first scan.
  function start() {
    work.session ??= desk.session();
    work.size ||= work.session.tube_size;
  }

  // What has become empty belongs to no session any more.
  function rest() {
    if (work.members.length || work.code) return;
    work.session = undefined;
    work.size = 0;
  }

  // Scans ------------------------------------------------------------------------------------

  async function scanned(code, raw) {
    await sealing;
    close("early");
    if (!session()) return wrong(text("js-collect-session-first"));
    if (pending) {
      const lines = [text("js-collect-name-next")];
      if (code === pending.number) return already(text("js-collect-number-here"), lines);
      return wrong(text("js-collect-name-first"), lines);
    }
    const given = identity.payload(raw);
    if (given) return person(given);
    const kind = kindOf(code);
    if (kind && !fits(code)) return wrong(text("js-collect-check"), [text("js-collect-check-next")], code);
    if (kind === "tube" || desk.isMakers(code)) return tube(code);
    if (kind) return wrong(text("js-collect-not-here"), [text("js-collect-not-here-next")], code);
    return number(code);
  }

  // What speaks against a person, said; undefined where nothing does.
  function refused(document) {
    const shown = identity.mask(document.number);
    const found = identity.fault(document.type, document.number);
    if (found) return wrong(text(FAULTS[found]), [text("js-collect-number-next")], shown);
    if (!identity.issuerFits(document.type, document.issuer)) {
      at("other-document").open = true;
      return wrong(text("js-collect-issuer"), [], shown);
    }
    const twice = work.members.findIndex((member) => identity.same(member.document, document));
    if (twice >= 0) return already(text("js-collect-twice", { position: twice + 1 }), [text("js-collect-twice-next")], shown);
    if (full()) return wrong(text("js-collect-full", { size: size() }), [text("js-collect-full-next")], shown);
    return undefined;
  }

  function number(code) {
    const type = at("document").value;
    const issuer = identity.hasIssuer(type) ? at("issuer").value.trim().toUpperCase() : undefined;
    const document = { type, number: code, ...issuer && { issuer } };
    const said = refused(document);
    if (said) return said;
    pending = document;
    at("person-number").textContent = identity.mask(code);
    draw();
    at("person").reset();
    at("person").hidden = false;
    at("name").focus();
    return right(text("js-collect-number"), [text("js-collect-name-next")], identity.mask(code));
  }

  async function person(member) {
    const said = refused(member.document);
    if (said) return said;
    start();
    work.members.push({ ...member, taken_at: new Date().toISOString() });
    work.steps.push("member");
    await save();
    at("document").value = "resident_id";
    at("document").dispatchEvent(new Event("change"));
    const [count, whole] = [work.members.length, size()];
    const lines = full() ? [text(work.code ? "js-collect-seal-now" : "js-collect-tube-now")] : [];
    return right(text("js-collect-added", { count, size: whole }), lines, identity.mask(member.document.number));
  }

  async function tube(code) {
    if (work.code === code) return seal();
    if (work.code) return wrong(text("js-collect-tube-other", { code: work.code }), [text("js-collect-tube-other-next")], code);
    const waiting = (await outbox.records()).some(({ content }) => content?.tube && content.code === code);
    if (waiting) return already(text("js-collect-tube-waits"), [], code);
    work.code = code;
    start();
    work.steps.push("tube");
    await save();
    return right(text("js-collect-tube"), [text(full() ? "js-collect-seal-now" : "js-collect-person-next")], code);
  }

  // Sealing ----------------------------------------------------------------------------------

  async function seal() {
    await sealing;
    const [count, whole] = [work.members.length, size()];
    if (!count) return wrong(text("js-collect-empty"), [text("js-collect-person-next")], work.code);
    if (!work.code) return wrong(text("js-collect-no-tube"), [text("js-collect-tube-now")]);
    if (pending) return wrong(text("js-collect-name-first"), [text("js-collect-name-next")]);
    if (count >= whole) return store();
    at("early").reset();
    at("early").hidden = false;
    at("swabs").focus();
    return already(text("js-collect-early", { count, size: whole }), [text("js-collect-early-next")], work.code);
  }

  function store() {
    close("early");
    sealing ??= put().finally(() => { sealing = undefined; });
    return sealing;
  }

  // What is in work stays there until the record that it becomes is on the disk.
  async function put() {
    const [before, by, where, whole] = [work, owner, session(), size()];
    const { code, members, number } = before;
    const event = outbox.uuid7();
    const body = {
      event_id: event, session: where.code, size: whole, swab_count: members.length,
      underfilled: members.length < whole, sealed_at: new Date().toISOString(), members,
    };
    const masked = members.map(({ document }) => identity.mask(document.number));
    const content = { code, tube: body, masked, place: where.site_name, session: where };
    let sequence;
    try {
      sequence = await outbox.add({ kind: "tube", event, by, content, number, made: `tube ${by}` });
    } catch {
      return wrong(text("js-collect-no-room"), [text("js-collect-no-room-next")], code);
    }
    // Somebody else may have signed in meanwhile.
    if (work !== before) return undefined;
    work = empty();
    draw();
    undoable(text("js-collect-undo-seal", { code }), () => unseal({ sequence, before, by }));
    sealed = sequence;
    right(text("js-collect-sealed", { count: members.length }), [text("js-collect-sealed-next")], code);
    focus();
    outbox.drain({ background: false });
  }

  async function unseal({ sequence, before, by }) {
    const isFree = owner === by && !work.code && !work.members.length;
    if (!isFree || !await outbox.takeBack(sequence, `tube ${by}`, before)) {
      wrong(text("js-collect-undo-late"), [text("js-collect-undo-late-next")], before.code);
      return false;
    }
    work = before;
    draw();
    offer();
    return true;
  }

  // What was sent is not offered to be undone.
  outbox.listen(({ what, sequence }) => {
    if (what !== "sent" || sequence !== sealed) return;
    sealed = undefined;
    if (!work.steps.length) at("undo").hidden = true;
  });

  // A refused tube comes back into work, to be mended and sealed anew in its own session.
  async function mend({ sequence, content }) {
    if (work.code || work.members.length) return false;
    const { size: whole, members } = content.tube;
    const steps = [...members.map(() => "member"), "tube"];
    const back = { session: content.session, size: whole, code: content.code, members, steps };
    if (!await outbox.takeBack(sequence, `tube ${owner}`, back)) return false;
    work = back;
    draw();
    offer();
    return true;
  }

  // Undo -------------------------------------------------------------------------------------

  function offer() {
    const last = work.steps.at(-1);
    if (!last) return;
    const what = last === "tube" ? text("js-collect-undo-tube")
      : text("js-collect-undo-person", { position: work.members.length });
    const mine = work;
    undoable(what, () => mine === work && undo());
  }

  async function undo() {
    if (pending) return leaveOut();
    await sealing;
    if (!work.steps.length) return false;
    const last = work.steps.pop();
    if (last === "tube") work.code = "";
    if (last === "member") work.members.pop();
    rest();
    return save();
  }

  function leaveOut() {
    pending = undefined;
    close("person");
    draw();
    offer();
    focus();
  }

  async function remove(member) {
    focus();
    await sealing;
    const index = work.members.indexOf(member);
    if (index < 0) return;
    work.members.splice(index, 1);
    work.steps.splice(work.steps.lastIndexOf("member"), 1);
    rest();
    await save();
    already(text("js-collect-removed", { position: index + 1 }));
  }

  // What is seen -----------------------------------------------------------------------------

  function close(id) {
    if (at(id).hidden) return;
    at(id).hidden = true;
    focus();
  }

  function draw() {
    const [count, whole, where] = [work.members.length, size(), session()];
    at("desk").classList.toggle("has-session", Boolean(where));
    at("chosen").hidden = !where;
    at("session-name").textContent = where ? `${where.team} · ${where.site_name}` : "";
    at("session-round").textContent = where ? `${where.round_name} · ${where.code}` : "";
    at("tally").textContent = where ? `${count} / ${whole}` : "–";
    at("tally").classList.toggle("is-full", full());
    at("tube-code").textContent = work.code || text("js-collect-no-tube-yet");
    at("tube-code").classList.toggle("is-missing", !work.code);
    at("tube-other").hidden = !work.code;
    const sizes = SIZES.filter((one) => one <= (where?.tube_size ?? 0) || one === whole);
    at("size").replaceChildren(...sizes.map((one) => new Option(one, one, false, one === whole)));
    at("size").disabled = !where;
    at("members").replaceChildren(...work.members.map(row));
    at("no-members").hidden = count > 0;
    at("seal").disabled = !count || !work.code;
    at("seal").classList.toggle("primary", full());
    at("lead").textContent = next(count, where);
  }

  function next(count, where) {
    if (!where) return text("js-collect-lead-session");
    if (pending) return text("js-collect-lead-name");
    if (!full()) return text(work.code || !count ? "js-collect-lead-person" : "js-collect-lead-either");
    return text(work.code ? "js-collect-seal-now" : "js-collect-tube-now");
  }

  function row(member, index) {
    const { document: shown } = member;
    const item = element("li");
    const place = element("span", "position", index + 1);
    const name = element("code", "", identity.mask(shown.number));
    const kind = element("span", "kind", shown.type === "resident_id" ? "" : at("document").querySelector(`[value=${shown.type}]`).textContent);
    const gone = element("button", "quiet out", "✕");
    gone.type = "button";
    gone.setAttribute("aria-label", text("js-collect-leave-out", { position: index + 1 }));
    gone.addEventListener("click", () => remove(member));
    item.append(place, name, kind, gone);
    return item;
  }

  // Forms ------------------------------------------------------------------------------------

  // A scanner does not know where the focus is: a code where a name or a count is wanted is said.
  const isCode = (typed) => kindOf(typed.toUpperCase()) !== undefined || /\d{6}/.test(typed);

  // The next person's document is scanned where a contact of this one's is wanted: its number is longer
  // than a telephone's, which has fifteen digits behind a prefix of two (ITU-T E.164).
  const isNoPhone = (typed) => /[^\d ()+-]/.test(typed) || typed.replace(/\D/g, "").length > 17;
  const isNoAddress = (typed) => kindOf(typed.toUpperCase()) !== undefined || identity.isPerson(typed);

  at("name").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (isCode(at("name").value)) {
      at("name").value = "";
      wrong(text("js-collect-name-code"), [text("js-collect-name-next")]);
    } else if (at("name").value.trim()) {
      at("phone").focus();
    }
  });
  at("person").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!pending) return;
    const contacts = [["phone", isNoPhone, text("js-collect-phone-code")],
      ["address", isNoAddress, text("js-collect-address-code")]];
    for (const [id, isWrong, said] of contacts) {
      if (!isWrong(at(id).value.trim())) continue;
      at(id).value = "";
      at(id).focus();
      wrong(said, [text("js-collect-contact-next")]);
      return;
    }
    const [name, phone, address] = ["name", "phone", "address"].map((id) => at(id).value);
    const member = identity.person(pending, { name, phone, address });
    pending = undefined;
    at("person").reset();
    at("person").hidden = true;
    await person(member);
    focus();
  });
  at("person-drop").addEventListener("click", leaveOut);
  at("early").addEventListener("submit", (event) => {
    event.preventDefault();
    const counted = at("swabs").value.trim();
    const count = work.members.length;
    at("swabs").value = "";
    if (!/^\d{1,2}$/.test(counted)) return wrong(text("js-collect-swabs-number"));
    if (Number(counted) !== count) return wrong(text("js-collect-swabs-differ", { counted, count }), [text("js-collect-swabs-next")]);
    return store();
  });
  for (const id of ["early", "person"]) {
    at(id).addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (id === "person") leaveOut();
      else close(id);
    });
  }
  at("early-not").addEventListener("click", () => close("early"));
  at("seal").addEventListener("click", () => turn(seal));
  at("tube-other").addEventListener("click", async () => {
    // Before the button goes, so that a scan that follows at once has its place.
    focus();
    await sealing;
    work.code = "";
    work.steps = work.steps.filter((step) => step !== "tube");
    rest();
    await save();
  });
  at("size").addEventListener("change", async () => {
    const chosen = Number(at("size").value);
    await sealing;
    if (chosen < work.members.length) wrong(text("js-collect-size-small", { size: chosen, count: work.members.length }));
    else work.size = chosen;
    await save();
    focus();
  });
  at("document").addEventListener("change", () => {
    at("issuer-row").hidden = !identity.hasIssuer(at("document").value);
  });

  const busy = () => Boolean(work.code || work.members.length || pending);
  return { begin, scanned, seal, mend, draw, busy };
}
