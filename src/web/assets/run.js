// The station where the instrument's file is brought in: the plate is scanned, the file chosen or
// dropped anywhere on the page. The server reads it and says what it would make of it, with nothing
// stored; F9, or a scan of "ACCEPT", sends the same file to be kept.

import { station, ask, element, language, said } from "./station.js";
import { kindOf, fits } from "./code.js";
import { bandOf, plateMap } from "./plate-map.js";
import { signOf } from "./plate-content.js";
import { curveChart } from "./curve-chart.js";
import { reasonItem, remarkItem } from "./reasons.js";
import { replacing } from "./run-replace.js";
import { earliest, grouped, targetsOf, wellsOf } from "./run-wells.js";

// Reasons that are about a well or a tube, which is marked on the plate.
const ABOUT_WELLS = ["run.missing_well", "run.missing_target", "run.signal_in_empty_well", "run.omitted", "run.read_twice", "run.other_reaction"];
const ABOUT_TUBES = ["run.tube_elsewhere", "run.tube_off_plate"];

const at = (id) => document.querySelector(`#${id}`);

// The plate that was scanned, what its picture shows, and the run that is looked at: { plate, files,
// answer, curves }, once the server has read it.
let plate;
let map;
let wells;
let run;
let reading;

document.addEventListener("keydown", (event) => {
  if (event.key !== "F9" || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  accept();
}, true);
const { say, right, wrong, already, api, focus } = station({ scanned, command });
const OUTCOMES = { detected: say("detected"), not_detected: say("not-detected"), inconclusive: say("inconclusive"), invalid: say("invalid") };
const STATES = { amplified: say("amplified"), not_amplified: say("not-amplified"), grey: say("grey") };
const CONTROLS = { positive: say("positive"), weak_positive: say("weak-positive"), negative: say("negative"), extraction: say("extraction") };
const replacement = replacing(look);
listen();

// Scans and files ---------------------------------------------------------------------------

async function command(code) {
  if (code !== "ACCEPT") return false;
  await accept();
  return true;
}

async function scanned(code) {
  const kind = kindOf(code);
  if (kind && !fits(code)) return wrong(say("check"), [say("check-next")], code);
  if (kind && kind !== "plate") return wrong(say("no-plate"), [say("no-plate-next")], code);
  const { ok, data, problem } = await api("GET", `/v1/plates/${encodeURIComponent(code)}`);
  if (!ok) return wrong(say("plate-refused"), problem.reasons, code);
  show(data);
  if (data.state === "draft") return wrong(say("draft"), [say("draft-next")], code);
  if (data.stamped_onto) return wrong(say("stamped"), [say("stamped-next", { code: data.stamped_onto })], code);
  at("bring").hidden = false;
  at("files").focus();
  return right(say("opened"), [say("opened-next")], code);
}

function listen() {
  at("files").addEventListener("change", () => look([...at("files").files]));
  at("accept").addEventListener("click", accept);
  at("shows").addEventListener("change", paint);
  at("log").addEventListener("change", paint);
  // A file that falls beside the field must not be opened in place of the page.
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) look([...event.dataTransfer.files]);
    });
  }
}

function send({ plate: of, files, replaces }, dry) {
  const query = new URLSearchParams();
  if (dry) query.set("dry_run", "true");
  if (replaces) {
    query.set("replaces", replaces.run);
    query.set("reason", replaces.reason);
  }
  for (const name of ["instrument", "mapping"]) if (at(name).value.trim()) query.set(name, at(name).value.trim());
  // In a form the files' names travel in the body, never in the address.
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  return api("POST", `/v1/plates/${encodeURIComponent(of.code)}/runs?${query}`, form);
}

