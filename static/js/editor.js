// The tasks editor as an application: what needs no server happens here, and what is unsaved is known.

import "./editor-choices.js";
import { canMove, onMoved } from "./editor-moves.js";

const form = document.getElementById("tasks-form");
const mark = form.querySelector("[data-unsaved-mark]");
const undoButton = form.querySelector("[data-undo]");
const MOST_UNDOS = 30;
const PASSING = /^(pick|collapsed-|open-|move-to|move-name|ordering|version|q|csrf)/; // says nothing about tasks
const DETAILS = new Set(["name", "description"]); // not part of what the server draws again

const all = (selector, root = form) => [...root.querySelectorAll(selector)];

// ---- What stands in the form, what was saved, and the way back

function entries() {
  return [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken");
}

// Fields of open panels count only where they differ from what travels beside them.
function untouched() {
  const names = new Set();
  for (const panel of all(".task-panel")) {
    const fields = all("input:not([type=hidden]), textarea", panel).filter((field) => field.name);
    if (fields.every((field) => field.value === field.defaultValue)) for (const field of fields) names.add(field.name);
  }
  return names;
}

// What phases wait for stands elsewhere, in another order, while it is edited.
function contents() {
  const same = untouched();
  const told = entries().filter(([name]) => !PASSING.test(name) && !same.has(name));
  const chosen = new Set(told.filter(([name]) => name.startsWith("own-")).map(([name]) => name.slice(4)));
  const waits = told.filter(([name]) => chosen.has(name.replace(/^(own|needs)-/, "")) && /^(own|needs)-/.test(name));
  return JSON.stringify([told.filter(([name]) => !/^(own|needs)-/.test(name)), waits.map(String).sort()]);
}

const saved = contents();
let now = { entries: entries(), contents: saved };
let lastField = "";
let isLeaving = false;
const undos = [];

const isDirty = () => now.contents !== saved;

function show() {
  mark.textContent = isDirty() ? "Unsaved changes" : "";
  undoButton.disabled = undos.length === 0;
}

// Letters typed into one field are one change.
function note(field = "") {
  const before = now;
  now = { entries: entries(), contents: contents() };
  if (before.contents !== now.contents && (!field || field !== lastField)) undos.push(before.entries);
  if (before.contents !== now.contents) lastField = field;
  if (undos.length > MOST_UNDOS) undos.shift();
  show();
}

function undo() {
  const before = undos.pop();
  if (!before) return;
  const values = new FormData();
  for (const [name, value] of before) if (name !== "action") values.append(name, value);
  values.append("action", "show");
  htmx.ajax("POST", form.getAttribute("action"), { target: "#orchestration-tasks", swap: "outerHTML", values }).then(() => {
    now = { entries: entries(), contents: contents() };
    lastField = "";
    show();
  });
}

undoButton.addEventListener("click", undo);
addEventListener("beforeunload", (event) => {
  if (isDirty() && !isLeaving) event.preventDefault();
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
  if (event.detail.xhr.getResponseHeader("HX-Redirect")) isLeaving = true;
});
form.addEventListener("click", (event) => {
  if (event.target.closest("[data-take-theirs]")) isLeaving = true;
});

// htmx sends the name of a button that only has the focus; Ctrl-S is not meant for it.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt !== form) return;
  const data = event.detail.formData;
  data.delete("action");
  data.delete("overwrite");
  const button = event.detail.triggeringEvent?.submitter;
  if (button?.name) data.set(button.name, button.value);
});

// ---- Keeping the page in step with its rows

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

function addPhase() {
  const key = [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const names = new Set(all(".editor-phase-name").map((field) => field.value));
  let name = "New phase";
  for (let number = 2; names.has(name); number += 1) name = `New phase ${number}`;
  const holder = document.createElement("template");
  holder.innerHTML = document.getElementById("phase-template").innerHTML.replaceAll("__key__", key);
  const phase = holder.content.querySelector(".editor-phase");
  phase.querySelectorAll("noscript").forEach((element) => element.remove());
  phase.querySelector(".editor-phase-name").value = name;
  phase.querySelector(".editor-phase-name").defaultValue = name;
  document.getElementById("editor-phases").append(phase);
  htmx.process(phase);
  htmx.trigger(phase, "htmx:load");
  return phase;
}

// Only what is different is written: each write makes the browser look at all styles again.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setLabel(element, label) {
  if (element.getAttribute("aria-label") !== label) element.setAttribute("aria-label", label);
}

function settle() {
  const phases = all("#editor-phases > .editor-phase");
  if (phases.at(-1)?.querySelector(".editor-task") || phases.length === 0) phases.push(addPhase());
  for (const phase of phases) {
    const count = phase.querySelectorAll(".editor-task").length;
    const name = phase.querySelector(".editor-phase-name").value;
    setText(phase.querySelector("[data-count]"), count ? plural(count, "task") : "");
    setLabel(phase, `Phase ${name}`);
    setLabel(phase.querySelector("[data-handle]"), `Move phase ${name}`);
  }
  offerPhases(phases);
  showSelection();
}

