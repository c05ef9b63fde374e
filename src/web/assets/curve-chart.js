// Amplification curves as a picture: fluorescence over cycles.
//
//   const chart = curveChart(place, { label: "Curves", axis: "Cycle" });
//   chart.show(curves, { log: false, styleOf: (curve) => "detected", nameOf });
//
// curveChart(place, { label, axis })  a picture in the element `place`.
// chart.show(curves, { log, styleOf, nameOf })  draws curves as /v1 gives them ({ well, target,
//     first_cycle, signals }), each with the classes `styleOf` names; those named later lie on top.
//     `nameOf`, if given, names each curve in a line below.

const NS = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [620, 400];
const [LEFT, RIGHT, TOP, BOTTOM] = [54, 14, 16, 40];

export function curveChart(place, { label, axis }) {
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label });
  place.replaceChildren(svg);
  return {
    label: (words) => svg.setAttribute("aria-label", words),
    show(curves, { log = false, styleOf = () => "", nameOf } = {}) {
      const scale = scaleOf(curves, log);
      const parts = frame(scale, axis);
      const paths = curves.map((curve) => {
        const path = node("path", { d: line(curve, scale), class: `curve ${styleOf(curve)}`, "data-well": curve.well });
        return path;
      });
      // What is seldom lies above what is common.
      paths.sort((one, other) => one.classList.length - other.classList.length);
      const above = paths.filter((path) => path.classList.contains("picked"));
      svg.replaceChildren(...parts, ...paths, ...above, ...(nameOf ? legend(curves, styleOf, nameOf) : []));
    },
  };
}

function scaleOf(curves, log) {
  let [first, last, least, most] = [1, 2, 0, 0.1];
  for (const { first_cycle: from, signals } of curves) {
    last = Math.max(last, from + signals.length - 1);
    for (const signal of signals) {
      if (signal === null) continue;
      least = Math.min(least, signal);
      most = Math.max(most, signal);
    }
  }
  first = Math.min(...curves.map((curve) => curve.first_cycle), last - 1);
  const [low, high] = log ? [Math.log10(most) - 3, Math.log10(most)] : [least, most];
  const value = (signal) => (log ? Math.max(Math.log10(Math.max(signal, 1e-12)), low) : signal);
  return {
    first, last, low, high, log,
    x: (cycle) => LEFT + ((cycle - first) / (last - first)) * (WIDTH - LEFT - RIGHT),
    y: (signal) => HEIGHT - BOTTOM - ((value(signal) - low) / (high - low)) * (HEIGHT - TOP - BOTTOM),
  };
}

function line({ first_cycle: from, signals }, { x, y }) {
  let path = "";
  let drawn = false;
  signals.forEach((signal, at) => {
    if (signal !== null) path += `${drawn ? "L" : "M"}${x(from + at).toFixed(1)} ${y(signal).toFixed(1)}`;
    drawn = signal !== null;
  });
  return path;
}

function frame({ first, last, low, high, log, x, y }, axis) {
  const parts = [];
  for (let cycle = Math.ceil(first / 5) * 5; cycle <= last; cycle += 5) {
    parts.push(node("line", { class: "grid", x1: x(cycle), x2: x(cycle), y1: TOP, y2: HEIGHT - BOTTOM }));
    parts.push(node("text", { x: x(cycle), y: HEIGHT - BOTTOM + 17, "text-anchor": "middle" }, cycle));
  }
  for (let step = 0; step <= 4; step += 1) {
    const at = low + ((high - low) * step) / 4;
    const signal = log ? 10 ** at : at;
    parts.push(node("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(signal), y2: y(signal) }));
    const text = Math.abs(signal) >= 1000 ? signal.toExponential(1) : Number(signal.toPrecision(2));
    parts.push(node("text", { x: LEFT - 8, y: y(signal) + 4, "text-anchor": "end" }, text));
  }
  parts.push(node("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, axis));
  return parts;
}

function legend(curves, styleOf, nameOf) {
  return curves.flatMap((curve, at) => [
    node("path", { d: `M${LEFT + 12} ${TOP + 14 + at * 18}h34`, class: `curve ${styleOf(curve)}` }),
    node("text", { x: LEFT + 54, y: TOP + 18 + at * 18 }, nameOf(curve)),
  ]);
}

function node(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
