// Who somebody is, as far as a device can see: mistakes of a scan or of typing are said at once,
// by the rules of `src/collection/person/document.rs`. The server judges again.

export const DOCUMENTS = [
  "resident_id", "residence_permit", "passport", "hong_kong_macao_permit", "taiwan_permit",
  "foreign_residence", "other",
];
const SHAPES = {
  passport: /^[0-9A-Z]{5,20}$/,
  hong_kong_macao_permit: /^[HM](\d{8}|\d{10})$/,
  taiwan_permit: /^(\d{8}|\d{10})$/,
  foreign_residence: /^[A-Z]{3}\d{12}$/,
  other: /^[0-9A-Z-]{3,32}$/,
};
const RESIDENT = /^\d{17}[\dX]$/;

// Whether many countries issue it, each with numbers of its own.
export function hasIssuer(type) {
  return type === "passport" || type === "other";
}

// ISO 7064 MOD 11-2 over seventeen digits: `0` to `9` or `X`.
export function checkCharacter(body) {
  let sum = 0;
  for (const digit of body) sum = ((sum + Number(digit)) * 2) % 11;
  return "0123456789X"[(12 - sum) % 11];
}

// What is wrong with a number: `shape`, `check` or `birth`; undefined where nothing is.
export function fault(type, number, today = new Date()) {
  const isResident = type === "resident_id" || type === "residence_permit"
    || (type === "foreign_residence" && number.length === 18);
  if (!isResident) return SHAPES[type]?.test(number) ? undefined : "shape";
  if (!RESIDENT.test(number)) return "shape";
  if (checkCharacter(number.slice(0, 17)) !== number[17]) return "check";
  return born(number.slice(6, 14), today) ? undefined : "birth";
}

function born(digits, today) {
  const [year, month, day] = [digits.slice(0, 4), digits.slice(4, 6), digits.slice(6)].map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  const isDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isDay && year >= 1890 && date.getTime() <= today.getTime() + 86_400_000;
}

export function issuerFits(type, issuer) {
  return hasIssuer(type) ? /^[A-Z]{3}$/.test(issuer ?? "") : !issuer;
}

// A number as others may see it: its last four characters, of a short one its last two.
export function mask(number) {
  const shown = number.length > 8 ? 4 : 2;
  return "•".repeat(Math.max(0, Math.min(number.length - shown, 6))) + number.slice(-shown);
}

// Whether two documents are of one person.
export function same(a, b) {
  return a.type === b.type && a.number === b.number && (a.issuer ?? "") === (b.issuer ?? "");
}

// A person in one scan, as a registration code or a card reader gives them. Two forms:
//   name|number            and, as far as known, |phone|address behind it
//   {"name": "...", "number": "...", "phone": "...", "address": "...", "type": "passport", "issuer": "USA"}
// Undefined where it is neither.
export function payload(raw) {
  if (raw.startsWith("{")) {
    try {
      const { name, number, phone, address, type = "resident_id", issuer } = JSON.parse(raw);
      if (!name || !number) return undefined;
      return person({ type, number, issuer }, { name, phone, address });
    } catch {
      return undefined;
    }
  }
  const parts = raw.split("|").map((part) => part.trim());
  if (parts.length < 2 || parts.length > 4) return undefined;
  // Some readers give the number first.
  const [name, number] = RESIDENT.test(parts[0].toUpperCase()) ? [parts[1], parts[0]] : parts;
  return person({ type: "resident_id", number }, { name, phone: parts[2], address: parts[3] });
}

// Whether a scan is about a person, where none belongs.
export function isPerson(raw) {
  return payload(raw) !== undefined || fault("resident_id", tidy(raw).toUpperCase()) === undefined;
}

// A person as `/v1` takes one, without what is empty.
export function person({ type, number, issuer }, { name, phone, address }) {
  const document = { type, number: tidy(number).toUpperCase() };
  if (tidy(issuer)) document.issuer = tidy(issuer).toUpperCase();
  const made = { document, name: tidy(name) };
  if (tidy(phone)) made.phone = tidy(phone);
  if (tidy(address)) made.address = tidy(address);
  return made;
}

function tidy(text) {
  return String(text ?? "").trim();
}
