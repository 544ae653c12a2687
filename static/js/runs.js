// Dialogs that start a run, and the page of one.

import { onContent } from "./assets.js";

// Checkboxes of tasks, of their phases, and of all: each shows what is below it.
function reflect(box, boxes) {
  const checked = boxes.filter((each) => each.checked).length;
  box.checked = checked > 0 && checked === boxes.length;
  box.indeterminate = checked > 0 && checked < boxes.length;
}

const tasksIn = (scope) => [...scope.querySelectorAll('input[name="task"]')];

function reflectAll(choices) {
  for (const box of choices.querySelectorAll('[data-choose-tasks="phase"]')) reflect(box, tasksIn(box.closest("fieldset")));
  const tasks = tasksIn(choices);
  for (const box of choices.querySelectorAll('[data-choose-tasks="all"]')) reflect(box, tasks);
  const count = tasks.filter((task) => task.checked).length;
  choices.querySelector("[data-task-choices-count]").textContent = `${count} of ${tasks.length} chosen`;
}

onContent("[data-task-choices]", reflectAll);
document.addEventListener("change", (event) => {
  const choices = event.target.closest?.("[data-task-choices]");
  if (!choices) return;
  const kind = event.target.dataset.chooseTasks;
  const scope = kind === "phase" ? event.target.closest("fieldset") : choices;
  if (kind) for (const task of tasksIn(scope)) task.checked = event.target.checked;
  reflectAll(choices);
});

// Parts that ask again and again ask at once when something was started.
document.addEventListener("refresh", () => {
  for (const poll of document.querySelectorAll('[hx-get][hx-trigger^="every "][hx-target]')) {
    window.htmx.ajax("GET", poll.getAttribute("hx-get"), { source: poll, target: poll.getAttribute("hx-target"), swap: "outerHTML" });
  }
});

// The server draws the phases of a run as this page has them: open or shut.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.target?.id !== "run-live") return;
  const { parameters, elt } = event.detail;
  const own = elt.closest?.("details[data-phase]"); // a link inside says itself what it opens
  for (const [name, wanted] of [["open", true], ["shut", false]]) {
    const phases = [...event.detail.target.querySelectorAll("details[data-phase]")];
    const numbers = phases.filter((phase) => phase !== own && phase.open === wanted).map((phase) => phase.dataset.phase);
    if (numbers.length) parameters[name] = numbers;
  }
});
