// Messages in the corner, and what to say when a request fails.

const DURATION = { success: 6000, info: 6000, warning: 10000, error: 0 }; // 0: until it is closed
const ICONS = { success: "circle-check", info: "info-circle", warning: "alert-triangle", error: "alert-circle" };

const region = () => document.getElementById("toasts");
const sprite = document.querySelector('meta[name="asset-icons"]')?.content;

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

function leave(item) {
  item.classList.add("is-leaving");
  setTimeout(() => item.remove(), 220);
}

// The timer waits while somebody reads: pointer over it, or the keyboard inside.
function arm(item, milliseconds) {
  if (!milliseconds) return;
  let timer = setTimeout(() => leave(item), milliseconds);
  const hold = () => clearTimeout(timer);
  const release = () => {
    hold();
    timer = setTimeout(() => leave(item), milliseconds);
  };
  item.addEventListener("pointerenter", hold);
  item.addEventListener("pointerleave", release);
  item.addEventListener("focusin", hold);
  item.addEventListener("focusout", release);
}

function ownLink(url, label) {
  const target = new URL(url, location.href);
  if (target.origin !== location.origin) return null;
  const link = document.createElement("a");
  link.href = target.href;
  link.textContent = label || "Open";
  return link;
}

function show({ message, level = "success", url, label }) {
  const kind = level in DURATION ? level : "info";
  const item = document.createElement("div");
  item.className = `toast-item toast-${kind}`;
  item.dataset.toast = "";
  const text = document.createElement("p");
  text.textContent = message;
  const link = url ? ownLink(url, label) : null;
  if (link) text.append(" ", link);
  const close = document.createElement("button");
  close.type = "button";
  close.className = "icon-button";
  close.dataset.toastClose = "";
  close.setAttribute("aria-label", "Close");
  close.append(icon("x"));
  item.append(icon(ICONS[kind]), text, close);
  // What lies under an open modal is inert: the messages move into it, and back when it closes.
  const modal = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (modal && region().parentElement !== modal) modal.append(region());
  region().append(item);
  arm(item, link ? DURATION[kind] * 2 : DURATION[kind]);
}

const SENTENCES = {
  403: "You may not do this: your role does not allow it.",
  404: "This is not there any more. Reload the page to see what is.",
  409: "Somebody else changed this meanwhile. Reload the page to see it.",
  413: "This is too large to be sent.",
  429: "Too many requests at once. Wait a moment and try again.",
};

function explain(request) {
  const reference = request.getResponseHeader("X-Error-Reference");
  if (request.status < 500) return SENTENCES[request.status] || "The request was refused. Reload the page and try again.";
  const tail = reference ? ` Reference: ${reference}.` : "";
  return `Something went wrong on our side. Try again in a moment.${tail}`;
}

let silent = false; // one message per outage, however many polls fail

document.addEventListener("toast", (event) => show(event.detail));
document.addEventListener("htmx:responseError", (event) => show({ message: explain(event.detail.xhr), level: "error" }));
document.addEventListener("htmx:sendError", () => {
  if (!silent) show({ message: "The server cannot be reached. Check the connection; the page goes on by itself.", level: "error" });
  silent = true;
});
document.addEventListener("htmx:timeout", () => show({ message: "The server took too long to answer. Try again.", level: "error" }));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr?.status) silent = false;
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-toast-close]");
  if (button) leave(button.closest("[data-toast]"));
});
document.addEventListener("close", (event) => {
  if (event.target.contains(region())) document.body.append(region());
}, true);

for (const item of document.querySelectorAll("[data-toast]")) {
  const level = [...item.classList].find((name) => /^toast-(?!item)/.test(name))?.slice(6);
  arm(item, DURATION[level] ?? DURATION.info);
}

// A thin bar on top while htmx waits; polls are not work of the person and show nothing.
const bar = document.createElement("div");
bar.className = "htmx-bar";
document.body.append(bar);
const pending = new Set();
document.addEventListener("htmx:beforeRequest", (event) => {
  const { xhr, requestConfig } = event.detail;
  const kind = requestConfig?.triggeringEvent?.type;
  if (!kind || kind === "load" || kind === "intersect") return;
  pending.add(xhr);
  bar.classList.add("is-on");
});
document.addEventListener("htmx:afterRequest", (event) => {
  pending.delete(event.detail.xhr);
  bar.classList.toggle("is-on", pending.size > 0);
});
