// Charts that are filled with what the server knows: only those in sight are asked for, and again when runs change.

import { makeChart } from "./chart.js";
import { get } from "./sending.js";
import { on, shortName, state } from "./state.js";

const SOONEST = 700; // milliseconds between two answers for the same charts
const PATIENCE = 4; // times as long as an answer takes
const MOST_AT_ONCE = 40; // metrics in a question
const MOST_POINTS = 40_000; // of all curves in a chart together

/** Make a feed for some runs. `together` says whether seeds are one curve, `onAnswer` is told each answer, `onBusy` when
 *  something is asked for and when all of it is there. */
export function makeFeed(runs, { together, onAnswer, onBusy, options = () => state.options }) {
  const charts = new Map(); // element -> chart
  const inSight = new Set();
  let [busy, again, timer, begun, took, isOver] = [false, false, 0, 0, 0, false];

  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) inSight.delete(target);
      else if (!inSight.has(target)) {
        inSight.add(target);
        refresh();
      }
    }
  }, { rootMargin: "150px" });

  function refresh() {
    again = true;
    onBusy?.(true);
    if (!busy && !timer) timer = setTimeout(ask, 0);
  }

  function refreshLater() {
    if (busy || timer) {
      again = true;
      return;
    }
    const wait = Math.max(0, begun + Math.max(SOONEST, PATIENCE * took) - performance.now());
    timer = setTimeout(ask, wait);
  }

  async function ask() {
    timer = 0;
    busy = true;
    again = false;
    begun = performance.now();
    let pending = false;
    try {
      pending = await askOnce();
    } catch (error) {
      onAnswer?.({ error: error.message });
    }
    took = performance.now() - begun;
    busy = false;
    if (isOver) return;
    if (pending) timer = setTimeout(ask, 0);
    else if (again) refreshLater();
    else onBusy?.(false);
  }

  async function askOnce() {
    const names = runs();
    const asked = [...inSight].map((element) => charts.get(element)).filter(Boolean).slice(0, MOST_AT_ONCE);
    const { x, smooth, log } = options();
    const points = Math.max(100, Math.min(600, Math.round(MOST_POINTS / Math.max(1, names.length))));
    const words = new URLSearchParams({ x, smooth, points, together: together() ? "yes" : "no" });
    for (const name of names) words.append("run", name);
    for (const metric of new Set(asked.map((chart) => chart.metric))) words.append("metric", metric);
    const answer = await get(`/api/curves?${words}`);
    if (isOver) return false;
    onAnswer?.(answer);
    const labels = new Map(answer.groups.map((group) => [group.key, group]));
    for (const chart of asked) {
      const curves = (answer.curves[chart.metric] ?? []).map((curve) => {
        const group = labels.get(curve.group);
        const seeds = curve.seeds > 1 ? ` (${curve.seeds} seeds)` : "";
        return { ...curve, label: (group.runs.includes(group.label) ? shortName(group.label) : group.label) + seeds, colour: state.colours.get(group.key) ?? 0 };
      });
      chart.set(curves, { x, log });
    }
    return answer.pending.length > 0;
  }

  const off = [
    on("changed", ({ run, parts }) => parts.includes("metrics") && runs().includes(run) && refreshLater()),
    on("again", refreshLater),
    on("options", refresh),
  ];
  return {
    refresh,
    add(metric, settings) {
      const chart = makeChart(metric, settings);
      charts.set(chart.element, chart);
      watcher.observe(chart.element);
      return chart;
    },
    remove(chart) {
      watcher.unobserve(chart.element);
      inSight.delete(chart.element);
      charts.delete(chart.element);
      chart.destroy();
    },
    destroy() {
      isOver = true;
      clearTimeout(timer);
      watcher.disconnect();
      for (const chart of charts.values()) chart.destroy();
      for (const stop of off) stop();
    },
  };
}

