// Runs before the first paint, so that a page never flashes in the wrong theme.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is refused in some private windows
    }
  };
  const apply = () => {
    const chosen = read() || "auto";
    const dark = chosen === "dark" || (chosen === "auto" && system.matches);
    root.dataset.themeChoice = chosen;
    root.setAttribute("data-bs-theme", dark ? "dark" : "light");
    document.dispatchEvent(new CustomEvent("theme", { detail: { chosen, dark } }));
  };
  root.classList.add("js");
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", (event) => event.key === "theme" && apply());
  document.addEventListener("theme:set", (event) => {
    try {
      localStorage.setItem("theme", event.detail);
    } catch {
      // the choice then lasts for this page only
    }
    apply();
  });
})();
