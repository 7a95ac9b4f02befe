// The list of runs at the side: which there are, what they do, which are shown.

import { NUM_COLOURS } from "./chart.js";
import { ago, measured, short } from "./formats.js";
import { make } from "./sending.js";
import { colourOf, on, setOption, shortName, show, showNewest, shownRuns, sorted, state } from "./state.js";

const rows = new Map(); // name -> { element, told }
const find = (id) => document.getElementById(id);

export function startShelf() {
  find("shelf-search").addEventListener("input", update);
  find("pick-newest").addEventListener("click", showNewest);
  find("pick-all").addEventListener("click", () => show(passing().map((run) => run.name)));
  find("pick-none").addEventListener("click", () => show([]));
  find("together").checked = state.options.together;
  find("together").addEventListener("change", (event) => setOption("together", event.target.checked));
  find("shelf-list").addEventListener("keydown", move);
  if (matchMedia("(max-width: 800px)").matches) find("shelf-fold").open = false;
  for (const name of ["runs", "shown", "groups", "view"]) on(name, update);
  setInterval(update, 30_000); // what was just now is a while ago
}

function passing() {
  const asked = find("shelf-search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return sorted().filter((run) => {
    const text = `${run.name} ${run.title} ${run.state}`.toLowerCase();
    return asked.every((word) => text.includes(word));
  });
}

function update() {
  const list = find("shelf-list");
  const runs = passing();
  const elements = runs.map((run) => {
    const row = rows.get(run.name) ?? makeRow(run.name);
    rows.set(run.name, row);
    fill(row, run);
    return row.element;
  });
  for (const name of rows.keys()) if (!state.runs.has(name)) rows.delete(name);
  if (elements.length !== list.children.length || elements.some((element, index) => list.children[index] !== element)) {
    const focused = document.activeElement;
    list.replaceChildren(...elements);
    if (list.contains(focused)) focused.focus();
  }
  const shown = shownRuns().length;
  find("shelf-count").textContent = state.runs.size ? `${shown} of ${state.runs.size} shown` : "";
  if (!runs.length) {
    list.replaceChildren(make("li", { class: "none" }, state.runs.size ? "No run is called so." : "No runs are here yet."));
  }
}

function makeRow(name) {
  const box = make("input", { type: "checkbox", "aria-label": `Show ${name}` });
  box.addEventListener("change", () => {
    const shown = new Set(state.shown);
    if (box.checked) shown.add(name);
    else shown.delete(name);
    show([...shown]);
  });
  const link = make("a", { href: `#/run/${encodeURIComponent(name)}`, title: name });
  const dot = make("span", { class: "dot", role: "img" });
  const value = make("span", { class: "value number" });
  const title = make("span", { class: "title" });
  const when = make("span", { class: "when number" });
  const bar = make("progress", { max: "1", value: "0", "aria-label": "trained" });
  const fault = make("span", { class: "fault bad" });
  const element = make("li", {}, box, link, dot, value, title, when, bar, fault);
  return { element, box, link, dot, value, title, when, bar, fault };
}

function fill(row, run) {
  const colour = colourOf(run.name);
  row.link.textContent = shortName(run.name);
  row.box.checked = state.shown.has(run.name);
  row.box.className = row.box.checked && colour !== undefined ? `curve-${colour % NUM_COLOURS}` : "";
  row.dot.className = `dot ${run.state}`;
  row.dot.title = run.host ? `${run.state} on ${run.host}, as it said last` : run.state;
  row.dot.setAttribute("aria-label", row.dot.title);
  const told = run.evaluated ?? run.measured;
  row.value.textContent = told ? short(told.value) : "";
  row.value.title = told ? `${measured(told.name)}, step ${short(told.step)}` : "";
  row.title.textContent = run.kind === "sweep" ? `sweep · ${run.title}` : run.title;
  const part = run.total_steps ? Math.min(1, run.step / run.total_steps) : 0;
  row.when.textContent = run.state === "running" ? `${Math.floor(100 * part)}%` : ago(run.changed);
  row.bar.hidden = run.state !== "running" && run.state !== "paused";
  row.bar.value = part;
  row.fault.textContent = run.fault ?? "";
  row.fault.hidden = !run.fault;
  const isOpen = state.view.name === "run" && state.view.run === run.name;
  row.element.classList.toggle("open", isOpen);
  if (isOpen) row.link.setAttribute("aria-current", "page");
  else row.link.removeAttribute("aria-current");
}

/** Arrow keys go through the list; space shows and hides, as on every box. */
function move(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const row = event.target.closest("li");
  if (!by || !row) return;
  const next = by > 0 ? row.nextElementSibling : row.previousElementSibling;
  next?.querySelector(event.target.tagName.toLowerCase())?.focus();
  event.preventDefault();
}
