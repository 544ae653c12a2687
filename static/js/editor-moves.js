// Moving tasks and phases of the tasks editor: by dragging, by the keyboard on their handles, by the
// buttons of their menus. All of it moves elements of the form; what is posted follows their order.

import { onContent } from "./assets.js";

const said = document.getElementById("editor-said");
const say = (text) => { said.textContent = text; };
const phasesOf = () => [...document.querySelectorAll("#editor-phases > .editor-phase")];
const tasksOf = (phase) => [...phase.querySelectorAll(".editor-task")];
const phaseName = (phase) => phase.querySelector(".editor-phase-name").value || "a phase without a name";

let moved = () => {}; // what the editor does after each move

export function onMoved(listener) {
  moved = listener;
}

const FEEL = { animation: 120, forceFallback: true, fallbackOnBody: true, fallbackTolerance: 3, ghostClass: "is-ghost", fallbackClass: "is-dragged", emptyInsertThreshold: 24 };

function dropped(event) {
  if (event.from !== event.to || event.oldIndex !== event.newIndex) {
    moved();
    say(place(event.item));
  }
}

onContent("[data-tasks]", (list) => {
  window.Sortable?.create(list, { ...FEEL, group: "tasks", handle: '[data-handle="task"]', draggable: ".editor-task", onEnd: dropped });
});
onContent("#editor-phases", (list) => {
  window.Sortable?.create(list, { ...FEEL, handle: '[data-handle="phase"]', draggable: ".editor-phase", onEnd: dropped });
});

function place(item) {
  if (item.matches(".editor-phase")) {
    const all = phasesOf();
    return `Phase ${phaseName(item)}, ${all.indexOf(item) + 1} of ${all.length}.`;
  }
  const phase = item.closest(".editor-phase");
  const tasks = tasksOf(phase);
  return `${item.querySelector(".row-link").textContent}, ${tasks.indexOf(item) + 1} of ${tasks.length} in ${phaseName(phase)}.`;
}

function unfold(phase) {
  const fold = phase.querySelector(".editor-fold input");
  if (fold.checked) fold.checked = false;
}

function movePhase(phase, step) {
  const all = phasesOf();
  const other = all[all.indexOf(phase) + step];
  if (!other) return false;
  if (step < 0) other.before(phase); else other.after(phase);
  return true;
}

// By one place; beyond the end of its phase it goes to the neighbouring one.
function moveTask(task, step) {
  const phase = task.closest(".editor-phase");
  const beside = step < 0 ? task.previousElementSibling : task.nextElementSibling;
  if (beside) {
    if (step < 0) beside.before(task); else beside.after(task);
    return true;
  }
  return intoPhase(task, phase, step);
}

function intoPhase(task, phase, step) {
  const all = phasesOf();
  const other = all[all.indexOf(phase) + step];
  if (!other) return false;
  unfold(other);
  const list = other.querySelector("[data-tasks]");
  if (step > 0) list.prepend(task); else list.append(task);
  return true;
}

// Whether there is a place for it on that side.
export function canMove(item, step) {
  const side = step < 0 ? "previousElementSibling" : "nextElementSibling";
  if (item.matches(".editor-task") && item[side]) return true;
  const all = phasesOf();
  return Boolean(all[all.indexOf(item.closest(".editor-phase")) + step]);
}

export function move(item, step) {
  return item.matches(".editor-phase") ? movePhase(item, step) : moveTask(item, step);
}

let held = null; // what the keyboard has picked up, and where it came from
let isMoving = false; // the focus leaves what is taken out of the page for a moment

function pickUp(handle) {
  const item = handle.closest(".editor-task, .editor-phase");
  held = { item, handle, parent: item.parentElement, next: item.nextElementSibling };
  item.classList.add("is-held");
  handle.setAttribute("aria-pressed", "true");
  say(`Picked up. ${place(item)}`);
}

function putDown(words) {
  const { item, handle, parent, next } = held;
  held = null;
  item.classList.remove("is-held");
  handle.setAttribute("aria-pressed", "false");
  say(`${words} ${place(item)}`);
  if (item.parentElement !== parent || item.nextElementSibling !== next) moved();
}

function putBack() {
  isMoving = true;
  held.parent.insertBefore(held.item, held.next);
  held.handle.focus();
  isMoving = false;
  putDown("Put back.");
}

function carry(event) {
  const steps = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1 };
  const step = steps[event.key];
  const isTask = held.item.matches(".editor-task");
  isMoving = true;
  const far = isTask && (event.key === "ArrowLeft" || event.key === "ArrowRight");
  const did = far ? intoPhase(held.item, held.item.closest(".editor-phase"), step) : move(held.item, step);
  held.handle.focus();
  isMoving = false;
  held.item.scrollIntoView({ block: "nearest" });
  say(did ? place(held.item) : `${place(held.item)} It is at the end.`);
}

document.addEventListener("keydown", (event) => {
  const handle = event.target.closest?.("[data-handle]");
  if (!handle) return;
  if (event.key === " " || event.key === "Enter") {
    event.preventDefault();
    if (held) putDown("Put down."); else pickUp(handle);
  } else if (held && event.key === "Escape") {
    event.preventDefault();
    putBack();
  } else if (held && event.key.startsWith("Arrow")) {
    event.preventDefault();
    carry(event);
  }
});
document.addEventListener("focusout", (event) => {
  if (held && !isMoving && event.target === held.handle) putDown("Put down.");
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#tasks-form [data-move]");
  if (!button) return;
  event.preventDefault();
  const item = button.closest(".editor-task, .editor-phase");
  const did = move(item, Number(button.dataset.move));
  item.querySelector("[data-handle]").focus();
  item.scrollIntoView({ block: "nearest" });
  say(did ? place(item) : `${place(item)} It is at the end.`);
  if (did) moved();
});
