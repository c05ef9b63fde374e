// Where a tube is that cannot be on this plate, in words.

// whereIs({ api, say }, code, problem)  one line each; none where the problem is another one.
export async function whereIs({ api, say }, code, problem) {
  const states = {
    sealed: say("is-sealed"), packed: say("is-packed"), missing: say("is-missing"),
    refused: say("is-refused"), plated: say("is-plated"), released: say("is-released"),
    closed: say("is-closed"),
  };
  if (!problem.errors?.some((reason) => reason.code === "plate.tube_state")) return [];
  const { ok, data } = await api("GET", `/v1/tubes/${encodeURIComponent(code)}`, undefined, { background: true });
  if (!ok || !states[data.state]) return [];
  const last = data.wells.at(-1);
  const lines = [states[data.state]];
  if (last) lines.push(say("is-on", { plate: last.plate, well: last.well }));
  return lines;
}
