// A chart of curves on a canvas, with a cursor that the mouse, a finger or the arrow keys move.

import { minutes, short, words } from "./formats.js";
import { make } from "./sending.js";

const EDGE = { top: 8, right: 10, bottom: 22 };
const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";
const MOST_TOLD = 12; // curves in the cursor's list
export const NUM_COLOURS = 10;

/** Look up the colours of the page as it is, light or dark. */
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    text: value("--quiet"), grid: value("--line"), edge: value("--edge"), card: value("--card"),
    lines: Array.from({ length: NUM_COLOURS }, (_, index) => value(`--curve-${index}`)),
  };
}

let colours = null;
const charts = new Set();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = null;
  for (const chart of charts) chart.redraw();
});

/** Make a chart. `set(curves, {x, log})` draws: each curve has x, y, perhaps low and high or raw, colour, label. */
export function makeChart(metric, { height = 190 } = {}) {
  const canvas = make("canvas");
  const told = make("div", { class: "cursor", hidden: true });
  const stage = make("div", { class: "stage", tabindex: "0", role: "img", "aria-label": words(metric) }, canvas, told);
  const element = make("figure", { class: "chart card" }, make("figcaption", {}, words(metric)), stage);
  const pen = canvas.getContext("2d");
  let curves = null; // until they are known
  let how = { x: "steps", log: false };
  let frame = null; // what was drawn: ranges and the place of the plot
  let cursor = null; // share of the axis, 0 to 1
  let queued = 0;

  function ask() {
    if (!queued) queued = requestAnimationFrame(paint);
  }

  function paint() {
    queued = 0;
    colours ??= readColours();
    const width = stage.clientWidth;
    if (!width) return;
    const sharp = window.devicePixelRatio || 1;
    const high = stage.clientHeight || height;
    canvas.width = Math.round(width * sharp);
    canvas.height = Math.round(high * sharp);
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, width, high);
    pen.font = FONT;
    if (!curves) return;
    frame = plan(curves, how, width, high, pen);
    drawAxes(pen, frame, how);
    pen.save();
    pen.beginPath();
    pen.rect(frame.left, frame.top - 2, frame.width + 4, frame.height + 4);
    pen.clip();
    for (const curve of curves) drawBand(pen, frame, curve);
    for (const curve of curves) drawLine(pen, frame, curve);
    pen.restore();
    if (!curves.length) {
      pen.fillStyle = colours.text;
      pen.textAlign = "center";
      pen.fillText("nothing measured", width / 2, high / 2);
    }
    drawCursor();
  }

  function drawCursor() {
    told.hidden = cursor === null || !curves?.length || !frame;
    if (told.hidden) return;
    const at = frame.x0 + cursor * (frame.x1 - frame.x0);
    const x = frame.left + cursor * frame.width;
    pen.fillStyle = colours.edge;
    pen.fillRect(Math.round(x), frame.top, 1, frame.height);
    const values = curves
      .map((curve) => ({ curve, index: nearest(curve.x, at) }))
      .filter(({ curve, index }) => index !== null && curve.y[index] !== null)
      .map(({ curve, index }) => ({ curve, value: curve.y[index], low: curve.low?.[index], high: curve.high?.[index] }))
      .sort((one, other) => other.value - one.value);
    for (const { curve, value } of values) {
      pen.fillStyle = colours.lines[curve.colour % NUM_COLOURS];
      pen.beginPath();
      pen.arc(x, frame.toY(value), 3, 0, 7);
      pen.fill();
    }
    const lines = values.slice(0, MOST_TOLD).map(({ curve, value, low, high }) =>
      make("div", {}, make("span", { class: `swatch curve-${curve.colour % NUM_COLOURS}` }),
        make("b", {}, short(value)), low === undefined ? "" : make("i", {}, ` ${short(low)}–${short(high)} `),
        make("span", {}, curve.label)));
    if (values.length > MOST_TOLD) lines.push(make("div", {}, `and ${values.length - MOST_TOLD} more`));
    told.replaceChildren(make("div", { class: "quiet" }, how.x === "steps" ? `step ${short(at)}` : minutes(at)), ...lines);
    const right = x > frame.left + frame.width / 2;
    told.style.left = right ? "auto" : `${x + 10}px`;
    told.style.right = right ? `${stage.clientWidth - x + 10}px` : "auto";
  }

  function move(share) {
    cursor = share === null ? null : Math.max(0, Math.min(1, share));
    ask();
  }
  stage.addEventListener("pointermove", (event) => {
    if (frame) move((event.clientX - canvas.getBoundingClientRect().left - frame.left) / frame.width);
  });
  stage.addEventListener("pointerleave", () => move(null));
  stage.addEventListener("blur", () => move(null));
  stage.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (by) move((cursor ?? (by > 0 ? -by : 1 - by)) + by);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(1);
    else if (event.key === "Escape" && cursor !== null) move(null);
    else return;
    event.preventDefault();
  });
  const watcher = new ResizeObserver(ask);
  watcher.observe(stage);
  const chart = {
    element,
    metric,
    redraw: ask,
    set(given, options) {
      curves = given;
      how = options;
      const said = curves.slice(0, 8).map((curve) => `${curve.label} ${short(curve.last)}`).join("; ");
      stage.setAttribute("aria-label", `${words(metric)}, ${curves.length} curves, last: ${said || "nothing"}. Arrow keys read values.`);
      ask();
    },
    destroy() {
      watcher.disconnect();
      charts.delete(chart);
    },
  };
  charts.add(chart);
  return chart;
}

