// Codes of our own: a letter for the kind, ten digits, and an ISO/IEC 7064 MOD 37-2 check character.

const KINDS = { T: "tube", B: "box", P: "plate", M: "pool" };
const SHAPE = /^([A-Z])\d{10}[0-9A-Z*]$/;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*";

// The kind that a code looks like: `tube`, `box`, `plate`, `pool`; undefined for any other code.
export function kindOf(code) {
  return KINDS[SHAPE.exec(code)?.[1]];
}

// Whether the last character is the check character of those before it.
export function fits(code) {
  let sum = 0;
  for (const character of code.slice(0, -1)) sum = ((sum + ALPHABET.indexOf(character)) * 2) % 37;
  return ALPHABET[(38 - sum) % 37] === code.at(-1);
}
