// One run at a glance: the verdict with every reason, who signed, controls, exceptions with their
// curves beside the call, and the negatives behind a count.

import { reasonItem, remarkItem } from "./reasons.js";
import { element, language } from "./station.js";

const ORDER = ["detected", "inconclusive", "invalid", "not_detected"];

export function exceptionsOf(place) {
  return [...place.querySelectorAll(".exception")];
}

export function showRun(place, { run, waiting, wells, signature }, { say, outcomes, when }) {
  const flagged = new Set(run.verdict.flags.map((flag) => flag.well).filter(Boolean));
  const stands = (call) => call.targets.some((target) => flagged.has(target.well));
  const doubted = (call) => call.attempt > 1 || call.voided || call.targets.some((target) => target.state === "grey");
  const plain = (call) => call.outcome === "not_detected" && call.disposition.action === "report" &&
    !stands(call) && !doubted(call);
  const exceptions = run.calls.filter((call) => !plain(call))
    .sort((a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome));
  const negatives = run.calls.filter(plain);
  const context = { run, wells, say, outcomes };
  place.replaceChildren(
    heading(run, { say, when }),
    verdict(run, waiting, say),
    signing(signature),
    figures(run, { say, outcomes }),
    section(say("exceptions"), exceptions.length, exceptions.length
      ? exceptions.map((call) => exception(call, context)) : [element("p", "quiet-text", say("no-exceptions"))]),
    collapsed(negatives, context),
    controls(context),
    picture(run, say),
  );
}

function heading(run, { say, when }) {
  const head = element("header", "run-head");
  const title = element("h2", "", "");
  title.tabIndex = -1;
  title.append(element("code", "", run.plate), " ", element("span", `chip state ${run.state}`, state(run.state, say)));
  const facts = [`${run.kit} ${run.kit_version}`, run.instrument, run.serial, run.format, when(run.imported_at)];
  head.append(title, element("p", "quiet-text", facts.filter(Boolean).join(" · ")));
  return head;
}

function state(name, say) {
  const names = { draft: say("draft"), reviewed: say("reviewed"), released: say("state-released"), void: say("state-void") };
  return names[name] ?? name;
}

function verdict(run, waiting, say) {
  const { usable, reasons, flags } = run.verdict;
  const box = element("div", "verdict");
  box.append(element("p", `notice ${usable ? "good" : "bad"}`, usable ? say("usable") : say("not-usable")));
  const list = (items, style) => {
    if (!items.length) return;
    const ul = element("ul", `reasons ${style}`);
    ul.append(...items);
    box.append(ul);
  };
  const reason = (each) => reasonItem(each, run.plate);
  list(reasons.map(reason), "against");
  const holds = run.holds ?? waiting?.holds ?? [];
  if (flags.length || holds.length) {
    box.append(element("p", "notice mind", say("look")));
    list([...flags, ...holds].map(reason), "mind-list");
  }
  list(run.warnings.map(remarkItem), "file-warnings");
  return box;
}

function signing({ line, own, actions }) {
  const box = element("div", "signing");
  const words = element("div", "");
  words.append(element("p", "signed", line));
  if (own) words.append(element("p", "own", own));
  const buttons = element("div", "signing-actions");
  for (const { id, text, shortcut, style } of actions) {
    const button = element("button", style, text);
    button.id = id;
    button.type = "button";
    if (shortcut) {
      button.setAttribute("aria-keyshortcuts", shortcut);
      const hint = element("kbd", "", shortcut);
      hint.setAttribute("aria-hidden", "true");
      button.append(" ", hint);
    }
    buttons.append(button);
  }
  box.append(words, buttons);
  return box;
}

function figures(run, { say, outcomes }) {
  const list = element("dl", "figures");
  const add = (name, value, style) => {
    const group = element("div", `figure ${value ? style : "none"}`);
    group.append(element("dt", "", name), element("dd", "", String(value)));
    list.append(group);
  };
  const count = (test) => run.calls.filter(test).length;
  for (const name of ORDER) add(outcomes[name], count((call) => call.outcome === name), name);
  add(say("retest"), count((call) => call.disposition.action === "retest"), "plain");
  add(say("recall"), count((call) => call.disposition.action === "recall"), "plain");
  return list;
}

function section(title, count, content) {
  const part = element("section", "part");
  const head = element("h3", "", `${title} `);
  head.append(element("span", "count", String(count)));
  part.append(head, ...content);
  return part;
}

function becomes(call, { say, outcomes }) {
  const { action, outcome } = call.disposition;
  if (action === "report") return say("becomes-report", { outcome: outcomes[outcome] ?? outcome });
  return action === "retest" ? say("becomes-retest") : say("becomes-recall", { people: call.pool_size });
}

