// What lies on a plate, as the API tells it and as a picture shows it.

const SIGNS = { positive: "+", weak_positive: "w+", negative: "−", extraction: "E" };

// The sign of a control.
export function signOf(control) {
  return SIGNS[control] ?? "?";
}

// People in the wells of a tube or pool.
export function depthOf(data, code) {
  return data.wells.find((well) => well.tube === code || well.pool === code)?.depth ?? 0;
}

// What fills the slots of a draft, in their order: { code, kind, depth }.
export function contentOf(data, slots) {
  const byWell = new Map(data.wells.map((well) => [well.well, well]));
  const filled = slots.map(([first]) => byWell.get(first)).filter((well) => well?.tube || well?.pool);
  return filled.map(({ tube, pool, depth }) => ({ code: tube ?? pool, kind: pool ? "pool" : "tube", depth }));
}

// The well of a plate of 384 into which a well of its quadrant goes: `z` counts the quadrants row by
// row, `n` column by column.
export function quadrantWell(order, quadrant, well) {
  const [major, minor] = [Math.floor(quadrant / 2), quadrant % 2];
  const [down, across] = order === "z" ? [major, minor] : [minor, major];
  const [row, column] = [well.charCodeAt(0) - 65, Number(well.slice(1)) - 1];
  return String.fromCharCode(65 + 2 * row + down) + (2 * column + across + 1);
}

// The quadrant that a well of a plate of 384 is filled from.
export function quadrantOf(order, well) {
  const [down, across] = [(well.charCodeAt(0) - 65) % 2, (Number(well.slice(1)) - 1) % 2];
  return order === "z" ? 2 * down + across : 2 * across + down;
}
