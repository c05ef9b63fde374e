// Pick-up slips: for each person of an acknowledged tube the code, and the link as a QR code, to
// show or to print. The codes are made with keys of the server, so there is no slip before it has
// answered; a slip then stays on the device, sealed, until it is put away, at most a day.

import { element, fill as text } from "./station.js";
import * as outbox from "./collect-outbox.js";
import { send, who } from "./collect-server.js";
import * as vault from "./collect-vault.js";

const DAY_MS = 86_400_000;
const at = (id) => document.querySelector(`#${id}`);

// The link is behind the `#`, so that it is in no log of any server on its way.
const linkOf = (token) => `${location.origin}/r#link=${token}`;

// Drawn by the server; none where it cannot be reached.
export async function pictures(texts) {
  const { csrf } = await who({ background: true });
  const { data } = await send("POST", "/collect/qr", { texts }, { csrf });
  const drawn = data?.pictures ?? [];
  return drawn.map((picture) => {
    const svg = new DOMParser().parseFromString(picture, "image/svg+xml").documentElement;
    svg.setAttribute("aria-hidden", "true");
    return document.importNode(svg, true);
  });
}

export function slipDesk({ wrong, focus }, desk) {
  async function list() {
    const slips = await vault.all("slips");
    const old = slips.filter(({ kept }) => Date.now() - kept > DAY_MS);
    if (old.length) await vault.change(old.map(({ code }) => ["slips", "delete", code]));
    const own = slips.filter((slip) => !old.includes(slip) && slip.by === desk.me().account);
    own.sort((a, b) => b.sequence - a.sequence);
    at("slips").hidden = !own.length;
    at("slip-count").textContent = own.length;
    at("slip-list").replaceChildren(...own.map(row));
    return own;
  }

  function row(slip) {
    const item = element("li");
    const open = element("button", "", slip.code);
    open.type = "button";
    open.addEventListener("click", () => show(slip));
    item.append(open);
    return item;
  }

  async function show(slip) {
    const { code, place, at: moment, members } = await vault.unseal(slip.sealed, `slip ${slip.code}`);
    const cards = members.map((member) => card(member, { code, place, moment }));
    at("slip-code").textContent = code;
    at("slip-cards").replaceChildren(...cards);
    at("slip").hidden = false;
    at("slip").dataset.code = code;
    delete at("slip").dataset.drawn;
    document.body.classList.add("has-slip");
    at("slip-title").focus();
    const drawn = await pictures(members.map(({ link }) => linkOf(link)));
    // Other slips may be shown by now: a link goes to the card it was drawn for, and nowhere else.
    for (const [index, picture] of drawn.entries()) cards[index]?.querySelector(".slip-qr").replaceChildren(picture);
    if (at("slip").hidden || !cards[0]?.isConnected) return false;
    at("slip-offline").hidden = drawn.length > 0;
    at("slip").dataset.drawn = drawn.length;
    return true;
  }

  function card({ position, pickup, masked }, { code, place, moment }) {
    const made = element("article", "slip-card");
    const qr = element("div", "slip-qr");
    const words = element("div", "slip-words");
    words.append(
      element("p", "slip-who", `${position} · ${masked}`),
      element("p", "slip-label", text("js-collect-slip-pickup")),
      element("p", "slip-pickup", pickup),
      element("p", "slip-how", text("js-collect-slip-how", { where: `${location.host}/r` })),
      element("p", "slip-tube", `${place} · ${new Date(moment).toLocaleDateString(document.documentElement.lang)} · ${code}`),
    );
    made.append(qr, words);
    return made;
  }

  function close() {
    if (at("slip").hidden) return;
    at("slip").hidden = true;
    at("slip-cards").replaceChildren();
    document.body.classList.remove("has-slip");
    focus();
  }

  // Prints the slips that are shown, or else those of the tube sealed last: never those of the tube
  // before it because the server has not answered yet.
  async function print() {
    if (at("slip").hidden) {
      const [newest] = await list();
      const mine = (await outbox.records()).filter(({ kind, by }) => kind === "tube" && by === desk.me().account);
      const last = mine.at(-1);
      if (last && !(newest?.sequence > last.sequence)) {
        return wrong(text("js-collect-slip-later"), [text("js-collect-slip-later-next")], last.content?.code);
      }
      if (!newest) return wrong(text("js-collect-slip-none"));
      if (!await show(newest)) return undefined;
    }
    return window.print();
  }

  at("slip-print").addEventListener("click", print);
  at("slip-close").addEventListener("click", close);
  at("slip-away").addEventListener("click", async () => {
    await vault.change([["slips", "delete", at("slip").dataset.code]]);
    close();
    await list();
  });

  return { list, print, close };
}
