// What every page has: theme, menus, times, copying, following a log, the keyboard.

import { onContent } from "./assets.js";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `tz=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
}

function markTheme() {
  const chosen = document.documentElement.dataset.themeChoice;
  for (const button of document.querySelectorAll("[data-theme-set]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeSet === chosen));
  }
}
document.addEventListener("theme", markTheme);
markTheme();

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

async function copy(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // plain http has no clipboard of its own
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

const say = (message) => document.dispatchEvent(new CustomEvent("toast", { detail: { message } }));

document.addEventListener("click", (event) => {
  const inside = event.target.closest?.("details.menu");
  closeMenus(inside);
  if (inside && event.target.closest(".menu-list a, .menu-list button")) inside.open = false;
  const theme = event.target.closest?.("[data-theme-set]");
  if (theme) document.dispatchEvent(new CustomEvent("theme:set", { detail: theme.dataset.themeSet }));
  const toggle = event.target.closest?.("[data-toggle-nav]");
  if (toggle) {
    const open = document.getElementById("navigation").classList.toggle("is-open");
    toggle.setAttribute("aria-expanded", String(open));
  }
  const copier = event.target.closest?.("[data-copy], [data-copy-from]");
  if (copier) {
    const source = copier.dataset.copyFrom && document.querySelector(copier.dataset.copyFrom);
    copy(copier.dataset.copy ?? source?.value ?? source?.textContent ?? "").then(() => say("Copied."));
  }
});

const STEPS = [[60, 1, "second"], [3600, 60, "minute"], [86400, 3600, "hour"], [2592000, 86400, "day"]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

function ago(moment, now = Date.now()) {
  const seconds = (moment - now) / 1000;
  if (Math.abs(seconds) < 5) return seconds > 0 ? "in a moment" : "just now";
  const step = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return step ? relative.format(Math.trunc(seconds / step[1]), step[2]) : day.format(moment);
}

function showTime(element) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) return;
  const text = ago(moment);
  if (element.textContent !== text) element.textContent = text;
  element.title = `${exact.format(moment)} ${zone}`;
}
onContent("time[data-relative]", showTime);
setInterval(() => {
  if (!document.hidden) document.querySelectorAll("time[data-relative]").forEach(showTime);
}, 10000);

onContent("[data-log-follow]", (log) => {
  if (log.dataset.following) return;
  log.dataset.following = "yes";
  const box = log.id ? document.querySelector(`[data-follow="#${CSS.escape(log.id)}"]`) : null;
  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  let following = box ? box.checked : true;
  new MutationObserver(() => following && toEnd()).observe(log, { childList: true });
  log.addEventListener("scroll", () => {
    following = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
    if (box) box.checked = following;
  });
  box?.addEventListener("change", () => {
    following = box.checked;
    if (following) toEnd();
  });
  if (following) toEnd();
});

function isTyping(element) {
  return element?.closest?.("input, textarea, select, [contenteditable=true]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  const search = document.querySelector("[data-search]");
  const wanted = event.key === "/" && !isTyping(event.target) && !event.ctrlKey && !event.metaKey;
  if (search && wanted && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?" && !isTyping(event.target) && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    document.getElementById("shortcuts").showModal();
  }
});
