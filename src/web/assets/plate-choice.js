// What a plate is filled for: kit, lot and template to choose from, and the tubes that wait for it.
//
// choosing({ api, laboratory, say })  fills the fields `#kit`, `#lot`, `#template` and the list
//     `#waiting`.
// kits()  loads everything once. lots()  what fits the chosen kit. setAll([kit, lot, template])
//     chooses these where they are there: { gone, problem } names those that are not, and says what
//     could not be asked. waiting()  loads the tubes and pools to be tested again.

import { element } from "./station.js";

const at = (id) => document.querySelector(`#${id}`);

export function choosing({ api, laboratory, say }) {
  // Why something could not be loaded, if it could not: what is missing then is not known to be gone.
  let failed;
  return { kits, lots, setAll, waiting };

  async function kits() {
    const { ok, data, problem } = await api("GET", "/v1/kits");
    failed = problem;
    const usable = ok ? data.kits.filter((kit) => !kit.refusals.length) : [];
    at("kit").replaceChildren(...usable.map(({ code, version, name }) => new Option(`${name} · ${version}`, `${code} ${version}`)));
    await lots();
  }

  // The lots of the chosen kit that have not expired, and the templates with as many wells to a tube.
  async function lots() {
    const [kit, version] = at("kit").value.split(" ");
    if (!kit) return;
    const path = `/v1/kits/${encodeURIComponent(kit)}/versions/${encodeURIComponent(version)}`;
    const [listed, defined] = await Promise.all([api("GET", "/v1/lots"), api("GET", path)]);
    failed = listed.problem ?? defined.problem;
    const none = at("lot").options[0];
    const { now } = at("plate").dataset;
    const fit = listed.ok ? listed.data.lots.filter((lot) => lot.kit === kit && lot.laboratory === laboratory && lot.expires_at > now) : [];
    at("lot").replaceChildren(none, ...fit.map(({ lot, left, expires_at: expires }) =>
      new Option(say("lot", { lot, left, expires: expires.slice(0, 10) }), lot)));
    if (fit.length) at("lot").value = fit[0].lot;
    const reactions = defined.ok ? defined.data.definition.reactions : [];
    const wells = reactions.reduce((sum, { replicates = 1 }) => sum + replicates, 0);
    for (const option of at("template").options) {
      const fits = [0, wells].includes(Number(option.dataset.wells)) || !wells;
      option.hidden = !fits;
      option.disabled = !fits;
    }
    if (at("template").selectedOptions[0]?.disabled) {
      at("template").value = [...at("template").options].find((option) => !option.disabled).value;
    }
  }

  async function setAll([kit, lot, template]) {
    const gone = [];
    const set = (id, value) => {
      const found = [...at(id).options].some((option) => option.value === value && !option.disabled);
      if (found) at(id).value = value;
      else gone.push(id);
    };
    set("kit", kit);
    await lots();
    set("lot", lot);
    set("template", template);
    return { gone, problem: failed };
  }

  // What waits to be tested again, and where each is to be found. The tubes of a pool that is open
  // again wait as that pool; one of a pool that was not negative has no well of its own.
  async function waiting() {
    const { tubes, isWhole } = await allWaiting();
    const pools = new Set();
    const things = tubes.filter(({ pool }) => !pool || (!pools.has(pool) && pools.add(pool)));
    at("waiting-part").hidden = !things.length;
    at("waiting-count").textContent = isWhole ? things.length : `${things.length}+`;
    at("waiting").replaceChildren(...things.map((one) => {
      const item = element("li");
      const { last_plate: plate, last_well: well, last_pool: pool } = one;
      const place = pool && !one.pool ? say("stands-in", { pool, plate, well }) : say("stands", { plate, well });
      item.append(element("code", "", one.pool ?? one.tube), place);
      return item;
    }));
  }

  // Page after page, as many as there are; a page that does not come ends the list before it is whole.
  async function allWaiting() {
    const path = `/v1/laboratories/${encodeURIComponent(laboratory)}/retests`;
    const tubes = [];
    for (let after = "", next = "first"; next; after = `?after=${next}`) {
      const { ok, data } = await api("GET", path + after, undefined, { background: true });
      if (!ok) return { tubes, isWhole: false };
      tubes.push(...data.retests);
      next = data.next;
    }
    return { tubes, isWhole: true };
  }
}
