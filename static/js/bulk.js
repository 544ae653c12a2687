// Choosing rows of a list: how many are chosen, all of them, none; a list that is redrawn keeps it.

const boxes = (form) => [...form.elements].filter((box) => box.type === "checkbox" && box.name);
let kept = [];

function show(form) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked).length;
  form.classList.toggle("is-on", chosen > 0);
  form.querySelector("[data-bulk-count]").textContent = `${chosen} chosen`;
  const head = [...form.elements].find((box) => box.matches("[data-bulk-all]"));
  if (!head) return;
  head.checked = chosen > 0 && chosen === all.length;
  head.indeterminate = chosen > 0 && chosen < all.length;
}

function choose(form, isChosen) {
  for (const box of boxes(form)) box.checked = isChosen;
  show(form);
}

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (!form?.matches("[data-bulk]")) return;
  if (event.target.matches("[data-bulk-all]")) choose(form, event.target.checked);
  else show(form);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-bulk-none]");
  if (button) choose(button.form, false);
});
document.addEventListener("htmx:beforeSwap", () => {
  const form = document.querySelector("[data-bulk]");
  kept = form ? boxes(form).filter((box) => box.checked).map((box) => box.value) : [];
});
document.addEventListener("htmx:afterSwap", () => {
  const form = document.querySelector("[data-bulk]");
  if (!form) return;
  for (const box of boxes(form)) box.checked ||= kept.includes(box.value);
  show(form);
});
addEventListener("pageshow", () => document.querySelectorAll("[data-bulk]").forEach(show));
document.querySelectorAll("[data-bulk]").forEach(show);
