// Tubes that stand in a scanned rack, down its columns.

// readRack({ api, laboratory, plate, attempt }, code, file)  hands the scanner's file in and tries
//     its tubes on the plate: { ok, tubes, data, problem }. Either all of them go on the plate or
//     none, for the robot takes them all; without a problem there are too many.
export async function readRack({ api, laboratory, plate, attempt }, code, file) {
  const query = new URLSearchParams({ laboratory, size: document.querySelector("#rack-size").value });
  const sent = new Blob([await file.arrayBuffer()], { type: "text/csv" });
  const scan = await api("PUT", `/v1/racks/${encodeURIComponent(code)}?${query}`, sent);
  if (!scan.ok) return scan;
  const placed = new Set(plate.placed.map((one) => one.code));
  const tubes = scan.data.tubes.map((one) => one.tube).filter((tube) => !placed.has(tube));
  if (tubes.length > plate.slots.length - placed.size) return { ok: false };
  return { ...await attempt(tubes, []), tubes };
}