/** Find out what is shown: the ranges of both axes, and their ticks. */
function plan(curves, how, width, high, pen) {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const curve of curves) {
    x0 = Math.min(x0, curve.x[0]);
    x1 = Math.max(x1, curve.x[curve.x.length - 1]);
    for (const values of [curve.y, curve.low, curve.high]) {
      for (const value of values ?? []) {
        if (value === null || (how.log && value <= 0)) continue;
        if (value < y0) y0 = value;
        if (value > y1) y1 = value;
      }
    }
  }
  if (!(x1 > x0)) [x0, x1] = Number.isFinite(x0) ? [x0 - 0.5, x0 + 0.5] : [0, 1];
  const scale = how.log ? Math.log10 : (value) => value;
  [y0, y1] = y0 <= y1 ? [scale(y0), scale(y1)] : [0, 1];
  const pad = (y1 - y0) * 0.06 || Math.abs(y0) * 0.1 || 0.5;
  y0 -= pad;
  y1 += pad;
  const yTicks = how.log ? logTicks(y0, y1) : ticks(y0, y1, Math.max(2, Math.floor(high / 34)));
  const labels = yTicks.map((tick) => short(how.log ? 10 ** tick : tick));
  const left = Math.ceil(Math.max(16, ...labels.map((label) => pen.measureText(label).width))) + 12;
  const plot = { left, top: EDGE.top, width: width - left - EDGE.right, height: high - EDGE.top - EDGE.bottom };
  return {
    ...plot, x0, x1, yTicks, labels,
    xTicks: ticks(x0, x1, Math.max(2, Math.floor(plot.width / 58))),
    toX: (value) => plot.left + ((value - x0) / (x1 - x0)) * plot.width,
    toY: (value) => plot.top + (1 - (scale(value) - y0) / (y1 - y0)) * plot.height,
    tickY: (tick) => plot.top + (1 - (tick - y0) / (y1 - y0)) * plot.height,
  };
}

function ticks(low, high, most) {
  const rough = (high - low) / most;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * ([1, 2, 5, 10].find((times) => size * times >= rough) ?? 10);
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high && found.length < 50; index += 1) found.push(index * step);
  return found;
}

function logTicks(low, high) {
  const whole = ticks(low, high, 5).filter((tick) => Number.isInteger(tick));
  return whole.length > 1 ? whole : ticks(low, high, 4);
}

function drawAxes(pen, frame, how) {
  pen.fillStyle = colours.grid;
  for (const tick of frame.yTicks) pen.fillRect(frame.left, Math.round(frame.tickY(tick)), frame.width, 1);
  pen.fillStyle = colours.text;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  frame.yTicks.forEach((tick, index) => pen.fillText(frame.labels[index], frame.left - 6, frame.tickY(tick)));
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const tick of frame.xTicks) {
    const label = how.x === "steps" ? short(tick) : minutes(tick);
    const half = pen.measureText(label).width / 2;
    const x = Math.min(frame.toX(tick), frame.left + frame.width + EDGE.right - half - 1);
    pen.fillText(label, x, frame.top + frame.height + 7);
  }
}

function drawBand(pen, frame, curve) {
  if (!curve.low) return;
  pen.fillStyle = colours.lines[curve.colour % NUM_COLOURS];
  pen.globalAlpha = 0.16;
  for (const [first, last] of stretches(curve.low)) {
    pen.beginPath();
    for (let index = first; index <= last; index += 1) pen.lineTo(frame.toX(curve.x[index]), frame.toY(curve.high[index]));
    for (let index = last; index >= first; index -= 1) pen.lineTo(frame.toX(curve.x[index]), frame.toY(curve.low[index]));
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function drawLine(pen, frame, curve) {
  pen.strokeStyle = colours.lines[curve.colour % NUM_COLOURS];
  pen.lineJoin = "round";
  for (const [values, alpha, width] of [[curve.raw, 0.22, 1], [curve.y, 1, 1.6]]) {
    if (!values) continue;
    pen.globalAlpha = alpha;
    pen.lineWidth = width;
    pen.setLineDash(curve.colour >= NUM_COLOURS ? [5, 3] : []);
    for (const [first, last] of stretches(values)) {
      pen.beginPath();
      for (let index = first; index <= last; index += 1) pen.lineTo(frame.toX(curve.x[index]), frame.toY(values[index]));
      pen.stroke();
      if (first === last) pen.fillRect(frame.toX(curve.x[first]) - 2, frame.toY(values[first]) - 2, 4, 4);
    }
  }
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

/** The first and last index of each stretch without a gap. */
function stretches(values) {
  const found = [];
  let first = null;
  for (let index = 0; index <= values.length; index += 1) {
    const there = index < values.length && values[index] !== null;
    if (there && first === null) first = index;
    if (!there && first !== null) {
      found.push([first, index - 1]);
      first = null;
    }
  }
  return found;
}

/** The index of the value nearest to a place, null where the curve is not there. */
function nearest(along, at) {
  const reach = along.length > 1 ? (along[along.length - 1] - along[0]) * 0.02 : Math.abs(at) * 0.02 + 1;
  if (at < along[0] - reach || at > along[along.length - 1] + reach) return null;
  let [low, high] = [0, along.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (along[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low > 0 && at - along[low - 1] < along[low] - at ? low - 1 : low;
}
