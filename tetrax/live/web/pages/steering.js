// What a run can be told: everything that `python -m tetrax.control` does.

import { make, post } from "./sending.js";

const BUTTONS = [
  ["pause", "Save, and wait"],
  ["resume", "Go on"],
  ["save", "Save a checkpoint"],
  ["eval", "Evaluate now"],
  ["reload", "Take what may change from config.json"],
];
let numbers = 0; // of the lists of names, whose ids must differ

export function makeSteering(run) {
  const said = make("output", { class: "said", "aria-live": "polite" });
  const at = make("input", { type: "text", inputmode: "numeric", class: "short", placeholder: "at once", "aria-label": "Environment step from which on the command is due; at once when empty" });
  const names = make("datalist", { id: `names-${(numbers += 1)}` });
  const name = make("input", { type: "text", list: names.id, placeholder: "agent.learning_rate", required: true, autocomplete: "off", spellcheck: "false", "aria-label": "Setting" });
  const value = make("input", { type: "text", class: "short", placeholder: "1e-4 or x0.5", required: true, autocomplete: "off", "aria-label": "Value" });
  const newName = make("input", { type: "text", class: "short", placeholder: "new folder's name", required: true, autocomplete: "off", "aria-label": "Name of the new folder" });
  const buttons = new Map(BUTTONS.map(([command, title]) => [command, button(command, title, () => send(command, []))]));
  const stop = button("stop", "Save, and end the training", askToStop);
  stop.classList.add("danger");
  const set = form("set", [name, names, value], () => send("set", [name.value.trim(), value.value.trim()]));
  const branch = form("branch", [newName], () => send("branch", [newName.value.trim()]));
  const confirm = make("span", { class: "confirm", hidden: true });
  const element = make("section", { class: "card pad steering", "aria-label": "Steering" },
    make("div", { class: "row" }, ...buttons.values(), stop, confirm,
      make("label", { class: "check quiet" }, "at step", at)),
    make("div", { class: "row" }, set, branch), said);
  let values = new Map();
  name.addEventListener("input", () => {
    value.placeholder = values.has(name.value) ? `now ${values.get(name.value)}` : "1e-4 or x0.5";
  });

  async function send(command, words) {
    const step = at.value.replaceAll(/[\s,_]/g, "");
    if (step && !/^\d{1,15}$/.test(step)) {
      tell("bad", `at: given ${at.value}; allowed: an environment step, 0 or more`);
      return;
    }
    tell("quiet", `${[command, ...words].join(" ")} …`);
    try {
      const due = step && command !== "branch" ? Number(step) : null;
      const reply = await post("/api/control", { run, command, arguments: words, at: due });
      tell(reply.done === false ? "bad" : "good", `${[command, ...words].join(" ")}: ${reply.said}`);
    } catch (error) {
      tell("bad", error.message);
    }
  }

  function tell(kind, text) {
    said.className = `said ${kind}`;
    said.textContent = text;
  }

  function askToStop() {
    const close = () => {
      confirm.hidden = true;
      stop.focus();
    };
    const yes = make("button", { type: "button", class: "danger", onclick: () => { close(); send("stop", []); } }, "Stop it");
    const no = make("button", { type: "button", onclick: close }, "Let it go on");
    confirm.replaceChildren("End this training? ", yes, " ", no);
    confirm.hidden = false;
    no.focus();
  }

  return {
    element,
    /** Show what makes sense for the state that a run is in, and which settings there are. */
    update(summary, config) {
      const goesOn = summary.state === "running" || summary.state === "paused";
      for (const one of [...buttons.values(), stop, at, ...set.elements]) one.disabled = !goesOn;
      buttons.get("pause").disabled = summary.state !== "running";
      buttons.get("resume").disabled = summary.state !== "paused";
      values = new Map(config.filter((one) => one.may_change).map((one) => [one.name, one.value]));
      names.replaceChildren(...[...values].map(([setting, now]) => make("option", { value: setting }, `now ${now}`)));
    },
    /** Begin to set a setting, as the table of settings asks. */
    begin(setting) {
      name.value = setting;
      value.value = values.get(setting) ?? "";
      value.focus();
      value.select();
    },
  };
}

function button(command, title, onclick) {
  return make("button", { type: "button", title, onclick, "data-command": command }, command);
}

function form(command, fields, send) {
  const submit = make("button", { type: "submit", "data-command": command }, command);
  const element = make("form", { class: "row" }, ...fields, submit);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  return element;
}