async function look(chosen, replaces) {
  if (!chosen.length) return undefined;
  if (!plate) return wrong(say("plate-first"), [say("plate-first-next")]);
  clear();
  const looked = { plate, replaces };
  reading = looked;
  // Read once, so that what is accepted is what was looked at, whatever happens to the file.
  looked.files = await Promise.all(chosen.map(async (file) => new File([await file.arrayBuffer()], file.name)));
  // The same file may be chosen again after it was exported anew.
  if (reading === looked) at("files").value = "";
  const { ok, data, problem } = await send(looked, true);
  const curves = ok && data.id && data.curves ? await curvesOf(data.id) : data?.preview?.curves ?? [];
  // Another plate was scanned or another file chosen, and that is what is shown.
  if (reading !== looked) return undefined;
  if (!ok) {
    const told = refused(problem);
    replacement.offer(problem, looked.files);
    return told;
  }
  run = Object.assign(looked, { answer: data, curves });
  drawRun();
  const text = data.verdict.usable ? say("usable") : say("unusable");
  const lines = [say("counted", counts(data))];
  if (data.id) {
    done(data.id);
    return already(say("known"), lines, plate.code);
  }
  at("accept").hidden = false;
  at("accept").focus();
  return (data.verdict.usable ? right : wrong)(text, lines, plate.code);
}

async function curvesOf(id) {
  const { ok, data } = await api("GET", `/v1/runs/${id}/curves?limit=384`, undefined, { background: true });
  return ok ? data.curves : [];
}

async function accept() {
  const looked = run;
  if (!looked || looked.answer.id) return wrong(say("nothing"), [say("nothing-next")]);
  const { usable } = looked.answer.verdict;
  if (!usable && !await ask(say("keep-title"), say("keep-text"), say("keep-yes"))) return focus();
  const { ok, data, problem } = await send(looked, false);
  const { code } = looked.plate;
  if (run !== looked) {
    return ok ? right(say("accepted"), [say("accepted-next")], code) : wrong(say("not-taken"), problem.reasons, code);
  }
  if (!ok) return refused(problem);
  looked.answer = { ...looked.answer, id: data.id };
  at("accept").hidden = true;
  done(data.id);
  focus();
  return right(say("accepted"), [say("accepted-next")], code);
}

// What is shown -----------------------------------------------------------------------------

function show(data) {
  plate = data;
  clear();
  at("no-plate").hidden = true;
  at("shown").hidden = false;
  at("bring").hidden = true;
  at("plate-code").textContent = data.code;
  at("plate-about").textContent = say("about", { kit: data.kit, version: data.kit_version, lot: data.lot ?? "–" });
  map = plateMap(at("map"), { size: data.size, label: say("map", { code: data.code }), onPick: pick });
  wells = wellsOf(data);
  paint();
}

function clear() {
  run = undefined;
  reading = undefined;
  replacement.hide();
  for (const id of ["verdict", "figures", "shows-part", "key", "curves", "no-curves", "well", "controls-part", "calls-part", "file", "accept"]) {
    at(id).hidden = true;
  }
  if (map) {
    wells = wellsOf(plate);
    paint();
  }
}

function refused(problem) {
  clear();
  const groups = grouped(problem);
  const line = ([text, abouts]) => {
    const about = abouts.join(", ");
    return !about ? text : /[:：]$/.test(text) ? `${text} ${about}` : `${about}: ${text}`;
  };
  verdict("unusable", say("not-taken"), [[say("reasons"), groups.map((group) => element("li", "", line(group)))]]);
  for (const { code, about, message } of problem.errors ?? []) {
    const words = said(code) ?? message;
    const well = wells.get(about);
    const tube = ABOUT_TUBES.includes(code) && [...wells].find(([, { code: held }]) => held === about);
    if (tube) map.set(tube[0], { kind: "tube", tone: "bad", text: "!", title: `${tube[0]}: ${words}` });
    if (ABOUT_WELLS.includes(code)) map.set(about, { kind: well?.kind ?? "none", tone: "bad", text: "!", title: `${about}: ${words}` });
  }
  const first = groups.slice(0, 3).map(([text, abouts]) => (abouts.length > 3 ? text : line([text, abouts])));
  if (groups.length > 3) first.push(say("more", { count: groups.length - 3 }));
  focus();
  return wrong(say("not-taken"), first, plate.code);
}

