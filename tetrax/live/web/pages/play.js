// The page of people who play: it sends keys and shows what comes; the rules are on the server.

import { makeBoard } from "./board.js";
import { makeDelays } from "./play_delay.js";
import { isShortcut, makeChoices, makeSettings, nameOf } from "./play_keys.js";
import { makeSound } from "./play_sound.js";
import { get, make } from "./sending.js";

const TOUCH = {
  left: "◀", right: "▶", rotate_ccw: "↺", rotate_cw: "↻", soft_drop: "▼", hard_drop: "⤓", hold: "Hold", rotate_180: "180°",
};
const element = (id) => document.getElementById(id);
const about = await get("/about");
const kept = makeChoices(about);
const { choices } = kept;
const delays = makeDelays();
const sound = makeSound(() => choices.sound);
const settings = makeSettings(element("settings"), about, kept, () => {});
const seats = []; // { board, facts, state, … } of each game
const down = new Set(); // meanings that are held
let socket = null;
let phase = "ready";
let number = 0; // of the last key

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function connect() {
  const { protocol, host } = window.location;
  socket = new WebSocket(`${protocol === "https:" ? "wss" : "ws"}://${host}/play`);
  socket.addEventListener("open", begin);
  socket.addEventListener("message", (event) => show(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    down.clear();
    element("said").textContent = `The server is gone${event.reason ? ` (${event.reason})` : ""}. Reload the page to begin anew.`;
  });
}

function begin() {
  down.clear();
  send({ begin: { mode: element("mode").value, part: element("part").value || about.part, das: choices.das, arr: choices.arr } });
}

function press(meaning, at) {
  if (down.has(meaning)) return;
  down.add(meaning);
  if (meaning === "restart") {
    begin();
    return;
  }
  number += 1;
  delays.begin(number, at);
  send({ press: meaning, key: number });
}

function release(meaning) {
  if (down.delete(meaning)) send({ release: meaning });
}

function letGo() {
  if (!down.size) return;
  down.clear();
  send({ let_go: true });
}

// What comes

function seatOf(index) {
  if (seats[index]) return seats[index];
  const clock = make("span", { class: "clock" });
  const name = make("span", { class: "name" });
  const pace = make("span", { class: "quiet pace" });
  const facts = make("div", { class: "facts number" }, name, clock, pace);
  const state = make("div", { class: "state card", hidden: true });
  const place = make("div", {});
  const whole = make("section", { class: "seat" }, facts, make("div", { class: "place" }, place, state));
  element("seats").append(whole);
  const board = makeBoard(place, about.rules, { maxHeight: () => Math.max(200, roomFor(place)) });
  seats[index] = { board, clock, name, pace, state, whole };
  return seats[index];
}

function roomFor(place) {
  const below = ["said", "touch", "kept"].reduce((sum, id) => sum + element(id).offsetHeight, 0);
  return window.innerHeight - place.getBoundingClientRect().top - window.scrollY - below;
}

function show(match) {
  if (!match.seats) {
    seats[0].clock.textContent = match.clock; // nothing else has changed
    return;
  }
  phase = match.phase;
  while (seats.length > match.seats.length) {
    const seat = seats.pop();
    seat.board.destroy();
    seat.whole.remove();
  }
  match.seats.forEach((data, index) => {
    const seat = seatOf(index);
    seat.board.draw(data.scene);
    seat.name.textContent = match.seats.length > 1 || match.agent_plays ? data.name : "";
    seat.clock.textContent = index === 0 ? match.clock : "";
    seat.pace.textContent = `${data.pace} pieces/s, ${data.keys} keys/piece`;
    const words = index === 0 ? match.state : data.ended_by;
    seat.state.hidden = !words;
    seat.state.textContent = words;
  });
  delays.drawn(match.key);
  if (element("said").textContent !== match.seats[0].said) element("said").textContent = match.seats[0].said;
  match.sounds.forEach((name) => sound.play(name));
  if (match.kept) element("kept").textContent = `Saved: ${match.kept.join(", ")}`;
  if (match.not_kept) element("kept").textContent = `The game could not be saved: ${match.not_kept}`;
  element("pause").textContent = phase === "paused" ? "Go on" : "Pause";
  element("take-over").textContent = match.agent_plays ? "Take over" : "Hand over";
}

// What goes

function isPlaying(event) {
  const at = document.activeElement;
  return !element("settings").open && (at === document.body || at === element("field")) && !isShortcut(event);
}

document.addEventListener("keydown", (event) => {
  const meaning = choices.bindings[nameOf(event)];
  if (!meaning || !isPlaying(event)) return;
  event.preventDefault();
  if (!event.repeat) press(meaning, event.timeStamp);
});
document.addEventListener("keyup", (event) => {
  const meaning = choices.bindings[nameOf(event)];
  if (meaning) release(meaning);
});
window.addEventListener("blur", letGo);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return;
  down.clear();
  send({ pause: true });
});

function button(id, act) {
  element(id).addEventListener("click", (event) => {
    act();
    if (event.detail > 0) element("field").focus(); // by a pointer: keys go on playing
  });
}

function once(meaning) {
  press(meaning, performance.now());
  release(meaning);
}

function choose(id, offered, chosen) {
  element(id).replaceChildren(...Object.entries(offered).map(([name, says]) => make("option", { value: name, title: says }, name)));
  element(id).value = chosen;
  element(id).addEventListener("change", () => {
    showButtons();
    begin();
    element("field").focus();
  });
}

function showButtons() {
  for (const id of ["take-over", "suggest", "part-label"]) element(id).hidden = !about.agent;
  element("undo").hidden = element("mode").value !== "practice";
}

function makeTouch() {
  for (const [meaning, sign] of Object.entries(TOUCH)) {
    if (!about.keys.includes(meaning)) continue;
    const made = make("button", { type: "button", tabindex: "-1", "aria-label": about.meanings[meaning] }, sign);
    made.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      made.setPointerCapture(event.pointerId);
      press(meaning, event.timeStamp);
    });
    for (const name of ["pointerup", "pointercancel"]) made.addEventListener(name, () => release(meaning));
    made.addEventListener("contextmenu", (event) => event.preventDefault());
    element("touch").append(made);
  }
}

choose("mode", about.modes, about.mode);
choose("part", about.parts, about.part);
showButtons();
makeTouch();
button("restart", () => {
  begin();
  element("field").focus();
});
button("pause", () => once("pause"));
button("take-over", () => once("take_over"));
button("suggest", () => once("suggest"));
button("undo", () => once("undo"));
element("settings-button").addEventListener("click", () => {
  send({ pause: true });
  element("delay").textContent = delays.inWords();
  settings.open();
});
element("settings").addEventListener("close", () => element("field").focus());
element("field").focus();
window.keyDelays = delays.all; // milliseconds, for benchmarks/play_delay.py
connect();
