// The page: which view is open, and the stream of what changes.

import { makeCompare } from "./compare.js";
import { makeCurves } from "./curves.js";
import { makeRunPage } from "./run_page.js";
import { startShelf } from "./shelf.js";
import { on, shownRuns, state, takeRuns, tell } from "./state.js";

const VIEWS = { curves: makeCurves, compare: makeCompare, run: makeRunPage };
const MOST_LOOKED_AT = 200;
const find = (id) => document.getElementById(id);
let open = null; // { element, destroy } of the view that is open
let source = null;
let listenedTo = "";
let heard = ""; // what was listened to when the server answered last

function route() {
  const [, name, run] = location.hash.split("/");
  const view = { name: Object.hasOwn(VIEWS, name ?? "") ? name : "curves", run: null };
  if (view.name === "run") view.run = run ? decode(run) : state.view.run;
  if (view.name === "run" && !view.run) view.name = "curves";
  if (open && view.name === state.view.name && view.run === state.view.run) return;
  state.view = view;
  open?.destroy();
  open = VIEWS[view.name](view.run);
  find("view").replaceChildren(open.element);
  const tab = find("run-tab");
  if (view.run) {
    tab.href = `#/run/${encodeURIComponent(view.run)}`;
    tab.textContent = view.run.split("/").filter(Boolean).pop() ?? view.run;
    tab.hidden = false;
  }
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.dataset.view === view.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = view.run ? `${tab.textContent} · tetrax` : "tetrax runs";
  window.scrollTo(0, 0);
  tell("view");
  listen();
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Listen to what changes in the runs that are looked at; again where those are others.
 *
 *  A page that nobody sees does not: browsers keep six connections to a server, for all their pages together. */
function listen() {
  if (document.hidden) return;
  const looked = state.view.name === "run" ? [state.view.run] : shownRuns().slice(0, MOST_LOOKED_AT);
  const asked = new URLSearchParams(looked.map((name) => ["run", name]));
  if (state.view.name === "run") asked.set("watched", state.view.run);
  if (source && source.readyState !== EventSource.CLOSED && asked.toString() === listenedTo) return;
  listenedTo = asked.toString();
  source?.close();
  source = new EventSource(`/api/events?${listenedTo}`);
  source.addEventListener("open", () => {
    said("live");
    if (heard === listenedTo) tell("again"); // what has changed meanwhile nobody has told
    heard = listenedTo;
  });
  source.addEventListener("error", () => said("lost"));
  source.addEventListener("runs", (event) => takeRuns(JSON.parse(event.data)));
  for (const name of ["changed", "watched", "fault"]) {
    source.addEventListener(name, (event) => tell(name, JSON.parse(event.data)));
  }
}

function said(what) {
  find("link").className = what;
  find("link").textContent = what === "live" ? "live" : "the server does not answer";
}

startShelf();
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // its address would be another view's
  find("view").focus();
});
on("shown", listen);
document.addEventListener("visibilitychange", () => (document.hidden ? source?.close() : listen()));
window.addEventListener("hashchange", route);
// A server that was started again is found again; browsers give up after some answers.
setInterval(() => source?.readyState === EventSource.CLOSED && listen(), 3_000);
route();
