// Recipients of notifications as chips: one line of the text field each.

import { loadAsset, onContent, onRemoval } from "./assets.js";

const FIELD = "textarea[data-recipients]";
const TEAMS = [".webhook.office.com", ".logic.azure.com", ".powerplatform.com"];

function hostOf(text) {
  return text.match(/^https?:\/\/([^/:?#]+)/i)?.[1].toLowerCase() ?? "";
}

function kindOf(text) {
  const host = hostOf(text);
  if (!host) return "";
  if (host.startsWith("hooks.slack")) return "Slack";
  return TEAMS.some((end) => host.endsWith(end)) ? "Teams" : "Webhook";
}

// A URL is a secret: once it is a chip, its host and its end are enough to know it by.
function shown(text) {
  if (!hostOf(text) || text.includes("…")) return text;
  const [, start, rest] = text.match(/^(https?:\/\/[^/?#]+)(.*)$/i);
  return rest.length > 12 ? `${start}/…${rest.slice(-4)}` : text;
}

function item(data, escape) {
  const kind = kinds()[data.value] ?? kindOf(data.value);
  return `<div>${kind ? `<span class="notify-kind">${kind}</span>` : ""}${escape(shown(data.value))}</div>`;
}

function read(id, otherwise) {
  const found = document.getElementById(id);
  return found ? JSON.parse(found.textContent) : otherwise;
}
const kinds = () => read("notify-kinds", {}); // of the stored ones, whose format may have been changed
const suggestions = () => read("notify-suggestions", []).map((value) => ({ value, text: value }));

onContent(FIELD, async (field) => {
  await loadAsset("tom-select");
  if (field.tomselect || !field.isConnected) return;
  const lines = field.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const known = new Map([...suggestions(), ...lines.map((value) => ({ value, text: value }))].map((one) => [one.value, one]));
  const control = new window.TomSelect(field, {
    plugins: { remove_button: { title: "Remove" } },
    delimiter: "\n",
    splitOn: /\s+/,
    options: [...known.values()],
    items: lines,
    create: (text) => {
      const value = text.trim().replace(/[,;]+$/, "");
      return value ? { value, text: value } : false;
    },
    createOnBlur: true,
    addPrecedence: true, // Enter takes what was typed, not whom it only resembles,
    refreshThrottle: 0, // however fast
    persist: false,
    maxOptions: null,
    hidePlaceholder: true,
    placeholder: field.dataset.placeholder,
    render: {
      item,
      option: (data, escape) => `<div>${escape(shown(data.value))}</div>`,
      option_create: (data, escape) => `<div class="create">Add <strong>${escape(data.input)}</strong></div>`,
      no_results: () => "",
    },
    onItemAdd() {
      this.setTextboxValue("");
      this.refreshOptions(false);
    },
  });
  const note = field.getAttribute("aria-describedby");
  if (note) control.control_input.setAttribute("aria-describedby", note);
});
onRemoval(FIELD, (field) => field.tomselect?.destroy());
