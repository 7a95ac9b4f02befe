"use strict";

// Several boards beside each other, step by step: each shows the last of its frames that the step led to. What a
// frame holds and draws is player.js's to say (makeReader, layersOf).
function makeBoard(data, figure) {
  const read = makeReader(data);
  const paths = new Map([...figure.querySelectorAll("[data-layer]")].map((path) => [path.dataset.layer, path]));
  const numbers = data.labels.map((label) => figure.querySelector(`[data-number="${label}"]`));
  const over = figure.querySelector("[data-over]");
  const lastFrame = []; // by step
  let step = -1;
  data.frames.forEach((frame, index) => {
    step = "step" in frame ? frame.step : step + 1;
    lastFrame[step] = index;
  });
  for (let place = 1; place <= data.steps; place++) lastFrame[place] = lastFrame[place] ?? lastFrame[place - 1];

  return function draw(place) {
    const frame = read(lastFrame[place]);
    const layers = layersOf(data, frame);
    for (const [name, path] of paths) path.setAttribute("d", layers[name] || "");
    numbers.forEach((number, index) => { number.textContent = frame.numbers[index]; });
    over.setAttribute("display", frame.over ? "inline" : "none");
    const rows = data.waiting[place];
    figure.querySelector(".waits").textContent = rows ? `${rows} waiting` : "";
    figure.querySelector(".said").textContent = frame.step === place ? frame.say : "";
    const spoken = data.labels.map((label, index) => `${label.toLowerCase()} ${frame.numbers[index]}`);
    figure.querySelector("desc").textContent = spoken.join("; ") + (frame.over ? "; game over" : "");
  };
}

function startBoards() {
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const figures = [...document.querySelectorAll("#boards figure")];
  const boards = data.boards.map((board, index) => makeBoard(board, figures[index]));
  const start = Math.max(...data.boards.map((board) => board.frames[0].step ?? 0)); // with whole pieces, the first lock
  let step = start;
  let playing = false;
  let due = 0; // steps that playing is behind by, a fraction
  let drawnAt = 0; // milliseconds

  function seek(to) {
    step = Math.max(start, Math.min(data.steps, to));
    for (const draw of boards) draw(step);
    find("when").textContent = `step ${step} of ${data.steps}`;
    find("scrubber").value = step;
    find("scrubber").setAttribute("aria-valuetext", `step ${step} of ${data.steps}`);
    find("first").disabled = find("back").disabled = step === start;
    find("last").disabled = find("forward").disabled = step === data.steps;
  }

  function setPlaying(yes) {
    playing = yes;
    due = 0;
    find("play").textContent = playing ? "pause" : "play";
    if (!playing) return;
    if (step === data.steps) seek(start);
    drawnAt = performance.now();
    requestAnimationFrame(run);
  }

  function run(time) {
    if (!playing) return;
    due += (Math.max(0, time - drawnAt) / 1000) * data.boards[0].pace * Number(find("speed").value);
    drawnAt = time;
    const steps = Math.floor(due);
    due -= steps;
    if (steps) seek(step + steps);
    if (step === data.steps) setPlaying(false);
    else requestAnimationFrame(run);
  }

  function go(to) {
    setPlaying(false);
    seek(to);
  }

  const keys = {
    " ": () => setPlaying(!playing),
    ArrowLeft: (shift) => go(step - (shift ? 10 : 1)),
    ArrowRight: (shift) => go(step + (shift ? 10 : 1)),
    Home: () => go(start),
    End: () => go(data.steps),
  };
  document.addEventListener("keydown", (event) => {
    const native = event.target.closest("select, summary") || (event.key === " " && event.target.closest("button"));
    const action = Object.hasOwn(keys, event.key) && keys[event.key];
    if (native || !action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(event.shiftKey);
  });
  find("play").addEventListener("click", () => setPlaying(!playing));
  find("first").addEventListener("click", () => go(start));
  find("back").addEventListener("click", () => go(step - 1));
  find("forward").addEventListener("click", () => go(step + 1));
  find("last").addEventListener("click", () => go(data.steps));
  find("scrubber").addEventListener("input", (event) => go(Number(event.target.value)));
  find("scrubber").min = start;
  find("scrubber").max = data.steps;
  seek(start);
}

startBoards();
