// A plate on its way to the server, under the tag of the stored version it goes on from: what another
// desk stored meanwhile is not written over unseen. `plate.changed` says that this was refused.
//
// storing({ api, laboratory, stored })  gives, with the answers of `api`:
// attempt(plate, tubes, pools)  whether these would be taken; without them the whole plate. Nothing is
//     stored. put(plate)  stores the draft, and then calls `stored()`. fix(plate)  freezes it as it
//     was stored. isStored(plate)  whether all of it is stored and nothing else, so that nothing is
//     lost where it is left; seen(plate)  says so of one that is shown as it is stored. isSent(plate)
//     whether there is, or may be, a stored one at all.

import { fourOf } from "./plate-content.js";

// Nobody answered, or somebody who does not know what became of it.
const isUnheard = ({ status }) => status === 0 || status >= 500;
const at = (id) => document.querySelector(`#${id}`);

export function storing({ api, laboratory, stored }) {
  const pathOf = (plate) => `/v1/plates/${encodeURIComponent(plate.code)}`;

  const under = (tag) => ({ headers: tag ? { "if-match": tag } : { "if-none-match": "*" } });

  async function send(plate, method, path, body) {
    const { tag } = plate;
    const answer = await api(method, path, body, under(tag));
    if (!["plate.changed", "plate.concurrent"].includes(answer.problem?.code)) return answer;
    // A tube that was tried while the draft was being saved here.
    if (plate.tag !== tag) return send(plate, method, path, body);
    const own = await ours(plate);
    if (own?.ok) return send(plate, method, path, body);
    if (own) return own;
    plate.changed = true;
    return answer;
  }

  // Whether what is stored is what this desk saved without hearing of it: the same content is
  // answered as stored, whatever version it was to go on from. Again nobody may answer.
  async function ours(plate) {
    for (const body of plate.unheard ?? []) {
      const answer = await api("PUT", pathOf(plate), body, under(plate.tag));
      if (answer.ok) took(plate, answer, body);
      if (answer.ok || isUnheard(answer)) return answer;
    }
    return undefined;
  }

  function took(plate, { etag }, body) {
    Object.assign(plate, { stored: true, tag: etag, changed: false, unheard: [], asStored: JSON.stringify(body) });
    stored();
  }

  function request(plate, tubes, pools) {
    const [kit, version] = at("kit").value.split(" ");
    const of = { laboratory, kit, kit_version: version, lot: at("lot").value || undefined };
    if (plate.stamp) {
      return { ...of, stamp: { order: plate.stamp, quadrants: fourOf(plate.quadrants) } };
    }
    const placed = (kind) => plate.placed.filter((one) => one.kind === kind).map((one) => one.code);
    return { ...of, template: plate.template, tubes: tubes ?? placed("tube"), pools: pools ?? placed("pool") };
  }

  return {
    attempt: (plate, tubes, pools) => send(plate, "PUT", `${pathOf(plate)}?dry_run=true`, request(plate, tubes, pools)),
    async put(plate) {
      const body = request(plate);
      const answer = await send(plate, "PUT", pathOf(plate), body);
      if (answer.ok) took(plate, answer, body);
      else if (isUnheard(answer)) plate.unheard = [...plate.unheard ?? [], body];
      return answer;
    },
    fix: (plate) => send(plate, "POST", `${pathOf(plate)}/freeze`, {}),
    isStored: (plate) => !plate.unheard?.length && plate.asStored === JSON.stringify(request(plate)),
    isSent: (plate) => plate.stored || plate.unheard?.length > 0,
    seen(plate) {
      plate.asStored = JSON.stringify(request(plate));
    },
  };
}
