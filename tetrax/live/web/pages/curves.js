// The view of curves: all that the shown runs have measured, side by side.

import { NUM_COLOURS } from "./chart.js";
import { makeFeed } from "./feed.js";
import { make } from "./sending.js";
import { colourOf, on, setOption, shortName, shownRuns, state, takeGroups } from "./state.js";

const SMOOTH = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]; // rows of which a point is the mean
const FIRST = ["eval", ""]; // sections that come first, and are open

const LAST = ["eval/capped", "eval/cap", "games", "steps_per_second"]; // of their sections

export function makeCurves() {
  const legend = make("ul", { class: "legend", "aria-label": "Curves" });
  const note = make("p", { class: "note quiet", role: "status" });
  const sections = make("div", { class: "sections" });
  const filter = make("input", { type: "search", placeholder: "Filter metrics", "aria-label": "Filter metrics" });
  const element = make("div", { class: "curves" }, make("h1", { class: "unseen" }, "Curves"), makeTools(filter), legend, note, sections);
  const charts = new Map(); // metric -> chart
  const folds = new Map(); // section -> { fold, grid }
  let known = []; // metrics that the shown runs have
  const onBusy = (busy) => sections.setAttribute("aria-busy", busy);
  const feed = makeFeed(shownRuns, { together: () => state.options.together, onAnswer, onBusy });

  function onAnswer(answer) {
    if (answer.error) {
      note.textContent = answer.error;
      return;
    }
    takeGroups(answer.groups);
    const faults = Object.entries(answer.faults).map(([run, said]) => `${run}: ${said}`);
    const reading = answer.pending.length ? [`reading ${answer.pending.length} more …`] : [];
    note.textContent = [...reading, ...faults].join(" · ") || (answer.groups.length ? "" : "No run is shown: tick some in the list.");
    drawLegend(answer.groups);
    place(answer.metrics);
  }

  function drawLegend(groups) {
    legend.replaceChildren(...groups.map((group) => {
      const runs = group.runs.length > 1 ? ` · ${group.runs.length} runs` : "";
      return make("li", { title: group.runs.join("\n") },
        make("span", { class: `swatch curve-${(colourOf(group.runs[0]) ?? 0) % NUM_COLOURS}` }), `${group.runs.includes(group.label) ? shortName(group.label) : group.label}${runs}`);
    }));
  }

  /** Make a chart for each metric that has none, and show those that the filter lets through. */
  function place(metrics) {
    const asked = filter.value.toLowerCase().trim();
    const ordered = [...metrics].sort((one, other) => rank(one) - rank(other) || LAST.indexOf(one) - LAST.indexOf(other));
    for (const metric of ordered) {
      const chart = charts.get(metric) ?? feed.add(metric);
      charts.set(metric, chart);
      const { grid } = sectionOf(metric);
      if (chart.element.parentElement !== grid) grid.append(chart.element);
    }
    known = metrics;
    for (const [metric, chart] of charts) {
      chart.element.hidden = !metrics.includes(metric) || !metric.toLowerCase().includes(asked);
    }
    for (const { fold, grid } of folds.values()) {
      const seen = [...grid.children].filter((chart) => !chart.hidden).length;
      fold.hidden = !seen;
      fold.querySelector(".count").textContent = seen;
      if (asked && seen) fold.open = true;
    }
  }

  function sectionOf(metric) {
    const name = metric.includes("/") ? metric.split("/")[0] : "";
    if (!folds.has(name)) {
      const grid = make("div", { class: "charts" });
      const title = name === "" ? "training" : name === "eval" ? "evaluations" : name;
      const fold = make("details", { open: FIRST.includes(name) },
        make("summary", {}, make("h2", {}, title), " ", make("span", { class: "count quiet" })), grid);
      folds.set(name, { fold, grid });
      sections.append(fold);
    }
    return folds.get(name);
  }

  filter.addEventListener("input", () => place(known));
  const off = [on("shown", feed.refresh), on("groups", feed.refresh)];
  feed.refresh();
  return {
    element,
    destroy() {
      feed.destroy();
      for (const stop of off) stop();
    },
  };
}

function rank(metric) {
  const name = metric.includes("/") ? metric.split("/")[0] : "";
  const place = FIRST.indexOf(name);
  return place < 0 ? FIRST.length : place;
}

function makeTools(filter) {
  return make("div", { class: "tools" }, filter, ...makeChartTools());
}

/** The choices that all charts follow: over what, how smooth, on which scale. */
export function makeChartTools() {
  const axis = make("select", { "aria-label": "Over what" }, make("option", { value: "steps" }, "over steps"), make("option", { value: "minutes" }, "over minutes"));
  axis.value = state.options.x;
  axis.addEventListener("change", () => setOption("x", axis.value));
  const log = make("input", { type: "checkbox" });
  log.checked = state.options.log;
  log.addEventListener("change", () => setOption("log", log.checked));
  const shown = make("output", { class: "number" });
  const smooth = make("input", { type: "range", min: "0", max: SMOOTH.length - 1, step: "1", "aria-label": "Smoothing" });
  const say = () => {
    const width = SMOOTH[Number(smooth.value)];
    shown.textContent = width === 1 ? "off" : `${width} rows`;
    smooth.setAttribute("aria-valuetext", shown.textContent);
    return width;
  };
  smooth.value = Math.max(0, SMOOTH.indexOf(state.options.smooth));
  smooth.addEventListener("input", () => setOption("smooth", say()));
  say();
  return [axis, make("label", { class: "check" }, "smooth", smooth, shown), make("label", { class: "check" }, log, "log scale")];
}
