// The modal that htmx fills, and the question before what cannot be taken back.

const modal = document.getElementById("modal");
const content = document.getElementById("modal-content");
let opener = null;

function open() {
  if (modal.open) return;
  opener = document.activeElement;
  modal.showModal();
}

function close() {
  if (modal.open) modal.close();
}

const WRONG = ".is-invalid, [aria-invalid=true]:not([type=hidden])";

function focusFirst() {
  const first = content.querySelector(WRONG) ?? content.querySelector("[autofocus], input:not([type=hidden]):not([disabled]), select, textarea");
  (first?.tomselect ?? first ?? content.querySelector("button, a[href]"))?.focus();
}

// Deferred: other events of the same response still have to bubble from what closing removes.
document.addEventListener("closeModal", () => setTimeout(close));
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== content || !content.hasChildNodes()) return;
  const fresh = !modal.open;
  open();
  if (fresh || content.querySelector(WRONG)) focusFirst();
});

function isChanged() {
  return [...content.querySelectorAll("form")].some((form) => form.dataset.touched === "yes");
}

content?.addEventListener("input", (event) => {
  const form = event.target.closest("form");
  if (form) form.dataset.touched = "yes";
});
modal?.addEventListener("close", () => {
  document.dispatchEvent(new CustomEvent("content:remove", { detail: content }));
  content.replaceChildren();
  if (opener?.isConnected) opener.focus();
  opener = null;
});
for (const layer of document.querySelectorAll("dialog.layer")) {
  let pressed = null; // a drag that began inside and ends outside is no click outside
  layer.addEventListener("pointerdown", (event) => { pressed = event.target; });
  layer.addEventListener("click", (event) => {
    if (event.target !== layer || pressed !== layer) return;
    if (layer !== modal || !isChanged()) layer.close();
  });
}
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-modal-close]");
  if (!button || !modal.open || !modal.contains(button)) return;
  event.preventDefault();
  close();
});

const question = document.getElementById("confirm");

function ask(element) {
  const { confirm, confirmTitle, confirmAction, confirmDanger } = element.dataset;
  question.querySelector("#confirm-title").textContent = confirmTitle || "Are you sure?";
  question.querySelector("[data-confirm-text]").textContent = confirm;
  const yes = question.querySelector("[data-confirm-yes]");
  yes.textContent = confirmAction || "Continue";
  yes.classList.toggle("btn-danger", confirmDanger !== undefined);
  yes.classList.toggle("btn-primary", confirmDanger === undefined);
  const before = document.activeElement;
  question.returnValue = "no";
  question.showModal();
  question.querySelector(confirmDanger === undefined ? "[data-confirm-yes]" : "[data-confirm-no]").focus();
  return new Promise((resolve) => {
    question.addEventListener("close", () => {
      if (before?.isConnected) before.focus();
      resolve(question.returnValue === "yes");
    }, { once: true });
  });
}

const agreed = new WeakSet();

function usesHtmx(element) {
  return element.matches("[hx-get], [hx-post], [hx-put], [hx-patch], [hx-delete]");
}

// htmx asks for every request whether it needs a confirmation; ours answers later.
document.addEventListener("htmx:confirm", (event) => {
  const submitter = event.detail.triggeringEvent?.submitter;
  const source = [submitter, event.target].find((element) => element?.dataset?.confirm);
  if (!source) return;
  event.preventDefault();
  ask(source).then((yes) => yes && event.detail.issueRequest(true));
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  const source = [event.submitter, form].find((element) => element?.dataset.confirm);
  if (!source || usesHtmx(form) || (event.submitter && usesHtmx(event.submitter))) return;
  if (agreed.delete(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(source).then((yes) => {
    if (!yes) return;
    agreed.add(form);
    form.requestSubmit(event.submitter);
  });
}, true);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-confirm]");
  if (!link || usesHtmx(link)) return;
  event.preventDefault();
  ask(link).then((yes) => { if (yes) location.assign(link.href); });
});
