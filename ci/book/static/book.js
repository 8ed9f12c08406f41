// What scrolls by itself must be reachable by keyboard: give it a place in the tab order and a name.
function reachable() {
  const name = { TABLE: "Table", PRE: "Code or output" };
  for (const box of document.querySelectorAll(".bd-article pre, .bd-article table, .bd-article .output, .formula")) {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
    }
    if (box.tabIndex === 0 && !box.hasAttribute("aria-label") && box.tagName !== "TABLE") {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", name[box.tagName] || "Output");
    }
  }
}
window.addEventListener("load", reachable);
window.addEventListener("resize", reachable);

// The arrows that unfold a part of the table of contents have no words of their own.
window.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll("nav summary")) {
    const link = arrow.closest("li")?.querySelector("a");
    arrow.setAttribute("aria-label", `Pages under ${link ? link.textContent.trim() : "this entry"}`);
  }
});
