// Better form controls on top of plain ones: chips, search, editors; and the guard of unsaved work.

import { loadAsset, onContent, onRemoval } from "./assets.js";

const SELECT = "select[data-enhance]";
const EDITOR = "textarea[data-editor]";
const editors = new WeakMap();

// More options than the page holds: asked for by what is typed.
async function searchOptions(url, words, answer) {
  const response = await fetch(`${url}?${new URLSearchParams({ q: words })}`).catch(() => null);
  answer(response?.ok ? (await response.json()).options : []);
}

function selectOptions(select) {
  const many = select.multiple;
  return {
    plugins: many ? { remove_button: { title: "Remove" }, clear_button: { title: "Remove all" } } : {},
    create: select.dataset.create === "true",
    persist: false,
    maxOptions: null,
    refreshThrottle: 0, // Enter takes what was typed, however fast
    hidePlaceholder: true,
    placeholder: select.dataset.placeholder || "",
    allowEmptyOption: !many,
    closeAfterSelect: !many,
    ...(select.dataset.searchUrl && { load: (words, answer) => searchOptions(select.dataset.searchUrl, words, answer) }),
    onItemAdd() {
      this.setTextboxValue("");
      this.refreshOptions(many);
    },
  };
}

onContent(SELECT, async (select) => {
  await loadAsset("tom-select");
  if (select.tomselect || !select.isConnected) return;
  const control = new window.TomSelect(select, selectOptions(select));
  const note = select.getAttribute("aria-describedby");
  if (note) control.control_input.setAttribute("aria-describedby", note);
});
onRemoval(SELECT, (select) => select.tomselect?.destroy());

// Its button that removes all chips is reached by Tab, but knows only the mouse.
document.addEventListener("keydown", (event) => {
  if (!["Enter", " "].includes(event.key) || !event.target.matches?.(".ts-wrapper .clear-button")) return;
  event.preventDefault();
  const select = event.target.closest(".ts-wrapper").previousElementSibling;
  event.target.click();
  select?.tomselect?.focus();
});

function editorTheme({ EditorView, HighlightStyle, syntaxHighlighting, tags: t }) {
  const colours = HighlightStyle.define([
    { tag: [t.keyword, t.operatorKeyword, t.controlKeyword, t.definitionKeyword, t.modifier], color: "var(--code-keyword)" },
    { tag: [t.string, t.special(t.string), t.regexp], color: "var(--code-string)" },
    { tag: [t.number, t.bool, t.null, t.atom], color: "var(--code-number)" },
    { tag: [t.propertyName, t.typeName, t.function(t.variableName), t.definition(t.variableName), t.standard(t.name)], color: "var(--code-name)" },
    { tag: [t.comment, t.lineComment, t.blockComment], color: "var(--code-comment)", fontStyle: "italic" },
    { tag: t.invalid, color: "var(--error)" },
  ]);
  const panel = { color: "var(--text)", backgroundColor: "var(--raised)", border: "1px solid var(--border)" };
  const frame = EditorView.theme({
    "&": { color: "var(--text)" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", maxHeight: "60vh" },
    ".cm-content, .cm-gutter": { minHeight: "120px" },
    "&.cm-focused": { outline: "none" },
    ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
    ".cm-cursor": { borderLeftColor: "var(--text)" },
    ".cm-gutters": { color: "var(--muted)", backgroundColor: "var(--sunken)", borderRight: "1px solid var(--border)" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in oklab, var(--muted) 8%, transparent)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in oklab, var(--accent) 26%, transparent)" },
    ".cm-selectionMatch": { backgroundColor: "color-mix(in oklab, var(--warning) 22%, transparent)" },
    ".cm-panels, .cm-tooltip": panel,
    ".cm-textfield, .cm-button": { color: "var(--text)", background: "var(--surface)", border: "1px solid var(--border-strong)" },
    ".cm-tooltip-autocomplete > ul > li[aria-selected]": { color: "#fff", background: "var(--accent)" },
    ".cm-foldPlaceholder": { color: "var(--muted)", background: "var(--sunken)", border: "1px solid var(--border)" },
  });
  return [frame, syntaxHighlighting(colours)];
}

