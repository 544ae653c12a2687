// The command palette: Ctrl-K opens it, arrows choose, Enter opens. What was opened comes first.

const palette = document.getElementById("palette");
const form = document.getElementById("palette-form");
const input = document.getElementById("palette-text");
const STORE = "recent";
const KEPT = 12;
const PAUSE = 70;
const PLACES = [
  [/^\/orchestrations\/(\d+)\//, "o:"],
  [/^\/configurations\/(\d+)\//, "c:"],
  [/^\/storage\/tables\/([^/]+)\//, "t:"],
];
let opener = null;
let typing = 0;
let wanted = false; // Enter came before the answer

function recent() {
  try {
    return JSON.parse(localStorage.getItem(STORE) || "[]").filter((key) => typeof key === "string");
  } catch {
    return []; // storage is refused, or holds something else
  }
}
function remember(key) {
  try {
    localStorage.setItem(STORE, JSON.stringify([key, ...recent().filter((old) => old !== key)].slice(0, KEPT)));
  } catch {
    // nothing is remembered then
  }
}

const options = () => [...palette.querySelectorAll("[role=option]")];
const active = () => palette.querySelector("[role=option][aria-selected=true]");

function mark(option) {
  for (const each of options()) each.setAttribute("aria-selected", String(each === option));
  if (!option) return input.removeAttribute("aria-activedescendant");
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}
function move(step) {
  const all = options();
  if (all.length) mark(all[(all.indexOf(active()) + step + all.length) % all.length]);
}
function ask() {
  form.elements.recent.value = recent().join(" ");
  form.dispatchEvent(new CustomEvent("palette:asked"));
}
function open() {
  opener = document.activeElement;
  palette.showModal();
  input.focus();
  input.select();
  ask();
}

function enter(inNewTab) {
  const option = active();
  if (!option) {
    wanted = true;
    return;
  }
  if (inNewTab && option.href && option.dataset.paletteDialog === undefined) {
    if (option.dataset.paletteKey) remember(option.dataset.paletteKey);
    window.open(option.href, "_blank", "noopener");
  } else option.click();
}

if (palette) {
  const place = PLACES.map(([pattern, kind]) => [location.pathname.match(pattern), kind]).find(([found]) => found);
  if (place) remember(place[1] + decodeURIComponent(place[0][1]));

  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    if (palette.open) {
      event.preventDefault();
      palette.close();
    } else if (!document.querySelector("dialog[open]")) {
      event.preventDefault();
      open();
    }
  });
  input.addEventListener("input", () => {
    clearTimeout(typing);
    wanted = false;
    mark(null); // what is marked belongs to another text
    typing = setTimeout(ask, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      enter(event.ctrlKey || event.metaKey);
    } else if (event.key === "Tab") event.preventDefault(); // there is nothing else in it
  });
  palette.addEventListener("htmx:afterSwap", () => {
    mark(options()[0] ?? null);
    if (wanted) {
      wanted = false;
      enter(false);
    }
  });
  palette.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    if (option.dataset.paletteKey) remember(option.dataset.paletteKey);
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (option.dataset.paletteDialog !== undefined) {
      event.preventDefault();
      palette.close();
      window.htmx.ajax("GET", option.href, { target: "#modal-content", swap: "innerHTML" });
    } else palette.close();
  });
  palette.addEventListener("close", () => {
    clearTimeout(typing);
    wanted = false;
    if (opener?.isConnected) opener.focus();
    opener = null;
  });
}
