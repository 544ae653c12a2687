// The dialog that adds tasks: what is chosen goes into the phase that it was opened for.

const content = document.getElementById("modal-content");
let count = 0;

const chosenFor = () => content.querySelector("[data-adder]")?.dataset.adder;

document.addEventListener("htmx:configRequest", (event) => {
  const opener = event.target.closest?.("[data-new-task]");
  if (!opener) return;
  count = 0;
  event.detail.parameters.phase_name = opener.closest(".editor-phase").querySelector(".editor-phase-name").value;
  delete event.detail.parameters.action;
});

// A key may hold any character, so that no selector could name the list.
document.addEventListener("htmx:beforeSwap", (event) => {
  const button = event.detail.requestConfig?.elt;
  if (!button?.dataset?.addTask || !event.detail.shouldSwap) return;
  const phase = [...document.querySelectorAll(".editor-phase")].find((section) => section.dataset.key === chosenFor());
  const list = phase?.querySelector("[data-tasks]");
  if (!list) {
    event.detail.shouldSwap = false;
    return;
  }
  event.detail.target = list;
  count += 1;
  const note = content.querySelector("[data-added]");
  note.textContent = count === 1 ? `Added “${button.dataset.addTask}”.` : `Added “${button.dataset.addTask}”, ${count} in all.`;
  button.classList.add("is-added");
});

function step(from, by) {
  const all = [...content.querySelectorAll(".adder-choice:not(:disabled)")];
  const next = all[all.indexOf(from) + by];
  (next ?? (by < 0 ? content.querySelector("#choice-search") : null))?.focus();
}

content.addEventListener("keydown", (event) => {
  const isSearch = event.target.id === "choice-search";
  if (!isSearch && !event.target.matches(".adder-choice")) return;
  if (event.key === "ArrowDown" || (event.key === "ArrowUp" && !isSearch)) {
    event.preventDefault();
    step(isSearch ? null : event.target, event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && isSearch) {
    event.preventDefault();
    if (!content.querySelector(".htmx-request")) content.querySelector(".adder-choice:not(:disabled)")?.click();
  }
});
content.addEventListener("click", (event) => {
  const search = event.target.closest("[data-choose]") && content.querySelector("#choice-search");
  if (search) search.value = "";
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.requestConfig?.elt?.matches?.("[data-choose]")) content.querySelector("#choice-search")?.focus();
});
