// Tubes that stand in a scanned rack, down its columns.

// readRack({ api, laboratory, plate, attempt }, file)  hands the scanner's file in and tries its
//     tubes on the plate: { ok, code, tubes, data, problem }, without the rack's code nothing. Either
//     all of them go on the plate or none, for the robot takes them all; without a problem there are
//     too many.
export async function readRack({ api, laboratory, plate, attempt }, file) {
  const code = document.querySelector("#rack").value.trim();
  if (!code) {
    document.querySelector("#rack").focus();
    return {};
  }
  const query = new URLSearchParams({ laboratory, size: document.querySelector("#rack-size").value });
  const sent = new Blob([await file.arrayBuffer()], { type: "text/csv" });
  const scan = await api("PUT", `/v1/racks/${encodeURIComponent(code)}?${query}`, sent);
  if (!scan.ok) return { ...scan, code };
  const placed = new Set(plate.placed.map((one) => one.code));
  const tubes = scan.data.tubes.map((one) => one.tube).filter((tube) => !placed.has(tube));
  if (tubes.length > plate.slots.length - placed.size) return { ok: false, code };
  return { ...await attempt(plate, tubes, []), code, tubes };
}
