// A result with all its versions, and the form by which two people amend it: what it says, what it
// will say, and why.

import { element } from "./station.js";

export function showAmendment(place, { way, newest, proposal, me, releases }, kit) {
  const { say, outcomes, when } = kit;
  const title = element("h2", "");
  title.tabIndex = -1;
  title.append(element("code", "", way.code), ` ${say("title")}`);
  const parts = [title, element("p", "quiet-text", say("tube", { people: way.members, site: way.site }))];
  parts.push(history(way.results, kit));
  if (!newest) parts.push(element("p", "notice mind", say("no-result")));
  else if (proposal) parts.push(waiting({ newest, proposal, me, releases }, kit));
  if (newest && releases && newest.outcome !== "withdrawn") parts.push(form(way, newest, kit));
  place.replaceChildren(...parts);
  function history(results) {
    const list = element("ol", "versions");
    for (const result of results) {
      const item = element("li");
      item.append(element("span", `chip ${result.outcome}`, outcomes[result.outcome]),
        element("code", "", result.id), element("span", "", when(result.released_at)));
      if (result.reason) item.append(element("span", "", reasons(say)[result.reason] ?? result.reason));
      if (result.rule) item.append(element("span", "quiet-text", say("change-by-rule", { rule: result.rule })));
      list.append(item);
    }
    return list;
  }
}

function reasons(say) {
  return {
    mixed_up: say("mixed-up"), contaminated: say("contaminated"), wrong_kit: say("wrong-kit"),
    instrument_fault: say("instrument-fault"), retested_elsewhere: say("retested-elsewhere"), clerical: say("clerical"),
  };
}

function change(before, after, { say, outcomes }) {
  const box = element("div", "change");
  const side = (name, outcome, style) => {
    const part = element("div", `change-side ${style}`);
    part.append(element("p", "quiet-text", name), element("span", `chip ${outcome || "plain"}`, outcomes[outcome] ?? "?"));
    return part;
  };
  const arrow = element("span", "change-arrow", "→");
  arrow.setAttribute("aria-hidden", "true");
  box.append(side(say("before"), before, "before"), arrow, side(say("after"), after, "after"));
  return box;
}

function waiting({ newest, proposal, me, releases }, kit) {
  const { say, once } = kit;
  const box = element("section", "card proposal");
  box.append(element("h3", "", say("waiting")), change(newest.outcome, proposal.outcome, kit),
    element("p", "", `${say("reason")}: ${reasons(say)[proposal.reason] ?? proposal.reason}`));
  if (proposal.proposed_by === me) {
    box.append(element("p", "notice mind", say("change-own")));
  } else if (releases) {
    const button = element("button", "primary", say("confirm"));
    button.id = "amend-confirm";
    button.type = "button";
    const confirm = () => send(newest, proposal, kit);
    button.addEventListener("click", () => once(confirm));
    box.append(button);
  }
  return box;
}

function form(way, newest, kit) {
  const { say, outcomes, once } = kit;
  const box = element("form", "card stack amend");
  const label = (text, field) => {
    const made = element("label", "", text);
    made.htmlFor = field.id;
    return made;
  };
  const outcome = select("amend-outcome", Object.fromEntries(["detected", "not_detected", "withdrawn"]
    // A pool gives nobody an individual positive.
    .filter((name) => name !== newest.outcome && !(name === "detected" && way.members > 1))
    .map((name) => [name, outcomes[name]])));
  const reason = select("amend-reason", { "": say("choose"), ...reasons(say) });
  reason.required = true;
  const preview = element("div", "");
  const draw = () => {
    const lines = [change(newest.outcome, outcome.value, kit)];
    if (outcome.value === "withdrawn") lines.push(element("p", "quiet-text", say("recalls", { people: way.members })));
    preview.replaceChildren(...lines);
  };
  outcome.addEventListener("change", draw);
  draw();
  const button = element("button", "primary", say("propose"));
  box.append(element("h3", "", say("form")), label(say("outcome"), outcome), outcome,
    label(say("reason"), reason), reason, preview, element("p", "quiet-text", say("two")), button);
  const propose = () => send(newest, { outcome: outcome.value, reason: reason.value }, kit);
  box.addEventListener("submit", (event) => {
    event.preventDefault();
    once(propose);
  });
  return box;
}

function select(id, options) {
  const field = element("select");
  field.id = id;
  field.append(...Object.entries(options).map(([value, text]) => {
    const option = element("option", "", text);
    option.value = value;
    return option;
  }));
  return field;
}

async function send(newest, { outcome, reason }, { say, outcomes, api, ask, right, wrong, done }) {
  const filled = { before: outcomes[newest.outcome], after: outcomes[outcome], reason: reasons(say)[reason] };
  if (!await ask(say("ask"), say("ask-text", filled), say("yes"))) return;
  const { ok, data, problem } = await api("POST", `/v1/results/${newest.id}/amend`, { outcome, reason });
  if (!ok) return wrong(say("refused"), problem.reasons, newest.id);
  await done();
  const lines = data.recalls_opened ? [say("opened", { people: data.recalls_opened })] : [];
  if (data.state === "amended") right(say("done"), lines, data.amended_to);
  else right(say("proposed"), [say("two")], newest.id);
}