// The error that the server found stays marked until the text is changed.
function serverError(textarea, state) {
  const { errorLine, errorText } = textarea.dataset;
  const number = Number(errorLine);
  if (!number || number > state.doc.lines || state.doc.toString() !== textarea.defaultValue) return [];
  const line = state.doc.line(number);
  return [{ from: line.from, to: line.to, severity: "error", message: errorText || "There is an error in this line." }];
}

function language(bundle, textarea) {
  const name = textarea.dataset.editor;
  if (name === "json") return bundle.json();
  if (name === "python") return bundle.python();
  return bundle.sql({ dialect: bundle.PostgreSQL, upperCaseKeywords: true });
}

function diagnose(bundle, textarea) {
  const parse = textarea.dataset.editor === "json" ? bundle.jsonParseLinter() : () => [];
  return bundle.linter((view) => {
    const own = view.state.doc.length ? parse(view) : [];
    return own.length ? own : serverError(textarea, view.state);
  }, { delay: 300 });
}

function label(textarea) {
  return textarea.getAttribute("aria-label") || textarea.labels?.[0]?.textContent.trim() || "Editor";
}

function makeEditor(bundle, textarea) {
  const { EditorView, EditorState, basicSetup, keymap, indentWithTab, indentUnit, placeholder } = bundle;
  const locked = textarea.readOnly || textarea.disabled;
  const follow = EditorView.updateListener.of((update) => {
    if (update.docChanged) {
      textarea.value = update.state.doc.toString();
      textarea.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (update.focusChanged && !update.view.hasFocus) textarea.dispatchEvent(new Event("change", { bubbles: true }));
  });
  const frame = document.createElement("div"); // in the page from the start: heights are measured there
  textarea.after(frame);
  return new EditorView({
    parent: frame,
    doc: textarea.value,
    extensions: [
      basicSetup, keymap.of([indentWithTab]), indentUnit.of("  "), EditorView.lineWrapping, language(bundle, textarea),
      editorTheme(bundle), diagnose(bundle, textarea), follow, placeholder(textarea.placeholder || ""),
      EditorState.readOnly.of(locked), EditorView.editable.of(!locked),
      EditorView.contentAttributes.of({ "aria-label": label(textarea), ...(textarea.id && { id: `${textarea.id}-editor` }) }),
    ],
  });
}

onContent(EDITOR, async (textarea) => {
  await loadAsset("codemirror");
  if (editors.has(textarea) || !textarea.isConnected) return;
  const view = makeEditor(window.CodeMirrorBundle, textarea);
  editors.set(textarea, view);
  textarea.hidden = true;
  textarea.required = false; // a hidden field cannot show the browser's complaint; the server makes it
  for (const text of textarea.labels ?? []) text.addEventListener("click", () => view.focus());
  textarea.form?.addEventListener("reset", () => setTimeout(() => {
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: textarea.value } });
  }));
});
onRemoval(EDITOR, (textarea) => {
  editors.get(textarea)?.destroy();
  editors.delete(textarea);
});

const saved = new WeakMap();
const contents = (form) => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, value.name ?? value]).sort());
const isDirty = (form) => saved.has(form) && saved.get(form) !== contents(form);

onContent("form[data-guard]", (form) => {
  if (!saved.has(form)) saved.set(form, contents(form));
});
document.addEventListener("submit", (event) => saved.delete(event.target));
document.addEventListener("htmx:afterRequest", (event) => {
  const form = [event.detail.target, event.target].find((element) => element?.matches?.("form[data-guard]"));
  if (!form?.isConnected) return;
  const isSaved = event.detail.successful && !form.querySelector("[data-unsaved]"); // else only redrawn
  saved.set(form, isSaved ? contents(form) : "");
});
addEventListener("beforeunload", (event) => {
  if ([...document.querySelectorAll("form[data-guard]")].some(isDirty)) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
  const savable = "form[data-guard], form[data-save]";
  const form = document.activeElement?.closest(savable) ?? document.querySelector(savable);
  if (!form) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-autosubmit]")) target.form?.requestSubmit();
});
