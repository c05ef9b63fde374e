// A plate as a picture: made once, after which a change touches one well alone.
//
//   import { plateMap } from "./plate-map.js";          // and plate-map.css in the page's head
//   const map = plateMap(place, { size: 96, label: "Plate P00000000017", onPick });
//   map.set("A1", { kind: "tube", text: "10", title: "A1 T00000000011, 10 people" });
//
// plateMap(place, { size, label, onPick })  draws a plate of 96 or 384 wells into the element
//     `place`, in place of what was there. With `onPick(well)` a well is chosen by a click, or by
//     the arrow keys once the plate has the focus, and then is marked.
// map.set(well, { kind, text, title, tone })  what a well shows. Kinds differ in their shape, never
//     in colour alone: `tube` (circle), `pool` (square), `control` (diamond), `free` (ring: a place
//     that waits), `none` (dot). `text` stands in it, `title` is said of it. `tone` colours it:
//     `wait`, `detected`, `not-detected`, `inconclusive`, `invalid`, `bad`, or `heat-1` (latest Ct)
//     to `heat-5` (earliest).
// map.next(wells)  these wells glow, no others. map.pick(well) marks one; map.picked() is its name.
// map.label(text)  what the whole picture is called. map.titleOf(well), map.names().
// wellNames(size)  every well, row by row. bandOf(ct) is the `heat-N` of a Ct.

const NS = "http://www.w3.org/2000/svg";
const SHAPES = { 96: [8, 12], 384: [16, 24] };
const PITCH = 40;
const EDGE = 30;
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function wellNames(size) {
  const [rows, columns] = SHAPES[size];
  return Array.from({ length: rows * columns }, (_, at) =>
    String.fromCharCode(65 + Math.floor(at / columns)) + (at % columns + 1));
}

export function bandOf(ct) {
  return `heat-${ct < 20 ? 5 : ct < 25 ? 4 : ct < 30 ? 3 : ct < 35 ? 2 : 1}`;
}

export function plateMap(place, { size, label = "", onPick }) {
  const [rows, columns] = SHAPES[size];
  const wells = new Map();
  const svg = node("svg", {
    viewBox: `0 0 ${columns * PITCH + EDGE + 6} ${rows * PITCH + EDGE + 6}`,
    class: `plate-map of-${size}`, role: "img", "aria-label": label,
  });
  svg.append(...frame(rows, columns));
  for (const name of wellNames(size)) {
    const [row, column] = at(name);
    const group = node("g", {
      transform: `translate(${EDGE + column * PITCH + PITCH / 2} ${EDGE + row * PITCH + PITCH / 2})`,
      class: "well none", "data-well": name,
    });
    const title = node("title", {}, name);
    const text = node("text", { y: 1 });
    group.append(title, node("rect", { class: "cell", x: -20, y: -20, width: 40, height: 40 }),
      node("rect", { class: "spot", x: -16, y: -16, width: 32, height: 32 }), text);
    svg.append(group);
    wells.set(name, { group, title, text, style: "well none", marks: new Set() });
  }
  place.replaceChildren(svg);
  place.classList.add("plate-place");
  place.tabIndex = 0;

  const mark = (name, style, on) => {
    const well = wells.get(name);
    if (!well) return;
    if (on) well.marks.add(style);
    else well.marks.delete(style);
    well.group.setAttribute("class", [well.style, ...well.marks].join(" "));
  };
  let glowing = [];
  let picked;
  const map = {
    set(name, { kind = "none", text = "", title = "", tone = "" } = {}) {
      const well = wells.get(name);
      if (!well) return;
      well.style = `well ${kind} ${tone}`;
      well.text.textContent = text;
      well.title.textContent = title || name;
      well.group.setAttribute("class", [well.style, ...well.marks].join(" "));
    },
    next(names) {
      for (const name of glowing) mark(name, "next", false);
      for (const name of names) mark(name, "next", true);
      glowing = names;
    },
    pick(name) {
      if (picked) mark(picked, "picked", false);
      picked = name;
      if (name) mark(name, "picked", true);
    },
    picked: () => picked,
    label: (words) => svg.setAttribute("aria-label", words),
    titleOf: (name) => wells.get(name)?.title.textContent ?? "",
    names: () => [...wells.keys()],
  };
  if (onPick) picking(place, svg, map, [rows, columns], onPick);
  return map;
}

function picking(place, svg, map, [rows, columns], onPick) {
  const choose = (name) => {
    map.pick(name);
    onPick(name);
  };
  svg.classList.add("picks");
  // A plate that is drawn anew in the same place has one pair of listeners.
  place.onclick = (event) => {
    const name = event.target.closest("[data-well]")?.dataset.well;
    if (name) choose(name);
  };
  place.onkeydown = (event) => {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const [row, column] = map.picked() ? at(map.picked()) : [-step[0], -step[1]];
    const within = (value, most) => Math.min(Math.max(value, 0), most - 1);
    const to = [within(row + step[0], rows), within(column + step[1], columns)];
    choose(String.fromCharCode(65 + to[0]) + (to[1] + 1));
  };
}

function frame(rows, columns) {
  const parts = [node("rect", {
    class: "rim", x: EDGE - 3, y: EDGE - 3, rx: 10,
    width: columns * PITCH + 6, height: rows * PITCH + 6,
  })];
  for (let column = 0; column < columns; column += 1) {
    parts.push(node("text", { class: "axis", x: EDGE + column * PITCH + PITCH / 2, y: EDGE - 15 }, column + 1));
  }
  for (let row = 0; row < rows; row += 1) {
    parts.push(node("text", { class: "axis", x: EDGE - 16, y: EDGE + row * PITCH + PITCH / 2 },
      String.fromCharCode(65 + row)));
  }
  return parts;
}

function at(name) {
  return [name.charCodeAt(0) - 65, Number(name.slice(1)) - 1];
}

function node(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