function drawRun() {
  const { answer, curves } = run;
  wells = wellsOf(plate, answer);
  const targets = targetsOf(wells);
  at("shows").replaceChildren(at("shows").options[0], ...targets.map((target) => new Option(say("shows-ct", { target }), target)));
  at("shows").value = "";
  const reason = (each) => reasonItem(each, answer.plate);
  const { usable, reasons, flags } = answer.verdict;
  verdict(usable ? "usable" : "unusable", usable ? say("usable") : say("unusable"), [
    [say("reasons"), reasons.map(reason)],
    [say("flags"), flags.map(reason)],
    [say("holds"), (answer.holds ?? []).map(reason)],
    [say("warnings"), answer.warnings.map(remarkItem)],
  ]);
  facts(answer);
  const count = counts(answer);
  for (const [id, value] of Object.entries(count)) at(id.replace("_", "-")).textContent = value;
  for (const id of ["figures", "shows-part", "key", "file"]) at(id).hidden = false;
  at("curves").hidden = !curves.length;
  at("no-curves").hidden = curves.length > 0;
  run.chart = curves.length ? curveChart(at("curves"), { label: say("curves"), axis: say("cycle") }) : undefined;
  tables(answer);
  paint();
}

function verdict(style, title, parts) {
  const place = at("verdict");
  place.className = `card verdict ${style}`;
  place.replaceChildren(element("h3", "", title));
  for (const [heading, items] of parts) {
    if (!items.length) continue;
    const list = element("ul");
    list.append(...items);
    place.append(element("h4", "", `${heading} (${items.length})`), list);
  }
  place.hidden = false;
}

function facts(answer) {
  const rows = [
    [say("format"), answer.format.replaceAll("_", " ")], [say("instrument"), `${answer.instrument} ${answer.serial}`.trim()],
    [say("ended"), answer.run_ended], [say("curve-count"), answer.preview?.curves.length ?? answer.curves],
    [say("kit"), `${answer.kit} ${answer.kit_version}`],
  ];
  const list = at("facts");
  list.replaceChildren();
  for (const [name, value] of rows) list.append(element("dt", "", name), element("dd", "", String(value || "–")));
  if (answer.detected_by?.length) {
    const why = element("ul");
    why.append(...answer.detected_by.map(remarkItem));
    const cell = element("dd");
    cell.append(why);
    list.append(element("dt", "", say("detected-by")), cell);
  }
}

function counts(answer) {
  const count = { detected: 0, not_detected: 0, inconclusive: 0, invalid: 0 };
  for (const call of answer.calls) count[call.outcome] += 1;
  return count;
}

// The plate and the curves, by the result or by one target.
function paint() {
  const target = run ? at("shows").value : "";
  for (const [name, well] of wells) map.set(name, picture(name, well, target));
  if (!run?.chart) return;
  const shown = run.curves.filter((curve) => !target || curve.target === target);
  const picked = map.picked();
  const styleOf = (curve) => {
    const well = wells.get(curve.well);
    const style = well?.control ? "control" : (well?.call?.outcome ?? "").replace("_", "-");
    return curve.well === picked ? `${style} picked` : style;
  };
  run.chart.show(shown, { log: at("log").checked, styleOf });
}

