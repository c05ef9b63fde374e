// What a run says of each well, gathered from the plate, its calls and its controls.

// A map of well to { kind, code, control, depth, call, targets }; `targets` are those read in it.
export function wellsOf(plate, answer) {
  const wells = new Map();
  for (const { well, tube, pool, control, depth } of plate.wells) {
    const kind = control ? "control" : pool ? "pool" : "tube";
    wells.set(well, { kind, code: tube ?? pool, control, depth, targets: [] });
  }
  for (const call of answer?.calls ?? []) {
    for (const target of call.targets) {
      const well = wells.get(target.well);
      if (!well) continue;
      well.call = call;
      if (!well.targets.some((one) => one.target === target.target)) well.targets.push(target);
    }
  }
  for (const { well, targets } of answer?.preview?.controls ?? []) {
    if (wells.has(well)) wells.get(well).targets = targets;
  }
  return wells;
}

// Every target that was read, in the order it is met.
export function targetsOf(wells) {
  return [...new Set([...wells.values()].flatMap((well) => well.targets.map((one) => one.target)))];
}

// The earliest Ct of these targets as a number; undefined where nothing amplified.
export function earliest(targets) {
  const cts = targets.filter((one) => one.ct !== null).map((one) => Number(one.ct));
  return cts.length ? Math.min(...cts) : undefined;
}

// Reasons that say the same, together: [text, what each is about].
export function grouped(problem) {
  const groups = new Map();
  const errors = problem.errors ?? [];
  problem.reasons.forEach((reason, at) => {
    const { about } = errors[at] ?? {};
    const start = `${about}: `;
    const text = about && reason.startsWith(start) ? reason.slice(start.length) : reason;
    if (!groups.has(text)) groups.set(text, []);
    if (text !== reason) groups.get(text).push(about);
  });
  return [...groups];
}
