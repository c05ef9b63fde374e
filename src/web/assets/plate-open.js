// The plate that is open at this desk, and what is shown of it: its picture, its figures, and what was
// placed last.
//
// plate  nothing, or { code, size, slots, controls, placed: [{ code, kind, depth, wells }], state, tag };
//     one that is stamped has `stamp`, and its sources in `quadrants`. `tag` is the stored version it
//     goes on from, `changed` says that another one is stored. map  is its picture.
// draw(made)  opens it, drawn(data)  opens one to look at, close()  leaves the desk without one.
// add(one, tone), takeOff(one), dress(one, tone)  a tube or pool. listed(), counted()  what is beside
//     the picture. nextWords()  what comes next. say(key, filled)  a text of the page's own.

import { element, fill } from "./station.js";
import { plateMap } from "./plate-map.js";
import { nextWords as wordsOfNext, picturing, showFigures } from "./plate-figures.js";

const LISTED = 12;

const at = (id) => document.querySelector(`#${id}`);
export const say = (key, filled) => fill(`js-plate-${key}`, filled);
export const picture = picturing({ say });

export let plate;
export let map;

export function draw(made) {
  plate = { placed: [], quadrants: [], contents: [], state: "new", ...made };
  at("plate-code").textContent = plate.code;
  at("no-plate").hidden = true;
  at("shown").hidden = false;
  map = plateMap(at("map"), { size: plate.size, onPick: (well) => { at("well-about").textContent = map.titleOf(well); } });
  for (const wells of plate.slots) picture.free(map, wells);
  for (const { control, wells } of plate.controls) picture.control(map, wells, control);
  at("placed").replaceChildren();
  for (const id of ["quadrants-part", "undo"]) at(id).hidden = true;
  counted();
}

// A plate to look at.
export function drawn(data) {
  draw({ code: data.code, size: data.size, slots: [], controls: [], state: data.state, stored: true });
  for (const well of data.wells) {
    if (well.control) picture.control(map, [well.well], well.control);
    else add({ code: well.tube ?? well.pool, kind: well.pool ? "pool" : "tube", depth: well.depth, wells: [well.well] }, "");
  }
  at("places").textContent = "0";
}

export function close() {
  plate = undefined;
  for (const id of ["shown", "actions", "lists", "undo"]) at(id).hidden = true;
  for (const id of ["kit", "template"]) at(id).disabled = false;
  at("no-plate").hidden = false;
}

export function add(one, tone) {
  plate.placed.push(one);
  const item = element("li");
  item.append(element("b", "", one.wells[0]), element("code", "", one.code), element("span"));
  one.item = item;
  listed();
  dress(one, tone);
  counted();
}

export function takeOff(one) {
  plate.placed.splice(plate.placed.indexOf(one), 1);
  listed();
  picture.free(map, one.wells);
  counted();
}

// The newest alone: a long list would be measured anew at each scan.
export function listed() {
  at("placed").replaceChildren(...plate.placed.slice(-LISTED).reverse().map((one) => one.item));
}

export function dress(one, tone) {
  picture.tube(map, one, tone);
  one.item.lastChild.textContent = one.depth ? say("people", { count: one.depth }) : "";
}

export function counted() {
  showFigures({ plate, map, say });
}

export function nextWords() {
  return wordsOfNext({ plate, say });
}
