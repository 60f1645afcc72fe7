/**
 * What must not wait for the site itself. A classic script in the head, since a module would come too late, and the
 * content security policy allows no inline script.
 */

// The chosen theme, before anything is painted: no page flashes in the wrong one. `src/theme.ts` keeps the choice.
try {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "system";
} catch {
  // The browser keeps no storage for this site: the theme of the device it is.
}

// While a release rolls out, this document may come from one pod and its assets be asked of another, which does not have
// them. Reload once; if that does not help, say so. What is missing later is told by the site, see `src/app/Fault.tsx`.
window.addEventListener(
  "error",
  ({ target }) => {
    const isOfDocument = target instanceof Element && target.matches("script, [rel=stylesheet]");
    if (!isOfDocument || document.getElementById("root")?.hasChildNodes()) return;
    const [visit] = performance.getEntriesByType("navigation");
    if (visit?.type !== "reload") {
      window.location.reload();
      return;
    }
    const message = document.createElement("p");
    message.setAttribute("role", "alert");
    message.textContent = "A part of this page is missing right now. Reload it in a moment.";
    const reload = document.createElement("button");
    reload.textContent = "Reload";
    reload.onclick = () => window.location.reload();
    document.body.replaceChildren(message, reload);
    Object.assign(document.body.style, { padding: "20vh 1rem", font: "1rem system-ui" });
    document.body.style.textAlign = "center";
  },
  true,
);
