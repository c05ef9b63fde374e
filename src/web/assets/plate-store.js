// A plate on its way to the server, under the tag of the stored version it goes on from: what another
// desk stored meanwhile is not written over unseen. `plate.changed` says that this was refused.
//
// storing({ api, laboratory, stored })  gives, with the answers of `api`:
// attempt(plate, tubes, pools)  whether these would be taken; without them the whole plate. Nothing is
//     stored. put(plate)  stores the draft, and then calls `stored()`. fix(plate)  freezes it as it
//     was stored.

const at = (id) => document.querySelector(`#${id}`);

export function storing({ api, laboratory, stored }) {
  const pathOf = (plate) => `/v1/plates/${encodeURIComponent(plate.code)}`;

  const under = (tag) => ({ headers: tag ? { "if-match": tag } : { "if-none-match": "*" } });

  async function send(plate, method, path, body) {
    const { tag } = plate;
    const answer = await api(method, path, body, under(tag));
    if (answer.problem?.code !== "plate.changed") return answer;
    // A tube that was tried while the draft was being saved here.
    if (plate.tag !== tag) return send(plate, method, path, body);
    if (await isOurs(plate)) return send(plate, method, path, body);
    plate.changed = true;
    return answer;
  }

  // Whether what is stored is what this desk saved without hearing the answer: the same content is
  // answered as stored, whatever version it was to go on from.
  async function isOurs(plate) {
    const { lost, tag } = plate;
    if (!lost) return false;
    const answer = await api("PUT", pathOf(plate), lost, under(tag));
    if (answer.ok) took(plate, answer);
    return answer.ok;
  }

  function took(plate, { etag }) {
    Object.assign(plate, { stored: true, tag: etag, changed: false, lost: undefined });
    stored();
  }

  function request(plate, tubes, pools) {
    const [kit, version] = at("kit").value.split(" ");
    const of = { laboratory, kit, kit_version: version, lot: at("lot").value || undefined };
    if (plate.stamp) {
      return { ...of, stamp: { order: plate.stamp, quadrants: [0, 1, 2, 3].map((at) => plate.quadrants[at] ?? null) } };
    }
    const placed = (kind) => plate.placed.filter((one) => one.kind === kind).map((one) => one.code);
    return { ...of, template: plate.template, tubes: tubes ?? placed("tube"), pools: pools ?? placed("pool") };
  }

  return {
    attempt: (plate, tubes, pools) => send(plate, "PUT", `${pathOf(plate)}?dry_run=true`, request(plate, tubes, pools)),
    async put(plate) {
      const body = request(plate);
      const answer = await send(plate, "PUT", pathOf(plate), body);
      if (answer.ok) took(plate, answer);
      else if (answer.status === 0) plate.lost = body;
      return answer;
    },
    fix: (plate) => send(plate, "POST", `${pathOf(plate)}/freeze`, {}),
  };
}
