// Reasons as the server gives them: where, what is wrong, and what more is known in codes and figures.
//
// In the language of the server's sentences the sentence says it all; in another one the words for
// the code stand there, and beside them what needs no words.

import { element, said } from "./station.js";

// One reason against a run or a flag on it, after the well or code it is about; a plate's own code
// goes without saying.
export function reasonItem({ code, well, about, figures, message }, plate) {
  const item = element("li");
  const where = well ?? (about !== plate ? about : "");
  if (where) item.append(element("code", "", where), " ");
  // A verdict's codes go without the slice that says them.
  item.append(...told(said(code) ?? said(`run.${code}`), message, figures));
  return item;
}

// What is told of a file: which format it has, or what to mind in it.
export function remarkItem({ code, about, message }) {
  const item = element("li");
  item.append(...told(said(code), message, about));
  return item;
}

function told(words, message, more) {
  const text = element("span", "", words ?? message);
  if (!words) text.lang = "en";
  return words && more ? [text, " ", element("code", "", more)] : [text];
}
