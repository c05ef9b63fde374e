// Pick-up slips: for each person of an acknowledged tube the code, and the link as a QR code, to
// show or to print. The codes are made with keys of the server, so there is no slip before it has
// answered; a slip then stays on the device, sealed, until it is put away, at most a day.

import { element, fill as text } from "./station.js";
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

export function slipDesk({ focus }, desk) {
  async function list() {
    const slips = await vault.all("slips");
    const old = slips.filter(({ kept }) => Date.now() - kept > DAY_MS);
    if (old.length) await vault.change(old.map(({ code }) => ["slips", "delete", code]));
    const own = slips.filter((slip) => !old.includes(slip) && slip.by === desk.me().account);
    own.sort((a, b) => b.kept - a.kept);
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
    at("slip-code").textContent = code;
    at("slip-cards").replaceChildren(...members.map((member) => card(member, { code, place, moment })));
    at("slip").hidden = false;
    at("slip").dataset.code = code;
    document.body.classList.add("has-slip");
    at("slip-title").focus();
    const drawn = await pictures(members.map(({ link }) => linkOf(link)));
    at("slip-offline").hidden = drawn.length > 0;
    for (const [index, picture] of drawn.entries()) {
      const place = at("slip-cards").children[index]?.querySelector(".slip-qr");
      place?.replaceChildren(picture);
    }
    at("slip").dataset.drawn = drawn.length;
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
    at("slip").hidden = true;
    document.body.classList.remove("has-slip");
    focus();
  }

  async function print() {
    if (at("slip").hidden) {
      const [newest] = await list();
      if (!newest) return false;
      await show(newest);
    }
    window.print();
    return true;
  }

  at("slip-print").addEventListener("click", print);
  at("slip-close").addEventListener("click", close);
  at("slip-away").addEventListener("click", async () => {
    await vault.change([["slips", "delete", at("slip").dataset.code]]);
    at("slip-cards").replaceChildren();
    close();
    await list();
  });

  return { list, print };
}
