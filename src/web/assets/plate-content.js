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

// What fills the slots of a draft, in their order: { code, kind, depth, wells }. None where something
// stands in other wells than these slots give it.
export function contentOf(data, slots) {
  const filled = new Map(data.wells.filter(({ tube, pool }) => tube ?? pool).map((well) => [well.well, well]));
  const content = slots.filter(([first]) => filled.has(first)).map((wells) => {
    const { tube, pool, depth } = filled.get(wells[0]);
    return { code: tube ?? pool, kind: pool ? "pool" : "tube", depth, wells };
  });
  const count = content.reduce((sum, { wells }) => sum + wells.length, 0);
  const holds = ({ code, wells }) => wells.every((well) => [filled.get(well)?.tube, filled.get(well)?.pool].includes(code));
  return count === filled.size && content.every(holds) && areFirst(content, slots) ? content : undefined;
}

// What was placed on a plate as it was kept at this desk, and is not on it as it is stored.
export function notOn(data, kept) {
  const stored = [...data.wells.map(({ tube, pool }) => tube ?? pool), ...data.stamp?.quadrants ?? []];
  const placed = kept ? [...kept.placed.map(({ code }) => code), ...kept.quadrants] : [];
  return placed.filter((code) => code && !stored.includes(code));
}

// What was chosen for a plate as it is stored: [kit, lot, template].
export function settingsOf({ kit, kit_version: version, lot, template, stamp }) {
  return [`${kit} ${version}`, lot ?? "", stamp ? `stamp-${stamp.order}` : template];
}

// Whether what is stored is what was placed, each in its wells or quadrant, with these settings, and
// nothing beside it.
export function isAs(data, { placed, quadrants, settings }) {
  if (String(settings) !== String(settingsOf(data))) return false;
  if (data.stamp) return String(fourOf(quadrants)) === String(fourOf(data.stamp.quadrants));
  const stored = new Map();
  for (const { well, tube, pool } of data.wells) {
    const code = tube ?? pool;
    if (code) stored.set(code, [...stored.get(code) ?? [], well]);
  }
  const same = (one, other) => String([...one].sort()) === String([...other ?? []].sort());
  return stored.size === placed.length && placed.every(({ code, wells }) => same(wells, stored.get(code)));
}

// Whether these fill the first slots, one after the other.
export function areFirst(content, slots) {
  return content.every(({ wells }, at) => String(wells) === String(slots[at]));
}

// The well of a plate of 384 into which a well of its quadrant goes: `z` counts the quadrants row by
// row, `n` column by column.
export function quadrantWell(order, quadrant, well) {
  const [major, minor] = [Math.floor(quadrant / 2), quadrant % 2];
  const [down, across] = order === "z" ? [major, minor] : [minor, major];
  const [row, column] = [well.charCodeAt(0) - 65, Number(well.slice(1)) - 1];
  return String.fromCharCode(65 + 2 * row + down) + (2 * column + across + 1);
}

// The wells of a plate of 96 as they come to lie in this quadrant.
export function stampedWells(order, quadrant, { wells }) {
  return wells.map((one) => ({ ...one, well: quadrantWell(order, quadrant, one.well) }));
}

// The plate of each of the four quadrants as it is stored; null where there is none.
export function fourOf(quadrants) {
  return [0, 1, 2, 3].map((quadrant) => quadrants[quadrant] || null);
}

// The quadrants that are still to be filled, the next one first. One that is left empty is null.
export function openQuadrants(quadrants) {
  return [0, 1, 2, 3].filter((quadrant) => !quadrants[quadrant] && quadrants[quadrant] !== null);
}

// The quadrant that a well of a plate of 384 is filled from.
export function quadrantOf(order, well) {
  const [down, across] = [(well.charCodeAt(0) - 65) % 2, (Number(well.slice(1)) - 1) % 2];
  return order === "z" ? 2 * down + across : 2 * across + down;
}
