// The search box of a list: what can come next is offered, links to searches write into the box.

import { onContent } from "./assets.js";

const PAUSE = 150; // before options are asked for
const SETTLE = 450; // before the list follows what is typed
const UNFINISHED = /(^|\s)-?[A-Za-z]\w*:("[^"]*|[^\s"]*)$/; // a key whose value is being written

onContent("[data-search-box]", (form) => {
  const input = form.querySelector("input[name=q]");
  const list = form.querySelector("[role=listbox]");
  if (input.getAttribute("role") === "combobox") return;
  input.value = input.defaultValue; // going back, a browser puts the later text in
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id]]) {
    input.setAttribute(name, value);
  }
  let asking = 0;
  let settling = 0;
  let asked = 0;
  let active = -1;
  let shown = input.value.trim();

  const items = () => [...list.querySelectorAll("[role=option]")];
  function mark(index) {
    active = index;
    items().forEach((item, place) => item.setAttribute("aria-selected", String(place === index)));
    const item = items()[index];
    if (item) {
      input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }
  function close() {
    clearTimeout(asking);
    asked += 1; // an answer on its way comes too late
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    mark(-1);
  }
  async function offer() {
    const mine = ++asked;
    const query = new URLSearchParams({ q: input.value, at: input.selectionStart ?? input.value.length });
    const response = await fetch(`${form.dataset.optionsUrl}?${query}`).catch(() => null);
    if (!response?.ok) return;
    const html = await response.text();
    if (mine !== asked || document.activeElement !== input) return;
    list.innerHTML = html;
    list.hidden = !items().length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark(-1);
  }
  function settle() {
    if (input.value.trim() === shown) return;
    shown = input.value.trim();
    form.dispatchEvent(new CustomEvent("search:settled"));
  }
  function typed() {
    clearTimeout(asking);
    clearTimeout(settling);
    asking = setTimeout(offer, PAUSE);
    if (!UNFINISHED.test(input.value)) settling = setTimeout(settle, SETTLE);
  }
  function take(item) {
    const { start, insert } = item.dataset;
    const caret = input.selectionStart ?? input.value.length;
    const rest = input.value.slice(caret).replace(/^\S*\s?/, "");
    input.value = input.value.slice(0, Number(start)) + insert + rest;
    const place = Number(start) + insert.length;
    input.setSelectionRange(place, place);
    input.focus();
    close();
    typed();
  }

  input.addEventListener("input", typed);
  input.addEventListener("blur", () => setTimeout(close, 120));
  input.addEventListener("keydown", (event) => {
    const count = items().length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) offer();
      else mark((active + (event.key === "ArrowDown" ? 1 : count + (active < 0 ? 0 : -1))) % count);
    } else if ((event.key === "Enter" || event.key === "Tab") && !list.hidden && active >= 0) {
      event.preventDefault();
      take(items()[active]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the keyboard
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) take(item);
  });
  form.addEventListener("submit", () => {
    clearTimeout(settling);
    close();
    shown = input.value.trim();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-search-text]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    input.value = link.dataset.searchText;
    form.requestSubmit();
  });
  document.addEventListener("htmx:afterSettle", () => {
    input.setAttribute("aria-invalid", String(document.querySelector("[data-search-problem]") !== null));
  });
});
