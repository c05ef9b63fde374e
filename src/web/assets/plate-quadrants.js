// The quadrants of a plate of 384 that is stamped from four plates of 96: what is in each, and a list
// from which any of them is cleared, for a wrong plate may be seen when it is not the last.
//
// `plate.quadrants` has the code of each plate, null where nothing is to be, and false where one was
// cleared and is still to be filled; nothing behind the last one that was begun. Stored, both are null.
//
// fillQuadrant(quadrant, code, wells)  what a plate brings, in the wells of the plate of 384; null as
//     `code` leaves the quadrant empty. fillQuadrants(data)  all that is stored.
// emptyQuadrant(quadrant)  takes it off, and gives [code, wells] to put it back.

import { element } from "./station.js";
import { quadrantOf } from "./plate-content.js";
import { add, counted, listed, map, picture, plate, say } from "./plate-open.js";

const at = (id) => document.querySelector(`#${id}`);

export function fillQuadrant(quadrant, code, wells = []) {
  while (plate.quadrants.length < quadrant) plate.quadrants.push(false);
  plate.quadrants[quadrant] = code;
  plate.contents[quadrant] = wells;
  for (const { well, control, tube, pool, depth } of wells) {
    if (control) picture.control(map, [well], control);
    else add({ code: tube ?? pool, kind: pool ? "pool" : "tube", depth, wells: [well], quadrant }, "");
  }
  show();
}

// What is empty is still to be filled, wherever it is: one that was left empty can be left so again, and
// one that waits for its plate would be forgotten.
export function fillQuadrants({ stamp, wells }) {
  const { order, quadrants } = stamp;
  quadrants.forEach((code, quadrant) => {
    if (code) fillQuadrant(quadrant, code, wells.filter(({ well }) => quadrantOf(order, well) === quadrant));
  });
}

export function emptyQuadrant(quadrant) {
  const [code, wells] = [plate.quadrants[quadrant], plate.contents[quadrant] ?? []];
  for (const { well } of wells) map.set(well);
  plate.placed = plate.placed.filter((one) => one.quadrant !== quadrant);
  plate.quadrants[quadrant] = false;
  while (plate.quadrants.at(-1) === false) plate.quadrants.pop();
  listed();
  show();
  return [code, wells];
}

function show() {
  const begun = [...plate.quadrants.entries()].filter(([, code]) => code !== false);
  at("quadrants-part").hidden = !begun.length;
  at("quadrants").replaceChildren(...begun.map(row));
  counted();
}

function row([quadrant, code]) {
  const [count, what] = [quadrant + 1, code ?? say("quadrant-none")];
  const button = element("button", "", say("clear"));
  button.type = "button";
  button.dataset.quadrant = quadrant;
  button.setAttribute("aria-label", say("clear-quadrant", { count, what }));
  const item = element("li");
  item.append(element("b", "", say("quadrant", { count })), element(code ? "code" : "span", "", what), button);
  return item;
}
