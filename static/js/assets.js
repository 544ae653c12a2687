// Scripts that few pages need are loaded when a page needs them; their addresses stand in the head.

const loading = new Map();

export function loadAsset(name) {
  if (!loading.has(name)) {
    loading.set(name, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = document.querySelector(`meta[name="asset-${name}"]`).content;
      script.onload = resolve;
      script.onerror = () => {
        loading.delete(name);
        reject(new Error(`The script ${name} could not be loaded.`));
      };
      document.head.append(script);
    }));
  }
  return loading.get(name);
}

// Calls `enhance` with each matching element, now and after every htmx swap.
export function onContent(selector, enhance) {
  const run = (root) => {
    if (root.matches?.(selector)) enhance(root);
    root.querySelectorAll?.(selector).forEach(enhance);
  };
  document.addEventListener("htmx:load", (event) => run(event.detail.elt));
  run(document.body);
}

// Calls `release` with each matching element that is about to leave the page.
export function onRemoval(selector, release) {
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    if (event.target.matches?.(selector)) release(event.target);
  });
  document.addEventListener("content:remove", (event) => event.detail.querySelectorAll(selector).forEach(release));
}
