"use strict";

// /docs#not_found is what the type of a problem names: the row of that code in the table of error codes.
const lead = () => {
  const code = location.hash.slice(1);
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(code) || document.getElementById(code)) return;
  // The renderer would take it for a place of its own.
  history.replaceState(history.state, "", location.pathname + location.search);

  // What is above it may grow while the page is drawn: until it has stood still, or the reader goes elsewhere.
  let still = 0;
  let left = 100;
  const look = () => {
    const cells = [...document.querySelectorAll("td:first-child > code")];
    const row = cells.find((one) => one.textContent === code)?.closest("tr");
    if (row) {
      const before = row.getBoundingClientRect().top;
      row.scrollIntoView({ block: "center" });
      still = row.getBoundingClientRect().top === before ? still + 1 : 0;
      row.tabIndex = -1;
      row.focus({ preventScroll: true });
    }
    left -= 1;
    if (still === 5) history.replaceState(history.state, "", `#${code}`);
    if (still === 5 || left === 0) stop();
  };
  const timer = setInterval(look, 100);
  const stop = () => clearInterval(timer);
  for (const event of ["wheel", "touchstart", "keydown", "pointerdown"]) addEventListener(event, stop, { once: true });
};

lead();
addEventListener("hashchange", lead);

// What the renderer leaves out for those who hear the page or use its keyboard alone (WAI-ARIA 1.2, WCAG 2.2: 2.1.1).
const addAccessibility = () => {
  // A field that suggests says that it is open, and never that it is closed.
  for (const field of document.querySelectorAll("[role=combobox]:not([aria-expanded])")) {
    field.setAttribute("aria-expanded", "false");
  }
  for (const field of document.querySelectorAll(".cm-content[role=textbox]:not([aria-label])")) {
    field.setAttribute("aria-label", "Body");
  }
  for (const button of document.querySelectorAll("button[aria-controls]")) {
    if (!document.getElementById(button.getAttribute("aria-controls"))) button.removeAttribute("aria-controls");
  }
  for (const region of document.querySelectorAll("code.custom-scroll:not([tabindex]), .cm-scroller:not([tabindex='0'])")) {
    region.tabIndex = 0;
  }
};

let isWaiting = false;
new MutationObserver(() => {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    addAccessibility();
  });
}).observe(document.documentElement, {
  subtree: true,
  childList: true,
  attributeFilter: ["aria-controls", "aria-expanded", "role"],
});