function offerPhases(phases) {
  const select = document.getElementById("move-to");
  const chosen = select.value;
  const wanted = phases.map((phase, place) => [`${place + 1} · ${phase.querySelector(".editor-phase-name").value.slice(0, 60)}`, phase.dataset.key]);
  const present = [...select.options].slice(0, -1).map((option) => [option.text, option.value]);
  if (JSON.stringify(wanted) === JSON.stringify(present)) return;
  select.replaceChildren(...wanted.map(([text, value]) => new Option(text, value)), new Option("A new phase…", "new"));
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}

function showSelection() {
  const phases = all("[data-pick-phase]:checked").length;
  const tasks = all("[data-pick]:checked").length;
  setText(form.querySelector("[data-picked]"), `${plural(tasks, "task")} selected${phases ? `, ${plural(phases, "phase")}` : ""}`);
  form.querySelector("[data-merge]").disabled = phases < 2;
}

function structureChanged() {
  settle();
  note();
  htmx.trigger(form, "phases-changed");
}

onMoved(structureChanged);

// Rows were drawn by the server: all of them, one whose panel was opened or closed, or a new one.
document.addEventListener("htmx:afterSettle", (event) => {
  const { target, requestConfig, xhr } = event.detail;
  const asked = requestConfig?.elt;
  const isNew = Boolean(asked?.dataset?.addTask);
  const isRow = target.matches?.(".editor-task");
  if (!isNew && !isRow && target.id !== "orchestration-tasks") return;
  settle();
  note();
  if (isNew) htmx.trigger(form, "phases-changed");
  if (isRow) all(".editor-task").find((row) => row.dataset.key === target.dataset.key)?.querySelector("[data-options]").focus();
  if (xhr?.status === 422) showProblem();
});

// What keeps it from being saved may be far down.
function showProblem() {
  const named = form.querySelector("#name-fields .is-invalid");
  if (named) return named.focus();
  const problem = form.querySelector(".editor-phases [role=alert], #variables [role=alert], #phase-order [role=alert], [role=alert]");
  const shown = form.querySelector("#edit-conflict") ?? problem;
  shown?.scrollIntoView({ block: "center" });
  shown?.parentElement.querySelector(".is-invalid")?.focus({ preventScroll: true });
}

// ---- Clicks that need no server

function selectTask(box) {
  const phase = box.closest(".editor-phase").querySelector("[data-pick-phase]");
  if (!box.checked) phase.checked = false;
  showSelection();
}

function selectPhase(box) {
  for (const task of all("[data-pick]", box.closest(".editor-phase"))) task.checked = box.checked;
  showSelection();
}

function pickOnly(task) {
  for (const box of all('[name="pick"]')) box.checked = false;
  task.querySelector("[data-pick]").checked = true;
  showSelection();
  document.getElementById("move-to").focus();
}

function remove(item) {
  const next = item.nextElementSibling ?? item.previousElementSibling;
  const focus = (next ?? item.closest(".editor-phase"))?.querySelector("[data-handle]");
  item.remove();
  structureChanged();
  focus?.focus();
}

function addVariable() {
  const list = document.getElementById("variable-rows");
  list.append(document.getElementById("variable-template").content.cloneNode(true));
  list.lastElementChild.querySelector("input").focus();
}

const CLICKS = {
  "[data-remove]": (button) => remove(button.closest(".editor-task, .editor-phase")),
  "[data-add-phase]": () => {
    const phase = addPhase();
    structureChanged();
    phase.querySelector(".editor-phase-name").select();
    phase.scrollIntoView({ block: "nearest" });
  },
  "[data-collapse]": (button) => {
    for (const fold of all(".editor-fold input")) fold.checked = button.dataset.collapse === "yes";
  },
  "[data-unpick]": () => {
    for (const box of all('[name="pick"]')) box.checked = false;
    showSelection();
  },
  "[data-pick-only]": (button) => pickOnly(button.closest(".editor-task")),
  "[data-add-variable]": addVariable,
  "[data-remove-variable]": (button) => {
    button.closest(".variable-row").remove();
    note();
  },
};

// The menus of all rows are alike: one is filled when it is opened.
form.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!menu.dataset.menu || !menu.open) return;
  if (!menu.querySelector(".menu-list")) menu.append(document.getElementById(menu.dataset.menu).content.cloneNode(true));
  const item = menu.closest(".editor-task, .editor-phase");
  for (const button of all("[data-move]", menu)) button.disabled = !canMove(item, Number(button.dataset.move));
}, true);

form.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(CLICKS)) {
    const button = event.target.closest(selector);
    if (!button) continue;
    event.preventDefault();
    act(button);
    return;
  }
});
form.addEventListener("change", (event) => {
  if (!event.target.matches("input, select, textarea")) return; // dragging has events of this name too
  if (event.target.matches("[data-pick]")) selectTask(event.target);
  else if (event.target.matches("[data-pick-phase]")) selectPhase(event.target);
  else if (event.target.matches(".editor-phase-name")) structureChanged();
  else note();
});
form.addEventListener("input", (event) => {
  event.target.classList.remove("is-invalid");
  if (event.target.matches("input:not([type=checkbox]), textarea")) note(event.target.name || event.target.id);
});

settle();
show();