function exception(call, context) {
  const { say, outcomes } = context;
  const card = element("article", `exception ${call.outcome}`);
  card.tabIndex = -1;
  card.dataset.tube = call.tube;
  const words = element("div", "exception-words");
  const head = element("h4", "");
  head.append(element("span", `chip ${call.outcome}`, outcomes[call.outcome]), " ", element("code", "", call.tube));
  const about = [say("people", { count: call.pool_size }), say("attempt", { number: call.attempt })];
  if (call.pool) about.push(say("pool", { code: call.pool }));
  if (call.voided) about.push(say("was-voided"));
  words.append(head, element("p", "quiet-text", about.join(" · ")), targets(call, say));
  const rule = element("p", "rule", `${say("rule")} `);
  rule.append(element("code", "", call.rule));
  words.append(rule, element("p", "becomes", becomes(call, context)));
  const curves = element("div", "curves");
  for (const well of new Set(call.targets.map((target) => target.well))) curves.append(curve(well, call.tube, context));
  card.append(words, curves);
  return card;
}

function targets(call, say) {
  const states = { amplified: say("amplified"), grey: say("grey"), not_amplified: say("not-amplified") };
  const table = element("table", "targets");
  const head = element("tr");
  head.append(...[say("target"), say("well"), say("ct"), say("signal")].map((text, at) => {
    const cell = element("th", at === 2 ? "number" : "", text);
    cell.scope = "col";
    return cell;
  }));
  const top = element("thead");
  top.append(head);
  const body = element("tbody");
  for (const target of call.targets) {
    const row = element("tr", target.role === "internal_control" ? "internal" : "");
    row.append(element("td", "", target.target), element("td", "", target.well),
      element("td", "number", String(target.ct ?? "–")),
      element("td", `signal ${target.state}`, states[target.state]));
    body.append(row);
  }
  table.append(top, body);
  return table;
}

function curve(well, of, { run, say }) {
  if (!run.curves) return element("p", "quiet-text", say("no-curves"));
  const image = element("img");
  image.loading = "lazy";
  image.alt = say("curves-of", { well, of });
  image.src = `/v1/runs/${run.id}/curves.svg?well=${well}&language=${language}`;
  image.addEventListener("error", () => image.replaceWith(element("p", "quiet-text", say("no-curves"))));
  return image;
}

function collapsed(negatives, { say }) {
  const people = negatives.reduce((sum, call) => sum + call.pool_size, 0);
  const box = element("details", "negatives");
  box.append(element("summary", "", say("negatives", { count: negatives.length, people })));
  box.addEventListener("toggle", () => {
    if (!box.open || box.querySelector("table")) return;
    const table = element("table");
    const head = element("tr");
    head.append(...[say("tube"), say("well"), say("people-head"), say("signals"), say("rule")].map((text) => {
      const cell = element("th", "", text);
      cell.scope = "col";
      return cell;
    }));
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const call of negatives) {
      const row = element("tr");
      row.dataset.tube = call.tube;
      row.tabIndex = -1;
      const code = element("td");
      code.append(element("code", "", call.tube));
      const signals = call.targets.map((target) => `${target.target} ${target.ct ?? "–"}`).join("  ");
      row.append(code, element("td", "", [...new Set(call.targets.map((target) => target.well))].join(" ")),
        element("td", "number", String(call.pool_size)), element("td", "", signals), element("td", "", call.rule));
      body.append(row);
    }
    table.append(top, body);
    const frame = element("div", "table");
    frame.tabIndex = 0;
    frame.setAttribute("role", "region");
    frame.setAttribute("aria-label", say("negatives-table"));
    frame.append(table);
    box.append(frame);
  });
  return box;
}

function controls(context) {
  const { run, wells, say } = context;
  const names = {
    positive: say("positive"), weak_positive: say("weak-positive"), negative: say("negative"), extraction: say("extraction"),
  };
  const found = wells.filter((well) => well.control);
  const cards = found.map(({ well, control }) => {
    const card = element("figure", "control");
    const faults = run.verdict.reasons.filter((reason) => reason.well === well);
    const caption = element("figcaption", faults.length ? "fault" : "");
    caption.append(element("code", "", well), ` ${names[control] ?? control}`);
    if (faults.length) caption.append(` – ${say("control-fault")}`);
    card.append(caption, curve(well, names[control] ?? control, context));
    return card;
  });
  const grid = element("div", "controls");
  grid.append(...cards);
  return section(say("controls"), found.length, [grid]);
}

function picture(run, say) {
  const part = element("section", "part");
  const image = element("img", "plate-picture");
  image.loading = "lazy";
  image.alt = say("plate-picture", { plate: run.plate });
  image.src = `/v1/runs/${run.id}/plate.svg?language=${language}`;
  part.append(element("h3", "", say("plate")), image);
  return part;
}
