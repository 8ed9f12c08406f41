// What scrolls by itself must be reachable by keyboard: give it a place in the tab order and a name.
function reachable() {
  const name = { TABLE: "Table", PRE: "Code or output" };
  for (const box of document.querySelectorAll(".bd-article pre, .bd-article table, .bd-article .output, .formula")) {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
    }
    if (box.tabIndex === 0 && !box.hasAttribute("aria-label") && box.tagName !== "TABLE") {
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", name[box.tagName] || "Output");
    }
  }
}
window.addEventListener("load", reachable);
window.addEventListener("resize", reachable);
