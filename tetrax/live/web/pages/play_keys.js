// Which key does what, and the settings of a player: kept in this browser, edited in a dialog.

import { make } from "./sending.js";

const KEPT = "tetrax.play";
const SHORT = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", " ": "space", Escape: "esc" };
const MODIFIERS = ["shift", "control", "alt"];

/** Return the name of the key of an event, as the command line has it. */
export function nameOf(event) {
  return SHORT[event.key] ?? event.key.toLowerCase();
}

/** Tell whether an event is a shortcut of the browser, which is not ours to take. */
export function isShortcut(event) {
  return (event.ctrlKey || event.metaKey || event.altKey) && !MODIFIERS.includes(nameOf(event));
}

/** Make what a player has chosen: { bindings, das, arr, sound }, from what is kept and what the server begins with. */
export function makeChoices(about) {
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    kept = {}; // a browser that keeps nothing, or keeps something else
  }
  const choices = usual();
  for (const name of ["das", "arr"]) {
    if (Number.isFinite(kept[name]) && kept[name] >= 0 && kept[name] <= 2000) choices[name] = kept[name];
  }
  choices.sound = kept.sound === true;
  const entries = Object.entries(kept.bindings ?? {}).filter(([, meaning]) => meaning in about.meanings);
  if (entries.length) choices.bindings = Object.fromEntries(entries);

  function usual() {
    const known = Object.entries(about.bindings).filter(([, meaning]) => meaning in about.meanings);
    return { bindings: Object.fromEntries(known), das: about.das, arr: about.arr, sound: false };
  }

  function keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(choices));
    } catch {
      // then they are as they were at the next visit
    }
  }

  return { choices, keep, reset: () => Object.assign(choices, usual()) };
}

/** Let the dialog show and change the choices; `onChange` hears of it. */
export function makeSettings(dialog, about, { choices, keep, reset }, onChange) {
  const field = (id) => dialog.querySelector(`#${id}`);
  let waiting = null; // { meaning, key }: what waits for a key
  let last = ""; // the button that was used last

  function show() {
    field("das").value = choices.das;
    field("arr").value = choices.arr;
    field("sound").checked = choices.sound;
    field("bindings").replaceChildren(...Object.entries(about.meanings).map(([meaning, does]) => row(meaning, does)));
    // The button that had the focus is gone with its row.
    if (last) [...field("bindings").querySelectorAll("button")].find((button) => button.dataset.is === last)?.focus();
  }

  function row(meaning, does) {
    const keys = Object.keys(choices.bindings).filter((key) => choices.bindings[key] === meaning);
    const cells = [...keys, null].map((key) => {
      const waits = waiting && waiting.meaning === meaning && waiting.key === key;
      const text = waits ? "press a key" : (key ?? "+");
      const label = key ? `${does}: ${key}; change` : `${does}: one more key`;
      const is = `${meaning} ${key ?? ""}`;
      return make("button", { type: "button", "data-is": is, "aria-label": waits ? "press a key" : label, onclick: () => wait(meaning, key) }, text);
    });
    return make("tr", {}, make("th", { scope: "row" }, does), make("td", {}, ...cells));
  }

  function wait(meaning, key) {
    waiting = { meaning, key };
    last = `${meaning} ${key ?? ""}`;
    show();
  }

  function changed() {
    keep();
    show();
    onChange();
  }

  dialog.addEventListener(
    "keydown",
    (event) => {
      if (!waiting) return;
      event.preventDefault();
      event.stopPropagation();
      const { meaning, key } = waiting;
      waiting = null;
      if (key) delete choices.bindings[key];
      if (event.key !== "Delete") choices.bindings[nameOf(event)] = meaning;
      last = `${meaning} ${event.key === "Delete" ? "" : nameOf(event)}`;
      changed();
    },
    true,
  );
  for (const name of ["das", "arr"]) {
    field(name).addEventListener("change", (event) => {
      const value = event.target.valueAsNumber;
      if (value >= 0 && value <= 2000) choices[name] = value;
      changed();
    });
  }
  field("sound").addEventListener("change", (event) => {
    choices.sound = event.target.checked;
    changed();
  });
  field("defaults").addEventListener("click", () => {
    reset();
    changed();
  });
  return {
    open() {
      waiting = null;
      last = "";
      show();
      dialog.showModal();
    },
  };
}
