// What waits on this device and what was refused, each with its reasons; what is refused is mended
// and sealed anew, or given up on paper, and never goes silently.

import { element, explain, fill as text } from "./station.js";
import * as outbox from "./collect-outbox.js";
import * as vault from "./collect-vault.js";

const at = (id) => document.querySelector(`#${id}`);
const KINDS = {
  tube: "js-collect-kind-tube", box: "js-collect-kind-box", handover: "js-collect-kind-handover",
};

// Each reason in words, with the place in the tube where it is about one person.
export function reasonsOf({ reasons }) {
  return reasons.map((reason) => {
    if (reason.code === outbox.UNREADABLE) return text("js-collect-unreadable");
    const [said] = explain({ code: reason.code, detail: "", errors: [reason] }).reasons;
    const [, index] = /^members\[(\d+)\]/.exec(reason.about ?? "") ?? [];
    return index ? `${text("js-collect-number-of", { position: Number(index) + 1 })}: ${said}` : said;
  });
}

// `desk` also gives `mend(record)`, which takes a refused tube or box back into work.
export function waitingDesk({ ask, right, wrong, focus }, desk) {
  // How often it was drawn: what was read earlier is never shown over what was read later.
  let drawn = 0;

  // Gives how many wait and were refused; nothing where a later drawing has taken its place.
  async function draw() {
    drawn += 1;
    const own = drawn;
    const records = await outbox.records();
    const refused = records.filter(({ state }) => state === "refused");
    const waiting = records.filter(({ state }) => state === "waiting");
    const given = await vault.all("given");
    if (own !== drawn) return undefined;
    at("waiting-count").textContent = records.length;
    at("waiting-count").classList.toggle("is-refused", refused.length > 0);
    at("waiting-none").hidden = records.length > 0;
    at("refused").hidden = !refused.length;
    at("refused-list").replaceChildren(...refused.map(refusal));
    at("queue").hidden = !waiting.length;
    at("queue-list").replaceChildren(...waiting.map(line));
    at("given").hidden = !given.length;
    at("given-list").replaceChildren(...given.map(note));
    return { waiting: waiting.length, refused: refused.length };
  }

  // The code, or the running number where the code cannot be read.
  const nameOf = ({ content, sequence }) => content?.code ?? `№ ${sequence}`;

  function head({ kind, content, sequence }) {
    const first = element("p", "record-head");
    const people = content?.tube ? text("js-collect-people", { count: content.tube.members.length }) : "";
    first.append(
      element("code", "", nameOf({ content, sequence })),
      element("span", "", text(KINDS[kind])), element("span", "", people),
    );
    if (content) first.append(element("span", "record-number", `№ ${sequence}`));
    return first;
  }

  function line(record) {
    const item = element("li");
    const { by } = record;
    item.append(head(record));
    const other = by !== desk.me().account ? text("js-collect-by-other")
      : record.tries ? text("js-collect-tried", { count: record.tries }) : "";
    if (other) item.append(element("p", "quiet-text", other));
    return item;
  }

  // The people of a tube, and what is done about them, are for whoever sealed it alone.
  function refusal(record) {
    const item = element("li", "refusal");
    if (record.by !== desk.me().account) {
      item.append(element("code", "", nameOf(record)), element("p", "quiet-text", text("js-collect-refused-other")));
      return item;
    }
    const why = element("ul");
    why.append(...reasonsOf(record).map((reason) => element("li", "", reason)));
    const actions = element("p", "actions");
    if (record.content?.tube ?? record.content?.box) actions.append(button("js-collect-mend", "primary", () => mend(record)));
    actions.append(button("js-collect-give-up", "danger", () => paper(record)));
    item.append(head(record), why, actions);
    return item;
  }

  function button(key, style, pressed) {
    const made = element("button", style, text(key));
    made.type = "button";
    made.addEventListener("click", pressed);
    return made;
  }

  async function mend(record) {
    const { kind, content: { code } } = record;
    if (await desk.mend(record)) return right(text("js-collect-mending"), reasonsOf(record), code);
    const busy = kind === "box" ? ["js-collect-mend-box-busy", "js-collect-mend-box-busy-next"]
      : ["js-collect-mend-busy", "js-collect-mend-busy-next"];
    return wrong(text(busy[0]), [text(busy[1])], code);
  }

  // Everything the record holds, for the paper that goes with the tube instead.
  function paper(record) {
    const { content, sequence, event } = record;
    const rows = (content?.tube?.members ?? []).map(({ document: shown, name, phone = "" }, index) => {
      const row = element("tr");
      row.append(...[index + 1, name, shown.number, phone].map((cell) => element("td", "", cell)));
      return row;
    });
    at("paper-code").textContent = nameOf(record);
    at("paper-facts").textContent = `№ ${sequence} · ${event} · ${new Date().toLocaleString(document.documentElement.lang)}`;
    at("paper-reasons").replaceChildren(...reasonsOf(record).map((reason) => element("li", "", reason)));
    at("paper-rows").replaceChildren(...rows);
    at("paper").hidden = false;
    document.body.classList.add("has-paper");
    at("paper-title").focus();
    at("paper-done").onclick = () => done(record);
  }

  async function done(record) {
    const code = nameOf(record);
    const sure = await ask(text("js-collect-give-up-title", { code }), text("js-collect-give-up-text"), text("js-collect-give-up-yes"));
    if (!sure) return;
    await outbox.giveUp(record, desk.me().account);
    close();
    right(text("js-collect-given-up"), [], code);
  }

  function close() {
    if (at("paper").hidden) return;
    at("paper").hidden = true;
    at("paper-rows").replaceChildren();
    document.body.classList.remove("has-paper");
    focus();
  }

  function note({ code, sequence, at: moment, reasons }) {
    const item = element("li");
    const when = new Date(moment).toLocaleString(document.documentElement.lang);
    item.append(element("code", "", code), element("span", "", `№ ${sequence} · ${when}`), element("span", "", reasonsOf({ reasons }).join(" ")));
    return item;
  }

  at("paper-print").addEventListener("click", () => window.print());
  at("paper-close").addEventListener("click", close);
  at("send-now").addEventListener("click", () => outbox.drain({ background: false }));

  return { draw, close };
}