function picture(name, well, target) {
  const sign = well.control ? signOf(well.control) : well.depth || "";
  if (!run) return { kind: well.kind, text: sign, title: titleOf(name, well) };
  const wanted = well.targets.filter((one) => (target ? one.target === target : one.role === "pathogen"));
  const ct = earliest(wanted);
  const text = ct === undefined ? (target ? "–" : well.control ? sign : "–") : Math.round(ct);
  const tone = target ? (ct === undefined ? "" : bandOf(ct)) : (well.call?.outcome ?? "").replace("_", "-");
  // What speaks against the plate is marked where it was seen.
  const isAgainst = run.answer.verdict.reasons.some((reason) => reason.well === name);
  if (isAgainst && !target) return { kind: well.kind, tone: "bad", text: "!", title: titleOf(name, well) };
  const marks = { inconclusive: "?", invalid: "!" };
  return { kind: well.kind, tone, text: target ? text : marks[well.call?.outcome] ?? text, title: titleOf(name, well) };
}

function titleOf(name, well) {
  if (!well) return name;
  const what = well.control ? say("control-in", { control: CONTROLS[well.control] }) : say("tube-in", { code: well.code, count: well.depth });
  const outcome = well.call ? ` – ${OUTCOMES[well.call.outcome]}` : "";
  return `${name}: ${what}${outcome}`;
}

function pick(name) {
  const well = wells.get(name);
  at("well").hidden = false;
  at("well-title").textContent = titleOf(name, well);
  at("well-reason").replaceChildren(...well?.call ? whyOf(well.call) : []);
  at("well-targets").replaceChildren(...(well?.targets ?? []).map((one) => cells([one.target, ctOf(one), meaning(one)])));
  const mine = (run?.curves ?? []).filter((curve) => curve.well === name);
  if (mine.length) {
    const chart = curveChart(at("well-curves"), { label: say("well-curves", { well: name }), axis: say("cycle") });
    const order = mine.map((curve) => curve.target);
    chart.show(mine, { log: at("log").checked, styleOf: (curve) => `line-${order.indexOf(curve.target) % 4}`, nameOf: (curve) => `${curve.target} ${curve.dye}` });
  } else at("well-curves").replaceChildren();
  if (run) paint();
}

function tables({ preview, calls }) {
  const controls = preview?.controls ?? [];
  at("controls-part").hidden = !controls.length;
  at("controls").replaceChildren(...controls.flatMap(({ well, control, targets }) => targets.map((one, n) =>
    cells([n ? "" : well, n ? "" : CONTROLS[control], one.target, ctOf(one), meaning(one)]))));
  const odd = calls.filter((call) => call.outcome !== "not_detected");
  at("calls-part").hidden = !odd.length;
  at("calls").replaceChildren(...odd.map((call) => {
    const why = element("span");
    why.append(...whyOf(call));
    const outcome = element("span", `out-${call.outcome}`, OUTCOMES[call.outcome]);
    return cells([call.targets[0]?.well ?? "", element("code", "", call.pool ? `${call.tube} (${call.pool})` : call.tube), outcome, why]);
  }));
}

// What was read, and the rule that decided.
function whyOf({ rule, targets }) {
  const read = targets.map((one) => `${one.target} ${STATES[one.state]} (${ctOf(one)})`).join(" · ");
  return [`${read} · `, element("code", "", rule)];
}

function cells(contents) {
  const row = element("tr");
  for (const content of contents) {
    const cell = element("td");
    cell.append(content);
    row.append(cell);
  }
  return row;
}

function ctOf({ ct, raw_ct: raw }) {
  return ct === null ? raw || "–" : Number(ct).toFixed(2);
}

function meaning({ state }) {
  return element("span", `state-${state}`, STATES[state]);
}

// Where a run that is kept leads.
function done(id) {
  const links = element("ul", "links");
  const lead = (text, href) => {
    const item = element("li");
    const link = element("a", "button", text);
    link.href = href;
    item.append(link);
    links.append(item);
  };
  lead(say("to-review"), `/review#run=${id}`);
  if (run.curves.length) lead(say("to-curves"), `/v1/runs/${id}/curves.svg?language=${language}`);
  lead(say("to-plate"), `/v1/runs/${id}/plate.svg?language=${language}`);
  lead(say("to-file"), `/v1/runs/${id}/file`);
  at("verdict").append(links);
}
